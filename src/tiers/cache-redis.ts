import { LIMITS } from '../core/limits.js';
import type { Cache } from '../core/ports.js';
import { createRedisConnection, type RedisConnectionOptions } from './redis-connection.js';
import { seal, unseal } from './redis-envelope.js';

/** Raised whenever what stands under a key means something else. */
const SCHEMA = 1;

/** Sets a value where the one that was read still stands. */
const SWAP = `local now = redis.call('GET', KEYS[1])
if (now or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1`;

export interface RedisCacheOptions extends RedisConnectionOptions {
  /** What every key begins with; the schema is added. */
  prefix?: string;
}

/** The cache in Redis, shared by any number of instances. Nothing is loaded or opened before the first use. */
export function createRedisCache({ prefix = 'strata', ...options }: RedisCacheOptions): Cache {
  const connection = createRedisConnection(options);
  const named = (key: string) => `${prefix}:${SCHEMA}:${key}`;

  async function drop(key: string): Promise<boolean> {
    return (await connection.run((client) => client.del(named(key)))) !== null;
  }

  return {
    on: true,

    async get(key) {
      const kept = await connection.run((client) => client.getBuffer(named(key)));
      if (kept === null || kept.value === null) return null;
      const value = await unseal(named(key), kept.value);
      if (value === null) {
        connection.distrust();
        void drop(key);
      }
      return value;
    },

    async set(key, value, ttlSeconds) {
      const sealed = await seal(named(key), value);
      if (sealed === null) return false;
      const done = await connection.run((client) => client.set(named(key), sealed, 'EX', ttlSeconds));
      return done?.value === 'OK';
    },

    async update(key, ttlSeconds, change) {
      for (let attempt = 0; attempt < LIMITS.cacheAttempts; attempt++) {
        const kept = await connection.run((client) => client.getBuffer(named(key)));
        if (kept === null) return false;
        const next = change(kept.value === null ? null : await unseal(named(key), kept.value));
        if (next === null) return true;
        const sealed = await seal(named(key), next);
        if (sealed === null) return false;
        const before = kept.value ?? '';
        const done = await connection.run((client) => client.eval(SWAP, 1, named(key), before, sealed, ttlSeconds));
        if (done?.value === 1) return true;
        if (done?.value !== 0) return false;
      }
      return false;
    },

    drop,

    failure: () => connection.status().lastFailure,
    connected: connection.connected,

    async describe() {
      await connection.connected();
      await connection.run((client) => client.ping());
      return connection.status();
    },

    close: connection.close,
  };
}
