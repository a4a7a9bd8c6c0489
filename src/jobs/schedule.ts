import { LIMITS } from '../core/limits.js';
import type { Log } from '../core/log.js';

export interface Timetable {
  /** The least time between two ticks. */
  gapMs: number;
  nextInMs(): number;
  stop(): void;
}

/** How far a tick may be put off: never so far that it meets the next one. */
export const jitterOf = (gapMs: number) => Math.min(LIMITS.jobJitterMs, gapMs / 10);

/**
 * Calls `tick` at the times of a cron expression, each put off at random. A process that slept over many of them (a
 * laptop that was shut) calls it once when it wakes. Holds no process open.
 */
export async function schedule(expression: string, tick: () => void, log: Log): Promise<Timetable> {
  const { createTask } = await import('node-cron');
  const gapMs = gapOf(createTask(expression, () => {}).getNextRuns(5));
  const task = createTask(expression, tick, {
    unref: true,
    maxRandomDelay: jitterOf(gapMs),
    // However late: the last tick that was missed is made up for, the others are not.
    missedExecutionTolerance: Number.MAX_SAFE_INTEGER,
    suppressMissedWarning: true,
    // Its own logger writes to stdout, which belongs to the protocol.
    logger: {
      info() {},
      debug() {},
      warn: (message) => log.debug('schedule', { message }),
      error: (message) => log.warn('schedule', { message: String(message) }),
    },
  });
  await task.start();
  return {
    gapMs,
    nextInMs: () => Math.max(0, task.msToNext() ?? 0),
    stop: () => void task.destroy(),
  };
}

function gapOf(runs: Date[]): number {
  const times = runs.map((run) => run.getTime());
  const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  return Math.max(1_000, Math.min(...gaps));
}
