import { z } from 'zod';
import { fitted } from '../core/fit.js';
import { day, fence, provenanceLine } from '../core/format.js';
import { LIMITS } from '../core/limits.js';
import { consistency, defineOperation, provenance } from './operation.js';

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
        const records = new Map((await reading.records(caller)).map((record) => [record.project, record]));
        return (await reading.projects(caller)).map((each) => ({
          ...NO_RECORD,
          ...records.get(each.project),
          ...each,
        }));
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
      const parent = each.parent === '' ? '' : `in ${each.parent}`;
      return `- ${[each.project, parent, each.status, each.priority, revenue, `${each.documents} notes`, `last ${day(each.lastMs)}`].filter((part) => part !== '').join(' · ')}`;
    });
    return fitted(
      LIMITS.budgetDefaultTokens,
      lines,
      (shown) => `${shown.length} of ${projects.length} projects\n${fence(shown.join('\n'))}\n${foot}`,
    );
  },
});

const NO_RECORD = { parent: '', status: '', priority: '', targetRevenue: null, currentRevenue: null };
