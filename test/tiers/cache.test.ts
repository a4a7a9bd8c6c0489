import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type CacheUnderTest, cacheContract } from '../support/cache-contract.js';
import { openCache, PROGRAMS, type PrivateRedis, REDIS, startCluster, startRedis } from '../support/redis.js';

/** A cache with keys of its own on that server, and the server itself. */
async function under(url: string, client: Redis | Cluster): Promise<CacheUnderTest> {
  onTestFinished(() => client.disconnect());
  const prefix = `strata-test-${randomBytes(6).toString('hex')}`;
  const open = async () => {
    const { cache } = openCache(url, { prefix });
    expect(await cache.connected()).toBe(true);
    return cache;
  };
  const named = (key: string) => `${prefix}:1:${key}`;
  return {
    cache: await open(),
    again: open,
    raw: (key) => client.getBuffer(named(key)),
    put: (key, value) => client.set(named(key), value),
    ttl: (key) => client.ttl(named(key)),
  };
}

describe.skipIf(REDIS === null)('a single node', () => {
  cacheContract('Redis', () => under(REDIS ?? '', new Redis(REDIS ?? '')));
});

describe.skipIf(!PROGRAMS)('TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tls-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  let url = '';
  let server: PrivateRedis;

  async function secured(): Promise<PrivateRedis> {
    execFileSync(
      'openssl',
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout ${key} -out ${cert}`.split(
        ' ',
      ),
      { stdio: 'ignore' },
    );
    const { freePort } = await import('../support/redis.js');
    const port = await freePort();
    const tls = { 'tls-cert-file': cert, 'tls-key-file': key, 'tls-ca-cert-file': cert, 'tls-auth-clients': 'no' };
    server = await startRedis({ port: '0', 'tls-port': String(port), requirepass: 'hunter2secret', ...tls });
    url = `rediss://:hunter2secret@localhost:${port}?ca=${cert}`;
    return server;
  }

  cacheContract('Redis over TLS', async () => {
    await secured();
    const { readFileSync } = await import('node:fs');
    const { port } = new URL(url);
    const admin = new Redis(Number(port), 'localhost', {
      password: 'hunter2secret',
      tls: { ca: readFileSync(cert) },
    });
    return under(url, admin);
  });

  test('a certificate that nobody trusts, one of another host, and no TLS at all are told apart', async () => {
    await secured();
    const { port } = new URL(url);
    const plain = await startRedis();
    for (const [bad, why, hint] of [
      [`rediss://:hunter2secret@localhost:${port}`, /certificate/, /\?ca=/],
      [`rediss://:hunter2secret@127.0.0.1:${port}?ca=${cert}`, /certificate of another host/, /host name/],
      [`rediss://localhost:${plain.port}?ca=${cert}`, /does not speak TLS|did not answer/, /TLS/],
      [`rediss://:hunter2secret@localhost:${port}?ca=/nowhere/ca.pem`, /file of \?ca= is not there/, /REDIS_URL/],
      [`redis://:hunter2secret@localhost:${port}`, /failed|is no Redis|did not answer/, /REDIS_URL|TLS/],
    ] as const) {
      const { cache, told } = openCache(bad);
      expect(await cache.connected(), bad).toBe(false);
      const failure = cache.failure();
      expect(failure?.message).toMatch(why);
      expect(failure?.hint).toMatch(hint);
      expect(`${failure?.message} ${failure?.hint} ${told.join()}`).not.toContain('hunter2secret');
      expect(await cache.get('key')).toBeNull();
    }
  });
});

describe.skipIf(!PROGRAMS)('a cluster', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => Promise.all(cluster.nodes.map((node) => node.end())));

  cacheContract('a Redis cluster', () =>
    under(cluster.url, new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })))),
  );

  test('is found from one of its nodes, and asked for by its own URL', async () => {
    const port = cluster.nodes[0]?.port;
    const { cache } = openCache(`redis+cluster://127.0.0.1:${port}`);
    expect(await cache.connected()).toBe(true);
    const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`);
    for (const key of keys) expect(await cache.set(key, Buffer.from(key), 60)).toBe(true);
    for (const key of keys) expect(Buffer.from((await cache.get(key)) ?? '').toString()).toBe(key);
  });

  test('one node asked as if it were alone, and a lone one as a cluster: the fix is said', async () => {
    const { cache } = openCache(`redis://127.0.0.1:${cluster.nodes[0]?.port}`);
    expect(await cache.connected()).toBe(true);
    for (let i = 0; i < 20; i++) await cache.set(`key ${i}`, Buffer.from('x'), 60);
    expect(cache.failure()).toMatchObject({
      message: expect.stringContaining('is a node of a cluster'),
      hint: expect.stringContaining('redis+cluster://'),
    });
    const alone = await startRedis();
    const wrong = openCache(`redis+cluster://127.0.0.1:${alone.port}`);
    expect(await wrong.cache.connected()).toBe(false);
    expect(wrong.cache.failure()?.message).toContain('is no cluster');
  });
});
