import { renameSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { openApp, type TestApp } from './app.js';
import { importFiles } from './foreign.js';
import { client } from './github/client.js';
import { startGitHub } from './github.js';
import { environmentOf } from './github-origin.js';
import { git, tempFolder } from './home.js';
import { bareRepository } from './repository.js';

/** A memory whose history the test writes by hand, commit by commit. */
export interface History {
  /** null deletes. `at` is the committer's time. Returns the commit's id. */
  commit(files: Record<string, string | null>, at: string): Promise<string>;
  /** A commit on the head, with this further parent and no changes. */
  merge(parent: string, at: string): Promise<string>;
  force(commit: string): Promise<void>;
  /** Makes it unreachable, and reachable again. */
  down(): Promise<void>;
  up(): Promise<void>;
  open(environment?: Record<string, string>, subject?: string): Promise<TestApp>;
}

const SOMEBODY = { name: 'Somebody', email: 'somebody@example.com' };

/** In a git repository on this machine. */
export async function localHistory(): Promise<History> {
  const folder = bareRepository();
  const away = `${folder}.away`;
  return {
    async commit(files, at) {
      const all = Object.entries(files);
      const gone = all.filter(([, content]) => content === null).map(([path]) => Buffer.from(path));
      const kept = all.flatMap(([path, content]) => (content === null ? [] : [{ path, bytes: Buffer.from(content) }]));
      importFiles(folder, kept, 'main', at, gone);
      return git(folder, 'rev-parse', 'main');
    },
    async merge(parent, at) {
      importFiles(folder, [], 'main', at, [], [parent]);
      return git(folder, 'rev-parse', 'main');
    },
    force: async (commit) => void git(folder, 'update-ref', 'refs/heads/main', commit),
    down: async () => renameSync(folder, away),
    up: async () => renameSync(away, folder),
    open: (environment = {}, subject) =>
      openApp({ MEMORY_HOME: tempFolder(), MEMORY_REPO: folder, ...environment }, subject),
  };
}

/** In a repository on a GitHub of the test's own. */
export async function githubHistory(): Promise<History> {
  const site = await startGitHub({ empty: true });
  onTestFinished(() => site.close());
  const { owner, repo } = site;
  return {
    commit: (files, at) => site.commitOutside(files, { author: { ...SOMEBODY, date: at } }),
    async merge(parent, at) {
      const { rest } = client(site);
      const { tree } = (await rest.git.getCommit({ owner, repo, commit_sha: site.head() })).data;
      const author = { ...SOMEBODY, date: at };
      const made = { owner, repo, message: 'merge', tree: tree.sha, parents: [site.head(), parent] };
      const { data } = await rest.git.createCommit({ ...made, author, committer: author });
      await rest.git.updateRef({ owner, repo, ref: 'heads/main', sha: data.sha });
      return data.sha;
    },
    force: (commit) => site.forcePush('main', commit),
    down: () => site.down(),
    up: () => site.up(),
    open: (environment = {}, subject) =>
      openApp(environmentOf(site, { MEMORY_HOME: tempFolder(), MEMORY_READ_DEADLINE: '3s', ...environment }), subject),
  };
}
