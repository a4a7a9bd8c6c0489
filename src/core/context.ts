import { createHash } from 'node:crypto';
import type { Caller } from './caller.js';
import { type Document, isAutomatic, type Kind } from './documents.js';
import { LIMITS } from './limits.js';
import { type Decision, decisionsOf, type Loop, latestFacts, openLoops, type Said } from './loops.js';
import { Lru } from './lru.js';
import type { View } from './ports.js';
import { shared, together } from './stems.js';
import { type Words, wordsOf } from './words.js';

/** A note as the context names it. */
export interface NoteLine {
  id: string;
  title: string;
  kind: Kind;
  project: string;
  timeMs: number;
  summary: string;
  /** It waits for the origin. */
  queued: boolean;
}

/** A pattern as the context offers it. */
export interface PatternLine extends NoteLine {
  type: string;
  /** How many words it shares with what is going on. */
  fits: number;
  uses: number;
  /** The notes it was drawn from, and how many of them cannot be found. */
  evidence: string[];
  gone: number;
}

/** The project's own record. Revenues as it says them, null where it does not. */
export interface RecordLine {
  status: string;
  priority: string;
  targetRevenue: number | null;
  currentRevenue: number | null;
  summary: string;
  timeMs: number;
}

/** What somebody has to know who goes on with a project. Newest first. */
export interface ProjectContext {
  notes: NoteLine[];
  steps: Loop[];
  decisions: Decision[];
  facts: Said[];
  record: RecordLine | null;
  patterns: PatternLine[];
  /** What relatives have decided and learnt, as far as it bears on this project. */
  relatives: (Said & { project: string })[];
  /** The newest checkpoint. */
  checkpoint: NoteLine | null;
}

export type Noted = Document & { queued: boolean };

/** By what they are made of, so that nothing ever has to be taken back: a project that nobody wrote in is put together once. */
const made = new Lru<string, ProjectContext>(LIMITS.contextLines, ({ notes, steps, decisions, facts, patterns }) => {
  return notes.length + steps.length + decisions.length + facts.length + patterns.length;
});

/** Puts a project's documents, newest first, together with those of its relatives. */
export function contextOf(own: Noted[], relatives: Document[], parent: string | null): ProjectContext {
  const name = createHash('sha256').update(parent ?? '');
  for (const { path, blob, timeMs } of [...own, ...relatives]) name.update(`\0${path}\0${blob}${timeMs}`);
  for (const { path, queued } of own) if (queued) name.update(`\0${path}`);
  const key = name.digest('base64');
  const found = made.get(key) ?? putTogether(own, relatives, parent);
  made.set(key, found);
  return found;
}

function putTogether(all: Noted[], others: Document[], parent: string | null): ProjectContext {
  // What the schedule makes is drawn from here: it would come back as news.
  const [own, relatives] = [all, others].map((each) => each.filter((one) => !isAutomatic(one))) as [
    Noted[],
    Document[],
  ];
  const sessions = own.filter(({ kind }) => kind !== 'project' && kind !== 'pattern');
  const checkpoint = all.find(({ kind }) => kind === 'checkpoint');
  const record = own.find(({ kind }) => kind === 'project');
  const oldestFirst = sessions.toReversed();
  const decisions = decisionsOf(oldestFirst);
  const steps = openLoops(oldestFirst);
  const goingOn = [...sessions.slice(0, 10).map(({ title }) => title), ...steps.map(({ text }) => text)];
  const about = together(goingOn.map((line) => wordsOf(line).all));
  const fits = ({ project }: Document, words: Words) =>
    own.length === 0 || project === parent || shared(words.all, about) >= 2;
  return {
    notes: sessions.map(noteLine),
    steps: newestFirst(steps),
    decisions: newestFirst(decisions),
    facts: newestFirst(latestFacts(oldestFirst)),
    record: record ? recordLine(record) : null,
    patterns: [
      ...own.filter(({ kind }) => kind === 'pattern'),
      ...relatives
        .filter((each) => each.kind === 'pattern' && fits(each, patternWords(each)))
        .map((each) => ({ ...each, queued: false })),
    ].map((each) => patternLine(each, shared(patternWords(each).all, about))),
    relatives: relativesLines(relatives, fits),
    checkpoint: checkpoint ? noteLine(checkpoint) : null,
  };
}

/** Decisions that stand, each project by itself; a project's parent first. */
function relativesLines(
  relatives: Document[],
  fits: (of: Document, words: Words) => boolean,
): ProjectContext['relatives'] {
  const byProject = new Map<string, Document[]>();
  for (const each of relatives)
    if (each.kind !== 'project' && each.kind !== 'pattern')
      byProject.set(each.project, [...(byProject.get(each.project) ?? []), each]);
  return [...byProject].flatMap(([project, documents]) =>
    newestFirst(decisionsOf(documents.toReversed()))
      .filter(({ supersededMs, text }) => supersededMs === null && fits(documents[0] as Document, wordsOf(text)))
      .map(({ text, from, timeMs }) => ({ text, from, timeMs, project })),
  );
}

/** Those of one note in its own order. */
function newestFirst<T extends Said>(lines: T[]): T[] {
  return lines.toSorted((a, b) => b.timeMs - a.timeMs);
}

function noteLine({ id, title, kind, project, timeMs, digest, queued }: Noted): NoteLine {
  return { id, title, kind, project, timeMs, summary: digest.summary, queued };
}

function patternLine(pattern: Noted, fits: number): PatternLine {
  const { type = '', evidence = [] } = pattern.digest.pattern ?? {};
  return { ...noteLine(pattern), type, fits, uses: 0, evidence, gone: 0 };
}

const patternWords = ({ title, digest }: Document): Words => wordsOf(`${title} ${digest.summary}`);

function recordLine({ status, priority, targetRevenue, currentRevenue, digest, timeMs }: Document): RecordLine {
  return { status, priority, targetRevenue, currentRevenue, summary: digest.summary, timeMs };
}

/** The newest notes, and what is to be told of however old it is: the record, and patterns. */
export async function ownDocuments(
  reading: Pick<View, 'list'>,
  caller: Caller,
  project: string,
  most: number = LIMITS.contextNotes,
): Promise<Document[]> {
  const list = (kinds: Kind[], limit: number) => reading.list(caller, { projects: [project], kinds }, { limit });
  return [
    ...(await list(['session', 'checkpoint', 'note'], most)),
    ...(await list(['project'], 1)),
    ...(await list(['pattern'], LIMITS.contextPatterns)),
  ];
}
