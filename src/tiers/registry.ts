import { type Caller, seesProject } from '../core/caller.js';
import { LIMITS } from '../core/limits.js';
import type { ProjectRecord, Relatives } from '../core/project.js';
import { conditions, inProjects, numberOrNull, type Query, type Value } from './rows.js';

/** Who is a submodule of whom, and what records say: both read from the documents, which are the only source. */
export function registry(origin: string) {
  /** What the caller may see of the registry. */
  function seen(caller: Caller): { text: string; values: Value[] } {
    const values: Value[] = [origin];
    const bind = (value: Value) => `$${values.push(value)}`;
    const seen = caller.projects === 'all' ? '' : ` AND ${inProjects('d.project', caller.projects, bind)}`;
    return { text: `d.origin = $1${seen}`, values };
  }

  async function records(query: Query, caller: Caller): Promise<ProjectRecord[]> {
    const found = new Map<string, ProjectRecord>();
    const { text, values } = conditions(origin, caller, {});
    const rows = await query(
      `SELECT d.project, d.status, d.priority, d.target_revenue, d.current_revenue FROM projects d WHERE ${text}
       ORDER BY d.time_ms DESC, d.path DESC LIMIT ${LIMITS.projects}`,
      values,
    );
    for (const row of rows) {
      const project = String(row.project);
      if (found.has(project)) continue;
      found.set(project, {
        project,
        status: String(row.status),
        priority: String(row.priority),
        targetRevenue: numberOrNull(row.target_revenue),
        currentRevenue: numberOrNull(row.current_revenue),
        parent: '',
      });
    }
    const own = seen(caller);
    const said = `${SAID} SELECT d.project, d.parent FROM said d WHERE ${own.text} ORDER BY d.project LIMIT ${LIMITS.projects}`;
    for (const row of await query(said, own.values)) {
      const [project, parent] = [String(row.project), String(row.parent)];
      const record = found.get(project) ?? { ...NO_RECORD, project };
      if (seesProject(caller, parent)) found.set(project, { ...record, parent });
    }
    return [...found.values()];
  }

  async function relatives(query: Query, caller: Caller, project: string): Promise<Relatives> {
    const none: Relatives = { parent: null, siblings: [], submodules: [] };
    if (!seesProject(caller, project)) return none;
    const [own] = await query('SELECT d.parent FROM submodules d WHERE d.origin = $1 AND d.project = $2', [
      origin,
      project,
    ]);
    const parent = own ? String(own.parent) : project;
    const { text, values } = seen(caller);
    const at = values.length;
    const rows = await query(
      `${SAID} SELECT d.project, d.parent FROM said d WHERE ${text} AND d.parent IN ($${at + 1}, $${at + 2})
         AND d.project NOT IN ($${at + 1}, $${at + 2}) ORDER BY d.time_ms DESC, d.project LIMIT ${LIMITS.relatives}`,
      [...values, project, parent],
    );
    const below = (of: string) => rows.filter((row) => row.parent === of).map((row) => String(row.project));
    const submodules = below(project);
    if (parent === project) return { ...none, submodules };
    return { parent: seesProject(caller, parent) ? parent : null, siblings: below(parent), submodules };
  }

  return { records, relatives };
}

/**
 * The view `submodules` of one origin, $1, by stepping from project to project along its index: a plain DISTINCT reads a row
 * for every note of every submodule.
 */
const SAID = `WITH RECURSIVE names(project) AS (
    SELECT min(n.project) FROM documents n WHERE n.origin = $1 AND n.live = 1 AND n.parent <> '' AND n.privacy <> 'PRIVATE'
    UNION ALL
    SELECT (
      SELECT min(n.project) FROM documents n
      WHERE n.origin = $1 AND n.live = 1 AND n.parent <> '' AND n.privacy <> 'PRIVATE' AND n.project > names.project
    ) FROM names WHERE names.project IS NOT NULL
  ), said AS (
    SELECT w.origin, w.project, w.parent, w.time_ms FROM names JOIN documents w ON w.doc = (
      SELECT n.doc FROM documents n
      WHERE n.origin = $1 AND n.project = names.project AND n.live = 1 AND n.parent <> '' AND n.privacy <> 'PRIVATE'
      ORDER BY (n.kind = 'project') DESC, n.time_ms DESC, n.path DESC LIMIT 1
    ) WHERE w.parent <> w.project
  )`;

const NO_RECORD = { status: '', priority: '', targetRevenue: null, currentRevenue: null };
