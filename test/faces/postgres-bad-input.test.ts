import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { tempFolder } from '../support/home.js';
import { until } from '../support/outbox.js';
import { BINARIES, startPostgres } from '../support/private-postgres.js';
import { bareRepository, receiptOf } from '../support/repository.js';
import { runProgram, startServer } from '../support/server.js';

const SECRET = 'hunter2secret';

/** A server on a new memory with one note, whose database is what the URL says. */
async function serverOn(url: string, repository = bareRepository()) {
  const environment = { MEMORY_HOME: tempFolder(), MEMORY_REPO: repository, DATABASE_URL: url };
  const server = await startServer({ ...environment, MEMORY_MIRROR_DEADLINE: '5s', MEMORY_LOG: 'debug' });
  onTestFinished(() => server.close());
  return { server, environment, repository };
}

/** What every one of them has to do: save, read from the tier that works, say what is wrong and what to do. */
async function goesOn(url: string, why: RegExp, remedy: RegExp): Promise<void> {
  const { server, environment } = await serverOn(url);
  const texts = [await server.call('save_session', { title: 'A walrus', content: 'The walrus decided.' })];
  expect(texts[0]).toMatch(why);
  const { id, saved } = receiptOf(texts[0] as string);
  expect(saved).toBe(true);
  texts.push(await server.call('load_context'), await server.call('search_memory', { query: 'walrus' }));
  texts.push(await server.call('read_memory', { id }));
  for (const text of texts.slice(1)) {
    expect(text).toContain('The walrus decided.');
    expect(text).toMatch(/skipped mirror: .* degraded/s);
  }
  const status = await server.call('memory_status');
  expect(status).toMatch(why);
  expect(status).toMatch(remedy);
  const doctor = await runProgram(['doctor'], environment);
  expect(doctor.code).toBe(1);
  expect(doctor.stdout).toMatch(why);
  expect(doctor.stdout).toMatch(remedy);
  for (const text of [...texts, status, doctor.stdout, doctor.stderr, server.stderr()])
    expect(text).not.toMatch(/hunter2/);
}

test.each([
  ['no URL at all', 'hunter2secret'],
  ['another protocol', `mysql://ann:${SECRET}@localhost/memory`],
  ['a port that is none', `postgres://ann:${SECRET}@localhost:99999/memory`],
  ['a password that is not encoded', `postgres://ann:${SECRET}/%zz@localhost/memory`],
  ['an sslmode that is none', `postgres://ann:${SECRET}@localhost/memory?sslmode=perhaps`],
])('DATABASE_URL with %s: named at the start, never shown', async (_, url) => {
  const environment = { MEMORY_HOME: tempFolder(), DATABASE_URL: url };
  for (const args of [['doctor'], ['status'], []]) {
    const { code, stdout, stderr } = await runProgram(args, environment);
    expect(code).toBe(78);
    expect(stderr).toMatch(/DATABASE_URL .*postgres:\/\/user:password@host:5432/s);
    expect(stdout + stderr).not.toMatch(/hunter2/);
  }
});

describe.skipIf(BINARIES === null)('a Postgres that says no', () => {
  test('wrong password, no such database, a role that may nothing', async () => {
    const postgres = await startPostgres();
    await postgres.connect().unsafe(`CREATE ROLE poor LOGIN PASSWORD '${SECRET}'`);
    await goesOn(postgres.url('owner', 'hunter2wrong'), /refuses the role or its password/, /Check user and password/);
    await goesOn(postgres.url('owner', SECRET, 'nowhere'), /there is no such database/, /createdb/);
    await goesOn(postgres.url('poor', SECRET), /lacks a privilege/, /GRANT CREATE ON DATABASE/);
  });

  test('a role that may read and not write', async () => {
    const postgres = await startPostgres();
    const { server, repository } = await serverOn(postgres.url());
    await server.call('save_session', { title: 'First', content: 'The zebra decided.' });
    await postgres.connect().unsafe(`CREATE ROLE reader LOGIN PASSWORD '${SECRET}';
      GRANT USAGE ON SCHEMA strata_mirror, strata_durable TO reader;
      GRANT SELECT ON ALL TABLES IN SCHEMA strata_mirror TO reader`);
    const reader = await serverOn(postgres.url('reader', SECRET), repository);
    expect(await reader.server.call('search_memory', { query: 'zebra' })).toMatch(/zebra decided.*\nmirror /s);
    expect(await reader.server.call('memory_status')).toContain('No alerts.');
    const receipt = await reader.server.call('save_session', { title: 'Second', content: 'The walrus decided.' });
    expect(receipt).toMatch(/^Saved.*mirror behind.*lacks a privilege/);
    expect(await reader.server.call('search_memory', { query: 'walrus' })).toMatch(/walrus decided.*degraded/s);
    expect(await reader.server.call('memory_status')).toMatch(/ALERT the last sync failed: .*lacks a privilege/);
    expect(await reader.server.fail('sync_now')).toMatch(/lacks a privilege.*GRANT CREATE ON DATABASE/);
  });

  test('TLS is wanted, and it has none', async () => {
    const postgres = await startPostgres();
    await goesOn(`${postgres.url()}&sslmode=require`, /may offer none/, /mend sslmode in DATABASE_URL/);
  });

  test('a database of another encoding', async () => {
    const postgres = await startPostgres();
    await postgres
      .connect()
      .unsafe("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
    const { server } = await serverOn(postgres.url('owner', SECRET, 'latin'));
    const receipt = await server.call('save_session', { title: 'Морж', content: 'Морж решил.' });
    expect(receipt).toMatch(/^Saved.*mirror behind.*its encoding has no room/);
    expect(await server.call('search_memory', { query: 'морж' })).toMatch(/Морж решил.*skipped mirror: .*degraded/s);
  });

  test('no connection left', async () => {
    const postgres = await startPostgres({ max_connections: '2', superuser_reserved_connections: '0' });
    const all = postgres.connect();
    const held = [await all.reserve(), await all.reserve()];
    await goesOn(postgres.url(), /has no connection left/, /Raise max_connections/);
    for (const each of held) each.release();
  });

  test('a full disk: saved, read from where it is, and caught up with when there is room', async ({ skip }) => {
    const postgres = await startPostgres();
    const place = join(postgres.folder, 'small');
    mkdirSync(place);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', place], { stdio: 'pipe' });
    } catch {
      console.warn('\nSKIPPED: a full disk for Postgres. To make a small one takes the right to mount (root).\n');
      skip();
    }
    onTestFinished(async () => {
      await postgres.stop('SIGQUIT');
      execFileSync('umount', ['-l', place]);
    });
    const [uid, gid] = ['-u', '-g'].map((which) =>
      Number(execFileSync('id', [which, 'postgres'], { encoding: 'utf8' })),
    );
    chownSync(place, uid as number, gid as number);
    const sql = postgres.connect();
    await sql.unsafe(`CREATE TABLESPACE small LOCATION '${place}'`);
    await sql.unsafe('CREATE DATABASE small TABLESPACE small');
    const { server } = await serverOn(postgres.url('owner', SECRET, 'small'));
    expect(await server.call('save_session', { title: 'First', content: 'The zebra decided.' })).toMatch(
      /mirror saved/,
    );
    const filler = join(place, 'filler');
    try {
      writeFileSync(filler, Buffer.alloc(64 * 1024 * 1024));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
    const body = Array.from({ length: 20_000 }, (_, at) => `word${at}`).join(' ');
    const receipt = await server.call('save_session', { title: 'Large', content: `The walrus decided. ${body}` });
    expect(receipt).toMatch(/^Saved.*mirror behind.*its disk is full or failing/);
    const { id } = receiptOf(receipt);
    expect(await server.call('read_memory', { id })).toContain('The walrus decided.');
    expect(await server.call('search_memory', { query: 'zebra' })).toContain('The zebra decided.');
    expect(await server.call('memory_status')).toMatch(/mirror behind the origin|disk is full/);
    rmSync(filler);
    await until(
      () => server.call('memory_status'),
      (status) => status.includes('mirror at the head'),
    );
    expect(await server.call('search_memory', { query: 'walrus' })).toMatch(/The walrus decided.*\nmirror /s);
    expect(await server.call('verify_with_github')).toContain('all equal');
    expect(server.stderr()).not.toMatch(/hunter2/);
  });
});
