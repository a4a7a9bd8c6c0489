import { z } from 'zod';
import type { Caller } from '../core/caller.js';
import { contextOf } from '../core/context.js';
import { type ContextLine, contextLines, sectioned } from '../core/context-lines.js';
import { type Document, KINDS, type Kind } from '../core/documents.js';
import { fitted } from '../core/fit.js';
import { day, fence, provenanceLine, unconfirmedLine } from '../core/format.js';
import { LIMITS } from '../core/limits.js';
import type { Reading } from '../core/ports.js';
import { budget, consistency, defineOperation, provenance, unconfirmed } from './operation.js';
import { nearestProjects } from './unknown-project.js';

const note = z.object({
  id: z.string(),
  title: z.string(),
  kind: z.enum(KINDS),
  project: z.string(),
  timeMs: z.number(),
  summary: z.string(),
  /** It waits for the origin. */
  queued: z.boolean(),
});

/** A line of a note: its text, the note's id and time. */
const said = { text: z.string(), from: z.string(), timeMs: z.number() };

export const loadContext = defineOperation({
  name: 'load_context',
  title: 'Load the context of a project',
  description:
    'Call first, before any work: what was done, decided and left open in this project, within a token budget.',
  input: z.strictObject({
    project: z.string().optional().describe('default: where you work'),
    max_tokens: budget,
    consistency,
  }),
  output: z.object({
    project: z.string(),
    total: z.number(),
    notes: z.array(note),
    /** Open in this project: `id` closes one, `sinceMs` is when it was first said. */
    steps: z.array(z.object({ id: z.string(), ...said, sinceMs: z.number() })),
    decisions: z.array(z.object({ ...said, supersededMs: z.number().nullable() })),
    facts: z.array(z.object(said)),
    record: z
      .object({
        status: z.string(),
        priority: z.string(),
        targetRevenue: z.number().nullable(),
        currentRevenue: z.number().nullable(),
        summary: z.string(),
        timeMs: z.number(),
      })
      .nullable(),
    patterns: z.array(note),
    relatives: z.array(z.object({ ...said, project: z.string() })),
    /** What is not at the origin, in every project; `why` is what the origin last said. */
    unconfirmed,
    /** Where the project has no notes: which projects have, those with names like it first. */
    others: z.array(z.object({ project: z.string(), documents: z.number(), lastMs: z.number() })),
    /** How many of `others` have names like it. */
    near: z.number(),
    provenance,
  }),
  effect: 'read',
  idempotent: true,
  scope: 'read',
  core: true,
  meta: { 'anthropic/alwaysLoad': true },
  command: {
    name: 'context',
    about: 'What is known of a project: latest notes, open steps, decisions',
    positionals: ['project'],
    examples: ['context', 'context owner/repo --max-tokens 600'],
  },

  async run(input, { services, caller, project }) {
    const named = await project(input.project);
    const filter = { projects: [named] };
    // What is delivered between the two questions is in both answers, never in none.
    const held = await services.held.list(caller, filter);
    const { value, provenance: from } = await services.reader.read(
      caller,
      input.consistency,
      'fresh',
      async (reading) => {
        const found = await ownDocuments(reading, caller, named);
        const { parent, siblings } = await reading.relatives(caller, named);
        const near = [...(parent === null ? [] : [parent]), ...siblings].slice(0, LIMITS.contextRelatives);
        const of = { projects: near };
        return {
          found,
          parent,
          relatives: near.length === 0 ? [] : await reading.list(caller, of, { limit: LIMITS.contextRelativesNotes }),
          total: await reading.count(caller, filter),
          others: found.length > 0 ? [] : await reading.projects(caller),
          near: found.length > 0 ? [] : ((await nearestProjects(reading, caller, named)) ?? []),
        };
      },
      { name: 'load_context', input: named },
    );
    const paths = new Set(held.map(({ document }) => document.path));
    const found = value.found.filter(({ path }) => !paths.has(path));
    const own = [
      ...held.map(({ document, queued }) => ({ ...document, queued })),
      ...found.map((document) => ({ ...document, queued: false })),
    ];
    return {
      project: named,
      // A queued edit is of a note that is counted.
      total: value.total + held.length - (value.found.length - found.length),
      ...contextOf(own, value.relatives, value.parent),
      unconfirmed: await services.outbox.unconfirmed(),
      others: nearFirst(value.others, value.near).slice(0, 10),
      near: value.near.length,
      provenance: from,
    };
  },

  async format(output, input) {
    const { project, total, others, near } = output;
    const most = input.max_tokens ?? LIMITS.budgetDefaultTokens;
    const foot = [unconfirmedLine(output.unconfirmed), provenanceLine(output.provenance)].filter(Boolean).join('\n');
    const lines = contextLines(output, Math.max(90, Math.min(most / 8, 320)));
    if (total === 0 && lines.length === 0) {
      // Only a name that was found, not given, can be a repository's new one.
      const renamed = near > 0 && input.project === undefined ? RENAMED : '';
      const known = others.map((each) => `- ${each.project}: ${each.documents} notes, last ${day(each.lastMs)}`);
      return fitted(most, known, (shown) =>
        shown.length === 0
          ? `Project \`${project}\`: nothing remembered yet.\n${foot}`
          : `Project \`${project}\`: nothing remembered yet. Other projects (search_memory looks in all):\n${fence(shown.join('\n'))}\n${renamed}${foot}`,
      );
    }
    const head =
      total === 0
        ? 'nothing remembered yet; this is what related projects know. Save what you do with save_session.'
        : `${total} notes. Details: read_memory(id), search_memory. A note with \`- [x] #number\` closes a step.`;
    return fitted(most, lines, (shown: ContextLine[]) =>
      shown.length === 0
        ? `Project \`${project}\`: ${total} notes; too few tokens to show one.\n${foot}`
        : `Project \`${project}\`: ${head}\n${fence(sectioned(shown))}\n${foot}`,
    );
  },
});

/** The newest notes, and what is to be told of however old it is: the record, and patterns. */
async function ownDocuments(reading: Reading, caller: Caller, project: string): Promise<Document[]> {
  const list = (kinds: Kind[], limit: number) => reading.list(caller, { projects: [project], kinds }, { limit });
  return [
    ...(await list(['session', 'checkpoint', 'note'], LIMITS.contextNotes)),
    ...(await list(['project'], 1)),
    ...(await list(['pattern'], LIMITS.contextPatterns)),
  ];
}

/** Notes stay under the name that they were saved under: only the person knows that two names are one project. */
const RENAMED =
  'If the repository was renamed, its notes are under the old name: give that as `project`, or set MEMORY_PROJECT to it.\n';

function nearFirst<T extends { project: string }>(others: T[], near: string[]): T[] {
  const liked = near.flatMap((name) => others.filter(({ project }) => project === name));
  return [...liked, ...others.filter(({ project }) => !near.includes(project))];
}
