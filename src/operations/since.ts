import type { Then } from '../core/as-of.js';
import type { Caller } from '../core/caller.js';
import { pointOf } from '../core/changes.js';
import type { Document } from '../core/documents.js';
import { MemoryError, toMemoryError } from '../core/errors.js';
import { cleanId } from '../core/input.js';
import { nobodyAnswers } from '../core/meanwhile.js';
import { readablePath, timeInName } from '../core/paths.js';
import type { Reading } from '../core/ports.js';
import type { Consistency } from '../core/reader.js';
import { BROKEN_SEAL } from '../core/seal.js';
import type { Context } from './operation.js';
import { noteNamed, unknownId } from './unknown-id.js';

/** The checkpoint that `since` names. */
export interface Checkpoint {
  id: string;
  path: string;
  /** Null where it is not there (any more). */
  project: string | null;
  /** The commit it was made on; empty where nobody knows: then its time has to do, and `note` says why. */
  commit: string;
  timeMs: number;
  note: string | null;
  /** It waits for the origin: what waits before it is older. */
  queued: boolean;
}

/** Null where `since` is a commit or a time. Throws `not_found` and `invalid_input` where it can only be an id and names no checkpoint. */
export async function checkpointNamed(
  since: string,
  consistency: Consistency | undefined,
  { services, caller }: Context,
): Promise<Checkpoint | null> {
  const given = since.trim();
  if (/^[0-9a-f]{7,64}$|^\d{4}-\d{2}-\d{2}(?:[T ].*)?$/i.test(given)) return null;
  if (given === '')
    throw new MemoryError(
      'invalid_input',
      '`since` is empty.',
      'Give a commit, a date or the id of a checkpoint, or leave it out for all of the context.',
    );
  const id = plainId(given);
  const held = await services.held.get(caller, id);
  const read = (reading: Reading) => checkpointIn(reading, caller, id);
  const document = held?.document ?? (await services.reader.read(caller, consistency, 'fast', read)).value;
  const namedMs = timeInName(id);
  if (document === null && namedMs === null) return null;
  if (document === null)
    return {
      ...{ id, path: `${id}.md`, project: null, commit: '', timeMs: namedMs as number, queued: false },
      note: 'there is no such checkpoint (any more): by the time in its name',
    };
  const changed = document.reason?.includes(BROKEN_SEAL) === true;
  if (document.kind !== 'checkpoint' && !changed)
    throw new MemoryError(
      'invalid_input',
      '`since` names a note that is no checkpoint.',
      'Give the id of a checkpoint (list_sessions kind=checkpoint), a commit or a date.',
    );
  const { path, project, timeMs, digest } = document;
  const point = { id: document.id, path, project, queued: held?.queued === true };
  // What is told in it is not to be believed.
  if (changed)
    return {
      ...{ ...point, commit: '', timeMs: namedMs ?? timeMs },
      note: 'that checkpoint was changed after it was made: by the time in its name',
    };
  const commit = digest.checkpoint?.commit ?? '';
  const note = commit === '' ? 'that checkpoint names no commit: by its time' : null;
  return { ...point, commit, timeMs, note };
}

/** As it was meant: without the marks that stood around it in an answer. */
function plainId(given: string): string {
  const bare = given.replace(/^[`'"]+|[`'"]+$/g, '');
  return cleanId(timeInName(bare) === null && !bare.startsWith('…') ? given : bare).replace(/\.md$/, '');
}

async function checkpointIn(reading: Reading, caller: Caller, id: string): Promise<Document | null> {
  const found = await noteNamed(reading, caller, id);
  if (found) return found;
  const ids = (await reading.ids(caller)).filter((each) => readablePath(each).startsWith('checkpoints/'));
  // `…ab12`, as answers call it, or in other letters.
  const end = id.startsWith('…') ? `-${id.slice(1)}` : `/${id}`;
  const meant = ids.filter((each) => `/${each}`.toLowerCase().endsWith(end.toLowerCase()));
  if (meant.length === 1) return reading.get(caller, meant[0] as string);
  if (timeInName(id) !== null || !(id.includes('/') || id.startsWith('…'))) return null;
  throw unknownId(id, ids, 'There is no checkpoint with this id.');
}

/** What the memory was when a checkpoint was made: by its commit, or where that cannot be had by its time, which is said. */
export async function pointOfCheckpoint(
  { commit, timeMs, note }: Checkpoint,
  consistency: Consistency,
  { services, caller }: Pick<Context, 'services' | 'caller'>,
): Promise<Then> {
  let why = note;
  if (commit !== '')
    try {
      return { ...(await pointOf(services.asOf, caller, commit, consistency)), timeMs };
    } catch (error) {
      const lost = toMemoryError(error).code === 'not_found';
      if (!lost && !nobodyAnswers(error)) throw error;
      why = lost
        ? 'the commit that checkpoint was made on is not in the history any more: by its time'
        : 'the origin cannot be asked for the commit of that checkpoint: by its time';
    }
  // Commits have whole seconds: what was committed in that one may have come after it.
  const before = new Date(Math.floor(timeMs / 1000) * 1000 - 1).toISOString();
  const then = await pointOf(services.asOf, caller, before, consistency);
  return { ...then, timeMs, note: [why, then.note].filter((each) => each !== null).join('; ') };
}

/** What waits is news, unless it waited already when the checkpoint was put behind it. */
export async function newerThan<T extends { document: Document; queued: boolean }>(
  checkpoint: Checkpoint | null,
  held: T[],
  { services }: Pick<Context, 'services'>,
): Promise<T[]> {
  if (checkpoint === null) return held;
  const queue = checkpoint.queued ? (await services.outbox.waiting()).map(({ document }) => document.path) : [];
  const at = queue.indexOf(checkpoint.path);
  return held.filter(({ document: { path, timeMs }, queued }) =>
    queued ? path !== checkpoint.path && queue.lastIndexOf(path) >= at : timeMs > checkpoint.timeMs,
  );
}
