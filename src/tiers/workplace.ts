import { execFile } from 'node:child_process';
import { basename, dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { LIMITS } from '../core/limits.js';
import { projectFromRemote, projectName } from '../core/project.js';
import type { Workplace } from '../core/workplace.js';
import { gitEnvironment } from './git-environment.js';

const run = promisify(execFile);

/** A working tree; `above` is the one that it is a submodule of. */
interface Checkout {
  top: string;
  /** The git folder that its worktrees share. */
  common: string;
  above: string | null;
  project: string | null;
}

/** Finds the project of a folder by its checkout's own git remote; a submodule's remote is its own. */
export function createWorkplace(): Workplace {
  const known = new Map<string, { at: number; checkout: Promise<Checkout | null> }>();

  async function git(folder: string, ...args: string[]): Promise<string | null> {
    try {
      const { stdout } = await run('git', ['-C', folder, '-c', 'safe.directory=*', ...args], {
        env: gitEnvironment(),
        timeout: 5_000,
        windowsHide: true,
      });
      return stdout.trim();
    } catch {
      return null;
    }
  }

  async function find(folder: string): Promise<Checkout | null> {
    const wanted = ['--show-toplevel', '--git-common-dir', ABOVE];
    const where = await git(folder, 'rev-parse', '--path-format=absolute', ...wanted);
    if (where === null) return null;
    const [top = '', common = '', above = null] = where.split('\n');
    return { top, common, above, project: await nameOf(folder, top, common) };
  }

  async function nameOf(folder: string, top: string, common: string): Promise<string | null> {
    const remotes = ((await git(folder, 'remote')) ?? '').split('\n').filter((name) => name !== '');
    const remote = await chooseRemote(folder, remotes);
    const url = remote === null ? null : await git(folder, 'ls-remote', '--get-url', remote);
    const named = url === null ? null : (remoteName(url) ?? localName(resolve(top, url.replace(/^file:\/\//, ''))));
    // Without a remote: the main checkout's folders, so that its worktrees share the name.
    return clean(named ?? localName(basename(common) === '.git' ? dirname(common) : top));
  }

  async function chooseRemote(folder: string, remotes: string[]): Promise<string | null> {
    if (remotes.length <= 1) return remotes[0] ?? null;
    if (remotes.includes('origin')) return 'origin';
    const branch = await git(folder, 'symbolic-ref', '--quiet', '--short', 'HEAD');
    const tracked = branch === null ? null : await git(folder, 'config', '--get', `branch.${branch}.remote`);
    return tracked !== null && remotes.includes(tracked) ? tracked : ([...remotes].sort()[0] ?? null);
  }

  function checkoutAt(folder: string): Promise<Checkout | null> {
    const found = known.get(folder);
    // Kept for a moment only: a session of days sees `git init` and a new remote.
    if (found && performance.now() - found.at < LIMITS.workplaceMs) return found.checkout;
    const checkout = find(folder);
    known.set(folder, { at: performance.now(), checkout });
    return checkout;
  }

  const projectAt = async (folder: string) => (await checkoutAt(folder))?.project ?? null;

  /** A submodule's further worktree lies anywhere: what is above is said of its first one. */
  async function aboveFirst(common: string): Promise<string | null> {
    if (basename(common) === '.git') return null;
    const first = await git(common, 'config', '--get', 'core.worktree');
    return first === null ? null : (await git(resolve(common, first), 'rev-parse', ABOVE)) || null;
  }

  return {
    projectAt,
    async parentAt(folder) {
      const checkout = await checkoutAt(folder);
      const above = checkout && (checkout.above ?? (await aboveFirst(checkout.common)));
      const parent = above ? await projectAt(above) : null;
      return parent === checkout?.project ? null : parent;
    },
  };
}

/** The direct superproject's working tree; nothing where there is none. */
const ABOVE = '--show-superproject-working-tree';

/** What a configured remote names. `alias:owner/repo` is a host of the user's SSH configuration, not a folder. */
function remoteName(url: string): string | null {
  return projectFromRemote(url) ?? (/^[\w-]{2,}:[^/\\]/.test(url) ? projectFromRemote(`git@${url}`) : null);
}

/** `parent/folder` of a path. */
function localName(path: string): string {
  const parts = path
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .split(/[\\/]/)
    .filter((part) => part !== '' && part !== '.');
  return parts.slice(-2).join('/');
}

/** A folder or remote may have letters that no project name has: they become dashes. */
function clean(name: string): string | null {
  const parts = name
    .split('/')
    .map((part) => part.replace(/[^\p{L}\p{N}\p{M}._\- ]+/gu, '-').replace(/^[ ]+|[. ]+$/g, ''));
  try {
    return projectName(parts.filter((part) => part !== '').join('/'));
  } catch {
    return null;
  }
}
