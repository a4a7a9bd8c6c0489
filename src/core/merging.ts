import { type Caller, maySee } from './caller.js';
import { composeNote, patternPath } from './compose.js';
import type { Document } from './documents.js';
import { givenFields, type Pending, type Prepared, withoutSecrets } from './draft.js';
import { MemoryError } from './errors.js';
import { readFrontMatter } from './frontmatter.js';
import { shortHash } from './hash.js';
import { LIMITS } from './limits.js';
import type { Waiting } from './outbox.js';
import { sameLesson } from './pattern-text.js';
import {
  isNamed,
  isOpen,
  keptFields,
  lessonOf,
  likeLesson,
  mergedPattern,
  readPattern,
  type StandingPattern,
} from './patterns.js';
import type { Change, Origin, Tip, View } from './ports.js';

/** What a group of saves is prepared on. */
export interface Ground {
  tip: Tip | null;
  /** The mirror stands at `tip`. */
  atHead: boolean;
  /** `tip` was the head when the mirror was last confirmed; nobody has asked the origin now. */
  presumed: boolean;
  /** The origin cannot be asked: the mirror's word has to do. */
  offline: boolean;
  /** What waits for the origin; empty where it has just been sent. */
  queue: Waiting[];
}

export interface MergingDependencies {
  origin: Origin;
  /** Asks the mirror; null where it cannot say. */
  ask<T>(question: (view: View) => Promise<T | null>): Promise<T | null>;
  standingAt(ground: Ground, caller: Caller, path: string): Promise<{ blob: string; bytes: Uint8Array } | null>;
  refuseLeftOut(ground: Ground, path: string): Promise<void>;
}

/** Where a pattern goes, and what stands there. */
interface Place {
  path: string;
  standing: { blob: string; bytes: Uint8Array } | null;
}

/** Saves that go into what stands there when they are committed, whatever that is by then. */
export function createMerging({ origin, ask, standingAt, refuseLeftOut }: MergingDependencies) {
  /** `same`: what stands there says all of it. Those before it in its group may be what it goes into: then it has to wait for them. */
  async function change(
    pending: Pending,
    ground: Ground,
    prepared: Prepared[],
  ): Promise<Change | { same: { path: string; blob: string } }> {
    const { merge } = pending.draft;
    if (merge?.as === 'record') return recordChange(pending, ground, merge.keepBody);
    const before = prepared
      .filter(({ pending: { draft } }) => draft.merge?.as === 'pattern')
      .map(({ change: { path, content } }) => readPattern(path, content as Uint8Array));
    return patternChange(pending, ground, await placeOf(pending, ground, before));
  }

  async function recordChange(pending: Pending, ground: Ground, keepBody: boolean): Promise<Change> {
    const { caller, draft } = pending;
    const path = `projects/${draft.fields.project}.md`;
    const standing = await standingAt(ground, caller, path);
    const stored = standing === null ? '' : new TextDecoder().decode(standing.bytes);
    const { data, body } = readFrontMatter(stored);
    const kept = await withoutSecrets(pending, data);
    const title = typeof data.title === 'string' ? data.title : draft.fields.title;
    const time = data.time instanceof Date ? data.time : new Date();
    const fields = {
      ...givenFields(draft),
      title,
      project: draft.fields.project,
      time,
      updated: new Date(),
      author: caller.subject,
      client: caller.client,
    };
    const content = composeNote(fields, keepBody ? body : draft.body, kept, [stored]);
    return { path, content, expect: standing?.blob ?? null };
  }

  async function patternChange(pending: Pending, ground: Ground, { path, standing }: Place) {
    const { caller, draft } = pending;
    pending.merged = standing !== null;
    // A model sends back what it read: front matter at the top of the text is no part of it.
    const sent = readFrontMatter(draft.body);
    const body = sent.problem === null ? sent.body : draft.body;
    if (standing === null) {
      await refuseLeftOut(ground, path);
      const own = { ...draft.fields, time: new Date(), author: caller.subject, client: caller.client };
      const kept = await withoutSecrets(pending, otherFields(sent.data));
      return { path, content: composeNote(own, `${body.trim()}\n`, kept, [draft.body]), expect: null };
    }
    const pattern = readPattern(path, standing.bytes);
    const merged = mergedPattern(pattern, draft.fields, body.trim());
    if (merged === null) return { same: { path, blob: standing.blob } };
    const { data } = pattern.matter;
    const content = composeNote(
      { ...keptFields(pattern, caller), ...merged.fields, updated: new Date(), client: caller.client },
      merged.body,
      await withoutSecrets(pending, { ...otherFields(sent.data), ...data }),
      [pattern.text, draft.body],
    );
    if (Buffer.byteLength(merged.body) > LIMITS.contentBytes)
      throw new MemoryError(
        'refused',
        `With this the pattern would be longer than ${LIMITS.contentBytes} bytes. Nothing was saved.`,
        'Save it under another name, or shorten the pattern that is there (save_session with its id and replaces).',
      );
    return { path, content, expect: standing.blob };
  }

  /** Where a pattern goes: into one of its name, into one that says the same, or to a place of its own. */
  async function placeOf(pending: Pending, ground: Ground, before: StandingPattern[]): Promise<Place> {
    const { caller, draft } = pending;
    const { project, title } = draft.fields;
    const at = async (path: string) => ({ path, standing: await standingAt(ground, caller, path) });
    const own = patternPath(project, title);
    const all = [...before.map(({ document }) => document), ...(await patternsOf(caller, ground, project))].filter(
      (each) => isOpen(each, project),
    );
    const named = all.find(({ path }) => path === own) ?? all.find((each) => isNamed(each, title));
    if (named) return at(named.path);
    // Of very many patterns not all are looked through.
    const place = await at(own);
    const there = place.standing && readPattern(own, place.standing.bytes).document;
    if (there && isOpen(there, project) && maySee(caller, there)) return place;
    const lesson = { names: title, text: draft.body };
    for (const each of likeLesson(lesson, all)) {
      const made = before.find(({ document }) => document === each);
      const near = made ? { path: each.path, standing: null } : await at(each.path);
      const text = (made ?? (near.standing && readPattern(each.path, near.standing.bytes)))?.matter.body;
      if (text !== undefined && sameLesson(lesson, lessonOf(each, text))) return near;
    }
    if (place.standing === null) return place;
    // Something else has the name of the file.
    return at(own.replace(/\.md$/, `-${shortHash(`${project}\0${title.toLowerCase()}`, 8)}.md`));
  }

  /** The patterns of a project that the caller may see, as they stand on that ground. */
  async function patternsOf(caller: Caller, ground: Ground, project: string): Promise<Document[]> {
    const filter = { projects: [project], kinds: ['pattern' as const] };
    const near =
      ground.atHead || ground.offline
        ? await ask((view) => view.list(caller, filter, { limit: LIMITS.contextPatterns }))
        : null;
    const standing =
      near ?? (ground.offline || ground.tip === null ? [] : await fromOrigin(ground.tip.commit, project));
    const waiting = ground.queue.map(({ document }) => document);
    const all = new Map([...standing, ...waiting].map((each) => [each.path, each]));
    return [...all.values()].filter((each) => each.kind === 'pattern' && maySee(caller, each));
  }

  /** While the mirror does not say: those in our own place for them. */
  async function fromOrigin(commit: string, project: string): Promise<Document[]> {
    const entries = (await origin.list(commit)).entries
      .filter(({ path, type }) => type === 'file' && path.startsWith(`patterns/${project}/`) && path.endsWith('.md'))
      .slice(0, LIMITS.contextPatterns);
    const contents = await origin.read(entries.map(({ blob }) => blob));
    return entries.flatMap(({ path, blob }) => {
      const content = contents.get(blob);
      return content === undefined ? [] : [readPattern(path, content).document];
    });
  }

  return { change };
}

/** Fields that say what a pattern is and who may see it: arguments and the program say them, never the text that is sent. */
const OWN_FIELDS = new Set('kind privacy project parent type tags evidence names key seal commit automatic'.split(' '));

const otherFields = (data: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(data).filter(([name]) => !OWN_FIELDS.has(name.toLowerCase())));
