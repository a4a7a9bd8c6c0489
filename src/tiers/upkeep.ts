import type { Mirror, Outcome } from '../core/ports.js';
import { type Database, type Dialect, packed, portions, storable } from './rows.js';

type Upkeep = Pick<Mirror, 'touch' | 'restore' | 'shed' | 'acquire' | 'renew' | 'release' | 'leases'>;

/** What the jobs ask of every SQL mirror: who does which, and which contents stay. */
export function upkeep(origin: string, dialect: Dialect, database: Database): Upkeep {
  const { nowMs } = dialect;
  const today = `CAST(floor(${nowMs} / 86400000) AS integer)`;

  return {
    async touch(paths) {
      if (paths.length === 0) return;
      const list = packed(paths.map((path) => [path]));
      await database.write((query) =>
        query(
          `UPDATE documents SET touched_day = ${today} WHERE doc IN (
             SELECT d.doc FROM ${dialect.elements('$2')} AS e CROSS JOIN documents d
             WHERE d.origin = $1 AND d.path = e.value->>0 AND d.live = 1 AND d.touched_day < ${today})`,
          [origin, list],
        ),
      );
    },

    async restore(contents) {
      await database.write(async (query) => {
        for (const { path, blob, content } of contents)
          await query(
            `UPDATE documents SET content = $4, touched_day = ${today}
             WHERE origin = $1 AND path = $2 AND blob = $3 AND live = 1 AND content IS NULL`,
            [origin, storable(path), blob, content],
          );
      });
    },

    shed: (untouchedDays, limit) =>
      database.write(async (query) => {
        const rows = await query(
          `SELECT d.doc, d.bytes FROM documents d WHERE d.origin = $1 AND d.live = 1 AND d.content IS NOT NULL AND d.kind <> 'project'
             AND d.touched_day < ${today} - CAST($2 AS integer) ORDER BY d.doc LIMIT $3`,
          [origin, untouchedDays, limit],
        );
        for (const some of portions(rows)) {
          const docs = packed(some.map((row) => [Number(row.doc)]));
          await query(
            `UPDATE documents SET content = NULL
             WHERE doc IN (SELECT CAST(e.value->>0 AS bigint) FROM ${dialect.elements('$1')} AS e)`,
            [docs],
          );
        }
        await query(
          `UPDATE versions SET content = NULL
           WHERE origin = $1 AND content IS NOT NULL AND until_ms < ${nowMs} - CAST($2 AS bigint) * 86400000`,
          [origin, untouchedDays],
        );
        return { documents: rows.length, bytes: rows.reduce((sum, row) => sum + Number(row.bytes), 0) };
      }),

    async acquire({ name, holder, ttlMs, restMs, failedRestMs }) {
      const [row] = await database.write((query) =>
        query(
          `INSERT INTO leases (origin, name, holder, expires_at_ms, note) VALUES ($1, $2, $3, ${nowMs} + $4, '')
           ON CONFLICT (origin, name) DO UPDATE SET holder = excluded.holder, expires_at_ms = excluded.expires_at_ms
           WHERE (leases.holder = $3 OR leases.expires_at_ms <= ${nowMs})
             AND (leases.ended_at_ms IS NULL OR leases.ended_at_ms > ${nowMs}
               OR leases.ended_at_ms + CASE leases.outcome WHEN 'failed' THEN CAST($6 AS bigint) ELSE CAST($5 AS bigint) END <= ${nowMs})
           RETURNING outcome`,
          [origin, name, holder, Math.round(ttlMs), Math.round(restMs), Math.round(failedRestMs)],
        ),
      );
      return row === undefined ? null : { outcome: outcomeOf(row.outcome) };
    },

    async renew(name, holder, ttlMs) {
      const rows = await database.write((query) =>
        query(
          `UPDATE leases SET expires_at_ms = ${nowMs} + $4 WHERE origin = $1 AND name = $2 AND holder = $3 RETURNING name`,
          [origin, name, holder, Math.round(ttlMs)],
        ),
      );
      return rows.length > 0;
    },

    async release(name, holder, ended) {
      const own = 'WHERE origin = $1 AND name = $2 AND holder = $3';
      await database.write((query) =>
        ended === null
          ? query(`UPDATE leases SET expires_at_ms = 0 ${own}`, [origin, name, holder])
          : query(`UPDATE leases SET expires_at_ms = 0, ended_at_ms = ${nowMs}, outcome = $4, note = $5 ${own}`, [
              origin,
              name,
              holder,
              ended.outcome,
              storable(ended.note),
            ]),
      );
    },

    leases: () =>
      database.read(async (query) => {
        const rows = await query(
          `SELECT name, expires_at_ms, ended_at_ms, outcome, note, ${nowMs} AS now_ms FROM leases WHERE origin = $1 ORDER BY name`,
          [origin],
        );
        return rows.map((row) => ({
          name: String(row.name),
          held: Number(row.expires_at_ms) > Number(row.now_ms),
          endedAtMs: row.ended_at_ms === null ? null : Number(row.ended_at_ms),
          outcome: outcomeOf(row.outcome),
          note: String(row.note),
          nowMs: Number(row.now_ms),
        }));
      }),
  };
}

const outcomeOf = (value: unknown) => (value === null || value === undefined ? null : (String(value) as Outcome));
