import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startGitHub } from './github.js';
import { environmentOf } from './outbox.js';
import { createDatabase, POSTGRES } from './postgres.js';
import { REDIS } from './redis.js';
import { startServer, type TestServer } from './server.js';

/** Whether this machine has what a memory of several machines needs. */
export const STACK = POSTGRES !== null && REDIS !== null;

export type AtEnd = (work: () => Promise<void>) => void;

/** A GitHub, a database of its own, and Redis: what the machines of one memory share. */
export async function openStack(atEnd: AtEnd) {
  const redisUrl = REDIS;
  if (redisUrl === null) throw new Error('There is no Redis: skip this test.');
  // The name is part of every key in Redis: no other test, and no earlier run, has keys like these.
  const github = await startGitHub({ repo: `notes-${randomBytes(6).toString('hex')}`, budget: 1_000_000 });
  atEnd(() => github.close());
  const { sql, url } = await createDatabase(atEnd);
  const folder = mkdtempSync(join(tmpdir(), 'strata-stack-'));
  atEnd(async () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }));

  return {
    github,
    sql,
    databaseUrl: url,
    redisUrl,
    /** What a server on this machine is told: a home of its own, and all the rest as on the others. */
    environment: (machine: string): Record<string, string> => ({
      ...environmentOf(github, join(folder, machine)),
      DATABASE_URL: url,
      REDIS_URL: redisUrl,
    }),
    /** Saves that the mirror was told of and not told the end of. */
    async doubts(): Promise<number> {
      const [row] = await sql`SELECT count(*)::int AS count FROM strata_mirror.doubts`;
      return row?.count;
    },
  };
}

export type Stack = Awaited<ReturnType<typeof openStack>>;

/** Runs all of it in reverse. */
export function endings(): { atEnd: AtEnd; end(): Promise<void> } {
  const all: (() => Promise<void>)[] = [];
  return {
    atEnd: (work) => void all.unshift(work),
    async end() {
      for (const work of all) await work();
    },
  };
}

/** A server that may be gone at any moment, and whether it is. */
export async function startMortal(
  environment: Record<string, string>,
  options?: Parameters<typeof startServer>[1],
): Promise<TestServer & { alive(): boolean; gone: Promise<void> }> {
  const server = await startServer(environment, options);
  let alive = true;
  const gone = new Promise<void>((resolve) => {
    server.client.onclose = () => {
      alive = false;
      resolve();
    };
  });
  return { ...server, alive: () => alive, gone };
}

export type Mortal = Awaited<ReturnType<typeof startMortal>>;

/** Every id that it lists, each once. */
export async function listed(server: Pick<TestServer, 'call'>, more: Record<string, unknown> = {}): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await server.call('list_sessions', { limit: 100, ...more, ...(cursor ? { cursor } : {}) });
    ids.push(...[...page.matchAll(/`(sessions\/[^`]+)`$/gm)].map((match) => match[1] as string));
    cursor = /^More: cursor=(\S+)$/m.exec(page)?.[1];
  } while (cursor !== undefined);
  expect(new Set(ids).size).toBe(ids.length);
  return ids;
}
