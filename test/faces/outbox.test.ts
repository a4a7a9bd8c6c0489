import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { type GitHub, startGitHub } from '../support/github.js';
import { tempFolder } from '../support/home.js';
import { environmentOf, expectOnce, notesByCommit, openGitHub, receiptOf, synced, until } from '../support/outbox.js';
import { startServer, type TestServer } from '../support/server.js';

const preload = fileURLToPath(new URL('../support/kill.mjs', import.meta.url));

const save = async (server: TestServer, title: string) =>
  receiptOf(await server.call('save_session', { title, content: `The body of ${title}.` }));

const nothingWaits = (server: TestServer) =>
  until(
    () => server.call('memory_status'),
    (status) => !status.includes('UNCONFIRMED'),
    30_000,
  );

async function started(environment: Record<string, string>): Promise<TestServer> {
  const server = await startServer(environment);
  onTestFinished(() => server.close());
  return server;
}

test('killed and restarted while GitHub is gone: what was queued is there, and goes out without anybody asking', async () => {
  const { github, environment } = await openGitHub();
  const first = await started(environment);
  await synced(first);
  await github.down();
  const queued = [await save(first, 'One'), await save(first, 'Two')];
  process.kill(first.pid, 'SIGKILL');
  const second = await started(environment);
  const context = await second.call('load_context');
  for (const { id } of queued) expect(context).toContain(`\`${id}\` (queued)`);
  expect(context).toMatch(/UNCONFIRMED: 2 saved only on this machine/);
  expect(await second.call('read_memory', { id: queued[0]?.id })).toContain('The body of One.');
  queued.push(await save(second, 'Three'));
  process.kill(second.pid, 'SIGKILL');
  await github.up();
  // It is started and asked for nothing.
  const third = await started(environment);
  const wanted = queued.map(({ id }) => `${id}.md`);
  await until(
    async () => (await notesByCommit(github)).flat(),
    (paths) => paths.length >= wanted.length,
  );
  expect((await notesByCommit(github)).flat()).toEqual(wanted);
  await nothingWaits(third);
  expect(await third.call('verify_with_github')).toContain('all equal');
  await expectOnce(
    github,
    queued.map(({ id }) => id),
  );
});

const POINTS = [
  'outbox:after-keep',
  'outbox:before-send',
  'outbox:after-send',
  'outbox:before-settle',
  'save:after-doubt',
  'save:before-ref',
  'save:after-commit',
  'save:inside-apply',
] as const;
const root = mkdtempSync(join(tmpdir(), 'strata-outbox-'));
afterAll(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));

test.each(POINTS)('killed at %s: each acknowledged save is there once in the end', async (point) => {
  const github = await startGitHub();
  onTestFinished(() => github.close());
  const home = join(root, point.replace(':', '-'));
  const environment = environmentOf(github, home);
  const acknowledged = new Set<string>();
  const note = async (server: TestServer, title: string) => {
    const receipt = await save(server, title).catch(() => null);
    if (receipt) acknowledged.add(receipt.id);
    return receipt;
  };
  for (let kill = 0; kill < 2; kill++) {
    const folder = join(home, `kill-${kill}`);
    mkdirSync(folder, { recursive: true });
    const server = await startServer(
      { ...environment, STRATA_TEST_FOLDER: folder, STRATA_TEST_KILL: `${point}#1` },
      { nodeArgs: ['--import', preload] },
    );
    let alive = true;
    server.client.onclose = () => {
      alive = false;
    };
    await synced(server);
    await note(server, `${kill} before`);
    if (point === 'outbox:after-keep') writeFileSync(join(folder, 'armed'), '');
    await github.down();
    await note(server, `${kill} away`);
    if (alive) await note(server, `${kill} away too`);
    writeFileSync(join(folder, 'armed'), '');
    await github.up();
    let round = 0;
    await until(
      async () => {
        if (alive)
          await Promise.all([server.call('sync_now').catch(() => {}), note(server, `${kill} back ${round++}`)]);
        return alive;
      },
      (still) => !still,
    );
  }
  const last = await started(environment);
  await nothingWaits(last);
  await expectOnce(github, [...acknowledged]);
  expect(acknowledged.size).toBeGreaterThanOrEqual(2);
  await synced(last);
  expect(await last.call('verify_with_github')).toContain('all equal');
});

/** Commits by hand until it is stopped; how many were made. */
function outsider(github: GitHub, everyMs: number) {
  let stopped = false;
  let made = 0;
  const done = (async () => {
    while (!stopped) {
      await github.commitOutside({ [`outside/${made}.md`]: `# Outside ${made}\n` });
      made++;
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  return async () => {
    stopped = true;
    await done;
    return made;
  };
}

// A branch that moves more often than its readers are told of cannot be saved to: then saves are queued.
const HOUSES: [string, number, number, number][] = [
  ['one home', 1, 0, 200],
  ['four homes', 4, 0, 200],
  ['four homes, and reads that lag', 4, 1_500, 2_500],
];

test.each(HOUSES)('4 processes x 25 saves while somebody else pushes: %s', async (_, homes, lagMs, everyMs) => {
  const github = await startGitHub();
  onTestFinished(() => github.close());
  const folders = Array.from({ length: homes }, () => tempFolder());
  const servers = await Promise.all(
    [0, 1, 2, 3].map((at) =>
      started({
        ...environmentOf(github, folders[at % homes] as string),
        MEMORY_SAVE_DEADLINE: '30s',
        MEMORY_READ_DEADLINE: '8s',
      }),
    ),
  );
  if (lagMs > 0) github.lag(lagMs);
  const stop = outsider(github, everyMs);
  const receipts = await Promise.all(
    servers.flatMap((server, at) => Array.from({ length: 25 }, (__, n) => save(server, `Note ${n} of ${at}`))),
  ).finally(() => stop());
  const outside = await stop();
  github.lag(0);
  await Promise.all(servers.map(nothingWaits));
  const ids = receipts.map(({ id }) => id);
  expect(new Set(ids).size).toBe(100);
  await expectOnce(github, ids);
  const files = await github.files();
  expect([...files.keys()].filter((path) => path.startsWith('sessions/') && path.endsWith('.md')).length).toBe(100);
  expect([...files.keys()].filter((path) => path.startsWith('outside/')).length).toBe(outside);
  expect(outside).toBeGreaterThan(0);
  for (const server of servers) {
    await synced(server);
    expect(await server.call('verify_with_github')).toContain('all equal');
  }
});
