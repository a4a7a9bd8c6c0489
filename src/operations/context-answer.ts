import { z } from 'zod';
import type { ProjectContext } from '../core/context.js';
import { KINDS } from '../core/documents.js';
import { provenance, unconfirmed } from './operation.js';

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

/** What load_context gives. */
export const contextAnswer = z.object({
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
      /** Of them, so many cannot be found. */
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

export type ContextAnswer = z.infer<typeof contextAnswer>;

/** Of a project that nothing is told of but what changed. */
export const NO_CONTEXT: ProjectContext = {
  notes: [],
  steps: [],
  decisions: [],
  facts: [],
  record: null,
  patterns: [],
  relatives: [],
  checkpoint: null,
};

/** Projects with notes: those with names like the one that has none first, ten in all. */
export function nearFirst<T extends { project: string }>(others: T[], near: string[]): T[] {
  const liked = near.flatMap((name) => others.filter(({ project }) => project === name));
  return [...liked, ...others.filter(({ project }) => !near.includes(project))].slice(0, 10);
}
