import { join } from 'node:path';
import type { Config } from './config.js';
import { createEphemeral } from './core/ephemeral.js';
import { shortHash } from './core/hash.js';
import type { Log } from './core/log.js';
import type { Mirror, ReadTier } from './core/ports.js';
import { createReader, originTier } from './core/reader.js';
import type { Services } from './core/services.js';
import { createSync } from './core/sync.js';
import { createVerify } from './core/verify.js';
import { createWriter } from './core/writer.js';
import { createSqliteDurable } from './tiers/durable-sqlite.js';
import { createSqliteMirror } from './tiers/mirror-sqlite.js';
import { createSqliteMutex } from './tiers/mutex-sqlite.js';
import { openGitOrigin } from './tiers/origin-git/index.js';
import { createWorkplace } from './tiers/workplace.js';

export interface App {
  services: Services;
  /** Waits for saves under way, then lets go of everything, in reverse. */
  close(): Promise<void>;
}

/** The only wiring: configuration to tiers to services. Throws `config` or `origin_unavailable` with the remedy. */
export async function createApp(config: Config, log: Log): Promise<App> {
  const own = config.repo === null;
  const origin = await openGitOrigin({
    path: config.repo ?? join(config.home, 'origin.git'),
    own,
    branch: config.branch,
  });
  const key = shortHash(origin.name);
  const onNotice = (text: string) => log.warn('mirror', { notice: text });
  const mirror = createSqliteMirror({ origin: origin.name, path: join(config.home, 'mirror', `${key}.db`), onNotice });
  const durable = createSqliteDurable(join(config.home, 'durable.db'));
  const mutex = createSqliteMutex(join(config.home, 'locks'));
  const sync = createSync({ origin, mirror, durable, mutex, log });
  const verify = createVerify({ mirror, sync });
  const writer = createWriter({ origin, mirror, durable, mutex, sync, log });

  let memory: Mirror | undefined;
  let standIn: ReadTier | undefined;
  const fallback = async () => {
    if (!standIn) {
      memory = createSqliteMirror({ origin: origin.name, path: ':memory:' });
      standIn = originTier(origin, memory, createSync({ origin, mirror: memory, log }));
    }
    return standIn;
  };
  const reader = createReader({
    origin,
    mirror,
    sync,
    fallback,
    staleAfterMs: config.staleAfterMs,
    behind: writer.behind,
    log,
  });

  return {
    services: {
      origin,
      mirror,
      durable,
      reader,
      writer,
      sync,
      verify,
      ephemeral: createEphemeral(),
      workplace: createWorkplace(),
    },
    async close() {
      await writer.close();
      for (const each of [memory, mutex, durable, mirror, origin]) await each?.close();
    },
  };
}
