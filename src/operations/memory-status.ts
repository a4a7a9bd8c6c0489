import { z } from 'zod';
import { toMemoryError } from '../core/errors.js';
import {
  age,
  branchLine,
  cacheLine,
  fence,
  jobAlerts,
  jobsLine,
  kilobytes,
  many,
  unconfirmedLine,
} from '../core/format.js';
import { LIMITS } from '../core/limits.js';
import { VERSION } from '../version.js';
import { defineOperation, unconfirmed } from './operation.js';

const tier = z.object({ name: z.string(), state: z.string(), detail: z.string(), tookMs: z.number() });

export const memoryStatus = defineOperation({
  name: 'memory_status',
  title: 'Status of the memory',
  description: 'Call when memory seems wrong, slow or out of date: state of each tier, lag, and the last syncs.',
  input: z.strictObject({}),
  output: z.object({
    version: z.string(),
    origin: z.string(),
    documents: z.number().nullable(),
    doubtful: z.number().nullable(),
    behind: z.boolean().nullable(),
    doubts: z.number().nullable(),
    unconfirmed,
    /** The oldest of the queued edits that lost, by the id to read each by, and the note that it was an edit of. */
    conflicts: z.array(z.object({ id: z.string(), of: z.string() })),
    tiers: z.array(tier),
    syncs: z.array(z.object({ reason: z.string(), result: z.string(), finishedAtMs: z.number() })),
    /** How much of what it holds can be found by its meaning; null where that is switched off, or cannot be told. */
    meaning: z.object({ model: z.string(), state: z.string(), passages: z.number(), embedded: z.number() }).nullable(),
    /** What servers do by themselves: how it last ended, and when it is next. */
    jobs: z.string(),
    alerts: z.array(z.string()),
  }),
  effect: 'read',
  idempotent: true,
  scope: 'read',
  core: true,
  command: {
    name: 'status',
    about: 'State of each tier, lag and the last syncs',
    positionals: [],
    examples: ['status', 'status --json'],
  },

  async run(_input, { services, caller }) {
    const { origin, mirror, durable } = services;
    const tiers: z.infer<typeof tier>[] = [];
    const alerts = [...mirror.notices()];
    /** Each tier by itself: one that is down must not hide the others. */
    const probe = async <T>(name: string, work: () => Promise<{ detail: string; value: T }>): Promise<T | null> => {
      const started = performance.now();
      try {
        const { detail, value } = await work();
        tiers.push({ name, state: 'up', detail, tookMs: performance.now() - started });
        return value;
      } catch (error) {
        const { message, hint } = toMemoryError(error);
        tiers.push({ name, state: 'down', detail: message, tookMs: performance.now() - started });
        alerts.push(`${name} is down: ${message} ${hint}`);
        return null;
      }
    };
    const head = await probe('origin', async () => {
      const found = await origin.head();
      return {
        value: { commit: found?.commit ?? '' },
        detail: [
          branchLine(origin.branch()),
          found ? `head ${found.commit.slice(0, 12)}` : 'no commits yet',
          ...origin.notes(),
        ].join(', '),
      };
    });
    const stand = await probe('mirror', async () => {
      const { bytes, kind } = await mirror.describe();
      const value = await mirror.snapshot(async (view) => ({
        state: await view.state(),
        documents: await view.count(caller, {}),
        doubtful: (await view.problems(caller, 100_000)).length,
      }));
      const { state } = value;
      const confirmed =
        state.confirmedAtMs === null
          ? 'never confirmed'
          : `confirmed ${age(Math.max(0, state.nowMs - state.confirmedAtMs))} ago`;
      return {
        value,
        detail: `${kind}, ${state.head ? state.head.commit.slice(0, 12) || 'no commits yet' : 'never synced'}, generation ${state.generation}, ${confirmed}, ${kilobytes(bytes)}`,
      };
    });
    const jobs = await services.jobs.states();
    alerts.push(...jobAlerts(jobs));
    const meaning = stand && services.embedding ? await services.embedding.describe().catch(() => null) : null;
    const cache = await services.shelf.describe();
    if (cache !== null) {
      const { lastFailure } = cache;
      tiers.push({ name: 'cache', state: cache.state, detail: cacheLine(cache), tookMs: cache.latencyMs ?? 0 });
      // One that answers and takes nothing is up, and of no use.
      const lately = lastFailure !== null && Date.now() - lastFailure.atMs < LIMITS.cacheNewsMs;
      if (lastFailure && (cache.state === 'down' || lately)) alerts.push(`${lastFailure.message} ${lastFailure.hint}`);
    }
    const unconfirmed = await services.outbox.unconfirmed();
    if (unconfirmed.queued + unconfirmed.unknown > LIMITS.outboxAlert)
      alerts.push(`over ${LIMITS.outboxAlert} saves wait for the origin. ${unconfirmed.why}`);
    const lost = await services.conflicts.list(caller).catch(() => []);
    for (const { origin: name, count } of await durable.queues().catch(() => []))
      if (name !== origin.name)
        alerts.push(`${count} saves wait for another origin: \`strata-memory outbox\` lists them.`);
    const syncs = await probe('durable store', async () => {
      const { schema } = await durable.describe();
      return { value: await durable.lastSyncs(origin.name, 3), detail: `schema ${schema}` };
    });
    // A mirror that can be read and takes nothing is up, and falls behind. What is down, or failed as a job, was told above.
    const newest = syncs?.[0];
    if (newest?.result === 'failed' && head && stand && jobAlerts(jobs).length === 0)
      alerts.push(`the last sync failed: ${newest.details.message} sync_now tries again and says what to do.`);
    return {
      version: VERSION,
      origin: origin.name,
      documents: stand?.documents ?? null,
      doubtful: stand?.doubtful ?? null,
      behind: head && stand ? (stand.state.head?.commit ?? '') !== head.commit : null,
      doubts: stand?.state.doubts ?? null,
      unconfirmed,
      conflicts: lost.slice(0, LIMITS.reportedConflicts).map(({ name, document }) => ({ id: name, of: document.id })),
      tiers,
      syncs: (syncs ?? []).map(({ reason, result, finishedAtMs }) => ({ reason, result, finishedAtMs })),
      meaning,
      jobs: jobsLine(jobs),
      alerts,
    };
  },

  format(output) {
    const facts = [
      output.documents === null ? '' : many(output.documents, 'document'),
      output.doubtful ? `${output.doubtful} doubtful (sync_now names them)` : '',
      output.behind === null ? '' : output.behind ? 'mirror behind the origin: call sync_now' : 'mirror at the head',
      output.doubts ? `${output.doubts} saves unconfirmed` : '',
    ].filter((fact) => fact !== '');
    return [
      `strata-memory ${output.version} · origin ${output.origin}`,
      facts.join(' · '),
      ...[unconfirmedLine(output.unconfirmed)].filter((line) => line !== ''),
      ...conflictLines(output.conflicts),
      ...output.tiers.map((each) => `- ${each.name} ${each.state} (${each.tookMs.toFixed(1)} ms): ${each.detail}`),
      output.syncs.length === 0
        ? 'No syncs yet.'
        : `Last syncs: ${output.syncs.map((each) => `${each.result} ${age(Math.max(0, Date.now() - each.finishedAtMs))} ago (${each.reason})`).join('; ')}`,
      ...(output.meaning ? [meaningLine(output.meaning)] : []),
      `Jobs: ${output.jobs}`,
      ...(output.alerts.length === 0 ? ['No alerts.'] : output.alerts.map((alert) => `ALERT ${alert}`)),
    ].join('\n');
  },
});

function meaningLine({ model, state, passages, embedded }: { [name: string]: string | number }): string {
  const left = embedded === passages ? '' : '; a server works on the others';
  return `Meaning: ${embedded} of ${passages} passages by ${model} (${state})${left}`;
}

/** Ids of notes are made from titles, so they are stored text; ours are not. */
function conflictLines(conflicts: { id: string; of: string }[]): string[] {
  if (conflicts.length === 0) return [];
  const lines = conflicts.map(({ id, of }) => `${id}: ${of}`);
  return [`Edits that lost, to read by read_memory:\n${fence(lines.join('\n'), 'stored ids')}`];
}
