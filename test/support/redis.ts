import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, onTestFinished } from 'vitest';
import type { Cache } from '../../src/core/ports.js';
import { createRedisCache, type RedisCacheOptions } from '../../src/tiers/cache-redis.js';

export const PASSWORD = 'hunter2secret';

function hasPrograms(): boolean {
  try {
    for (const program of ['redis-server', 'redis-cli']) execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function missing(what: string, remedy: string): void {
  if (process.env.CI === 'true') throw new Error(remedy);
  console.warn(`\nSKIPPED: ${what}. ${remedy}\n`);
}

/** Whether this machine has `redis-server` and `redis-cli`, for servers that a test kills and pauses. */
export const PROGRAMS = hasPrograms();
if (!PROGRAMS)
  missing(
    'tests with a Redis of their own',
    'No Redis programs found: install them, e.g. `apt-get install redis-server`.',
  );

async function findRedis(): Promise<string | null> {
  for (const url of process.env.REDIS_URL ? [process.env.REDIS_URL] : ['redis://127.0.0.1:6379']) {
    const client = new Redis(url, { lazyConnect: true, connectTimeout: 3_000, retryStrategy: () => null });
    client.on('error', () => {});
    const there = await client.connect().then(
      () => true,
      () => false,
    );
    client.disconnect();
    if (there) return url;
  }
  if (PROGRAMS) {
    const server = await runRedis({});
    afterAll(server.end);
    return server.url();
  }
  missing(
    'tests with Redis',
    'No Redis found. Start one (`docker run --rm -p 6379:6379 redis:7`, or `service redis-server start`) or set REDIS_URL.',
  );
  return null;
}

/** The Redis of this machine, or one of this file's own; null where there is none. With CI=true that is a failure instead. */
export const REDIS = await findRedis();

/** A port that was free a moment ago, and whose cluster bus port may be taken for granted. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((closed) => server.close(closed));
    // A cluster's nodes speak on a port 10,000 above.
    if (port < 55_000) return port;
  }
}

async function runRedis(settings: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'));
  const port = Number(settings.port ?? settings['tls-port'] ?? (await freePort()));
  let server: ChildProcess;
  const ended = () => server.exitCode !== null || server.signalCode !== null;

  async function start(): Promise<void> {
    const all = { port: String(port), bind: '127.0.0.1', save: '', appendonly: 'no', dir: folder, ...settings };
    const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
    server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise<void>((resolve, reject) => {
      let said = '';
      server.stdout?.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (/Ready to accept connections/.test(said)) resolve();
      });
      server.once('exit', () => reject(new Error(`Redis did not start: ${said.slice(-500)}`)));
      server.once('error', reject);
    });
  }

  async function signal(name: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (ended()) return;
    const over = once(server, 'exit');
    server.kill('SIGCONT');
    server.kill(name);
    await over;
  }

  await start();
  return {
    port,
    folder,
    start,
    /** Dies at once. */
    kill: () => signal('SIGKILL'),
    /** Says goodbye. */
    stop: () => signal('SIGTERM'),
    /** Its sockets stay open, and nobody answers. */
    pause: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    url: (login = '') => `redis://${login}127.0.0.1:${port}`,
    async end(): Promise<void> {
      await signal('SIGKILL');
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}

export type PrivateRedis = Awaited<ReturnType<typeof runRedis>>;

/** A server of the test's own: to be killed and paused. Gone when the test ends. */
export async function startRedis(
  settings: Record<string, string> = {},
  atEnd: (work: () => Promise<void>) => void = onTestFinished,
): Promise<PrivateRedis> {
  const server = await runRedis(settings);
  atEnd(server.end);
  return server;
}

/** Three masters without replicas; their URL as the program is given it. Gone when the file ends. */
export async function startCluster(): Promise<{ url: string; nodes: PrivateRedis[] }> {
  const nodes = await Promise.all(
    Array.from({ length: 3 }, () => runRedis({ 'cluster-enabled': 'yes', 'cluster-node-timeout': '2000' })),
  );
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`);
  try {
    execFileSync('redis-cli', ['--cluster', 'create', ...hosts, '--cluster-replicas', '0', '--cluster-yes'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    // Each of them has to hear of it.
    for (const { url } of nodes) {
      const client = new Redis(url());
      while (!(await client.cluster('INFO')).includes('cluster_state:ok')) await delay(20);
      client.disconnect();
    }
  } catch (error) {
    await Promise.all(nodes.map((node) => node.end()));
    throw error;
  }
  return { url: `redis://${hosts.join(',')}`, nodes };
}

/** As an administrator; ended when the test ends. */
export function connectTo(url: string): Redis {
  const client = new Redis(url, { retryStrategy: () => null });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

/** A server that takes connections and answers each piece that it is sent as `answer` says. Gone when the test ends. */
export async function startLiar(answer: (socket: Socket, sent: Buffer) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (sent) => answer(socket, sent));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((closed) => {
      server.close(() => closed());
    });
  });
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Keys of this cache are its own. Closed when the test ends; `next` resolves when it comes, or goes, the next time. */
export function openCache(url: string, options: Partial<RedisCacheOptions> = {}) {
  const waiting = new Map<'up' | 'down', (() => void)[]>();
  const told: string[] = [];
  const cache: Cache = createRedisCache({
    url,
    prefix: `strata-test-${randomBytes(6).toString('hex')}`,
    // Machines that run tests stop for moments; what is too late is tested by servers that never answer.
    limitMs: 1_000,
    restMs: 5,
    restMostMs: 50,
    ...options,
    onState(state, why) {
      told.push(`${state} ${why}`.trim());
      for (const resolve of waiting.get(state) ?? []) resolve();
      waiting.delete(state);
    },
  });
  onTestFinished(() => cache.close());
  const next = (state: 'up' | 'down') =>
    new Promise<void>((resolve) => {
      waiting.set(state, [...(waiting.get(state) ?? []), resolve]);
    });
  return { cache, next, told };
}
