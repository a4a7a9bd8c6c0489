import { bestUnits, type Cut, layOut, type Wanted } from './bm25.js';
import type { Corpus, Entry } from './corpus.js';
import { dateFit, namedDates } from './named-dates.js';
import { pairScores } from './pairs.js';
import { placeWeights, preferenceOf, speakerNames, withoutSpeaker } from './speakers.js';

export interface RankQuery {
  text: string;
  wanted: Wanted[];
  /** The query's terms word by word: neighbours are looked for side by side. */
  order: string[];
}

/** What is known of the documents beside the corpus: one element for each of `Corpus.entries`. */
export interface Circumstances {
  /** 1: to be ranked. */
  scope: Uint8Array;
  /**
   * Cosines of the query with each document's best three passages, descending, three elements a document, NaN where
   * there is none; null without vectors.
   */
  dense: Float64Array | null;
  /** 1: of the caller's own project. */
  own?: Uint8Array;
}

/** What speaks for each document; one value for each. */
export interface Evidence {
  /**
   * BM25 of the best 200 and of the best 60 words, and of pairs of neighbours; 0: no match. In shares of what 200 words
   * get that have every term of the query once, so that they mean the same for any query and any number of documents.
   */
  lexical: Record<'window' | 'passage' | 'pairs', Float64Array>;
  /** Mean cosine of the best passages, the first counting most; null without vectors, NaN for a document without. */
  dense: Float64Array | null;
  /** 0 to 1: how well its time fits a date that the query names. */
  date: Float64Array;
}

export interface Ranking extends Evidence {
  /** The sum by which documents are ordered; 0 out of scope. */
  score: Float64Array;
}

const WINDOW: Cut = { words: 200, title: 3 };
const PASSAGE: Cut = { words: 60, title: 2 };

/**
 * What each kind of evidence counts (docs/search.md tells how they were chosen). `wordless` is added to what meaning
 * counts as far as no document has the query's words: what little they find then says little.
 */
export const WEIGHTS = { window: 1.6, passage: 1.25, pairs: 0.85, dense: 3.2, wordless: 4, date: 2.1 };

/** Tie-breakers: together less than one rare word makes. */
const RECENCY = 0.02;
const OWN = 0.02;
const HALF_LIFE_MS = 90 * 86_400_000;

/** Lexical scores of documents in which somebody else than asked for speaks. */
const OTHERS_LEXICAL = 0.3;
const OTHERS_COSINE = -0.3;

/** Scores of all documents for a query; the same on every machine. Costs one pass over the places for each cut. */
export function rank(corpus: Corpus, query: RankQuery, circumstances: Circumstances): Ranking {
  const evidence = evidenceOf(corpus, query, circumstances.dense);
  return { ...evidence, score: fuse(corpus.entries, evidence, circumstances) };
}

function evidenceOf(corpus: Corpus, query: RankQuery, dense: Float64Array | null): Evidence {
  const { entries } = corpus;
  const people = speakerNames(entries);
  const preference = preferenceOf(query.text, people);
  const weights = new Map<string, Float32Array>();
  if (preference) {
    for (const { term } of query.wanted) {
      const postings = corpus.postings.get(term);
      if (postings) weights.set(term, placeWeights(corpus, postings, preference));
    }
  }
  const { scores: window, complete } = bestUnits(corpus, layOut(entries, WINDOW), query.wanted, weights);
  const { scores: passage } = bestUnits(corpus, layOut(entries, PASSAGE), query.wanted, weights);
  const lexical = { window, passage, pairs: pairScores(corpus, query.order) };
  const cosine = dense && meanCosines(dense);
  const others = preference && withoutSpeaker(entries, people, preference);
  for (const scores of Object.values(lexical)) {
    for (let d = 0; d < scores.length; d++) {
      scores[d] = ((scores[d] as number) / (complete || 1)) * (others?.[d] ? OTHERS_LEXICAL : 1);
    }
  }
  if (cosine && others) {
    for (let d = 0; d < cosine.length; d++) if (others[d]) cosine[d] = (cosine[d] as number) + OTHERS_COSINE;
  }
  const dates = namedDates(query.text);
  const date = new Float64Array(entries.length);
  if (dates.length > 0) for (const [d, { timeMs }] of entries.entries()) date[d] = dateFit(timeMs, dates);
  return { lexical, dense: cosine, date };
}

/** Kept for as long as the documents are: the same ones are searched again and again. */
const recencies = new WeakMap<readonly Entry[], Float64Array>();

/** By the newest document's clock, not by ours: the same documents are ranked alike at any time. */
function recencyOf(entries: readonly Entry[]): Float64Array {
  const known = recencies.get(entries);
  if (known) return known;
  let newest = 0;
  for (const { timeMs } of entries) newest = Math.max(newest, timeMs);
  const recency = Float64Array.from(entries, ({ timeMs }) => RECENCY * 2 ** ((timeMs - newest) / HALF_LIFE_MS));
  recencies.set(entries, recency);
  return recency;
}

/** The evidence as one number for each document. */
function fuse(
  entries: readonly Entry[],
  { lexical: { window, passage, pairs }, dense, date }: Evidence,
  { scope, own }: Circumstances,
): Float64Array {
  const most = greatest(window, scope);
  const meaning = WEIGHTS.dense + WEIGHTS.wordless * (1 - Math.min(1, most));
  const cosine = dense && withGuesses(dense, window, most, scope);
  const recency = recencyOf(entries);
  const score = new Float64Array(entries.length);
  for (let d = 0; d < score.length; d++) {
    if (!scope[d]) continue;
    score[d] =
      WEIGHTS.window * (window[d] as number) +
      WEIGHTS.passage * (passage[d] as number) +
      WEIGHTS.pairs * (pairs[d] as number) +
      (cosine ? meaning * (cosine[d] as number) : 0) +
      WEIGHTS.date * (date[d] as number) +
      (recency[d] as number) +
      (own?.[d] ? OWN : 0);
  }
  return score;
}

/** A document that is not embedded yet is judged by its words: the best of them is as near as the nearest one. */
function withGuesses(dense: Float64Array, window: Float64Array, most: number, scope: Uint8Array): Float64Array {
  let [n, sum, nearest] = [0, 0, 0];
  for (let d = 0; d < dense.length; d++) {
    const cosine = dense[d] as number;
    if (!scope[d] || Number.isNaN(cosine)) continue;
    n++;
    sum += cosine;
    nearest = Math.max(nearest, cosine);
  }
  const mean = n > 0 ? sum / n : 0;
  return dense.map((cosine, d) =>
    Number.isNaN(cosine) ? mean + (nearest - mean) * ((window[d] as number) / (most || 1)) : cosine,
  );
}

/** (c₁ + c₂/2 + c₃/4) over the weights of those that exist: a short note has one passage. */
export function meanCosines(dense: Float64Array): Float64Array {
  const means = new Float64Array(dense.length / 3);
  for (let d = 0; d < means.length; d++) {
    let [sum, weights] = [0, 0];
    for (let i = 0; i < 3 && !Number.isNaN(dense[3 * d + i]); i++) {
      sum += (dense[3 * d + i] as number) / 2 ** i;
      weights += 1 / 2 ** i;
    }
    means[d] = sum / weights;
  }
  return means;
}

function greatest(values: Float64Array, scope: Uint8Array): number {
  let most = 0;
  for (let d = 0; d < values.length; d++) if (scope[d]) most = Math.max(most, values[d] as number);
  return most;
}
