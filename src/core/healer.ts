import { setTimeout as delay } from 'node:timers/promises';
import { explain } from './errors.js';
import type { Log } from './log.js';
import type { Mirror } from './ports.js';
import type { Sync } from './sync.js';
import { within } from './within.js';

export interface HealerDependencies {
  mirror: Mirror;
  sync: Sync;
  log: Log;
  /** The mirror has all that it was asked to have. */
  healed?(): void;
}

/** A writer that could not place its doubt, or its note, in the mirror keeps trying to while it lives. */
export function createHealer({ mirror, sync, log, healed: onHealed }: HealerDependencies) {
  /** How many times it was asked for: a save that fails while an earlier one is healed needs a run of its own. */
  let asked = 0;
  let healed = 0;
  let working = false;
  let closed = false;
  // Expired from the start, so that the next confirmation of the head takes it away.
  const mark = () => mirror.doubt([{ saveId: `heal-${process.pid}`, deadlineMs: 0 }]);

  async function work(): Promise<void> {
    for (let waitMs = 250; !closed && healed < asked; waitMs = Math.min(waitMs * 2, 5_000)) {
      const target = asked;
      try {
        await mark();
        await sync.run({ reason: 'heal' });
        healed = target;
        if (healed === asked) onHealed?.();
      } catch (error) {
        log.warn('the mirror is still behind a save', { why: explain(error) });
        await delay(waitMs, undefined, { ref: false });
      }
    }
    working = false;
  }

  return {
    /** The mirror may lack a save of this process without a doubt that says so. */
    behind: () => healed < asked,
    heal(): void {
      asked++;
      if (working) return;
      working = true;
      void work();
    },
    /** A last try to leave a mark: whoever comes next then asks the origin. */
    async close(): Promise<void> {
      closed = true;
      if (healed < asked) await within(1_000, mark()).catch(() => {});
    },
  };
}

export type Healer = ReturnType<typeof createHealer>;
