/** Words shorter than this are too like each other; longer ones than this are no words. */
const SHORTEST = 4;
const LONGEST = 40;
/** A known term of so many letters may be the beginning of a word whose ending is mistyped and was not stemmed. */
const BEGINNING = 5;
const ENDING = 4;
/** The ending may be longer where what is before it is right. */
const LONG_ENDING = 7;
const MOST = 4;
const FAR = Number.POSITIVE_INFINITY;
const NO_WORD = /[^\p{L}\p{M}]/u;

/** A term that may have been meant, and how many edits away it is. */
export interface Near {
  term: string;
  edits: number;
}

/**
 * The terms of a vocabulary that may have been meant by a term that it does not have, nearest first: fewest edits (letters
 * added, left out, changed, two swapped; half a one more for another first letter), then most trigrams in common, then by
 * code units. What goes on where the word stops, or stops where the word has a mistyped ending, is one edit away. None for
 * what has digits or fewer than four letters: those are names, not typos.
 */
export function nearTerms(unknown: string, vocabulary: Iterable<string>): Near[] {
  if (unknown.length < SHORTEST || unknown.length > LONGEST || NO_WORD.test(unknown)) return [];
  const most = unknown.length < 7 ? 1 : unknown.length < 12 ? 2 : 3;
  const distanceOf = distanceFrom(unknown, most);
  const found: Near[] = [];
  for (const term of vocabulary) {
    const edits = distanceOf(term);
    if (edits <= most + 0.5 && term !== unknown && !NO_WORD.test(term)) found.push({ term, edits });
  }
  const own = trigrams(unknown);
  const alike = new Map(found.map(({ term }) => [term, likeness(own, term)]));
  const likenessOf = (term: string) => alike.get(term) ?? 0;
  return found.sort(
    (a, b) => a.edits - b.edits || likenessOf(b.term) - likenessOf(a.term) || (a.term < b.term ? -1 : 1),
  );
}

/** The few to look for, of terms in the order of `nearTerms`: those that are nearest. Weights are below 1. */
export function nearest(near: Near[]): { term: string; weight: number }[] {
  const [best] = near;
  return near
    .filter(({ edits }) => edits === best?.edits)
    .slice(0, MOST)
    .map(({ term, edits }) => ({ term, weight: Math.max(0.2, 0.75 - 0.2 * edits) }));
}

/** Most of a vocabulary is told apart by length, first letter and which letters there are, without counting edits. */
function distanceFrom(unknown: string, most: number): (term: string) => number {
  const edits = editsFrom(unknown);
  const mask = lettersOf(unknown);
  return (term) => {
    const longer = unknown.length - term.length;
    if (longer > LONG_ENDING || term.length < SHORTEST - 1) return FAR;
    const sameFirst = term[0] === unknown[0];
    if (longer < 0 && sameFirst && term.startsWith(unknown)) return 1;
    const begins = longer > 0 && sameFirst && term.length >= BEGINNING;
    if (longer < -most || (longer > most && !begins)) return FAR;
    const letters = lettersOf(term);
    // Each edit brings at most one letter that the other does not have.
    if (ones(letters & ~mask) > most || (!begins && ones(letters ^ mask) > 2 * most)) return FAR;
    const { whole, beginning } = edits(term, most);
    const ending = longer <= (beginning === 0 ? LONG_ENDING : ENDING);
    return Math.min(whole, begins && ending ? beginning + 1 : FAR) + (sameFirst ? 0 : 0.5);
  };
}

type Edits = (term: string, most: number) => { whole: number; beginning: number };

/** Optimal string alignment from one word: to the whole of it, and to its best beginning. Given up above `most`. */
function editsFrom(word: string): Edits {
  const columns = word.length + 1;
  let [before, last, row] = [new Uint8Array(columns), new Uint8Array(columns), new Uint8Array(columns)];
  return (term, most) => {
    for (let j = 0; j < columns; j++) last[j] = j;
    for (let i = 1; i <= term.length; i++) {
      const letter = term.charCodeAt(i - 1);
      const previous = i > 1 ? term.charCodeAt(i - 2) : -1;
      let least = i;
      row[0] = i;
      for (let j = 1; j < columns; j++) {
        const other = word.charCodeAt(j - 1);
        let edits = (last[j - 1] as number) + (letter === other ? 0 : 1);
        edits = Math.min(edits, (last[j] as number) + 1, (row[j - 1] as number) + 1);
        if (j > 1 && previous === other && letter === word.charCodeAt(j - 2))
          edits = Math.min(edits, (before[j - 2] as number) + 1);
        row[j] = edits;
        if (edits < least) least = edits;
      }
      [before, last, row] = [last, row, before];
      if (least > most) return { whole: most + 1, beginning: most + 1 };
    }
    return { whole: last[columns - 1] as number, beginning: Math.min(...last) };
  };
}

/** Which letters a word has, 32 kinds of them. */
function lettersOf(word: string): number {
  let letters = 0;
  for (let i = 0; i < word.length; i++) letters |= 1 << (word.charCodeAt(i) & 31);
  return letters;
}

function ones(bits: number): number {
  let left = bits - ((bits >>> 1) & 0x55555555);
  left = (left & 0x33333333) + ((left >>> 2) & 0x33333333);
  return Math.imul((left + (left >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function trigrams(word: string): Set<string> {
  const padded = `  ${word} `;
  const grams = new Set<string>();
  for (let i = 0; i + 3 <= padded.length; i++) grams.add(padded.slice(i, i + 3));
  return grams;
}

/** Trigrams in common, to those of both (Dice). */
function likeness(own: Set<string>, term: string): number {
  const theirs = trigrams(term);
  let shared = 0;
  for (const gram of theirs) if (own.has(gram)) shared++;
  return (2 * shared) / (own.size + theirs.size);
}
