import { createAccounts } from './github/accounts.js';
import { branchControls, contentControls, settingControls, tokenControls, weather } from './github/controls.js';
import { startEmulator } from './github/emulator.js';
import { createGitHttp, gitAnswer } from './github/git-http.js';
import { startProxy } from './github/proxy.js';
import type { Repository } from './github/repository.js';
import type { Site } from './github/rest.js';
import { createRepositories, type NewRepository } from './github/site.js';

export type { Files, OutsideCommit } from './github/controls.js';
export type { Fault, FaultKind } from './github/faults.js';
export type { Logged } from './github/proxy.js';

/** What is said of a repository is about the first one: private and with a README unless it says otherwise. */
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

/**
 * A GitHub Enterprise to test against: REST at `apiUrl`, GraphQL beside it, git at `url/OWNER/NAME.git`, on an
 * ephemeral port of this machine. It begins with one repository, `owner/repo`. What is done through this object goes
 * past the log, the budgets and the faults.
 */
export async function startGitHub(options: GitHubOptions = {}) {
  const { owner = 'ann', repo = 'notes', people = ['stranger'], organisations = ['acme'] } = options;
  const switches = { graphql: options.graphql ?? true, latencyMs: 0 };
  const operator = organisations.includes(owner) ? 'ann' : owner;
  const accounts = createAccounts(options.budget ?? 5000);
  const proxy = await startProxy(accounts, switches);
  const emulator = await startEmulator([operator, ...people], organisations);
  const repositories = createRepositories(emulator, operator, organisations);
  const { url, log } = proxy;
  const apiUrl = `${url}/api/v3`;
  const http = createGitHttp();
  const { adopt, byId, find } = repositories;
  const site: Site = {
    ...{ url, apiUrl, emulator, adopt, byId, find, treeLimit: options.treeLimit ?? 100_000 },
    git: (account, asked) => gitAnswer(site, http, account, asked),
  };
  proxy.serve(site);
  const first = await repositories.create({ ...options, owner, name: repo });
  const tokens = {
    full: accounts.add(operator),
    readOnly: accounts.add(operator, 'read'),
    expired: accounts.add(operator, 'expired'),
    sso: accounts.add(operator, 'sso'),
    stranger: accounts.add(people[0] ?? operator),
  };
  const pick = (fullName?: string): Repository => {
    const found = fullName === undefined ? first : repositories.byName(fullName);
    if (!found) throw new Error(`no repository ${fullName}`);
    return found;
  };

  return {
    ...{ url, apiUrl, graphqlUrl: `${url}/api/graphql`, token: tokens.full, tokens, owner, repo },
    /** Every request so far, oldest first. */
    log,
    clearLog: () => log.splice(0),
    ...tokenControls(accounts),
    ...weather(proxy, switches, pick),
    ...contentControls(pick),
    ...branchControls(pick),
    ...settingControls(pick),
    createRepo: async (wanted: NewRepository) => (await repositories.create(wanted)).facts.full_name,
    renameRepo: (name: string, repository?: string) => repositories.rename(pick(repository), name),
    async close() {
      await proxy.down();
      await emulator.close();
      http.close();
    },
  };
}

export type GitHub = Awaited<ReturnType<typeof startGitHub>>;
