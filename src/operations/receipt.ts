import { z } from 'zod';
import type { Receipt } from '../core/draft.js';
import { redactionsLine } from '../core/format.js';
import { HEADINGS } from './note-input.js';
import type { Context } from './operation.js';

/** How tools that make a note say what became of it. */
export const receipt = z.object({
  status: z.enum(['saved', 'already saved', 'queued', 'unknown', 'kept in memory']),
  id: z.string(),
  path: z.string(),
  project: z.string(),
  commit: z.string(),
  /** The branch it is on, where that is not the user's own. */
  beside: z.string(),
  blob: z.string(),
  redactions: z.record(z.string(), z.number()),
  tiers: z.object({ origin: z.string(), mirror: z.string() }),
  warnings: z.array(z.string()),
  tookMs: z.number(),
});

/** What the writer says, and the branch. */
export function receiptOf(saved: Receipt, { services }: Pick<Context, 'services'>): z.infer<typeof receipt> {
  const { reads, saves } = services.origin.branch();
  const { merged: _, ...told } = saved;
  return { ...told, beside: reads === saves ? '' : saves };
}

/** One line: what became of it, where, and what went wrong on the way. */
export function receiptLine(
  { status, id, project, blob, commit, beside, tiers, redactions, warnings }: z.infer<typeof receipt>,
  show: { project: boolean; blob: boolean },
): string {
  const parts = [
    `${status === 'kept in memory' ? 'Kept' : HEADINGS[status]}: \`${id}\``,
    show.project ? `project ${project}` : '',
    show.blob ? `blob ${blob}` : '',
    commit === '' ? '' : `commit ${commit.slice(0, 12)}${beside === '' ? '' : ` on ${beside}`}`,
    commit === '' ? '' : `origin ${tiers.origin}, mirror ${tiers.mirror}`,
    redactionsLine(redactions),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
  return parts.filter((part) => part !== '').join(' · ');
}
