import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { MemoryError } from '../../core/errors.js';
import { LIMITS } from '../../core/limits.js';
import { gitMissing, spawnGit } from './git.js';

export interface FoundObject {
  id: string;
  type: string;
  size: number;
  /** Empty from `batch-check`. */
  bytes: Buffer;
}

interface Waiting {
  resolve(found: FoundObject | null): void;
  reject(error: unknown): void;
  timer: NodeJS.Timeout;
}

/**
 * One long-lived `git cat-file --batch` (or `--batch-check`): an answer in a fraction of a millisecond where starting
 * git takes four. It ends by itself when our end of its pipe closes, however we die.
 */
export function createObjectReader(gitDir: string, mode: 'batch' | 'batch-check') {
  let child: ChildProcessWithoutNullStreams | undefined;
  let waiting: Waiting[] = [];
  let chunks: Buffer[] = [];
  let buffered = 0;
  let needed = 0;

  function stop(error: unknown): void {
    child?.kill();
    child = undefined;
    chunks = [];
    buffered = needed = 0;
    const failed = waiting;
    waiting = [];
    for (const each of failed) {
      clearTimeout(each.timer);
      each.reject(error);
    }
  }

  function start(): ChildProcessWithoutNullStreams {
    const started = spawnGit(['cat-file', `--${mode}`], gitDir);
    started.stdout.on('data', (chunk: Buffer) => {
      if (started !== child) return;
      chunks.push(chunk);
      buffered += chunk.length;
      if (buffered >= needed) take();
    });
    started.stderr.resume();
    started.stdin.on('error', () => {});
    started.once('error', (error) => started === child && stop(gitMissing(error)));
    started.once('close', () => started === child && stop(unavailable('git cat-file ended')));
    return started;
  }

  /** Takes whole answers off the front of what has arrived. */
  function take(): void {
    let data = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    needed = 0;
    for (;;) {
      const end = data.indexOf(0x0a);
      if (end === -1) break;
      const [id = '', type = '', size = ''] = data.toString('utf8', 0, end).split(' ');
      const found = /^[0-9a-f]{40,64}$/.test(id) && /^\d+$/.test(size);
      const length = found && mode === 'batch' ? Number(size) + 1 : 0;
      if (data.length < end + 1 + length) {
        needed = end + 1 + length;
        break;
      }
      const bytes = length > 0 ? Buffer.from(data.subarray(end + 1, end + length)) : Buffer.alloc(0);
      data = data.subarray(end + 1 + length);
      const next = waiting.shift();
      if (next) clearTimeout(next.timer);
      next?.resolve(found ? { id, type, size: Number(size), bytes } : null);
    }
    chunks = data.length > 0 ? [data] : [];
    buffered = data.length;
  }

  function ask(name: string): Promise<FoundObject | null> {
    child ??= start();
    const { stdin } = child;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => stop(unavailable('git cat-file did not answer')), LIMITS.gitCommandMs);
      waiting.push({ resolve, reject, timer });
      stdin.write(`${name}\n`);
    });
  }

  return {
    /** An object by id or full ref name; null where there is none. A reader that died is started again, once. */
    async get(name: string): Promise<FoundObject | null> {
      if (/[\n\0]/.test(name)) return null;
      try {
        return await ask(name);
      } catch {
        return ask(name);
      }
    },
    close(): void {
      const closing = child;
      child = undefined;
      stop(unavailable('the origin is closed'));
      closing?.stdin.end();
      closing?.kill();
    },
  };
}

export type ObjectReader = ReturnType<typeof createObjectReader>;

function unavailable(why: string): MemoryError {
  return new MemoryError(
    'origin_unavailable',
    `The memory's repository could not be read: ${why}.`,
    'Check that the repository still exists; run `git fsck` in it.',
  );
}
