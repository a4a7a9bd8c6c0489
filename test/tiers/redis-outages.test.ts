import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Cache } from '../../src/core/ports.js';
import { connectTo, freePort, openCache, PASSWORD, PROGRAMS, startLiar, startRedis } from '../support/redis.js';

const LIMIT_MS = 50;
const bytes = (text: string) => Buffer.from(text);
const words = async (cache: Cache, key: string) => {
  const value = await cache.get(key);
  return value === null ? null : Buffer.from(value).toString();
};

/** Every method, while nobody answers: misses, and no error. That they end at all is the limit's doing. */
async function missesAll(cache: Cache): Promise<void> {
  const outcomes = await Promise.all([
    cache.get('key'),
    // What was sent to a server that hangs may still be done when it goes on.
    cache.set('unanswered', bytes('x'), 60),
    cache.update('unanswered', 60, () => bytes('y')),
    cache.drop('unanswered'),
  ]);
  expect(outcomes).toEqual([null, false, false, false]);
}

function tellsNoSecret(cache: Cache, told: string[]): void {
  const everything = `${inspect(cache.failure())} ${told.join()}`;
  expect(everything).not.toContain(PASSWORD);
}

describe.skipIf(!PROGRAMS)('a Redis that fails', () => {
  test('nobody there at the start: misses, and there once it is', async () => {
    const port = await freePort();
    const { cache, next, told } = openCache(`redis://:${PASSWORD}@127.0.0.1:${port}`);
    expect(await cache.connected()).toBe(false);
    await missesAll(cache);
    expect(cache.failure()).toMatchObject({
      message: expect.stringContaining('nobody listens there'),
      hint: expect.stringContaining('REDIS_URL'),
    });
    expect(await cache.describe()).toMatchObject({ place: `redis://127.0.0.1:${port}` });
    const up = next('up');
    await startRedis({ port: String(port), requirepass: PASSWORD });
    await up;
    expect(await cache.set('key', bytes('there'), 60)).toBe(true);
    expect(await words(cache, 'key')).toBe('there');
    tellsNoSecret(cache, told);
    expect(
      told.filter((each) => each.startsWith('down')),
      'said once, however often it was tried',
    ).toHaveLength(1);
  });

  test('killed and back, many times: misses meanwhile, values after', async () => {
    const server = await startRedis();
    const { cache, next } = openCache(server.url());
    expect(await cache.connected()).toBe(true);
    for (let round = 0; round < 5; round++) {
      expect(await cache.set('key', bytes(`round ${round}`), 60)).toBe(true);
      const [down, up] = [next('down'), next('up')];
      await (round % 2 === 0 ? server.kill() : server.stop());
      await missesAll(cache);
      await down;
      await missesAll(cache);
      expect((await cache.describe())?.state).not.toBe('up');
      await server.start();
      await up;
      expect(await cache.get('key'), 'it came back empty').toBeNull();
    }
  });

  test('dies with questions under way: each is answered by a miss', async () => {
    const server = await startRedis();
    const { cache } = openCache(server.url());
    await cache.connected();
    await cache.set('key', randomBytes(1_000_000), 60);
    server.pause();
    const asked = Array.from({ length: 20 }, () => cache.get('key'));
    await server.kill();
    for (const answer of await Promise.all(asked)) if (answer !== null) expect(answer).toHaveLength(1_000_000);
  });

  test('hangs: waited for once, by the limit; then by nobody until it answers', async () => {
    const server = await startRedis();
    const { cache, next, told } = openCache(server.url(), { limitMs: LIMIT_MS, connectMs: 200 });
    await cache.connected();
    await cache.set('key', bytes('before'), 60);
    server.pause();
    const down = next('down');
    await missesAll(cache);
    await down;
    expect(cache.failure()?.message).toContain(`did not answer within ${LIMIT_MS} ms`);
    // No timer has to run for these: they are answered before anything else can happen.
    let turns = 0;
    const turn = setImmediate(() => turns++);
    await missesAll(cache);
    expect(turns).toBe(0);
    clearImmediate(turn);
    const up = next('up');
    server.resume();
    await up;
    expect(await words(cache, 'key')).toBe('before');
    expect(told.filter((each) => each === 'up')).toHaveLength(2);
  });

  test('hangs before the first word', async () => {
    const server = await startRedis();
    server.pause();
    const { cache, next } = openCache(server.url(), { limitMs: LIMIT_MS, connectMs: 100 });
    await missesAll(cache);
    expect(await cache.connected()).toBe(false);
    expect(cache.failure()?.message).toContain('did not answer within 100 ms');
    const up = next('up');
    server.resume();
    await up;
    expect(await cache.set('key', bytes('x'), 60)).toBe(true);
  });

  test('a late answer is nobody’s: the next question gets its own', async () => {
    const server = await startRedis();
    const { cache, next } = openCache(server.url(), { limitMs: LIMIT_MS });
    await cache.connected();
    for (const key of ['one', 'two']) await cache.set(key, bytes(`value ${key}`), 60);
    for (let round = 0; round < 5; round++) {
      server.pause();
      expect(await cache.get('one')).toBeNull();
      const up = next('up');
      server.resume();
      await up;
      await expect.poll(() => words(cache, 'two')).toBe('value two');
    }
  });

  test('flushed: misses, and nothing else', async () => {
    const server = await startRedis();
    const { cache } = openCache(server.url());
    await cache.connected();
    await cache.set('key', bytes('x'), 60);
    await connectTo(server.url()).flushall();
    expect(await cache.get('key')).toBeNull();
    expect(await cache.update('key', 60, (current) => bytes(`was ${current}`))).toBe(true);
    expect(await words(cache, 'key')).toBe('was null');
    expect(cache.failure()).toBeNull();
  });

  test('full: what is there is still read, and the remedy is said', async () => {
    const server = await startRedis({ 'maxmemory-policy': 'noeviction' });
    const { cache } = openCache(server.url());
    await cache.connected();
    await cache.set('key', bytes('before'), 60);
    await connectTo(server.url()).config('SET', 'maxmemory', '1');
    expect(await cache.set('other', bytes('x'), 60)).toBe(false);
    expect(await cache.update('key', 60, () => bytes('y'))).toBe(false);
    expect(await words(cache, 'key')).toBe('before');
    expect((await cache.describe())?.state).toBe('up');
    expect(cache.failure()).toMatchObject({
      message: expect.stringContaining('is full'),
      hint: expect.stringContaining('allkeys-lru'),
    });
    expect(await cache.drop('key'), 'what must not be answered can be taken away').toBe(true);
    expect(await cache.get('key')).toBeNull();
  });

  test('a password that is missing or wrong, a user without rights, a replica, no connection left: each says what to do', async () => {
    const server = await startRedis({ requirepass: PASSWORD });
    const admin = connectTo(server.url(`:${PASSWORD}@`));
    await admin.call('ACL', 'SETUSER', 'reader', 'on', `>${PASSWORD}`, '~*', '+get', '+ping');
    const primary = await startRedis();
    const replica = await startRedis({ replicaof: `127.0.0.1 ${primary.port}` });
    const full = await startRedis({ maxclients: '1' });
    await connectTo(full.url()).ping();
    for (const [url, why, hint] of [
      [server.url(), /asks for a password/, /redis:\/\/user:password@/],
      [server.url(':wrong-hunter2secret@'), /refuses the user or the password/, /%XX/],
      [server.url('reader:wrong-hunter2secret@'), /refuses the user or the password/, /%XX/],
      [server.url(`reader:${PASSWORD}@`), /does not let this user/, /GET, SET, DEL, EVAL/],
      [replica.url(), /is a replica/, /primary/],
      [full.url(), /no connection left|failed/, /maxclients|REDIS_URL/],
      ['redis://no-such-host.invalid', /no such host|not found/, /host in REDIS_URL/],
    ] as const) {
      const { cache, told } = openCache(url);
      await cache.connected();
      expect(await cache.set('key', bytes('x'), 60), url).toBe(false);
      expect(await cache.get('key')).toBeNull();
      expect(cache.failure()?.message, url).toMatch(why);
      expect(cache.failure()?.hint).toMatch(hint);
      tellsNoSecret(cache, told);
    }
  });
});

describe('a server that lies', () => {
  test.each<[what: string, answer: string | Buffer]>([
    ['words', 'Who is there?\r\n'],
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'],
    ['OK to everything', '+OK\r\n'],
    ['PONG to everything', '+PONG\r\n'],
    ['numbers', ':1\r\n'],
    ['nothing known', '$-1\r\n'],
    ['lists', '*2\r\n$1\r\na\r\n$1\r\nb\r\n'],
    ['maps', '%1\r\n+a\r\n:1\r\n'],
    ['a push', '>2\r\n+message\r\n+x\r\n'],
    ['half a value', '$100\r\nabc'],
    ['a length that is none', '$99999999999999999999\r\nx\r\n'],
    ['errors', '-ERR hunter2secret\r\n'],
    ['noise', randomBytes(200)],
    ['nothing at all', ''],
  ])('%s: misses, no secret, and no error that nobody catches', async (_, answer) => {
    const url = await startLiar((socket, sent) => {
      // One answer for each command.
      for (let i = 0; i < Math.max(1, sent.toString('latin1').split(/\*\d+\r\n/).length - 1); i++) socket.write(answer);
    });
    const { cache, told } = openCache(url.replace('//', `//:${PASSWORD}@`), { limitMs: LIMIT_MS, connectMs: 100 });
    await cache.connected();
    expect(await cache.get('key')).toBeNull();
    expect(await cache.update('key', 60, () => bytes('y'))).toBe(false);
    expect(await cache.describe()).toMatchObject({ lastFailure: expect.anything() });
    tellsNoSecret(cache, told);
  });

  test('values of other keys, or cut short, are misses', async () => {
    if (!PROGRAMS) return;
    const server = await startRedis();
    const real = connectTo(server.url());
    const { cache } = openCache(server.url(), { prefix: 'lied' });
    await cache.connected();
    await cache.set('one', bytes('value one'), 60);
    const kept = (await real.getBuffer('lied:1:one')) as Buffer;
    let told = kept;
    const url = await startLiar((socket, sent) => {
      for (const command of sent
        .toString('latin1')
        .split(/\*\d+\r\n/)
        .slice(1)) {
        if (/hello/i.test(command)) socket.write('%1\r\n+proto\r\n:3\r\n');
        else if (/ping/i.test(command)) socket.write('+PONG\r\n');
        else if (/\bget\b/i.test(command))
          socket.write(Buffer.concat([bytes(`$${told.length}\r\n`), told, bytes('\r\n')]));
        else socket.write('+OK\r\n');
      }
    });
    const lied = openCache(url, { prefix: 'lied' });
    expect(await lied.cache.connected()).toBe(true);
    expect(await words(lied.cache, 'one')).toBe('value one');
    expect(await lied.cache.get('two')).toBeNull();
    for (const length of [0, 1, 10, kept.length - 1]) {
      told = kept.subarray(0, length);
      expect(await lied.cache.get('one')).toBeNull();
    }
  });
});
