import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { LIMITS } from '../core/limits.js';
import type { CacheStatus } from '../core/ports.js';
import { type RedisPlace, readRedisUrl } from '../core/redis-url.js';
import { notOurs, type RedisFailure, readFailure, tooLate } from './redis-failure.js';

export type Client = Redis | Cluster;

export interface RedisConnectionOptions {
  /** `REDIS_URL`. */
  url: string;
  /** The most that a command is waited for, in ms. */
  limitMs?: number;
  connectMs?: number;
  /** After a failure nobody asks for so long; twice as long after each further one, up to `restMostMs`. */
  restMs?: number;
  restMostMs?: number;
  /** Told whenever it comes or goes. */
  onState?(state: 'up' | 'down', why: string): void;
}

const LATE = Symbol('late');

/**
 * One connection (or cluster) that is never waited for longer than `limitMs`, and is opened again in the background
 * after it failed: nobody pays for trying. ioredis itself neither queues nor reconnects. Throws where the URL cannot be read.
 */
export function createRedisConnection(options: RedisConnectionOptions) {
  const { limitMs = LIMITS.cacheMs, connectMs = LIMITS.cacheConnectMs, onState } = options;
  const { restMs = LIMITS.cacheRestMs, restMostMs = LIMITS.cacheRestMostMs } = options;
  const place = readRedisUrl(options.url);
  let state: CacheStatus['state'] | 'unused' | 'closed' = 'unused';
  let client: Client | null = null;
  /** The first opening; later ones are nobody's business. */
  let opening: Promise<void> | null = null;
  let starter: NodeJS.Timeout | undefined;
  let retry: NodeJS.Timeout | undefined;
  let failures = 0;
  /** What was last told of a failure: the same again is no news. */
  let reported = '';
  /** A client that is not connected yet. */
  let coming: Client | null = null;
  let latencyMs: number | null = null;
  let lastFailure: CacheStatus['lastFailure'] = null;

  const remember = (failure: RedisFailure) => {
    lastFailure = { ...failure, atMs: Date.now() };
  };

  async function open(): Promise<void> {
    if (state === 'closed') return;
    state = 'connecting';
    let made: Client | null = null;
    // What is behind a connection that was closed is said by an event only.
    let said: unknown;
    try {
      const opened = await make(place, connectMs);
      made = opened;
      coming = opened;
      made.on('error', (error: unknown) => {
        said = error;
      });
      const ready = (async () => {
        await opened.connect();
        // ioredis selects it too, and goes on in another one where it is refused.
        if (place.database !== 0) await opened.select(place.database);
        return opened.ping();
      })();
      const answer = await limited(connectMs, ready);
      if (answer === LATE) return failed(made, tooLate(place.label, connectMs));
      if (answer !== 'PONG') return failed(made, readFailure(null, place.label));
      if ((state as string) === 'closed') return made.disconnect();
      client = made;
      state = 'up';
      reported = '';
      made.once('end', () => {
        if (client === opened) failed(opened, readFailure(said ?? { code: 'CLOSED' }, place.label));
      });
      onState?.('up', '');
    } catch (error) {
      failed(made, readFailure(said ?? error, place.label));
    }
  }

  /** Away with that client; another one is tried for after a rest. */
  function failed(made: Client | null, failure: RedisFailure): void {
    const mine = made === client || state === 'connecting';
    if (made === client) client = null;
    made?.disconnect();
    if (!mine || state === 'closed') return;
    state = 'down';
    remember(failure);
    if (reported !== failure.message) onState?.('down', failure.message);
    reported = failure.message;
    const rest = Math.min(restMs * 2 ** Math.min(failures++, 20), restMostMs);
    clearTimeout(retry);
    // Up to a quarter more, so that many processes do not come back at once.
    retry = setTimeout(() => void open(), rest * (1 + Math.random() / 4));
    retry.unref();
  }

  /** In a moment: to load ioredis keeps the process busy for longer than its first answer takes. */
  function start(): void {
    starter ??= setTimeout(() => {
      opening ??= open();
    }, LIMITS.cacheStartMs);
    starter.unref();
  }

  return {
    /** Whether there is a connection; the first one is waited for, for as long as it may take. */
    async connected(): Promise<boolean> {
      opening ??= open();
      await opening;
      return client !== null;
    },

    /** What the server answers; null where it does not in time, or refuses: the status says why. */
    async run<T>(command: (client: Client) => Promise<T>): Promise<{ value: T } | null> {
      const current = client;
      if (current === null) {
        if (opening === null) start();
        return null;
      }
      const sentAt = performance.now();
      try {
        const value = await limited(limitMs, command(current));
        if (value === LATE) {
          if (current === client) failed(current, tooLate(place.label, limitMs));
          return null;
        }
        latencyMs = performance.now() - sentAt;
        failures = 0;
        return { value };
      } catch (error) {
        // A refusal is an answer too: the connection stays. One that is gone says so itself.
        if (current === client) remember(readFailure(error, place.label));
        return null;
      }
    },

    /** What it gave is not what was put there. */
    distrust: () => remember(notOurs(place.label)),

    status(): CacheStatus {
      const known = state === 'unused' || state === 'closed' ? 'connecting' : state;
      return { state: known, place: place.label, latencyMs, lastFailure };
    },

    async close(): Promise<void> {
      state = 'closed';
      clearTimeout(starter);
      clearTimeout(retry);
      coming?.disconnect();
      client = null;
    },
  };
}

async function make(place: RedisPlace, connectMs: number): Promise<Client> {
  const { user: username, password, database: db } = place;
  // As one object: a bundle does not know the names in it.
  const { Cluster, Redis } = (await import('ioredis')).default;
  const base: RedisOptions = {
    username,
    password,
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: connectMs,
    disableClientInfo: true,
    // Trying again is ours: a client that has ended is replaced.
    retryStrategy: () => null,
    ...(place.tls ? { tls: place.ca === undefined ? {} : { ca: await readFile(place.ca) } } : {}),
  };
  if (!place.cluster) {
    const [node] = place.nodes;
    const named = node && isIP(node.host) === 0 ? { servername: node.host } : {};
    return new Redis({ ...base, ...node, db, tls: base.tls && { ...base.tls, ...named } });
  }
  return new Cluster(place.nodes, {
    redisOptions: base,
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: () => null,
    slotsRefreshTimeout: connectMs,
    // Names stay names under TLS: its certificates hold no addresses.
    ...(place.tls ? { dnsLookup: (address, done) => done(null, address) } : {}),
  });
}

/** The outcome, or LATE. What has arrived when the time is up still counts: the process itself may have been busy. */
function limited<T>(limitMs: number, work: Promise<T>): Promise<T | typeof LATE> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => resolve(LATE)), limitMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
