import { z } from 'zod';
import { CANDIDATE_TYPES } from '../core/candidates.js';
import { fitted } from '../core/fit.js';
import { day, fence, many, provenanceLine, unconfirmedLine } from '../core/format.js';
import { cleanLine } from '../core/input.js';
import { LIMITS } from '../core/limits.js';
import { createPause } from '../core/pause.js';
import type { Filter } from '../core/ports.js';
import { projectName } from '../core/project.js';
import { createReview } from '../core/review.js';
import { byHeading, type ReviewLine, reviewLines } from '../core/review-lines.js';
import { budget, consistency, defineOperation, limitOf, provenance, unconfirmed } from './operation.js';
import { nearestProjects, unknownProject } from './unknown-project.js';

const said = { text: z.string(), from: z.string(), timeMs: z.number(), project: z.string() };

const output = z.object({
  sinceMs: z.number(),
  notes: z.array(
    z.object({ id: z.string(), title: z.string(), project: z.string(), timeMs: z.number(), queued: z.boolean() }),
  ),
  decisions: z.array(z.object(said)),
  steps: z.array(z.object({ id: z.string(), ...said, sinceMs: z.number() })),
  closed: z.array(z.object(said)),
  candidates: z.array(
    z.object({
      type: z.enum(CANDIDATE_TYPES),
      name: z.string(),
      text: z.string(),
      evidence: z.array(z.string()),
      times: z.number(),
      projects: z.array(z.string()),
      lastMs: z.number(),
    }),
  ),
  quiet: z.array(z.object({ project: z.string(), lastMs: z.number() })),
  counts: z.object({
    notes: z.number(),
    projects: z.number(),
    decisions: z.number(),
    steps: z.number(),
    closed: z.number(),
  }),
  unconfirmed,
  /** Names like the project's, where it has no notes; null where it has, or none was named. */
  near: z.array(z.string()).nullable(),
  provenance,
});

export const weeklyReview = defineOperation({
  name: 'weekly_review',
  title: 'Weekly review',
  description: 'Call to look back at some days: done, decided, open longest, candidates for patterns.',
  input: z.strictObject({
    project: z.string().optional().describe('default: all'),
    days: limitOf(LIMITS.reviewDays).describe('default: 7'),
    max_tokens: budget,
    consistency,
  }),
  output,
  effect: 'read',
  idempotent: true,
  scope: 'read',
  core: false,
  tool: false,
  command: {
    name: 'review',
    about: 'What the last days brought: done, decided, open longest, candidates for patterns',
    positionals: ['project'],
    examples: ['review', 'review owner/repo --days 30', 'review --max-tokens 4000'],
  },

  async run({ project, days = 7, consistency: wanted }, { services, caller }) {
    const named = project === undefined ? undefined : projectName(cleanLine('project', project));
    const filter: Filter = named === undefined ? {} : { projects: [named] };
    // The same all day long, so that it can be kept.
    const todayMs = Math.floor(Date.now() / LIMITS.dayMs) * LIMITS.dayMs;
    const times = { sinceMs: todayMs - days * LIMITS.dayMs, nowMs: todayMs };
    const held = await services.held.list(caller, filter);
    const { value, provenance: from } = await services.reader.read(
      caller,
      wanted,
      'fresh',
      async (reading) => {
        const { add, review } = createReview(times);
        const waiting = new Set(held.map(({ document }) => document.path));
        for (const { document, queued } of held) add(document, queued);
        const pause = createPause(LIMITS.turnMs);
        let after: { timeMs: number; path: string } | undefined;
        for (let more = true; more; ) {
          const page = await reading.list(caller, filter, { limit: LIMITS.reviewPage, after });
          for (const document of page) if (!waiting.has(document.path)) add(document);
          after = page.at(-1);
          more = page.length === LIMITS.reviewPage;
          await pause.rest();
        }
        const near = held.length > 0 ? null : await nearestProjects(reading, caller, named);
        const records = (await reading.records(caller)).filter((each) => named === undefined || each.project === named);
        return { ...(await review(records, pause)), near };
      },
      // What is held is in no commit.
      held.length > 0 ? undefined : { name: 'weekly_review', input: { filter, ...times } },
    );
    return { ...value, unconfirmed: await services.outbox.unconfirmed(), provenance: from };
  },

  format(answer, { project, max_tokens: most = LIMITS.budgetDefaultTokens }) {
    const { near, counts, candidates, quiet } = answer;
    const foot = [unconfirmedLine(answer.unconfirmed), provenanceLine(answer.provenance)].filter(Boolean).join('\n');
    if (near !== null && project !== undefined)
      return fitted(most, [], () => `${unknownProject(projectName(project), near)}\n${foot}`);
    const lines = reviewLines(answer, Math.max(90, Math.min(most / 10, 320)), project !== undefined);
    const rest = [
      many(counts.decisions, 'decision'),
      `${many(counts.steps, 'open step')}, ${counts.closed} closed`,
      candidates.length === 0 ? '' : `${candidates.length} candidates for patterns`,
      quiet.length === 0 ? '' : many(quiet.length, 'quiet project'),
    ].filter((part) => part !== '');
    const head = `Since ${day(answer.sinceMs)}: ${many(counts.notes, 'note')} in ${many(counts.projects, 'project')}; ${rest.join('; ')}.`;
    return fitted(
      most,
      lines,
      (shown: ReviewLine[]) => {
        const left = lines.length - shown.length;
        const more =
          left === 0 ? '' : `\n${left} lines more with a greater max_tokens (${LIMITS.budgetMaxTokens} at most).`;
        const offered = shown.some(({ heading }) => heading === 'Candidates for patterns') ? `\n${OFFER}` : '';
        const body = shown.length === 0 ? '' : `\n${fence(byHeading(shown))}`;
        return `${head}${body}${more}${offered}\n${foot}`;
      },
      ({ text }) => text,
    );
  },
});

const OFFER = 'Candidates are offers: save_pattern(name, type, content, evidence) keeps one, if the person wants it.';
