import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { expect, onTestFinished, test } from 'vitest';
import type { Durable, SyncRun } from '../../src/core/ports.js';
import { createSqliteDurable } from '../../src/tiers/durable-sqlite.js';
import { createSqlite } from '../../src/tiers/sqlite.js';
import { tempFolder } from '../support/home.js';

function opened(path: string): Durable {
  const durable = createSqliteDurable(path);
  onTestFinished(() => durable.close());
  return durable;
}

const run = (origin: string, n: number, more: Partial<SyncRun> = {}): SyncRun => ({
  origin,
  startedAtMs: n,
  finishedAtMs: n + 1,
  reason: 'test',
  result: 'ok',
  commit: String(n).padStart(40, '0'),
  details: { added: n, 'нота "🦔"': [null, true, "it's"] },
  ...more,
});

test('sync runs come back, newest first, of their own origin', async () => {
  const durable = opened(join(tempFolder(), 'a', 'b', 'durable.db'));
  expect(await durable.lastSyncs('/one', 5)).toEqual([]);
  for (const n of [1, 2, 3]) await durable.syncRan(run('/one', n));
  await durable.syncRan(run('/two', 4, { result: 'failed', commit: null }));
  expect(await durable.lastSyncs('/one', 2)).toEqual([run('/one', 3), run('/one', 2)]);
  expect(await durable.lastSyncs('/two', 9)).toEqual([run('/two', 4, { result: 'failed', commit: null })]);
});

test('several open it at once, and what was written is on the disk', async () => {
  const path = join(tempFolder(), 'durable.db');
  const all = Array.from({ length: 4 }, () => opened(path));
  await Promise.all(
    all.flatMap((durable, i) =>
      Array.from({ length: 10 }, (_, n) => [
        durable.syncRan(run('/one', i * 100 + n)),
        durable.audit({
          origin: '/one',
          subject: `s${i}`,
          client: '',
          action: 'save',
          target: String(n),
          reason: 'why',
        }),
      ]).flat(),
    ),
  );
  expect(await all[0]?.lastSyncs('/one', 100)).toHaveLength(40);
  const database = new Database(path);
  expect(database.prepare('SELECT count(DISTINCT subject || target) AS n FROM audit').all([])).toEqual([{ n: 40 }]);
  expect(database.prepare('PRAGMA integrity_check').all([])).toEqual([{ integrity_check: 'ok' }]);
  expect(database.prepare('PRAGMA journal_mode').all([])).toEqual([{ journal_mode: 'wal' }]);
  database.close();
  expect(await all[0]?.describe()).toMatchObject({ place: path, schema: 1 });
});

test('a newer one is refused with what to do, and left as it is', async () => {
  const path = join(tempFolder(), 'durable.db');
  const durable = createSqliteDurable(path);
  await durable.syncRan(run('/one', 1));
  await durable.close();
  const database = new Database(path);
  database.exec('PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
  const before = readFileSync(path);
  const older = opened(path);
  const refusal = { code: 'newer_schema', message: /schema 99/, hint: /Update strata-memory/ };
  const expected = {
    code: refusal.code,
    message: expect.stringMatching(refusal.message),
    hint: expect.stringMatching(refusal.hint),
  };
  await expect(older.syncRan(run('/one', 2))).rejects.toMatchObject(expected);
  await expect(older.lastSyncs('/one', 2)).rejects.toMatchObject(expected);
  await expect(older.describe()).rejects.toMatchObject(expected);
  expect(readFileSync(path).equals(before)).toBe(true);
});

test.each([
  ['garbage', Buffer.from('this was a database once '.repeat(400))],
  ['a torn page', null],
])('%s in its place is an error with what to do, and is never moved or written', async (_, bytes) => {
  const path = join(tempFolder(), 'durable.db');
  let damaged = bytes;
  if (damaged === null) {
    const durable = createSqliteDurable(path);
    await durable.syncRan(run('/one', 1));
    await durable.close();
    const database = new Database(path);
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    database.close();
    damaged = readFileSync(path);
    damaged.fill(0xa5, 100, 4_096);
  }
  writeFileSync(path, damaged);
  const inode = statSync(path).ino;
  const durable = opened(path);
  const expected = {
    message: expect.stringMatching(/it is damaged/),
    hint: expect.stringMatching(/Nothing was done to it.*move .* away/),
  };
  await expect(durable.syncRan(run('/one', 2))).rejects.toMatchObject(expected);
  await expect(durable.lastSyncs('/one', 2)).rejects.toMatchObject(expected);
  expect(readFileSync(path).equals(damaged)).toBe(true);
  expect(statSync(path).ino).toBe(inode);
});

test('a deleted one is made again, and used by who had the old one open', async () => {
  const path = join(tempFolder(), 'durable.db');
  const durable = opened(path);
  await durable.syncRan(run('/one', 1));
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  await durable.syncRan(run('/one', 2));
  expect(await opened(path).lastSyncs('/one', 5)).toEqual([run('/one', 2)]);
});

test('an older durable database is migrated step by step and keeps every row; a derived one is made anew', async () => {
  const folder = tempFolder();
  const open = (name: string, version: number, migrations?: string[]) => {
    const notices: string[] = [];
    const database = createSqlite({
      path: join(folder, name),
      schema: `CREATE TABLE t (${version === 1 ? 'a' : version === 2 ? 'a, b' : 'a, b, c'});`,
      version,
      migrations,
      synchronous: 'FULL',
      onNotice: (text) => notices.push(text),
    });
    onTestFinished(() => database.close());
    return { ...database, notices };
  };
  const steps = ['ALTER TABLE t ADD COLUMN b DEFAULT 2;', 'ALTER TABLE t ADD COLUMN c DEFAULT 3;'];
  for (const [name, migrations] of [
    ['durable.db', []],
    ['derived.db', undefined],
  ] as const) {
    const old = open(name, 1, migrations ? [] : undefined);
    await old.write((query) => query('INSERT INTO t VALUES (1)'));
    await old.close();
  }
  // Two programs of the new version at once.
  const durables = [open('durable.db', 3, steps), open('durable.db', 3, steps)];
  const derived = [open('derived.db', 3), open('derived.db', 3)];
  const rows = (database: (typeof derived)[number]) => database.read((query) => query('SELECT * FROM t'));
  expect(await Promise.all(durables.map(rows))).toEqual([[{ a: 1, b: 2, c: 3 }], [{ a: 1, b: 2, c: 3 }]]);
  expect(await Promise.all(derived.map(rows))).toEqual([[], []]);
  await derived[0]?.write((query) => query('INSERT INTO t VALUES (1, 2, 3)'));
  expect(await rows(derived[1] as (typeof derived)[number])).toEqual([{ a: 1, b: 2, c: 3 }]);
  expect(derived.flatMap(({ notices }) => notices)).toEqual([]);
});

test('a migration that fails leaves every row and the old version', async () => {
  const path = join(tempFolder(), 'durable.db');
  const open = (version: number, migrations: string[]) =>
    createSqlite({ path, schema: 'CREATE TABLE t (a);', version, migrations, synchronous: 'FULL', onNotice() {} });
  const old = open(1, []);
  await old.write((query) => query('INSERT INTO t VALUES (1)'));
  await old.close();
  const broken = open(2, ['ALTER TABLE t ADD COLUMN b; DELETE FROM t; INSERT INTO nowhere VALUES (1);']);
  await expect(broken.read((query) => query('SELECT * FROM t'))).rejects.toThrow(/could not be used/);
  await broken.close();
  const again = open(1, []);
  expect(await again.read((query) => query('SELECT * FROM t'))).toEqual([{ a: 1 }]);
  await again.close();
});

test('what was of use is counted for each origin, whoever counts', async () => {
  const path = join(tempFolder(), 'durable.db');
  const [one, other] = [opened(path), opened(path)];
  expect(await one.uses('/one', ['patterns/a'])).toEqual(new Map());
  await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 ? one : other).used('/one', ['patterns/a', 'b'])));
  await one.used('/two', ['patterns/a']);
  const uses = await other.uses('/one', ['patterns/a', 'c']);
  expect([...uses.keys()]).toEqual(['patterns/a']);
  expect(uses.get('patterns/a')?.uses).toBe(10);
  expect(Math.abs(Date.now() - (uses.get('patterns/a')?.lastUsedMs ?? 0))).toBeLessThan(600_000);
});
