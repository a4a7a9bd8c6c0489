import type { Caller } from './caller.js';
import { notePath } from './compose.js';
import { contextOf, ownDocuments } from './context.js';
import { contextLines, sectioned } from './context-lines.js';
import { lastTimeOf } from './cron.js';
import { type Document, isAutomatic } from './documents.js';
import type { Draft } from './draft.js';
import { fitted } from './fit.js';
import { day } from './format.js';
import type { JobResult } from './job.js';
import { LIMITS } from './limits.js';
import { movedOn } from './moved-on.js';
import type { Mirror } from './ports.js';
import type { Sync } from './sync.js';
import type { Writer } from './writer.js';

export interface CheckpointsOptions {
  mirror: Pick<Mirror, 'snapshot'>;
  sync: Pick<Sync, 'run' | 'documentsAt' | 'leavesOut'>;
  writer: Pick<Writer, 'save'>;
  /** When it is done. */
  cron: string;
}

/** Nobody: what one person alone may see is never asked for. */
const SCHEDULE: Caller = {
  subject: 'strata-memory',
  projects: 'all',
  scopes: new Set(['read', 'write']),
  client: 'schedule',
};

/** What a checkpoint may say, since everybody who sees the project can read it. */
const isShared = ({ privacy }: Pick<Document, 'privacy'>) => privacy === 'PUBLIC' || privacy === 'TEAM';

/** A project as one look through all documents finds it. */
interface Activity {
  project: string;
  lastMs: number;
  /** The newest of any kind. */
  checkpoint: Document | null;
  notes: Pick<Document, 'path' | 'blob' | 'timeMs'>[];
}

/**
 * The checkpoints of the schedule: one for each project in which something was saved since its last one, saying what
 * `load_context` would. Throws where the origin cannot be reached: nothing is made for later, since by then there is more
 * to say, and whoever saves should not find our notes before theirs.
 */
export function createCheckpoints({ mirror, sync, writer, cron }: CheckpointsOptions) {
  async function activities(nowMs: number, signal: AbortSignal): Promise<Activity[]> {
    const found = new Map<string, Activity>();
    for (let after: { timeMs: number; path: string } | undefined, more = true; more; ) {
      signal.throwIfAborted();
      const page = await mirror.snapshot((view) => view.list(SCHEDULE, {}, { limit: LIMITS.checkpointRows, after }));
      for (const document of page) {
        if (!isShared(document)) continue;
        const { project, path, blob, timeMs } = document;
        const known = found.get(project) ?? { project, lastMs: timeMs, checkpoint: null, notes: [] };
        found.set(project, known);
        // Newest first. One of a clock that was far ahead would be the newest for as long.
        if (document.kind === 'checkpoint' && timeMs <= nowMs + LIMITS.dayMs) known.checkpoint ??= document;
        if (!isAutomatic(document)) known.notes.push({ path, blob, timeMs });
      }
      after = page.at(-1);
      more = page.length === LIMITS.checkpointRows;
    }
    return [...found.values()].sort((a, b) => b.lastMs - a.lastMs);
  }

  async function draftOf(project: string, nowMs: number): Promise<Draft | null> {
    const documents = await mirror.snapshot((view) => ownDocuments(view, SCHEDULE, project));
    const own = documents.filter(isShared).map((document) => ({ ...document, queued: false }));
    // Without relatives: whoever sees this project may not see them.
    const most = LIMITS.checkpointTokens;
    const lines = contextLines(contextOf(own, [], null), most / 6, most / 8);
    const body = await fitted(most, lines, sectioned, ({ text }) => text);
    const fields = { title: `Automatic checkpoint ${day(nowMs)}`, project };
    return body === '' ? null : { fields, body, checkpoint: { automatic: true } };
  }

  return async (signal: AbortSignal): Promise<JobResult> => {
    await sync.run({ reason: 'checkpoints', signal });
    const commit = (await mirror.snapshot((view) => view.state())).head?.commit;
    const nowMs = Date.now();
    // Machines with a mirror each have no lease in common: what another one has made this time is at the origin.
    const sinceMs = lastTimeOf(cron, nowMs) ?? 0;
    let made = 0;
    let drafts: Draft[] = [];
    // Together: they share a commit.
    const save = async () => {
      await Promise.all(drafts.map((draft) => writer.save(SCHEDULE, draft, signal)));
      made += drafts.length;
      drafts = [];
    };
    for (const { project, checkpoint, notes } of await activities(nowMs, signal)) {
      signal.throwIfAborted();
      if (checkpoint && isAutomatic(checkpoint) && checkpoint.timeMs >= sinceMs) continue;
      const due = checkpoint ? await movedOn(checkpoint, notes, sync) : notes.length >= LIMITS.checkpointNotes;
      const draft = due ? await draftOf(project, nowMs) : null;
      // `.strataignore` may have none of them, or none of this project: that is no failure.
      const path = draft && notePath('checkpoints', project, nowMs, draft.fields.title);
      if (path && commit && (await sync.leavesOut(commit, path))) continue;
      if (draft && drafts.push(draft) === LIMITS.checkpointGroup) await save();
    }
    await save();
    return { outcome: 'ok', note: made === 0 ? '' : `${made} made` };
  };
}
