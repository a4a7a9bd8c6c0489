import type { Pending, Prepared } from './draft.js';
import { receiptFor } from './draft.js';
import { explain, toMemoryError } from './errors.js';
import type { Healer } from './healer.js';
import { indexDocument } from './index-document.js';
import type { Log } from './log.js';
import { reach } from './points.js';
import type { CommitResult, Durable, Mirror, Origin } from './ports.js';
import type { Shelf } from './shelf.js';
import type { Sync } from './sync.js';
import { within } from './within.js';

/** How long a group of saves may still wait for the mirror. */
export interface Patience {
  leftMs: number;
}

/** A commit that stands at the origin and is not in the mirror yet. */
export interface Landed {
  group: Pending[];
  prepared: Prepared[];
  result: Extract<CommitResult, { outcome: 'committed' }>;
  /** Before it was sent, by `performance.now()`. */
  sentAtMs: number;
  /** The database's clock from before the commit's parent was asked for. */
  beforeMs: number | null;
  /** Where the mirror stood at the parent before the commit was sent. */
  generation: number | null;
  /** The mirror knows of these saves. */
  doubted: boolean;
  patience: Patience;
}

export interface LandingDependencies {
  origin: Origin;
  mirror: Mirror;
  durable: Durable;
  sync: Sync;
  healer: Healer;
  shelf: Shelf;
  log: Log;
}

/** After the commit: the mirror, the receipts, the audit. Nothing here can cost a save any more. */
export function createLanding({ origin, mirror, durable, sync, healer, shelf, log }: LandingDependencies) {
  async function place(commit: Landed, warnings: string[]): Promise<void> {
    const { group, prepared, result, doubted } = commit;
    let placed = false;
    let applied = false;
    let heal = false;
    try {
      reach('save:before-apply');
      applied = await applyStep(commit);
      placed = applied;
      // A mirror that could not take the doubt has had its time: nobody waits for it once more.
      if (!placed && !doubted) heal = true;
      else if (!placed) {
        // Somebody else's step lies between: the trees tell.
        await within(commit.patience.leftMs, sync.run({ reason: 'after a save' }));
        placed = true;
        await mirror.settle(group.map((each) => each.saveId));
      }
      reach('save:after-apply');
    } catch (error) {
      warnings.push(
        `mirror: ${toMemoryError(error).message} The note is safe at the origin; the next read brings the mirror up to date.`,
      );
      heal = true;
    }
    reach('save:before-cache');
    await shelve(commit, placed, applied, warnings);
    reach('save:after-cache');
    if (heal) healer.heal();
    const mirrored = placed ? 'saved' : 'behind';
    for (const { pending, change } of prepared) {
      const blob = result.blobs.get(change.path) ?? '';
      pending.resolve(receiptFor(pending, change.path, blob, result.head, 'saved', mirrored, warnings));
    }
    for (const { pending, change } of prepared) {
      const { subject, client } = pending.caller;
      const action = pending.draft.edit || pending.draft.merge ? 'edit' : 'save';
      void durable
        .audit({ origin: origin.name, subject, client, action, target: change.path })
        .catch((error) => log.warn('audit row not written', { why: explain(error) }));
    }
  }

  /** Into the cache: what the mirror has, so that it is near; what it has not, so that others can see it meanwhile. */
  async function shelve(
    { prepared, result, generation, sentAtMs }: Landed,
    placed: boolean,
    applied: boolean,
    warnings: string[],
  ): Promise<void> {
    if (!shelf.on) return;
    const { commit } = result.head;
    if (placed) shelf.caughtUp(sentAtMs);
    // Where a sync brought it there, the next read says where the mirror stands.
    if (placed && !applied) return;
    const stand = applied && generation !== null ? { commit, generation: generation + 1 } : null;
    const notes = prepared.map(({ change }) => ({
      path: change.path,
      blob: result.blobs.get(change.path) ?? '',
      content: change.content as Uint8Array,
    }));
    if (await shelf.saved(notes, commit, stand)) return;
    const why = shelf.failure();
    // A cache that is not connected yet has not failed; the mirror has the note.
    if (stand === null || why !== null)
      warnings.push(`cache: ${why ?? 'It is not connected yet.'} The note is safe at the origin.`);
  }

  /** False where the mirror did not stand at the commit's parent from before it was sent until now. */
  async function applyStep({ group, prepared, result, beforeMs, generation }: Landed): Promise<boolean> {
    if (generation === null) return false;
    const documents = prepared.map(({ change }) => {
      const content = change.content as Uint8Array;
      return indexDocument({
        path: change.path,
        blob: result.blobs.get(change.path) ?? '',
        type: 'file',
        bytes: content.length,
        content,
        changedMs: Date.now(),
      });
    });
    return mirror.apply({
      expectedGeneration: generation,
      head: result.head,
      documents,
      live: documents.map(({ path, blob }) => ({ path, blob })),
      gone: [],
      settles: group.map((each) => each.saveId),
      confirmedAtMs: beforeMs,
      inside: () => reach('save:inside-apply'),
    });
  }

  return { place };
}
