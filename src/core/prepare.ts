import { composeNote, latestPointer, type NoteFields, sessionPath } from './compose.js';
import { bodyHash, type Document, parseDocument } from './documents.js';
import { cancelled, type Draft, keyTaken, type Pending, type Prepared, receiptFor, staleEdit } from './draft.js';
import { MemoryError, toMemoryError } from './errors.js';
import { readFrontMatter } from './frontmatter.js';
import { isBlob } from './hash.js';
import { LIMITS } from './limits.js';
import type { Change, Head, Mirror, Origin, View } from './ports.js';
import { addRedactions, redact } from './redact.js';
import type { Sync } from './sync.js';

/** Turns waiting saves into the changes of one commit. */
export function createPreparer({ origin, mirror, sync }: { origin: Origin; mirror: Mirror; sync: Sync }) {
  let lastStampMs = 0;

  /**
   * Each pending save as a change on `head`. Those that need none are answered here; `later` are those that have to see
   * another one of the group committed first.
   */
  async function prepare(
    group: Pending[],
    head: Head | null,
    atHead: boolean,
  ): Promise<{ prepared: Prepared[]; later: Pending[] }> {
    const prepared: Prepared[] = [];
    const later: Pending[] = [];
    const keys = new Set<string>();
    for (const pending of group) {
      if (pending.answered) continue;
      try {
        if (pending.signal?.aborted) throw cancelled();
        const change = pending.draft.record
          ? await recordChange(pending, head)
          : pending.draft.edit
            ? await editChange(pending, head)
            : await newChange(pending, head, atHead, keys);
        // The second edit of one document, and the second save under one key, have to see the first.
        if (change === 'later') later.push(pending);
        else if (change && prepared.some((each) => each.change.path === change.path)) later.push(pending);
        else if (change) prepared.push({ pending, change });
      } catch (error) {
        if (toMemoryError(error).code === 'origin_unavailable') throw error;
        pending.reject(error);
        await mirror.settle([pending.saveId]).catch(() => {});
      }
    }
    return { prepared, later };
  }

  async function newChange(
    pending: Pending,
    head: Head | null,
    atHead: boolean,
    keys: Set<string>,
  ): Promise<Change | 'later' | null> {
    const { caller, draft } = pending;
    const earlier = atHead ? await earlierSave(pending) : null;
    if (earlier) {
      pending.resolve(receiptFor(pending, earlier.path, earlier.blob, head as Head, 'already saved', 'saved', []));
      return null;
    }
    if (draft.fields.key) {
      const slot = `${caller.subject}\0${draft.fields.project}\0${draft.fields.key}`;
      if (keys.has(slot)) return 'later';
      keys.add(slot);
    }
    // Names made in one process never share a millisecond, so that their order is the order of saving.
    // A clock that was set back by more than a moment is followed.
    const now = Date.now();
    lastStampMs = lastStampMs >= now && lastStampMs - now < 1_000 ? lastStampMs + 1 : now;
    const fields: NoteFields = {
      ...draft.fields,
      privacy: draft.fields.privacy ?? 'TEAM',
      time: new Date(lastStampMs),
      author: caller.subject,
      client: caller.client,
    };
    const path = sessionPath(fields.project, lastStampMs, fields.title);
    if (head !== null && (await sync.leavesOut(head.commit, path))) {
      throw new MemoryError(
        'refused',
        "The repository's `.strataignore` leaves out the place where this note would go, so it would never be found. Nothing was saved.",
        'Change `.strataignore`, or use another project or title.',
      );
    }
    return { path, content: composeNote(fields, draft.body), expect: null };
  }

  /** Null where the mirror cannot say: its failing is no reason not to save. */
  async function ask<T>(question: (view: View) => Promise<T | null>): Promise<T | null> {
    try {
      return await mirror.snapshot(question);
    } catch (error) {
      if (toMemoryError(error).code === 'mirror_unavailable') return null;
      throw error;
    }
  }

  async function earlierSave({ caller, draft }: Pending): Promise<Document | null> {
    const same = { project: draft.fields.project, author: caller.subject };
    const hash = bodyHash(draft.body);
    const found = await ask((view) =>
      view.sameSave(
        draft.fields.key
          ? { ...same, key: draft.fields.key }
          : { ...same, bodyHash: hash, title: draft.fields.title, sinceMs: Date.now() - LIMITS.sameSaveMs },
      ),
    );
    if (!found) return null;
    // The same in every field, or it is not the same save.
    const { fields } = draft;
    const then = { time: new Date(found.timeMs), author: found.author, client: found.client };
    const again = composeNote({ ...fields, privacy: fields.privacy ?? 'TEAM', ...then }, draft.body);
    if (isBlob(found.blob, again)) return found;
    if (fields.key) throw keyTaken(found.id, found.blob);
    return null;
  }

  /** What stands at a path of the head; null where nothing does. Throws where the repository has lost its bytes. */
  async function standingAt(head: Head | null, path: string): Promise<{ blob: string; bytes: Uint8Array } | null> {
    const blob = head === null ? undefined : (await origin.find(head.commit, [path])).get(path);
    if (blob === undefined) return null;
    const bytes = (await origin.read([blob])).get(blob);
    if (bytes) return { blob, bytes };
    throw new MemoryError(
      'origin_unavailable',
      'The repository names the note but does not have its bytes: it is damaged. Nothing was saved.',
      'Run `git fsck` in it.',
    );
  }

  /** A record has no `replaces`: what is given goes over whatever stands there now. */
  async function recordChange(pending: Pending, head: Head | null): Promise<Change> {
    const { caller, draft } = pending;
    const { path, keepBody } = draft.record as NonNullable<Draft['record']>;
    const standing = await standingAt(head, path);
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

  async function editChange(pending: Pending, head: Head | null): Promise<Change | null> {
    const { caller, draft } = pending;
    const edit = draft.edit as NonNullable<Draft['edit']>;
    const standing = await standingAt(head, edit.path);
    if (standing === null)
      throw new MemoryError(
        'not_found',
        'The document to edit is not at the origin any more. Nothing was saved.',
        'Save without `id` to make a new note, or look for it with search_memory.',
      );
    const { blob: current, bytes } = standing;
    const { document } = parseDocument({
      path: edit.path,
      blob: current,
      type: 'file',
      bytes: bytes.length,
      content: bytes,
      changedMs: Date.now(),
    });
    // A model sends back what it read: front matter at the top of the text is the note's, not part of its body.
    const sent = readFrontMatter(draft.body);
    const body = sent.problem === null ? sent.body : draft.body;
    const stored = new TextDecoder().decode(bytes);
    const before = readFrontMatter(stored).data;
    const sources = [draft.body, stored];
    const kept = await withoutSecrets(pending, { ...before, ...sent.data });
    draft.fields.project = document.project;
    const fields = {
      ...givenFields(draft),
      title: draft.fields.title,
      project: document.project,
      time: new Date(document.timeMs),
      updated: new Date(),
      author: document.author || caller.subject,
      client: caller.client,
    };
    if (current.startsWith(edit.replaces))
      return { path: edit.path, content: composeNote(fields, body, kept, sources), expect: current };
    // The same edit again, its first answer lost: what it would write is what stands there.
    const then = { client: document.client, updated: before.updated as Date | undefined };
    const again = composeNote({ ...fields, ...then }, body, kept, sources);
    if (!isBlob(current, again)) throw staleEdit(edit.id, current);
    pending.resolve(receiptFor(pending, edit.path, current, head as Head, 'already saved', 'saved', []));
    return null;
  }

  /** `LATEST.json` of every project that the group adds a session to. Derived: wrong ones are put right here. */
  async function pointers(prepared: Prepared[], atHead: boolean): Promise<Change[]> {
    const newest = new Map<string, { path: string; title: string; timeMs: number }>();
    for (const { pending, change } of prepared) {
      if (pending.draft.record) continue;
      const { project, title } = pending.draft.fields;
      // An edit may give the newest session another title; what is no session of ours has no pointer.
      if (pending.draft.edit && !isSession(change.path, project)) continue;
      const known = newest.get(project) ?? (atHead ? await ask((view) => view.newestSession(project)) : null);
      const mine = { path: change.path, title, timeMs: stampOf(change.path) };
      newest.set(project, known && known.path > mine.path ? known : mine);
    }
    return [...newest].map(([project, pointer]) => latestPointer(project, pointer));
  }

  return { prepare, pointers };
}

function givenFields(draft: Draft): Partial<Draft['fields']> {
  return Object.fromEntries(Object.entries(draft.fields).filter(([, value]) => value !== undefined));
}

/** Fields that an edit keeps were never looked at where another program wrote them. */
async function withoutSecrets(pending: Pending, kept: Record<string, unknown>): Promise<Record<string, unknown>> {
  const clean: Record<string, unknown> = {};
  pending.keptRedactions = {};
  const one = async (value: unknown): Promise<unknown> => {
    if (Array.isArray(value)) return Promise.all(value.map(one));
    if (typeof value !== 'string') return value;
    const { text, redactions } = await redact(value);
    addRedactions(pending.keptRedactions, redactions);
    return text;
  };
  for (const [name, value] of Object.entries(kept)) clean[name] = await one(value);
  return clean;
}

export function messageOf(prepared: Prepared[]): string {
  const titles = prepared.map(({ pending }) => pending.draft.fields.title);
  const subject = titles.length === 1 ? `Save: ${titles[0]}` : `Save ${titles.length} notes`;
  const list = titles.length === 1 ? [] : [...titles.slice(0, 50).map((title) => `- ${title}`), ''];
  const trailers = new Set(
    prepared.flatMap(({ pending }) => [
      `Project: ${pending.draft.fields.project}`,
      `Client: ${pending.caller.client || 'unknown'}`,
    ]),
  );
  return [subject, '', ...list, ...trailers, ''].join('\n');
}

function isSession(path: string, project: string): boolean {
  return path.startsWith(`sessions/${project}/`) && /\/\d{8}T\d{9}Z-[^/]*\.md$/.test(path);
}

/** The time in a session's name; ms since 1970. */
function stampOf(path: string): number {
  const parts = /\/(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z-[^/]*$/.exec(path)?.slice(1).map(Number) ?? [];
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, ms = 0] = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second, ms);
}
