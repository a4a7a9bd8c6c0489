import { afterAll, beforeAll } from 'vitest';
import { encodePath } from '../../src/core/paths.js';
import { client } from '../support/github/client.js';
import { type GitHub, startGitHub } from '../support/github.js';
import { openGitHub } from '../support/github-origin.js';
import { type OriginUnderTest, type OutsideFile, originContract } from '../support/origin-contract.js';

for (const graphql of [true, false]) {
  let site: GitHub;
  let made = 0;
  beforeAll(async () => {
    site = await startGitHub({ graphql });
  });
  afterAll(() => site.close());

  const make = async (): Promise<OriginUnderTest> => {
    const name = `notes-${made++}`;
    const repository = await site.createRepo({ name, empty: true });
    return {
      origin: openGitHub(site, { name }),
      again: async () => openGitHub(site, { name }),
      outside: (files, at) => outside(repository, files, at),
      merge: (parent, at) => merge(repository, parent, at),
      force: (commit) => site.forcePush('main', commit, repository),
      files: () => site.files(undefined, repository),
      subjects: async () =>
        (await site.history(undefined, repository)).map(({ message }) => message.split('\n')[0] ?? ''),
    };
  };

  async function outside(repository: string, files: OutsideFile[], at = new Date().toISOString()): Promise<string> {
    const plain = files.filter(({ mode }) => mode === undefined || mode === '100644');
    const odd = files.filter((each) => !plain.includes(each));
    const author = { name: 'Somebody', email: 'somebody@example.com', date: at };
    const first = await site.commitOutside(
      new Map(plain.map(({ path, content }) => [encodePath(path).toString(), content && Buffer.from(content)])),
      { repository, author },
    );
    if (odd.length === 0) return first;
    // Links and submodules through the git data API, as a person's git would push them.
    const { rest } = client(site);
    const [owner = '', repo = ''] = repository.split('/');
    const tree = odd.map(({ path, content, mode = '100644' }) => {
      const told = Buffer.from(content ?? []).toString();
      return mode === '160000'
        ? { path, mode, type: 'commit' as const, sha: told }
        : { path, mode, type: 'blob' as const, content: told };
    });
    const base = (await rest.git.getCommit({ owner, repo, commit_sha: first })).data.tree.sha;
    const whole = await rest.git.createTree({ owner, repo, base_tree: base, tree });
    const commit = await rest.git.createCommit({
      ...{ owner, repo, message: 'by hand', tree: whole.data.sha, parents: [first], author, committer: author },
    });
    await rest.git.updateRef({ owner, repo, ref: 'heads/main', sha: commit.data.sha });
    return commit.data.sha;
  }

  async function merge(repository: string, parent: string, at: string): Promise<string> {
    const { rest } = client(site);
    const [owner = '', repo = ''] = repository.split('/');
    const head = site.head(undefined, repository);
    const { tree } = (await rest.git.getCommit({ owner, repo, commit_sha: head })).data;
    const author = { name: 'Somebody', email: 'somebody@example.com', date: at };
    const { data } = await rest.git.createCommit({
      ...{ owner, repo, message: 'merge', tree: tree.sha, parents: [head, parent], author, committer: author },
    });
    await rest.git.updateRef({ owner, repo, ref: 'heads/main', sha: data.sha });
    return data.sha;
  }

  originContract(graphql ? 'GitHub' : 'GitHub without GraphQL', make, { dates: graphql, differences: true });
}
