import { z } from 'zod';
import { decodeText } from '../core/documents.js';
import { fitted } from '../core/fit.js';
import { day, fence, provenanceLine } from '../core/format.js';
import { readFrontMatter } from '../core/frontmatter.js';
import { LIMITS } from '../core/limits.js';
import { consistency, defineOperation, provenance } from './operation.js';

export const PROJECT_STATUS = ['idea', 'active', 'paused', 'done', 'dropped'] as const;

const row = z.object({
  project: z.string(),
  documents: z.number(),
  lastMs: z.number(),
  status: z.string(),
  priority: z.string(),
  targetRevenue: z.number().nullable(),
  currentRevenue: z.number().nullable(),
});

export const listProjects = defineOperation({
  name: 'list_projects',
  title: 'List projects',
  description: 'Call to see all projects: status, figures, how many notes, last activity.',
  input: z.strictObject({ status: z.enum(PROJECT_STATUS).optional(), consistency }),
  output: z.object({ projects: z.array(row), provenance }),
  effect: 'read',
  idempotent: true,
  scope: 'read',
  core: false,
  command: {
    name: 'projects',
    about: 'Lists projects, the last active first',
    positionals: [],
    examples: ['projects', 'projects --status active'],
  },

  async run(input, { services, caller }) {
    const { value, provenance: from } = await services.reader.read(
      caller,
      input.consistency,
      'fast',
      async (reading) => {
        const records = new Map<string, Record<string, unknown> & { status: string; priority: string }>();
        for (const document of await reading.list(caller, { kinds: ['project'] }, { limit: 1_000 })) {
          const content = (await reading.get(caller, document.id))?.content;
          const data = content ? readFrontMatter(decodeText(content).text).data : {};
          if (!records.has(document.project))
            records.set(document.project, { ...data, status: document.status, priority: document.priority });
        }
        return (await reading.projects(caller)).map(({ project, documents, lastMs }) => {
          const record = records.get(project);
          return {
            project,
            documents,
            lastMs,
            status: record?.status ?? '',
            priority: record?.priority ?? '',
            targetRevenue: figure(record?.target_revenue),
            currentRevenue: figure(record?.current_revenue),
          };
        });
      },
      { name: 'list_projects', input: null },
    );
    return {
      projects: value.filter(({ status }) => input.status === undefined || status === input.status),
      provenance: from,
    };
  },

  format({ projects, provenance: from }) {
    const foot = provenanceLine(from);
    if (projects.length === 0) return `No projects match.\n${foot}`;
    const lines = projects.map((each) => {
      const revenue =
        each.targetRevenue === null && each.currentRevenue === null
          ? ''
          : `revenue ${each.currentRevenue ?? 0} of ${each.targetRevenue ?? '?'}`;
      return `- ${[each.project, each.status, each.priority, revenue, `${each.documents} notes`, `last ${day(each.lastMs)}`].filter((part) => part !== '').join(' · ')}`;
    });
    return fitted(
      LIMITS.budgetDefaultTokens,
      lines,
      (shown) => `${shown.length} of ${projects.length} projects\n${fence(shown.join('\n'))}\n${foot}`,
    );
  },
});

function figure(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
