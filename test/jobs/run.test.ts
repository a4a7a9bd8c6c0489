import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryError } from '../../src/core/errors.js';
import type { JobResult } from '../../src/core/job.js';
import { createLog } from '../../src/core/log.js';
import type { Mirror } from '../../src/core/ports.js';
import { createRunner, type Due, type RunOptions } from '../../src/jobs/run.js';
import { createPostgresMirror } from '../../src/tiers/mirror-postgres.js';
import { createSqliteMirror } from '../../src/tiers/mirror-sqlite.js';
import { tempFolder } from '../support/home.js';
import { createDatabase, POSTGRES } from '../support/postgres.js';

const LEASE_MS = 3_000;
const PROCESS = fileURLToPath(new URL('../support/run-job.ts', import.meta.url));

function sqlite(path = join(tempFolder(), 'mirror.db')): Mirror {
  const mirror = createSqliteMirror({ origin: '/repo', path });
  onTestFinished(() => mirror.close());
  return mirror;
}

function runner(mirror: Mirror, more: Partial<RunOptions> = {}) {
  const logged: string[] = [];
  const log = createLog('info', (line) => logged.push(line));
  const made = createRunner({ mirror, holder: 'this', log, leaseMs: 60_000, backoffMs: 1, ...more });
  return { ...made, logged, alerts: () => logged.filter((line) => line.includes('"alert"')) };
}

const due = (job: Due['job'], more: Partial<Due> = {}): Due => ({
  name: 'sync',
  job,
  restMs: 0,
  failedRestMs: 0,
  ...more,
});
const fine = async (): Promise<JobResult> => ({ outcome: 'ok', note: '' });
const never = new AbortController().signal;
const broken = async (): Promise<JobResult> => {
  throw new MemoryError('origin_unavailable', 'GitHub is away.', 'Wait.');
};
const lease = async (mirror: Mirror) => (await mirror.leases())[0];

test('three tries, one alert until it works again, whoever runs it', async () => {
  const mirror = sqlite();
  const [one, two] = [runner(mirror), runner(mirror, { holder: 'that' })];
  let tries = 0;
  const failing = due(async () => {
    tries++;
    return broken();
  });
  for (const each of [one, one, two, two]) expect(await each.run(failing, never)).toBe('failed');
  expect(tries).toBe(12);
  expect([...one.alerts(), ...two.alerts()]).toEqual([expect.stringMatching(/"level":"error".*GitHub is away/)]);
  expect(await lease(mirror)).toMatchObject({ held: false, outcome: 'failed', note: 'GitHub is away.' });

  expect(await two.run(due(fine), never)).toBe('ok');
  expect(two.logged.at(-1)).toMatch(/alert over/);
  expect(await lease(mirror)).toMatchObject({ outcome: 'ok', note: '' });
  expect(await one.run(due(fine), never)).toBe('ok');
  await one.run(failing, never);
  expect(one.alerts()).toHaveLength(2);
});

test('a try that works after one that failed is no alert', async () => {
  const mirror = sqlite();
  const one = runner(mirror);
  let tries = 0;
  expect(
    await one.run(
      due(async () => (tries++ < 2 ? broken() : fine())),
      never,
    ),
  ).toBe('ok');
  expect(one.alerts()).toEqual([]);
});

test('what was found wrong and mended is reported', async () => {
  const mirror = sqlite();
  const one = runner(mirror);
  const mended = due(async () => ({ outcome: 'repaired', note: '2 of 9 documents differed' }));
  expect(await one.run(mended, never)).toBe('repaired');
  expect(one.alerts()).toEqual([expect.stringMatching(/2 of 9/)]);
  expect(await lease(mirror)).toMatchObject({ outcome: 'repaired', note: '2 of 9 documents differed' });
});

test('a mirror that is away: three tries, one alert, nothing thrown; over when the mirror is back', async () => {
  const mirror = sqlite();
  let away = true;
  const acquire: Mirror['acquire'] = (wish) =>
    away ? Promise.reject(new MemoryError('mirror_unavailable', 'Away.', '')) : mirror.acquire(wish);
  const { run, alerts, failing } = runner({ ...mirror, acquire });
  for (let i = 0; i < 2; i++) expect(await run(due(fine), never)).toBe('failed');
  expect(alerts()).toHaveLength(1);
  expect(failing.get('sync')).toBe('Away.');
  away = false;
  // Somebody else does it: that is enough.
  await mirror.acquire({ name: 'sync', holder: 'that', ttlMs: 60_000, restMs: 0, failedRestMs: 0 });
  expect(await run(due(fine), never)).toBe('held');
  expect(failing.size).toBe(0);
});

test('what was done in another way is not done again, and ends an alert', async () => {
  const mirror = sqlite();
  const { run, alerts, logged } = runner(mirror);
  const done = due(broken, { done: async () => true });
  expect(await run(done, never)).toBe('held');
  expect(await lease(mirror)).toMatchObject({ held: false, outcome: null });
  await run(due(broken), never);
  expect(await run(done, never)).toBe('held');
  expect(await lease(mirror)).toMatchObject({ outcome: 'ok' });
  expect(alerts()).toHaveLength(1);
  expect(logged.at(-1)).toMatch(/alert over/);
});

test('cancelled while it runs or waits: it ends, gives the lease back, and is no failure', async () => {
  const mirror = sqlite();
  const { run, alerts } = runner(mirror, { backoffMs: 3_600_000 });
  const stop = new AbortController();
  const hanging = due(async (signal) => {
    stop.abort();
    signal.throwIfAborted();
    return fine();
  });
  expect(await run(hanging, stop.signal)).toBe('cancelled');
  expect(await lease(mirror)).toMatchObject({ held: false, outcome: null });
  const later = new AbortController();
  const waiting = due(async () => {
    setImmediate(() => later.abort());
    return broken();
  });
  expect(await run(waiting, later.signal)).toBe('cancelled');
  expect(alerts()).toEqual([]);
});

test('one whose lease was taken over stops', async () => {
  const mirror = sqlite();
  const { run } = runner(mirror, { leaseMs: 150 });
  const overtaken = due(async (signal) => {
    // As if this process had been stopped for longer than its lease.
    await mirror.release('sync', 'this', null);
    await mirror.acquire({ name: 'sync', holder: 'that', ttlMs: 60_000, restMs: 0, failedRestMs: 0 });
    await once(signal, 'abort');
    throw signal.reason;
  });
  expect(await run(overtaken, never)).toBe('cancelled');
  expect(await lease(mirror)).toMatchObject({ held: true });
});

function start(place: string, leaseMs: number) {
  const child = spawn(process.execPath, ['--import', 'tsx', PROCESS, place, String(leaseMs)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  }) as unknown as ChildProcessWithoutNullStreams;
  const gone = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await gone;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, gone, line: async () => (await lines.next()).value as string };
}

describe.each([
  ['SQLite', async () => join(tempFolder(), 'mirror.db')],
  ...(POSTGRES === null ? [] : [['Postgres', async () => (await createDatabase()).url] as const]),
] as const)('processes on %s', (_, placed) => {
  test('one runs it, the other does not; the killed one’s lease is lost, the living one’s is not', async () => {
    const place = await placed();
    const mirror = place.startsWith('postgres:')
      ? createPostgresMirror({ origin: '/repo', url: place })
      : createSqliteMirror({ origin: '/repo', path: place });
    onTestFinished(() => mirror.close());
    const first = start(place, LEASE_MS);
    expect(await first.line()).toBe('began');
    const second = start(place, LEASE_MS);
    expect(await second.line()).toBe('held');
    // Longer than the lease lasts: it is renewed.
    await delay(LEASE_MS + 500);
    expect(await start(place, LEASE_MS).line()).toBe('held');
    first.child.kill('SIGKILL');
    await first.gone;
    const wish = { name: 'sync', holder: 'this', ttlMs: 1, restMs: 0, failedRestMs: 0 };
    expect(await mirror.acquire(wish), 'not at once').toBeNull();
    while ((await lease(mirror))?.held) await delay(20);
    const [third, fourth] = [start(place, LEASE_MS), start(place, LEASE_MS)];
    expect([await third.line(), await fourth.line()].toSorted()).toEqual(['began', 'held']);
    for (const { child } of [third, fourth]) child.stdin.end('end\n');
    await Promise.all([third.gone, fourth.gone]);
    expect(await lease(mirror)).toMatchObject({ held: false, outcome: 'ok' });
  });
});
