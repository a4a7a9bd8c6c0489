import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Config } from './config.js';
import { createAsOf } from './core/as-of.js';
import { createCheckpoints } from './core/checkpoints.js';
import { createConflicts } from './core/conflicts.js';
import { readDatabaseUrl } from './core/database-url.js';
import { createEmbedding } from './core/embedding.js';
import { createEphemeral } from './core/ephemeral.js';
import type { GitHubTools } from './core/github.js';
import { shortHash } from './core/hash.js';
import { createHealth } from './core/health.js';
import { createHeld } from './core/held.js';
import { LIMITS } from './core/limits.js';
import type { Log } from './core/log.js';
import { NO_CACHE } from './core/no-cache.js';
import { originTier } from './core/origin-tier.js';
import { createOutbox } from './core/outbox.js';
import type { Cache, Mirror, Mutex, Origin, ReadTier } from './core/ports.js';
import { createReader } from './core/reader.js';
import { createRetention } from './core/retention.js';
import type { Services } from './core/services.js';
import { createShelf, type Shelf } from './core/shelf.js';
import { createSync } from './core/sync.js';
import { createUses } from './core/uses.js';
import { createVectors } from './core/vectors.js';
import { createVerify } from './core/verify.js';
import { createWriter } from './core/writer.js';
import { createJobs } from './jobs/index.js';
import { createSqliteDurable } from './tiers/durable-sqlite.js';
import { createSqliteMirror } from './tiers/mirror-sqlite.js';
import { createSqliteMutex } from './tiers/mutex-sqlite.js';
import { openGitOrigin, pushGitOrigin } from './tiers/origin-git/index.js';
import { createWorkplace } from './tiers/workplace.js';
import { VERSION } from './version.js';

export interface App {
  services: Services;
  /** For servers: from now on the jobs run. */
  startJobs(): void;
  /** Waits for saves under way, then lets go of everything, in reverse. */
  close(): Promise<void>;
}

/** The only wiring: configuration to tiers to services. The cache is waited for at most `cacheMs`. Throws `config` or `origin_unavailable` with the remedy. */
export async function createApp(config: Config, log: Log, cacheMs: number = LIMITS.cacheMs): Promise<App> {
  const real = await openOrigin(config);
  const origin: Origin = {
    ...real,
    async head() {
      const tip = await real.head();
      // It answers: what waits for it can be sent.
      outbox.nudge();
      return tip;
    },
  };
  const key = shortHash(origin.name);
  const onNotice = (text: string) => log.warn('mirror', { notice: text });
  const stored =
    config.databaseUrl === undefined
      ? createSqliteMirror({ origin: origin.name, path: join(config.home, 'mirror', `${key}.db`), onNotice })
      : // Loaded only where it is used: a start is paid at every session.
        (await import('./tiers/mirror-postgres.js')).createPostgresMirror({
          origin: origin.name,
          url: config.databaseUrl,
          readUrl: config.databaseReadUrl,
          limitMs: config.mirrorDeadlineMs,
          onNotice,
        });
  const mirror: Mirror = {
    ...stored,
    async apply(step) {
      const applied = await stored.apply(step);
      if (applied) meaning?.embedding.changed();
      return applied;
    },
  };
  const shelf = await openShelf(config, origin, key, cacheMs, log);
  const durable = createSqliteDurable(join(config.home, 'durable.db'));
  const mutex = createSqliteMutex(join(config.home, 'locks'));
  const meaning = config.embeddings === null ? null : await openMeaning(config.embeddings, mirror, mutex, log);
  const sync = createSync({ origin, mirror, durable, mutex, log });
  const verify = createVerify({ mirror, sync });
  const { saveDeadlineMs, mirrorDeadlineMs } = config;
  const outbox = createOutbox({
    origin,
    mirror,
    durable,
    mutex,
    sync,
    log,
    saveDeadlineMs,
    // A repository on this machine that fails is a broken disk: a queue on it would help nobody.
    enabled: config.outbox && origin.remote,
  });
  const writer = createWriter({
    origin,
    mirror,
    durable,
    mutex,
    sync,
    outbox,
    saveDeadlineMs,
    mirrorDeadlineMs,
    shelf,
    log,
  });

  const ephemeral = createEphemeral();
  const held = createHeld({ ephemeral, outbox });

  let memory: Mirror | undefined;
  let standIn: ReadTier | undefined;
  const fallback = async () => {
    if (!standIn) {
      memory = createSqliteMirror({ origin: origin.name, path: ':memory:' });
      standIn = originTier(origin, memory, createSync({ origin, mirror: memory, log }));
    }
    return standIn;
  };
  const retention = createRetention({ origin, mirror, durable, days: config.retentionDays, log });
  const reader = createReader({
    origin,
    mirror,
    sync,
    fallback,
    staleAfterMs: config.staleAfterMs,
    waiting: async () => (await outbox.waiting()).length > 0,
    behind: writer.behind,
    retention,
    shelf,
    log,
  });
  const uses = createUses({ origin, mirror, durable, log });
  const jobs = createJobs({
    mirror,
    log,
    syncCron: config.syncCron,
    checkpointsCron: config.checkpointsCron,
    jobs: {
      sync: async (signal) => {
        const { result } = await sync.run({ reason: 'cron', signal });
        return { outcome: 'ok', note: result };
      },
      health: createHealth({ origin, verify, durable, log }),
      retention: config.retentionDays === null ? null : retention.run,
      checkpoints:
        config.checkpointsCron === null
          ? null
          : createCheckpoints({ mirror, sync, writer, cron: config.checkpointsCron }),
    },
  });

  return {
    services: {
      origin,
      mirror,
      durable,
      reader,
      asOf: createAsOf({ origin, reader, sync, log }),
      writer,
      sync,
      verify,
      ephemeral,
      outbox,
      held,
      conflicts: createConflicts({ origin, durable, held, reader, writer, log }),
      shelf,
      semantics: meaning?.vectors ?? null,
      embedding: meaning?.embedding ?? null,
      uses,
      workplace: createWorkplace(),
      jobs,
    },
    startJobs() {
      jobs.start();
      meaning?.embedding.start();
    },
    async close() {
      await jobs.close();
      await outbox.close();
      await writer.close();
      await retention.close();
      await uses.close();
      await meaning?.close();
      for (const each of [memory, shelf, mutex, durable, mirror, origin]) await each?.close();
    },
  };
}

/** What compares meaning; the model itself is loaded when it is needed. */
async function openMeaning(model: 'minilm' | { folder: string }, mirror: Mirror, mutex: Mutex, log: Log) {
  const { createEmbedder } = await import('./tiers/embedder-minilm.js');
  const embedder = createEmbedder(model === 'minilm' ? {} : model);
  const vectors = createVectors({ mirror, embedder, log, lost: () => embedding.lost() });
  const embedding = createEmbedding({ mirror, embedder, mutex, log });
  return {
    vectors,
    embedding,
    async close() {
      vectors.close();
      // What the model is at ends with it: nobody waits for a text.
      await Promise.all([embedding.close(), embedder.close()]);
    },
  };
}

async function openOrigin({ github, repo, home, branch, readDeadlineMs }: Config): Promise<Origin> {
  if (github) {
    const { createGitHubOrigin } = await import('./tiers/origin-github/index.js');
    return createGitHubOrigin({ ...github, branch, readDeadlineMs });
  }
  return openGitOrigin({ path: repo ?? join(home, 'origin.git'), own: repo === null, branch });
}

async function openShelf(config: Config, origin: Origin, key: string, limitMs: number, log: Log): Promise<Shelf> {
  const { redisUrl, databaseUrl, home } = config;
  const cache: Cache =
    redisUrl === undefined
      ? NO_CACHE
      : (await import('./tiers/cache-redis.js')).createRedisCache({
          url: redisUrl,
          limitMs,
          onState: (state, why) => log[state === 'up' ? 'info' : 'warn']('cache', { state, why }),
        });
  // What is at one place is one mirror, whoever reads it.
  const mirror =
    databaseUrl === undefined ? `${hostname()}:${join(home, 'mirror', key)}` : readDatabaseUrl(databaseUrl).label;
  return createShelf({ cache, origin: origin.name, mirror, program: VERSION });
}

/** For the commands that bring a memory to GitHub. */
export function createGitHubTools(config: Config): GitHubTools {
  const { githubToken, home, repo, branch, readDeadlineMs } = config;
  const apiUrl = config.githubApiUrl.replace(/\/+$/, '');
  return {
    token: githubToken,
    apiUrl,
    account(owner, name, token) {
      const made = import('./tiers/origin-github/account.js').then(({ createAccount }) =>
        createAccount({ owner, name, token, apiUrl, readDeadlineMs }),
      );
      return { look: async () => (await made).look(), create: async () => (await made).create() };
    },
    push: ({ fullName, branch: to, token }) =>
      pushGitOrigin(
        { path: repo ?? join(home, 'origin.git'), own: repo === null, branch },
        { url: `${siteOf(apiUrl)}/${fullName}.git`, branch: to, token },
      ),
  };
}

/** Where git pushes to, of an API's address. */
function siteOf(apiUrl: string): string {
  const { origin, hostname } = new URL(apiUrl);
  return hostname === 'api.github.com' ? 'https://github.com' : origin;
}
