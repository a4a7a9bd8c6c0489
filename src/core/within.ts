import { setTimeout as delay } from 'node:timers/promises';
import { MemoryError } from './errors.js';

/** Rejects with `deadline` after `limitMs`; the work itself goes on. */
export function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  // Whoever stopped waiting must not leave an unhandled rejection behind.
  work.catch(() => {});
  const stop = new AbortController();
  const late = delay(limitMs, undefined, { ref: false, signal: stop.signal }).then(() => {
    throw new MemoryError(
      'deadline',
      'It took too long.',
      'It may still go on in the background; call again in a moment.',
    );
  });
  late.catch(() => {});
  return Promise.race([work, late]).finally(() => stop.abort());
}
