import { MemoryError } from './errors.js';
import { cleanTime } from './input.js';
import { LIMITS } from './limits.js';

/** A commit of the past: as a time (ms since 1970), or as a commit's id, whole or its first digits, in lower-case hex. */
export type Moment = { beforeMs: number } | { commit: string };

/** How far another machine's clock may be ahead of ours. */
const CLOCK_MS = 60_000;

/**
 * What `as_of` names: `2026-01-15` is the end of that day in UTC, `2026-01-15T10:00Z` that minute; seven or more hex digits
 * are a commit. Throws `invalid_input`.
 */
export function momentOf(text: string, nowMs: number): Moment {
  const given = text.trim();
  if (/^[0-9a-f]{7,64}$/i.test(given)) return { commit: given.toLowerCase() };
  const timeMs = timeOf(given);
  if (timeMs > nowMs + CLOCK_MS)
    throw new MemoryError(
      'invalid_input',
      '`as_of` lies in the future.',
      `Leave it out for what memory says now (${new Date(nowMs).toISOString().slice(0, 16)}Z).`,
    );
  return { beforeMs: /^\d{4}-\d{2}-\d{2}$/.test(given) ? timeMs + LIMITS.dayMs - 1 : timeMs };
}

function timeOf(text: string): number {
  try {
    return cleanTime('as_of', text);
  } catch (error) {
    throw new MemoryError(
      'invalid_input',
      '`as_of` is neither a date that exists nor the id of a commit.',
      'Write a date as 2026-01-15 or 2026-01-15T09:30:00Z, and a commit as an answer names it: at least seven hex digits.',
      error,
    );
  }
}
