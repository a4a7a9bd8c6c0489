import type { Conflict, Durable, OutboxEntry, SyncRun } from '../core/ports.js';
import type { Row } from './rows.js';
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
    queue: (origin, saves) =>
      database.write(async (query) => {
        for (const save of saves)
          await query(
            `INSERT INTO outbox (origin, save_id, path, content, expect, subject, client, queued_at_ms, sent, last_error, attempts)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0) ON CONFLICT (save_id) DO NOTHING`,
            [
              origin,
              save.saveId,
              save.path,
              save.content,
              save.expect,
              save.subject,
              save.client,
              Math.round(save.queuedAtMs),
              save.sent ? 1 : 0,
              save.lastError,
            ],
          );
      }),
    queued: (origin) =>
      database.read(async (query) =>
        (await query('SELECT * FROM outbox WHERE origin = $1 ORDER BY entry', [origin])).map(toEntry),
      ),
    queues: () =>
      database.read(async (query) => {
        const rows = await query('SELECT origin, count(*) AS count FROM outbox GROUP BY origin ORDER BY origin');
        return rows.map((row) => ({ origin: String(row.origin), count: Number(row.count) }));
      }),
    requeue: (from, to) =>
      database.write(async (query) => {
        const moved = await query('UPDATE outbox SET origin = $2 WHERE origin = $1 RETURNING entry', [from, to]);
        return moved.length;
      }),
    sending: (entries) =>
      database.write(async (query) => {
        for (const entry of entries)
          await query('UPDATE outbox SET sent = 1, attempts = attempts + 1 WHERE entry = $1', [entry]);
      }),
    sendingFailed: (entries, why) =>
      database.write(async (query) => {
        for (const entry of entries) await query('UPDATE outbox SET last_error = $2 WHERE entry = $1', [entry, why]);
      }),
    unsent: (entries) =>
      database.write(async (query) => {
        for (const entry of entries) await query('UPDATE outbox SET sent = 0 WHERE entry = $1', [entry]);
      }),
    settled: (entries) =>
      database.write(async (query) => {
        for (const entry of entries) await query('DELETE FROM outbox WHERE entry = $1', [entry]);
      }),
    lost: (entry, currentBlob) =>
      database.write(async (query) => {
        await query(
          `INSERT INTO conflicts (origin, path, content, read_at_blob, current_blob, subject, found_at_ms)
           SELECT origin, path, content, expect, $2, subject, $3 FROM outbox WHERE entry = $1`,
          [entry, currentBlob, Date.now()],
        );
        await query('DELETE FROM outbox WHERE entry = $1', [entry]);
      }),
    conflicts: (origin) =>
      database.read(async (query) =>
        (
          await query('SELECT * FROM conflicts WHERE origin = $1 AND resolved_at_ms IS NULL ORDER BY conflict', [
            origin,
          ])
        ).map(toConflict),
      ),
    resolved: (conflict) =>
      database.write(async (query) => {
        await query('UPDATE conflicts SET resolved_at_ms = $2 WHERE conflict = $1', [conflict, Date.now()]);
      }),
    used: (origin, ids) =>
      database.write(async (query) => {
        for (const id of ids)
          await query(
            `INSERT INTO use_counts (origin, id, uses, last_used_ms) VALUES ($1, $2, 1, $3)
             ON CONFLICT (origin, id) DO UPDATE SET uses = uses + 1, last_used_ms = max(last_used_ms, excluded.last_used_ms)`,
            [origin, id, Date.now()],
          );
      }),
    uses: (origin, ids) =>
      database.read(async (query) => {
        const rows = await query(
          'SELECT id, uses, last_used_ms FROM use_counts WHERE origin = $1 AND id IN (SELECT value FROM json_each($2))',
          [origin, JSON.stringify(ids)],
        );
        return new Map(
          rows.map((row) => [String(row.id), { uses: Number(row.uses), lastUsedMs: Number(row.last_used_ms) }]),
        );
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

function toEntry(row: Row): OutboxEntry {
  return {
    entry: Number(row.entry),
    saveId: String(row.save_id),
    path: String(row.path),
    content: new Uint8Array(row.content as ArrayBuffer),
    expect: textOf(row.expect),
    subject: String(row.subject),
    client: String(row.client),
    queuedAtMs: Number(row.queued_at_ms),
    sent: Number(row.sent) === 1,
    attempts: Number(row.attempts),
    lastError: textOf(row.last_error),
  };
}

function toConflict(row: Row): Conflict {
  return {
    conflict: Number(row.conflict),
    path: String(row.path),
    content: new Uint8Array(row.content as ArrayBuffer),
    readAtBlob: textOf(row.read_at_blob),
    currentBlob: textOf(row.current_blob),
    subject: String(row.subject),
    foundAtMs: Number(row.found_at_ms),
  };
}

function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}
