import { z } from 'zod';
import { firstSentences } from '../core/digest.js';
import type { Document } from '../core/documents.js';
import { fitted } from '../core/fit.js';
import { day, fence, provenanceLine, unconfirmedLine } from '../core/format.js';
import { LIMITS } from '../core/limits.js';
import { budget, consistency, defineOperation, provenance, unconfirmed } from './operation.js';
import { nearestProjects } from './unknown-project.js';

const note = z.object({
  id: z.string(),
  title: z.string(),
  kind: z.string(),
  project: z.string(),
  timeMs: z.number(),
  summary: z.string(),
  decisions: z.array(z.string()),
  nextSteps: z.array(z.string()),
  /** It waits for the origin. */
  queued: z.boolean(),
});

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
    const { value, provenance: from } = await services.reader.read(
      caller,
      input.consistency,
      'fresh',
      async (reading) => {
        const filter = { projects: [named] };
        const found = await reading.list(caller, filter, { limit: 30 });
        return {
          found,
          total: await reading.count(caller, filter),
          others: found.length > 0 ? [] : await reading.projects(caller),
          near: found.length > 0 ? [] : ((await nearestProjects(reading, caller, named)) ?? []),
        };
      },
      { name: 'load_context', input: named },
    );
    const held = await services.held.list(caller, { projects: [named] });
    const paths = new Set(held.map(({ document }) => document.path));
    const found = value.found.filter(({ path }) => !paths.has(path));
    return {
      project: named,
      total: value.total + held.length,
      notes: [
        ...held.map(({ document, queued }) => toNote(document, queued)),
        ...found.map((document) => toNote(document, false)),
      ],
      unconfirmed: await services.outbox.unconfirmed(),
      others: nearFirst(value.others, value.near).slice(0, 10),
      near: value.near.length,
      provenance: from,
    };
  },

  async format({ project, total, notes, unconfirmed, others, near, provenance: from }, input) {
    const most = input.max_tokens ?? LIMITS.budgetDefaultTokens;
    const foot = [unconfirmedLine(unconfirmed), provenanceLine(from)].filter((line) => line !== '').join('\n');
    if (notes.length === 0) {
      // Only a name that was found, not given, can be a repository's new one.
      const renamed = near > 0 && input.project === undefined ? RENAMED : '';
      const known = others.map((each) => `- ${each.project}: ${each.documents} notes, last ${day(each.lastMs)}`);
      return fitted(most, known, (shown) =>
        shown.length === 0
          ? `Project \`${project}\`: nothing remembered yet.\n${foot}`
          : `Project \`${project}\`: nothing remembered yet. Other projects (search_memory looks in all):\n${fence(shown.join('\n'))}\n${renamed}${foot}`,
      );
    }
    const lines = contextLines(notes);
    return fitted(
      most,
      lines.map((_, index) => String(index)),
      (shown) => {
        const chosen = lines.slice(0, shown.length);
        if (chosen.length === 0) return `Project \`${project}\`: ${total} notes; too few tokens to show one.\n${foot}`;
        const section = (name: Line['section'], heading: string) => {
          const own = chosen.filter((line) => line.section === name);
          return own.length === 0 ? [] : [`## ${heading}`, ...own.map((line) => line.text)];
        };
        const body = [
          ...section('latest', 'Latest'),
          ...section('next', 'Open next steps'),
          ...section('decided', 'Decisions'),
          ...section('older', 'Older notes'),
        ];
        return `Project \`${project}\`: ${total} notes. Details: read_memory(id), search_memory.\n${fence(body.join('\n'))}\n${foot}`;
      },
    );
  },
});

/** Notes stay under the name that they were saved under: only the person knows that two names are one project. */
const RENAMED =
  'If the repository was renamed, its notes are under the old name: give that as `project`, or set MEMORY_PROJECT to it.\n';

function nearFirst<T extends { project: string }>(others: T[], near: string[]): T[] {
  const liked = near.flatMap((name) => others.filter(({ project }) => project === name));
  return [...liked, ...others.filter(({ project }) => !near.includes(project))];
}

/** One line that never ends would leave no room for the others. */
const LINE_CHARS = 320;

interface Line {
  section: 'latest' | 'next' | 'decided' | 'older';
  text: string;
}

/** What to know, the most useful first; each line once. */
function contextLines(notes: z.infer<typeof note>[]): Line[] {
  const lines: Line[] = [];
  const said = new Set<string>();
  const add = (section: Line['section'], key: string, text: string) => {
    const folded = key
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim();
    if (said.has(folded)) return;
    said.add(folded);
    lines.push({ section, text });
  };
  const latest = (each: z.infer<typeof note>) =>
    add(
      'latest',
      each.id,
      `- ${day(each.timeMs)} **${each.title}** \`${each.id}\`${each.queued ? ' (queued)' : ''}${each.summary ? `\n  ${firstSentences(each.summary, LINE_CHARS)}` : ''}`,
    );
  const steps = (each: z.infer<typeof note>, most: number) => {
    for (const step of each.nextSteps.slice(0, most))
      add('next', step, `- ${firstSentences(step, LINE_CHARS)} (${day(each.timeMs)})`);
  };
  const decided = (each: z.infer<typeof note>, most: number) => {
    for (const decision of each.decisions.slice(0, most))
      add('decided', decision, `- ${day(each.timeMs)} ${firstSentences(decision, LINE_CHARS)}`);
  };
  // Recent notes in rounds, so that a small budget still holds some of each section.
  for (const [from, to, most] of [
    [0, 1, 8],
    [1, 3, 5],
    [3, 8, 3],
  ] as const) {
    const round = notes.slice(from, to);
    round.forEach(latest);
    for (const each of round) steps(each, most);
    for (const each of round) decided(each, most);
  }
  for (const each of notes.slice(8)) add('older', each.id, `- ${day(each.timeMs)} ${each.title} \`${each.id}\``);
  return lines;
}

function toNote({ id, title, kind, project, timeMs, digest }: Document, queued: boolean): z.infer<typeof note> {
  return {
    queued,
    id,
    title,
    kind,
    project,
    timeMs,
    summary: digest.summary,
    decisions: digest.decisions,
    nextSteps: digest.nextSteps,
  };
}
