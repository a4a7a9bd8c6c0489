import { z } from 'zod';
import { isAutomatic, KINDS } from '../core/documents.js';
import { fence, many, minute, provenanceLine } from '../core/format.js';
import { cleanLine, cleanTime } from '../core/input.js';
import { LIMITS } from '../core/limits.js';
import type { Filter } from '../core/ports.js';
import { projectName } from '../core/project.js';
import { BROKEN_SEAL } from '../core/seal.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import { consistency, defineOperation, limitOf, provenance } from './operation.js';
import { nearestProjects, unknownProject } from './unknown-project.js';

/** The filters that list and search share. */
export const filters = {
  project: z.string().optional().describe('default: all'),
  kind: z.enum(KINDS).optional(),
  tags: z.array(z.string().min(1).max(LIMITS.tagChars)).max(LIMITS.tags).optional(),
  after: z.string().optional().describe('ISO date'),
  before: z.string().optional(),
};

export function filterOf(input: {
  project?: string;
  kind?: (typeof KINDS)[number];
  tags?: string[];
  after?: string;
  before?: string;
  privacy?: string;
}): Filter {
  return {
    projects: input.project === undefined ? undefined : [projectName(cleanLine('project', input.project))],
    kinds: input.kind === undefined ? undefined : [input.kind],
    tags: input.tags?.map((tag) => cleanLine('tags', tag)),
    privacy: input.privacy,
    afterMs: input.after === undefined ? undefined : cleanTime('after', input.after),
    beforeMs: input.before === undefined ? undefined : cleanTime('before', input.before),
  };
}

export const listSessions = defineOperation({
  name: 'list_sessions',
  title: 'List notes',
  description:
    'Call to see which notes there are, newest first, in one project or all; pass the cursor it ends with for more.',
  input: z.strictObject({
    ...filters,
    limit: limitOf(LIMITS.listMax),
    cursor: z.string().max(2_000).optional(),
    consistency,
  }),
  output: z.object({
    total: z.number(),
    notes: z.array(
      z.object({
        id: z.string(),
        title: z.string(),
        project: z.string(),
        kind: z.string(),
        timeMs: z.number(),
        tags: z.array(z.string()),
        reason: z.string().nullable(),
        /** A checkpoint of the schedule. */
        automatic: z.boolean(),
        /** It waits for the origin. */
        queued: z.boolean(),
      }),
    ),
    cursor: z.string().nullable(),
    /** Names like the project's, where it has no notes; null where it has, or none was named. */
    near: z.array(z.string()).nullable(),
    provenance,
  }),
  effect: 'read',
  idempotent: true,
  scope: 'read',
  core: false,
  command: {
    name: 'list',
    about: 'Lists notes, newest first',
    positionals: [],
    examples: ['list --limit 10', 'list --project owner/repo --kind session --after 2026-11-01'],
  },

  async run(input, { services, caller }) {
    const filter = filterOf(input);
    const limit = input.limit ?? LIMITS.listDefault;
    const after = input.cursor === undefined ? undefined : placeAfter(input.cursor);
    const { value, provenance: from } = await services.reader.read(
      caller,
      input.consistency,
      'fast',
      async (reading) => ({
        // One more than asked for tells whether there are more.
        found: await reading.list(caller, filter, { limit: limit + 1, after }),
        total: await reading.count(caller, filter),
        near: await nearestProjects(reading, caller, filter.projects?.[0]),
      }),
      { name: 'list_sessions', input: { filter, limit, after } },
    );
    const all = await services.held.list(caller, filter);
    const paths = new Set(all.map(({ document }) => document.path));
    const held = after === undefined ? all : [];
    const page = value.found.slice(0, limit).filter(({ path }) => !paths.has(path));
    const last = value.found.slice(0, limit).at(-1);
    return {
      total: value.total + held.length,
      notes: [
        ...held.map(({ document, queued }) => ({ ...document, queued })),
        ...page.map((document) => ({ ...document, queued: false })),
      ].map((each) => ({
        id: each.id,
        title: each.title,
        project: each.project,
        kind: each.kind,
        timeMs: each.timeMs,
        tags: each.tags,
        reason: each.reason,
        automatic: isAutomatic(each),
        queued: each.queued,
      })),
      cursor: value.found.length > limit && last ? encodeCursor([last.timeMs, last.path]) : null,
      near: value.near,
      provenance: from,
    };
  },

  format({ total, notes, cursor, near, provenance: from }, { project }) {
    if (notes.length === 0) {
      const none =
        near === null || project === undefined ? 'No notes match.' : unknownProject(projectName(project), near);
      return `${none}\n${provenanceLine(from)}`;
    }
    const lines = notes.map((note) => {
      const extra = [
        note.project,
        note.kind === 'session' ? '' : `${note.automatic ? 'automatic ' : ''}${note.kind}`,
        note.tags.map((tag) => `#${tag}`).join(' '),
        note.reason?.includes(BROKEN_SEAL) ? 'CHANGED after it was made' : note.reason ? 'doubtful' : '',
        note.queued ? 'queued, not at the origin yet' : '',
      ].filter((part) => part !== '');
      return `- ${minute(note.timeMs)} ${note.title} · ${extra.join(' · ')} · \`${note.id}\``;
    });
    const more = cursor === null ? '' : `\nMore: cursor=${cursor}`;
    return `${notes.length} of ${many(total, 'note')}\n${fence(lines.join('\n'))}${more}\n${provenanceLine(from)}`;
  },
});

function placeAfter(cursor: string): { timeMs: number; path: string } {
  const [timeMs, path] = decodeCursor<[number, string]>('list_sessions', cursor, [0, '']);
  return { timeMs, path };
}
