import type { Caller } from './caller.js';
import { explain, MemoryError, toMemoryError } from './errors.js';
import type { JobResult } from './job.js';
import type { Log } from './log.js';
import type { Durable, Origin } from './ports.js';
import type { Verification, Verify } from './verify.js';

const EVERYBODY: Caller = { subject: '', projects: 'all', scopes: new Set(), client: 'health' };

/**
 * The proof of the whole mirror, with repair, and a row of it in the sync log. Throws where the origin cannot be
 * reached, and `corrupt` where something stays wrong.
 */
export function createHealth(parts: { origin: Origin; verify: Verify; durable: Durable; log: Log }) {
  const { origin, verify, durable, log } = parts;

  async function record(
    startedAtMs: number,
    found: Verification | null,
    details: Record<string, unknown>,
    ok: boolean,
  ) {
    try {
      await durable.syncRan({
        origin: origin.name,
        startedAtMs,
        finishedAtMs: Date.now(),
        reason: 'health',
        result: ok ? 'ok' : 'failed',
        commit: found?.head?.commit ?? null,
        details,
      });
    } catch (error) {
      log.warn('sync log not written', { why: explain(error) });
    }
  }

  return async (signal: AbortSignal): Promise<JobResult> => {
    const startedAtMs = Date.now();
    let found: Verification;
    try {
      found = await verify(EVERYBODY, {}, { repair: true, signal });
    } catch (error) {
      const { code, message } = toMemoryError(error);
      await record(startedAtMs, null, { error: code, message }, false);
      throw error;
    }
    const { checked, hashed, kept, differences, repaired } = found;
    const left = differences.length - repaired;
    await record(startedAtMs, found, { checked, hashed, kept, differed: differences.length, repaired }, left === 0);
    if (differences.length === 0) return { outcome: 'ok', note: '' };
    const note = `${differences.length} of ${checked} documents differed from the origin (${faults(differences)}); ${repaired} repaired.`;
    if (left > 0) throw new MemoryError('corrupt', note, 'Call verify_with_github with repair; look at the disk.');
    return { outcome: 'repaired', note };
  };
}

/** `2 bytes altered, 1 missing`. */
function faults(differences: Verification['differences']): string {
  const counts = new Map<string, number>();
  for (const { fault } of differences) counts.set(fault, (counts.get(fault) ?? 0) + 1);
  return [...counts].map(([fault, count]) => `${count} ${fault}`).join(', ');
}
