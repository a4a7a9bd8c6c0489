import { analyse } from './analyse.js';
import { neighbourhoods } from './neighbourhood.js';
import { cutUnits, type Range, type Unit } from './units.js';

/** A document that was found. */
export interface Found {
  title: string;
  text: string;
  /** As the ranking gave it. */
  score: number;
  /** Tokens of what is said of it before its passages. */
  headerTokens: number;
  /** How close in meaning its chunks are to the query: characters of the text, and the cosine. Empty without vectors. */
  chunks: readonly { from: number; to: number; cosine: number }[];
}

export interface Question {
  /** The query's terms and how much each tells (BM25's idf). */
  wanted: ReadonlyMap<string, number>;
  budgetTokens: number;
  count: (text: string) => number;
}

export interface Passage {
  /** From the outermost; without the document's own title. */
  headings: readonly string[];
  text: string;
  /** 0 for the best of the answer: whoever needs room drops the last. */
  rank: number;
  /** It follows the passage before without a gap. */
  adjoins: boolean;
  /** In the same paragraph. */
  continues: boolean;
}

export interface Shown {
  /** Which of the documents that were given. */
  at: number;
  /** In the order of the text; empty where there was room for its title alone. */
  passages: Passage[];
  /** Which of the wanted terms stand in it. */
  matched: string[];
  /** Documents with nearly the same text, which are not shown. */
  also: number[];
}

const K1 = 1.2;
const B = 0.5;
/** What stands in the unit before and after, and above it, says what it is about. */
const BEFORE = 0.5;
const AFTER = 0.25;
const ABOVE = 0.25;
const COSINE_WEIGHT = 1;
const DOCUMENT_WEIGHT = 1.5;
/** After so many units that do not fit the rest will not either. */
const MISSES = 40;
/** Nearly the same: this share of all neighbouring pairs of terms is in both. */
const SAME = 0.8;

interface Scored extends Unit {
  document: number;
  /** Its place among the document's units. */
  place: number;
  score: number;
}

/** What is shown of the documents (best first) within a budget: their best passages, and none of nearly the same twice. */
export function packPassages(documents: readonly Found[], question: Question): Shown[] {
  const read = documents.map((document) => readDocument(document, question.wanted));
  const also = folded(read);
  const kept = [...also.keys()];
  const units = scored(kept, documents, read, question.wanted);
  const taken = packed(units, documents, question);
  // A title without a passage is still worth more than nothing.
  let room = question.budgetTokens - taken.tokens;
  return kept.flatMap((at) => {
    const passages = taken.units.get(at);
    const { headerTokens } = documents[at] as Found;
    if (!passages && headerTokens > room) return [];
    if (!passages) room -= headerTokens;
    return {
      at,
      passages: passagesOf(documents[at] as Found, passages ?? []),
      matched: [...(read[at] as Read).matched],
      also: also.get(at) as number[],
    };
  });
}

interface Read {
  units: Unit[];
  /** For each unit, how often each of the wanted terms stands in it, and how many words it has. */
  counts: Float64Array[];
  words: number[];
  matched: Set<string>;
  pairs: Set<string>;
}

function readDocument({ text, chunks }: Found, wanted: ReadonlyMap<string, number>): Read {
  const numbers = new Map([...wanted.keys()].map((term, number) => [term, number]));
  const closest = chunks
    .toSorted((a, b) => b.cosine - a.cosine)
    .slice(0, 6)
    .map(({ from, to }): Range => [from, to]);
  const units = cutUnits(text, neighbourhoods(text, wanted, closest));
  const read: Read = { units, counts: [], words: [], matched: new Set(), pairs: new Set() };
  const above = new Map<readonly string[], string[]>();
  let last = '';
  for (const unit of units) {
    const counts = new Float64Array(numbers.size);
    const { terms, words } = analyse(`${unit.continues ? unit.speaker : ''} ${text.slice(unit.from, unit.to)}`);
    for (const term of terms) {
      read.pairs.add(`${last} ${term}`);
      last = term;
      const number = numbers.get(term);
      if (number === undefined) continue;
      counts[number] = (counts[number] as number) + 1;
      read.matched.add(term);
    }
    const over = above.get(unit.headings) ?? analyse(unit.headings.join('\n')).terms;
    above.set(unit.headings, over);
    for (const term of over) {
      const number = numbers.get(term);
      if (number === undefined) continue;
      counts[number] = (counts[number] as number) + ABOVE;
      read.matched.add(term);
    }
    read.counts.push(counts);
    read.words.push(words);
  }
  return read;
}

/** The documents to show, each with those that say nearly the same; of several the best stands for all. */
function folded(read: readonly Read[]): Map<number, number[]> {
  const kept = new Map<number, number[]>();
  for (const [at, document] of read.entries()) {
    const like = [...kept.keys()].find((other) => nearlySame(read[other] as Read, document));
    if (like === undefined) kept.set(at, []);
    else kept.get(like)?.push(at);
  }
  return kept;
}

/** Nothing that was asked for is folded away: all its matching terms stand in the other too. */
function nearlySame(shown: Read, other: Read): boolean {
  const [few, many] = [shown.pairs, other.pairs].sort((a, b) => a.size - b.size) as [Set<string>, Set<string>];
  if (few.size < many.size * SAME || few.size === 0) return false;
  for (const term of other.matched) if (!shown.matched.has(term)) return false;
  let both = 0;
  for (const pair of few) if (many.has(pair)) both++;
  return both >= SAME * (few.size + many.size - both);
}

/** All units of the documents that are shown, best first. */
function scored(
  kept: readonly number[],
  documents: readonly Found[],
  read: readonly Read[],
  wanted: ReadonlyMap<string, number>,
): Scored[] {
  const idf = [...wanted.values()];
  const all = kept.flatMap((at) => (read[at] as Read).words);
  const meanWords = all.reduce((sum, words) => sum + words, 0) / Math.max(1, all.length);
  const units: Scored[] = [];
  const lexical: number[] = [];
  const cosines: number[] = [];
  for (const document of kept) {
    const { units: own, counts, words } = read[document] as Read;
    const { chunks } = documents[document] as Found;
    for (const [place, unit] of own.entries()) {
      const norm = K1 * (1 - B + (B * (words[place] as number)) / meanWords);
      let sum = 0;
      for (const [number, weight] of idf.entries()) {
        const tf =
          (counts[place]?.[number] ?? 0) +
          BEFORE * (counts[place - 1]?.[number] ?? 0) +
          AFTER * (counts[place + 1]?.[number] ?? 0);
        if (tf > 0) sum += (weight * tf * (K1 + 1)) / (tf + norm);
      }
      lexical.push(sum);
      cosines.push(closeness(unit, chunks));
      units.push({ ...unit, document, place, score: 0 });
    }
  }
  const z = standardised(lexical);
  const c = standardised(cosines);
  for (const [i, unit] of units.entries())
    unit.score =
      (z[i] as number) + COSINE_WEIGHT * (c[i] as number) + DOCUMENT_WEIGHT * (documents[unit.document] as Found).score;
  return units.sort((a, b) => b.score - a.score || a.document - b.document || a.place - b.place);
}

/** The cosine of the chunk that holds most of the unit; of several the closest. */
function closeness({ from, to }: Place, chunks: Found['chunks']): number {
  let best = 0;
  let most = 0;
  for (const chunk of chunks) {
    const shared = Math.min(to, chunk.to) - Math.max(from, chunk.from);
    if (shared <= 0 || shared < most * 0.99) continue;
    best = shared > most * 1.01 ? chunk.cosine : Math.max(best, chunk.cosine);
    most = Math.max(most, shared);
  }
  return best;
}

type Place = Pick<Unit, 'from' | 'to'>;

/** (x − mean) / standard deviation; 0 where all are the same. */
function standardised(values: readonly number[]): number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length);
  const deviation = Math.sqrt(variance);
  return values.map((value) => (deviation > 1e-12 ? (value - mean) / deviation : 0));
}

/** Best first as long as the budget lasts; what does not fit is passed over, what was shown already too. */
function packed(
  units: readonly Scored[],
  documents: readonly Found[],
  { budgetTokens, count }: Question,
): { units: Map<number, (Scored & { rank: number })[]>; tokens: number } {
  const taken = new Map<number, (Scored & { rank: number })[]>();
  const said = new Set<string>();
  const headed = new Set<string>();
  let tokens = 0;
  let misses = 0;
  let rank = 0;
  for (const unit of units) {
    const { title, text, headerTokens } = documents[unit.document] as Found;
    const words = display(text, unit);
    if (said.has(words)) continue;
    const heading = headingsOf(unit, title).join(' › ');
    const section = `${unit.document} ${heading}`;
    // A gap and a line's end cost one each.
    let cost = 2 + (taken.has(unit.document) ? 0 : headerTokens);
    if (heading !== '' && !headed.has(section)) cost += count(heading) + 2;
    // Hardly any text has more than ten characters to the token: such need no counting.
    const room = budgetTokens - tokens - cost;
    const own = words.length > room * 10 ? Number.POSITIVE_INFINITY : count(words);
    if (own > room) {
      if (++misses >= MISSES) break;
      continue;
    }
    tokens += cost + own;
    said.add(words);
    headed.add(section);
    const chosen = { ...unit, rank: rank++ };
    const others = taken.get(unit.document);
    if (others) others.push(chosen);
    else taken.set(unit.document, [chosen]);
  }
  return { units: taken, tokens };
}

function passagesOf({ title, text }: Found, units: (Scored & { rank: number })[]): Passage[] {
  let place = -2;
  return units
    .sort((a, b) => a.place - b.place)
    .map((unit) => {
      const adjoins = unit.place === place + 1;
      place = unit.place;
      const continues = adjoins && unit.continues;
      const words = display(text, unit);
      return {
        headings: headingsOf(unit, title),
        // Out of the middle of what somebody says: who says it.
        text: unit.continues && !continues && unit.speaker !== '' ? `${unit.speaker}: …${words}` : words,
        rank: unit.rank,
        adjoins,
        continues,
      };
    });
}

function headingsOf({ headings }: Unit, title: string): readonly string[] {
  return headings[0] === title ? headings.slice(1) : headings;
}

/** The unit without what surrounds it and without marks of emphasis, which cost tokens and say little. */
function display(text: string, { from, to }: Place): string {
  return text.slice(from, to).trim();
}
