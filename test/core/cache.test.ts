import Database from 'libsql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { objectId } from '../../src/core/hash.js';
import { createRedisCache } from '../../src/tiers/cache-redis.js';
import { draft, openCachedApp as open } from '../support/cached-app.js';
import { foreignFiles, importFiles, ordinaryNotes } from '../support/foreign.js';
import { tempFolder } from '../support/home.js';
import { createDatabase, POSTGRES } from '../support/postgres.js';
import { connectTo, PROGRAMS, REDIS, startRedis } from '../support/redis.js';
import { bareRepository, commitFiles, receiptOf } from '../support/repository.js';

const FAST = { consistency: 'fast' };
/** Every question whose answer may be cached, and some twice in other words. */
const QUESTIONS: [name: string, args: Record<string, unknown>][] = [
  ['load_context', {}],
  ['load_context', { project: 'nobody/knows' }],
  ['search_memory', { query: 'migration login decided' }],
  ['search_memory', { query: 'migration login decided', limit: 2 }],
  ['search_memory', { query: 'migration', project: 'acme/web', after: '2020-01-01' }],
  ['list_sessions', {}],
  ['list_sessions', { limit: 3, kind: 'session' }],
  ['list_sessions', { project: 'nobody/knows' }],
  ['list_projects', {}],
  ['list_projects', { status: 'active' }],
];

describe.skipIf(REDIS === null)('answers through the cache', () => {
  const redis = { REDIS_URL: REDIS ?? '' };

  test('are the same as without it, to the last byte, and say that they came from it', async () => {
    const repository = bareRepository();
    importFiles(repository, [...foreignFiles(), ...ordinaryNotes(60)]);
    const home = { MEMORY_HOME: tempFolder(), MEMORY_REPO: repository };
    const plain = await open(home);
    await plain.call('sync_now');
    const paths = await plain.app.services.mirror.snapshot((view) => view.paths());
    const ids = [...paths.keys()].map((path) => path.replace(/\.md$/, ''));
    expect(ids.length).toBeGreaterThan(80);
    const cached = await open({ ...home, ...redis });
    const other = await open({ ...home, ...redis });
    const questions = [...QUESTIONS, ...ids.map((id): (typeof QUESTIONS)[number] => ['read_memory', { id }])];
    for (const [name, args] of questions) {
      // Names of files may be anything, also what no argument can say.
      const asked = await plain.ask(name, args).catch((error: Error) => error.message);
      if (typeof asked === 'string') continue;
      const about = `${name} ${JSON.stringify(args)}`;
      const first = await cached.ask(name, args);
      const second = await other.ask(name, args);
      expect(first.text, about).toBe(asked.text);
      expect(second.text, about).toBe(asked.text);
      expect(asked.from, about).toMatch(/^mirror /);
      expect(first.from, about).toMatch(/^(mirror|cache) /);
      expect(second.from, about).toMatch(/^cache [0-9a-f]{10}, confirmed /);
    }
  });

  test('a save is in the next answer of every instance, whoever asked before', async () => {
    const home = { MEMORY_HOME: tempFolder(), MEMORY_REPO: bareRepository(), ...redis };
    const apps = [await open(home), await open(home)] as const;
    for (let round = 0; round < 8; round++) {
      const [writer, reader] = round % 2 === 0 ? apps : [apps[1], apps[0]];
      const { id, blob } = receiptOf(
        await writer.call('save_session', draft(`Round ${round}`, `walrus number ${round}`)),
      );
      for (const each of [reader, writer, reader]) {
        expect((await each.ask('read_memory', { id, ...FAST })).text).toContain(`walrus number ${round}`);
        expect((await each.ask('search_memory', { query: 'walrus', limit: 20, ...FAST })).text).toContain(id);
        expect((await each.ask('load_context', FAST)).text).toContain(`Round ${round}`);
      }
      const edit = { ...draft(`Round ${round}`, `narwhal number ${round}`), id, replaces: blob };
      await reader.call('save_session', edit);
      for (const each of [writer, reader]) {
        const { text, from } = await each.ask('read_memory', { id, ...FAST });
        expect(text).toContain(`narwhal number ${round}`);
        expect(from).toMatch(/confirmed/);
      }
    }
  });

  test('somebody else’s push is seen by a fresh read, and a verified one asks no cache', async () => {
    const repository = bareRepository();
    const app = await open({ MEMORY_REPO: repository, ...redis });
    const { id } = receiptOf(await app.call('save_session', draft('Ours', 'zebra')));
    await app.ask('load_context');
    expect((await app.ask('load_context')).from).toMatch(/^cache /);
    commitFiles(repository, { 'sessions/test/project/theirs.md': '# Theirs\n\nyak' });
    const fresh = await app.ask('load_context');
    expect(fresh.text).toContain('Theirs');
    expect(fresh.from).toMatch(/^mirror /);
    await app.ask('read_memory', { id });
    expect((await app.ask('read_memory', { id })).from).toMatch(/^cache /);
    const before = await app.app.services.shelf.describe();
    const proven = await app.ask('read_memory', { id, consistency: 'verified' });
    expect(proven.from).toMatch(/^mirror .*verified at the origin/);
    const after = await app.app.services.shelf.describe();
    expect([after?.hits, after?.misses]).toEqual([before?.hits, before?.misses]);
  });

  test('nobody is given what only another may see', async () => {
    const home = { MEMORY_HOME: tempFolder(), MEMORY_REPO: bareRepository(), ...redis };
    commitFiles(home.MEMORY_REPO, {
      'sessions/p/ann.md': '---\nprivacy: PRIVATE\nauthor: ann\nproject: test/project\n---\n# Of Ann\n\nokapi',
      'sessions/p/all.md': '---\nproject: test/project\n---\n# Of all\n\nokapi',
    });
    const [ann, bob] = [await open(home, 'ann'), await open(home, 'bob')];
    for (const [name, args] of [
      ['list_sessions', {}],
      ['search_memory', { query: 'okapi' }],
      ['load_context', {}],
    ] as const) {
      for (let round = 0; round < 2; round++) {
        expect((await ann.ask(name, args)).text).toContain('Of Ann');
        const seen = await bob.ask(name, args);
        expect(seen.text).toContain('Of all');
        expect(seen.text).not.toContain('Of Ann');
        if (round === 1) expect(seen.from).toMatch(/^cache /);
      }
    }
    await ann.ask('read_memory', { id: 'sessions/p/ann' });
    expect((await ann.ask('read_memory', { id: 'sessions/p/ann' })).from).toMatch(/^cache /);
    expect(await bob.fail('read_memory', { id: 'sessions/p/ann' })).toContain('no note with this id');
  });

  test('what is no function of the commit is never in it', async () => {
    const home = { MEMORY_HOME: tempFolder(), MEMORY_REPO: bareRepository(), ...redis };
    const [one, two] = [await open(home), await open(home)];
    await one.call('save_session', draft('Kept', 'ibex'));
    await one.call('save_session', { ...draft('Held here', 'ibex'), privacy: 'EPHEMERAL' });
    for (const [name, args] of [
      ['load_context', {}],
      ['search_memory', { query: 'ibex' }],
      ['list_sessions', {}],
    ] as const) {
      expect((await one.ask(name, args)).text).toContain('Held here');
      const there = await two.ask(name, args);
      expect(there.text).toContain('Kept');
      expect(there.text).not.toContain('Held here');
      expect(there.from).toMatch(/^cache /);
      expect((await one.ask(name, args)).text).toContain('Held here');
    }
  });

  test('a mirror that was altered and repaired answers anew, though the commit is the same', async () => {
    const home = tempFolder();
    const app = await open({ MEMORY_HOME: home, MEMORY_REPO: bareRepository(), ...redis });
    await app.call('save_session', draft('Right title', 'gnu'));
    const [file] = (await app.app.services.mirror.describe()).place.split('\n');
    const altered = new Database(file as string, { timeout: 2_000 });
    altered.prepare("UPDATE documents SET title = 'Wrong title', content = x'00'").run([]);
    altered.close();
    for (let i = 0; i < 2; i++) expect((await app.ask('list_sessions')).text).toContain('Wrong title');
    expect(await app.call('verify_with_github', { repair: true })).toContain('1 repaired');
    for (let i = 0; i < 2; i++) expect((await app.ask('list_sessions')).text).toContain('Right title');
  });

  test('memory_status says how it does', async () => {
    const app = await open({ MEMORY_REPO: bareRepository(), ...redis });
    await app.call('save_session', draft('One', 'emu'));
    for (let i = 0; i < 4; i++) await app.ask('list_sessions');
    expect(await app.call('memory_status')).toMatch(
      /- cache up \([\d.]+ ms\): rediss?:\/\/\S+, 75 % of 4 found, no failure/,
    );
  });
});

describe.skipIf(POSTGRES === null || REDIS === null)('two instances on one Postgres and one Redis', () => {
  test('a mirror that was altered, dropped and rebuilt at the same commit answers anew', async () => {
    const { url, sql } = await createDatabase();
    const repository = bareRepository();
    commitFiles(repository, { 'sessions/test/project/a.md': '# Right title\n\ngnu' });
    const app = await open({ MEMORY_REPO: repository, DATABASE_URL: url, REDIS_URL: REDIS ?? '' });
    await app.call('sync_now');
    await sql`UPDATE strata_mirror.documents SET title = 'Wrong title'`;
    for (let i = 0; i < 2; i++) expect((await app.ask('list_sessions')).text).toContain('Wrong title');
    await sql.unsafe('DROP SCHEMA strata_mirror CASCADE');
    for (let i = 0; i < 2; i++) expect((await app.ask('list_sessions')).text).toContain('Right title');
  });

  test('are one memory, and each has what the other asked for', async () => {
    const { url } = await createDatabase();
    const shared = { MEMORY_REPO: bareRepository(), DATABASE_URL: url, REDIS_URL: REDIS ?? '' };
    const apps = [await open(shared), await open(shared)] as const;
    const receipts = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        (apps[i % 2] as (typeof apps)[0]).call('save_session', draft(`Session ${i}`, `walrus number ${i}`)),
      ),
    );
    for (const [i, text] of receipts.entries()) {
      const { id, saved } = receiptOf(text);
      expect(saved, text).toBe(true);
      const [one, two] = i % 2 === 0 ? apps : [apps[1], apps[0]];
      expect((await one.ask('read_memory', { id, ...FAST })).text).toContain(`walrus number ${i}`);
      const { text: read, from } = await two.ask('read_memory', { id, ...FAST });
      expect(read).toContain(`walrus number ${i}`);
      expect(from).toMatch(/^cache /);
    }
  });
});

describe.skipIf(!PROGRAMS)('a cache filled with nonsense', () => {
  test('is never believed: not garbage, not another’s value, not bytes that are not their blob', async () => {
    const server = await startRedis();
    const admin = connectTo(server.url());
    const app = await open({ MEMORY_REPO: bareRepository(), REDIS_URL: server.url() });
    const { id, blob } = receiptOf(await app.call('save_session', draft('True', `quokka ${'words '.repeat(1_000)}`)));
    const other = receiptOf(await app.call('save_session', draft('Other', 'numbat')));
    const right = await app.ask('read_memory', { id });
    const asked = () => app.ask('read_memory', { id });
    expect((await asked()).from).toMatch(/^cache /);
    const keys = await admin.keys('*');
    expect(keys.length).toBeGreaterThan(3);
    expect(keys.filter((key) => !key.startsWith('strata:1:'))).toEqual([]);
    for (const nonsense of ['', 'x', '{"value":{}}', 'S1\0', Buffer.alloc(100)]) {
      for (const key of keys) await admin.set(key, nonsense);
      expect((await asked()).text).toBe(right.text);
      expect((await asked()).from).toMatch(/^cache /);
    }
    const values = await Promise.all(keys.map((key) => admin.getBuffer(key)));
    for (const [i, key] of keys.entries()) await admin.set(key, values[(i + 1) % keys.length] ?? '');
    expect((await asked()).text).toBe(right.text);
    for (const key of keys) {
      await admin.del(key);
      await admin.lpush(key, 'a list');
    }
    expect((await asked()).text).toBe(right.text);
    await admin.flushall();
    expect((await asked()).text).toBe(right.text);
    expect((await asked()).from).toMatch(/^cache /);
    // As one of ours would have put it there, and wrong all the same.
    const forger = createRedisCache({ url: server.url() });
    onTestFinished(() => forger.close());
    await forger.connected();
    const wrong = Buffer.from('not what the blob id says');
    expect(await forger.set(`content:${blob}`, wrong, 60)).toBe(true);
    expect((await asked()).text).toBe(right.text);
    await expect.poll(async () => objectId('blob', (await forger.get(`content:${blob}`)) ?? wrong, 'sha1')).toBe(blob);
    expect((await app.ask('read_memory', { id: other.id })).text).toContain('numbat');
    expect(app.logged.join('')).not.toContain('quokka');
  });
});
