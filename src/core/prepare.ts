import type { Caller } from './caller.js';
import { composeNote, type NoteFields, notePath } from './compose.js';
import { bodyHash, type Document, isAutomatic, parseDocument } from './documents.js';
import {
  cancelled,
  type Draft,
  givenFields,
  keyTaken,
  type Pending,
  type Prepared,
  receiptFor,
  staleEdit,
  withoutSecrets,
} from './draft.js';
import { MemoryError, toMemoryError } from './errors.js';
import { readFrontMatter } from './frontmatter.js';
import { isBlob } from './hash.js';
import { LIMITS } from './limits.js';
import { createMerging, type Ground } from './merging.js';
import type { Named } from './message.js';
import { movedOn } from './moved-on.js';
import type { Waiting } from './outbox.js';
import { idOfPath } from './paths.js';
import type { Change, Mirror, Origin, View } from './ports.js';
import { sealed } from './seal.js';
import type { Sync } from './sync.js';

/** A save would be answered without a commit, by a head that is only presumed: it has to be asked for. */
export class Presumed extends Error {}

/** Turns waiting saves into the changes of one commit. */
export function createPreparer({ origin, mirror, sync }: { origin: Origin; mirror: Mirror; sync: Sync }) {
  let lastStampMs = 0;

  /**
   * Each pending save as a change on the ground it will stand on. Those that need none are answered here; `later` are
   * those that have to see another one of the group committed first. Throws `Presumed` where such an answer cannot be
   * given yet: no commit would find out that the head is another one.
   */
  async function prepare(group: Pending[], ground: Ground): Promise<{ prepared: Prepared[]; later: Pending[] }> {
    const prepared: Prepared[] = [];
    const later: Pending[] = [];
    const keys = new Set<string>();
    for (const pending of group) {
      if (pending.answered) continue;
      try {
        if (pending.signal?.aborted) throw cancelled();
        const change = pending.draft.merge
          ? await mergeChange(pending, ground, prepared)
          : pending.draft.edit
            ? await editChange(pending, ground)
            : await newChange(pending, ground, keys);
        // The second edit of one document, and the second save under one key, have to see the first.
        if (change === 'later') later.push(pending);
        else if (change && prepared.some((each) => each.change.path === change.path)) later.push(pending);
        else if (change) prepared.push({ pending, change });
      } catch (error) {
        if (error instanceof Presumed) throw error;
        const { code } = toMemoryError(error);
        if (!ground.offline && code === 'origin_unavailable') throw error;
        if (ground.presumed && (code === 'conflict' || code === 'not_found')) throw new Presumed();
        pending.reject(error);
        await mirror.settle([pending.saveId]).catch(() => {});
      }
    }
    return { prepared, later };
  }

  async function newChange(pending: Pending, ground: Ground, keys: Set<string>): Promise<Change | 'later' | null> {
    const { caller, draft } = pending;
    if (await answeredBefore(pending, ground)) return null;
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
    const folder = draft.checkpoint ? 'checkpoints' : 'sessions';
    const path = notePath(folder, fields.project, lastStampMs, fields.title);
    await refuseLeftOut(ground, path);
    // Without the origin it is made on what the mirror last saw there.
    const seen = draft.checkpoint && ground.offline ? (await ask((view) => view.state()))?.head : ground.tip;
    return { path, content: newNote(draft, fields, seen?.commit), expect: null, coined: true };
  }

  async function refuseLeftOut({ tip }: Ground, path: string): Promise<void> {
    if (tip === null || !(await sync.leavesOut(tip.commit, path))) return;
    throw new MemoryError(
      'refused',
      "The repository's `.strataignore` leaves out the place where this note would go, so it would never be found. Nothing was saved.",
      'Change `.strataignore`, or use another project or title.',
    );
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

  /** The same save again is answered with the first one's document. */
  async function answeredBefore(pending: Pending, ground: Ground): Promise<boolean> {
    const queued = ground.queue.find(({ entry, document }) => isSame(pending, document, entry.content));
    if (queued && !wentOn(pending.draft, ground.queue, queued)) {
      const { path, blob } = queued.document;
      const status = queued.entry.sent ? 'unknown' : 'queued';
      pending.resolve(receiptFor(pending, path, blob, null, status, 'behind', []));
      return true;
    }
    const earlier = ground.atHead || ground.offline ? await earlierSave(pending, ground) : null;
    if (!earlier) return false;
    if (ground.presumed) throw new Presumed();
    const tip = ground.tip ?? { commit: '' };
    pending.resolve(receiptFor(pending, earlier.path, earlier.blob, tip, 'already saved', 'saved', []));
    return true;
  }

  async function earlierSave(pending: Pending, { offline }: Ground): Promise<Document | null> {
    const { fields, body, checkpoint } = pending.draft;
    const same = { project: fields.project, author: pending.caller.subject };
    const found = await ask((view) =>
      view.sameSave(
        fields.key
          ? { ...same, key: fields.key }
          : {
              ...same,
              kind: checkpoint ? 'checkpoint' : 'session',
              bodyHash: bodyHash(body),
              title: fields.title,
              sinceMs: Date.now() - LIMITS.sameSaveMs,
            },
      ),
    );
    if (found && checkpoint) {
      // The same words at another point of the work are another checkpoint; before anything else was saved they are a retry.
      const all = { limit: Number.MAX_SAFE_INTEGER };
      const notes = await ask((view) => view.list(pending.caller, { projects: [fields.project] }, all));
      if (await movedOn(found, notes?.filter((note) => !isAutomatic(note)) ?? [], offline ? null : sync)) return null;
    }
    if (!found || isBlob(found.blob, composedAs(pending, found))) return found;
    if (fields.key) throw keyTaken(found.id, found.blob);
    return null;
  }

  /**
   * What stands at a path; null where nothing does. From the mirror where it is at the head; without the origin from
   * what waits for it or the mirror. Throws where the bytes are not to be had.
   */
  async function standingAt(
    ground: Ground,
    caller: Caller,
    path: string,
  ): Promise<{ blob: string; bytes: Uint8Array } | null> {
    const queued = ground.queue.findLast(({ document }) => document.path === path);
    if (queued) return { blob: queued.document.blob, bytes: queued.entry.content };
    const near = ground.atHead || ground.offline ? await ask((view) => view.get(caller, idOfPath(path))) : null;
    if (near?.content && isBlob(near.blob, near.content)) return { blob: near.blob, bytes: near.content };
    if (ground.offline && near)
      throw new MemoryError(
        'origin_unavailable',
        'The note is there, but its text is at the origin only, which cannot be reached. Nothing was saved.',
        'Save it again when the origin answers, or save a new note.',
      );
    if (ground.offline) return null;
    const blob = ground.tip === null ? undefined : (await origin.find(ground.tip.commit, [path])).get(path);
    if (blob === undefined) return null;
    const bytes = (await origin.read([blob])).get(blob);
    if (bytes) return { blob, bytes };
    throw new MemoryError(
      'origin_unavailable',
      'The repository names the note but does not have its bytes: it is damaged. Nothing was saved.',
      'Run `git fsck` in it.',
    );
  }

  /** What goes into what stands there now; null, and answered, where that says all of it. */
  async function mergeChange(pending: Pending, ground: Ground, prepared: Prepared[]): Promise<Change | null> {
    const change = await merging.change(pending, ground, prepared);
    if (!('same' in change)) return change;
    const { path, blob } = change.same;
    const queued = ground.queue.findLast(({ document }) => document.path === path);
    if (!queued && ground.presumed) throw new Presumed();
    const status = queued ? (queued.entry.sent ? 'unknown' : 'queued') : 'already saved';
    const tip = queued ? null : (ground.tip ?? { commit: '' });
    pending.resolve(receiptFor(pending, path, blob, tip, status, queued ? 'behind' : 'saved', []));
    return null;
  }

  async function editChange(pending: Pending, ground: Ground): Promise<Change | null> {
    const { caller, draft } = pending;
    const edit = draft.edit as NonNullable<Draft['edit']>;
    // What could be sent has just been sent.
    if (!ground.offline && ground.queue.some(({ entry, document }) => !entry.sent && document.path === edit.path))
      throw new MemoryError(
        'refused',
        'The note to edit waits on this machine: the origin refuses it (memory_status says why). Nothing was saved.',
        'Save the text without what is refused as a new note.',
      );
    const standing = await standingAt(ground, caller, edit.path);
    if (standing === null && ground.offline)
      throw new MemoryError(
        'origin_unavailable',
        'The origin cannot be reached, and the note to edit is not at hand. Nothing was saved.',
        'Save it as a new note without `id`, or edit it when the origin is back.',
      );
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
    // Who may see it is said by the argument: what could not be given there is not to be had this way either.
    const kept = await withoutSecrets(pending, { ...before, ...sent.data, privacy: before.privacy });
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
    if (ground.presumed) throw new Presumed();
    const tip = ground.tip ?? { commit: '' };
    pending.resolve(receiptFor(pending, edit.path, current, tip, 'already saved', 'saved', []));
    return null;
  }

  const merging = createMerging({ origin, ask, standingAt, refuseLeftOut });

  return { prepare };
}

/** A note that is made, not changed. */
function newNote(draft: Draft, fields: NoteFields, commit: string | undefined): Uint8Array {
  if (!draft.checkpoint) return composeNote(fields, draft.body);
  const automatic = draft.checkpoint.automatic || undefined;
  return sealed(composeNote({ ...fields, commit, automatic }, draft.body));
}

/** The note that this save would have become as that document. */
function composedAs({ draft }: Pending, then: Document): Uint8Array {
  const { fields } = draft;
  // The same from another clone, which is no submodule there, or of another one.
  const parent = then.parent || undefined;
  const named = { parent, time: new Date(then.timeMs), author: then.author, client: then.client };
  return newNote(draft, { ...fields, privacy: fields.privacy ?? 'TEAM', ...named }, then.digest.checkpoint?.commit);
}

/** The same checkpoint once something else of its project waits behind it is another one: it has another point. */
function wentOn({ checkpoint }: Draft, queue: Waiting[], queued: Waiting): boolean {
  if (!checkpoint) return false;
  const later = queue.slice(queue.indexOf(queued) + 1);
  return later.some(({ document }) => document.project === queued.document.project);
}

/** The same in every field, or it is not the same save. */
function isSame(pending: Pending, document: Document, content: Uint8Array): boolean {
  const { caller, draft } = pending;
  if (document.author !== caller.subject || document.project !== draft.fields.project) return false;
  const same = Buffer.from(content).equals(composedAs(pending, document));
  if (!same && draft.fields.key && document.saveKey === draft.fields.key) throw keyTaken(document.id, document.blob);
  return same;
}

/** What the commit says of a prepared save. */
export function nameOf({ pending, change }: Prepared): Named {
  const { fields, edit, merge } = pending.draft;
  return {
    path: change.path,
    project: fields.project,
    title: fields.title,
    client: pending.caller.client,
    isNew: !edit && !merge,
  };
}
