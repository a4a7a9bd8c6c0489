import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { localCaller } from '../../src/core/caller.js';
import { LIMITS } from '../../src/core/limits.js';
import { openApp } from '../support/app.js';
import { type CachedApp, draft, openCachedApp as open } from '../support/cached-app.js';
import { tempFolder } from '../support/home.js';
import { BINARIES, startPostgres } from '../support/private-postgres.js';
import { connectTo, freePort, PASSWORD, PROGRAMS, type PrivateRedis, startRedis } from '../support/redis.js';
import { bareRepository, commitFiles, receiptOf } from '../support/repository.js';
import { distMain, runProgram, startServer } from '../support/server.js';

const FAST = { consistency: 'fast' };

/** Saves, edits and reads, each answer compared with what was acknowledged. */
async function worksAsEver(app: Pick<CachedApp, 'call'>, round: string): Promise<string[]> {
  const said: string[] = [];
  const saved = await app.call('save_session', draft(`Round ${round}`, `walrus of ${round}`));
  const { id, blob } = receiptOf(saved);
  const edited = await app.call('save_session', {
    ...draft(`Round ${round}`, `narwhal of ${round}`),
    id,
    replaces: blob,
  });
  for (const consistency of ['fast', 'fresh', 'verified', undefined])
    for (let i = 0; i < 2; i++) {
      const read = await app.call('read_memory', { id, ...(consistency && { consistency }) });
      expect(read).toContain(`narwhal of ${round}`);
      expect(read).not.toMatch(/skipped|not confirmed/);
      said.push(read);
    }
  expect(await app.call('load_context', {})).toContain(`Round ${round}`);
  expect(await app.call('search_memory', { query: `narwhal ${round}`, ...FAST })).toContain(id);
  return [saved, edited, ...said];
}

describe.skipIf(!PROGRAMS)('the program while Redis fails', () => {
  const failures: [what: string, begin: (server: PrivateRedis) => unknown, end: (server: PrivateRedis) => unknown][] = [
    ['is killed', (server) => server.kill(), (server) => server.start()],
    ['hangs', (server) => server.pause(), (server) => server.resume()],
    ['is flushed', (server) => connectTo(server.url()).flushall(), () => {}],
    [
      'is full',
      (server) => connectTo(server.url()).config('SET', 'maxmemory', '1'),
      (server) => connectTo(server.url()).config('SET', 'maxmemory', '0'),
    ],
  ];
  test.each(failures)('%s, and is back: the answers are right, and nothing waits', async (_, begin, end) => {
    const server = await startRedis();
    const app = await open({ MEMORY_REPO: bareRepository(), REDIS_URL: server.url() }, undefined, LIMITS.cacheMs);
    await worksAsEver(app, 'before');
    await begin(server);
    await worksAsEver(app, 'during');
    await end(server);
    await worksAsEver(app, 'after');
    await expect.poll(async () => (await app.app.services.shelf.describe())?.state, { timeout: 20_000 }).toBe('up');
    await expect.poll(async () => (await app.ask('list_sessions', FAST)).from, { timeout: 20_000 }).toMatch(/^cache /);
  });

  test('is not there at the start: a warning on the receipt, an alert, and no secret anywhere', async () => {
    const port = await freePort();
    const environment = { MEMORY_REPO: bareRepository(), REDIS_URL: `redis://:${PASSWORD}@127.0.0.1:${port}` };
    const app = await openApp({ ...environment });
    expect(await app.app.services.shelf.tries()).toBe(false);
    const said = await worksAsEver(app, 'without');
    expect(said[0]).toMatch(/warning: cache: The cache at redis:\/\/127\.0\.0\.1:\d+ cannot be reached/);
    const status = await app.call('memory_status');
    expect(status).toMatch(/- cache (down|connecting) .*last failure \d+ s ago: The cache at/);
    const doctor = await runProgram(['doctor'], { ...environment, MEMORY_HOME: tempFolder() });
    expect(doctor.stdout).toMatch(/FAULT.* cache +The cache at redis:\/\/127\.0\.0\.1:\d+ cannot be reached/);
    expect(doctor.stdout).toContain('Start it, or mend REDIS_URL.');
    expect(doctor.code).toBe(1);
    expect([...said, status, app.logged.join(''), doctor.stdout, doctor.stderr].join()).not.toContain(PASSWORD);
  });

  test('the built program connects by itself, and ends at once when it is told to', async () => {
    const server = await startRedis({ requirepass: PASSWORD });
    const environment = {
      MEMORY_REPO: bareRepository(),
      REDIS_URL: server.url(`:${PASSWORD}@`),
      MEMORY_HOME: tempFolder(),
    };
    const program = await startServer(environment);
    expect(distMain).toContain('dist');
    await worksAsEver(program, 'built');
    await expect
      .poll(() => program.call('list_sessions', FAST), { timeout: 20_000 })
      .toMatch(/\ncache [0-9a-f]{10}, confirmed/);
    const doctor = await runProgram(['doctor'], environment);
    expect(doctor.stdout).toMatch(/ok +cache +redis:\/\/127\.0\.0\.1:\d+/);
    expect(`${doctor.stdout}${program.stderr()}`).not.toContain(PASSWORD);
    server.pause();
    await program.close();
    expect(() => process.kill(program.pid, 0)).toThrow();
  });
});

describe.skipIf(!PROGRAMS || BINARIES === null)('the program while the mirror fails and Redis is there', () => {
  async function stand() {
    const postgres = await startPostgres();
    const server = await startRedis();
    const repository = bareRepository();
    const environment = { MEMORY_REPO: repository, DATABASE_URL: postgres.url(), REDIS_URL: server.url() };
    const [one, two] = [await open(environment), await open(environment)];
    return { postgres, server, repository, one, two, environment };
  }

  test('answers come from the cache at its own head, and say that nobody confirmed it', async () => {
    const { postgres, one, two, repository } = await stand();
    const { id } = receiptOf(await one.call('save_session', draft('Before', 'walrus before')));
    for (const [name, args] of [
      ['load_context', {}],
      ['read_memory', { id }],
      ['search_memory', { query: 'walrus' }],
    ] as const)
      await one.ask(name, args);
    await postgres.kill();
    const read = await two.ask('read_memory', { id, ...FAST });
    expect(read.text).toContain('walrus before');
    expect(read.from).toMatch(/^cache [0-9a-f]{10}, not confirmed · skipped mirror: .*what the mirror last gave/);
    // Asked for by nobody before: the next tier's.
    expect((await two.ask('list_sessions', FAST)).from).toMatch(/^origin .*skipped mirror/);
    // Who may ask the origin does, and then it is confirmed.
    expect((await two.ask('read_memory', { id })).from).toMatch(
      /^cache [0-9a-f]{10}, confirmed 0 s ago · skipped mirror/,
    );
    expect((await two.ask('load_context', {})).text).toContain('Before');
    commitFiles(repository, { 'sessions/test/project/theirs.md': '# Theirs\n\nyak' });
    const moved = await two.ask('load_context', {});
    expect(moved.text).toContain('Theirs');
    expect(moved.from).toMatch(/^origin .*skipped mirror/);
    const fast = await two.ask('load_context', FAST);
    expect(fast.from).toMatch(/^cache [0-9a-f]{10}, not confirmed/);
    expect((await two.ask('read_memory', { id, consistency: 'verified' })).from).toMatch(/^origin .*verified/);
    await postgres.start();
    expect((await two.ask('load_context', {})).from).toMatch(/^(mirror|cache) [0-9a-f]{10}, confirmed \d+ s ago$/);
  });

  test('what was read while the mirror was away is still there when it is back', async () => {
    const { postgres, repository, one } = await stand();
    await one.call('save_session', draft('Before', 'walrus before'));
    await postgres.kill();
    commitFiles(repository, { 'sessions/test/project/theirs.md': '# Theirs\n\nwalrus of others' });
    expect((await one.ask('search_memory', { query: 'walrus' })).text).toContain('walrus of others');
    await postgres.start();
    expect((await one.ask('search_memory', { query: 'walrus', ...FAST })).from).toMatch(/not confirmed .*it was away/);
    const absent = await one.fail('read_memory', { id: 'sessions/test/project/theirs', ...FAST });
    expect(absent).toMatch(/^There is no note with this id.*\nmirror [0-9a-f]{10}, not confirmed .*it was away$/s);
    for (let i = 0; i < 2; i++)
      expect((await one.ask('search_memory', { query: 'walrus' })).text).toContain('walrus of others');
    expect((await one.ask('search_memory', { query: 'walrus', ...FAST })).from).toMatch(/, confirmed \d+ s ago$/);
  });

  test('a save that the mirror did not get is read by others, and what lacks it is not answered', async () => {
    const { postgres, one, two } = await stand();
    const before = receiptOf(await one.call('save_session', draft('Before', 'walrus before')));
    await two.ask('search_memory', { query: 'walrus' });
    await two.ask('read_memory', { id: before.id });
    await postgres.kill();
    const saved = await one.call('save_session', draft('During', 'walrus during'));
    expect(saved).toMatch(/warning: mirror:/);
    expect(saved).not.toMatch(/warning: cache:/);
    const { id } = receiptOf(saved);
    const edited = await one.call('save_session', {
      ...draft('Before', 'walrus edited'),
      id: before.id,
      replaces: before.blob,
    });
    expect(receiptOf(edited.replace(/^Edited/, 'Saved')).id).toBe(before.id);
    const read = await two.ask('read_memory', { id, ...FAST });
    expect(read.text).toContain('walrus during');
    expect(read.from).toMatch(/^cache [0-9a-f]{10}, not confirmed .*saved while the mirror could not be reached/);
    expect((await two.ask('read_memory', { id: before.id, ...FAST })).text).toContain('walrus edited');
    for (const consistency of ['fast', 'fresh']) {
      const found = await two.ask('search_memory', { query: 'walrus', consistency });
      expect(found.text).toContain(id);
      expect(found.text).toContain('walrus edited');
      expect(found.from).toMatch(/^origin /);
    }
    await postgres.start();
    await one.ask('load_context', { consistency: 'fresh' });
    expect((await two.ask('search_memory', { query: 'walrus edited during' })).text).toContain(id);
    await expect.poll(() => one.app.services.shelf.late(), { timeout: 20_000 }).toEqual([]);
  });

  test('a late save whose writer died does not stand before what the mirror was given since', async () => {
    const { postgres, one, two, environment } = await stand();
    const { id, blob } = receiptOf(await one.call('save_session', draft('Plan', 'walrus first')));
    const there = await one.app.services.mirror.snapshot(async (view) => ({
      commit: (await view.state()).head?.commit ?? '',
      content: (await view.get(localCaller('tester', 'test'), id))?.content ?? new Uint8Array(),
    }));
    // As a writer whose mirror step failed, and that ended then.
    const dead = (await open(environment)).app.services.shelf;
    expect(await dead.saved([{ path: `${id}.md`, blob, content: there.content }], there.commit, null)).toBe(true);
    await two.ask('list_sessions');
    await two.call('save_session', { ...draft('Plan', 'walrus second'), id, replaces: blob });
    await two.ask('read_memory', { id });
    await expect.poll(() => one.app.services.shelf.late()).toEqual([]);
    await postgres.kill();
    expect((await one.ask('read_memory', { id, ...FAST })).text).toContain('walrus second');
  });

  test('mirror and origin both gone: what the cache has, and that it lacks something where it does', async () => {
    const { postgres, one, two, repository } = await stand();
    const { id } = receiptOf(await one.call('save_session', draft('Before', 'walrus before')));
    await two.ask('search_memory', { query: 'walrus' });
    await postgres.kill();
    const during = receiptOf(await one.call('save_session', draft('During', 'walrus during')));
    rmSync(repository, { recursive: true });
    const found = await two.ask('search_memory', { query: 'walrus' });
    expect(found.text).toContain(id);
    expect(found.from).toMatch(/^cache [0-9a-f]{10}, not confirmed .*notes saved since then are missing/);
    expect((await two.ask('read_memory', { id: during.id })).text).toContain('walrus during');
    expect(await two.fail('search_memory', { query: 'never asked before' })).toMatch(/repository is gone/);
  });

  test('the head in the cache never goes back, also where the mirror itself began anew', async () => {
    const { postgres, server, one, two } = await stand();
    await one.call('save_session', draft('One', 'walrus one'));
    await one.ask('list_sessions');
    const first = await one.app.services.shelf.head();
    for (let i = 0; i < 8; i++) await two.call('save_session', draft(`Two ${i}`, `walrus two ${i}`));
    await two.ask('list_sessions');
    const second = await one.app.services.shelf.head();
    expect(second?.generation).toBeGreaterThan(first?.generation ?? Number.NaN);
    // Somebody who was late by a generation says so now.
    one.app.services.shelf.stands(first as NonNullable<typeof first>, performance.now());
    await one.app.services.shelf.idle();
    expect(await one.app.services.shelf.head()).toEqual(second);
    await postgres.connect()`DROP SCHEMA strata_mirror CASCADE`;
    for (let i = 0; i < 3; i++) await two.ask('list_sessions', { consistency: 'fresh' });
    const anew = await one.app.services.shelf.head();
    expect(anew?.generation).toBeGreaterThan(second?.generation ?? Number.NaN);
    expect(anew?.commit).toBe(second?.commit);
    expect(await connectTo(server.url()).keys('strata:1:head:*')).toHaveLength(1);
  });

  test('both hang, and Redis is full while the mirror is down: right, or said', async () => {
    const { postgres, server, one, two } = await stand();
    const { id } = receiptOf(await one.call('save_session', draft('Before', 'walrus before')));
    await two.ask('read_memory', { id });
    await postgres.kill();
    await connectTo(server.url()).config('SET', 'maxmemory', '1');
    const saved = await one.call('save_session', draft('During', 'walrus during'));
    expect(saved).toMatch(/warning: cache: .* is full/);
    // It could not be told of the save, so it tells nothing old either.
    const found = await two.ask('read_memory', { id, ...FAST });
    expect(found.from).toMatch(/^origin /);
    server.pause();
    expect((await two.ask('search_memory', { query: 'walrus', ...FAST })).text).toContain('During');
    expect((await two.ask('read_memory', { id: receiptOf(saved).id, ...FAST })).text).toContain('walrus during');
  });
});
