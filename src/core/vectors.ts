import { bestThree, createMatrix, type Matrix, packNames } from '../search/matrix.js';
import { explain } from './errors.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import type { Mirror } from './ports.js';
import type { Semantics } from './searcher.js';
import type { Embedder } from './vector-ports.js';
import { within } from './within.js';

/** What a query means beside the passages. */
export interface Meaning extends Semantics {
  /** Changes whenever more is embedded: part of an answer's name in the cache. */
  version: string;
}

export interface VectorsOptions {
  mirror: Pick<Mirror, 'vectors'>;
  embedder: Embedder;
  log: Log;
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
    get row() {
      return last?.row ?? 0;
    },
  };
}

/** The vectors of the mirror in memory, from the first search on until nobody searches any more. */
export function createVectors({ mirror, embedder, log, idleMs = LIMITS.modelIdleMs }: VectorsOptions) {
  let held: ReturnType<typeof hold> | undefined;
  let idle: NodeJS.Timeout | undefined;
  let told = '';

  function hold() {
    let matrix = createMatrix(embedder.dimensions);
    const follower = createFollower((fromRow, limit) => mirror.vectors(embedder.model, fromRow, limit), {
      begin() {
        matrix = createMatrix(embedder.dimensions);
      },
      take: ({ name, vector }) => matrix.add(name, vector),
    });
    return { follower, matrix: () => matrix };
  }

  async function compare(query: string): Promise<Meaning | null> {
    // Nothing is loaded where nothing is embedded.
    if (held === undefined && (await mirror.vectors(embedder.model, 0, 1)).length === 0) return null;
    held ??= hold();
    const { follower, matrix } = held;
    const [vector] = await Promise.all([embedder.query(query), follower.catchUp()]);
    return meaningOf(matrix(), vector, `${embedder.model}:${follower.row}`);
  }

  return {
    /** Null where nothing is embedded, or the model does not answer in time: then words alone speak. Never throws. */
    async of(query: string): Promise<Meaning | null> {
      clearTimeout(idle);
      try {
        return await within(LIMITS.embedQueryMs, compare(query));
      } catch (error) {
        const why = explain(error);
        if (why !== told) log.warn('meaning not compared', { why });
        told = why;
        return null;
      } finally {
        clearTimeout(idle);
        idle = setTimeout(() => {
          held = undefined;
        }, idleMs).unref();
      }
    },
    close(): void {
      clearTimeout(idle);
      held = undefined;
    },
  };
}

export type Vectors = ReturnType<typeof createVectors>;

function meaningOf(matrix: Matrix, query: Float32Array, version: string): Meaning {
  const cosines = matrix.cosines(query);
  return {
    version,
    nearness: (documents) => bestThree(matrix.names, cosines, documents),
    passage: (name) => cosines[matrix.names.rowOf(packNames([name]))] ?? Number.NaN,
  };
}
