import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Caller } from './caller.js';
import type { Delivered } from './delivery.js';
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
import { createLanding, type Patience } from './landing.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import { commitMessage, newestPointers } from './message.js';
import { type Outbox, turnOf } from './outbox.js';
import { reach } from './points.js';
import type { Durable, Mirror, Mutex, Origin, Tip } from './ports.js';
import { createPreparer, nameOf, Presumed } from './prepare.js';
import type { Redactions } from './redact.js';
import { NO_SHELF, type Shelf } from './shelf.js';
import type { Sync } from './sync.js';
import { within } from './within.js';

export interface WriterDependencies {
  origin: Origin;
  mirror: Mirror;
  durable: Durable;
  mutex: Mutex;
  sync: Sync;
  outbox: Outbox;
  saveDeadlineMs: number;
  mirrorDeadlineMs: number;
  /** Default: no cache. */
  shelf?: Shelf;
  log: Log;
}

/** Sent, and nobody can say what became of it. */
class Unsettled extends Error {
  readonly sent: Prepared[];

  constructor(sent: Prepared[], cause: MemoryError) {
    super('unsettled', { cause });
    this.sent = sent;
  }
}

/**
 * Saves: origin first. Doubt in the mirror, then one commit for all that is waiting, then the mirror. Only a commit
 * makes a save; the mirror failing is a warning on the receipt.
 */
export function createWriter(dependencies: WriterDependencies) {
  const { origin, mirror, durable, mutex, sync, outbox, saveDeadlineMs, mirrorDeadlineMs, log } = dependencies;
  const { shelf = NO_SHELF } = dependencies;
  let waiting: Pending[] = [];
  let working: Promise<void> | undefined;
  const preparer = createPreparer({ origin, mirror, sync });
  const healer = createHealer({ mirror, sync, log, healed: () => shelf.settled() });
  const landing = createLanding({ origin, mirror, durable, sync, healer, shelf, log });
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
      const status = receipt?.status === 'saved' ? 'already saved' : receipt?.status;
      if (receipt && status) return { ...receipt, status, tookMs: performance.now() - startedAt };
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
        merged: false,
        deadlineAt: startedAt + saveDeadlineMs,
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
      const release = outbox.paused() ? null : await turn();
      try {
        await settleGroup(takeGroup());
      } finally {
        release?.();
      }
    }
    // In the same turn as the last look at what waits: a save that came in between would wait for ever.
    working = undefined;
  }

  /** To save one after the other, over all processes of this machine; null where it takes too long. */
  function turn(): Promise<(() => void) | null> {
    const waitMs = Math.min(LIMITS.saveTurnMs, saveDeadlineMs / 2);
    return mutex.acquire(turnOf(origin.name), waitMs).catch(() => null);
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
      const sent = error instanceof Unsettled ? error.sent : [];
      const known = toMemoryError(error instanceof Unsettled ? error.cause : error);
      // Those that were put back to wait for their turn are not part of this failure.
      const failed = live.filter((each) => !each.answered && !waiting.includes(each));
      const reachable = sent.length === 0 && known.code !== 'origin_unavailable' && known.code !== 'deadline';
      if (failed.length > 1 && reachable) {
        for (const each of failed) await settleGroup([each]);
        return;
      }
      // A group has the time of its oldest save; the others still have theirs.
      const now = performance.now();
      const young = known.code === 'deadline' ? failed.filter((each) => each.deadlineAt > now) : [];
      const mayWait = young.length < failed.length;
      if (mayWait) waiting = [...young, ...waiting];
      const over = mayWait ? failed.filter((each) => !young.includes(each)) : failed;
      log.warn('save failed', { why: explain(error), saves: over.length });
      // What the schedule makes is made anew when the origin answers: nobody has to wait for it, or be told of it.
      for (const each of over)
        if (each.draft.checkpoint?.automatic) each.reject(sent.length > 0 ? unknownOutcome(sent, known) : known);
      if (outbox.enabled && !reachable) await keepInOutbox(over, sent, known);
      else for (const each of over) each.reject(sent.length > 0 ? unknownOutcome(sent, known) : known);
    }
  }

  /** What the origin did not take, or did not say that it took, waits on this machine. */
  async function keepInOutbox(group: Pending[], sent: Prepared[], why: MemoryError): Promise<void> {
    const keep = async (prepared: Prepared[], status: 'queued' | 'unknown') => {
      if (prepared.length === 0) return;
      await outbox.keep(prepared, status === 'unknown', why);
      for (const { pending, change } of prepared) {
        const blob = objectId('blob', change.content as Uint8Array, 'sha1');
        pending.resolve(receiptFor(pending, change.path, blob, null, status, 'behind', [why.message]));
      }
    };
    try {
      await keep(
        sent.filter(({ pending }) => !pending.answered),
        'unknown',
      );
      for (let open = group.filter((each) => !each.answered); open.length > 0; ) {
        const ground = { tip: null, atHead: false, presumed: false, offline: true, queue: await outbox.waiting() };
        const { prepared, later } = await preparer.prepare(open, ground);
        await keep(prepared, 'queued');
        open = later;
      }
    } catch (error) {
      const failure = toMemoryError(error);
      const kept = `It could not be kept on this machine${failure.code === 'refused' ? '' : ' either'}: ${failure.message}`;
      const both = new MemoryError(why.code, `${why.message} ${kept} Nothing was saved.`, failure.hint, error);
      const lost = sent.filter(({ pending }) => !pending.answered);
      const maybe = new MemoryError(why.code, `${why.message} ${kept}`, failure.hint, error);
      for (const { pending } of lost) pending.reject(unknownOutcome(lost, maybe));
      for (const each of group.filter((one) => !one.answered)) each.reject(both);
    }
  }

  async function commitGroup(group: Pending[]): Promise<void> {
    const warnings: string[] = [];
    const deadlineAt = Math.min(...group.map((each) => each.deadlineAt));
    await lookAtDurable(warnings);
    // In order: what waits goes first.
    await outbox.deliver({ deadlineAt });
    reach('save:before-doubt');
    const doubted = await placeDoubts(group, deadlineAt, warnings);
    reach('save:after-doubt');
    // For all that this group waits for the mirror in vain, however often it has to try.
    const patience = { leftMs: mirrorDeadlineMs };
    try {
      for (let attempt = 0; attempt < LIMITS.saveAttempts; attempt++) {
        if (performance.now() > deadlineAt) break;
        // From before the head is asked for: what the commit then proves is at least as new.
        const beforeMs = doubted ? await mirror.clock().catch(() => null) : null;
        const { tip, generation, presumed } = await standOn(doubted, attempt === 0, patience);
        const atHead = generation !== null;
        const queue = await outbox.waiting();
        const ready = await preparer
          .prepare(group, { tip, atHead, presumed, offline: false, queue })
          .catch((error: unknown) => {
            if (error instanceof Presumed) return null;
            throw error;
          });
        if (ready === null) continue;
        const { prepared, later } = ready;
        waiting.push(...later);
        group = group.filter((each) => !later.includes(each));
        if (prepared.length === 0) {
          if (doubted) await mirror.settle(group.map((each) => each.saveId)).catch(() => healer.heal());
          return;
        }
        const named = prepared.map(nameOf);
        const sentAtMs = performance.now();
        const result = await origin.commit({
          changes: [...prepared.map(({ change }) => change), ...(await newestPointers(atHead ? mirror : null, named))],
          expected: tip?.commit ?? null,
          message: commitMessage(named),
          authorName: prepared[0]?.pending.caller.subject ?? '',
          deadlineAt,
        });
        if (result.outcome === 'unknown') throw new Unsettled(prepared, result.cause);
        if (result.outcome === 'committed') {
          reach('save:after-commit');
          outbox.accepted();
          const place = { group, prepared, result, sentAtMs, beforeMs, generation, doubted, patience };
          await landing.place(result.direct ? place : { ...place, beforeMs: null, generation: null }, warnings);
          return;
        }
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
      // What may have been sent stays in doubt until its deadline.
      if (doubted && !(error instanceof Unsettled))
        await mirror.settle(group.map((each) => each.saveId)).catch(() => {});
      throw error;
    }
  }

  /**
   * The head to build on, and the generation at which the mirror stands there (null where it does not). An origin far
   * away is not asked first: where the mirror was lately at the head, the commit itself tells whether it still is.
   */
  async function standOn(
    doubted: boolean,
    first: boolean,
    patience: Patience,
  ): Promise<{ tip: Tip | null; generation: number | null; presumed: boolean }> {
    if (doubted && first && origin.remote && !healer.behind()) {
      const state = await mirror.snapshot((view) => view.state()).catch(() => null);
      const ageMs = state?.confirmedAtMs == null ? Number.NaN : state.nowMs - state.confirmedAtMs;
      if (state?.head?.commit && ageMs >= 0 && ageMs < LIMITS.presumedHeadMs)
        return { tip: state.head, generation: state.generation, presumed: true };
    }
    const tip = await origin.head();
    return { tip, generation: doubted ? await catchUp(tip, patience) : null, presumed: false };
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
  async function catchUp(head: Tip | null, patience: Patience): Promise<number | null> {
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

  return {
    save,
    /** Waits for what is under way. */
    async close(): Promise<void> {
      await working;
      await healer.close();
    },
    /** Sends what waits for the origin, in turn with saves. Throws what keeps all of it. */
    async deliver(): Promise<Delivered> {
      const release = await turn();
      try {
        return await outbox.deliver({ retry: true, all: true, deadlineAt: performance.now() + saveDeadlineMs });
      } finally {
        release?.();
      }
    },
    /** The mirror may lack a save of this process, and nothing in it says so. */
    behind: healer.behind,
  };
}

export type Writer = ReturnType<typeof createWriter>;
