import type { KeptVersions } from '../core/versions.js';
import { bytesOf, conditions, inProjects, packed, type Query, type Value } from './rows.js';

/** What every SQL mirror still has of earlier documents. */
export function versionQueries(origin: string, elements: (parameter: string) => string) {
  return (query: Query): KeptVersions => ({
    async past(caller, wanted) {
      const found = new Map<string, Uint8Array>();
      if (wanted.length === 0) return found;
      const take = async (text: string, values: Value[]) => {
        for (const row of await query(text, values)) {
          const content = bytesOf(row.content);
          if (content) found.set(String(row.blob), content);
        }
      };
      const list = packed(wanted.map(({ path, blob }) => [path, blob]));
      const { text, values } = conditions(origin, caller, {});
      await take(
        `SELECT d.blob, d.content FROM ${elements(`$${values.length + 1}`)} AS e CROSS JOIN documents d
         WHERE ${text} AND d.blob = e.value->>1 AND d.content IS NOT NULL`,
        [...values, list],
      );
      const own: Value[] = [origin, list];
      const bind = (value: Value) => `$${own.push(value)}`;
      const seen = caller.projects === 'all' ? '' : `AND ${inProjects('v.project', caller.projects, bind)}`;
      await take(
        `SELECT v.blob, v.content FROM ${elements('$2')} AS e CROSS JOIN versions v
         WHERE v.origin = $1 AND v.path = e.value->>0 AND v.blob = e.value->>1 AND v.content IS NOT NULL ${seen}`,
        own,
      );
      return found;
    },

    async versions(caller) {
      const values: Value[] = [origin];
      const bind = (value: Value) => `$${values.push(value)}`;
      const seen = caller.projects === 'all' ? '' : `AND ${inProjects('v.project', caller.projects, bind)}`;
      const rows = await query(
        `SELECT v.path, v.blob, v.until_commit, v.until_ms, v.time_ms FROM versions v
         WHERE v.origin = $1 ${seen} ORDER BY v.until_ms, v.path`,
        values,
      );
      return rows.map((row) => ({
        path: String(row.path),
        blob: String(row.blob),
        untilCommit: String(row.until_commit),
        untilMs: Number(row.until_ms),
        timeMs: Number(row.time_ms),
      }));
    },
  });
}
