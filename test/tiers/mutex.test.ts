import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { Mutex } from '../../src/core/ports.js';
import { createSqliteMutex } from '../../src/tiers/mutex-sqlite.js';
import { tempFolder } from '../support/home.js';

const HOLDER = fileURLToPath(new URL('../support/hold-lock.ts', import.meta.url));

function opened(folder: string): Mutex {
  const mutex = createSqliteMutex(folder);
  onTestFinished(() => mutex.close());
  return mutex;
}

/** Another process that tries to take the lock, and what it said. */
async function holder(folder: string, name: string, waitMs = 0) {
  const child = spawn(process.execPath, ['--import', 'tsx', HOLDER, folder, name, String(waitMs)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  }) as ChildProcessWithoutNullStreams;
  const gone = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await gone;
  });
  const said = once(child.stdout, 'data').then(([chunk]) => String(chunk).trim());
  return { child, gone, said };
}

test('a lock that a killed process held is free at once', async () => {
  const folder = tempFolder();
  const mutex = opened(folder);
  const { child, gone, said } = await holder(folder, 'save');
  expect(await said).toBe('held');
  expect(await mutex.acquire('save', 30)).toBeNull();
  const free = mutex.acquire('save', 20_000);
  child.kill('SIGKILL');
  await gone;
  const release = await free;
  expect(release).not.toBeNull();
  release?.();
});

test('two processes exclude each other, per name', async () => {
  const folder = tempFolder();
  const mutex = opened(folder);
  const release = await mutex.acquire('save', 1_000);
  const [same, waiting, other] = await Promise.all([
    holder(folder, 'save'),
    holder(folder, 'save', 20_000),
    holder(folder, 'sync'),
  ]);
  expect(await same.said).toBe('none');
  expect(await other.said).toBe('held');
  let held = false;
  void waiting.said.then(() => {
    held = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(held).toBe(false);
  release?.();
  expect(await waiting.said).toBe('held');
  expect(await mutex.acquire('save', 0)).toBeNull();
  waiting.child.stdin.write('\n');
  await waiting.gone;
  const mine = await mutex.acquire('save', 5_000);
  expect(mine).not.toBeNull();
  mine?.();
});

test('within a process the lock goes round in the order of asking, one at a time', async () => {
  const mutex = opened(tempFolder());
  const order: number[] = [];
  let holders = 0;
  await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const release = await mutex.acquire('save', 20_000);
      expect(release).not.toBeNull();
      expect(++holders).toBe(1);
      order.push(i);
      await new Promise((resolve) => setImmediate(resolve));
      holders--;
      release?.();
      release?.();
    }),
  );
  expect(order).toEqual(order.toSorted((a, b) => a - b));
});

test('who waits too long, or gives up, goes without and is in nobody’s way', async () => {
  const mutex = opened(tempFolder());
  const first = await mutex.acquire('save', 0);
  expect(first, 'a free lock is had without waiting').not.toBeNull();
  expect(await mutex.acquire('save', 0)).toBeNull();
  expect(await mutex.acquire('save', 20)).toBeNull();
  const stop = new AbortController();
  const aborted = mutex.acquire('save', 60_000, stop.signal);
  const patient = mutex.acquire('save', 60_000);
  stop.abort();
  await expect(aborted).rejects.toThrow(/abort/i);
  await expect(mutex.acquire('save', 60_000, stop.signal)).rejects.toThrow(/abort/i);
  first?.();
  const second = await patient;
  expect(second).not.toBeNull();
  second?.();
});

test('names are apart', async () => {
  const mutex = opened(tempFolder());
  const all = await Promise.all(['a', 'b', 'c'].map((name) => mutex.acquire(name, 0)));
  for (const release of all) expect(release).not.toBeNull();
  for (const release of all) release?.();
});

test('where no lock can be had, the answer is null at once, and so it is after closing while it was held', async () => {
  const folder = tempFolder();
  writeFileSync(join(folder, 'file'), '');
  expect(await opened(join(folder, 'file', 'locks')).acquire('save', 60_000)).toBeNull();
  writeFileSync(join(folder, 'broken.lock.db'), 'not a database at all, and long enough to be looked at'.repeat(50));
  expect(await opened(folder).acquire('broken', 60_000)).toBeNull();
  const mutex = opened(tempFolder());
  const release = await mutex.acquire('save', 0);
  await mutex.close();
  expect(() => release?.()).not.toThrow();
});
