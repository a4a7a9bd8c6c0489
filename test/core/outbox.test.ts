import { join } from 'node:path';
import Database from 'libsql';
import { expect, test } from 'vitest';
import { openApp, type TestApp } from '../support/app.js';
import { expectOnce, notesByCommit, openGitHub, receiptOf, settled, synced, until } from '../support/outbox.js';

const save = async (app: TestApp, title: string, more: Record<string, unknown> = {}) =>
  receiptOf(await app.call('save_session', { title, content: `The body of ${title}.`, ...more }));

function auditOf(home: string): string[] {
  const database = new Database(join(home, 'durable.db'), { readonly: true });
  try {
    return (database.prepare('SELECT action, target FROM audit ORDER BY entry').all() as Record<string, string>[]).map(
      ({ action, target }) => `${action} ${target}`,
    );
  } finally {
    database.close();
  }
}

test('GitHub gone: saves are queued, shown, told of; back again: delivered once, in order', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  const first = await save(app, 'Before');
  expect(first.status).toBe('saved');
  await github.down();

  const beforeMs = Date.now();
  const queued = [await save(app, 'Away 0')];
  const startedAt = performance.now();
  for (const n of [1, 2, 3]) queued.push(await save(app, `Away ${n}`));
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(queued.map(({ status }) => status)).toEqual(['queued', 'queued', 'queued', 'queued']);
  const afterMs = Date.now();

  expect(await app.call('list_sessions', { limit: 100 })).toContain(queued[3]?.id);
  expect(await app.call('search_memory', { query: 'body away' })).toContain(queued[1]?.id);
  const read = await app.call('read_memory', { id: queued[2]?.id });
  expect(read).toContain('The body of Away 2.');
  expect(read).toContain('outbox of this machine: queued');
  for (const tool of ['load_context', 'memory_status']) {
    const told = await app.call(tool);
    expect(told).toMatch(/UNCONFIRMED: 4 saved only on this machine.* GitHub \(127\.0\.0\.1:\d+\) cannot be reached/);
  }
  expect(await app.call('load_context')).toContain(`\`${queued[0]?.id}\` (queued)`);
  expect(await app.call('sync_now').catch(String)).toMatch(/cannot be reached/);

  await github.up();
  expect(await app.call('sync_now')).toMatch(/Delivered 4 queued saves/);
  await settled(app);
  await expectOnce(
    github,
    [first, ...queued].map(({ id }) => id),
  );
  const paths = queued.map(({ id }) => `${id}.md`);
  expect((await notesByCommit(github)).flat()).toEqual([`${first.id}.md`, ...paths]);
  const files = await github.files();
  expect(JSON.parse(String(files.get('sessions/test/project/LATEST.json')))).toMatchObject({ path: paths[3] });
  expect(auditOf(app.home)).toEqual([`save ${first.id}.md`, ...paths.map((path) => `save ${path}`)]);
  for (const path of paths) {
    const [, time = ''] = /^time: '?([^'\n]+)/m.exec(String(files.get(path))) ?? [];
    expect(Date.parse(time)).toBeGreaterThanOrEqual(beforeMs);
    expect(Date.parse(time)).toBeLessThanOrEqual(afterMs + 10);
  }
  expect(await app.call('load_context')).not.toContain('UNCONFIRMED');
});

const WAYS: [string, (app: TestApp) => Promise<unknown>][] = [
  ['a read that asks for the head', (app) => app.call('list_sessions', { consistency: 'verified' })],
  ['nobody asking', async () => {}],
];

test.each(WAYS)('delivered by %s', async (_, ask) => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await synced(app);
  await github.down();
  const queued = [await save(app, 'One'), await save(app, 'Two')];
  await github.up();
  await ask(app);
  await settled(app);
  await expectOnce(
    github,
    queued.map(({ id }) => id),
  );
});

test('the next save goes after those that wait', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await synced(app);
  await github.down();
  const ids = [(await save(app, 'One')).id, (await save(app, 'Two')).id];
  await github.up();
  const saved = await until(
    async () => {
      const each = await save(app, `Next ${ids.length}`);
      ids.push(each.id);
      return each;
    },
    ({ status }) => status === 'saved',
  );
  expect(saved.status).toBe('saved');
  await settled(app);
  expect((await notesByCommit(github)).flat()).toEqual(ids.map((id) => `${id}.md`));
});

test('a GitHub that hangs costs one save its deadline; those after it are queued at once, whatever is tried meanwhile', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp({ ...environment, MEMORY_SAVE_DEADLINE: '1500ms', MEMORY_READ_DEADLINE: '1s' });
  await synced(app);
  github.fault({ kind: 'hang' });
  const ids = [(await save(app, 'First')).id];
  const took: number[] = [];
  const end = performance.now() + 4_000;
  // Long enough for the background to try in between.
  while (performance.now() < end) {
    const startedAt = performance.now();
    const each = await save(app, `Hung ${ids.length}`);
    took.push(performance.now() - startedAt);
    expect(each.status).toBe('queued');
    ids.push(each.id);
  }
  took.sort((a, b) => b - a);
  expect(took.length).toBeGreaterThan(20);
  expect(took[1]).toBeLessThan(500);
  github.clearFaults();
  await settled(app);
  await expectOnce(github, ids);
});
