import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryError } from '../../core/errors.js';
import type { HashAlgorithm } from '../../core/hash.js';
import { LIMITS } from '../../core/limits.js';
import { gitFailed, runGit } from './git.js';
import type { ObjectReader } from './reader.js';

export interface RefsOptions {
  gitDir: string;
  bare: boolean;
  algorithm: HashAlgorithm;
  objects: ObjectReader;
}

export interface Move {
  ref: string;
  to: string;
  old: string | null;
  timeoutMs: number;
  /** Writes the objects of `to` again, where a collection beside us has taken them before the branch named them. */
  rewrite(): Promise<void>;
}

/** Moves branches, and knows which ones are somebody's work. */
export function createRefs({ gitDir, bare, algorithm, objects }: RefsOptions) {
  const zero = '0'.repeat(algorithm === 'sha256' ? 64 : 40);

  async function isAncestor(ancestor: string, of: string): Promise<boolean> {
    return (await runGit(['merge-base', '--is-ancestor', ancestor, of], { gitDir })).code === 0;
  }

  /** git's compare-and-swap. False where the ref was not at `old`, or somebody holds its lock. */
  async function move({ ref, to, old, timeoutMs, rewrite }: Move): Promise<boolean> {
    for (let attempt = 0; ; attempt++) {
      const result = await runGit(['update-ref', '-m', 'strata-memory', ref, to, old ?? zero], { gitDir, timeoutMs });
      if (result.code === 0) return true;
      if ((await objects.get(ref))?.id === to) return true;
      if (result.timedOut) {
        // The process is dead, so nothing lands any more; what did land may have been built upon already.
        if (await isAncestor(to, ref)) return true;
        throw new MemoryError('deadline', 'git did not move the branch in time. Nothing was saved.', 'Save again.');
      }
      if (/is at .* but expected|reference already exists|unable to resolve reference/i.test(result.stderr))
        return false;
      if (/nonexistent object/.test(result.stderr) && attempt < 5) {
        await rewrite();
        continue;
      }
      const locked = /Unable to create '(.+?\.lock)'/.exec(result.stderr)?.[1];
      if (!locked || !/File exists/.test(result.stderr)) throw notMoved(ref, result.stderr);
      if (attempt > 0 || !clearStaleLock(locked)) return false;
    }
  }

  /** Whether a ref is written down at all, readable or not: as a file of its own or among the packed ones. */
  function isNamed(ref: string): boolean {
    if (statSync(join(gitDir, ref), { throwIfNoEntry: false })?.isFile()) return true;
    try {
      return readFileSync(join(gitDir, 'packed-refs'), 'utf8')
        .split('\n')
        .some((line) => line.endsWith(` ${ref}`));
    } catch {
      return false;
    }
  }

  /** A lock that outlived its holder is removed; a young one is somebody at work. */
  function clearStaleLock(path: string): boolean {
    try {
      const full = path.startsWith('/') ? path : join(gitDir, path);
      if (Date.now() - statSync(full).mtimeMs < LIMITS.staleLockMs) return false;
      rmSync(full);
    } catch {
      // Gone already: that is what was wanted.
    }
    return true;
  }

  /** The branches that some work tree has checked out, or is rebasing. */
  async function checkedOut(): Promise<Set<string>> {
    // A process less for every save where there can be none.
    if (bare && !existsSync(join(gitDir, 'worktrees'))) return new Set();
    const result = await runGit(['worktree', 'list', '--porcelain'], { gitDir });
    if (result.code !== 0) throw gitFailed('worktree list', result);
    const refs = [...result.stdout.toString('utf8').matchAll(/^branch (.+)$/gm)].map((match) => match[1] as string);
    // During a rebase HEAD is detached, and at its end git moves the branch from where it was.
    const folders = [gitDir, ...namesIn(join(gitDir, 'worktrees')).map((name) => join(gitDir, 'worktrees', name))];
    for (const folder of folders) {
      for (const state of ['rebase-merge', 'rebase-apply']) {
        const ref = lineOf(join(folder, state, 'head-name'));
        if (ref !== null) refs.push(ref);
      }
    }
    return new Set(refs);
  }

  return { isNamed, move, checkedOut, isAncestor };
}

export type Refs = ReturnType<typeof createRefs>;

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function lineOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}

function notMoved(ref: string, stderr: string): MemoryError {
  return new MemoryError(
    'refused',
    'The branch could not be moved to the new note. Nothing was saved.',
    `Check that ${ref} can be written (permissions, disk space, a branch of a colliding name).`,
    new Error(stderr),
  );
}
