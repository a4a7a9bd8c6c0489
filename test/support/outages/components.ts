import { startGitHubProcess } from '../github-process.js';
import { startPostgres } from '../private-postgres.js';
import { PASSWORD, startRedis } from '../redis.js';
import { type Manner, startTcpProxy } from '../tcp-proxy.js';

/** What a component does wrong. */
export type Trouble = 'down' | 'hangs' | 'garbage' | 'truncated' | 'slow';

/** One thing that a server needs, to be broken and mended. */
export interface Component {
  /** What a server is told, to reach it. */
  environment: Record<string, string>;
  /** What must never be shown. */
  secrets: string[];
  /** Resolves when it is so. */
  strike(trouble: Trouble): Promise<void>;
  /** As if nothing had been. */
  mend(): Promise<void>;
}

export type AtEnd = (work: () => Promise<void>) => void;

/** Later than a `fresh` read waits for a head, and within every deadline. */
const GITHUB_SLOW_MS = 900;
/** Of each answer: within the deadline of a database, and later than anybody waits for a cache. */
const POSTGRES_SLOW_MS = 25;
const REDIS_SLOW_MS = 250;

/** The test GitHub in a process of its own, behind a proxy of ours: at one address whatever happens. */
export async function githubComponent(atEnd: AtEnd) {
  const github = await startGitHubProcess({ owner: 'ann', repo: 'notes', budget: 1_000_000 });
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: github.port });
  atEnd(async () => {
    await proxy.close();
    await github.close();
  });
  const component: Component = {
    environment: {
      MEMORY_REPO: 'ann/notes',
      GITHUB_TOKEN: github.token,
      GITHUB_API_URL: `http://127.0.0.1:${proxy.port}/api/v3`,
    },
    secrets: [github.token],
    async strike(trouble) {
      if (trouble === 'down') await proxy.refuse();
      else if (trouble === 'hangs') github.pause();
      else if (trouble === 'slow') await github.call('latency', GITHUB_SLOW_MS);
      else await github.call('fault', { kind: trouble === 'garbage' ? 'garbage' : 'half' });
    },
    async mend() {
      github.resume();
      await proxy.restore();
      await github.call('latency', 0);
      await github.call('clearFaults');
    },
  };
  return { ...component, github };
}

/** A Postgres of its own: killed and paused as it is, slow and lying through a proxy of ours. */
export async function postgresComponent(atEnd: AtEnd) {
  const postgres = await startPostgres({}, undefined, atEnd);
  const proxy = await startTcpProxy({ path: `${postgres.folder}/.s.PGSQL.5432` });
  atEnd(() => proxy.close());
  let dead = false;
  const component: Component = {
    environment: { DATABASE_URL: `postgres://owner:${postgres.password}@127.0.0.1:${proxy.port}/postgres` },
    secrets: [postgres.password],
    async strike(trouble) {
      if (trouble === 'down') {
        await postgres.kill();
        await proxy.refuse();
        dead = true;
      } else if (trouble === 'hangs') postgres.pause();
      else proxy.behave(mannerOf(trouble, POSTGRES_SLOW_MS));
    },
    async mend() {
      if (dead) await postgres.start();
      else postgres.resume();
      dead = false;
      await proxy.restore();
    },
  };
  return { ...component, sql: postgres.connect() };
}

/** A Redis of its own, with a password: killed and paused as it is, slow and lying through a proxy of ours. */
export async function redisComponent(atEnd: AtEnd): Promise<Component> {
  const redis = await startRedis({ requirepass: PASSWORD }, atEnd);
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: redis.port });
  atEnd(() => proxy.close());
  let dead = false;
  return {
    environment: { REDIS_URL: `redis://:${PASSWORD}@127.0.0.1:${proxy.port}` },
    secrets: [PASSWORD],
    async strike(trouble) {
      if (trouble === 'down') {
        await redis.kill();
        await proxy.refuse();
        dead = true;
      } else if (trouble === 'hangs') redis.pause();
      else proxy.behave(mannerOf(trouble, REDIS_SLOW_MS));
    },
    async mend() {
      if (dead) await redis.start();
      else redis.resume();
      dead = false;
      await proxy.restore();
    },
  };
}

function mannerOf(trouble: 'garbage' | 'truncated' | 'slow', ms: number): Manner {
  return trouble === 'slow' ? { kind: 'slow', ms } : { kind: trouble };
}
