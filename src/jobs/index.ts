import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { lastTimeOf } from '../core/cron.js';
import { explain } from '../core/errors.js';
import { JOB_NAMES, type Job, type JobName, type JobState, type Jobs } from '../core/job.js';
import { LIMITS } from '../core/limits.js';
import type { Log } from '../core/log.js';
import type { Lease, Mirror } from '../core/ports.js';
import { within } from '../core/within.js';
import { createRunner, type Due } from './run.js';
import { jitterOf, schedule, type Timetable } from './schedule.js';

export interface JobsOptions {
  mirror: Mirror;
  log: Log;
  /** What is done; null where it is switched off. */
  jobs: Record<JobName, Job | null>;
  /** When the sync is tried. */
  syncCron: string | null;
  /** When checkpoints are made. */
  checkpointsCron?: string | null;
  /** When the others are looked at; they are due by how long ago they ended. */
  upkeepCron?: string;
  leaseMs?: number;
  backoffMs?: number;
  settleMs?: number;
}

/** Between the ticks of the sync, so that they do not meet. */
const UPKEEP_CRON = '7-59/15 * * * *';

/** When the jobs of a server run. Nothing runs before `start` nor after `close`. */
export function createJobs(options: JobsOptions): Jobs & { start(): void; close(): Promise<void> } {
  const { mirror, log, jobs } = options;
  const { leaseMs = LIMITS.leaseMs, backoffMs = LIMITS.jobBackoffMs, settleMs = LIMITS.jobsSettleMs } = options;
  const holder = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  const runner = createRunner({ mirror, holder, log, leaseMs, backoffMs });
  const stop = new AbortController();
  const running = new Map<JobName, Promise<unknown>>();
  const tables = new Map<JobName, Timetable>();
  const dues = new Map<JobName, () => Due>();
  /** When what was missed is made up for. */
  let late: Timetable | undefined;
  let settling: NodeJS.Timeout | undefined;

  /** The mirror was confirmed at the head so lately that a sync would find nothing. */
  async function confirmed(restMs: number): Promise<boolean> {
    const state = await mirror.snapshot((view) => view.state());
    const ageMs = state.confirmedAtMs === null ? -1 : state.nowMs - state.confirmedAtMs;
    return state.head !== null && state.doubts === 0 && ageMs >= 0 && ageMs < restMs;
  }

  function tick(due: Due): void {
    if (stop.signal.aborted || running.has(due.name)) return;
    const run = runner.run(due, stop.signal).finally(() => running.delete(due.name));
    running.set(due.name, run);
  }

  async function plan(name: JobName, expression: string, restMsOf: (gapMs: number) => number): Promise<void> {
    const job = jobs[name];
    if (job === null) return;
    const table = await schedule(expression, () => tick(due), log);
    const restMs = restMsOf(table.gapMs);
    const due: Due = { name, job, restMs, failedRestMs: Math.min(restMs, LIMITS.jobFailedRestMs) };
    if (name === 'sync') due.done = () => confirmed(restMs);
    if (stop.signal.aborted) return table.stop();
    tables.set(name, table);
    dues.set(name, () => due);
  }

  /**
   * At the times of a timetable; where no server ran then, or it failed, as soon as one looks. In a memory that no server has
   * looked at yet the first time is one to come: nobody who has just begun has missed anything.
   */
  async function planMissable(name: JobName, expression: string, upkeep: string): Promise<void> {
    const job = jobs[name];
    if (job === null) return;
    const due = (): Due => {
      const now = Date.now();
      // Ended since the last time: not again.
      const restMs = Math.max(1, now - (lastTimeOf(expression, now) ?? 0));
      return { name, job: missed, restMs, failedRestMs: Math.min(restMs, LIMITS.jobFailedRestMs) };
    };
    const missed: Job = async (signal) => {
      const before = (await mirror.leases()).find((each) => each.name === name);
      return before?.endedAtMs == null ? { outcome: 'ok', note: '' } : job(signal);
    };
    const table = await schedule(expression, () => tick(due()), log);
    const looks = await schedule(upkeep, () => tick(due()), log);
    const both = {
      ...table,
      stop() {
        table.stop();
        looks.stop();
      },
    };
    if (stop.signal.aborted) return both.stop();
    tables.set(name, both);
    dues.set(name, due);
    late = looks;
  }

  async function begin(): Promise<void> {
    try {
      const { syncCron, upkeepCron = UPKEEP_CRON } = options;
      // Two ticks are nearer to each other than their gap where the first was put off and the second was not.
      if (syncCron !== null) await plan('sync', syncCron, (gapMs) => gapMs - 2 * jitterOf(gapMs));
      await plan('health', upkeepCron, () => LIMITS.healthMs);
      await plan('retention', upkeepCron, () => LIMITS.retentionMs);
      if (options.checkpointsCron) await planMissable('checkpoints', options.checkpointsCron, upkeepCron);
    } catch (error) {
      log.error('alert', { job: 'all', what: 'The jobs could not be planned.', why: explain(error) });
    }
  }

  function stateOf(name: JobName, lease: Lease | undefined): JobState {
    const endedAgoMs = lease?.endedAtMs == null ? null : Math.max(0, lease.nowMs - lease.endedAtMs);
    const why = runner.failing.get(name);
    const due = dues.get(name)?.();
    const restMs = (lease?.outcome === 'failed' ? due?.failedRestMs : due?.restMs) ?? 0;
    const isMissed =
      name === 'checkpoints' && (lease?.outcome === 'failed' || endedAgoMs === null || endedAgoMs >= restMs);
    const tickMs = (isMissed ? late : tables.get(name))?.nextInMs() ?? null;
    return {
      name,
      on: jobs[name] !== null && (name !== 'sync' || options.syncCron !== null),
      running: lease?.held ?? false,
      outcome: why === undefined ? (lease?.outcome ?? null) : 'failed',
      note: why ?? lease?.note ?? '',
      endedAgoMs: endedAgoMs ?? (why === undefined ? null : 0),
      nextInMs: tickMs === null ? null : Math.max(tickMs, endedAgoMs === null ? 0 : restMs - endedAgoMs),
    };
  }

  return {
    start() {
      if (settling !== undefined || stop.signal.aborted) return;
      settling = setTimeout(() => void begin(), settleMs);
      settling.unref();
    },

    async states() {
      const leases = await mirror.leases().catch(() => []);
      return JOB_NAMES.map((name) =>
        stateOf(
          name,
          leases.find((each) => each.name === name),
        ),
      );
    },

    async close() {
      stop.abort();
      clearTimeout(settling);
      for (const table of tables.values()) table.stop();
      // A job ends at its next step; one that waits for the network is left behind, and its lease with it.
      await within(LIMITS.closeMs / 2, Promise.allSettled(running.values())).catch(() => {});
    },
  };
}
