import type { Document } from './documents.js';
import { type Stems, shared } from './stems.js';
import { createLineIndex, lineId, onlyNumbersDiffer, sameThing, type Words, wordsOf } from './words.js';

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
  type Entry = Omit<Loop, 'id'> & { words: Words };
  const open = new Map<number, Entry>();
  const index = createLineIndex<Entry>();
  const drop = (entry: Entry) => {
    open.delete(entry.words.name);
    index.remove(entry);
  };
  for (const { id: from, timeMs, digest } of oldestFirst) {
    const { nextSteps, closed = [] } = digest;
    for (const text of closed) {
      for (const entry of numbered(text, open)) drop(entry);
      const words = wordsOf(text);
      for (const entry of index.near(words)) if (sameThing(words, entry.words)) drop(entry);
    }
    for (const text of nextSteps) {
      const words = wordsOf(text);
      const known = numbered(text, open)[0] ?? index.near(words).find((entry) => sameThing(words, entry.words));
      // Two steps of one note are two, however alike.
      if (known && known.from !== from) drop(known);
      const sinceMs = known && known.from !== from ? known.sinceMs : timeMs;
      const entry = { text, from, timeMs, sinceMs, words };
      const same = open.get(words.name);
      if (same) drop(same);
      open.set(words.name, entry);
      index.add(entry);
    }
  }
  return [...open.values()].map(({ words: _, ...loop }) => ({ id: lineId(loop.text), ...loop }));
}

function numbered<T extends { text: string }>(text: string, open: Map<unknown, T>): T[] {
  if (!text.includes('#')) return [];
  const ids = [...text.matchAll(/#(\d{6})(?!\d)/g)].map(([, id]) => id);
  return ids.length === 0 ? [] : [...open.values()].filter((each) => ids.includes(lineId(each.text)));
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
      for (const each of earlier(words)) if (sameThing(words, each.words)) each.supersededMs = timeMs;
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
