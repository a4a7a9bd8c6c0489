import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { LIMITS } from '../core/limits.js';

/** What an engine needs of a model. */
export interface EngineData {
  weightsPath: string;
  tokenizerPath: string;
  configPath: string;
  maxTokens: number;
}

/** `ready` once, then the vectors of each list of texts. */
export type EngineMessage = { ready: true } | { vectors: number[][] };

export interface Engine {
  /** `ended` may come twice. */
  listen(message: (message: EngineMessage) => void, ended: (error: unknown) => void): void;
  ask(text: string): void;
  /** Whether the process lives on for it. */
  ref(): void;
  unref(): void;
  terminate(): Promise<unknown>;
}

/** The built-in engine: a thread, whose file stands beside its package's entry. */
export function builtIn(workerData: EngineData): Engine {
  const path = installed('@lat.md/embed/dist/worker.js');
  if (path === null) throw new Error("Cannot find package '@lat.md/embed'");
  // Loaders and flags of whoever started us are not meant for it; stdout is the protocol's.
  const worker = new Worker(path, { workerData, execArgv: [], stdout: true });
  return {
    listen: (message, ended) => void worker.on('message', message).on('error', ended).on('exit', endOf(ended)),
    ask: (text) => worker.postMessage({ baseIndex: 0, texts: [text] }),
    ref: () => worker.ref(),
    unref: () => worker.unref(),
    terminate: () => worker.terminate(),
  };
}

/** Packages that are used where somebody has installed them. */
const FASTER = ['onnxruntime-node', '@huggingface/tokenizers'];

/** The file of the faster engine; null where its packages are not installed. It is built beside the program. */
export function findFaster(): string | null {
  if (!FASTER.every((name) => installed(name))) return null;
  const built = ['./onnx-process.js', '../../dist/onnx-process.js'].map((each) => new URL(each, import.meta.url));
  return built.map((each) => fileURLToPath(each)).find((each) => existsSync(each)) ?? null;
}

/**
 * The faster engine: a process of its own, since ONNX Runtime takes the whole process with it when a thread is ended in the
 * middle of a text. It ends with ours, however that ends.
 */
export function faster(path: string, data: EngineData): Engine {
  const child = fork(path, [JSON.stringify(data)], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const gone = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  const late = setTimeout(() => child.kill('SIGKILL'), LIMITS.engineStartMs).unref();
  child.once('message', () => clearTimeout(late));
  return {
    listen: (message, ended) => void child.on('message', message).on('error', ended).on('exit', endOf(ended)),
    // One that cannot be reached any more says so by its end.
    ask: (text) => void child.send({ texts: [text] }, () => {}),
    ref() {
      child.ref();
      child.channel?.ref();
    },
    unref() {
      child.unref();
      child.channel?.unref();
    },
    terminate() {
      child.kill('SIGKILL');
      return gone;
    },
  };
}

const endOf = (ended: (error: unknown) => void) => (code: number | null) =>
  ended(new Error(`the engine ended with ${code}`));

/** A package that gives no path to itself is found as Node finds it. */
function installed(path: string): string | null {
  const folders = createRequire(import.meta.url).resolve.paths(path) ?? [];
  return folders.map((each) => join(each, path)).find((each) => existsSync(each)) ?? null;
}
