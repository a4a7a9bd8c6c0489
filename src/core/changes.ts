import type { AsOf, Then } from './as-of.js';
import type { Caller } from './caller.js';
import { type Document, isAutomatic } from './documents.js';
import { MemoryError, toMemoryError } from './errors.js';
import type { Held } from './held.js';
import { cleanTime } from './input.js';
import { LIMITS } from './limits.js';
import { closingWords, decisionsOf, latestFacts, openLoops } from './loops.js';
import { idOfPath, newestFirst } from './paths.js';
import type { Reading } from './ports.js';
import type { Consistency } from './reader.js';
import { folded, lineId } from './words.js';

/** A note that came, changed or went since then, by whom, and what it says that was not said there before. */
export interface NoteChange {
  what: 'new' | 'changed' | 'deleted';
  id: string;
  title: string;
  timeMs: number;
  author: string;
  /** The program, and where it says so the machine, that saved it. */
  client: string;
  summary: string;
  steps: { id: string; text: string }[];
  closed: string[];
  decisions: string[];
  facts: string[];
  /** It waits for the origin. */
  queued: boolean;
}

export interface Changes {
  /** Null: nothing was there yet; the whole memory is new. */
  commit: string | null;
  /** The commit's time, or the one that was asked for, in ms since 1970; null where the commit is the head: nothing was asked. */
  sinceMs: number | null;
  /** The id of the checkpoint that was asked for, whose time it is then; null where none was. */
  checkpoint: string | null;
  /** Newest first. */
  notes: NoteChange[];
  /** Changes that are not looked at: there are too many. */
  left: number;
  /** What an answer has to say besides. */
  note: string | null;
}

/** Nothing was committed since: the commonest answer, for which nothing has to be looked up. */
export function isHead(since: string, head: string | undefined): boolean {
  return /^[0-9a-f]{7,64}$/i.test(since.trim()) && head?.startsWith(since.trim().toLowerCase()) === true;
}

/** What `since` names. Throws `invalid_input` and `not_found` in its words. */
export async function pointOf(
  asOf: AsOf,
  caller: Caller,
  since: string,
  consistency: Consistency | undefined,
): Promise<Then> {
  const given = since.trim();
  // A day begins at midnight: what was saved on it is what was asked for.
  const named = /^\d{4}-\d{2}-\d{2}$/.test(given) ? `${given}T00:00:00Z` : given;
  try {
    return await asOf.at(caller, named, consistency ?? 'fresh');
  } catch (error) {
    const known = toMemoryError(error);
    const commit = /^[0-9a-f]{7,64}$/i.test(named);
    // Before the first note all notes are news.
    if (known.code === 'not_found' && !commit)
      return { commit: null, timeMs: cleanTime('since', named), entries: new Map(), note: null };
    const hint =
      known.code === 'not_found'
        ? 'Take the commit that an earlier answer named, or a date; leave `since` out for all of the context.'
        : known.hint.replaceAll('as_of', 'since');
    const message = known.message.replaceAll('as_of', 'since').replace('of a commit.', 'of a commit or checkpoint.');
    throw new MemoryError(known.code, message, hint, error);
  }
}

/**
 * What differs in a project between a point of the past and now, within a snapshot of now; but for `except`, the path of the
 * checkpoint that is compared with, and for those that the schedule has made, which say nothing new.
 */
export async function changesOf(
  asOf: AsOf,
  caller: Caller,
  reading: Reading,
  then: Then,
  project: string,
  except?: string,
): Promise<Omit<Changes, 'checkpoint'>> {
  const now = await reading.paths(caller);
  const all = new Set([...now].filter(([path, blob]) => then.entries.get(path)?.blob !== blob).map(([path]) => path));
  const gone = [...then.entries.keys()].filter((path) => !now.has(path)).map((path) => ({ path }));
  const own = (await changedOf(reading, caller, project, all)).filter(
    // What the schedule has made says again what notes have said.
    (document) => document.path !== except && (!isAutomatic(document) || then.entries.has(document.path)),
  );
  const notes: NoteChange[] = [];
  for (const document of own.slice(0, LIMITS.contextChanges)) {
    const { path } = document;
    const before = then.entries.has(path) ? await asOf.document(caller, reading, then, idOfPath(path)) : null;
    notes.push(changeOf(document, before?.document ?? null));
  }
  for (const { path } of newestFirst(gone).slice(0, LIMITS.contextGone)) {
    const before = await asOf.document(caller, reading, then, idOfPath(path));
    if (before?.document.project === project) notes.push(deletionOf(before.document));
  }
  const left = Math.max(0, own.length - LIMITS.contextChanges) + Math.max(0, gone.length - LIMITS.contextGone);
  await nameClosed(reading, caller, project, notes);
  return {
    commit: then.commit,
    sinceMs: then.timeMs,
    notes: notes.sort((a, b) => b.timeMs - a.timeMs),
    left,
    note: then.note,
  };
}

/** Of changed paths those in a project. */
async function changedOf(
  reading: Reading,
  caller: Caller,
  project: string,
  changed: ReadonlySet<string>,
): Promise<Document[]> {
  const own: Document[] = [];
  if (changed.size <= LIMITS.contextChanges) {
    for (const path of changed) {
      const document = await reading.get(caller, idOfPath(path));
      if (document?.project === project) own.push(document);
    }
    return own;
  }
  // A sync of thousands of other projects' notes must not hide this one's.
  let after: { timeMs: number; path: string } | undefined;
  for (let more = true; more; ) {
    const page = await reading.list(caller, { projects: [project] }, { limit: LIMITS.reviewPage, after });
    own.push(...page.filter(({ path }) => changed.has(path)));
    after = page.at(-1);
    more = page.length === LIMITS.reviewPage;
  }
  return own;
}

async function nameClosed(reading: Reading, caller: Caller, project: string, notes: NoteChange[]): Promise<void> {
  const closing = notes.flatMap(({ closed }) => closed).filter((line) => /#\d{6}/.test(line));
  if (closing.length === 0) return;
  const known = await reading.list(caller, { projects: [project] }, { limit: LIMITS.contextNotes });
  const worded = closingWords(known, closing);
  for (const note of notes) note.closed = note.closed.map(worded);
}

/** Changes together: a step that one opened and a later one closed is done, a decision or figure that a later one replaced is none. */
export function inSum(notes: readonly NoteChange[]): NoteChange[] {
  const oldestFirst = notes.toReversed().map(({ id, timeMs, steps, closed, decisions, facts }) => ({
    ...{ id, timeMs },
    digest: { summary: '', facts, nextSteps: steps.map(({ text }) => text), closed, decisions },
  }));
  const key = (from: string, text: string) => `${from}\0${text}`;
  const open = new Set(openLoops(oldestFirst).map(({ from, text }) => key(from, text)));
  const standing = decisionsOf(oldestFirst).filter(({ supersededMs }) => supersededMs === null);
  const decided = new Set(standing.map(({ from, text }) => key(from, text)));
  const figures = new Set(latestFacts(oldestFirst).map(({ from, text }) => key(from, text)));
  return notes.map((note) => ({
    ...note,
    facts: note.facts.filter((text) => figures.has(key(note.id, text))),
    steps: note.steps.filter(({ text }) => open.has(key(note.id, text))),
    decisions: note.decisions.filter((text) => decided.has(key(note.id, text))),
  }));
}

/** What waits for the origin is news to whoever asks. */
export function heldChanges(held: Awaited<ReturnType<Held['list']>>): NoteChange[] {
  return held.map(({ document, queued }) => ({ ...changeOf(document, null), queued }));
}

function changeOf(document: Document, before: Document | null): NoteChange {
  const { id, title, timeMs, author, client, digest } = document;
  const fresh = (list: 'nextSteps' | 'closed' | 'decisions' | 'facts') => {
    const old = new Set(before?.digest[list].map(folded));
    return digest[list].filter((line) => !old.has(folded(line)));
  };
  return {
    ...{ what: before ? 'changed' : 'new', id, title, timeMs, author, client, queued: false },
    summary: digest.summary === before?.digest.summary ? '' : digest.summary,
    steps: fresh('nextSteps').map((text) => ({ id: lineId(text), text })),
    closed: fresh('closed'),
    decisions: fresh('decisions'),
    facts: fresh('facts'),
  };
}

function deletionOf({ id, title, timeMs, author, client }: Document): NoteChange {
  const nothing = { summary: '', steps: [], closed: [], decisions: [], facts: [], queued: false };
  return { what: 'deleted', id, title, timeMs, author, client, ...nothing };
}
