import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { expect, onTestFinished, test } from 'vitest';
import { createWorkplace } from '../../src/tiers/workplace.js';
import { git, tempFolder } from '../support/home.js';
import { distMain, serverEnvironment, toolCalls } from '../support/server.js';

function repository(remotes: Record<string, string> = {}, folder = join(tempFolder(), 'Some Folder')): string {
  mkdirSync(folder, { recursive: true });
  git(folder, 'init', '-q', '-b', 'main');
  git(folder, 'commit', '-q', '--allow-empty', '-m', 'one');
  for (const [name, url] of Object.entries(remotes)) git(folder, 'remote', 'add', name, url);
  return folder;
}

const projectAt = (folder: string) => createWorkplace().projectAt(folder);

const REMOTES: [string, string][] = [
  ['https://github.com/Owner/Repo.git', 'owner/repo'],
  ['https://github.com/Owner/Repo', 'owner/repo'],
  ['https://github.com/Owner/Repo.git/', 'owner/repo'],
  ['https://GITHUB.COM/owner/repo/', 'owner/repo'],
  ['https://www.github.com/owner/repo', 'owner/repo'],
  ['https://user:ghp_secret@github.com/owner/repo.git', 'owner/repo'],
  ['git@github.com:Owner/Repo.git', 'owner/repo'],
  ['github.com:owner/repo', 'owner/repo'],
  ['ssh://git@github.com/owner/repo.git', 'owner/repo'],
  ['ssh://git@github.com:22/owner/repo.git', 'owner/repo'],
  ['ssh://git@ssh.github.com:443/owner/repo.git', 'owner/repo'],
  ['git://github.com/owner/repo.git', 'owner/repo'],
  ['git@github.com:acme/.github.git', 'acme/.github'],
  ['https://gitlab.com/Group/Sub/Repo.git', 'gitlab.com/group/sub/repo'],
  ['https://git.example.com:8443/owner/repo.git', 'git.example.com/owner/repo'],
  ['ssh://anna@git.example.com:2222/owner/repo.git/', 'git.example.com/owner/repo'],
  ['anna@git.example.com:owner/repo.git', 'git.example.com/owner/repo'],
  ['git@localhost:owner/repo.git', 'localhost/owner/repo'],
  ['github-work:owner/repo.git', 'github-work/owner/repo'],
  ['/srv/git/Team/Notes.git', 'team/notes'],
  ['file:///srv/git/team/notes.git', 'team/notes'],
];

test('the name is the one of the remote, however it is written', async () => {
  const folder = repository({ origin: 'x' });
  for (const [url, project] of REMOTES) {
    git(folder, 'remote', 'set-url', 'origin', url);
    expect(await projectAt(folder), url).toBe(project);
  }
});

test('clone, folder within, worktree, detached head and another place: one name', async () => {
  const folder = repository({ origin: 'git@github.com:acme/shop.git' });
  const place = tempFolder();
  git(folder, 'worktree', 'add', '-q', '-b', 'side', join(place, 'worktree'));
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  git(place, 'clone', '-q', folder, 'elsewhere');
  git(join(place, 'elsewhere'), 'remote', 'set-url', 'origin', 'https://github.com/Acme/Shop');
  git(join(place, 'elsewhere'), 'checkout', '-q', '--detach');
  for (const each of [folder, join(folder, 'a/b'), join(place, 'worktree'), join(place, 'elsewhere')])
    expect(await projectAt(each), each).toBe('acme/shop');
});

test('a submodule goes by its own remote, not by its parent', async () => {
  const library = repository({}, join(tempFolder(), 'library'));
  const parent = repository({ origin: 'git@github.com:acme/shop.git' });
  git(parent, 'submodule', '--quiet', 'add', library, 'modules/lib');
  const inside = join(parent, 'modules/lib');
  expect(await projectAt(inside)).toBe(`${basename(join(library, '..'))}/library`.toLowerCase());
  git(inside, 'remote', 'set-url', 'origin', 'https://github.com/Acme/Library.git');
  expect(await projectAt(inside)).toBe('acme/library');
  git(inside, 'remote', 'remove', 'origin');
  expect(await projectAt(inside)).toBe('modules/lib');
  expect(await projectAt(parent)).toBe('acme/shop');
});

test('what a submodule is one of: the repository directly above, from within, from worktrees, under its name of now', async () => {
  const parentAt = (folder: string) => createWorkplace().parentAt(folder);
  const place = tempFolder();
  const tiny = repository({}, join(place, 'tiny'));
  const library = repository({}, join(place, 'library'));
  git(library, 'submodule', '--quiet', 'add', tiny, 'parts/tiny');
  git(library, 'commit', '-q', '-m', 'tiny');
  const shop = repository({ origin: 'git@github.com:Acme/Shop.git' });
  git(shop, 'submodule', '--quiet', 'add', library, 'modules/lib');
  git(shop, 'submodule', '--quiet', 'update', '--init', '--recursive');
  git(shop, 'commit', '-q', '-m', 'lib');
  const inside = join(shop, 'modules/lib');
  git(inside, 'remote', 'set-url', 'origin', 'https://github.com/Acme/Library.git');
  mkdirSync(join(inside, 'src/deep'), { recursive: true });
  git(inside, 'worktree', 'add', '-q', '-b', 'side', join(place, 'side of lib'));
  git(shop, 'worktree', 'add', '-q', '-b', 'side', join(place, 'side of shop'));
  git(join(place, 'side of shop'), 'submodule', '--quiet', 'update', '--init');
  git(place, 'clone', '-q', library, 'alone');
  const cases: [string, string | null][] = [
    [inside, 'acme/shop'],
    [join(inside, 'src/deep'), 'acme/shop'],
    [join(place, 'side of lib'), 'acme/shop'],
    [join(place, 'side of shop/modules/lib'), 'acme/shop'],
    [join(inside, 'parts/tiny'), 'acme/library'],
    [shop, null],
    [join(place, 'side of shop'), null],
    [join(place, 'alone'), null],
    [place, null],
    ['/nonexistent/folder', null],
  ];
  for (const [folder, parent] of cases) expect(await parentAt(folder), folder).toBe(parent);
  git(shop, 'remote', 'set-url', 'origin', 'git@github.com:acme/store.git');
  expect(await parentAt(inside)).toBe('acme/store');
  git(shop, 'remote', 'set-url', 'origin', 'https://github.com/acme/library');
  expect(await parentAt(inside), 'its own name').toBeNull();
  git(shop, 'remote', 'remove', 'origin');
  expect(await parentAt(inside)).toBe(`${basename(join(shop, '..'))}/some folder`.toLowerCase());
});

test('of several remotes: origin, else the tracked one, else the first by name; a renamed one counts', async () => {
  const folder = repository({
    upstream: 'git@github.com:them/shop.git',
    fork: 'git@github.com:me/shop.git',
    origin: 'git@github.com:acme/shop.git',
  });
  expect(await projectAt(folder)).toBe('acme/shop');
  git(folder, 'remote', 'remove', 'origin');
  expect(await projectAt(folder)).toBe('me/shop');
  git(folder, 'config', 'branch.main.remote', 'upstream');
  expect(await projectAt(folder)).toBe('them/shop');
  git(folder, 'checkout', '-q', '--detach');
  expect(await projectAt(folder)).toBe('me/shop');
  git(folder, 'remote', 'remove', 'upstream');
  git(folder, 'remote', 'rename', 'fork', 'github');
  expect(await projectAt(folder)).toBe('me/shop');
});

test('a URL rewritten by the user’s git configuration is taken as git takes it', async () => {
  const folder = repository({ origin: 'work:shop.git' });
  git(folder, 'config', 'url.git@github.com:acme/.insteadOf', 'work:');
  expect(await projectAt(folder)).toBe('acme/shop');
});

test('without a remote: parent and folder, the same from a worktree and from a clone by path', async () => {
  const folder = repository({}, join(tempFolder(), 'Clients', 'Räder & Söhne'));
  const place = tempFolder();
  git(folder, 'worktree', 'add', '-q', '-b', 'side', join(place, 'worktree'));
  git(place, 'clone', '-q', folder, 'clone');
  git(place, 'clone', '-q', folder, 'relative');
  git(join(place, 'relative'), 'remote', 'set-url', 'origin', '../clone');
  expect(await projectAt(folder)).toBe('clients/räder - söhne');
  expect(await projectAt(join(place, 'worktree'))).toBe('clients/räder - söhne');
  expect(await projectAt(join(place, 'clone'))).toBe('clients/räder - söhne');
  expect(await projectAt(join(place, 'relative'))).toBe(`${basename(place)}/clone`.toLowerCase());
});

test('no repository, no folder: no project', async () => {
  expect(await projectAt(tempFolder())).toBeNull();
  expect(await projectAt('/nonexistent/folder')).toBeNull();
});

test('a client folder in a GIT_DIR of somebody else is not misled', async () => {
  const folder = repository({ origin: 'git@github.com:acme/shop.git' });
  const other = repository({ origin: 'git@github.com:acme/other.git' });
  process.env.GIT_DIR = join(other, '.git');
  onTestFinished(() => void delete process.env.GIT_DIR);
  expect(await projectAt(folder)).toBe('acme/shop');
});

/** The real server for a client that works in those folders, as Claude Code and Claude Desktop start it. */
async function serverFor(options: { roots?: string[]; environment?: Record<string, string>; cwd?: string }) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [distMain],
    env: serverEnvironment({ MEMORY_HOME: tempFolder(), MEMORY_PROJECT: '', ...options.environment }),
    cwd: options.cwd ?? tempFolder(),
    stderr: 'ignore',
  });
  const client = new Client({ name: 'roots', version: '1' }, { capabilities: options.roots ? { roots: {} } : {} });
  if (options.roots) {
    const roots = options.roots.map((uri) => ({ uri }));
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots }));
  }
  await client.connect(transport);
  onTestFinished(() => client.close());
  return toolCalls(client);
}

test('argument, MEMORY_PROJECT, roots, CLAUDE_PROJECT_DIR, working directory, inbox: in this order, and the answer says which', async () => {
  const [root, claude, cwd] = ['root', 'claude', 'cwd'].map((name) =>
    repository({ origin: `git@github.com:acme/${name}.git` }),
  ) as [string, string, string];
  const roots = [pathToFileURL(tempFolder()).href, pathToFileURL(root).href];
  const all = { roots, cwd, environment: { CLAUDE_PROJECT_DIR: claude, MEMORY_PROJECT: 'Acme/Configured' } };
  const unset = { CLAUDE_PROJECT_DIR: claude };
  const cases: [Parameters<typeof serverFor>[0], Record<string, string>, string][] = [
    [all, { project: 'Acme/Named' }, 'acme/named'],
    [all, { project: 'git@github.com:Acme/Named.git' }, 'acme/named'],
    [all, {}, 'acme/configured'],
    [{ ...all, environment: unset }, {}, 'acme/root'],
    [{ cwd, environment: unset }, {}, 'acme/claude'],
    [{ cwd }, {}, 'acme/cwd'],
    [{ roots: [], cwd }, {}, 'acme/cwd'],
    [{}, {}, 'inbox'],
  ];
  await Promise.all(
    cases.map(async ([options, args, project]) => {
      const { call } = await serverFor(options);
      expect(await call('load_context', args)).toContain(`Project \`${project}\``);
      const receipt = await call('save_session', { ...args, title: 'A', content: 'b' });
      expect(receipt).toContain(` · project ${project} · `);
      expect(receipt).toContain(`sessions/${project}/`);
    }),
  );
});
