import type { Caller } from './caller.js';
import type { Document } from './documents.js';
import { explain, MemoryError, toMemoryError } from './errors.js';
import { provenanceLine } from './format.js';
import { isBlob } from './hash.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import { createMeanwhile, type Found, nobodyAnswers } from './meanwhile.js';
import { pathOfId } from './paths.js';
import type { Mirror, MirrorState, Origin, Reading, ReadTier, Tip, View } from './ports.js';
import type { Provenance } from './provenance.js';
import type { Retention } from './retention.js';
import { NO_SHELF, type Question, type Shelf, standOf } from './shelf.js';
import type { Sync } from './sync.js';
import { within } from './within.js';

export const CONSISTENCY = ['fast', 'fresh', 'verified'] as const;
export type Consistency = (typeof CONSISTENCY)[number];

export interface Answer<T> {
  value: T;
  provenance: Provenance;
}

export interface ReaderDependencies {
  origin: Origin;
  mirror: Mirror;
  sync: Sync;
  /** Stands in while the mirror cannot be reached: recent documents read from the origin. */
  fallback: () => Promise<ReadTier>;
  staleAfterMs: number;
  /** There are notes to show beside what the tiers give, even where those have nothing. */
  waiting?: () => Promise<boolean>;
  /** This process knows of a save that the mirror could not be told of. */
  behind?: () => boolean;
  /** Is told what was read, and what the mirror did not keep. */
  retention?: Pick<Retention, 'used' | 'fetched'>;
  /** Default: no cache. */
  shelf?: Shelf;
  log: Log;
}

/** One call of `read`. */
interface Call<T> {
  caller: Caller;
  wanted: Consistency | undefined;
  usual: Consistency;
  work(reading: Reading): Promise<T>;
  /** What the answer may be kept under, and whether it is worth keeping. */
  question: (Question & { keep?(value: T): boolean }) | undefined;
}

/** What one answer touched, by path; `absent` by the id that was asked for. */
interface Seen {
  used: Map<string, Document>;
  /** Those of them that were opened. */
  opened: Set<string>;
  damaged: Set<string>;
  absent: Set<string>;
  /** Which blob the bytes that were handed out are. */
  blobs: WeakMap<Uint8Array, string>;
  /** Something came from the cache. */
  cached: boolean;
}

interface Freshness {
  /** The answer must be marked: why the head is not confirmed. */
  note: string | null;
  confirmed: boolean;
}

/** The mirror that was brought up to date is not the one that stands there now: it was set aside or deleted meanwhile. */
class Replaced extends Error {}

export function createReader(dependencies: ReaderDependencies) {
  const { origin, mirror, sync, fallback, staleAfterMs, waiting, behind, retention, log } = dependencies;
  const { shelf = NO_SHELF } = dependencies;
  const meanwhile = createMeanwhile({ origin, shelf, behind });
  let told = 0;
  /** When the mirror could last not be asked, by `performance.now()`: others may have saved without it, as we have read. */
  let lostAtMs = Number.NEGATIVE_INFINITY;

  /**
   * Answers through the nearest tier that can. `wanted` is what the caller asked for; without it `usual` holds, and an
   * answer whose head is in doubt or was last confirmed too long ago is treated as `fresh`. With a `question` the answer,
   * which must then depend on nothing but the question, the caller and the memory, may be kept in the cache.
   */
  async function read<T>(
    caller: Caller,
    wanted: Consistency | undefined,
    usual: Consistency,
    work: (reading: Reading) => Promise<T>,
    question?: Call<T>['question'],
  ): Promise<Answer<T>> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await readOnce({ caller, wanted, usual, work, question });
      } catch (error) {
        if (!(error instanceof Replaced)) throw error;
        if (attempt > 2)
          throw new MemoryError(
            'mirror_unavailable',
            'The mirror is being replaced again and again.',
            'Look at the log and the disk.',
          );
      }
    }
  }

  async function readOnce<T>(call: Call<T>): Promise<Answer<T>> {
    const skipped: Provenance['skipped'] = [];
    let freshness: Freshness = { note: null, confirmed: false };
    try {
      freshness = await freshen(call.wanted, call.usual);
    } catch (error) {
      const known = toMemoryError(error);
      if (known.code !== 'mirror_unavailable') throw known;
      lostAtMs = performance.now();
      log.warn('mirror skipped', { why: explain(error) });
      skipped.push({ tier: mirror.name, why: known.message });
    }
    let lastResort: Found<T> | null = null;
    for (const tier of skipped.length === 0 ? [async () => mirror, fallback] : [fallback]) {
      let name: string = mirror.name;
      try {
        if (tier === fallback) {
          const found = await withoutMirror(call);
          if (found && !found.lacking) return fromCache(found, skipped);
          lastResort = found;
        }
        const opened = await tier();
        name = opened.name;
        return await readFrom(opened, call, freshness, skipped);
      } catch (error) {
        if (error instanceof Replaced) throw error;
        const known = toMemoryError(error);
        if (lastResort && nobodyAnswers(known))
          return fromCache(lastResort, [...skipped, { tier: name, why: known.message }]);
        // A tier that cannot be reached goes on to the next; a wrong answer never does.
        if (known.code !== 'mirror_unavailable') throw skipped.length > 0 ? bothFailed(known, skipped) : known;
        if (name === mirror.name) lostAtMs = performance.now();
        log.warn('tier skipped', { tier: name, why: explain(error) });
        skipped.push({ tier: name, why: known.message });
      }
    }
    throw new MemoryError(
      'mirror_unavailable',
      `No tier can answer: ${skipped.map(({ why }) => why).join(' ')}`,
      'Run memory_status; check the disk and the permissions of MEMORY_HOME.',
    );
  }

  /** What the cache has to say while the mirror says nothing. Proofs never come from there. */
  async function withoutMirror<T>({ caller, wanted, work, question }: Call<T>): Promise<Found<T> | null> {
    if (!shelf.on || wanted === 'verified' || question === undefined) return null;
    return meanwhile.find(caller, wanted === 'fast', question, work);
  }

  function fromCache<T>(found: Found<T>, skipped: Provenance['skipped']): Answer<T> {
    const { value, commit, generation, confirmed, note } = found;
    const ageMs = confirmed ? 0 : null;
    return {
      value,
      provenance: { tier: 'cache', commit, generation, ageMs, verified: false, skipped, notes: [note, ...news()] },
    };
  }

  async function readFrom<T>(
    tier: ReadTier,
    call: Call<T>,
    freshness: Freshness,
    skipped: Provenance['skipped'],
  ): Promise<Answer<T>> {
    const verified = call.wanted === 'verified';
    const { caller, question } = call;
    for (let attempt = 0; ; attempt++) {
      const seen: Seen = {
        used: new Map(),
        opened: new Set(),
        damaged: new Set(),
        absent: new Set(),
        blobs: new WeakMap(),
        cached: false,
      };
      const readAtMs = performance.now();
      let asked: MirrorState | null = null;
      const answer = await tier
        .snapshot(async (view) => {
          const state = await view.state();
          asked = state;
          if (tier === mirror && freshness.confirmed && state.head === null) throw new Replaced();
          // Under the commit and generation that this very snapshot stands at, and no other.
          const stand = tier === mirror && !verified ? standOf(state) : null;
          const kept = stand && question ? await shelf.answer(caller, question, stand) : null;
          if (kept) return { value: kept.value as T, state, stand, kept: true };
          return { value: await call.work(track(view, seen, verified)), state, stand, kept: false };
        })
        .catch(async (error: unknown) => {
          if (asked === null || toMemoryError(error).code !== 'not_found') throw error;
          // What was not found because its row is gone from the mirror is there all the same.
          if (verified && attempt === 0) for (const path of await overlooked(seen.absent)) seen.damaged.add(path);
          if (seen.damaged.size > 0) return null;
          throw notThere(toMemoryError(error), describe(tier, asked, freshness, verified, skipped));
        });
      if (answer && verified)
        for (const path of await disproved(caller, tier, seen.used, answer.state)) seen.damaged.add(path);
      if (answer && seen.damaged.size === 0) {
        if (tier === mirror) retention?.used([...seen.opened]);
        const { value, state, stand, kept } = answer;
        if (stand) shelf.stands(stand, readAtMs);
        if (stand && question && !kept && question.keep?.(value) !== false)
          shelf.keep(caller, question, stand, value, (bytes) => seen.blobs.get(bytes));
        const name = kept || seen.cached ? 'cache' : tier.name;
        return { value, provenance: { ...describe(tier, state, freshness, verified, skipped), tier: name } };
      }
      if (attempt > 0 || tier !== mirror)
        throw new MemoryError(
          'corrupt',
          `The ${tier.name} keeps giving bytes that are not what the origin's tree says.`,
          'Run verify_with_github with repair, then `git fsck` in the repository.',
        );
      log.warn('mirror repaired', { documents: seen.damaged.size });
      await mirror.drop([...seen.damaged]);
      await sync.run({ reason: 'repair', force: true });
    }
  }

  /** Which of the documents that were asked for and not found are at the origin. */
  async function overlooked(ids: Set<string>): Promise<string[]> {
    const there = await sync.expected(await origin.head());
    return [...ids].map(pathOfId).filter((path) => there.has(path));
  }

  /** Every document that was used, hashed again and compared with the tree at the head. */
  async function disproved(
    caller: Caller,
    tier: ReadTier,
    used: Map<string, Document>,
    state: MirrorState,
  ): Promise<string[]> {
    const commit = state.head?.commit ?? '';
    const there = commit === '' ? new Map<string, string>() : await origin.find(commit, [...used.keys()]);
    const wrong = [...used.values()]
      .filter((document) => there.get(document.path) !== document.blob)
      .map(({ path }) => path);
    await tier.snapshot(async (view) => {
      for (const document of used.values()) {
        const row = await view.get(caller, document.id);
        if (row?.content && !isBlob(row.blob, row.content)) wrong.push(document.path);
      }
    });
    return wrong;
  }

  /** Wraps a snapshot: remembers what it gives, checks every content against its blob id, fetches what is not kept. */
  function track(view: View, seen: Seen, verified: boolean): Reading {
    const remember = <D extends Document>(document: D): D => {
      seen.used.set(document.path, document);
      return document;
    };
    const opened = <D extends Document & { content: Uint8Array | null }>(document: D): D => {
      const { content, blob, path } = document;
      if (content && !isBlob(blob, content)) seen.damaged.add(path);
      else if (content) seen.blobs.set(content, blob);
      seen.opened.add(path);
      return remember(document);
    };
    return {
      ...view,
      async get(caller, id) {
        const document = await view.get(caller, id);
        if (!document) seen.absent.add(id);
        return document && opened(document);
      },
      list: async (...args) => (await view.list(...args)).map(remember),
      async documents(caller, docs) {
        const found = await view.documents(caller, docs);
        for (const document of found) opened(document);
        return found;
      },
      async content(document) {
        const { blob } = document;
        const kept = verified ? null : await shelf.content(blob);
        if (kept) seen.cached = true;
        const bytes = kept ?? (await origin.read([blob])).get(blob);
        if (!bytes || !isBlob(blob, bytes))
          throw new MemoryError(
            'origin_unavailable',
            'The origin does not give the bytes of this document.',
            'Run sync_now, then read it again; if that does not help, `git fsck` in the repository.',
          );
        retention?.fetched(document, bytes);
        seen.blobs.set(bytes, blob);
        if (!kept) shelf.keepContent(blob, bytes);
        return bytes;
      },
    };
  }

  /** Brings the mirror as near to the origin as the call asks for. */
  async function freshen(wanted: Consistency | undefined, usual: Consistency): Promise<Freshness> {
    const state = await mirror.snapshot((view) => view.state());
    const ageMs = state.confirmedAtMs === null ? null : state.nowMs - state.confirmedAtMs;
    // Whoever has confirmed it since has brought it up to date.
    const away = ageMs !== null && ageMs >= performance.now() - lostAtMs;
    const doubtful = state.doubts > 0 || behind?.() === true;
    const trusted = state.head !== null && !doubtful && !away && ageMs !== null && ageMs >= 0;
    if (wanted === 'fast' || (wanted === undefined && usual === 'fast' && trusted && (ageMs ?? 0) <= staleAfterMs)) {
      if (state.head === null) return { confirmed: false, note: 'never synced: call sync_now' };
      if (trusted) return { confirmed: true, note: null };
      if (doubtful) return { confirmed: false, note: 'unconfirmed: a save is or was in flight' };
      return { confirmed: false, note: away ? 'unconfirmed: it was away' : 'unconfirmed' };
    }
    const must = wanted === 'verified';
    if (!must && trusted && origin.remote && (ageMs ?? 0) < LIMITS.headFreshMs) return { confirmed: true, note: null };
    const sinceMs = performance.now();
    const freshness = await confirm(state, must);
    if (freshness.confirmed) shelf.caughtUp(sinceMs);
    return freshness;
  }

  /** Asks the origin for its head, once, and catches up where it moved. */
  async function confirm(state: MirrorState, must: boolean): Promise<Freshness> {
    const beforeMs = state.nowMs;
    let head: Tip | null;
    try {
      // Where there is no old answer to give, giving up early would only be an error.
      const patient = must || state.head === null;
      head = await within(patient ? LIMITS.gitCommandMs : LIMITS.headConfirmMs, origin.head());
    } catch (error) {
      const known = toMemoryError(error);
      const nothing = state.head === null && !(await waiting?.());
      if (must || nothing || known.code === 'config') throw known;
      log.warn('head not confirmed', { why: explain(error) });
      const given =
        state.head === null ? 'It was never read: only what waits for it is here.' : 'This is what it last gave.';
      return { confirmed: false, note: `the origin could not be asked (${known.message}) ${given}` };
    }
    if (state.head && state.head.commit === (head?.commit ?? '')) {
      // A mirror that cannot be written still answers; the confirmation only helps the next reader.
      await mirror
        .confirm(head, beforeMs)
        .catch((error) => log.warn('confirmation not recorded', { why: explain(error) }));
      return { confirmed: true, note: null };
    }
    const seen = { tip: head, generation: state.generation, beforeMs };
    // An origin on this machine is asked again for nothing: it may have moved on once more.
    const catchUp = sync.run({ reason: 'read', ...(origin.remote ? { seen } : {}) });
    try {
      await within(must ? LIMITS.gitCommandMs : LIMITS.catchUpMs, catchUp);
      return { confirmed: true, note: null };
    } catch (error) {
      const known = toMemoryError(error);
      if (must || state.head === null || known.code === 'mirror_unavailable') throw known;
      return {
        confirmed: false,
        note: `behind: the origin has moved on and the mirror is catching up (${known.message})`,
      };
    }
  }

  /** What happened to the mirror is told once; memory_status keeps it. */
  function news(): string[] {
    const fresh = mirror.notices().slice(told);
    told += fresh.length;
    return fresh;
  }

  function describe(
    tier: ReadTier,
    state: MirrorState,
    freshness: Freshness,
    verified: boolean,
    skipped: Provenance['skipped'],
  ): Provenance {
    const stoodIn = tier !== mirror;
    const ageMs = state.confirmedAtMs === null ? null : state.nowMs - state.confirmedAtMs;
    return {
      tier: tier.name,
      commit: state.head?.commit ?? null,
      generation: state.generation,
      ageMs: (freshness.confirmed || stoodIn) && ageMs !== null && ageMs >= 0 ? ageMs : null,
      verified,
      skipped,
      notes: [
        ...(freshness.note ? [freshness.note] : []),
        ...sync.lateNotes(),
        ...(stoodIn ? [`degraded: the newest ${LIMITS.degradedDocuments} documents only`] : []),
        ...news(),
      ],
    };
  }

  return { read };
}

export type Reader = ReturnType<typeof createReader>;

/** That something is not there is an answer too: it says where that was looked up, as all others do. */
function notThere({ code, message, hint, cause }: MemoryError, provenance: Provenance): MemoryError {
  return new MemoryError(code, message, `${hint}\n${provenanceLine(provenance)}`, cause);
}

/** Either of them coming back helps: the answer names both. */
function bothFailed(origin: MemoryError, skipped: Provenance['skipped']): MemoryError {
  if (origin.code !== 'origin_unavailable') return origin;
  const others = skipped.map(({ why }) => why).join(' ');
  return new MemoryError(origin.code, `${others} ${origin.message}`, origin.hint, origin);
}
