import { setTimeout as delay } from 'node:timers/promises';
import { explain, MemoryError, toMemoryError } from '../core/errors.js';
import type { Job, JobName, JobResult } from '../core/job.js';
import { LIMITS } from '../core/limits.js';
import type { Log } from '../core/log.js';
import type { Mirror } from '../core/ports.js';

export interface RunOptions {
  mirror: Pick<Mirror, 'acquire' | 'renew' | 'release'>;
  holder: string;
  log: Log;
  leaseMs: number;
  backoffMs: number;
}

export interface Due {
  name: JobName;
  job: Job;
  /** Done by anybody within this time: not again. */
  restMs: number;
  failedRestMs: number;
  /** Somebody has done it in another way. */
  done?(): Promise<boolean>;
}

/** What a run came to; `held` where somebody else does it, or has done it lately. */
export type Run = 'ok' | 'repaired' | 'failed' | 'held' | 'cancelled';

/**
 * One job at a time per origin, whoever asks for it, by a lease that a dead holder loses: up to three tries, and one alert
 * until it works again.
 */
export function createRunner({ mirror, holder, log, leaseMs, backoffMs }: RunOptions) {
  /** Jobs whose failure could not be written down, since the mirror is away: its row tells of the others. */
  const failing = new Map<JobName, string>();

  async function once(due: Due, signal: AbortSignal): Promise<Run> {
    const { name, restMs, failedRestMs } = due;
    const taken = await mirror.acquire({ name, holder, ttlMs: leaseMs, restMs, failedRestMs });
    const failedBefore = failing.delete(name) || taken?.outcome === 'failed';
    if (taken === null) return 'held';
    const lost = new AbortController();
    const renewal = setInterval(async () => {
      // A mirror that cannot be reached takes nobody's lease either.
      const ours = await mirror.renew(name, holder, leaseMs).catch(() => true);
      if (!ours) lost.abort(new MemoryError('cancelled', 'Another process took over.', 'Nothing is to be done.'));
    }, leaseMs / 3);
    renewal.unref();
    let result: JobResult | null;
    try {
      const skip = (await due.done?.()) ?? false;
      result = skip ? null : await due.job(AbortSignal.any([signal, lost.signal]));
    } finally {
      clearInterval(renewal);
    }
    // What was done in another way shows that it works again, and otherwise leaves the row as it was.
    const ended = result ?? (failedBefore ? { outcome: 'ok' as const, note: '' } : null);
    await mirror.release(name, holder, ended);
    if (failedBefore) log.info('alert over', { job: name });
    if (result?.outcome === 'repaired') log.error('alert', { job: name, what: result.note });
    return result === null ? 'held' : result.outcome;
  }

  async function failed({ name }: Due, error: unknown): Promise<void> {
    const { message, hint } = toMemoryError(error);
    let known = failing.has(name);
    failing.set(name, message);
    try {
      // Still ours, or free: what the row said before is whether the alert was given already.
      const taken = await mirror.acquire({ name, holder, ttlMs: leaseMs, restMs: 0, failedRestMs: 0 });
      known ||= taken?.outcome === 'failed';
      if (taken) await mirror.release(name, holder, { outcome: 'failed', note: message });
      failing.delete(name);
    } catch (unwritten) {
      log.debug('the end of a job is not written', { job: name, why: explain(unwritten) });
    }
    if (!known) log.error('alert', { job: name, what: message, hint, why: explain(error) });
  }

  return {
    failing: failing as ReadonlyMap<JobName, string>,

    /** Never throws. */
    async run(due: Due, signal: AbortSignal): Promise<Run> {
      for (let attempt = 1; ; attempt++) {
        try {
          return await once(due, signal);
        } catch (error) {
          if (signal.aborted || toMemoryError(error).code === 'cancelled') {
            await mirror.release(due.name, holder, null).catch(() => {});
            return 'cancelled';
          }
          log.warn('job failed', { job: due.name, attempt, why: explain(error) });
          if (attempt >= LIMITS.jobTries) {
            await failed(due, error);
            return 'failed';
          }
        }
        const waitMs = backoffMs * 4 ** (attempt - 1) * (0.5 + Math.random());
        await delay(waitMs, undefined, { ref: false, signal }).catch(() => {});
      }
    },
  };
}
