import { z } from 'zod';
import { MemoryError } from '../core/errors.js';
import { redactionsLine } from '../core/format.js';
import { cleanLine, cleanText } from '../core/input.js';
import { LIMITS } from '../core/limits.js';
import { PROJECT_STATUS } from './list-projects.js';
import { defineOperation } from './operation.js';
import { nearestNames, nearestProjects } from './unknown-project.js';

const HEADINGS = {
  saved: 'Updated project',
  'already saved': 'Already so: project',
  queued: 'QUEUED, not saved yet: kept on this machine, sent when the origin answers: project',
  unknown: 'UNKNOWN whether it was saved: sent, the answer was lost; kept until that is settled: project',
} as const;

const revenue = z.number().min(0).max(1e12).optional();

export const updateProject = defineOperation({
  name: 'update_project',
  title: "Update a project's record",
  description: "Call when a project's status, priority or figures change; what is not given stays.",
  input: z.strictObject({
    project: z.string(),
    status: z.enum(PROJECT_STATUS).optional(),
    priority: z.enum(['low', 'normal', 'high', 'critical']).optional(),
    target_revenue: revenue,
    current_revenue: revenue,
    note: z
      .string()
      .max(LIMITS.summaryChars * 5)
      .optional(),
  }),
  output: z.object({
    outcome: z.enum(['saved', 'already saved', 'queued', 'unknown']),
    id: z.string(),
    project: z.string(),
    commit: z.string(),
    blob: z.string(),
    redactions: z.record(z.string(), z.number()),
    /** Names like the project's, where it had no notes before; null where it had. */
    near: z.array(z.string()).nullable(),
    warnings: z.array(z.string()),
  }),
  effect: 'change',
  idempotent: true,
  scope: 'write',
  core: false,
  command: {
    name: 'project',
    about: "Updates a project's record",
    positionals: ['project'],
    examples: [
      'project owner/repo --status active --priority high',
      "project owner/repo --target-revenue 12000 --note 'Invoice sent'",
    ],
  },

  async run(input, { services, caller, signal, project }) {
    const named = await project(cleanLine('project', input.project));
    const { status, priority, target_revenue, current_revenue } = input;
    if ([status, priority, target_revenue, current_revenue, input.note].every((each) => each === undefined))
      throw new MemoryError(
        'invalid_input',
        'Nothing was given that could change the record. Nothing was done.',
        'Give a status, priority, revenue or note; list_projects shows what the records say now.',
      );
    // A record may well be a project's first note; it may also be a slip in its name.
    const near = await services.reader
      .read(caller, undefined, 'fast', (reading) => nearestProjects(reading, caller, named))
      .then(({ value }) => value)
      // What keeps us from looking must not keep the record from being saved.
      .catch(() => null);
    const {
      status: outcome,
      id,
      commit,
      blob,
      redactions,
      warnings,
    } = await services.writer.save(
      caller,
      {
        fields: { title: named, project: named, status, priority, target_revenue, current_revenue },
        body: input.note === undefined ? '' : cleanText('note', input.note),
        merge: { as: 'record', keepBody: input.note === undefined },
      },
      signal,
    );
    return { outcome, id, project: named, commit, blob, redactions, near, warnings };
  },

  format({ outcome, id, project, commit, redactions, near, warnings }) {
    const parts = [
      `${HEADINGS[outcome]} ${project}: \`${id}\``,
      commit === '' ? '' : `commit ${commit.slice(0, 12)}`,
      redactionsLine(redactions),
      ...warnings.map((each) => `warning: ${each}`),
    ];
    const receipt = parts.filter((part) => part !== '').join(' · ');
    if (near === null || near.length === 0) return receipt;
    return `${receipt}\nThe project had no notes before.${nearestNames(near)}`;
  },
});
