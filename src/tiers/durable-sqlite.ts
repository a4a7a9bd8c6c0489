import type { Durable, SyncRun } from '../core/ports.js';
import { DURABLE_SCHEMA, DURABLE_VERSION } from './schema-sqlite.js';
import { createSqlite } from './sqlite.js';

/** What exists nowhere else, in one SQLite file with `synchronous=FULL`. It is migrated forward, never rebuilt. */
export function createSqliteDurable(path: string): Durable {
  const database = createSqlite({
    path,
    schema: DURABLE_SCHEMA,
    version: DURABLE_VERSION,
    migrations: [],
    synchronous: 'FULL',
    onNotice() {},
  });

  return {
    syncRan: (run) =>
      database.write(async (query) => {
        await query(
          'INSERT INTO sync_log (origin, started_at_ms, finished_at_ms, reason, result, commit_id, details) VALUES ($1, $2, $3, $4, $5, $6, $7)',
          [
            run.origin,
            run.startedAtMs,
            run.finishedAtMs,
            run.reason,
            run.result,
            run.commit,
            JSON.stringify(run.details),
          ],
        );
      }),
    lastSyncs: (origin, count) =>
      database.read(async (query) => {
        const rows = await query('SELECT * FROM sync_log WHERE origin = $1 ORDER BY run DESC LIMIT $2', [
          origin,
          count,
        ]);
        return rows.map((row) => ({
          origin,
          startedAtMs: Number(row.started_at_ms),
          finishedAtMs: Number(row.finished_at_ms),
          reason: String(row.reason),
          result: row.result as SyncRun['result'],
          commit: row.commit_id === null ? null : String(row.commit_id),
          details: JSON.parse(String(row.details)) as Record<string, unknown>,
        }));
      }),
    audit: (entry) =>
      database.write(async (query) => {
        await query(
          'INSERT INTO audit (at_ms, origin, subject, client, action, target, reason) VALUES ($1, $2, $3, $4, $5, $6, $7)',
          [Date.now(), entry.origin, entry.subject, entry.client, entry.action, entry.target, entry.reason ?? null],
        );
      }),
    async describe() {
      return database.read(async (query) => ({
        place: path,
        schema: Number((await query('PRAGMA user_version'))[0]?.user_version),
        sound: String((await query('PRAGMA quick_check(1)'))[0]?.quick_check),
      }));
    },
    close: () => database.close(),
  };
}
