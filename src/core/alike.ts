import type { Pause } from './pause.js';
import { mixed, readLine, type Stems, shared } from './stems.js';
import { sameThing, type Words, wordsOf } from './words.js';

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
  stems: Stems;
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
    const { name, all: stems } = readLine(line.text.toLowerCase());
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
  const common = shared(a.stems, b.stems);
  if (common < 2 || common < LEAST_SHARED * Math.min(a.stems.length, b.stems.length)) return false;
  a.words ??= wordsOf(a.text);
  b.words ??= wordsOf(b.text);
  return sameThing(a.words, b.words);
}
