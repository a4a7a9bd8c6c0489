import { setTimeout as delay } from 'node:timers/promises';
import { type Caller, maySee } from './caller.js';
import { type Document, parseDocument } from './documents.js';
import type { Prepared } from './draft.js';
import { explain, MemoryError, toMemoryError } from './errors.js';
import { matches } from './filter.js';
import type { Unconfirmed } from './format.js';
import { objectId, shortHash } from './hash.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import { commitMessage, type Named, newestPointers } from './message.js';
import { reach } from './points.js';
import type { Change, Durable, Filter, Mirror, Mutex, Origin, OutboxEntry, Tip } from './ports.js';
import type { Sync } from './sync.js';

/** A queued save as a document. */
export interface Waiting {
  entry: OutboxEntry;
  document: Document;
}

export interface OutboxDependencies {
  origin: Origin;
  mirror: Mirror;
  durable: Durable;
  mutex: Mutex;
  sync: Sync;
  log: Log;
  /** False: a save that the origin cannot take is an error, and nothing is kept. */
  enabled: boolean;
}

/**
 * Saves that wait for the origin, in the durable store: delivered in order and exactly once when it answers again. A
 * save that may have reached it is looked for in its path's history at the very head that the next try builds on, so
 * that git's compare-and-swap settles the rest.
 */
export function createOutbox({ origin, mirror, durable, mutex, sync, log, enabled }: OutboxDependencies) {
  const parsed = new Map<number, Waiting>();
  let failure: { error: MemoryError; at: number } | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let working: Promise<void> | undefined;
  let nudged = new AbortController();
  const ending = new AbortController();

  /** What waits, in order. A durable store that cannot be read has nothing to show. */
  async function waiting(): Promise<Waiting[]> {
    if (!enabled) return [];
    const entries = await durable.queued(origin.name).catch((error) => {
      log.warn('outbox not read', { why: explain(error) });
      return [];
    });
    if (entries.length === 0) parsed.clear();
    return entries.map((entry) => {
      const known = parsed.get(entry.entry) ?? { entry, document: documentOf(entry) };
      parsed.set(entry.entry, known);
      return { ...known, entry };
    });
  }

  /** Keeps what could not be sent, or what was sent without an answer. Throws where it cannot be kept. */
  async function keep(prepared: Prepared[], sent: boolean): Promise<void> {
    const have = await durable.queued(origin.name);
    if (have.length + prepared.length > LIMITS.outboxEntries) {
      throw new MemoryError(
        'refused',
        `The origin cannot be reached and ${have.length} saves wait for it already. Nothing was saved.`,
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
      })),
    );
    reach('outbox:after-keep');
    if (have.length + prepared.length > LIMITS.outboxAlert)
      log.error('many saves wait for the origin', { waiting: have.length + prepared.length });
    start();
  }

  /**
   * Sends what waits; whoever calls holds the turn to save. Returns how many are at the origin now that were not known
   * to be. Throws what keeps them from it; at once where it has just been tried in vain, unless `anyway`.
   */
  async function deliver(anyway = false): Promise<number> {
    if (!enabled) return 0;
    let delivered = 0;
    let refusals = 0;
    const passed = new Set<number>();
    for (let attempt = 0; attempt < LIMITS.saveAttempts; attempt++) {
      const all = await durable.queued(origin.name);
      const entries = groupOf(all.filter((each) => !passed.has(each.entry)));
      if (entries.length === 0) return delivered;
      if (!anyway && failure && performance.now() - failure.at < LIMITS.outboxPauseMs) throw failure.error;
      try {
        const done = await deliverGroup(refusals > 0 ? entries.slice(0, 1) : entries);
        failure = undefined;
        delivered += done;
        if (done > 0) attempt = 0;
        else await delay(Math.random() * Math.min(50 * 2 ** attempt, 2_000), undefined, { signal: ending.signal });
      } catch (error) {
        const known = toMemoryError(error);
        const ids = entries.map(({ entry }) => entry);
        await durable.sendingFailed(ids, known.message).catch(() => {});
        failure = { error: known, at: performance.now() };
        // One that is refused for good does not hold up the others, but an origin that refuses all is left alone.
        if (known.code !== 'refused' || ++refusals > LIMITS.outboxRefusals) throw known;
        if (refusals > 1 || entries.length === 1) passed.add(ids[0] as number);
      }
    }
    return delivered;
  }

  /** One commit, or none where the branch moved on. Returns how many entries were settled. */
  async function deliverGroup(entries: OutboxEntry[]): Promise<number> {
    const deadlineAt = performance.now() + LIMITS.saveDeadlineMs;
    const doubts = entries.map(({ saveId }) => saveId);
    await mirror
      .clock()
      .then((nowMs) => nowMs + LIMITS.saveDeadlineMs + LIMITS.doubtGraceMs)
      .then((deadlineMs) => mirror.doubt(doubts.map((saveId) => ({ saveId, deadlineMs }))))
      .catch((error) => log.warn('doubts not placed', { why: explain(error) }));
    const tip = await origin.head();
    const { there, open } = await sortOut(tip, entries);
    let placed = there;
    if (open.length > 0) {
      await durable.sending(open.map(({ entry }) => entry));
      reach('outbox:before-send');
      const named = open.map(nameOf);
      const result = await origin.commit({
        changes: [...open.map(changeOf), ...(await newestPointers(mirror, named))],
        expected: tip?.commit ?? null,
        message: commitMessage(named),
        authorName: open[0]?.subject ?? '',
        deadlineAt,
      });
      reach('outbox:after-send');
      if (result.outcome === 'unknown') throw result.cause;
      if (result.outcome === 'conflict') {
        const loser = open.find(({ path }) => path === result.path);
        if (loser) await durable.lost(loser.entry, result.current);
      }
      if (result.outcome === 'committed') placed = [...there, ...open];
    }
    if (placed.length > 0) {
      await sync.run({ reason: 'outbox' }).catch((error) => log.warn('mirror behind', { why: explain(error) }));
      reach('outbox:before-settle');
      await durable.settled(placed.map(({ entry }) => entry));
      for (const each of placed) await note(each);
      log.info('delivered', { saves: placed.length });
    }
    await mirror.settle(doubts).catch(() => {});
    return placed.length;
  }

  /** Which entries stand at the origin already, and which are to be sent; those that lost become conflicts. */
  async function sortOut(tip: Tip | null, entries: OutboxEntry[]) {
    const blobs = entries.map((each) => ({ path: each.path, blob: objectId('blob', each.content, 'sha1') }));
    const maybe = blobs.filter((_, at) => entries[at]?.sent);
    const held = tip && maybe.length > 0 ? await origin.everHeld(tip.commit, maybe) : new Set<string>();
    const there = entries.filter(({ path }) => held.has(path));
    const open: OutboxEntry[] = [];
    const edits = entries.filter((each) => each.expect !== null && !held.has(each.path)).map(({ path }) => path);
    const now = tip && edits.length > 0 ? await origin.find(tip.commit, edits) : new Map<string, string>();
    for (const each of entries) {
      if (held.has(each.path)) continue;
      const current = now.get(each.path) ?? null;
      if (each.expect === null || current === each.expect) open.push(each);
      else await durable.lost(each.entry, current);
    }
    return { there, open };
  }

  async function note({ subject, client, path, expect }: OutboxEntry): Promise<void> {
    const action = expect === null ? 'save' : 'edit';
    await durable
      .audit({ origin: origin.name, subject, client, action, target: path })
      .catch((error) => log.warn('audit row not written', { why: explain(error) }));
  }

  /** Delivers in the background until nothing waits. */
  function start(): void {
    working ??= work().finally(() => {
      working = undefined;
    });
  }

  async function work(): Promise<void> {
    for (let waitMs: number = LIMITS.outboxRetryMs; !ending.signal.aborted; ) {
      if ((await waiting()).length === 0) return;
      const signal = AbortSignal.any([ending.signal, nudged.signal]);
      await delay(waitMs * (0.75 + Math.random() / 2), undefined, { signal, ref: false }).catch(() => {});
      if (ending.signal.aborted) return;
      if (nudged.signal.aborted) nudged = new AbortController();
      else waitMs = Math.min(waitMs * 2, LIMITS.outboxRetryMostMs);
      const release = await mutex
        .acquire(`save-${shortHash(origin.name)}`, LIMITS.saveTurnMs, ending.signal)
        .catch(() => null);
      try {
        await deliver(true);
      } catch (error) {
        log.warn('saves still wait for the origin', { why: explain(error) });
      } finally {
        release?.();
      }
    }
  }

  const seen = (caller: Caller, all: Waiting[]) => all.filter(({ document }) => maySee(caller, document));

  return {
    enabled,
    waiting,
    keep,
    deliver,

    /** The origin has answered: what waits is sent now. */
    nudge(): void {
      if (!enabled) return;
      nudged.abort();
      // Another process may have left something behind when it ended.
      if (working || performance.now() - lookedAt < LIMITS.outboxLookMs) return;
      lookedAt = performance.now();
      start();
    },

    /** What is not at the origin, in numbers, and what the origin last said of it. */
    async unconfirmed(): Promise<Unconfirmed> {
      const [all, conflicts] = await Promise.all([
        waiting(),
        enabled ? durable.conflicts(origin.name).catch(() => []) : [],
      ]);
      const unknown = all.filter(({ entry }) => entry.sent).length;
      const why = all.find(({ entry }) => entry.lastError !== null)?.entry.lastError ?? '';
      return { queued: all.length - unknown, unknown, conflicts: conflicts.length, why };
    },

    /** The newest queued state of each document that the caller may see. */
    async documents(caller: Caller, filter: Filter): Promise<Waiting[]> {
      const newest = new Map(seen(caller, await waiting()).map((each) => [each.document.path, each]));
      return [...newest.values()].filter(({ document }) => matches(document, filter)).reverse();
    },

    async get(caller: Caller, id: string): Promise<Waiting | null> {
      return seen(caller, await waiting()).findLast(({ document }) => document.id === id) ?? null;
    },

    async close(): Promise<void> {
      ending.abort();
      await working;
    },
  };
}

export type Outbox = ReturnType<typeof createOutbox>;

function documentOf({ path, content, queuedAtMs }: OutboxEntry): Document {
  const blob = objectId('blob', content, 'sha1');
  return parseDocument({ path, blob, type: 'file', bytes: content.length, content, changedMs: queuedAtMs }).document;
}

function nameOf(entry: OutboxEntry): Named {
  const { project, title } = documentOf(entry);
  return { path: entry.path, project, title, client: entry.client, isNew: entry.expect === null };
}

function changeOf({ path, content, expect }: OutboxEntry): Change {
  return { path, content, expect };
}

/** As many as fit one commit, up to the second change of one path: that one has to see the first. */
function groupOf(entries: OutboxEntry[]): OutboxEntry[] {
  const paths = new Set<string>();
  const group: OutboxEntry[] = [];
  let bytes = 0;
  for (const each of entries) {
    bytes += each.content.length;
    if (group.length > 0 && (paths.has(each.path) || group.length >= LIMITS.groupSaves || bytes > LIMITS.groupBytes))
      break;
    paths.add(each.path);
    group.push(each);
  }
  return group;
}
