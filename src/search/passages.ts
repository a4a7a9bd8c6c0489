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

/** BM25's; its b is 0, since all units are short. */
const K1 = 1.2;
/** What stands in the unit before and after, and above it, says what it is about. */
const BEFORE = 0.3;
const AFTER = 0.25;
const ABOVE = 0.25;
/** Beside the words' own, all in standard deviations: over the units, and over the documents. */
const COSINE_WEIGHT = 1;
const DOCUMENT_WEIGHT = 2;
/** A cosine from which on meaning speaks for a unit. */
const MEANS_IT = 0.3;
/** After so many units that do not fit the rest will not either. */
const MISSES = 40;
/** Nearly the same: this share of all neighbouring pairs of terms is in both. */
const SAME = 0.8;
/** So few terms are alike by chance, and cost little twice. */
const LEAST_TERMS = 12;

interface Scored extends Unit {
  document: number;
  /** Its place among the document's units. */
  place: number;
  score: number;
  /** A word or its meaning speaks for it. */
  speaks: boolean;
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
  /** For each unit, how often each of the wanted terms stands in it. */
  counts: Float64Array[];
  matched: Set<string>;
  terms: string[];
  /** Neighbouring terms, once somebody asks for them. */
  pairs?: Set<string>;
}

function readDocument({ text, chunks }: Found, wanted: ReadonlyMap<string, number>): Read {
  const numbers = new Map([...wanted.keys()].map((term, number) => [term, number]));
  const closest = chunks
    .toSorted((a, b) => b.cosine - a.cosine)
    .slice(0, 6)
    .map(({ from, to }): Range => [from, to]);
  const units = cutUnits(text, neighbourhoods(text, wanted, closest));
  const read: Read = { units, counts: [], matched: new Set(), terms: [] };
  const above = new Map<readonly string[], string[]>();
  for (const unit of units) {
    const counts = new Float64Array(numbers.size);
    const { terms } = analyse(`${unit.continues ? unit.speaker : ''} ${text.slice(unit.from, unit.to)}`);
    for (const term of terms) {
      read.terms.push(term);
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
  const [fewer, more] = shown.terms.length < other.terms.length ? [shown, other] : [other, shown];
  if (fewer.terms.length < Math.max(LEAST_TERMS, more.terms.length * SAME)) return false;
  for (const term of other.matched) if (!shown.matched.has(term)) return false;
  const [few, many] = [pairsOf(fewer), pairsOf(more)];
  let both = 0;
  for (const pair of few) if (many.has(pair)) both++;
  return both >= SAME * (few.size + many.size - both);
}

function pairsOf(read: Read): Set<string> {
  read.pairs ??= new Set(read.terms.map((term, at) => `${read.terms[at - 1] ?? ''} ${term}`));
  return read.pairs;
}

/** All units of the documents that are shown, best first. */
function scored(
  kept: readonly number[],
  documents: readonly Found[],
  read: readonly Read[],
  wanted: ReadonlyMap<string, number>,
): Scored[] {
  const idf = [...wanted.values()];
  const units: Scored[] = [];
  const lexical: number[] = [];
  const cosines: number[] = [];
  for (const document of kept) {
    const { units: own, counts } = read[document] as Read;
    const { chunks } = documents[document] as Found;
    for (const [place, unit] of own.entries()) {
      let sum = 0;
      for (const [number, weight] of idf.entries()) {
        const tf =
          (counts[place]?.[number] ?? 0) +
          BEFORE * (counts[place - 1]?.[number] ?? 0) +
          AFTER * (counts[place + 1]?.[number] ?? 0);
        sum += (weight * tf * (K1 + 1)) / (tf + K1);
      }
      const cosine = closeness(unit, chunks);
      lexical.push(sum);
      cosines.push(cosine);
      units.push({ ...unit, document, place, score: 0, speaks: sum > 0 || cosine >= MEANS_IT });
    }
  }
  const words = standardised(lexical);
  const meaning = standardised(cosines);
  const scores = standardised(kept.map((document) => (documents[document] as Found).score));
  const ofDocument = new Map(kept.map((document, i) => [document, scores[i] as number]));
  for (const [i, unit] of units.entries())
    unit.score =
      (words[i] as number) +
      COSINE_WEIGHT * (meaning[i] as number) +
      DOCUMENT_WEIGHT * (ofDocument.get(unit.document) as number);
  return units.sort((a, b) => b.score - a.score || a.document - b.document || a.place - b.place);
}

/** The cosine of the chunk that holds most of the unit, of several the closest; NaN where none is known. */
function closeness({ from, to }: Place, chunks: Found['chunks']): number {
  let best = Number.NaN;
  let most = 0;
  for (const chunk of chunks) {
    const shared = Math.min(to, chunk.to) - Math.max(from, chunk.from);
    if (shared <= 0 || shared < most) continue;
    best = shared > most ? chunk.cosine : Math.max(best, chunk.cosine);
    most = shared;
  }
  return best;
}

type Place = Pick<Unit, 'from' | 'to'>;

/** (value − mean) / deviation; 0 for what is not known (NaN), and where all are alike. */
function standardised(values: readonly number[]): number[] {
  const known = values.filter((value) => !Number.isNaN(value));
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const deviation = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length);
  return values.map((value) => (deviation > 1e-9 && !Number.isNaN(value) ? (value - mean) / deviation : 0));
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
    // Where only the title matches, the passage that is best all the same.
    if (said.has(words) || (!unit.speaks && taken.has(unit.document))) continue;
    const heading = headingsOf(unit, title).join(' › ');
    const section = `${unit.document} ${heading}`;
    // A gap and a line's end cost one each.
    let cost = 2 + (taken.has(unit.document) ? 0 : headerTokens);
    if (heading !== '' && !headed.has(section)) cost += count(heading) + 2;
    if (unit.continues && unit.speaker !== '') cost += count(unit.speaker) + 3;
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

/** Without marks of emphasis: they cost tokens and say little. Code stays as it is. */
function display(text: string, { from, to, code }: Unit): string {
  const own = text.slice(from, to).toWellFormed();
  if (code) return own.trimEnd();
  return own.trim().replace(/(?<![\p{L}\p{N}*])\*\*([^\s*](?:[^*\n]*[^\s*])?)\*\*(?![\p{L}\p{N}*])/gu, '$1');
}
