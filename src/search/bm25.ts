import type { Corpus, Entry, Postings } from './corpus.js';

/** How a text is cut into units that are scored alone. */
export interface Cut {
  /** Words of a unit; each next one begins half of this further. */
  words: number;
  /** How many times a term of the title counts in every unit of its document. */
  title: number;
}

/** One cut of all documents: which units each has, and how long they are. */
export interface Layout {
  cut: Cut;
  /** The units of document `d` are `first[d]` up to and without `first[d + 1]`. */
  first: Uint32Array;
  /** By document: k₁ · (1 − b + b · length / average), what its units' counts are measured against. */
  norm: Float64Array;
}

/** A term that is looked for; near terms weigh less than 1. */
export interface Wanted {
  term: string;
  weight: number;
}

const K1 = 1.2;
const B = 0.75;
/** What one occurrence gives at least, however long the unit (BM25+). */
const DELTA = 0.5;

/** The same documents are searched again and again: what they are cut into is kept for as long as they are. */
const layouts = new WeakMap<readonly Entry[], Map<Cut, Layout>>();

/** Cuts all documents; `entries` must not change afterwards. Units of one document are taken as equally long, the last one too. */
export function layOut(entries: readonly Entry[], cut: Cut): Layout {
  const known = layouts.get(entries) ?? new Map<Cut, Layout>();
  layouts.set(entries, known);
  const layout = known.get(cut) ?? newLayout(entries, cut);
  known.set(cut, layout);
  return layout;
}

function newLayout(entries: readonly Entry[], cut: Cut): Layout {
  const first = new Uint32Array(entries.length + 1);
  const norm = new Float64Array(entries.length);
  let total = 0;
  for (const [d, { words, titleTerms }] of entries.entries()) {
    const units = words <= cut.words ? 1 : Math.ceil((words - cut.words) / (cut.words / 2)) + 1;
    first[d + 1] = (first[d] as number) + units;
    norm[d] = Math.min(words, cut.words) + cut.title * titleTerms;
    total += units * (norm[d] as number);
  }
  const average = total / (first[entries.length] as number) || 1;
  for (let d = 0; d < norm.length; d++) norm[d] = K1 * (1 - B + (B * (norm[d] as number)) / average);
  return { cut, first, norm };
}

/** How much a term says that `df` of `n` units have. */
export function idf(n: number, df: number): number {
  return Math.log(1 + (n - df + 0.5) / (df + 0.5));
}

/** Which units a term stands in, and how often: written anew for each term. */
interface Found {
  unit: Uint32Array;
  tf: Float64Array;
  /** The units of the i-th document of the postings end here. */
  ends: Uint32Array;
}

export interface Matched {
  /** BM25 of every document's best unit; 0: no term stands in it. */
  scores: Float64Array;
  /** What a unit of average length gets that has every term once. */
  complete: number;
}

/** @param weights of each term's places, where some count less than others */
export function bestUnits(
  corpus: Corpus,
  layout: Layout,
  wanted: readonly Wanted[],
  weights: ReadonlyMap<string, Float32Array>,
): Matched {
  const { first, norm, cut } = layout;
  const units = first[norm.length] as number;
  const byUnit = new Float64Array(units);
  const scores = new Float64Array(norm.length);
  const best = new Float64Array(norm.length);
  let complete = 0;
  const most = Math.max(0, ...wanted.map(({ term }) => corpus.postings.get(term)?.places.length ?? 0));
  const found = {
    unit: new Uint32Array(2 * most),
    tf: new Float64Array(2 * most),
    ends: new Uint32Array(norm.length),
  };
  const { unit, tf, ends } = found;
  for (const { term, weight } of wanted) {
    const postings = corpus.postings.get(term);
    const df = postings ? find(found, postings, layout, weights.get(term)) : 0;
    const telling = weight * idf(units, df);
    complete += telling * saturated(1, K1);
    if (!postings) continue;
    for (let i = 0, u = 0; i < postings.docs.length; i++) {
      const d = postings.docs[i] as number;
      const k = norm[d] as number;
      const title = cut.title * (postings.titles[i] as number);
      const base = title > 0 ? saturated(title, k) : 0;
      scores[d] = (scores[d] as number) + telling * base;
      for (const end = ends[i] as number; u < end; u++) {
        const at = unit[u] as number;
        const score = (byUnit[at] as number) + telling * (saturated(title + (tf[u] as number), k) - base);
        byUnit[at] = score;
        // A unit's score only grows: the greatest that was seen is the greatest in the end.
        if (score > (best[d] as number)) best[d] = score;
      }
    }
  }
  for (let d = 0; d < norm.length; d++) scores[d] = (scores[d] as number) + (best[d] as number);
  return { scores, complete };
}

function saturated(tf: number, k: number): number {
  return DELTA + (tf * (K1 + 1)) / (tf + k);
}

/**
 * Fills `found` and gives how many units of the cut have the term, in their text or title. A place lies in the half of a
 * unit that `place / (words / 2)` names, and so in that unit and the one before.
 */
function find({ unit, tf, ends }: Found, postings: Postings, { cut, first }: Layout, weights?: Float32Array): number {
  const { docs, titles, starts, places } = postings;
  const half = cut.words / 2;
  let [df, n] = [0, 0];
  for (let i = 0; i < docs.length; i++) {
    const begin = first[docs[i] as number] as number;
    const last = (first[(docs[i] as number) + 1] as number) - 1;
    const before = n;
    const end = starts[i + 1] as number;
    for (let p = starts[i] as number; p < end; p++) {
      const weight = weights ? (weights[p] as number) : 1;
      const upper = begin + Math.trunc((places[p] as number) / half);
      const at = Math.min(upper, last);
      const newest = n > before ? (unit[n - 1] as number) : -1;
      const inTwo = upper > begin && upper <= last;
      if (newest === at) {
        tf[n - 1] = (tf[n - 1] as number) + weight;
        if (inTwo) tf[n - 2] = (tf[n - 2] as number) + weight;
        continue;
      }
      if (inTwo && newest === at - 1) tf[n - 1] = (tf[n - 1] as number) + weight;
      else if (inTwo) {
        unit[n] = at - 1;
        tf[n++] = weight;
      }
      unit[n] = at;
      tf[n++] = weight;
    }
    ends[i] = n;
    df += (titles[i] as number) > 0 && cut.title > 0 ? last + 1 - begin : n - before;
  }
  return df;
}
