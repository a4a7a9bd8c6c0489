import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, test } from 'vitest';
import { objectId, shortHash } from '../../src/core/hash.js';
import { createHealth } from '../../src/core/health.js';
import { createLog } from '../../src/core/log.js';
import { createRetention, type Retention } from '../../src/core/retention.js';
import { createRunner } from '../../src/jobs/run.js';
import { openApp, type TestApp } from '../support/app.js';
import { tempFolder } from '../support/home.js';
import { createDatabase, POSTGRES } from '../support/postgres.js';
import { bareRepository, commitFiles } from '../support/repository.js';

/** A memory with notes whose mirror can be changed behind its back. */
interface Place {
  environment: Record<string, string>;
  /** One statement; `documents` is the mirror's table. `$1` stands for bytes. */
  tamper(sql: string, bytes?: Buffer): Promise<void>;
  rows(sql: string): Promise<Record<string, unknown>[]>;
}

const COUNT = 30;
const ID = 'sessions/test/project/note-7';
/** A word of one note alone. */
const word = (stem: string, i: number) => `${stem}${'bcdfghjklm'[Math.floor(i / 10)]}${'bcdfghjklm'[i % 10]}k`;
const TEXT = (i: number) =>
  `# Note ${i}\n\nSummary of ${i}.\n\n## Decisions\n\n- ${word('okapi', i)} it is\n\n## Rest\n\n${word('wombat', i)} shared ${'filler words '.repeat(40)}\n`;

function repository(): string {
  const made = bareRepository();
  commitFiles(
    made,
    Object.fromEntries(Array.from({ length: COUNT }, (_, i) => [`sessions/test/project/note-${i}.md`, TEXT(i)])),
  );
  return made;
}

async function onSqlite(): Promise<Place> {
  const home = tempFolder();
  const origin = repository();
  const open = () => {
    const database = new Database(join(home, 'mirror', `${shortHash(origin)}.db`));
    database.exec('PRAGMA busy_timeout = 5000');
    return database;
  };
  return {
    environment: { MEMORY_HOME: home, MEMORY_REPO: origin },
    async tamper(sql, bytes) {
      const database = open();
      if (bytes) database.prepare(sql.replaceAll('$1', '?1')).run([bytes]);
      else database.exec(sql);
      database.close();
    },
    async rows(sql) {
      const database = open();
      const rows = database.prepare(sql).all([]) as Record<string, unknown>[];
      database.close();
      return rows;
    },
  };
}

async function onPostgres(): Promise<Place> {
  const { url, sql } = await createDatabase();
  const run = (text: string, values: Buffer[] = []) =>
    sql.begin(async (tx) => {
      await tx`SET LOCAL search_path = strata_mirror`;
      return values.length > 0 ? tx.unsafe(text, values) : tx.unsafe(text);
    });
  return {
    environment: { MEMORY_HOME: tempFolder(), MEMORY_REPO: repository(), DATABASE_URL: url },
    async tamper(text, bytes) {
      await run(text, bytes ? [bytes] : []);
    },
    rows: async (text) => [...(await run(text))] as Record<string, unknown>[],
  };
}

const PLACES: [string, () => Promise<Place>][] = [['SQLite', onSqlite]];
if (POSTGRES !== null) PLACES.push(['Postgres', onPostgres]);

const bytes = (text: string) => Buffer.from(text);
const path = (i: number) => `sessions/test/project/note-${i}.md`;

/** What was done, how many documents it concerns, and what is said of it. */
const FAULTS: [string, (at: Place) => Promise<void>, number, RegExp][] = [
  [
    'content',
    (at) => at.tamper(`UPDATE documents SET content = $1 WHERE path = '${path(7)}'`, bytes('forged shared')),
    1,
    /bytes altered/,
  ],
  [
    'one byte',
    (at) =>
      at.tamper(
        `UPDATE documents SET content = $1 WHERE path = '${path(7)}'`,
        bytes(TEXT(7).replace('shared', 'sharee')),
      ),
    1,
    /bytes altered/,
  ],
  [
    'a title',
    (at) => at.tamper(`UPDATE documents SET title = 'forged' WHERE path = '${path(7)}'`),
    1,
    /fields altered/,
  ],
  [
    'a digest',
    (at) =>
      at.tamper(
        `UPDATE documents SET digest = '{"summary":"forged","decisions":[],"nextSteps":[]}' WHERE path = '${path(7)}'`,
      ),
    1,
    /fields altered/,
  ],
  [
    'an author and privacy',
    (at) => at.tamper(`UPDATE documents SET author = 'forged', privacy = 'PRIVATE' WHERE path = '${path(7)}'`),
    1,
    /fields altered/,
  ],
  [
    'a blob id',
    (at) => at.tamper(`UPDATE documents SET blob = '${'a'.repeat(40)}' WHERE path = '${path(7)}'`),
    1,
    /other version/,
  ],
  ['deleted', (at) => at.tamper(`DELETE FROM documents WHERE path IN ('${path(7)}', '${path(8)}')`), 2, /missing/],
  ['not live', (at) => at.tamper(`UPDATE documents SET live = 0 WHERE path = '${path(7)}'`), 1, /missing/],
  [
    'two contents swapped',
    async (at) => {
      await at.tamper(`UPDATE documents SET content = $1 WHERE path = '${path(7)}'`, bytes(TEXT(8)));
      await at.tamper(`UPDATE documents SET content = $1 WHERE path = '${path(8)}'`, bytes(TEXT(7)));
    },
    2,
    /bytes altered/,
  ],
  [
    "another's digest",
    (at) =>
      at.tamper(
        `UPDATE documents SET digest = (SELECT o.digest FROM documents o WHERE o.path = '${path(8)}') WHERE path = '${path(7)}'`,
      ),
    1,
    /fields altered/,
  ],
  [
    'a forged version, with its own blob id',
    async (at) => {
      const forged = bytes('# Forged\nforged shared');
      await at.tamper(
        `UPDATE documents SET blob = '${objectId('blob', forged, 'sha1')}', content = $1 WHERE path = '${path(7)}'`,
        forged,
      );
    },
    1,
    /other version/,
  ],
  [
    'a note that nobody wrote',
    (at) => at.tamper(`UPDATE documents SET path = 'forged.md', id = 'forged' WHERE path = '${path(7)}'`),
    2,
    /extra|missing/,
  ],
  [
    'index rows deleted',
    async (at) => {
      const [row] = await at.rows(`SELECT doc FROM documents WHERE path = '${path(7)}'`);
      const column = at.environment.DATABASE_URL ? 'doc' : 'rowid';
      await at.tamper(`DELETE FROM documents_search WHERE ${column} = ${row?.doc}`);
    },
    1,
    /not indexed/,
  ],
  [
    'the page of another document',
    (at) =>
      at.tamper(
        `UPDATE documents_tail SET page = (SELECT o.page FROM documents_tail o WHERE o.doc = ${docOf(8)}) WHERE doc = ${docOf(7)}`,
      ),
    1,
    /not indexed/,
  ],
  [
    'a page of garbage',
    (at) => at.tamper(`UPDATE documents_tail SET page = $1 WHERE doc = ${docOf(7)}`, bytes('garbage')),
    1,
    /not indexed/,
  ],
  [
    'an outline of garbage',
    (at) => at.tamper(`UPDATE documents_search SET outline = 'null' WHERE doc = ${docOf(7)}`),
    1,
    /not indexed/,
  ],
  [
    'passages of another document',
    (at) => at.tamper(`UPDATE documents_search SET chunks = $1 WHERE doc = ${docOf(7)}`, bytes('0123456789abcdef')),
    1,
    /not indexed/,
  ],
  [
    'a document that search is told to pass over',
    (at) => at.tamper(`UPDATE documents SET indexed = 0 WHERE path = '${path(7)}'`),
    1,
    /fields altered/,
  ],
];

const docOf = (i: number) => `(SELECT doc FROM documents WHERE path = '${path(i)}')`;

function health({ app }: TestApp) {
  const logged: string[] = [];
  const log = createLog('info', (line) => logged.push(line));
  const { mirror } = app.services;
  const job = createHealth({ ...app.services, log });
  const { run } = createRunner({ mirror, holder: 'test', log, leaseMs: 60_000, backoffMs: 1 });
  const due = { name: 'health' as const, job, restMs: 0, failedRestMs: 0 };
  return {
    run: () => run(due, new AbortController().signal),
    alerts: () => logged.filter((each) => each.includes('"alert"')),
  };
}

async function answersRight({ call }: TestApp): Promise<void> {
  expect(await call('list_sessions', { limit: 100, consistency: 'fast' })).toMatch(new RegExp(`of ${COUNT} notes`));
  for (const i of [7, 8]) {
    const id = path(i).slice(0, -3);
    expect(await call('read_memory', { id, consistency: 'fast' })).toContain(`${word('wombat', i)} shared`);
    expect(await call('search_memory', { query: word('wombat', i), consistency: 'fast' })).toContain(id);
  }
  const context = await call('load_context', { consistency: 'fast' });
  expect(context).toContain(`of ${7}.`);
}

describe.each(PLACES)('on %s, behind our back', (_, open) => {
  test('whatever is altered: found by verify_with_github and by the health check, repaired, reported once', async () => {
    const at = await open();
    const memory = await openApp(at.environment);
    const { run, alerts } = health(memory);
    await memory.call('sync_now');
    expect(await run()).toBe('ok');
    for (const [what, alter, count, fault] of FAULTS) {
      await alter(at);
      const found = await memory.call('verify_with_github');
      expect(found, what).toMatch(new RegExp(`: ${count} differed`));
      expect(found, what).toMatch(fault);
      const before = alerts().length;
      expect(await run(), what).toBe('repaired');
      expect(alerts().slice(before), what).toEqual([
        expect.stringMatching(new RegExp(`${count} of \\d+ documents differed`)),
      ]);
      const status = await memory.call('memory_status');
      expect(status, what).toMatch(
        new RegExp(`ALERT health repaired .*${count} of \\d+ documents differed .*${count} repaired`),
      );
      await answersRight(memory);
      expect(await memory.call('verify_with_github'), what).toMatch(new RegExp(`all equal; ${COUNT} hashed`));
    }
    expect(await run()).toBe('ok');
    expect(await memory.call('memory_status')).toMatch(/health ok .*\nNo alerts/);
    const [last] = await memory.app.services.durable.lastSyncs(memory.app.services.origin.name, 1);
    expect(last).toMatchObject({
      reason: 'health',
      result: 'ok',
      details: { checked: COUNT, hashed: COUNT, differed: 0 },
    });
  });

  test('a wrong commit recorded: the mirror comes to the head, and the check finds what the commit hid', async () => {
    const at = await open();
    const memory = await openApp(at.environment);
    await memory.call('sync_now');
    const { run } = health(memory);
    for (const wrong of [
      `commit_id = '${'b'.repeat(40)}'`,
      `commit_id = ''`,
      'index_version = 0',
      'generation = 0',
      'confirmed_at_ms = 9e15',
    ]) {
      await at.tamper(`UPDATE state SET ${wrong}`);
      expect(await run(), wrong).toBe('ok');
      await answersRight(memory);
    }
    await at.tamper('DELETE FROM state');
    expect(await run()).toBe('ok');
    await answersRight(memory);
    await at.tamper(`DELETE FROM documents`);
    expect(await run(), 'the right commit over nothing').toBe('repaired');
    await answersRight(memory);
  });

  test('bytes that are not their blob id’s are never served, by no tool at no consistency', async () => {
    const at = await open();
    const memory = await openApp(at.environment);
    await memory.call('sync_now');
    for (const consistency of ['fast', 'fresh', 'verified']) {
      for (const [tool, args] of [
        ['read_memory', { id: ID }],
        ['search_memory', { query: `${word('wombat', 7)} shared`, limit: 20 }],
        ['load_context', {}],
      ] as const) {
        await at.tamper(
          `UPDATE documents SET content = $1 WHERE path = '${path(7)}'`,
          bytes(`# Forged\n\n${word('wombat', 7)} shared forged`),
        );
        const answer = await memory.call(tool, { ...args, consistency });
        expect(answer, `${tool} ${consistency}`).not.toMatch(/forged/i);
        expect(answer).toContain(ID);
      }
    }
  });
});

function retentionOf({ app }: TestApp, days: number | null): Retention {
  const log = createLog('silent', () => {});
  return createRetention({ ...app.services, days, log });
}
const never = new AbortController().signal;

describe.each(PLACES)('retention on %s', (_, open) => {
  test('after 90 days without a reader: found by its digest, read from the origin, and back', async () => {
    const at = await open();
    const memory = await openApp({ ...at.environment, MEMORY_RETENTION: '90d' });
    const { call, app } = memory;
    await call('sync_now');
    const job = retentionOf(memory, 90);
    await at.tamper(`UPDATE documents SET touched_day = touched_day - 90`);
    await job.run(never);
    expect(await call('verify_with_github'), 'on the 90th day they stay').toMatch(new RegExp(`${COUNT} hashed`));
    await at.tamper(`UPDATE documents SET touched_day = touched_day - 1`);
    // Read in time: it stays.
    await call('read_memory', { id: path(8).slice(0, -3) });
    await until(
      async () =>
        (
          await at.rows(
            `SELECT 1 FROM documents WHERE touched_day >= (SELECT max(touched_day) FROM documents) AND path = '${path(8)}'`,
          )
        ).length > 0,
    );
    await until(
      async () =>
        Number((await at.rows(`SELECT max(touched_day) - min(touched_day) AS days FROM documents`))[0]?.days) === 91,
    );
    await job.run(never);
    expect(await call('verify_with_github')).toMatch(
      new RegExp(`all equal; 1 hashed to their blob id, ${COUNT - 1} kept at the origin only`),
    );
    expect(await health(memory).run()).toBe('ok');
    const [row] = (await app.services.durable.lastSyncs(app.services.origin.name, 9)).filter(
      ({ reason }) => reason === 'retention',
    );
    expect(row).toMatchObject({ result: 'ok', details: { shed: COUNT - 1 } });

    const found = await call('search_memory', {
      query: `${word('wombat', 7)} ${word('okapi', 7)}`,
      consistency: 'fast',
    });
    expect(found).toContain(ID);
    expect(found).toContain(`${word('okapi', 7)} it is`);
    expect(found).not.toContain('filler');
    expect(await call('search_memory', { query: word('wombat', 9), consistency: 'fast' })).toMatch(
      /note-9.*has wombat.*its digest\n.*Summary of 9/,
    );
    expect(await call('load_context')).toContain('Summary of 7');
    for (const consistency of ['verified', 'fast']) {
      expect(await call('read_memory', { id: ID, consistency })).toContain(`${word('wombat', 7)} shared`);
      await until(async () => (await call('verify_with_github', { id: ID })).includes('1 hashed'));
    }
    expect(await call('search_memory', { query: word('wombat', 7), consistency: 'fast' })).toContain('filler');
  });

  test('a read whose note cannot be written down, or put back, answers all the same', async () => {
    const at = await open();
    const memory = await openApp({ ...at.environment, MEMORY_RETENTION: '90d' });
    await memory.call('sync_now');
    await at.tamper('UPDATE documents SET touched_day = touched_day - 100');
    await retentionOf(memory, 90).run(never);
    const { mirror } = memory.app.services;
    const refuse = () => Promise.reject(new Error('read-only'));
    Object.assign(mirror, { touch: refuse, restore: refuse });
    for (let i = 0; i < 3; i++)
      expect(await memory.call('read_memory', { id: ID })).toContain(`${word('wombat', 7)} shared`);
  });

  test('switched off, it takes nothing', async () => {
    const at = await open();
    const memory = await openApp(at.environment);
    await memory.call('sync_now');
    await at.tamper('UPDATE documents SET touched_day = touched_day - 1000');
    await retentionOf(memory, null).run(never);
    expect(await memory.call('verify_with_github')).toMatch(new RegExp(`${COUNT} hashed`));
  });
});

async function until(good: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await good())) if (performance.now() > end) throw new Error('not within 20 s');
}
