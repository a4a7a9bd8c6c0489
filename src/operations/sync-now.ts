import { z } from 'zod';
import { MemoryError, toMemoryError } from '../core/errors.js';
import { fence, many, type Unconfirmed } from '../core/format.js';
import { LIMITS } from '../core/limits.js';
import { defineOperation } from './operation.js';

export const syncNow = defineOperation({
  name: 'sync_now',
  title: 'Sync now',
  description:
    "Call when notes were changed outside this memory and should be seen at once: brings the mirror to the repository's head.",
  input: z.strictObject({}),
  output: z.object({
    result: z.string(),
    commit: z.string(),
    added: z.number(),
    changed: z.number(),
    removed: z.number(),
    total: z.number(),
    problems: z.array(z.object({ path: z.string(), reason: z.string() })),
    problemCount: z.number(),
    tookMs: z.number(),
    /** Queued saves that reached the origin in this call, and what keeps the others from it. */
    delivered: z.number(),
    undelivered: z.string().nullable(),
    /** What to know besides. */
    notes: z.array(z.string()),
  }),
  effect: 'change',
  idempotent: true,
  scope: 'read',
  core: false,
  command: { name: 'sync', about: "Brings the mirror to the repository's head", positionals: [], examples: ['sync'] },

  async run(_input, { services, signal, progress }) {
    let delivered = 0;
    let undelivered: string | null = null;
    try {
      const sent = await services.writer.deliver();
      delivered = sent.delivered;
      if (sent.refusal) undelivered = said(sent.refusal);
    } catch (error) {
      const known = toMemoryError(error);
      // It was asked for its head just now: nobody has to wait for the same answer once more.
      if (known.code === 'origin_unavailable') throw stillWaiting(known, await services.outbox.unconfirmed());
      undelivered = said(known);
    }
    const { head, ...report } = await services.sync.run({ reason: 'sync_now', explain: true, signal, progress });
    return {
      ...report,
      commit: head?.commit ?? '',
      delivered,
      undelivered,
      notes: services.sync.lateNotes(),
    };
  },

  format({
    result,
    commit,
    added,
    changed,
    removed,
    total,
    problems,
    problemCount,
    tookMs,
    delivered,
    undelivered,
    notes,
  }) {
    const at = commit === '' ? 'no commits yet' : `commit ${commit.slice(0, 12)}`;
    const what = result === 'unchanged' ? 'nothing new' : `${added} added, ${changed} changed, ${removed} removed`;
    const outbox = [
      delivered > 0 ? ` Delivered ${delivered} queued save${delivered === 1 ? '' : 's'}.` : '',
      undelivered === null ? '' : ` Queued saves still wait: ${undelivered}`,
      ...notes.map((each) => ` Note: ${each}.`),
    ].join('');
    const head = `Synced to ${at}: ${what}; ${many(total, 'document')} (${Math.round(tookMs)} ms).${outbox}`;
    if (problemCount === 0) return head;
    const list = problems.slice(0, LIMITS.reportedProblems * 4).map(({ path, reason }) => `- \`${path}\`: ${reason}`);
    const more = problemCount > list.length ? `\n…and ${problemCount - list.length} more` : '';
    return `${head} ${problemCount} to know about:\n${fence(list.join('\n') + more, 'stored paths')}`;
  },
});

function stillWaiting(why: MemoryError, { queued, unknown }: Unconfirmed): MemoryError {
  const waiting = queued + unknown;
  const saves = waiting === 1 ? 'One save waits' : `${waiting} saves wait`;
  return new MemoryError(why.code, `${why.message} ${saves} for it on this machine.`, why.hint, why);
}

function said({ message, hint }: MemoryError): string {
  return `${message} ${hint}`;
}
