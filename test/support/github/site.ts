import type { Account } from './accounts.js';
import type { Emulator } from './emulator.js';
import { openRepository, type Repository, type RepositoryFacts } from './repository.js';

export type NewRepository = {
  owner?: string;
  name: string;
  private?: boolean;
  defaultBranch?: string;
  /** True leaves it without any commit. */
  empty?: boolean;
  archived?: boolean;
};

/** Every repository of the site, by number and by the names that they have and once had. */
export function createRepositories(emulator: Emulator, operator: string, organisations: string[]) {
  const repositories = new Map<number, Repository>();
  const formerNames = new Map<string, number>();
  const readers = new Set([operator]);

  const byName = (fullName: string) =>
    [...repositories.values()].find(({ facts }) => facts.full_name.toLowerCase() === fullName.toLowerCase());

  /** Takes in a repository as the emulator describes it, whether new or changed. */
  async function adopt(described: unknown): Promise<void> {
    const facts = described as RepositoryFacts;
    const known = repositories.get(facts.id);
    if (!known) {
      const opened = openRepository(emulator, operator, facts);
      await opened.reloadBranches();
      repositories.set(facts.id, opened);
      return;
    }
    const before = known.facts.full_name;
    await known.reload(facts);
    if (before !== known.facts.full_name) formerNames.set(before.toLowerCase(), facts.id);
  }

  /** GitHub tells nobody of a private repository that they may not see. */
  const maySee = ({ login }: Account, { facts }: Repository) =>
    !facts.private || readers.has(login) || facts.full_name.startsWith(`${login}/`);

  async function find(account: Account, fullName: string) {
    const named = byName(fullName);
    const former = formerNames.get(fullName.toLowerCase());
    const repository = named ?? (former === undefined ? undefined : repositories.get(former));
    return repository && maySee(account, repository) ? { repository, moved: !named } : undefined;
  }

  async function create({ owner = operator, name, archived, empty, defaultBranch, ...options }: NewRepository) {
    const path = organisations.includes(owner) ? `/orgs/${owner}/repos` : '/user/repos';
    const body = { name, private: options.private ?? true };
    const login = organisations.includes(owner) ? operator : owner;
    const facts = await emulator.json<RepositoryFacts>({ login, method: 'POST', path, body });
    const created = openRepository(emulator, login, facts);
    repositories.set(facts.id, created);
    if (defaultBranch !== undefined) await created.change({ default_branch: defaultBranch });
    if (!empty) {
      await created.commit({
        branch: created.facts.default_branch,
        changes: new Map([['README.md', Buffer.from(`# ${name}\n`)]]),
        message: 'Initial commit',
        author: { name: login, email: `${login}@example.com` },
      });
    }
    if (archived) await created.change({ archived: true });
    return created;
  }

  async function rename(repository: Repository, name: string): Promise<void> {
    formerNames.set(repository.facts.full_name.toLowerCase(), repository.facts.id);
    await repository.change({ name });
  }

  return { adopt, find, create, rename, byId: (id: number) => repositories.get(id), byName };
}

export type Repositories = ReturnType<typeof createRepositories>;
