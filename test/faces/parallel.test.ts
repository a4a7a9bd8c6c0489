import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { git, tempFolder } from '../support/home.js';
import { bareRepository, fsck, historyOf, notesAt, pushFiles, receiptOf } from '../support/repository.js';
import { startServer, type TestServer } from '../support/server.js';

const count = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

async function start(environment: Record<string, string>): Promise<TestServer> {
  const server = await startServer(environment);
  onTestFinished(() => server.close());
  return server;
}

/** Saves those notes at once; their ids. */
async function saveAll(server: TestServer, names: string[]): Promise<string[]> {
  const receipts = await Promise.all(
    names.map((name) => server.call('save_session', { title: name, content: `The note ${name}.` })),
  );
  for (const receipt of receipts) expect(receipt).toMatch(/^Saved: /);
  return receipts.map((receipt) => receiptOf(receipt).id);
}

async function mustBeWhole(repository: string, ids: string[], servers: TestServer[], others = 0): Promise<void> {
  expect(new Set(ids).size).toBe(ids.length);
  const there = notesAt(repository);
  expect(there.size).toBe(ids.length + others);
  for (const id of ids) expect(there.has(`${id}.md`)).toBe(true);
  expect(fsck(repository)).toEqual([]);
  for (const server of servers) {
    expect(await server.call('list_sessions', { limit: 1, consistency: 'fresh' })).toContain(
      `1 of ${ids.length + others} notes`,
    );
    expect(await server.call('verify_with_github')).toContain(`${ids.length + others} documents compared`);
    expect(await server.call('verify_with_github')).toContain('all equal');
  }
}

test('100 parallel saves in one server are 100 notes in few commits', async () => {
  const repository = bareRepository();
  const server = await start({ MEMORY_HOME: tempFolder(), MEMORY_REPO: repository });
  const ids = await saveAll(
    server,
    count(0, 100).map((each) => `n${each}`),
  );
  // Seen by the default consistency at once.
  expect(await server.call('list_sessions', { limit: 100 })).toContain('100 of 100 notes');
  await mustBeWhole(repository, ids, [server]);
  const { commits, merges } = historyOf(repository);
  expect(merges).toBe(0);
  expect(commits).toBeLessThanOrEqual(20);
});

test('four servers × 50 on one origin and one mirror are 200 notes', async () => {
  const repository = bareRepository();
  const home = tempFolder();
  const servers = await Promise.all(count(0, 4).map(() => start({ MEMORY_HOME: home, MEMORY_REPO: repository })));
  const ids = await Promise.all(
    servers.map(async (server, which) => {
      const own: string[] = [];
      // Some at once, some one after the other.
      for (const round of count(0, 5))
        own.push(
          ...(await saveAll(
            server,
            count(0, 10).map((each) => `s${which}-${round}-${each}`),
          )),
        );
      return own;
    }),
  );
  // What one process saved every process reads at once.
  for (const server of servers) expect(await server.call('list_sessions', { limit: 1 })).toContain('1 of 200 notes');
  await mustBeWhole(repository, ids.flat(), servers);
  expect(historyOf(repository).merges).toBe(0);
});

test('four homes on one repository and a person who pushes: compare-and-swap alone loses nothing', async () => {
  const repository = bareRepository();
  const servers = await Promise.all(
    count(0, 4).map(() => start({ MEMORY_HOME: tempFolder(), MEMORY_REPO: repository })),
  );
  let pushes = 0;
  let saving = true;
  const outsider = (async () => {
    while (saving && pushes < 8) {
      pushFiles(repository, { [`by-hand/${pushes}.md`]: `# By hand ${pushes}\n` });
      pushes++;
      // The same event loop serves the four clients.
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const ids = await Promise.all(
    servers.map(async (server, which) => {
      const own: string[] = [];
      for (const round of count(0, 10))
        own.push(
          ...(await saveAll(
            server,
            count(0, 5).map((each) => `h${which}-${round}-${each}`),
          )),
        );
      return own;
    }),
  );
  saving = false;
  await outsider;
  expect(pushes).toBeGreaterThan(0);
  await mustBeWhole(repository, ids.flat(), servers, pushes);
  expect(historyOf(repository).merges).toBe(0);
});

test('the newest note of each project is what LATEST.json names', async () => {
  const repository = bareRepository();
  const server = await start({ MEMORY_HOME: tempFolder(), MEMORY_REPO: repository });
  await saveAll(
    server,
    count(0, 12).map((each) => `n${each}`),
  );
  await server.call('save_session', { title: 'other', content: 'Elsewhere.', project: 'other/one' });
  for (const project of ['test/project', 'other/one']) {
    const newest = [...notesAt(repository).keys()]
      .filter((path) => path.startsWith(`sessions/${project}/`))
      .sort()
      .at(-1);
    const pointer = JSON.parse(git(repository, 'show', `main:${join('sessions', project, 'LATEST.json')}`));
    expect(pointer.path).toBe(newest);
  }
});
