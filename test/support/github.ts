import { type Access, createAccounts } from './github/accounts.js';
import { startEmulator } from './github/emulator.js';
import { type Fault, primaryLimit, secondaryLimit } from './github/faults.js';
import { createGitHttp, gitAnswer } from './github/git-http.js';
import { startProxy } from './github/proxy.js';
import type { Author, Repository } from './github/repository.js';
import type { Site } from './github/rest.js';
import { createRepositories, type NewRepository } from './github/site.js';

export type { Fault, FaultKind } from './github/faults.js';
export type { Logged } from './github/proxy.js';

/** null removes the path. */
export type Files = Map<string, string | Buffer | null> | Record<string, string | Buffer | null>;
export type GitHubOptions = Partial<Omit<NewRepository, 'name'>> & {
  repo?: string;
  /** Further people: they may see public repositories and their own. */
  people?: string[];
  organisations?: string[];
  /** Requests an hour, and GraphQL points an hour, of each token. */
  budget?: number;
  /** Entries above which a recursive tree says `truncated`. GitHub's is 100,000. */
  treeLimit?: number;
  graphql?: boolean;
};
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

const SOMEBODY = { name: 'Somebody', email: 'somebody@example.com' };

/**
 * A GitHub Enterprise to test against: REST at `apiUrl`, GraphQL beside it, on an ephemeral port of this machine.
 * It begins with one repository, `owner/repo`, and one token that may do everything there. What is asked through
 * this object goes past the log, the budgets and the faults.
 */
export async function startGitHub(options: GitHubOptions = {}) {
  const { owner = 'ann', repo = 'notes', people = ['stranger'], organisations = ['acme'], budget = 5000 } = options;
  const switches = { graphql: options.graphql ?? true, latencyMs: 0 };
  const operator = organisations.includes(owner) ? 'ann' : owner;
  const accounts = createAccounts(budget);
  const proxy = await startProxy(accounts, switches);
  const emulator = await startEmulator([operator, ...people], organisations);
  const repositories = createRepositories(emulator, operator, organisations);
  const { url, log, faults } = proxy;
  const apiUrl = `${url}/api/v3`;
  const { adopt, byId, find } = repositories;
  const http = createGitHttp();
  const treeLimit = options.treeLimit ?? 100_000;
  const site: Site = {
    ...{ url, apiUrl, emulator, treeLimit, adopt, byId, find },
    git: (account, asked) => gitAnswer(site, http, account, asked),
  };
  proxy.serve(site);
  const { empty, archived, defaultBranch } = options;
  const first = await repositories.create({
    owner,
    name: repo,
    private: options.private ?? true,
    ...(empty === undefined ? {} : { empty }),
    ...(archived === undefined ? {} : { archived }),
    ...(defaultBranch === undefined ? {} : { defaultBranch }),
  });
  const tokens = {
    full: accounts.add(operator),
    readOnly: accounts.add(operator, 'read'),
    expired: accounts.add(operator, 'expired'),
    sso: accounts.add(operator, 'sso'),
    stranger: accounts.add(people[0] ?? operator),
  };

  /** A repository by `owner/name`; the first one where it is left out. */
  function pick(fullName?: string): Repository {
    const found = fullName === undefined ? first : repositories.byName(fullName);
    if (!found) throw new Error(`no repository ${fullName}`);
    return found;
  }

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
    url,
    apiUrl,
    graphqlUrl: `${url}/api/graphql`,
    token: tokens.full,
    tokens,
    owner,
    repo,
    /** Every request so far, oldest first. */
    log,
    clearLog: () => log.splice(0),
    /** Another token for a person. */
    addToken: (login: string, access?: Access) => accounts.add(login, access),
    revokeToken: (token: string) => accounts.forget(token),
    /** Leaves a token so many requests and points, until so many seconds from now. */
    leave(token: string, remaining: number, resetInSeconds = 3600) {
      const account = accounts.behind(`token ${token}`);
      const resetAt = Math.floor(Date.now() / 1000) + resetInSeconds;
      for (const left of account ? [account.core, account.points] : []) {
        Object.assign(left, { used: left.limit - remaining, resetAt });
      }
    },

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
    async close() {
      await proxy.down();
      await emulator.close();
      http.close();
    },

    createRepo: async (wanted: NewRepository) => (await repositories.create(wanted)).facts.full_name,
    /** A commit by somebody else. Returns its id. */
    commitOutside,
    /** The same for a great many files. */
    seed: (files: Files, how: OutsideCommit = {}) => commitOutside(files, { message: 'seed', ...how }),
    head: (branch?: string, repository?: string) => headOf(pick(repository), branch),
    files: (branch?: string, repository?: string) => filesOf(pick(repository), branch),
    history: (branch?: string, repository?: string) => historyOf(pick(repository), branch),
    async forcePush(branch: string, sha: string, repository?: string) {
      await pick(repository).api('PATCH', `/git/refs/heads/${branch}`, { sha, force: true });
      await pick(repository).reloadBranches();
    },
    async createBranch(branch: string, sha: string, repository?: string) {
      await pick(repository).api('POST', '/git/refs', { ref: `refs/heads/${branch}`, sha });
      await pick(repository).reloadBranches();
    },
    async deleteBranch(branch: string, repository?: string) {
      await pick(repository).api('DELETE', `/git/refs/heads/${branch}`);
      await pick(repository).reloadBranches();
    },
    renameBranch: (from: string, to: string, repository?: string) => renameBranch(pick(repository), from, to),
    renameRepo: (name: string, repository?: string) => repositories.rename(pick(repository), name),
    setPublic: (isPublic = true, repository?: string) => pick(repository).change({ private: !isPublic }),
    setArchived: (archived = true, repository?: string) => pick(repository).change({ archived }),
    setDisabled: (disabled = true, repository?: string) => pick(repository).change({ disabled }),
    setLocked(locked = true, repository?: string) {
      pick(repository).flags.locked = locked;
    },
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

export type GitHub = Awaited<ReturnType<typeof startGitHub>>;

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
  const paths = async (sha: string | undefined) => {
    const commit = sha === undefined ? undefined : await objects.commit(sha);
    const all = commit ? await objects.walk(commit.tree) : [];
    return new Map(all.filter(({ type }) => type === 'blob').map(({ path, sha: id }) => [path, id]));
  };
  const commits = await objects.history(headOf(repository, branch));
  const described = [];
  for (const commit of commits) {
    const [before, after] = [await paths(commit.parents[0]), await paths(commit.sha)];
    const files = [...new Set([...before.keys(), ...after.keys()])].filter(
      (path) => before.get(path) !== after.get(path),
    );
    described.push({ ...commit, files: files.sort() });
  }
  return described;
}

async function renameBranch(repository: Repository, from: string, to: string): Promise<void> {
  await repository.api('POST', '/git/refs', { ref: `refs/heads/${to}`, sha: headOf(repository, from) });
  if (repository.facts.default_branch === from) await repository.change({ default_branch: to });
  await repository.api('DELETE', `/git/refs/heads/${from}`);
  await repository.reloadBranches();
}
