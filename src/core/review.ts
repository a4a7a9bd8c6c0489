import { type Candidate, createCandidates } from './candidates.js';
import { type Document, isAutomatic } from './documents.js';
import { LIMITS } from './limits.js';
import { closingWords, createLoops, decisionsOf, type Loop, type Said } from './loops.js';
import type { Pause } from './pause.js';
import type { ProjectRecord } from './project.js';

type Of<T> = T & { project: string };

/** What some days brought, and what waits. Of each list at most so many; `counts` says how many there are. */
export interface Review {
  /** From midnight UTC on, in ms since 1970. */
  sinceMs: number;
  /** Newest first. */
  notes: { id: string; title: string; project: string; timeMs: number; queued: boolean }[];
  decisions: Of<Said>[];
  /** In all projects, open longest first. */
  steps: Of<Loop>[];
  /** What notes of these days say is done. */
  closed: Of<Said>[];
  candidates: Candidate[];
  /** Active by their records, without a note for long. */
  quiet: { project: string; lastMs: number }[];
  counts: { notes: number; projects: number; decisions: number; steps: number; closed: number };
}

const WORKED_ON = new Set(['session', 'note', 'checkpoint']);

/** Documents come in one by one, newest first; `review` puts together what they say. */
export function createReview({ sinceMs, nowMs }: { sinceMs: number; nowMs: number }) {
  const candidates = createCandidates();
  const byProject = new Map<string, Document[]>();
  const recent: Document[] = [];
  const queuedPaths = new Set<string>();

  return {
    add(document: Document, queued = false): void {
      // What the schedule makes says again what notes have said.
      if (isAutomatic(document)) return;
      if (queued) queuedPaths.add(document.path);
      candidates.add(document);
      const { project, kind, timeMs } = document;
      if (timeMs >= sinceMs && kind !== 'project') recent.push(document);
      if (!WORKED_ON.has(kind)) return;
      const own = byProject.get(project) ?? [];
      byProject.set(project, own);
      // As many as a list of all open steps looks at: what is open longest stands far back.
      if (own.length < LIMITS.sectionNotes) own.push(document);
    },

    async review(records: ProjectRecord[], pause: Pause): Promise<Review> {
      const steps: Of<Loop>[] = [];
      const decisions: Of<Said>[] = [];
      const closed: Of<Said>[] = [];
      for (const [project, newestFirst] of byProject) {
        const oldestFirst = newestFirst.toSorted((a, b) => a.timeMs - b.timeMs);
        const loops = createLoops();
        for (const each of oldestFirst) {
          loops.add(each);
          if (pause.due()) await pause.rest();
        }
        for (const step of loops.open()) steps.push({ ...step, project });
        if ((oldestFirst.at(-1)?.timeMs ?? 0) >= sinceMs)
          for (const { text, from, timeMs, supersededMs } of decisionsOf(oldestFirst))
            if (timeMs >= sinceMs && supersededMs === null) decisions.push({ text, from, timeMs, project });
        const late = newestFirst.filter(({ timeMs }) => timeMs >= sinceMs);
        const lines = late.flatMap(({ digest }) => digest.closed);
        const worded = closingWords(newestFirst, lines);
        for (const { id: from, timeMs, digest } of late)
          for (const line of digest.closed) closed.push({ text: worded(line), from, timeMs, project });
        if (pause.due()) await pause.rest();
      }
      const last = new Map([...byProject].map(([project, own]) => [project, own[0]?.timeMs ?? 0]));
      const most = LIMITS.reviewLines;
      return {
        sinceMs,
        notes: recent.slice(0, most).map((each) => {
          const { id, title, project, timeMs, path } = each;
          return { id, title, project, timeMs, queued: queuedPaths.has(path) };
        }),
        decisions: decisions.sort((a, b) => b.timeMs - a.timeMs).slice(0, most),
        steps: steps.sort((a, b) => a.sinceMs - b.sinceMs).slice(0, most),
        closed: closed.sort((a, b) => b.timeMs - a.timeMs).slice(0, most),
        candidates: await candidates.found(nowMs, LIMITS.reviewCandidates, pause),
        quiet: records
          .filter(({ project, status }) => status === 'active' && last.has(project))
          .map(({ project }) => ({ project, lastMs: last.get(project) ?? 0 }))
          .filter(({ lastMs }) => lastMs < nowMs - LIMITS.quietMs)
          .sort((a, b) => a.lastMs - b.lastMs)
          .slice(0, most),
        counts: {
          notes: recent.length,
          projects: new Set(recent.map(({ project }) => project)).size,
          decisions: decisions.length,
          steps: steps.length,
          closed: closed.length,
        },
      };
    },
  };
}
