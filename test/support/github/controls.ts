import type { Access, Accounts } from './accounts.js';
import { type Fault, primaryLimit, secondaryLimit } from './faults.js';
import type { Switches, startProxy } from './proxy.js';
import type { Author, Repository } from './repository.js';

/** null removes the path. */
export type Files = Map<string, string | Buffer | null> | Record<string, string | Buffer | null>;
export type OutsideCommit = {
  /** Another repository than the first one: `owner/name`. */
  repository?: string;
  branch?: string;
  message?: string;
  author?: Author;
  /** The commit to build on in the place of the branch's head. The branch is then moved there by force. */
  parent?: string;
  /** False makes the commit and leaves the branch. */
  move?: boolean;
};
/** The repository of this `owner/name`, or the first one. */
type Pick = (fullName?: string) => Repository;

const SOMEBODY = { name: 'Somebody', email: 'somebody@example.com' };

export function tokenControls(accounts: Accounts) {
  return {
    /** Another token for a person. */
    addToken: (login: string, access?: Access) => accounts.add(login, access),
    revokeToken: (token: string) => accounts.forget(token),
    /** Leaves a token so many requests and points, until so many seconds from now. */
    leave(token: string, remaining: number, resetInSeconds = 3600) {
      const account = accounts.behind(`token ${token}`);
      if (!account) throw new Error('no such token');
      const resetAt = Math.floor(Date.now() / 1000) + resetInSeconds;
      for (const left of [account.core, account.points]) {
        Object.assign(left, { used: left.limit - remaining, resetAt });
      }
    },
  };
}

/** What goes wrong on the way, and how slowly it goes. */
export function weather(proxy: Awaited<ReturnType<typeof startProxy>>, switches: Switches, pick: Pick) {
  const { faults } = proxy;
  return {
    fault: (fault: Fault) => faults.add(fault),
    clearFaults: () => faults.clear(),
    secondaryLimit: (seconds: number, times = 1) => faults.add({ ...secondaryLimit(seconds), times }),
    primaryLimit: (seconds: number, times = 1) => faults.add({ ...primaryLimit(seconds), times }),
    /** Adds this to every request. */
    latency(ms: number) {
      switches.latencyMs = ms;
    },
    /** Reads show branches as they were until so long after a write; writes know better. */
    lag: (ms: number, repository?: string) => pick(repository).lag(ms),
    /** Whether there is GraphQL at all. */
    setGraphQL(on: boolean) {
      switches.graphql = on;
    },
    /** Refuses connections and cuts those there are. */
    down: proxy.down,
    /** Listens again, at the same address. */
    up: proxy.up,
  };
}

export function contentControls(pick: Pick) {
  async function commitOutside(files: Files, how: OutsideCommit = {}): Promise<string> {
    const repository = pick(how.repository);
    const made = await repository.commit({
      branch: how.branch ?? repository.facts.default_branch,
      changes: toChanges(files),
      message: how.message ?? 'by hand',
      author: how.author ?? SOMEBODY,
      ...(how.parent === undefined ? {} : { parent: how.parent }),
      ...(how.move === undefined ? {} : { move: how.move }),
    });
    return made.sha;
  }

  return {
    /** A commit by somebody else. Returns its id. */
    commitOutside,
    /** The same for a great many files. */
    seed: (files: Files, how: OutsideCommit = {}) => commitOutside(files, { message: 'seed', ...how }),
    /** The true head of a branch, whatever its readers see. */
    head: (branch?: string, repository?: string) => headOf(pick(repository), branch),
    files: (branch?: string, repository?: string) => filesOf(pick(repository), branch),
    history: (branch?: string, repository?: string) => historyOf(pick(repository), branch),
  };
}

export function branchControls(pick: Pick) {
  /** Asks the emulator itself, then looks where its branches are. */
  const move = (repository: Repository, method: string, path: string, body?: unknown) =>
    repository.exclusively(async () => {
      await repository.api(method, path, body);
      await repository.reloadBranches();
    });
  return {
    forcePush: (branch: string, sha: string, repository?: string) =>
      move(pick(repository), 'PATCH', `/git/refs/heads/${branch}`, { sha, force: true }),
    createBranch: (branch: string, sha: string, repository?: string) =>
      move(pick(repository), 'POST', '/git/refs', { ref: `refs/heads/${branch}`, sha }),
    deleteBranch: (branch: string, repository?: string) =>
      move(pick(repository), 'DELETE', `/git/refs/heads/${branch}`),
    async renameBranch(from: string, to: string, name?: string) {
      const repository = pick(name);
      await move(repository, 'POST', '/git/refs', { ref: `refs/heads/${to}`, sha: headOf(repository, from) });
      if (repository.facts.default_branch === from) await repository.change({ default_branch: to });
      await move(repository, 'DELETE', `/git/refs/heads/${from}`);
    },
    /** Nobody pushes there any more, its owner included. */
    protectBranch: (branch: string, repository?: string) =>
      pick(repository).api('PUT', `/branches/${branch}/protection`, {
        required_status_checks: null,
        enforce_admins: true,
        required_pull_request_reviews: { required_approving_review_count: 1 },
        restrictions: null,
      }),
    unprotectBranch: (branch: string, repository?: string) =>
      pick(repository).api('DELETE', `/branches/${branch}/protection`),
  };
}

export function settingControls(pick: Pick) {
  return {
    setPublic: (isPublic = true, repository?: string) => pick(repository).change({ private: !isPublic }),
    setArchived: (archived = true, repository?: string) => pick(repository).change({ archived }),
    setDisabled: (disabled = true, repository?: string) => pick(repository).change({ disabled }),
    setLocked(locked = true, repository?: string) {
      pick(repository).flags.locked = locked;
    },
  };
}

function toChanges(files: Files): Map<string, Buffer | null> {
  const pairs = files instanceof Map ? [...files] : Object.entries(files);
  return new Map(pairs.map(([path, content]) => [path, content === null ? null : Buffer.from(content)]));
}

function headOf(repository: Repository, branch = repository.facts.default_branch): string {
  const sha = repository.head(branch);
  if (sha === undefined) throw new Error(`no branch ${branch}`);
  return sha;
}

async function filesOf(repository: Repository, branch?: string): Promise<Map<string, Buffer>> {
  const { objects } = repository;
  const commit = await objects.commit(headOf(repository, branch));
  const found = new Map<string, Buffer>();
  for (const { type, path, sha } of await objects.walk(commit?.tree ?? '')) {
    if (type === 'blob') found.set(path, (await objects.blob(sha)) as Buffer);
  }
  return found;
}

/** Commits newest first; `files` are the paths that differ from the first parent. */
async function historyOf(repository: Repository, branch?: string) {
  const { objects } = repository;
  const described = [];
  for (const commit of await objects.history(headOf(repository, branch))) {
    const parent = commit.parents[0] === undefined ? undefined : await objects.commit(commit.parents[0]);
    const files = await objects.difference(parent?.tree, commit.tree);
    described.push({ ...commit, files: [...files.keys()].sort() });
  }
  return described;
}
