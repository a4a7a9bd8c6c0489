import { z } from 'zod';
import type { Caller } from '../core/caller.js';
import { contextOf, ownDocuments } from '../core/context.js';
import { type ContextLine, contextLines, sectioned } from '../core/context-lines.js';
import { byFrom, CONTEXT_SECTIONS, type ContextSection, sectionLines } from '../core/context-section.js';
import type { Document } from '../core/documents.js';
import { MemoryError } from '../core/errors.js';
import { fitted } from '../core/fit.js';
import { day, fence, many, provenanceLine, unconfirmedLine } from '../core/format.js';
import { LIMITS } from '../core/limits.js';
import { offeredPatterns, patternHead } from '../core/patterns.js';
import type { Reading } from '../core/ports.js';
import { type ContextAnswer, contextAnswer, nearFirst } from './context-answer.js';
import { goneSources } from './gone-sources.js';
import { changesSince, formatChanges } from './load-context-since.js';
import { budget, type Context, consistency, defineOperation } from './operation.js';
import { nearestProjects } from './unknown-project.js';

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
    section: z.enum(CONTEXT_SECTIONS).optional().describe('only this, all of it'),
    consistency,
  }),
  output: contextAnswer,
  effect: 'read',
  idempotent: true,
  scope: 'read',
  core: true,
  meta: { 'anthropic/alwaysLoad': true },
  command: {
    name: 'context',
    about: 'What is known of a project: latest notes, open steps, decisions',
    positionals: ['project'],
    examples: [
      'context',
      'context owner/repo --max-tokens 600',
      'context --section steps',
      'context --since 2026-11-20',
    ],
  },

  async run(input, context) {
    const { services, caller } = context;
    if (input.since !== undefined && input.section !== undefined)
      throw new MemoryError(
        'invalid_input',
        '`since` and `section` do not go together: what changed is told of all sections. Nothing was done.',
        'Leave one of them out.',
      );
    if (input.since !== undefined) return changesSince(input.since, input, context);
    const named = await context.project(input.project);
    const filter = { projects: [named] };
    const looked = lookedAt(input.section);
    // What is delivered between the two questions is in both answers, never in none.
    const held = await services.held.list(caller, filter);
    const { value, provenance: from } = await services.reader.read(
      caller,
      input.consistency,
      'fresh',
      async (reading) => {
        const found = await ownDocuments(reading, caller, named, looked);
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
      { name: 'load_context', input: { named, looked } },
    );
    const paths = new Set(held.map(({ document }) => document.path));
    const found = value.found.filter(({ path }) => !paths.has(path));
    const own = [
      ...held.map(({ document, queued }) => ({ ...document, queued })),
      ...found.map((document) => ({ ...document, queued: false })),
    ];
    const near = value.parent !== null ? value : await relativesHere(named, context);
    const made = contextOf(own, near.relatives, near.parent);
    const uses = await services.uses.of(made.patterns.map(({ id }) => id));
    const most = input.section === 'patterns' ? LIMITS.contextPatterns : LIMITS.contextOffered;
    const patterns = offeredPatterns(made.patterns, uses, most);
    const gone = await goneSources(patterns, context);
    return {
      project: named,
      // A queued edit is of a note that is counted.
      total: value.total + held.length - (value.found.length - found.length),
      ...made,
      patterns: patterns.map((each) => ({ ...each, gone: gone.get(each.id)?.length ?? 0 })),
      changes: null,
      unconfirmed: await services.outbox.unconfirmed(),
      others: nearFirst(value.others, value.near),
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
      const known = others.map(
        (each) => `- ${each.project}: ${many(each.documents, 'note')}, last ${day(each.lastMs)}`,
      );
      return fitted(most, known, (shown) =>
        shown.length === 0
          ? `Project \`${project}\`: nothing remembered yet.\n${foot}`
          : `Project \`${project}\`: nothing remembered yet. Other projects (search_memory looks in all):\n${fence(shown.join('\n'))}\n${renamed}${foot}`,
      );
    }
    if (input.section !== undefined) return formatSection(answer, input.section, most, foot);
    const head =
      total === 0
        ? 'nothing remembered yet; this is what related projects know. Save what you do with save_session.'
        : `${many(total, 'note')}. Details: read_memory(id), search_memory. A note with \`- [x] #number\` closes a step.`;
    return fitted(
      most,
      lines,
      (shown: ContextLine[]) =>
        shown.length === 0
          ? `Project \`${project}\`: ${many(total, 'note')}; too few tokens to show one.\n${foot}`
          : `Project \`${project}\`: ${head}\n${fence(sectioned(shown))}\n${foot}`,
      ({ text }) => text,
    );
  },

  told(text, answer, { services }) {
    services.uses.count(offered(text, answer));
  },
});

/** What was shown of a pattern's line is a use of it; one that did not fit the budget was not offered. */
function offered(text: string | null, { patterns }: ContextAnswer): string[] {
  return patterns.filter((each) => text === null || text.includes(patternHead(each))).map(({ id }) => id);
}

const SAID: Record<ContextSection, { one: string; several: string; more: string }> = {
  steps: { one: 'open step', several: 'open steps', more: ' A note with `- [x] #number` closes one.' },
  decisions: { one: 'decision', several: 'decisions', more: '' },
  facts: { one: 'figure or finding', several: 'figures and findings', more: '' },
  patterns: { one: 'pattern', several: 'patterns', more: ' All of them: list_sessions(kind: pattern).' },
  notes: { one: 'note', several: 'notes', more: ' All of them: list_sessions.' },
};

/** How many notes are gone through: whoever asks for one section wants all of it. */
const lookedAt = (section: ContextSection | undefined) =>
  section === undefined ? LIMITS.contextNotes : LIMITS.sectionNotes;

/** One section, with what would show the rest of it. */
function formatSection(answer: ContextAnswer, section: ContextSection, most: number, foot: string): Promise<string> {
  const { project, total, notes } = answer;
  const lines = sectionLines(answer, section);
  const said = SAID[section];
  const known =
    notes.length < lookedAt(section) ? '' : ` (only the newest ${notes.length} of ${total} notes were looked at)`;
  return fitted(
    most,
    lines,
    (shown) => {
      const left = lines.length - shown.length;
      const count = left === 0 ? `${lines.length}` : `${shown.length} of ${lines.length}`;
      // About as many tokens more as there are lines more.
      const wanted = Math.ceil((most * lines.length) / Math.max(shown.length, 1) / 500) * 500;
      const how =
        most < LIMITS.budgetMaxTokens
          ? `max_tokens=${Math.min(wanted, LIMITS.budgetMaxTokens)}`
          : 'no answer holds more; read_memory gives a note whole';
      const more = left === 0 ? '' : `${left} more: ${how}\n`;
      const body = shown.length === 0 ? '' : `${fence(byFrom(shown))}\n`;
      return `Project \`${project}\`: ${count} ${lines.length === 1 ? said.one : said.several}.${said.more}${known}\n${body}${more}${foot}`;
    },
    ({ text }) => text,
  );
}

/** Those of a project whose notes, if there are any, name no parent: the checkout knows what it is a submodule of. */
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

/** Notes stay under the name that they were saved under: only the person knows that two names are one project. */
const RENAMED =
  'If the repository was renamed, its notes are under the old name: give that as `project`, or set MEMORY_PROJECT to it.\n';
