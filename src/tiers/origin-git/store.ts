import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MemoryError } from '../../core/errors.js';
import type { HashAlgorithm } from '../../core/hash.js';
import { LIMITS } from '../../core/limits.js';
import { type GitResult, gitFailed, runGit } from './git.js';
import { type GitObject, makePack } from './objects.js';
import type { ObjectReader } from './reader.js';

const GC_PID_MS = 12 * 60 * 60 * 1000;
const KEPT = 'strata-memory: while git gc runs';

export interface StoreOptions {
  gitDir: string;
  algorithm: HashAlgorithm;
  checks: ObjectReader;
}

/** Writes objects so that they are on the disk and stay there. */
export function createStore({ gitDir, algorithm, checks }: StoreOptions) {
  const packs = join(gitDir, 'objects', 'pack');
  // An earlier process may have left some.
  let mayHaveKept = true;
  /** The commit whose pack was kept last. */
  let kept: string | undefined;

  /**
   * Writes objects that no branch names yet. A `git gc --prune=now` deletes such loose objects if it looked at the
   * branches before: now, or in a minute. One that has ended is found out here and its work undone; one that still runs
   * gets a pack which it leaves alone, since prune deletes no packs and repack none with a `.keep` beside it.
   * Throws `refused` where the repository cannot be written.
   */
  async function write(made: GitObject[]): Promise<void> {
    await loose(made);
    await secure(made);
  }

  /** To be called again once a branch names them: a collection may have begun in between. */
  async function protect(made: GitObject[]): Promise<void> {
    const collecting = await secure(made);
    if (!collecting && mayHaveKept) releaseKept();
  }

  async function secure(made: GitObject[]): Promise<boolean> {
    const collecting = isCollecting();
    const tip = made.at(-1)?.id;
    if (collecting && tip !== kept) {
      await feed(['index-pack', '--stdin', `--keep=${KEPT}`], made);
      mayHaveKept = true;
      kept = tip;
    }
    for (let attempt = 0; await missing(made); attempt++) {
      if (attempt >= LIMITS.saveAttempts) {
        throw new MemoryError(
          'origin_unavailable',
          'The objects of the note are written and yet not in the repository.',
          'Run `git fsck` there and save again.',
        );
      }
      await loose(made);
    }
    return collecting;
  }

  /** `gc.pid` holds the process and its machine; git itself takes one of 12 hours for dead. */
  function isCollecting(): boolean {
    const file = join(gitDir, 'gc.pid');
    try {
      const [pid, host] = readFileSync(file, 'utf8').trim().split(' ');
      if (host === hostname()) process.kill(Number(pid), 0);
      return Date.now() - statSync(file).mtimeMs < GC_PID_MS;
    } catch (error) {
      // No such file, or no such process. A process of another user's is one.
      return error instanceof Error && 'code' in error && error.code === 'EPERM';
    }
  }

  const loose = (made: GitObject[]) => feed(['unpack-objects', '-q'], made);

  /**
   * Gives git the objects as a pack. A collection takes empty folders, unfinished files and objects that git has just
   * seen away from under it: it is then simply asked again.
   */
  async function feed(command: string[], made: GitObject[]): Promise<void> {
    const input = makePack(made, algorithm);
    for (let attempt = 0; ; attempt++) {
      const result = await runGit(command, { gitDir, input });
      if (result.code === 0) return;
      const taken =
        /No such file or directory|cannot read existing object/.test(result.stderr) &&
        existsSync(join(gitDir, 'objects'));
      if (!taken || attempt >= LIMITS.saveAttempts) throw notWritten(command[0] as string, result);
    }
  }

  async function missing(made: GitObject[]): Promise<boolean> {
    return (await Promise.all(made.map((each) => checks.get(each.id)))).includes(null);
  }

  /** While nobody collects, the branches protect what they name: our packs may be repacked again. */
  function releaseKept(): void {
    mayHaveKept = false;
    kept = undefined;
    try {
      for (const name of readdirSync(packs)) {
        const file = join(packs, name);
        if (name.endsWith('.keep') && readFileSync(file, 'utf8').trim() === KEPT) rmSync(file, { force: true });
      }
    } catch {
      // Another process was faster, or this one may not: a pack that is kept longer harms nobody.
    }
  }

  return { write, protect };
}

export type Store = ReturnType<typeof createStore>;

function notWritten(what: string, result: GitResult): MemoryError {
  const forGood =
    /No space left|Disk quota|Read-only|Permission denied|unable to (create|write)|insufficient permission/i;
  if (!forGood.test(result.stderr)) return gitFailed(what, result);
  return new MemoryError(
    'refused',
    'The note could not be written: the repository is read-only or its disk is full. Nothing was saved.',
    'Free space or fix the permissions, then save again.',
    new Error(result.stderr),
  );
}
