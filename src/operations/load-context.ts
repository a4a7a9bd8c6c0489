import { z } from 'zod';
import type { Caller } from '../core/caller.js';
import { byNote, changeLines, sinceLine } from '../core/change-lines.js';
import { type Changes, changesOf, heldChanges, isHead, pointOf } from '../core/changes.js';
import { contextOf, ownDocuments, type ProjectContext } from '../core/context.js';
import { type ContextLine, contextLines, sectioned } from '../core/context-lines.js';
import { type Document, KINDS } from '../core/documents.js';
import { fitted } from '../core/fit.js';
import { day, fence, provenanceLine, unconfirmedLine } from '../core/format.js';
import { LIMITS } from '../core/limits.js';
import { offeredPatterns, patternHead } from '../core/patterns.js';
import type { Reading } from '../core/ports.js';
import type { Consistency } from '../core/reader.js';
import { goneSources } from './gone-sources.js';
import { budget, type Context, consistency, defineOperation, provenance, unconfirmed } from './operation.js';
import { checkpointNamed, newerThan, pointOfCheckpoint } from './since.js';
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

const change = z.object({
  what: z.enum(['new', 'changed', 'deleted']),
  id: z.string(),
  title: z.string(),
  timeMs: z.number(),
  author: z.string(),
  client: z.string(),
  summary: z.string(),
  steps: z.array(z.object({ id: z.string(), text: z.string() })),
  closed: z.array(z.string()),
  decisions: z.array(z.string()),
  facts: z.array(z.string()),
  queued: z.boolean(),
});

const output = z.object({
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
  patterns: z.array(
    note.extend({
      type: z.string(),
      fits: z.number(),
      uses: z.number(),
      evidence: z.array(z.string()),
      /** Of them, so many are not there any more. */
      gone: z.number(),
    }),
  ),
  relatives: z.array(z.object({ ...said, project: z.string() })),
  /** The newest one. */
  checkpoint: note.nullable(),
  /** What changed since a point, instead of all that is above; null where none was named. */
  changes: z
    .object({
      commit: z.string().nullable(),
      sinceMs: z.number().nullable(),
      checkpoint: z.string().nullable(),
      notes: z.array(change),
      left: z.number(),
      note: z.string().nullable(),
    })
    .nullable(),
  /** What is not at the origin, in every project; `why` is what the origin last said. */
  unconfirmed,
  /** Where the project has no notes: which projects have, those with names like it first. */
  others: z.array(z.object({ project: z.string(), documents: z.number(), lastMs: z.number() })),
  /** How many of `others` have names like it. */
  near: z.number(),
  provenance,
});

export const loadContext = defineOperation({
  name: 'load_context',
  title: 'Load the context of a project',
  description:
    'Call first, before any work: what was done, decided and left open in this project, within a token budget.',
  input: z.strictObject({
    project: z.string().optional().describe('default: where you work'),
    max_tokens: budget,
    since: z
      .string()
      .min(1)
      .max(LIMITS.idChars)
      .optional()
      .describe('commit, date or checkpoint id: only what changed'),
    consistency,
  }),
  output,
  effect: 'read',
  idempotent: true,
  scope: 'read',
  core: true,
  meta: { 'anthropic/alwaysLoad': true },
  command: {
    name: 'context',
    about: 'What is known of a project: latest notes, open steps, decisions',
    positionals: ['project'],
    examples: ['context', 'context owner/repo --max-tokens 600', 'context --since 2026-11-20'],
  },

  async run(input, context) {
    const { services, caller } = context;
    if (input.since !== undefined) return changesSince(input.since, input, context);
    const named = await context.project(input.project);
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
        return {
          found,
          parent,
          relatives: await documentsOf(reading, caller, [...(parent === null ? [] : [parent]), ...siblings]),
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
    const near = own.length > 0 ? value : await relativesHere(named, context);
    const made = contextOf(own, near.relatives, near.parent);
    const uses = await services.uses.of(made.patterns.map(({ id }) => id));
    const patterns = offeredPatterns(made.patterns, uses);
    const gone = await goneSources(patterns, context);
    return {
      project: named,
      // A queued edit is of a note that is counted.
      total: value.total + held.length - (value.found.length - found.length),
      ...made,
      patterns: patterns.map((each) => ({ ...each, gone: gone.get(each.id)?.length ?? 0 })),
      changes: null,
      unconfirmed: await services.outbox.unconfirmed(),
      others: nearFirst(value.others, value.near).slice(0, 10),
      near: value.near.length,
      provenance: from,
    };
  },

  async format(answer, input) {
    const { project, total, others, near, changes, notes } = answer;
    const most = input.max_tokens ?? LIMITS.budgetDefaultTokens;
    const foot = [unconfirmedLine(answer.unconfirmed), provenanceLine(answer.provenance)].filter(Boolean).join('\n');
    const chars = Math.max(90, Math.min(most / 8, 320));
    if (changes !== null && total + changes.notes.length > 0) return formatChanges(project, changes, chars, most, foot);
    const lines = contextLines(answer, chars, most / 8);
    if (total + notes.length === 0 && lines.length === 0) {
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
    return fitted(
      most,
      lines,
      (shown: ContextLine[]) =>
        shown.length === 0
          ? `Project \`${project}\`: ${total} notes; too few tokens to show one.\n${foot}`
          : `Project \`${project}\`: ${head}\n${fence(sectioned(shown))}\n${foot}`,
      ({ text }) => text,
    );
  },

  told(text, answer, { services }) {
    services.uses.count(offered(text, answer));
  },
});

/** What was shown of a pattern's line is a use of it; one that did not fit the budget was not offered. */
function offered(text: string | null, { patterns }: z.infer<typeof output>): string[] {
  return patterns.filter((each) => text === null || text.includes(patternHead(each))).map(({ id }) => id);
}

/** Those of a project that no note speaks of yet: the checkout knows what it is a submodule of. */
async function relativesHere(project: string, { services, caller, parent: parentOf }: Context) {
  const parent = (await parentOf(project)) ?? null;
  if (parent === null) return { parent, relatives: [] };
  const { value: relatives } = await services.reader.read(
    caller,
    'fast',
    'fast',
    async (reading) => {
      const { submodules } = await reading.relatives(caller, parent);
      return documentsOf(reading, caller, [parent, ...submodules.filter((each) => each !== project)]);
    },
    { name: 'load_context of relatives', input: { project, parent } },
  );
  return { parent, relatives };
}

/** The newest of the first few projects. */
async function documentsOf(reading: Reading, caller: Caller, projects: string[]): Promise<Document[]> {
  if (projects.length === 0) return [];
  const filter = { projects: projects.slice(0, LIMITS.contextRelatives) };
  return reading.list(caller, filter, { limit: LIMITS.contextRelativesNotes });
}

async function changesSince(
  since: string,
  input: { project?: string; consistency?: Consistency },
  context: Context,
): Promise<z.infer<typeof output>> {
  const { services, caller } = context;
  const { consistency } = input;
  const head = await services.reader.read(
    caller,
    consistency,
    'fresh',
    async (reading) => (await reading.state()).head,
  );
  const checkpoint = await checkpointNamed(since, 'fast', context);
  const same = isHead(checkpoint?.commit ?? since, head.value?.commit);
  const then = same
    ? null
    : checkpoint
      ? await pointOfCheckpoint(checkpoint, 'fast', context)
      : await pointOf(services.asOf, caller, since, 'fast');
  // Whoever names a checkpoint and nothing else means its project.
  const project = (input.project === undefined ? checkpoint?.project : null) ?? (await context.project(input.project));
  const filter = { projects: [project] };
  const held = await newerThan(checkpoint, await services.held.list(caller, filter), context);
  const { value, provenance: from } = await services.reader.read(caller, consistency, 'fast', async (reading) => {
    const total = await reading.count(caller, filter);
    const unknown = total + held.length === 0;
    return {
      total,
      changes: then
        ? await changesOf(services.asOf, caller, reading, then, project, checkpoint?.path)
        : { commit: head.value?.commit ?? null, sinceMs: checkpoint?.timeMs ?? null, notes: [], left: 0, note: null },
      others: unknown ? await reading.projects(caller) : [],
      near: unknown ? ((await nearestProjects(reading, caller, project)) ?? []) : [],
    };
  });
  const waiting = heldChanges(held);
  const ids = new Set(waiting.map(({ id }) => id));
  return {
    project,
    total: value.total,
    ...NO_CONTEXT,
    changes: {
      ...value.changes,
      checkpoint: checkpoint?.id ?? null,
      notes: [...waiting, ...value.changes.notes.filter(({ id }) => !ids.has(id))],
    },
    unconfirmed: await services.outbox.unconfirmed(),
    others: nearFirst(value.others, value.near).slice(0, 10),
    near: value.near.length,
    provenance: same ? head.provenance : from,
  };
}

function formatChanges(project: string, changes: Changes, chars: number, most: number, foot: string): Promise<string> {
  const { notes, left, note } = changes;
  const more = [left > 0 ? `${left} more changes were not looked at` : '', note ?? ''].filter((part) => part !== '');
  const end = [...more, foot].join('\n');
  if (notes.length === 0)
    return fitted(most, [], () => `Project \`${project}\`: nothing changed ${sinceLine(changes)}.\n${end}`);
  const head = `Project \`${project}\`: ${notes.length} notes changed ${sinceLine(changes)}.`;
  return fitted(
    most,
    changeLines(changes, chars),
    (shown) => (shown.length === 0 ? `${head}\n${end}` : `${head}\n${fence(byNote(shown))}\n${end}`),
    ({ text }) => text,
  );
}

const NO_CONTEXT: ProjectContext = {
  notes: [],
  steps: [],
  decisions: [],
  facts: [],
  record: null,
  patterns: [],
  relatives: [],
  checkpoint: null,
};

/** Notes stay under the name that they were saved under: only the person knows that two names are one project. */
const RENAMED =
  'If the repository was renamed, its notes are under the old name: give that as `project`, or set MEMORY_PROJECT to it.\n';

function nearFirst<T extends { project: string }>(others: T[], near: string[]): T[] {
  const liked = near.flatMap((name) => others.filter(({ project }) => project === name));
  return [...liked, ...others.filter(({ project }) => !near.includes(project))];
}
