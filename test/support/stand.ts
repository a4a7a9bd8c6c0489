import { join } from 'node:path';
import Database from 'libsql';
import { onTestFinished } from 'vitest';
import { type Caller, localCaller } from '../../src/core/caller.js';
import type { Document } from '../../src/core/documents.js';
import type { Draft } from '../../src/core/draft.js';
import { LIMITS } from '../../src/core/limits.js';
import { createLog } from '../../src/core/log.js';
import { originTier } from '../../src/core/origin-tier.js';
import { createOutbox } from '../../src/core/outbox.js';
import type { Mirror, Mutex, Origin, Reading } from '../../src/core/ports.js';
import type { Provenance } from '../../src/core/provenance.js';
import { type Consistency, createReader } from '../../src/core/reader.js';
import { createShelf, NO_SHELF, type Question, type Shelf } from '../../src/core/shelf.js';
import { createSync } from '../../src/core/sync.js';
import { createWriter } from '../../src/core/writer.js';
import { createRedisCache } from '../../src/tiers/cache-redis.js';
import { createSqliteDurable } from '../../src/tiers/durable-sqlite.js';
import { createPostgresMirror } from '../../src/tiers/mirror-postgres.js';
import { createSqliteMirror } from '../../src/tiers/mirror-sqlite.js';
import { createSqliteMutex } from '../../src/tiers/mutex-sqlite.js';
import { openGitOrigin } from '../../src/tiers/origin-git/index.js';
import type { GitHub } from './github.js';
import { openGitHub } from './github-origin.js';
import { tempFolder } from './home.js';

/** A promise that a test opens by hand. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

export interface StandOptions {
  home?: string;
  subject?: string;
  staleAfterMs?: number;
  /** Puts something between the core and the real origin: a stop, or an end. */
  between?: (origin: Origin) => Partial<Origin>;
  /** A process that could not have the mutex goes on without. */
  withoutMutex?: boolean;
}

/** What `see` asks, for a cache to keep its answer under. */
const LIST: Question = { name: 'list', input: { limit: 1_000 } };

/** What the machines of one memory share. */
export interface Shared {
  github: GitHub;
  databaseUrl: string;
  redisUrl: string;
}

interface Tiers {
  origin: Origin;
  mirror: Mirror;
  shelf: Shelf;
}

async function tiersAt(repository: string, mirrorPath: string): Promise<Tiers> {
  const origin = await openGitOrigin({ path: repository, own: false });
  return { origin, mirror: createSqliteMirror({ origin: origin.name, path: mirrorPath }), shelf: NO_SHELF };
}

function tiersOf({ github, databaseUrl, redisUrl }: Shared): Tiers {
  const origin = openGitHub(github);
  const mirror = createPostgresMirror({ origin: origin.name, url: databaseUrl, connections: 4 });
  // Machines that run tests stop for moments; what is too late is tested by servers that never answer.
  const cache = createRedisCache({ url: redisUrl, limitMs: 1_000, restMs: 5, restMostMs: 50, onState() {} });
  return { origin, mirror, shelf: createShelf({ cache, origin: origin.name, mirror: databaseUrl, program: 'test' }) };
}

/**
 * What one process has: the real tiers on `place` (a repository on this machine, or what machines share) and `home`,
 * wired as the app does. Closed when the test ends.
 */
export async function openStand(place: string | Shared, options: StandOptions = {}) {
  const home = options.home ?? tempFolder();
  const mirrorPath = join(home, 'mirror', 'mirror.db');
  const tiers = typeof place === 'string' ? await tiersAt(place, mirrorPath) : tiersOf(place);
  const { origin: real, mirror, shelf } = tiers;
  const origin: Origin = { ...real, ...options.between?.(real) };
  const log = createLog('debug', () => {});
  const durable = createSqliteDurable(join(home, 'durable.db'));
  const files = createSqliteMutex(join(home, 'locks'));
  const mutex: Mutex = options.withoutMutex ? { acquire: async () => null, close: async () => {} } : files;
  const sync = createSync({ origin, mirror, durable, mutex, log });
  const { saveDeadlineMs, mirrorWriteMs: mirrorDeadlineMs } = LIMITS;
  const wiring = { origin, mirror, durable, mutex, sync, log, saveDeadlineMs };
  const outbox = createOutbox({ ...wiring, enabled: origin.remote });
  const writer = createWriter({ ...wiring, outbox, mirrorDeadlineMs, shelf });
  const memory = createSqliteMirror({ origin: origin.name, path: ':memory:' });
  const fallback = async () => originTier(real, memory, createSync({ origin: real, mirror: memory, log }));
  const reader = createReader({
    origin,
    mirror,
    sync,
    fallback,
    staleAfterMs: options.staleAfterMs ?? 3_600_000,
    waiting: async () => (await outbox.waiting()).length > 0,
    behind: writer.behind,
    shelf,
    log,
  });
  const caller: Caller = localCaller(options.subject ?? 'tester', 'test');
  let dead = false;
  onTestFinished(async () => {
    await outbox.close();
    if (!dead) await writer.close();
    for (const each of [memory, shelf, files, durable, mirror, real]) await each.close();
  });

  return {
    home,
    mirrorPath,
    origin,
    mirror,
    shelf,
    sync,
    reader,
    writer,
    caller,
    save(body: string, more: Partial<Draft['fields']> & { edit?: Draft['edit']; signal?: AbortSignal } = {}) {
      const { edit, signal, ...fields } = more;
      return writer.save(
        caller,
        { fields: { title: body.slice(0, 40), project: 'p/q', ...fields }, body, edit },
        signal,
      );
    },
    /** What a reading tool would see: titles, and where from. */
    async see(wanted?: Consistency, usual: Consistency = 'fast'): Promise<{ titles: string[]; from: Provenance }> {
      const { value, provenance } = await reader.read(
        caller,
        wanted,
        usual,
        (reading) => reading.list(caller, {}, { limit: 1_000 }),
        LIST,
      );
      return { titles: value.map(({ title }: Document) => title).sort(), from: provenance };
    },
    state: () => mirror.snapshot((view) => view.state()),
    paths: () => mirror.snapshot((view) => view.paths()),
    /** This process is dead: nobody waits for what it had begun. */
    die() {
      dead = true;
    },
    /** The bytes of one note as text, and where from. */
    async open(path: string, wanted?: Consistency): Promise<{ text: string; from: Provenance }> {
      const id = path.replace(/\.md$/, '');
      const work = async (reading: Reading) => (await reading.get(caller, id))?.content ?? null;
      const { value, provenance } = await reader.read(caller, wanted, 'fast', work, { name: 'open', input: id });
      return { text: Buffer.from(value ?? []).toString(), from: provenance };
    },
    /** Writes into the mirror's file as no program of ours would. */
    sql(text: string, ...values: (string | number)[]): void {
      const file = new Database(mirrorPath, { timeout: 2_000 });
      try {
        file.prepare(text).run(values);
      } finally {
        file.close();
      }
    },
  };
}

export type Stand = Awaited<ReturnType<typeof openStand>>;
