import type { Caller } from './caller.js';
import { explain } from './errors.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import type { Durable, Mirror, Origin } from './ports.js';

/** A pattern's id, wherever a text names one. */
const PATTERN_ID = /(?<![\p{L}\p{N}/])patterns\/[^\s`'"«»<>()[\]{},;]+/gu;
/** Ids that one note is taken to cite. */
const CITED = 100;

/**
 * How often patterns were of use: offered, read or cited. Counted in the process and written a moment later, behind the
 * answers; a durable store that fails costs the counts, and nothing else.
 */
export function createUses({
  origin,
  mirror,
  durable,
  log,
}: {
  origin: Pick<Origin, 'name'>;
  mirror: Pick<Mirror, 'snapshot'>;
  durable: Pick<Durable, 'used' | 'uses'>;
  log: Log;
}) {
  let waiting: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  const working = new Set<Promise<void>>();

  function behind(work: () => Promise<void>): void {
    const done = work()
      .catch((error) => log.warn('uses not counted', { why: explain(error) }))
      .finally(() => working.delete(done));
    working.add(done);
  }

  function write(): void {
    clearTimeout(timer);
    timer = undefined;
    const ids = waiting;
    waiting = [];
    if (ids.length > 0) behind(() => durable.used(origin.name, ids));
  }

  /** Each of these patterns was of use in one answer. */
  function count(ids: Iterable<string>): void {
    waiting.push(...[...new Set(ids)].slice(0, LIMITS.usesWaiting - waiting.length));
    if (waiting.length > 0) timer ??= setTimeout(write, LIMITS.usesSettleMs).unref();
  }

  async function settled(): Promise<void> {
    write();
    while (working.size > 0) await Promise.all(working);
  }

  return {
    count,

    /** Those that a saved note names, and that are there. */
    cited(caller: Caller, texts: string[]): void {
      const ids = texts.flatMap((text) =>
        [...text.matchAll(PATTERN_ID)].map(([id]) => id.replace(/[.:!?]+$/, '').replace(/\.md$/, '')),
      );
      const named = [...new Set(ids)].slice(0, CITED);
      if (named.length === 0) return;
      behind(async () => count(await mirror.snapshot((view) => view.present(caller, named))));
    },

    /** How often each was; those that never were are left out. Where it cannot be read nothing is known. */
    async of(ids: string[]): Promise<Map<string, number>> {
      if (ids.length === 0) return new Map();
      const known = await durable.uses(origin.name, ids).catch((error) => {
        log.warn('uses not read', { why: explain(error) });
        return new Map<string, { uses: number }>();
      });
      const uses = new Map([...known].map(([id, each]) => [id, each.uses]));
      const wanted = new Set(ids);
      for (const id of waiting) if (wanted.has(id)) uses.set(id, (uses.get(id) ?? 0) + 1);
      return uses;
    },

    /** Everything that was counted so far is written, or has failed. */
    settled,

    /** Twice: what is cited is counted only once it is known to be there. */
    async close(): Promise<void> {
      await settled();
      await settled();
    },
  };
}

export type Uses = ReturnType<typeof createUses>;
