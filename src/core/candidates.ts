import { groupsOf } from './alike.js';
import type { Document } from './documents.js';
import type { Pause } from './pause.js';
import { firstSentences } from './sentences.js';
import { type Stems, shared } from './stems.js';
import { numbersDiffer, sameThing, stemsOf, type Words, wordsOf } from './words.js';

export const CANDIDATE_TYPES = ['decision', 'fix', 'workflow'] as const;

/** What notes say more than once, and errors with what mended them: worth keeping as a pattern. */
export interface Candidate {
  type: (typeof CANDIDATE_TYPES)[number];
  name: string;
  text: string;
  /** Ids of notes that say it, newest first. */
  evidence: string[];
  /** In how many notes. */
  times: number;
  projects: string[];
  lastMs: number;
}

type Note = Pick<Document, 'id' | 'kind' | 'project' | 'timeMs' | 'title' | 'digest'>;

/** A line of a note. */
interface Line {
  text: string;
  from: Note;
  /** What mended it. */
  fix?: string;
  /** It says that a step is done. */
  closes?: boolean;
}

const NAME_CHARS = 70;
const EVIDENCE = 20;
/** What was last met so long ago counts half. */
const HALF_MS = 90 * 86_400_000;
/** In so many notes a step is said again and again. */
const OFTEN = 3;
/** Words of a fix that say which error it was. */
const TELLING_STEMS = 4;
/** A checklist that every note has would leave no room for anything else. */
const MOST_OF_TYPE = 0.5;
/** So many of each type, the best ones, are compared with what patterns say. */
const LOOKED_AT = 100;
const REVOKED = /supersed|no longer|revers|revok|cancel|drop(?:s|ped)|overrul|отмен|больше не|передумали|пересмотр/iu;

/** Gathers what notes have in common: they are added one by one, newest first. */
export function createCandidates() {
  const lines: Record<Candidate['type'], Line[]> = { decision: [], fix: [], workflow: [] };
  const patterns: { words: Stems; evidence: Set<string> }[] = [];
  const revoked: { words: Stems; timeMs: number }[] = [];

  return {
    add(note: Note): void {
      const { kind, timeMs, digest } = note;
      if (kind === 'pattern') patterns.push(saysOf(note));
      // Checkpoints say again what notes have said.
      if (kind !== 'session' && kind !== 'note') return;
      const from = note;
      for (const text of digest.decisions)
        if (REVOKED.test(text)) revoked.push({ words: stemsOf(text), timeMs });
        else lines.decision.push({ text, from });
      for (const { problem: text, fix } of digest.fixes ?? []) lines.fix.push({ text, from, fix });
      for (const text of digest.nextSteps) lines.workflow.push({ text, from });
      for (const text of digest.closed) lines.workflow.push({ text, from, closes: true });
    },

    /** At most so many, the best first, of those that no pattern says. */
    async found(nowMs: number, most: number, pause: Pause): Promise<Candidate[]> {
      const all: { candidate: Candidate; worth: number }[] = [];
      for (const type of CANDIDATE_TYPES) {
        const ofType: typeof all = [];
        for (const group of await (type === 'fix' ? mendedAlike(lines.fix, pause) : groupsOf(lines[type], pause))) {
          const found = candidateOf(type, group, nowMs);
          if (found) ofType.push(found);
          if (pause.due()) await pause.rest();
        }
        all.push(...ofType.sort(bestFirst).slice(0, LOOKED_AT));
      }
      const chosen: { candidate: Candidate; words: Words }[] = [];
      for (const { candidate } of all.sort(bestFirst)) {
        if (chosen.length === most) break;
        const words = wordsOf(candidate.text);
        const known =
          patterns.some((pattern) => says(pattern, candidate, words.all)) ||
          revoked.some((each) => each.timeMs > candidate.lastMs && covers(each.words, words.all)) ||
          chosen.some((each) => sameThing(each.words, words));
        const ofType = chosen.filter((each) => each.candidate.type === candidate.type).length;
        if (!known && ofType < most * MOST_OF_TYPE) chosen.push({ candidate, words });
        if (pause.due()) await pause.rest();
      }
      return chosen.map(({ candidate }) => candidate);
    },
  };
}

function bestFirst(a: { candidate: Candidate; worth: number }, b: typeof a): number {
  return b.worth - a.worth || b.candidate.lastMs - a.candidate.lastMs;
}

/** Errors are one where they are told alike, or were mended alike: the same cause shows itself in other ways. */
async function mendedAlike(lines: readonly Line[], pause: Pause): Promise<Line[][]> {
  // `Restart it` mends anything.
  const tells = ({ fix = '' }: Line) => stemsOf(fix).length >= TELLING_STEMS;
  const mended = lines.filter(tells).map((line) => ({ text: line.fix ?? '', line }));
  const groups = (await groupsOf(mended, pause)).map((group) => group.map(({ line }) => line));
  const others = lines.filter((line) => !tells(line)).map((line) => [line]);
  const named = [...groups, ...others].map((group) => ({ text: group[0]?.text ?? '', group }));
  return (await groupsOf(named, pause)).map((alike) => alike.flatMap(({ group }) => group));
}

/** Null where the notes say it too seldom. Worth: how often, in how many projects, how lately. */
function candidateOf(
  type: Candidate['type'],
  group: readonly Line[],
  nowMs: number,
): { candidate: Candidate; worth: number } | null {
  const all = group.filter(({ closes }) => !closes);
  const said = type === 'decision' ? withoutRevised(all) : all;
  const notes = [...new Map(said.map(({ from }) => [from.id, from])).values()].sort((a, b) => b.timeMs - a.timeMs);
  const newest = said.find(({ from }) => from === notes[0]);
  if (!newest) return null;
  const projects = [...new Set(notes.map(({ project }) => project))];
  const days = new Set(notes.map(({ timeMs }) => Math.floor(timeMs / 86_400_000)));
  const again = type === 'workflow' && openedAgain(group);
  const enough = {
    decision: notes.length > 1 && (days.size > 1 || projects.length > 1),
    fix: true,
    workflow: notes.length >= OFTEN || again,
  }[type];
  if (!enough) return null;
  const { text, fix, from } = newest;
  const candidate: Candidate = {
    type,
    name: firstSentences(text, NAME_CHARS).replace(/[.;:,]$/, ''),
    text: fix === undefined ? text : `${text.replace(/\.$/, '')} → ${fix}`,
    evidence: notes.slice(0, EVIDENCE).map(({ id }) => id),
    times: notes.length,
    projects,
    lastMs: from.timeMs,
  };
  const lately = 0.5 ** (Math.max(0, nowMs - from.timeMs) / HALF_MS);
  // What nobody ever did is put off rather than repeated, unless several projects need it.
  const putOff = type === 'workflow' && !again && projects.length === 1 ? 0.5 : 1;
  return { candidate, worth: notes.length * projects.length * lately * putOff };
}

/** A project that first decided on 10 minutes and then on 15 has changed its mind, not said it again. */
function withoutRevised(lines: readonly Line[]): readonly Line[] {
  const newest = lines.reduce((a, b) => (b.from.timeMs > a.from.timeMs ? b : a));
  const words = wordsOf(newest.text);
  return lines.filter(({ text, from }) => from.project !== newest.from.project || !numbersDiffer(words, wordsOf(text)));
}

/** A step that was done, and is to be done again: more than once it was, or a slip in the words would do. */
function openedAgain(group: readonly Line[]): boolean {
  const opened = new Set(group.filter(({ closes }) => !closes).map(({ from }) => from.timeMs));
  const last = Math.max(...opened);
  return opened.size > 1 && group.some(({ closes, from }) => closes && from.timeMs < last);
}

function saysOf({ title, digest }: Note): { words: Stems; evidence: Set<string> } {
  const { summary, decisions, nextSteps, facts, fixes = [], pattern } = digest;
  const mended = fixes.flatMap(({ problem, fix }) => [problem, fix]);
  const all = [title, summary, ...(pattern?.names ?? []), ...decisions, ...nextSteps, ...facts, ...mended];
  return { words: stemsOf(all.join(' ')), evidence: new Set(pattern?.evidence) };
}

/** In its words, or drawn from the same notes and about the same. */
function says(pattern: ReturnType<typeof saysOf>, { evidence }: Candidate, words: Stems): boolean {
  const same = evidence.filter((id) => pattern.evidence.has(id)).length;
  return covers(pattern.words, words) || (same * 2 >= evidence.length && shared(words, pattern.words) >= 2);
}

function covers(words: Stems, some: Stems): boolean {
  return shared(some, words) >= Math.max(2, some.length * 0.66);
}
