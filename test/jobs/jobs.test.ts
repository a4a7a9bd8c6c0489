import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Job, JobName } from '../../src/core/job.js';
import { createLog } from '../../src/core/log.js';
import type { Mirror } from '../../src/core/ports.js';
import { createJobs, type JobsOptions } from '../../src/jobs/index.js';
import { schedule } from '../../src/jobs/schedule.js';
import { createSqliteMirror } from '../../src/tiers/mirror-sqlite.js';
import { tempFolder } from '../support/home.js';
import { head, put } from '../support/mirror-contract.js';
import { bareRepository, commitFiles } from '../support/repository.js';
import { runProgram, startServer } from '../support/server.js';

const silent = createLog('silent', () => {});
const EVERY_SECOND = '* * * * * *';

/** Waits for what another thread or process does; fails with what it last saw. */
async function until<T>(look: () => Promise<T> | T, good: (seen: T) => boolean, limitMs = 30_000): Promise<T> {
  for (const end = performance.now() + limitMs; ; await delay(25)) {
    const seen = await look();
    if (good(seen)) return seen;
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms; last: ${JSON.stringify(seen)}`);
  }
}

function sqlite(path = join(tempFolder(), 'mirror.db')): Mirror {
  const mirror = createSqliteMirror({ origin: '/repo', path });
  onTestFinished(() => mirror.close());
  return mirror;
}

function jobsOn(mirror: Mirror, jobs: Partial<Record<JobName, Job>>, more: Partial<JobsOptions> = {}) {
  const all = { sync: null, health: null, retention: null, checkpoints: null, ...jobs };
  const made = createJobs({
    mirror,
    log: silent,
    jobs: all,
    syncCron: EVERY_SECOND,
    settleMs: 0,
    backoffMs: 1,
    ...more,
  });
  onTestFinished(() => made.close());
  return made;
}

describe('a timetable', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('ticks once for each time, put off by less than a tenth; after a sleep once, not many times', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: new Date('2026-11-21T10:01:00') });
    const ticks: string[] = [];
    const table = await schedule('*/15 * * * *', () => ticks.push(new Date().toTimeString().slice(0, 5)), silent);
    expect(table.gapMs).toBe(900_000);
    expect(table.nextInMs()).toBe(14 * 60_000);
    await vi.advanceTimersByTimeAsync(16 * 60_000);
    expect(ticks).toEqual([expect.stringMatching(/^10:1[56]$/)]);
    // The lid is shut at 10:17; timers stand still, the clock does not.
    vi.setSystemTime(new Date('2026-11-21T18:20:00'));
    await vi.advanceTimersByTimeAsync(14 * 60_000);
    expect(ticks.slice(1)).toEqual([expect.stringMatching(/^18:3[0-4]$/)]);
    await vi.advanceTimersByTimeAsync(15 * 60_000);
    expect(ticks).toHaveLength(3);
    table.stop();
    await vi.advanceTimersByTimeAsync(24 * 3_600_000);
    expect(ticks).toHaveLength(3);
  });
});

test('a sync is left out while the mirror was confirmed within the time, by anybody', async () => {
  const path = join(tempFolder(), 'mirror.db');
  const [mirror, other] = [sqlite(path), sqlite(path)];
  await put(mirror, []);
  let runs = 0;
  const confirming = setInterval(async () => other.confirm(head('a'), await other.clock()), 50);
  onTestFinished(() => clearInterval(confirming));
  const jobs = jobsOn(mirror, {
    async sync() {
      runs++;
      return { outcome: 'ok', note: '' };
    },
  });
  jobs.start();
  await until(
    () => mirror.leases(),
    (leases) => leases.length > 0,
  );
  await delay(1_100);
  expect(runs).toBe(0);
  clearInterval(confirming);
  await until(
    () => runs,
    (count) => count > 0,
  );
});

test('two servers on one mirror: each time it is done once', async () => {
  const path = join(tempFolder(), 'mirror.db');
  const seen = { sync: { running: 0, most: 0, runs: 0 }, health: { running: 0, most: 0, runs: 0 } };
  const job =
    (name: keyof typeof seen): Job =>
    async () => {
      const mine = seen[name];
      mine.most = Math.max(mine.most, ++mine.running);
      await delay(100);
      mine.running--;
      mine.runs++;
      return { outcome: 'ok', note: '' };
    };
  // Due once only: a day has to pass.
  const all = [sqlite(path), sqlite(path), sqlite(path)].map((mirror) =>
    jobsOn(mirror, { sync: job('sync'), health: job('health') }, { upkeepCron: EVERY_SECOND }),
  );
  for (const each of all) each.start();
  const health = await until(
    async () => (await all[0]?.states())?.find(({ name }) => name === 'health'),
    (state) => state?.outcome === 'ok',
  );
  await until(
    () => seen.sync.runs,
    (count) => count >= 3,
  );
  expect(seen).toMatchObject({ sync: { most: 1 }, health: { most: 1, runs: 1 } });
  expect(health?.nextInMs).toBeGreaterThan(23 * 3_600_000);
  expect(await all[1]?.states()).toMatchObject([
    { name: 'sync', on: true },
    { name: 'health', outcome: 'ok' },
    { name: 'retention', on: false, nextInMs: null },
    { name: 'checkpoints', on: false },
  ]);
});

test('close cancels what runs and nothing runs afterwards; before start nothing runs either', async () => {
  const mirror = sqlite();
  const signals: AbortSignal[] = [];
  const sync: Job = async (signal) => {
    signals.push(signal);
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    return { outcome: 'ok', note: '' };
  };
  const [jobs, idle] = [jobsOn(mirror, { sync }), jobsOn(sqlite(), { sync })];
  jobs.start();
  await until(
    () => signals.length,
    (count) => count === 1,
  );
  await jobs.close();
  expect(signals[0]?.aborted).toBe(true);
  expect(await mirror.leases()).toMatchObject([{ held: false, endedAtMs: null }]);
  jobs.start();
  await delay(1_500);
  expect(signals).toHaveLength(1);
  expect(await idle.states()).toMatchObject([{ outcome: null, nextInMs: null }, {}, {}, {}]);
});

describe('the program', () => {
  test('brings in what others pushed without being asked, and says when it does', async () => {
    const repository = bareRepository();
    commitFiles(repository, { 'notes/one.md': '# One' });
    const server = await startServer({
      MEMORY_HOME: tempFolder(),
      MEMORY_REPO: repository,
      MEMORY_SYNC_CRON: EVERY_SECOND,
    });
    onTestFinished(() => server.close());
    const fast = () => server.call('list_sessions', { consistency: 'fast' });
    await until(fast, (text) => text.includes('One'));
    commitFiles(repository, { 'notes/two.md': '# Two' });
    await until(fast, (text) => text.includes('Two'));
    const status = await server.call('memory_status');
    expect(status).toMatch(
      /\nJobs: sync (running, )?ok \d s ago, next in \d s; health not run yet, next in .*; retention off; checkpoints not run yet, next in .*\n/,
    );
    expect(status).toMatch(/Last syncs: .*\(cron\)/);
    expect(status).toMatch(/No alerts/);
  });

  test('a sync that fails is one alert, and the old mirror goes on serving; then it works again', async () => {
    const folder = tempFolder();
    const repository = bareRepository(folder);
    commitFiles(repository, { 'notes/one.md': '# One\nzebra' });
    const server = await startServer({
      MEMORY_HOME: tempFolder(),
      MEMORY_REPO: repository,
      MEMORY_SYNC_CRON: EVERY_SECOND,
    });
    onTestFinished(() => server.close());
    await server.call('sync_now');
    renameSync(repository, `${repository}.gone`);
    const alert = /\nALERT sync failed \d+ s ago: /;
    await until(
      () => server.call('memory_status'),
      (text) => alert.test(text),
      50_000,
    );
    expect(await server.call('read_memory', { id: 'notes/one', consistency: 'fast' })).toContain('zebra');
    renameSync(`${repository}.gone`, repository);
    await until(
      () => server.call('memory_status'),
      (text) => !text.includes('ALERT'),
    );
    const alerts = server
      .stderr()
      .split('\n')
      .filter((line) => line.includes('"alert"'));
    expect(alerts).toHaveLength(1);
  });

  test('a client that leaves at once starts no job; a command runs none', async () => {
    const environment = { MEMORY_HOME: join(tempFolder(), 'home'), MEMORY_SYNC_CRON: EVERY_SECOND };
    const { code, stderr } = await runProgram([], environment);
    expect([code, stderr]).toEqual([0, '']);
    expect(existsSync(environment.MEMORY_HOME)).toBe(false);
    const { stdout } = await runProgram(['status', '--json'], environment);
    expect(JSON.parse(stdout).jobs).toBe(
      'sync not run yet; health not run yet; retention off; checkpoints not run yet',
    );
    expect((await runProgram(['doctor'], environment)).stdout).toMatch(/ok\s+jobs\s+sync not run yet/);
    const off = await runProgram(['status', '--json'], { ...environment, MEMORY_SYNC_CRON: 'off' });
    expect(JSON.parse(off.stdout).jobs).toMatch(/^sync off;/);
  });
});
