import { randomUUID } from 'node:crypto';
import { INDEX_VERSION } from '../search/analyse.js';
import { type Caller, seesUnsigned } from './caller.js';
import { isBlob, shortHash } from './hash.js';
import { LIMITS } from './limits.js';
import { NO_CACHE } from './no-cache.js';
import { packAnswer, unpackAnswer } from './packing.js';
import type { Cache, CacheStatus, MirrorState } from './ports.js';

/** What was asked, whoever asks: the name of an operation and all that its answer depends on besides the memory. */
export interface Question {
  name: string;
  input: unknown;
}

/** Where a mirror stood when it gave an answer. */
export interface Stand {
  commit: string;
  generation: number;
}

/** A save that is at the origin and, as far as its writer knows, in no mirror. */
export interface LateSave {
  path: string;
  blob: string;
  commit: string;
  atMs: number;
}

export interface SavedNote {
  path: string;
  blob: string;
  content: Uint8Array;
}

export interface ShelfStatus extends CacheStatus {
  /** Answers and contents that were looked for in this process. */
  hits: number;
  misses: number;
}

export interface ShelfOptions {
  cache: Cache;
  /** The origin's name. */
  origin: string;
  /** Which mirror: the generations of two do not compare. */
  mirror: string;
  /** The program's version. */
  program: string;
}

/** Null where the mirror stands at nothing that an answer could be kept under. */
export function standOf({ head, generation }: MirrorState): Stand | null {
  return head === null || head.commit === '' ? null : { commit: head.commit, generation };
}

/**
 * What is kept in the cache, and under which names. Contents go by their blob id and are hashed whenever they are read.
 * Answers go by all that they depend on, so that none ever has to be taken back. The generation is part of it: a
 * mirror that was repaired without a new commit answers anew. Nothing here throws.
 */
export function createShelf({ cache, origin, mirror, program }: ShelfOptions) {
  const underWay = new Set<Promise<unknown>>();
  let hits = 0;
  let misses = 0;
  let pointed: { stand: Stand; atMs: number } | null = null;
  /** A pointer ahead of us, and when it was seen. */
  let ahead: { generation: number; seenAtMs: number } | null = null;
  /** Late saves that were there when the mirror was last heard of, and when that was, by `performance.now()`. */
  let seen: { blobs: Set<string>; atMs: number } | null = null;
  /** Late saves of this process. */
  const own = new Set<string>();

  const keyOf = (kind: string, ...parts: unknown[]) => `${kind}:${shortHash(JSON.stringify(parts), 40)}`;
  const contentKey = (blob: string) => `content:${blob}`;
  const headKey = keyOf('head', origin, mirror);
  const lateKey = keyOf('late', origin);
  const answerKey = (caller: Caller, { name, input }: Question, { commit, generation }: Stand) => {
    const projects = caller.projects === 'all' ? 'all' : caller.projects.toSorted();
    const view = [caller.subject, projects, seesUnsigned(caller)];
    return keyOf('answer', origin, mirror, commit, generation, INDEX_VERSION, program, view, name, input);
  };
  const counted = <T>(found: T | null): T | null => {
    if (found === null) misses++;
    else hits++;
    return found;
  };

  /** Goes on by itself: nobody waits for what is only kept for later. */
  function background(work: () => Promise<unknown>): void {
    if (underWay.size >= LIMITS.cacheUnderWay) return;
    const done = work()
      .catch(() => {})
      .finally(() => underWay.delete(done));
    underWay.add(done);
  }

  async function content(blob: string): Promise<Uint8Array | null> {
    if (!cache.on) return null;
    const bytes = await cache.get(contentKey(blob));
    if (bytes !== null && !isBlob(blob, bytes)) {
      background(() => cache.drop(contentKey(blob)));
      return counted(null);
    }
    return counted(bytes);
  }

  const putContent = (blob: string, bytes: Uint8Array) => cache.set(contentKey(blob), bytes, LIMITS.cacheSeconds);

  /** Moves the pointer on to where the mirror stands, never back, unless that mirror has begun anew. */
  function point(stand: Stand, readAtMs: number): Promise<boolean> {
    const restarted = ahead !== null && readAtMs > ahead.seenAtMs && stand.generation < ahead.generation ? ahead : null;
    return cache.update(headKey, LIMITS.cacheSeconds, (current) => {
      const there = parsed<Stand>(current, isStand);
      if (there !== null && there.generation > stand.generation && there.generation !== restarted?.generation) {
        ahead = { generation: there.generation, seenAtMs: performance.now() };
        return null;
      }
      ahead = null;
      return encoded(stand);
    });
  }

  /** Late saves without those that are `gone`, and with `more`. */
  const changeLate = (gone: Set<string>, more: LateSave[]) =>
    cache.update(lateKey, LIMITS.cacheSeconds, (current) => {
      const known = (parsed<LateSave[]>(current, isLate) ?? []).filter(
        ({ path, blob }) => !gone.has(blob) && !more.some((each) => each.path === path),
      );
      return encoded([...known, ...more].slice(-LIMITS.cacheLate));
    });

  async function putLate(notes: SavedNote[], commit: string): Promise<boolean> {
    const atMs = Date.now();
    for (const { blob } of notes) own.add(blob);
    const put = await Promise.all(notes.map(({ blob, content: bytes }) => putContent(blob, bytes)));
    const told = await changeLate(
      new Set(),
      notes.map(({ path, blob }) => ({ path, blob, commit, atMs })),
    );
    if (told && put.every(Boolean)) return true;
    // What cannot be said there must not be hidden there: without a pointer nothing old is answered.
    await cache.drop(headKey);
    return false;
  }

  return {
    on: cache.on,
    content,

    /** An answer that was given to such a caller when the mirror stood there. */
    async answer(caller: Caller, question: Question, stand: Stand): Promise<{ value: unknown } | null> {
      if (!cache.on) return null;
      const packed = await cache.get(answerKey(caller, question, stand));
      return counted(packed === null ? null : await unpackAnswer(packed, content));
    },

    /** `blobOf` names the contents in it. */
    keep(
      caller: Caller,
      question: Question,
      stand: Stand,
      value: unknown,
      blobOf: (bytes: Uint8Array) => string | undefined,
    ): void {
      if (!cache.on) return;
      background(async () => {
        const contents = new Map<string, Uint8Array>();
        const packed = packAnswer(value, (bytes) => {
          const blob = blobOf(bytes);
          if (blob !== undefined) contents.set(blob, bytes);
          return blob;
        });
        if (packed === null) return;
        // The contents first: an answer without them is none.
        for (const [blob, bytes] of contents) if (!(await putContent(blob, bytes))) return;
        await cache.set(answerKey(caller, question, stand), packed, LIMITS.cacheSeconds);
      });
    },

    keepContent(blob: string, bytes: Uint8Array): void {
      if (cache.on) background(() => putContent(blob, bytes));
    },

    /** The mirror stands there; `readAtMs` is from before it said so, by `performance.now()`. */
    stands(stand: Stand, readAtMs: number): void {
      if (!cache.on) return;
      const now = performance.now();
      const known = pointed?.stand.commit === stand.commit && pointed.stand.generation === stand.generation;
      // Told again from time to time, so that it outlives the answers under it.
      if (known && ahead === null && pointed !== null && now - pointed.atMs < LIMITS.cacheSeconds * 250) return;
      pointed = { stand, atMs: now };
      background(async () => {
        if (!(await point(stand, readAtMs))) pointed = null;
        const blobs = new Set((await this.late()).map(({ blob }) => blob));
        seen = blobs.size === 0 ? null : { blobs, atMs: performance.now() };
      });
    },

    /** The mirror has what the origin had at `sinceMs` or later: also late saves of before, whose writer may have died. */
    caughtUp(sinceMs: number): void {
      if (seen === null || sinceMs < seen.atMs) return;
      const { blobs } = seen;
      seen = null;
      background(() => changeLate(blobs, []));
    },

    /** Where a mirror that cannot be reached was last known to stand. */
    async head(): Promise<Stand | null> {
      return cache.on ? parsed<Stand>(await cache.get(headKey), isStand) : null;
    },

    /** Saves whose mirror step failed, within the hour; oldest first. */
    async late(): Promise<LateSave[]> {
      return (cache.on ? parsed<LateSave[]>(await cache.get(lateKey), isLate) : null) ?? [];
    },

    /** A save that the mirror has, at `stand`; or none has it, and `stand` is null. False where it could not be put there. */
    async saved(notes: SavedNote[], commit: string, stand: Stand | null): Promise<boolean> {
      if (!cache.on) return true;
      if (stand !== null) {
        const readAtMs = performance.now();
        const put = await Promise.all(notes.map(({ blob, content: bytes }) => putContent(blob, bytes)));
        return (await point(stand, readAtMs)) && put.every(Boolean);
      }
      if (await putLate(notes, commit)) return true;
      // A process that has only begun is not connected yet: it goes there before it ends.
      background(async () => (await cache.connected()) && putLate(notes, commit));
      return false;
    },

    /** The mirror has them now. */
    settled(): void {
      if (!cache.on || own.size === 0) return;
      const gone = new Set(own);
      own.clear();
      background(() => changeLate(gone, []));
    },

    /** Whether a value comes back; waits for the connection first. */
    async tries(): Promise<boolean> {
      const key = keyOf('try', randomUUID());
      const value = Buffer.from(key);
      const kept = (await cache.connected()) && (await cache.set(key, value, 60)) ? await cache.get(key) : null;
      await cache.drop(key);
      return kept !== null && value.equals(kept);
    },

    /** What went wrong last; null where nothing did. */
    failure: (): string | null => cache.failure()?.message ?? null,

    async describe(): Promise<ShelfStatus | null> {
      const status = await cache.describe();
      return status && { ...status, hits, misses };
    },

    /** Waits for what is under way, which is never long. */
    async idle(): Promise<void> {
      while (underWay.size > 0) await Promise.all(underWay);
    },

    async close(): Promise<void> {
      await this.idle();
      await cache.close();
    },
  };
}

export type Shelf = ReturnType<typeof createShelf>;

/** Where no cache is configured. */
export const NO_SHELF: Shelf = createShelf({ cache: NO_CACHE, origin: '', mirror: '', program: '' });

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value));

function parsed<T>(bytes: Uint8Array | null, is: (value: unknown) => value is T): T | null {
  if (bytes === null) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return is(value) ? value : null;
  } catch {
    return null;
  }
}

function isStand(value: unknown): value is Stand {
  const { commit, generation } = (value ?? {}) as Partial<Stand>;
  return typeof commit === 'string' && commit !== '' && Number.isSafeInteger(generation);
}

function isLate(value: unknown): value is LateSave[] {
  return (
    Array.isArray(value) &&
    value.every((each: Partial<LateSave> | null) =>
      [each?.path, each?.blob, each?.commit].every((text) => typeof text === 'string' && text !== ''),
    )
  );
}
