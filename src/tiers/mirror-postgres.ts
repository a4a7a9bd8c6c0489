import { LIMITS } from '../core/limits.js';
import type { Mirror, View } from '../core/ports.js';
import { mirrorStatements, Overtaken } from './mirror.js';
import { pgvector } from './pgvector.js';
import { createPostgres } from './postgres.js';
import { createReplica } from './postgres-replica.js';
import { type PostgresSchema, SCHEMA } from './postgres-schema.js';
import type { Dialect } from './rows.js';
import { upkeep } from './upkeep.js';
import { vectorStatements } from './vectors.js';

const dialect: Dialect = {
  // Rounded down: a clock that is ahead of itself by half a millisecond would make an age negative.
  nowMs: 'CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)',
  elements: (parameter) => `json_array_elements(CAST(${parameter} AS json))`,
  async lock(query, origin) {
    // Makes the row where there is none yet, and holds it in either case.
    await query(
      `INSERT INTO state (origin, generation, index_version) VALUES ($1, 0, 0)
       ON CONFLICT (origin) DO UPDATE SET generation = state.generation`,
      [origin],
    );
  },
  compare: pgvector,
};

export interface PostgresMirrorOptions {
  origin: string;
  /** `DATABASE_URL`. */
  url: string;
  /** `DATABASE_READ_URL`: a replica, which snapshots are read from while it is at the primary's generation. */
  readUrl?: string;
  onNotice?(text: string): void;
  /** At most so long for a connection with its first answer, and for each statement, in ms. */
  limitMs?: number;
  /** To each server, at most. */
  connections?: number;
  schema?: PostgresSchema;
}

/** The mirror in Postgres, shared by any number of instances. Throws `config` where a URL cannot be read. */
export function createPostgresMirror(options: PostgresMirrorOptions): Mirror {
  const { origin, schema = SCHEMA, limitMs = LIMITS.mirrorWriteMs } = options;
  const connections = options.connections ?? LIMITS.postgresConnections;
  const notices: string[] = [];
  const onNotice = (text: string) => {
    notices.push(text);
    options.onNotice?.(text);
  };
  const primary = createPostgres({
    url: options.url,
    variable: 'DATABASE_URL',
    schema,
    limitMs,
    connections,
    onNotice,
  });
  const statements = mirrorStatements(origin, dialect);
  const replica =
    options.readUrl === undefined
      ? null
      : createReplica({ url: options.readUrl, primary, schema, statements, limitMs, connections, onNotice });

  /** Uncounted tables are planned as if they held one row: a search then takes seconds. Their owner's to do, or autovacuum's. */
  async function count(): Promise<void> {
    await primary
      .write((query) => query('ANALYZE documents, documents_search, documents_tail, postings'))
      .catch(() => {});
  }

  return {
    name: 'mirror',
    snapshot<T>(work: (view: View) => Promise<T>): Promise<T> {
      const there = () => primary.read((query) => work(statements.view(query)));
      return replica === null ? there() : replica.snapshot(work, there);
    },
    clock: () => primary.read(async (query) => Number((await query(`SELECT ${dialect.nowMs} AS now_ms`))[0]?.now_ms)),
    doubt: (doubts) => primary.write((query) => statements.doubt(query, doubts)),
    settle: (saveIds) => primary.write((query) => statements.settle(query, saveIds)),
    stage: (documents) => primary.write((query) => statements.stage(query, documents)),
    staged: (pairs) => primary.read((query) => statements.staged(query, pairs)),
    prune: (keepLive) => primary.write((query) => statements.prune(query, keepLive)),
    confirm: (head, beforeMs) => primary.write((query) => statements.confirm(query, head, beforeMs)),
    drop: (paths) => primary.write((query) => statements.drop(query, paths)),
    async apply(step) {
      try {
        await primary.write((query) => statements.apply(query, step));
        statements.grown(step.live.length, primary);
        if (step.live.length >= LIMITS.postgresCountAfter) await count();
        return true;
      } catch (error) {
        if (error instanceof Overtaken) return false;
        throw error;
      }
    },
    unindexed: () => primary.read(statements.unindexed),
    merge: () => statements.merge(primary),
    ...upkeep(origin, dialect, primary),
    ...vectorStatements(origin, dialect, primary),
    notices: () => [...notices],
    async describe() {
      const bytes = await primary.read(async (query) => {
        const [row] = await query(
          `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) AS bytes FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'strata_mirror' AND c.relkind = 'r'`,
        );
        return Number(row?.bytes);
      });
      return { kind: 'Postgres', place: primary.label, bytes };
    },
    async close() {
      await statements.idle();
      await replica?.close();
      await primary.close();
    },
  };
}
