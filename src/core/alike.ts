import type { Pause } from './pause.js';
import { EMPTY, STEM_LETTERS, sameThing, type Words, wordsOf } from './words.js';

/** Rare words that a line is found by, two at a time: what is the same thing shares most of its words. */
const RARE = 5;
const SLOT_BITS = 20;
/** Of the words of the shorter one, before two lines are looked at closely. */
const LEAST_SHARED = 0.5;

/** Lines in the same words. Everything here is small: there may be a hundred thousand. */
interface Group<T> {
  first: T;
  text: string;
  others: T[] | null;
  /** The words as numbers, ascending, each once. */
  stems: number[];
  words: Words | null;
}

/**
 * Puts lines that say one thing together, in whatever words; a group's first line is what others are compared with. A
 * line costs the same however many there are: it meets the last groups that had two of its rare words, as numbers.
 */
export async function groupsOf<T extends { text: string }>(lines: readonly T[], pause: Pause): Promise<T[][]> {
  const exact = new Map<number, Group<T>>();
  const counts = new Map<number, number>();
  for (const line of lines) {
    const { name, stems } = numbered(line.text);
    const same = exact.get(name);
    if (same) join(same, line);
    else {
      exact.set(name, { first: line, text: line.text, others: null, stems, words: null });
      for (const stem of stems) counts.set(stem, (counts.get(stem) ?? 0) + 1);
    }
    if (pause.due()) await pause.rest();
  }
  const slots = new Int32Array(1 << SLOT_BITS).fill(-1);
  const groups: Group<T>[] = [];
  for (const group of exact.values()) {
    const pairs = pairsOf(rarest(group.stems, counts));
    let at = nearest(group, pairs, slots, groups);
    const known = groups[at];
    if (known) for (const line of [group.first, ...(group.others ?? [])]) join(known, line);
    else at = groups.push(group) - 1;
    for (const pair of pairs) slots[pair] = at;
    if (pause.due()) await pause.rest();
  }
  return groups.map(({ first, others }) => (others === null ? [first] : [first, ...others]));
}

function join<T>(group: Group<T>, line: T): void {
  group.others ??= [];
  group.others.push(line);
}

/** Of the words that other lines have, too. */
function rarest(stems: readonly number[], counts: Map<number, number>): number[] {
  const rare: number[] = [];
  const many: number[] = [];
  for (const stem of stems) {
    const count = counts.get(stem) as number;
    if (count < 2 || (rare.length === RARE && count >= (many[RARE - 1] as number))) continue;
    let at = Math.min(rare.length, RARE - 1);
    for (; at > 0 && (many[at - 1] as number) > count; at--) {
      rare[at] = rare[at - 1] as number;
      many[at] = many[at - 1] as number;
    }
    rare[at] = stem;
    many[at] = count;
  }
  return rare.sort((a, b) => a - b);
}

/** A slot for every two of them. */
function pairsOf(stems: readonly number[]): number[] {
  const pairs: number[] = [];
  for (let one = 0; one < stems.length; one++)
    for (let other = one + 1; other < stems.length; other++)
      pairs.push(mixed(stems[one] as number, stems[other] as number) >>> (32 - SLOT_BITS));
  return pairs;
}

/** The group that says the same, -1 where none does. A long line has to share three of its rarest words with it. */
function nearest<T>(own: Group<T>, pairs: readonly number[], slots: Int32Array, groups: readonly Group<T>[]): number {
  const least = pairs.length === (RARE * (RARE - 1)) / 2 ? 2 : 1;
  for (let nth = 0; nth < pairs.length; nth++) {
    const at = slots[pairs[nth] as number] as number;
    if (at < 0) continue;
    let met = 0;
    let before = false;
    for (let other = 0; other < pairs.length; other++) {
      if (slots[pairs[other] as number] !== at) continue;
      met++;
      before ||= other < nth;
    }
    if (!before && met >= least && alike(groups[at] as Group<T>, own)) return at;
  }
  return -1;
}

function alike<T>(a: Group<T>, b: Group<T>): boolean {
  let [common, i, j] = [0, 0, 0];
  while (i < a.stems.length && j < b.stems.length) {
    const difference = (a.stems[i] as number) - (b.stems[j] as number);
    if (difference === 0) common++;
    if (difference <= 0) i++;
    if (difference >= 0) j++;
  }
  if (common < 2 || common < LEAST_SHARED * Math.min(a.stems.length, b.stems.length)) return false;
  a.words ??= wordsOf(a.text);
  b.words ??= wordsOf(b.text);
  return sameThing(a.words, b.words);
}

let letters: Uint8Array | undefined;
let empty: Set<number> | undefined;

/** A line without its case and marks as one number, and the beginnings of its words as numbers of 31 bits. */
function numbered(line: string): { name: number; stems: number[] } {
  letters ??= Uint8Array.from({ length: 65_536 }, (_, code) =>
    Number(/[\p{L}\p{N}_]/u.test(String.fromCharCode(code))),
  );
  empty ??= new Set([...EMPTY].map((word) => hashOf(word, 0, word.length)));
  const text = line.toLowerCase();
  const stems: number[] = [];
  let [one, other] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    if (letters[text.charCodeAt(at)] === 0) continue;
    const from = at;
    while (at < text.length && letters[text.charCodeAt(at)] === 1) at++;
    const word = hashOf(text, from, at);
    one = mixed(one, word);
    other = mixed(other ^ word, 0x2545f491);
    if (!empty.has(word)) insert(stems, at - from <= STEM_LETTERS ? word : hashOf(text, from, from + STEM_LETTERS));
  }
  return { name: (one >>> 0) * 2 ** 20 + (other >>> 12), stems };
}

/** In order, once. */
function insert(ascending: number[], value: number): void {
  let at = ascending.length;
  while (at > 0 && (ascending[at - 1] as number) > value) at--;
  if (ascending[at - 1] === value) return;
  ascending.splice(at, 0, value);
}

function hashOf(text: string, from: number, to: number): number {
  let hash = 0;
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    hash = mixed(hash, code === 0x451 ? 0x435 : code);
  }
  return hash >>> 1;
}

/** FNV-1a, 32 bits, with the high bits brought down. */
function mixed(hash: number, value: number): number {
  const product = Math.imul((hash || 0x811c9dc5) ^ value, 0x01000193);
  return product ^ (product >>> 15);
}
