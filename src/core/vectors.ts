import { bestThree, createMatrix, type Located, locate, type Matrix, type Names, packNames } from '../search/matrix.js';
import { explain } from './errors.js';
import { collectGarbage } from './garbage.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import type { Mirror } from './ports.js';
import type { Semantics } from './searcher.js';
import type { Embedder } from './vector-ports.js';
import { within } from './within.js';

export interface VectorsOptions {
  mirror: Pick<Mirror, 'vectors' | 'dropVectors' | 'comparable'>;
  embedder: Embedder;
  log: Log;
  /** Vectors were found damaged and taken away: they are to be made again. */
  lost?: () => void;
  /** Without a search for so long the vectors leave the memory. */
  idleMs?: number;
}

interface Numbered {
  row: number;
  name: Uint8Array;
}

/**
 * Reads rows that are only ever added, each once, a portion at a time. Where the last one is no longer what it was (some
 * were taken away, or the mirror was made anew) it calls `begin` and reads all again.
 */
export function createFollower<R extends Numbered>(
  page: (fromRow: number, limit: number) => Promise<R[]>,
  { begin, take }: { begin(): void; take(row: R): void },
) {
  let last: Numbered | undefined;
  let running: Promise<void> | undefined;

  async function follow(): Promise<void> {
    for (;;) {
      const rows = await page(last?.row ?? 0, LIMITS.vectorRows);
      const [first] = rows;
      const known = last !== undefined && first?.row === last.row && Buffer.compare(first.name, last.name) === 0;
      if (last !== undefined && !known) {
        last = undefined;
        begin();
        continue;
      }
      for (const row of known ? rows.slice(1) : rows) take(row);
      last = rows.at(-1) ?? last;
      if (rows.length < LIMITS.vectorRows) return;
      // A turn for everybody else.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  return {
    /** Up to what is there now; a call while one runs waits for that one. */
    catchUp(): Promise<void> {
      running ??= follow().finally(() => {
        running = undefined;
      });
      return running;
    },
    /** Reads all again the next time. */
    forget(): void {
      last = undefined;
      begin();
    },
    get row() {
      return last?.row ?? 0;
    },
  };
}

/**
 * The vectors of the mirror in memory, from the first search on until nobody searches any more. A database that can
 * compare by itself answers for as long as they are not: then the second search loads them, and no search waits for it.
 */
export function createVectors({ mirror, embedder, log, lost, idleMs = LIMITS.modelIdleMs }: VectorsOptions) {
  let matrix = createMatrix(embedder.dimensions);
  let follower = followed();
  /** Rows that are not what was kept. */
  const damaged: number[] = [];
  /** Where the passages of the documents last asked about are: the same documents are asked about again and again. */
  let located: { of: readonly unknown[]; names: Names; size: number; at: Located } | undefined;
  /** All vectors are in memory, but for those that were made since. */
  let loaded = false;
  /** The last row of those that the database compares; 0: there is none, or they are compared here. */
  let theirs = 0;
  /** Searches that were begun since the vectors were last let go of. */
  let searches = 0;
  let idle: NodeJS.Timeout | undefined;
  let told = '';
  /** What failed is not tried again for a while: searches need not wait for it twice. */
  let restUntil = 0;

  function followed() {
    return createFollower((fromRow, limit) => mirror.vectors(embedder.model, fromRow, limit), {
      begin() {
        matrix = createMatrix(embedder.dimensions);
      },
      take({ row, name, vector }) {
        if (vector.length > 0) matrix.add(name, vector);
        else damaged.push(row);
      },
    });
  }

  async function catchUp(): Promise<void> {
    await follower.catchUp();
    if (damaged.length === 0) return;
    log.warn('vectors damaged', { vectors: damaged.length });
    await mirror.dropVectors(damaged.splice(0));
    lost?.();
  }

  function letGo(): void {
    clearTimeout(idle);
    matrix = createMatrix(embedder.dimensions);
    follower = followed();
    located = undefined;
    loaded = false;
    searches = 0;
  }

  async function load(): Promise<void> {
    const mine = follower;
    await catchUp();
    if (mine === follower) [loaded, theirs] = [true, 0];
  }

  /** Null where it fails or takes too long: the search goes on without. */
  async function bounded<T>(work: () => Promise<T>): Promise<T | null> {
    if (performance.now() < restUntil) return null;
    clearTimeout(idle);
    try {
      return await within(LIMITS.embedQueryMs, work());
    } catch (error) {
      restUntil = performance.now() + LIMITS.embedRestMs;
      const why = explain(error);
      if (why !== told) log.warn('meaning not compared', { why });
      told = why;
      return null;
    } finally {
      clearTimeout(idle);
      idle = setTimeout(() => {
        letGo();
        collectGarbage();
      }, idleMs).unref();
    }
  }

  const scanned = ({ names, cosines }: Matrix, query: Float32Array) => ({ names, cosines: cosines(query), row: 0 });

  const semantics: Semantics = {
    async ready() {
      await bounded(async () => {
        theirs = loaded ? 0 : ((await mirror.comparable(embedder.model)) ?? 0);
        if (theirs === 0) await load();
        else if (searches++ > 0) void bounded(load);
      });
    },
    async compare(text, documents, cosines) {
      const [at, last] = [matrix, theirs];
      // Without a vector to compare with, the model is not loaded.
      if (last === 0 && at.names.size === 0) return null;
      return bounded(async () => {
        const query = await embedder.query(text);
        const all = last === 0 ? scanned(at, query) : await cosines?.(embedder.model, query);
        // A replica may not have all of them yet.
        if (!all || all.row < last) return null;
        const { names } = all;
        if (located?.names !== names || located.of !== documents || located.size !== names.size)
          located = { of: documents, names, size: names.size, at: locate(names, documents) };
        return {
          best: bestThree(located.at, all.cosines),
          passage: (name) => all.cosines[names.rowOf(packNames([name]))] ?? Number.NaN,
        };
      });
    },
    state: () => `${embedder.model} ${theirs || follower.row}`,
  };
  return { ...semantics, close: letGo };
}
