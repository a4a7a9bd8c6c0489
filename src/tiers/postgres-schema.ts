import { existsSync, readFileSync } from 'node:fs';
import { MemoryError } from '../core/errors.js';
import type { Session } from './postgres-connection.js';

/** What this program makes of an empty database, and of an older one. */
export interface PostgresSchema {
  /** `schema.sql`; may be applied again at any time. */
  text(): string;
  mirror: number;
  durable: number;
  /** Of the durable half, from version n to n + 1, at index n - 1. The mirror is dropped and made anew instead. */
  migrations: string[];
}

export const SCHEMA: PostgresSchema = { text: schemaText, mirror: 5, durable: 1, migrations: [] };

/** Beside `dist` in an installed package and in a clone; two folders up from the source. */
function schemaText(): string {
  for (const path of ['../schema.sql', '../../schema.sql']) {
    const file = new URL(path, import.meta.url);
    if (existsSync(file)) return readFileSync(file, 'utf8');
  }
  throw new MemoryError(
    'config',
    'schema.sql is missing from the package.',
    'Install strata-memory again, or apply its schema.sql with psql.',
  );
}

/** One row per half of the schema that is there, with the version that its comment ends with. */
export const VERSIONS = `SELECT nspname AS half, substring(pg_catalog.obj_description(oid, 'pg_namespace') FROM 'version ([0-9]+)$')::int AS version
  FROM pg_catalog.pg_namespace WHERE nspname IN ('strata_mirror', 'strata_durable')`;

const versionsOf = (rows: Record<string, unknown>[]) => {
  const of = (half: string) => Number(rows.find((row) => row.half === half)?.version ?? 0);
  return { mirror: of('strata_mirror'), durable: of('strata_durable') };
};

/** Whether the rows of `VERSIONS` are this program's. Throws `newer_schema` where a newer one has written there. */
export function isCurrent(schema: PostgresSchema, rows: Record<string, unknown>[], label: string): boolean {
  const { mirror, durable } = versionsOf(rows);
  if (mirror > schema.mirror || durable > schema.durable) {
    throw new MemoryError(
      'newer_schema',
      `The database ${label} was written by a newer strata-memory (schema ${Math.max(mirror, durable)}; this one knows ${Math.max(schema.mirror, schema.durable)}). Nothing was changed.`,
      'Update strata-memory here, or set DATABASE_URL to another database.',
    );
  }
  return mirror === schema.mirror && durable === schema.durable;
}

/**
 * Brings the database to this program's schema, one instance after the other: in one transaction, under the lock that
 * `schema.sql` itself takes. `limitMs` bounds each of its few statements. Gives what a person should be told.
 */
export async function applySchema(
  session: Session,
  schema: PostgresSchema,
  label: string,
  limitMs: number,
): Promise<string[]> {
  const notices: string[] = [];
  const run = (text: string) => session.script(text, limitMs);
  const rows = await run(
    `BEGIN; SET LOCAL statement_timeout = ${limitMs}; SET LOCAL lock_timeout = ${limitMs};
     SELECT pg_catalog.pg_advisory_xact_lock(hashtext('strata-memory schema')); ${VERSIONS}`,
  );
  try {
    // Somebody else may have done it while this one waited; applied again, it changes nothing.
    isCurrent(schema, rows, label);
    const { mirror, durable } = versionsOf(rows);
    if (mirror > 0 && mirror < schema.mirror) {
      await run('DROP SCHEMA strata_mirror CASCADE');
      notices.push(`The mirror in ${label} was of an older version: dropped, rebuilt from the origin.`);
    }
    if (durable > 0) for (const migration of schema.migrations.slice(durable - 1)) await run(migration);
    await run(schema.text());
    await run('COMMIT');
  } catch (error) {
    await run('ROLLBACK').catch(() => session.discard());
    throw error;
  }
  return notices;
}
