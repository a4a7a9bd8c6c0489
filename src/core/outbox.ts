import { setTimeout as delay } from 'node:timers/promises';
import { type Caller, maySee } from './caller.js';
import {
  createDelivery,
  type Delivered,
  type DeliveryDependencies,
  type DeliveryOptions,
  documentOf,
} from './delivery.js';
import type { Document } from './documents.js';
import type { Prepared } from './draft.js';
import { explain, MemoryError, toMemoryError } from './errors.js';
import { matches } from './filter.js';
import type { Unconfirmed } from './format.js';
import { shortHash } from './hash.js';
import { LIMITS } from './limits.js';
import { reach } from './points.js';
import type { Filter, Mutex, OutboxEntry } from './ports.js';

/** The turn to save to an origin, as all processes of this machine name it. */
export const turnOf = (origin: string) => `save-${shortHash(origin)}`;

/** A queued save as a document. */
export interface Waiting {
  entry: OutboxEntry;
  document: Document;
}

export interface OutboxDependencies extends DeliveryDependencies {
  mutex: Mutex;
  /** For one try to deliver. */
  saveDeadlineMs: number;
  /** False: a save that the origin cannot take is an error, and nothing is kept. */
  enabled: boolean;
}

/**
 * Saves that wait for the origin, in the durable store: shown in answers as long as they wait, and delivered as soon as
 * it answers again.
 */
export function createOutbox(dependencies: OutboxDependencies) {
  const { origin, durable, mutex, log, enabled, saveDeadlineMs } = dependencies;
  const delivery = createDelivery(dependencies);
  const parsed = new Map<number, Waiting>();
  /** Why what waits could not be read the last time. */
  let unreadable: MemoryError | null = null;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let working: Promise<void> | undefined;
  let trying = false;
  let nudged = new AbortController();
  const ending = new AbortController();

  /** What waits, in order. A durable store that cannot be read has nothing to show. */
  async function waiting(): Promise<Waiting[]> {
    if (!enabled) return [];
    unreadable = null;
    const entries = await durable.queued(origin.name).catch((error) => {
      log.warn('outbox not read', { why: explain(error) });
      unreadable = toMemoryError(error);
      return [];
    });
    if (entries.length === 0) parsed.clear();
    // Whoever put it there may be gone.
    else start(LIMITS.outboxRetryMs);
    return entries.map((entry) => {
      const known = parsed.get(entry.entry) ?? { entry, document: documentOf(entry) };
      parsed.set(entry.entry, known);
      return { ...known, entry };
    });
  }

  /**
   * Keeps what could not be sent, or (`sent`) what was sent without an answer, and why. Throws where it cannot be kept.
   */
  async function keep(prepared: Prepared[], sent: boolean, why: MemoryError): Promise<void> {
    delivery.failedNow(why);
    const have = await durable.queued(origin.name);
    const bytes = [...have, ...prepared.map(({ change }) => change)].reduce(
      (sum, { content }) => sum + (content?.length ?? 0),
      0,
    );
    const count = have.length + prepared.length;
    if (count > LIMITS.outboxEntries || bytes > LIMITS.outboxBytes) {
      throw new MemoryError(
        'refused',
        `The origin cannot be reached and ${have.length} saves wait for it already: no more are kept.`,
        'Bring the connection back (memory_status says what is wrong), then save again.',
      );
    }
    await durable.queue(
      origin.name,
      prepared.map(({ pending, change }) => ({
        saveId: pending.saveId,
        path: change.path,
        content: change.content as Uint8Array,
        expect: change.expect ?? null,
        subject: pending.caller.subject,
        client: pending.caller.client,
        queuedAtMs: Date.now(),
        sent,
        lastError: why.message,
      })),
    );
    reach('outbox:after-keep');
    if (count > LIMITS.outboxAlert) log.error('many saves wait for the origin', { waiting: count });
    start(LIMITS.outboxRetryMs);
  }

  /** Delivers in the background until nothing waits; the first try after so long. */
  function start(firstMs: number): void {
    if (!enabled || ending.signal.aborted || working) return;
    nudged = new AbortController();
    working = work(firstMs).finally(() => {
      working = undefined;
    });
  }

  async function work(firstMs: number): Promise<void> {
    const signal = () => AbortSignal.any([ending.signal, nudged.signal]);
    let waitMs = firstMs;
    for (let nextMs: number = LIMITS.outboxRetryMs; !ending.signal.aborted; ) {
      if ((await waiting()).length === 0) return;
      if (waitMs > 0)
        await delay(waitMs * (0.75 + Math.random() / 2), undefined, { signal: signal(), ref: false }).catch(() => {});
      // Whoever asks the origin often must not make us try as often.
      if (nudged.signal.aborted)
        await delay(LIMITS.outboxNudgeMs, undefined, { signal: ending.signal, ref: false }).catch(() => {});
      if (ending.signal.aborted) return;
      await attempt();
      // That the origin answered this very attempt is no news.
      nudged = new AbortController();
      waitMs = nextMs;
      nextMs = Math.min(nextMs * 2, LIMITS.outboxRetryMostMs);
    }
  }

  async function attempt(): Promise<void> {
    trying = true;
    let release: (() => void) | null = null;
    try {
      // Nobody has to wait for the turn of one who only finds out that the origin is still gone.
      await origin.head();
      release = await mutex.acquire(turnOf(origin.name), LIMITS.saveTurnMs, ending.signal);
      if (!ending.signal.aborted)
        await delivery.deliver({ deadlineAt: performance.now() + saveDeadlineMs, retry: true });
    } catch (error) {
      log.warn('saves still wait for the origin', { why: explain(error) });
    } finally {
      trying = false;
      release?.();
    }
  }

  const seen = (caller: Caller, all: Waiting[]) => all.filter(({ document }) => maySee(caller, document));

  return {
    enabled,
    waiting,
    keep,
    accepted: delivery.accepted,

    /** The origin was just tried in vain: a save need neither wait for its turn nor find out again. */
    paused: (): boolean => enabled && (delivery.paused() || (trying && delivery.failing())),

    /** Sends what waits; whoever calls holds the turn to save. Throws what keeps all of it from the origin. */
    deliver: async (options: DeliveryOptions): Promise<Delivered> =>
      enabled ? delivery.deliver(options) : { delivered: 0, refusal: null },

    /** The origin has answered: what waits is sent now. */
    nudge(): void {
      if (!enabled) return;
      nudged.abort();
      // Another process may have left something behind when it ended.
      if (working || performance.now() - lookedAt < LIMITS.outboxLookMs) return;
      lookedAt = performance.now();
      start(0);
    },

    /** Delivers what an earlier process left behind, though nobody asks for anything. */
    resume: (): void => start(0),

    /** What is not at the origin, in numbers, and what the origin last said of it. */
    async unconfirmed(): Promise<Unconfirmed> {
      const all = await waiting();
      const conflicts = enabled ? await durable.conflicts(origin.name).catch(() => []) : [];
      const queues = await durable.queues().catch(() => []);
      const elsewhere = queues.reduce((sum, { origin: name, count }) => sum + (name === origin.name ? 0 : count), 0);
      const unknown = all.filter(({ entry }) => entry.sent).length;
      const why = all.find(({ entry }) => entry.lastError !== null)?.entry.lastError ?? '';
      const counts = { queued: all.length - unknown, unknown, conflicts: conflicts.length, elsewhere };
      return { ...counts, why: unreadable?.message ?? why, unreadable: unreadable !== null };
    },

    /** Gives a save up for good; waits for a delivery that is under way. Throws where it is not there any more. */
    async drop(name: string, entry: number): Promise<OutboxEntry> {
      const release = await mutex.acquire(turnOf(name), LIMITS.saveTurnMs);
      if (release === null)
        throw new MemoryError(
          'deadline',
          'Saves are being sent just now. Nothing was dropped.',
          'Try again in a moment.',
        );
      try {
        const found = (await durable.queued(name)).find((each) => each.entry === entry);
        if (!found)
          throw new MemoryError('not_found', 'No save with that number waits.', 'Run outbox for all of them.');
        await durable.settled([entry]);
        return found;
      } finally {
        release();
      }
    },

    /** Takes over what waits for another origin: a branch or repository that goes by another name now. */
    take: (name: string): Promise<number> => durable.requeue(name, origin.name),

    /** The newest queued state of each document that the caller may see. */
    async documents(caller: Caller, filter: Filter): Promise<Waiting[]> {
      const newest = new Map(seen(caller, await waiting()).map((each) => [each.document.path, each]));
      return [...newest.values()].filter(({ document }) => matches(document, filter)).reverse();
    },

    async get(caller: Caller, id: string): Promise<Waiting | null> {
      return (
        seen(caller, await waiting()).findLast(
          ({ document }) => document.id === id || document.id.endsWith(`/${id}`),
        ) ?? null
      );
    },

    async close(): Promise<void> {
      ending.abort();
      await working;
    },
  };
}

export type Outbox = ReturnType<typeof createOutbox>;
