import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../src/core/log.js';
import { createSync } from '../../src/core/sync.js';
import { createSqliteMirror } from '../../src/tiers/mirror-sqlite.js';
import { openApp } from '../support/app.js';
import { type GitHub, startGitHub } from '../support/github.js';
import { environmentOf, openGitHub } from '../support/github-origin.js';
import { tempFolder } from '../support/home.js';

// Branches and repositories that are moved, renamed, begun, or read late.

let site: GitHub;
let made = 0;
beforeAll(async () => {
  site = await startGitHub({ budget: 50_000 });
});
afterAll(() => site.close());

async function repositoryOf(options: { empty?: boolean } = {}) {
  const name = `moved-${made++}`;
  const repository = await site.createRepo({ name, ...options });
  const environment = environmentOf(site, {
    MEMORY_REPO: repository,
    MEMORY_HOME: tempFolder(),
    MEMORY_STALE_AFTER: '0s',
  });
  return { name, repository, environment };
}

const save = (title: string) => ({ title, content: `About ${title}.` });

test('a force push is followed: what it took away is gone, what it brought is there', async () => {
  const { repository, environment } = await repositoryOf();
  const first = await site.commitOutside({ 'keep.md': '# Keep\n' }, { repository });
  const app = await openApp(environment);
  await app.call('sync_now');
  await site.commitOutside({ 'gone.md': '# Gone\n' }, { repository });
  await app.call('sync_now');
  expect(await app.call('read_memory', { id: 'gone' })).toContain('Gone');
  await site.forcePush('main', first, repository);
  await site.commitOutside({ 'aside.md': '# Aside\n' }, { repository });
  await app.call('sync_now');
  expect(await app.call('read_memory', { id: 'aside' })).toContain('Aside');
  expect(await app.fail('read_memory', { id: 'gone' })).toContain('no note with this id');
  expect(await app.call('save_session', save('after the push'))).toMatch(/^Saved: /);
  expect(await app.call('verify_with_github')).not.toContain('differ from');
});

test('an older head is late for a while, and a force push when it is still there after it', async () => {
  const { name, repository } = await repositoryOf();
  const before = await site.commitOutside({ 'old.md': '# Old\n' }, { repository });
  const after = await site.commitOutside({ 'new.md': '# New\n' }, { repository });
  const origin = openGitHub(site, { name });
  const mirror = createSqliteMirror({ origin: origin.name, path: ':memory:' });
  onTestFinished(() => mirror.close());
  const sync = createSync({ origin, mirror, log: createLog('silent', () => {}), lateHeadMs: 400 });
  const paths = () => mirror.snapshot(async (view) => [...(await view.paths()).keys()].sort());
  await sync.run({ reason: 'test' });
  expect(await paths()).toEqual(['README.md', 'new.md', 'old.md']);
  await site.forcePush('main', before, repository);
  expect(await sync.run({ reason: 'test' })).toMatchObject({ result: 'unchanged', head: { commit: after } });
  expect(await paths()).toContain('new.md');
  // It was only late: the newer one is there again, and what was counted so far is forgotten.
  await site.forcePush('main', after, repository);
  await sync.run({ reason: 'test' });
  await delay(450);
  await site.forcePush('main', before, repository);
  expect((await sync.run({ reason: 'test' })).result).toBe('unchanged');
  await delay(450);
  expect(await sync.run({ reason: 'test' })).toMatchObject({ result: 'ok', head: { commit: before } });
  expect(await paths()).toEqual(['README.md', 'old.md']);
});

test('reads that lag take nothing away that was saved, in no process', async () => {
  const { repository, environment } = await repositoryOf();
  const app = await openApp(environment);
  await app.call('save_session', save('the first'));
  site.lag(1_500, repository);
  const saved = await app.call('save_session', save('the second'));
  expect(saved).toMatch(/^Saved: /);
  const id = /`([^`]+)`/.exec(saved)?.[1] ?? '';
  const other = await openApp(environment);
  for (const each of [app, other]) {
    for (const consistency of ['fast', 'fresh'])
      expect(await each.call('read_memory', { id, consistency })).toContain('About the second.');
    await each.call('sync_now');
    expect(await each.call('read_memory', { id, consistency: 'fast' })).toContain('About the second.');
  }
  expect(await other.call('save_session', save('the third'))).toMatch(/^Saved: /);
  expect(await app.call('save_session', save('the fourth'))).toMatch(/^Saved: /);
  site.lag(0, repository);
  await app.call('sync_now');
  const files = [...(await site.files(undefined, repository)).keys()];
  expect(files.filter((path) => /^sessions\/.*\.md$/.test(path))).toHaveLength(4);
  expect(await app.call('list_sessions', { consistency: 'verified' })).toContain('the fourth');
});

test('the default branch is renamed: reading and saving go on', async () => {
  const { repository, environment } = await repositoryOf();
  const app = await openApp(environment);
  await app.call('save_session', save('on main'));
  await site.renameBranch('main', 'trunk', repository);
  expect(await app.call('save_session', save('on trunk'))).toMatch(/^Saved: /);
  await app.call('sync_now');
  expect(await app.call('memory_status')).toContain('branch trunk');
  await site.commitOutside({ 'by-hand.md': '# By hand\n' }, { repository, branch: 'trunk' });
  await app.call('sync_now');
  expect(await app.call('read_memory', { id: 'by-hand' })).toContain('By hand');
  expect((await site.history('trunk', repository)).length).toBe(4);
});

test('a configured branch: used, and named when it is renamed', async () => {
  const { repository, environment } = await repositoryOf();
  await site.createBranch('notes/branch', site.head(undefined, repository), repository);
  const before = site.head('main', repository);
  const app = await openApp({ ...environment, MEMORY_BRANCH: 'notes/branch' });
  expect(await app.call('save_session', save('aside'))).toMatch(/^Saved: /);
  expect(site.head('main', repository)).toBe(before);
  expect(site.head('notes/branch', repository)).not.toBe(before);
  expect(await app.call('sync_now')).toContain('Synced');
  expect(await app.call('memory_status')).toContain('branch notes/branch');
  await site.renameBranch('notes/branch', 'elsewhere', repository);
  expect(await app.fail('save_session', save('nowhere'))).toMatch(
    /The branch notes\/branch is not in .*Set MEMORY_BRANCH/s,
  );
  expect(await app.fail('sync_now')).toContain('The branch notes/branch is not in');
  expect(await app.call('list_sessions', { consistency: 'fast' })).toContain('aside');
  expect(await app.call('load_context')).toContain('aside');
});

test('a renamed repository: reading and saving go on, and memory_status says so', async () => {
  const { name, repository, environment } = await repositoryOf();
  const app = await openApp(environment);
  await app.call('save_session', save('before'));
  await site.renameRepo(`${name}-now`, repository);
  expect(await app.call('save_session', save('after'))).toMatch(/^Saved: /);
  await site.commitOutside({ 'by-hand.md': '# By hand\n' }, { repository: `ann/${name}-now` });
  await app.call('sync_now');
  expect(await app.call('read_memory', { id: 'by-hand' })).toContain('By hand');
  const later = await openApp(environment);
  await later.call('sync_now');
  expect(await later.call('save_session', save('later'))).toMatch(/^Saved: /);
  expect(await later.call('memory_status')).toMatch(/has another name on GitHub now.*MEMORY_REPO/);
  expect((await site.history(undefined, `ann/${name}-now`)).length).toBe(5);
});

test.each([true, false])('an empty repository through the program, GraphQL %s', async (graphql) => {
  site.setGraphQL(graphql);
  try {
    const { repository, environment } = await repositoryOf({ empty: true });
    const app = await openApp(environment);
    expect(await app.call('load_context')).toContain('nothing remembered yet');
    expect(await app.call('memory_status')).toContain('no commits yet');
    expect(await app.call('save_session', save('the very first'))).toMatch(/^Saved: /);
    const other = await openApp({ ...environment, MEMORY_HOME: tempFolder() });
    expect(await other.call('save_session', save('from another machine'))).toMatch(/^Saved: /);
    await app.call('sync_now');
    const list = await app.call('list_sessions');
    for (const title of ['the very first', 'from another machine']) expect(list).toContain(title);
    const [begun] = (await site.history(undefined, repository)).slice(-1);
    expect(begun?.files).toEqual(['.strataignore']);
  } finally {
    site.setGraphQL(true);
  }
});

test('two begin an empty repository at once: both are kept', async () => {
  const { repository, environment } = await repositoryOf({ empty: true });
  const apps = [await openApp(environment), await openApp({ ...environment, MEMORY_HOME: tempFolder() })];
  const receipts = await Promise.all(apps.map((app, at) => app.call('save_session', save(`begun by ${at}`))));
  for (const receipt of receipts) expect(receipt).toMatch(/^Saved: /);
  const files = [...(await site.files(undefined, repository)).keys()];
  expect(files.filter((path) => /^sessions\/.*\.md$/.test(path))).toHaveLength(2);
});

test('an empty repository with a branch of its own', async () => {
  const { repository, environment } = await repositoryOf({ empty: true });
  const app = await openApp({ ...environment, MEMORY_BRANCH: 'memory' });
  expect(await app.call('save_session', save('on a branch'))).toMatch(/^Saved: /);
  expect((await site.history('memory', repository)).length).toBe(2);
  expect(await app.call('memory_status')).toContain('branch memory');
});

test('a repository that was thrown away and made anew under its name', async () => {
  const { name, repository, environment } = await repositoryOf();
  const app = await openApp(environment);
  await app.call('save_session', save('in the old one'));
  await site.renameRepo(`${name}-old`, repository);
  const again = await site.createRepo({ name });
  await site.commitOutside({ 'fresh.md': '# Fresh\n' }, { repository: again });
  await app.call('sync_now');
  expect(await app.call('read_memory', { id: 'fresh' })).toContain('Fresh');
  expect(await app.call('list_sessions')).not.toContain('in the old one');
  expect(await app.call('save_session', save('in the new one'))).toMatch(/^Saved: /);
  expect((await site.files(undefined, again)).size).toBe(4);
});
