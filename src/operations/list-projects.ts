import { z } from 'zod';
import { fitted } from '../core/fit.js';
import { day, fence, many, provenanceLine } from '../core/format.js';
import { LIMITS } from '../core/limits.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import { consistency, defineOperation, limitOf, provenance } from './operation.js';

export const PROJECT_STATUS = ['idea', 'active', 'paused', 'done', 'dropped'] as const;

const row = z.object({
  project: z.string(),
  /** The project that it is a submodule of, or empty. */
  parent: z.string(),
  documents: z.number(),
  lastMs: z.number(),
  status: z.string(),
  priority: z.string(),
  targetRevenue: z.number().nullable(),
  currentRevenue: z.number().nullable(),
  /** The project that its family is listed under, itself or above it, and when any of the family was last active. */
  root: z.string(),
  rootMs: z.number(),
});
type Row = z.infer<typeof row>;

export const listProjects = defineOperation({
  name: 'list_projects',
  title: 'List projects',
  description: 'Call to see all projects: status, figures, how many notes, last activity.',
  input: z.strictObject({
    status: z.enum(PROJECT_STATUS).optional(),
    limit: limitOf(LIMITS.projects),
    cursor: z.string().max(2_000).optional(),
    consistency,
  }),
  output: z.object({ total: z.number(), projects: z.array(row), cursor: z.string().nullable(), provenance }),
  effect: 'read',
  idempotent: true,
  scope: 'read',
  core: false,
  command: {
    name: 'projects',
    about: 'Lists projects, the last active first, each with its submodules',
    positionals: [],
    examples: ['projects', 'projects --status active --limit 10'],
  },

  async run({ status, limit = LIMITS.listMax, cursor, consistency: wanted }, { services, caller }) {
    const after = cursor === undefined ? undefined : decodeCursor<Place>('list_projects', cursor, [0, '', 0, '']);
    const { value, provenance: from } = await services.reader.read(
      caller,
      wanted,
      'fast',
      async (reading) => {
        const records = new Map((await reading.records(caller)).map((record) => [record.project, record]));
        return (await reading.projects(caller)).map((each) => ({
          ...NO_RECORD,
          ...records.get(each.project),
          ...each,
        }));
      },
      { name: 'list_projects', input: null },
    );
    const all = inFamilies(value.filter((each) => status === undefined || each.status === status));
    const first = after === undefined ? 0 : all.findIndex((each) => inOrder(after, placeOf(each)) < 0);
    const projects = first < 0 ? [] : all.slice(first, first + limit);
    const last = projects.at(-1);
    const more = last !== undefined && last !== all.at(-1);
    return { total: all.length, projects, cursor: more ? encodeCursor(placeOf(last)) : null, provenance: from };
  },

  format({ total, projects, cursor, provenance: from }, input) {
    const foot = provenanceLine(from);
    if (projects.length === 0) return `No ${input.cursor === undefined ? '' : 'more '}projects match.\n${foot}`;
    return fitted(
      LIMITS.budgetDefaultTokens,
      projects,
      (shown) => {
        const last = shown.at(-1);
        const next = last && shown.length < projects.length ? encodeCursor(placeOf(last)) : cursor;
        const here = new Set<string>();
        const lines = shown.map((each) => {
          here.add(each.project);
          return lineOf(each, here.has(each.root) && each.root !== each.project);
        });
        const more = next === null ? '' : `\nMore: cursor=${next}`;
        return `${shown.length} of ${total} projects, the last active first\n${fence(lines.join('\n'))}${more}\n${foot}`;
      },
      (each) => lineOf(each, true),
    );
  },
});

const NO_RECORD = { parent: '', status: '', priority: '', targetRevenue: null, currentRevenue: null };

function lineOf(each: Row, below: boolean): string {
  const { project, parent, root, status, priority, targetRevenue, currentRevenue, documents, lastMs } = each;
  const none = targetRevenue === null && currentRevenue === null;
  const parts = [
    project,
    // What stands below its parent need not name it.
    parent === '' || (below && parent === root) ? '' : `in ${parent}`,
    status,
    priority,
    none ? '' : `revenue ${currentRevenue ?? 0} of ${targetRevenue ?? '?'}`,
    many(documents, 'note'),
    day(lastMs),
  ];
  return `${below ? '  ' : ''}- ${parts.filter((part) => part !== '').join(' · ')}`;
}

/** The family that was active last first; in it the one above all others, then those below it. */
function inFamilies(projects: Omit<Row, 'root' | 'rootMs'>[]): Row[] {
  const byName = new Map(projects.map((each) => [each.project, each]));
  const families = new Map<string, number>();
  const roots = projects.map(({ project, lastMs }) => {
    const way = [project];
    for (const each of way) {
      const { parent = '' } = byName.get(each) ?? {};
      // Two notes may each call the other one's project their parent.
      if (byName.has(parent) && !way.includes(parent)) way.push(parent);
    }
    const root = way.at(-1) as string;
    families.set(root, Math.max(families.get(root) ?? 0, lastMs));
    return root;
  });
  return projects
    .map((each, at) => ({ ...each, root: roots[at] as string, rootMs: families.get(roots[at] as string) as number }))
    .sort((a, b) => inOrder(placeOf(a), placeOf(b)));
}

/** What the list is ordered by: the family, then the project, whose time is not looked at where it is the root. */
type Place = [rootMs: number, root: string, lastMs: number, project: string];

function placeOf({ rootMs, root, lastMs, project }: Row): Place {
  return [rootMs, root, project === root ? Number.MAX_SAFE_INTEGER : lastMs, project];
}

function inOrder(a: Place, b: Place): number {
  const text = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);
  return b[0] - a[0] || text(a[1], b[1]) || b[2] - a[2] || text(a[3], b[3]);
}
