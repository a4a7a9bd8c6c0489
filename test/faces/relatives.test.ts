import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { git, tempFolder } from '../support/home.js';
import { bareRepository, commitFiles, receiptOf } from '../support/repository.js';
import { runProgram, startServer, type TestServer } from '../support/server.js';

/** A superproject with submodules, checked out, each with a remote of its own. */
function checkouts(): { shop: string; lib: string; web: string; alone: string } {
  const place = tempFolder();
  const made = (name: string) => {
    const folder = join(place, name);
    mkdirSync(folder);
    git(folder, 'init', '-q');
    git(folder, 'commit', '-q', '--allow-empty', '-m', 'one');
    return folder;
  };
  const shop = made('shop');
  git(shop, 'remote', 'add', 'origin', 'git@github.com:acme/shop.git');
  const [lib, web] = ['lib', 'web'].map((name) => {
    git(shop, 'submodule', '--quiet', 'add', made(name), name);
    git(join(shop, name), 'remote', 'set-url', 'origin', `git@github.com:acme/${name}.git`);
    return join(shop, name);
  }) as [string, string];
  git(place, 'clone', '-q', lib, 'alone');
  git(join(place, 'alone'), 'remote', 'set-url', 'origin', 'https://github.com/Acme/Lib');
  return { shop, lib, web, alone: join(place, 'alone') };
}

async function serverIn(cwd: string, repository: string, home: string): Promise<TestServer> {
  const server = await startServer({ MEMORY_HOME: home, MEMORY_REPO: repository, MEMORY_PROJECT: '' }, { cwd });
  onTestFinished(() => server.close());
  return server;
}

/** Unlike each other, since notes with nearly the same text are shown as one. */
const CONTENT: Record<string, string> = {
  'In the library': 'The session cookie expired after five minutes.',
  'By its name': 'Parsing of dates fails on a cookie from Safari.',
  'Somewhere else': 'Grandmother bakes: butter, sugar, one cookie each.',
  'In the shop': 'Checkout sets its cookie behind the proxy again.',
  'In the web': 'Banner about every cookie removed from the landing page.',
};

const noteAt = (repository: string, id: string) => git(repository, 'show', `main:${id}.md`);
/** The projects of what was found: an id that begins with one says it. */
const hits = (text: string) =>
  [...text.matchAll(/\*\*(?: · ([^`·]+))? · `(?:(?:sessions|projects)\/)?(\w+\/\w+)/g)]
    .map(([, told, id]) => told?.trim() ?? id)
    .toSorted();

test('a note from a submodule says what that is one of, and then its relatives can be searched', async () => {
  const { shop, lib, web, alone } = checkouts();
  const [repository, home] = [bareRepository(), tempFolder()];
  const inLib = await serverIn(lib, repository, home);
  const save = async (server: TestServer, title: string, more = {}) =>
    receiptOf(await server.call('save_session', { title, content: CONTENT[title], ...more }));
  const first = await save(inLib, 'In the library');
  expect(noteAt(repository, first.id)).toMatch(/^project: acme\/lib\nparent: acme\/shop$/m);

  // The project named by its name is still where the client works; another one is not.
  const named = await save(inLib, 'By its name', { project: 'Acme/Lib' });
  expect(noteAt(repository, named.id)).toContain('\nparent: acme/shop\n');
  const other = await save(inLib, 'Somewhere else', { project: 'other/place' });
  expect(noteAt(repository, other.id)).not.toContain('parent:');

  const inShop = await serverIn(shop, repository, home);
  const above = await save(inShop, 'In the shop');
  expect(noteAt(repository, above.id)).not.toContain('parent:');
  await save(await serverIn(web, repository, home), 'In the web');

  // The same save from a clone that is no submodule is the same note.
  const inAlone = await serverIn(alone, repository, home);
  expect(await save(inAlone, 'In the library')).toEqual({ ...first, saved: false });

  // An edit keeps what its note says, wherever it is made.
  const edited = await save(inLib, 'Somewhere else', { id: other.id, replaces: other.blob, content: 'The cookie!' });
  expect(noteAt(repository, edited.id)).not.toContain('parent:');
  const edit = { id: first.id, replaces: first.blob, content: 'The cookie lived.' };
  expect(noteAt(repository, (await save(inShop, 'In the library', edit)).id)).toContain('\nparent: acme/shop\n');

  const query = { query: 'cookie', consistency: 'fresh' };
  expect(hits(await inLib.call('search_memory', query))).toHaveLength(5);
  expect(hits(await inLib.call('search_memory', { ...query, project: 'acme/lib' }))).toEqual(['acme/lib', 'acme/lib']);
  const near = await inLib.call('search_memory', { ...query, relatives: true });
  expect(near).toMatch(/^4 best of 4 notes in acme\/lib \(2 relatives\)\n/);
  expect(hits(near)).toEqual(['acme/lib', 'acme/lib', 'acme/shop', 'acme/web']);
  const below = await inShop.call('search_memory', { ...query, project: 'acme/shop', relatives: true, limit: 2 });
  expect(below).toMatch(/^2 best of 4 notes in acme\/shop \(2 relatives\)\n/);
  expect(await inLib.call('search_memory', { ...query, project: 'other/place', relatives: true })).toMatch(
    /^1 best of 1 note in other\/place \(no relatives known\)\n/,
  );
  expect(await inLib.call('search_memory', { query: 'zebra project:acme/web', relatives: true })).toMatch(
    /^Nothing found: none of 4 notes in acme\/web \(2 relatives\) has any of: zebra/,
  );

  const list = await inLib.call('list_projects', { consistency: 'fresh' });
  expect(list).toMatch(/^- acme\/shop · 1 note/m);
  expect(list).toMatch(/^ {2}- acme\/lib · 2 notes/m);

  // A record has the last word.
  commitFiles(repository, { 'projects/acme/lib.md': '---\nparent: other/place\nstatus: active\n---\nMoved.\n' });
  expect(await inLib.call('list_projects', { consistency: 'fresh' })).toMatch(
    /^- other\/place .*\n {2}- acme\/lib · active · 3 notes/m,
  );
  expect(hits(await inLib.call('search_memory', { ...query, relatives: true }))).toEqual([
    'acme/lib',
    'acme/lib',
    'other/place',
  ]);
  // What else is told of a project leaves that word as it is.
  await inLib.call('update_project', { project: 'acme/lib', status: 'paused' });
  expect(noteAt(repository, 'projects/acme/lib')).toContain('parent: other/place');
});

test('the command line saves from a submodule and searches its relatives, too', async () => {
  const { shop, lib } = checkouts();
  const [repository, home] = [bareRepository(), tempFolder()];
  const environment = { MEMORY_HOME: home, MEMORY_REPO: repository, MEMORY_PROJECT: '' };
  const run = async (cwd: string, ...args: string[]) => {
    const { code, stdout, stderr } = await runProgram(args, environment, '', cwd);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    return stdout;
  };
  const saved = await run(lib, 'save', 'In the library', '--content', 'The cookie lives long.');
  expect(noteAt(repository, receiptOf(saved).id)).toContain('\nparent: acme/shop\n');
  const output = JSON.parse(await run(shop, 'search', 'cookie', '--relatives', '--json'));
  expect(output).toMatchObject({ projects: ['acme/shop', 'acme/lib'], hits: [{ project: 'acme/lib' }] });
});

test('a note that no tier has is found among relatives, and only there', async () => {
  const { lib, shop } = checkouts();
  const [repository, home] = [bareRepository(), tempFolder()];
  await (await serverIn(shop, repository, home)).call('save_session', { title: 'Above', content: 'The cookie jar.' });
  const inLib = await serverIn(lib, repository, home);
  await inLib.call('save_session', { title: 'First', content: 'The cookie lid.' });
  const kept = { title: 'For now', content: 'A cookie to forget.', privacy: 'EPHEMERAL' };
  await inLib.call('save_session', kept);
  await inLib.call('save_session', { ...kept, project: 'other/place' });
  const found = hits(await inLib.call('search_memory', { query: 'cookie', relatives: true }));
  expect(found).toEqual(['acme/lib', 'acme/lib', 'acme/shop']);
});

test('a submodule that nothing is known of yet gets what the repository above it has decided', async () => {
  const { shop, lib } = checkouts();
  const [repository, home] = [bareRepository(), tempFolder()];
  const inLib = await serverIn(lib, repository, home);
  expect(await inLib.call('load_context')).toContain('nothing remembered yet');
  const inShop = await serverIn(shop, repository, home);
  await inShop.call('save_session', { title: 'Rules', content: 'Text.', decisions: ['Prices are in cents'] });
  const context = await inLib.call('load_context');
  expect(context).toMatch(/^Project `acme\/lib`: nothing remembered yet; this is what related projects know/);
  expect(context).toMatch(/\n- \d{4}-\d{2}-\d{2} \[acme\/shop\] Prices are in cents\n/);
  // Notes that were written by hand name no parent.
  commitFiles(repository, { 'n/one.md': '---\nproject: acme/lib\n---\n# By hand\n\nText of it.\n' });
  expect(await inLib.call('load_context')).toMatch(/1 note\.[\s\S]*\n- [\d-]+ \[acme\/shop\] Prices are in cents\n/);
});
