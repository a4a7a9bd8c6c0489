import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Caller } from './caller.js';
import {
  cancelled,
  type Draft,
  type Pending,
  type Prepared,
  type Receipt,
  receiptFor,
  redactDraft,
  staleEdit,
  unknownOutcome,
} from './draft.js';
import { explain, MemoryError, toMemoryError } from './errors.js';
import { objectId, shortHash } from './hash.js';
import { createHealer } from './healer.js';
import { indexDocument } from './index-document.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import { reach } from './points.js';
import type { CommitResult, Durable, Head, Mirror, Mutex, Origin } from './ports.js';
import { createPreparer, messageOf } from './prepare.js';
import type { Redactions } from './redact.js';
import type { Sync } from './sync.js';
import { within } from './within.js';

export interface WriterDependencies {
  origin: Origin;
  mirror: Mirror;
  durable: Durable;
  mutex: Mutex;
  sync: Sync;
  log: Log;
}

type Committed = Extract<CommitResult, { outcome: 'committed' }>;

/** A commit that stands at the origin and is not in the mirror yet. */
interface Landed {
  group: Pending[];
  prepared: Prepared[];
  result: Committed;
  /** The database's clock from before the commit's parent was asked for. */
  beforeMs: number | null;
  /** Where the mirror stood at the parent before the commit was sent. */
  generation: number | null;
  /** The mirror knows of these saves. */
  doubted: boolean;
  patience: Patience;
}

interface Patience {
  leftMs: number;
}

/**
 * Saves: origin first. Doubt in the mirror, then one commit for all that is waiting, then the mirror. Only a commit
 * makes a save; the mirror failing is a warning on the receipt.
 */
export function createWriter({ origin, mirror, durable, mutex, sync, log }: WriterDependencies) {
  let waiting: Pending[] = [];
  let working: Promise<void> | undefined;
  const preparer = createPreparer({ origin, mirror, sync });
  const healer = createHealer({ mirror, sync, log });
  const inFlight = new Map<string, Promise<Receipt>>();

  async function save(caller: Caller, draft: Draft, signal?: AbortSignal): Promise<Receipt> {
    const startedAt = performance.now();
    const { clean, redactions } = await redactDraft(draft);
    // The same save twice at once is one save: the same in every field.
    const twin = shortHash(JSON.stringify([caller.subject, clean]), 32);
    for (let known = inFlight.get(twin); known; known = inFlight.get(twin)) {
      const receipt = await known.catch((error) => {
        if (toMemoryError(error).code !== 'cancelled') throw error;
      });
      if (receipt) return { ...receipt, status: 'already saved', tookMs: performance.now() - startedAt };
      // That it was cancelled is the other caller's wish, not this one's.
      if (inFlight.get(twin) === known) inFlight.delete(twin);
    }
    const receipt = enqueue(caller, clean, redactions, startedAt, signal).then((each) => ({
      ...each,
      tookMs: performance.now() - startedAt,
    }));
    inFlight.set(twin, receipt);
    try {
      return await receipt;
    } finally {
      if (inFlight.get(twin) === receipt) inFlight.delete(twin);
    }
  }

  function enqueue(
    caller: Caller,
    draft: Draft,
    redactions: Redactions,
    startedAt: number,
    signal?: AbortSignal,
  ): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        saveId: randomUUID(),
        caller,
        draft,
        redactions,
        keptRedactions: {},
        deadlineAt: startedAt + LIMITS.saveDeadlineMs,
        signal,
        answered: false,
        resolve(receipt) {
          pending.answered = true;
          resolve(receipt);
        },
        reject(error) {
          pending.answered = true;
          reject(error);
        },
      };
      waiting.push(pending);
      working ??= work();
    });
  }

  /** Takes whatever waits, together, until nothing does. */
  async function work(): Promise<void> {
    // One turn of the event loop, so that calls which arrived together share the first commit too.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const release = await mutex.acquire(`save-${shortHash(origin.name)}`, LIMITS.saveTurnMs).catch(() => null);
      try {
        await settleGroup(takeGroup());
      } finally {
        release?.();
      }
    }
    // In the same turn as the last look at what waits: a save that came in between would wait for ever.
    working = undefined;
  }

  function takeGroup(): Pending[] {
    let bytes = 0;
    let count = 0;
    for (const each of waiting) {
      bytes += each.draft.body.length;
      if (count > 0 && (count >= LIMITS.groupSaves || bytes > LIMITS.groupBytes)) break;
      count++;
    }
    const group = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return group;
  }

  /** Every save of the group ends answered. A refusal for good splits it, so that one bad save fails alone. */
  async function settleGroup(group: Pending[]): Promise<void> {
    const live = group.filter((each) => {
      if (!each.answered && each.signal?.aborted) each.reject(cancelled());
      return !each.answered;
    });
    if (live.length === 0) return;
    try {
      await commitGroup(live);
    } catch (error) {
      const known = toMemoryError(error);
      // Those that were put back to wait for their turn are not part of this failure.
      const failed = live.filter((each) => !each.answered && !waiting.includes(each));
      if (failed.length > 1 && known.code !== 'origin_unavailable' && known.code !== 'deadline') {
        for (const each of failed) await settleGroup([each]);
        return;
      }
      // A group has the time of its oldest save; the others still have theirs.
      const now = performance.now();
      const young = known.code === 'deadline' ? failed.filter((each) => each.deadlineAt > now) : [];
      if (young.length < failed.length) waiting = [...young, ...waiting];
      const over = young.length < failed.length ? failed.filter((each) => !young.includes(each)) : failed;
      log.warn('save failed', { why: explain(error), saves: over.length });
      for (const each of over) each.reject(known);
    }
  }

  async function commitGroup(group: Pending[]): Promise<void> {
    const warnings: string[] = [];
    const deadlineAt = Math.min(...group.map((each) => each.deadlineAt));
    await lookAtDurable(warnings);
    reach('save:before-doubt');
    const doubted = await placeDoubts(group, deadlineAt, warnings);
    reach('save:after-doubt');
    let sent: Prepared[] | null = null;
    // For all that this group waits for the mirror in vain, however often it has to try.
    const patience = { leftMs: LIMITS.mirrorWriteMs };
    try {
      for (let attempt = 0; attempt < LIMITS.saveAttempts; attempt++) {
        if (performance.now() > deadlineAt) break;
        // From before the head is asked for: what the commit then proves is at least as new.
        const beforeMs = doubted ? await mirror.clock().catch(() => null) : null;
        const head = await origin.head();
        const generation = doubted ? await catchUp(head, patience) : null;
        const atHead = generation !== null;
        const { prepared, later } = await preparer.prepare(group, head, atHead);
        waiting.push(...later);
        group = group.filter((each) => !later.includes(each));
        if (prepared.length === 0) {
          if (doubted) await mirror.settle(group.map((each) => each.saveId)).catch(() => healer.heal());
          return;
        }
        const changes = [...prepared.map((each) => each.change), ...(await preparer.pointers(prepared, atHead))];
        sent = prepared;
        const result = await origin.commit({
          changes,
          expected: head?.commit ?? null,
          message: messageOf(prepared),
          authorName: prepared[0]?.pending.caller.subject ?? '',
          deadlineAt,
        });
        if (result.outcome === 'committed') {
          reach('save:after-commit');
          await placeInMirror({ group, prepared, result, beforeMs, generation, doubted, patience }, warnings);
          return;
        }
        sent = null;
        if (result.outcome === 'conflict') group = dropConflicting(group, prepared, result);
        else await delay(Math.random() * Math.min(5 * 2 ** Math.min(attempt, 6), 200));
        // Those that were answered on the way are not sent with the next try: their doubts go now.
        const answered = group.filter((each) => each.answered).map((each) => each.saveId);
        if (doubted && answered.length > 0) await mirror.settle(answered).catch(() => healer.heal());
        group = group.filter((each) => !each.answered);
        if (group.length === 0) return;
      }
      throw new MemoryError(
        'deadline',
        'The branch kept moving, or nobody let go of it, until the save ran out of time. Nothing was saved.',
        'Save again.',
      );
    } catch (error) {
      const { code } = toMemoryError(error);
      if (sent === null || code === 'refused' || code === 'deadline') {
        if (doubted) await mirror.settle(group.map((each) => each.saveId)).catch(() => {});
        throw error;
      }
      // Sent, and the answer was lost: our blobs at the head tell.
      const result = await landed(sent);
      if (result)
        await placeInMirror(
          { group, prepared: sent, result, beforeMs: null, generation: null, doubted, patience },
          warnings,
        );
      else throw unknownOutcome(sent, error);
    }
  }

  /** The head, where it holds what was sent; null where it does not, or cannot be asked. */
  async function landed(sent: Prepared[]): Promise<Committed | null> {
    try {
      const head = await origin.head();
      if (head === null) return null;
      const algorithm = head.commit.length === 64 ? 'sha256' : 'sha1';
      const paths = sent.map(({ change }) => change.path);
      const found = await origin.find(head.commit, paths);
      const blobs = new Map(
        sent.map(({ change }) => [change.path, objectId('blob', change.content as Uint8Array, algorithm)]),
      );
      return paths.every((path) => found.get(path) === blobs.get(path)) ? { outcome: 'committed', head, blobs } : null;
    } catch {
      return null;
    }
  }

  /** A durable store that fails is a warning; one that a newer program has written is not to be gone past. */
  async function lookAtDurable(warnings: string[]): Promise<void> {
    try {
      await durable.describe();
    } catch (error) {
      const known = toMemoryError(error);
      if (known.code === 'newer_schema') throw known;
      warnings.push(`durable store: ${known.message}`);
    }
  }

  /** True where the mirror took the doubts; a mirror that fails is no reason not to save. */
  async function placeDoubts(group: Pending[], deadlineAt: number, warnings: string[]): Promise<boolean> {
    try {
      // What was sent in the last moment, by a process that dies then, still needs some time to arrive or not.
      const deadlineMs = (await mirror.clock()) + (deadlineAt - performance.now()) + LIMITS.doubtGraceMs;
      await mirror.doubt(group.map(({ saveId }) => ({ saveId, deadlineMs })));
      return true;
    } catch (error) {
      const known = toMemoryError(error);
      if (known.code === 'newer_schema') throw known;
      warnings.push(`mirror: ${known.message}`);
      return false;
    }
  }

  /** The generation at which the mirror stands at `head`, after bringing it there if need be; null where it does not. */
  async function catchUp(head: Head | null, patience: Patience): Promise<number | null> {
    const startedAt = performance.now();
    try {
      for (const synced of [false, true]) {
        const state = await mirror.snapshot((view) => view.state());
        if (state.head?.commit === (head?.commit ?? '')) return state.generation;
        // A long first sync goes on by itself: the origin comes first.
        if (!synced) await within(patience.leftMs, sync.run({ reason: 'before a save' }));
      }
    } catch (error) {
      log.warn('mirror not at the head before a save', { why: explain(error) });
      patience.leftMs = Math.max(1, patience.leftMs - (performance.now() - startedAt));
    }
    return null;
  }

  /** A new note whose random name was taken is simply named again; an edit that came too late is answered. */
  function dropConflicting(
    group: Pending[],
    prepared: Prepared[],
    conflict: { path: string; current: string | null },
  ): Pending[] {
    const hit = prepared.find((each) => each.change.path === conflict.path)?.pending;
    if (!hit?.draft.edit) return group;
    hit.reject(staleEdit(hit.draft.edit.id, conflict.current));
    void mirror.settle([hit.saveId]).catch(() => {});
    return group.filter((each) => each !== hit);
  }

  async function placeInMirror(commit: Landed, warnings: string[]): Promise<void> {
    const { group, prepared, result, doubted } = commit;
    let placed = false;
    try {
      reach('save:before-apply');
      placed = await applyStep(commit);
      // A mirror that could not take the doubt has had its time: nobody waits for it once more.
      if (!placed && !doubted) healer.heal();
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
      healer.heal();
    }
    for (const { pending, change } of prepared) {
      pending.resolve(
        receiptFor(
          pending,
          change.path,
          result.blobs.get(change.path) ?? '',
          result.head,
          'saved',
          placed ? 'saved' : 'behind',
          warnings,
        ),
      );
    }
    for (const { pending, change } of prepared) {
      const { subject, client } = pending.caller;
      void durable
        .audit({
          origin: origin.name,
          subject,
          client,
          action: pending.draft.edit || pending.draft.record ? 'edit' : 'save',
          target: change.path,
        })
        .catch((error) => log.warn('audit row not written', { why: explain(error) }));
    }
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

  return {
    save,
    /** Waits for what is under way. */
    async close(): Promise<void> {
      await working;
      await healer.close();
    },
    /** The mirror may lack a save of this process, and nothing in it says so. */
    behind: healer.behind,
  };
}

export type Writer = ReturnType<typeof createWriter>;
