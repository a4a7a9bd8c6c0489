import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { type Chunk, chunksOf } from '../search/chunk.js';
import { createNames, NAME_BYTES, packNames, packVector } from '../search/matrix.js';
import { decodeText } from './documents.js';
import { explain } from './errors.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import { reach } from './points.js';
import type { Mirror, Mutex } from './ports.js';
import type { Embedder, EmbedderState, NamedVector, Passages } from './vector-ports.js';
import { createFollower } from './vectors.js';

export interface EmbeddingOptions {
  mirror: Mirror;
  embedder: Embedder;
  mutex: Mutex;
  log: Log;
  settleMs?: number;
  lookMs?: number;
}

/** How far embedding is. */
export interface EmbeddingState {
  model: string;
  state: EmbedderState;
  /** Passages of all documents, and those of them that have a vector. */
  passages: number;
  embedded: number;
  /** This process is at it. */
  working: boolean;
}

/** `elsewhere`: another process of this machine is at it. */
type Pass = 'done' | 'elsewhere' | 'failed';

/**
 * Gives every passage its vector, in the background: newest notes first, one text at a time, by one process of a machine.
 * What is done is kept a few vectors at a time: a process that dies loses those.
 */
export function createEmbedding(options: EmbeddingOptions) {
  const { mirror, embedder, mutex, log, settleMs = LIMITS.embedSettleMs, lookMs = LIMITS.embedLookMs } = options;
  const stop = new AbortController();
  let names = createNames();
  const follower = createFollower((fromRow, limit) => mirror.vectorNames(embedder.model, fromRow, limit), {
    begin() {
      names = createNames();
    },
    take: ({ name }) => void names.add(name),
  });
  /** Passages that the model could not take, and those whose document says otherwise than its text: not again. */
  const left = createNames();
  let failures = 0;
  /** There may be newer notes than those at hand. */
  let newer = false;
  /** All was embedded at this generation. */
  let doneAt: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<Pass> | undefined;
  let started = false;

  async function* documents(): AsyncGenerator<Passages> {
    let after: Passages | null = null;
    do {
      const page: Passages[] = await mirror.passages(after, LIMITS.vectorRows);
      yield* page;
      after = page.length < LIMITS.vectorRows ? null : (page.at(-1) ?? null);
      await new Promise((resolve) => setImmediate(resolve));
    } while (after !== null);
  }

  function missing({ chunks }: Pick<Passages, 'chunks'>): Set<string> {
    const found = new Set<string>();
    for (let at = 0; at < chunks.length; at += NAME_BYTES)
      if (names.rowOf(chunks, at) < 0 && left.rowOf(chunks, at) < 0)
        found.add(Buffer.from(chunks.subarray(at, at + NAME_BYTES)).toString('hex'));
    return found;
  }

  /** One text; null where the model cannot take it. Throws where it takes none. */
  async function vectorOf({ name, text }: Chunk): Promise<NamedVector | null> {
    const startedAt = performance.now();
    try {
      const vector = await embedder.passage(text, stop.signal);
      failures = 0;
      // Of a single core half is left to others.
      if (availableParallelism() < 2)
        await delay(performance.now() - startedAt, undefined, { ref: false, signal: stop.signal });
      return { name: packNames([name]), vector: packVector(vector) };
    } catch (error) {
      if (stop.signal.aborted || ++failures >= LIMITS.embedFailures) throw error;
      log.warn('passage not embedded', { why: explain(error) });
      left.add(packNames([name]));
      return null;
    }
  }

  async function keep(made: NamedVector[]): Promise<void> {
    if (made.length === 0) return;
    await mirror.keepVectors(embedder.model, made.splice(0));
    reach('embed:after-keep');
    await follower.catchUp();
  }

  /** Everything that has no vector yet, by one walk from the newest note to the oldest; begins anew when newer ones come. */
  async function walk(): Promise<void> {
    const made: NamedVector[] = [];
    do {
      newer = false;
      await follower.catchUp();
      for await (const document of documents()) {
        const wanted = missing(document);
        if (wanted.size === 0) continue;
        const bytes = await mirror.bytesOf(document.doc);
        const chunks = bytes ? chunksOf(decodeText(bytes).text) : [];
        for (const chunk of chunks) {
          // The same passage may stand twice in a note.
          if (!wanted.delete(chunk.name)) continue;
          const vector = await vectorOf(chunk);
          if (vector) made.push(vector);
          if (made.length >= LIMITS.keptVectors) await keep(made);
          stop.signal.throwIfAborted();
        }
        // A text that stays at the origin, or is cut in another way than when it was indexed.
        for (const name of wanted) left.add(packNames([name]));
        if (newer) break;
      }
      await keep(made);
    } while (newer);
  }

  /** Takes away the vectors of passages that no document has any more, and those of other models. */
  async function sweep(): Promise<void> {
    const used = createNames();
    for await (const { chunks } of documents())
      for (let at = 0; at < chunks.length; at += NAME_BYTES) used.add(chunks, at);
    for (let from = 0, full = true; full; ) {
      stop.signal.throwIfAborted();
      const rows = await mirror.vectorNames(embedder.model, from, LIMITS.vectorRows);
      const unused = rows.filter(({ name }) => used.rowOf(name) < 0).map(({ row }) => row);
      if (unused.length > 0) await mirror.dropVectors(unused);
      full = rows.length === LIMITS.vectorRows;
      from = (rows.at(-1)?.row ?? from) + 1;
    }
    while ((await mirror.dropOtherModels(embedder.model, LIMITS.vectorRows)) > 0) stop.signal.throwIfAborted();
  }

  /** Once a week, by whoever comes first. */
  async function sweepSometimes(): Promise<void> {
    const wish = { name: 'vectors', holder: randomUUID(), ttlMs: LIMITS.leaseMs };
    const taken = await mirror.acquire({ ...wish, restMs: LIMITS.retentionMs, failedRestMs: 0 });
    if (taken === null) return;
    await sweep();
    await mirror.release(wish.name, wish.holder, { outcome: 'ok', note: '' });
  }

  async function pass(): Promise<Pass> {
    newer = false;
    const release = await mutex.acquire('embedding', 0, stop.signal);
    if (release === null) return 'elsewhere';
    try {
      const { generation } = await mirror.snapshot((view) => view.state());
      if (generation === doneAt) return 'done';
      await walk();
      doneAt = generation;
      await sweepSometimes();
      return 'done';
    } finally {
      release();
    }
  }

  /** Never throws. */
  function work(): Promise<Pass> {
    working ??= pass()
      .catch((error): Pass => {
        failures = 0;
        if (!stop.signal.aborted) log.warn('embedding', { why: explain(error) });
        return 'failed';
      })
      .finally(() => {
        working = undefined;
        plan(newer ? settleMs : lookMs);
      });
    return working;
  }

  function plan(waitMs: number): void {
    clearTimeout(timer);
    if (started && !stop.signal.aborted) timer = setTimeout(() => void work(), waitMs).unref();
  }

  return {
    /** For servers: from now on what is missing is made. */
    start(): void {
      started = true;
      plan(settleMs);
    },

    /** The mirror has changed. */
    changed(): void {
      newer = true;
      if (working === undefined) plan(settleMs);
    },

    /** Vectors that were there are gone: they are made again. */
    lost(): void {
      follower.forget();
      doneAt = undefined;
      this.changed();
    },

    /** Makes what is missing, now; for servers this happens by itself. */
    work,

    async describe(): Promise<EmbeddingState> {
      await follower.catchUp();
      let passages = 0;
      let embedded = 0;
      for await (const { chunks } of documents()) {
        passages += chunks.length / NAME_BYTES;
        for (let at = 0; at < chunks.length; at += NAME_BYTES) if (names.rowOf(chunks, at) >= 0) embedded++;
      }
      const { model } = embedder;
      return { model, state: embedder.state(), passages, embedded, working: working !== undefined };
    },

    async close(): Promise<void> {
      stop.abort();
      clearTimeout(timer);
      await working;
    },
  };
}

export type Embedding = ReturnType<typeof createEmbedding>;
