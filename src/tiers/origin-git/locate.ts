import { existsSync, readFileSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MemoryError } from '../../core/errors.js';
import type { HashAlgorithm } from '../../core/hash.js';
import { makeFolder } from '../folder.js';
import { gitFailed, runGit } from './git.js';

export interface Repository {
  gitDir: string;
  bare: boolean;
  algorithm: HashAlgorithm;
  /** The repository's canonical path: the same however it was named. */
  path: string;
}

/** Finds the repository at a path. Throws `config` with the remedy where there is none. */
export async function locateRepository(path: string): Promise<Repository> {
  if (!existsSync(path)) throw notUsable(`${path} does not exist`);
  if (!statSync(path).isDirectory()) throw notUsable(`${path} is a file, not a git repository`);
  const real = realpathSync(path);
  const result = await runGit([
    '-C',
    real,
    '-c',
    'safe.directory=*',
    '-c',
    'safe.bareRepository=all',
    'rev-parse',
    '--is-bare-repository',
    '--show-prefix',
    '--git-common-dir',
    '--absolute-git-dir',
  ]);
  if (result.code !== 0) {
    if (/dubious ownership/.test(result.stderr)) {
      throw notUsable(
        `${real} belongs to another user, so git refuses it`,
        `Allow it with \`git config --global --add safe.directory ${real}\`.`,
      );
    }
    throw notUsable(`${real} is no git repository`);
  }
  const [bareWord = '', prefix = '', common = ''] = result.stdout.toString('utf8').split('\n');
  if (prefix !== '') {
    throw notUsable(`${real} is a folder inside a git repository`, 'Point MEMORY_REPO at the top of the repository.');
  }
  const gitDir = realpathSync(join(common.startsWith('/') ? '' : real, common));
  const format = await runGit(['rev-parse', '--show-object-format'], { gitDir });
  const bare = bareWord === 'true';
  return {
    gitDir,
    bare,
    algorithm: format.stdout.toString('utf8').trim() === 'sha256' ? 'sha256' : 'sha1',
    path: !bare && basename(gitDir) === '.git' ? dirname(gitDir) : gitDir,
  };
}

/** Makes an empty bare repository at `path` unless one stands there; several processes may do so at once. */
export async function ensureBareRepository(path: string): Promise<void> {
  if (existsSync(join(path, 'HEAD'))) return;
  const made = `${path}.new-${process.pid}-${Date.now().toString(36)}`;
  try {
    makeFolder(dirname(path));
    const result = await runGit(['init', '--quiet', '--bare', '--template=', '--initial-branch=main', made]);
    if (result.code !== 0) throw new Error(result.stderr);
    renameSync(made, path);
  } catch (error) {
    // Below a file not even looking for leftovers works, and the first failure is the one to tell.
    if (existsSync(made)) rmSync(made, { recursive: true, force: true });
    if (existsSync(join(path, 'HEAD'))) return;
    if (error instanceof MemoryError) throw error;
    throw new MemoryError(
      'origin_unavailable',
      `No repository for the memory could be made at ${path}: the place cannot be written, or its disk is full.`,
      'Check the free space and the permissions of MEMORY_HOME, or point MEMORY_REPO at a git repository elsewhere.',
      error,
    );
  }
}

function notUsable(
  what: string,
  hint = 'Set MEMORY_REPO to a git repository, or leave it unset for one of our own. A folder of notes becomes one with `git init && git add -A && git commit -m notes`, a new one is made with `git init --bare <path>`.',
): MemoryError {
  return new MemoryError('config', `MEMORY_REPO cannot be used: ${what}.`, hint);
}

/** The branch that holds the notes: the configured one, or the repository's default. Throws `config`. */
export async function chooseBranch(
  repository: Repository,
  configured: string | undefined,
): Promise<{ branch: string; explicit: boolean }> {
  if (configured !== undefined) {
    const valid = await runGit(['check-ref-format', '--branch', configured]);
    if (valid.code !== 0) {
      throw new MemoryError(
        'config',
        'MEMORY_BRANCH is not a valid branch name.',
        'Use the name as `git branch` prints it.',
      );
    }
    return { branch: configured, explicit: true };
  }
  const { gitDir } = repository;
  const refs = await runGit(['for-each-ref', '--format=%(refname)', 'refs/heads', 'refs/remotes/origin/HEAD'], {
    gitDir,
  });
  if (refs.code !== 0) throw gitFailed('for-each-ref', refs);
  const all = refs.stdout
    .toString('utf8')
    .split('\n')
    .filter((name) => name !== '');
  const branches = all.filter((name) => name.startsWith('refs/heads/')).map((name) => name.slice('refs/heads/'.length));
  const plain = branches.filter((name) => !name.startsWith(OVERLAY));
  const symbolic = async (name: string) => {
    const result = await runGit(['symbolic-ref', '--quiet', name], { gitDir });
    return result.code === 0 ? result.stdout.toString('utf8').trim() : null;
  };
  // git does not say where HEAD points while the branch there is damaged; the file does.
  const written = /^ref: (refs\/heads\/.+)$/m.exec(textOf(join(gitDir, 'HEAD')))?.[1] ?? null;
  const head = ((await symbolic('HEAD')) ?? written)?.replace('refs/heads/', '') ?? null;
  if (repository.bare) {
    if (head !== null && (plain.includes(head) || plain.length === 0)) return { branch: head, explicit: false };
    const only = firstOf(plain, ['main', 'master']) ?? (plain.length === 1 ? plain[0] : undefined);
    if (only !== undefined) return { branch: only, explicit: false };
    throw new MemoryError(
      'config',
      'The repository has several branches and none of them is its default.',
      'Set MEMORY_BRANCH to the branch that holds the notes.',
    );
  }
  const remoteDefault = async () =>
    all.includes('refs/remotes/origin/HEAD')
      ? (await symbolic('refs/remotes/origin/HEAD'))?.replace('refs/remotes/origin/', '')
      : undefined;
  // Once notes were saved beside a branch, that is the branch, whatever the user checks out later.
  const overlaid = branches.filter((name) => name.startsWith(OVERLAY)).map((name) => name.slice(OVERLAY.length));
  if (overlaid.length > 0)
    return {
      branch: firstOf(overlaid, [await remoteDefault(), 'main', 'master', head]) ?? (overlaid[0] as string),
      explicit: false,
    };
  const remote = await remoteDefault();
  const branch =
    firstOf(plain, [remote, head, 'main', 'master']) ??
    (plain.length === 1 ? plain[0] : undefined) ??
    (plain.length === 0 ? head : null);
  if (branch === null) {
    throw new MemoryError(
      'config',
      'The repository has no branch checked out, and which one holds the notes cannot be told.',
      'Set MEMORY_BRANCH.',
    );
  }
  return { branch, explicit: false };
}

/** The name that a branch which is gone goes on under, or null: nothing says so. */
export async function renamedBranch({ gitDir, bare }: Repository, gone: string): Promise<string | null> {
  const refs = await runGit(['for-each-ref', '--format=%(refname:short)', 'refs/heads'], { gitDir });
  const names = refs.stdout.toString('utf8').split('\n');
  const others = names.filter((name) => name !== '' && name !== gone && !name.startsWith(OVERLAY));
  for (const name of others) {
    // A reflog moves with its branch, so that the first of several names is still in it.
    const log = await runGit(['reflog', 'show', '--format=%gs', '--max-count=1000', `refs/heads/${name}`], { gitDir });
    if (log.stdout.toString('utf8').includes(`renamed refs/heads/${gone} to `)) return name;
  }
  if (!bare) return null;
  const head = await runGit(['symbolic-ref', '--quiet', '--short', 'HEAD'], { gitDir });
  return firstOf(others, [head.stdout.toString('utf8').trim()]) ?? null;
}

/** In a working clone saves go to `strata-memory/<branch>`: moving a checked-out branch would disturb the user's work. */
export const OVERLAY = 'strata-memory/';

function firstOf(among: string[], wanted: (string | null | undefined)[]): string | undefined {
  return wanted.find((name): name is string => typeof name === 'string' && among.includes(name));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
