import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Document, parseDocument } from './documents.js';
import { explain, MemoryError, toMemoryError } from './errors.js';
import { objectId } from './hash.js';
import { indexDocument } from './index-document.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import { commitMessage, type Named, newestPointers } from './message.js';
import { mergedAgain } from './patterns.js';
import { reach } from './points.js';
import type { Change, CommitResult, Durable, Mirror, Origin, OutboxEntry, Tip } from './ports.js';
import type { Sync } from './sync.js';
import { within } from './within.js';

export interface DeliveryDependencies {
  origin: Origin;
  mirror: Mirror;
  durable: Durable;
  sync: Sync;
  log: Log;
}

export interface DeliveryOptions {
  /** Also where it was just tried in vain. */
  retry?: boolean;
  /** Also what was refused for what is in it. */
  all?: boolean;
  /** `performance.now()` after which nothing may be sent any more. */
  deadlineAt: number;
}

export interface Delivered {
  /** How many are at the origin now that were not known to be. */
  delivered: number;
  /** Why it does not take some of the others. */
  refusal: MemoryError | null;
}

/** One commit to be, on one head. */
interface Step {
  tip: Tip | null;
  /** The database's clock from before that head was asked for. */
  beforeMs: number | null;
  entries: OutboxEntry[];
}

/**
 * Sends what waits in the outbox, in order and exactly once. A save that may have reached the origin is looked for in
 * its path's history at the very head that the next try builds on: git's compare-and-swap settles the rest. The outbox
 * is read after that head was asked for, so that what another process sent before it is marked as sent.
 */
export function createDelivery({ origin, mirror, durable, sync, log }: DeliveryDependencies) {
  let failure: { error: MemoryError; at: number } | undefined;
  /** Refused by themselves, and whether the origin took anything since; those that were refused again then, and when. */
  const refused = new Map<number, boolean>();
  const aside = new Map<number, number>();

  /** Sends what waits, one commit after the other. Throws what keeps all of it from the origin. */
  async function deliver({ retry = false, all = false, deadlineAt }: DeliveryOptions): Promise<Delivered> {
    let delivered = 0;
    let refusal: MemoryError | null = null;
    /** So many of the next ones have one among them that is refused. */
    let suspects = 0;
    const passed = new Set<number>();
    const open = (entries: OutboxEntry[]) =>
      groupOf(withoutPassed(entries, passed, all), Math.ceil(suspects / 2) || LIMITS.groupSaves);
    // A durable store that fails never stops a save; what waits in it waits on.
    const first = await durable.queued(origin.name).catch((error) => {
      log.warn('outbox not read', { why: explain(error) });
      return [];
    });
    if (open(first).length === 0) return { delivered, refusal };
    if (!retry && paused()) throw failure?.error;
    for (let attempt = 0; attempt < LIMITS.saveAttempts && performance.now() < deadlineAt; attempt++) {
      const beforeMs = await mirror.clock().catch(() => null);
      const tip = await head(retry).catch(async (error) => {
        throw await failed(first, error);
      });
      const entries = open(await durable.queued(origin.name));
      if (entries.length === 0) {
        failure = undefined;
        return { delivered, refusal };
      }
      try {
        const { settled, placed } = await deliverGroup({ tip, beforeMs, entries }, deadlineAt);
        delivered += placed;
        if (settled > 0) {
          failure = undefined;
          accepted();
          attempt = 0;
          suspects = Math.max(0, suspects - settled);
        } else await delay(Math.random() * Math.min(50 * 2 ** attempt, 2_000));
      } catch (error) {
        // A durable store that takes nothing stops what waits in it, never a save that the origin would take.
        if (toMemoryError(error).code === 'mirror_unavailable') {
          log.warn('outbox not written', { why: explain(error) });
          return { delivered, refusal };
        }
        const known = await failed(entries, error);
        if (known.code !== 'refused') throw known;
        // One that is refused for good is found by halves and does not hold up the others.
        const [one] = entries;
        suspects = entries.length === 1 ? 0 : entries.length;
        if (one && suspects === 0) {
          refusal = known;
          passed.add(one.entry);
          if (refused.get(one.entry)) aside.set(one.entry, performance.now());
          refused.set(one.entry, false);
          failure = undefined;
          log.warn('a save was refused', { entry: one.entry, why: explain(error) });
        }
        if (passed.size > LIMITS.outboxRefusals) {
          failure = { error: known, at: performance.now() };
          throw known;
        }
      }
    }
    throw new MemoryError(
      'deadline',
      'The branch kept moving, or nobody let go of it, before all that waits for the origin was sent.',
      'Call sync_now in a moment.',
    );
  }

  /** Whether the origin was just tried in vain: saves need not wait to find out again. */
  function paused(): boolean {
    return (
      failure !== undefined && failure.error.code !== 'refused' && performance.now() - failure.at < LIMITS.outboxPauseMs
    );
  }

  /** After a failure nobody who saves waits long to hear that it still lasts. */
  function head(retry: boolean): Promise<Tip | null> {
    return failure && !retry ? within(LIMITS.outboxProbeMs, origin.head()) : origin.head();
  }

  async function failed(entries: OutboxEntry[], error: unknown): Promise<MemoryError> {
    const known = toMemoryError(error);
    const ids = entries.map(({ entry }) => entry);
    await durable.sendingFailed(ids, known.message).catch(() => {});
    failure = { error: known, at: performance.now() };
    return known;
  }

  /** The origin took something: what it refuses once more is refused for what is in it. */
  function accepted(): void {
    for (const entry of refused.keys()) refused.set(entry, true);
  }

  /** Without those that wait for a while, and without later changes of the same notes. */
  function withoutPassed(entries: OutboxEntry[], passed: Set<number>, all: boolean): OutboxEntry[] {
    const paths = new Set<string>();
    return entries.filter(({ entry, path }) => {
      const waits = aside.has(entry) && performance.now() - (aside.get(entry) ?? 0) < LIMITS.outboxRefusedMs;
      if (passed.has(entry) || (waits && !all)) paths.add(path);
      return !paths.has(path);
    });
  }

  /** One commit, or none where the branch moved on. `settled` left the outbox, `placed` of them for the origin. */
  async function deliverGroup(step: Step, deadlineAt: number): Promise<{ settled: number; placed: number }> {
    const { tip, beforeMs, entries } = step;
    const { there, open, lost } = await sortOut(tip, entries);
    for (const { entry, current } of lost) await yieldTo(entry, current);
    // `LATEST.json` and what is served both need to know of what others did meanwhile.
    const followed = await follow(tip, beforeMs, there);
    // The mirror shows what had been sent without an answer: nobody has to doubt it any more.
    if (followed !== null && there.length > 0) await mirror.settle(there.map(({ saveId }) => saveId)).catch(() => {});
    let placed = there;
    if (open.length > 0) {
      const doubts = await placeDoubts(open, deadlineAt);
      const result = await send(step, open, deadlineAt).catch(async (error) => {
        // A commit that throws has changed nothing.
        await durable.unsent(open.filter(({ sent }) => !sent).map(({ entry }) => entry)).catch(() => {});
        await mirror.settle(doubts).catch(() => {});
        throw error;
      });
      if (result.outcome === 'unknown') throw result.cause;
      if (result.outcome === 'conflict') {
        const loser = open.find(({ path }) => path === result.path);
        if (loser) await yieldTo(loser, result.current);
        if (loser) lost.push({ entry: loser, current: result.current });
      }
      if (result.outcome !== 'committed') await mirror.settle(doubts).catch(() => {});
      else {
        const shown = await show(step, open, result, followed);
        // What the mirror does not show yet stays in the outbox, and so in answers; the next look finds it there.
        if (shown !== false) placed = [...there, ...open];
        if (shown) await mirror.settle(doubts).catch(() => {});
      }
    }
    if (placed.length > 0) {
      reach('outbox:before-settle');
      await durable.settled(placed.map(({ entry }) => entry));
      for (const each of placed) await note(each);
      log.info('delivered', { saves: placed.length });
    }
    return { settled: placed.length + lost.length, placed: placed.length };
  }

  async function send({ tip }: Step, open: OutboxEntry[], deadlineAt: number): Promise<CommitResult> {
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
    return result;
  }

  /** Which entries stand or stood at the origin already, which are to be sent, and which have lost to something newer. */
  async function sortOut(tip: Tip | null, entries: OutboxEntry[]) {
    const blobs = entries.map((each) => ({ path: each.path, blob: objectId('blob', each.content, 'sha1') }));
    const maybe = blobs.filter((_, at) => entries[at]?.sent);
    const held = tip && maybe.length > 0 ? await origin.everHeld(tip.commit, maybe) : new Set<string>();
    const there = entries.filter(({ path }) => held.has(path));
    const open: OutboxEntry[] = [];
    const lost: { entry: OutboxEntry; current: string | null }[] = [];
    const edits = entries.filter((each) => each.expect !== null && !held.has(each.path)).map(({ path }) => path);
    const now = tip && edits.length > 0 ? await origin.find(tip.commit, edits) : new Map<string, string>();
    for (const entry of entries) {
      if (held.has(entry.path)) continue;
      const current = now.get(entry.path) ?? null;
      if (entry.expect === null || current === entry.expect) open.push(entry);
      else lost.push({ entry, current });
    }
    return { there, open, lost };
  }

  /** What stands at the origin wins. What was added to a pattern goes into it; anything else is kept as a conflict. */
  async function yieldTo(entry: OutboxEntry, current: string | null): Promise<void> {
    const again = current === null ? null : await patternAgain(entry, current);
    if (again === null) return durable.lost(entry.entry, current);
    // The new one first: a process that dies in between leaves two that say the same, and the second adds nothing.
    if (again.save) await durable.queue(origin.name, [again.save]);
    await durable.settled(again.instead);
  }

  /** One save `instead` of those of a pattern that wait, on what stands there now; none where that says it all. Null: it is none. */
  async function patternAgain(first: OutboxEntry, current: string) {
    if (documentOf(first).kind !== 'pattern') return null;
    // Each was made on the one before it: the last has what they all say.
    const all = (await durable.queued(origin.name)).filter((each) => each.path === first.path);
    const last = all.at(-1) ?? first;
    const contents = await origin.read([current, ...(first.expect === null ? [] : [first.expect])]);
    const [standing, base] = [contents.get(current), first.expect === null ? null : contents.get(first.expect)];
    const merged = standing && base !== undefined ? mergedAgain(last, standing, base) : null;
    if (merged === null) return null;
    const save = { ...last, saveId: randomUUID(), content: merged.content, expect: current, sent: false };
    return { save: merged.same ? null : save, instead: all.map(({ entry }) => entry) };
  }

  /** Until the mirror shows these, whoever reads it has to ask the origin. */
  async function placeDoubts(open: OutboxEntry[], deadlineAt: number): Promise<string[]> {
    const doubts = open.map(({ saveId }) => saveId);
    try {
      const deadlineMs = (await mirror.clock()) + (deadlineAt - performance.now()) + LIMITS.doubtGraceMs;
      await mirror.doubt(doubts.map((saveId) => ({ saveId, deadlineMs })));
    } catch (error) {
      log.warn('doubts not placed', { why: explain(error) });
    }
    return doubts;
  }

  /** The mirror's generation at that commit; null where it is elsewhere or cannot say. */
  async function follow(tip: Tip | null, beforeMs: number | null, there: OutboxEntry[]): Promise<number | null> {
    try {
      for (const synced of [false, true]) {
        const state = await mirror.snapshot((view) => view.state());
        if (state.head?.commit === (tip?.commit ?? '')) return state.generation;
        if (synced) return null;
        // A head that lags is told from a force push there; a commit of our own is not asked for by the branch.
        const seen = beforeMs === null ? {} : { seen: { tip, generation: state.generation, beforeMs } };
        await sync.run({ reason: 'outbox', ...seen });
      }
    } catch (error) {
      log.warn('mirror behind', { why: explain(error), saves: there.length });
    }
    return null;
  }

  /** Makes the mirror show what was committed; null where it fails. Reads of the branch may lag: none is trusted here. */
  async function show(
    { beforeMs }: Step,
    open: OutboxEntry[],
    result: Extract<CommitResult, { outcome: 'committed' }>,
    generation: number | null,
  ): Promise<boolean | null> {
    try {
      const documents = open.map((entry) => indexDocument(sourceOf(entry)));
      const step = {
        head: result.head,
        documents,
        live: documents.map(({ path, blob }) => ({ path, blob })),
        gone: [],
        settles: open.map(({ saveId }) => saveId),
        confirmedAtMs: beforeMs,
      };
      if (result.direct && generation !== null && (await mirror.apply({ ...step, expectedGeneration: generation })))
        return true;
      await follow(result.head, beforeMs, open);
      const have = await mirror.snapshot((view) => view.paths());
      return documents.every(({ path, blob }) => have.get(path) === blob);
    } catch (error) {
      log.warn('mirror behind', { why: explain(error), saves: open.length });
      return null;
    }
  }

  async function note({ subject, client, path, expect }: OutboxEntry): Promise<void> {
    const action = expect === null ? 'save' : 'edit';
    await durable
      .audit({ origin: origin.name, subject, client, action, target: path })
      .catch((error) => log.warn('audit row not written', { why: explain(error) }));
  }

  return {
    deliver,
    paused,
    failing: () => failure !== undefined,
    accepted,
    /** The origin could not be reached just now, as somebody else found out. */
    failedNow(error: MemoryError): void {
      failure = { error, at: performance.now() };
    },
  };
}

function sourceOf({ path, content, queuedAtMs }: OutboxEntry) {
  const blob = objectId('blob', content, 'sha1');
  return { path, blob, type: 'file' as const, bytes: content.length, content, changedMs: queuedAtMs };
}

/** A queued save as the document that it will be. */
export function documentOf(entry: OutboxEntry): Document {
  return parseDocument(sourceOf(entry)).document;
}

function nameOf(entry: OutboxEntry): Named {
  const { project, title } = documentOf(entry);
  return { path: entry.path, project, title, client: entry.client, isNew: entry.expect === null };
}

function changeOf({ path, content, expect }: OutboxEntry): Change {
  return { path, content, expect };
}

/** As many as fit one commit, up to the second change of one path: that one has to see the first. */
function groupOf(entries: OutboxEntry[], most: number): OutboxEntry[] {
  const paths = new Set<string>();
  const group: OutboxEntry[] = [];
  let bytes = 0;
  for (const each of entries) {
    bytes += each.content.length;
    if (group.length > 0 && (paths.has(each.path) || group.length >= most || bytes > LIMITS.groupBytes)) break;
    paths.add(each.path);
    group.push(each);
  }
  return group;
}
