import type { Document } from './documents.js';
import { type Stems, shared, within } from './stems.js';
import { closes, createLineIndex, lineId, onlyNumbersDiffer, sameStep, type Words, wordsOf } from './words.js';

type Note = Pick<Document, 'id' | 'timeMs' | 'digest'>;

/** A line of a note, and where it was said last. */
export interface Said {
  text: string;
  /** The note's id and time. */
  from: string;
  timeMs: number;
}

/** A next step that nothing has closed yet. */
export interface Loop extends Said {
  /** Six digits, by which a later note can close it: `- [x] #482193`. */
  id: string;
  /** When it was first said. */
  sinceMs: number;
}

/** A decision; `supersededMs` is when a later one took its place, null while it stands. */
export interface Decision extends Said {
  supersededMs: number | null;
}

/** A later decision that takes the place of an earlier one says so. */
const REPLACES =
  /supersed|instead of|no longer|replac|revers|revok|cancel|drop(?:s|ped)|overrul|отмен|вместо|больше не|замен|переносим|передумали|пересмотр/iu;

/**
 * The steps that are still open, of notes in the order of their times. A step stays open until a later note closes it: by
 * saying that it is done in much the same words, by a checked box, or by its number. Said again it is the same step.
 */
export function openLoops(oldestFirst: readonly Note[]): Loop[] {
  const loops = createLoops();
  for (const each of oldestFirst) loops.add(each);
  return loops.open();
}

/** The same, note by note, oldest first: thousands take a while, and others want their turns. */
export function createLoops() {
  type Entry = Omit<Loop, 'id'> & { words: Words; texts: string[] };
  const open = new Map<number, Entry>();
  const index = createLineIndex<Entry>();
  const drop = (entry: Entry) => {
    open.delete(entry.words.name);
    index.remove(entry);
  };
  const add = ({ id: from, timeMs, digest }: Note) => {
    const { nextSteps, closed = [] } = digest;
    for (const text of closed) {
      for (const entry of numbered(text, open)) drop(entry);
      const words = wordsOf(text);
      for (const entry of index.near(words)) if (closes(words, entry.words)) drop(entry);
    }
    for (const text of nextSteps) {
      const words = wordsOf(text);
      const near = index.near(words).filter((entry) => sameStep(words, entry.words));
      const [nearest] = [...numbered(text, open), ...near];
      // Two steps of one note are two, however alike. Of earlier ones this is the nearest, and each that says no more.
      const known = near.filter((entry) => within(entry.words.all, words.all));
      const again = [...new Set(nearest ? [nearest, ...known] : known)].filter((entry) => entry.from !== from);
      for (const each of again) drop(each);
      const sinceMs = Math.min(timeMs, ...again.map((each) => each.sinceMs));
      // Whoever was shown it in other words closes it by the number that it had then.
      const texts = [...new Set([text, ...again.flatMap((each) => each.texts)])];
      const entry = { text, from, timeMs, sinceMs, words, texts };
      const same = open.get(words.name);
      if (same) drop(same);
      open.set(words.name, entry);
      index.add(entry);
    }
  };
  const steps = () =>
    [...open.values()].map(({ words: _, texts: __, ...loop }): Loop => ({ id: lineId(loop.text), ...loop }));
  return { add, open: steps };
}

function numbered<T extends { texts: string[] }>(text: string, open: Map<unknown, T>): T[] {
  const ids = numbersIn(text);
  if (ids.length === 0) return [];
  return [...open.values()].filter(({ texts }) => texts.some((each) => ids.includes(lineId(each))));
}

function numbersIn(text: string): string[] {
  return text.includes('#') ? [...text.matchAll(/#(\d{6})(?!\d)/g)].map(([, id = '']) => id) : [];
}

/** Puts the words of a step behind the number that a line closes it by: `#482193` alone says nothing to who reads it later. */
export function closingWords(
  notes: Iterable<Pick<Note, 'digest'>>,
  closing: readonly string[],
): (line: string) => string {
  const wanted = new Set(closing.flatMap(numbersIn));
  const steps = new Map<string, string>();
  if (wanted.size > 0)
    for (const { digest } of notes)
      for (const text of digest.nextSteps) if (wanted.has(lineId(text))) steps.set(lineId(text), text);
  return (line) =>
    line.replace(/#(\d{6})(?!\d)/g, (number, id: string) => {
      const text = steps.get(id);
      const said = text === undefined || shared(wordsOf(text).all, wordsOf(line).all) >= 2;
      return said ? number : `${number} (${text})`;
    });
}

/** All decisions, each once, with those that later ones have taken the place of marked. */
export function decisionsOf(oldestFirst: readonly Note[]): Decision[] {
  type Entry = Decision & { words: Words };
  const all = new Set<Entry>();
  const index = createLineIndex<Entry>();
  for (const { id: from, timeMs, digest } of oldestFirst) {
    const own: Entry[] = [];
    const earlier = (words: Words) => index.near(words).filter((each) => each.supersededMs === null);
    for (const text of digest.closed ?? []) {
      // A decision that is struck out, or said to be off, in a later note.
      if (!text.startsWith('~~') && !REPLACES.test(text)) continue;
      const words = wordsOf(text);
      for (const each of earlier(words)) if (sameStep(words, each.words)) each.supersededMs = timeMs;
    }
    for (const text of digest.decisions) {
      const words = wordsOf(text);
      const near = earlier(words);
      const changed = near.find((each) => onlyNumbersDiffer(words, each.words));
      const replaced =
        changed ?? (REPLACES.test(text) ? near.find((each) => shared(words.all, each.words.all) >= 2) : undefined);
      if (replaced) replaced.supersededMs = timeMs;
      const again = replaced ? undefined : near.find((each) => equal(words.all, each.words.all));
      if (again) {
        all.delete(again);
        index.remove(again);
      }
      own.push({ text, from, timeMs, supersededMs: null, words });
    }
    // Decisions of one note do not take each other's place.
    for (const each of own) {
      all.add(each);
      index.add(each);
    }
  }
  return [...all].map(({ words: _, ...decision }) => decision);
}

function equal(a: Stems, b: Stems): boolean {
  const common = shared(a, b);
  return common / (a.length + b.length - common || 1) >= 0.8;
}

/** Facts, each once: where a later note gives other numbers in the same words, those count. */
export function latestFacts(oldestFirst: readonly Note[]): Said[] {
  const found = new Map<string, Said>();
  for (const { id: from, timeMs, digest } of oldestFirst)
    for (const text of digest.facts ?? []) {
      const key = wordsOf(text).letters.join(' ') || text;
      found.delete(key);
      found.set(key, { text, from, timeMs });
    }
  return [...found.values()];
}
