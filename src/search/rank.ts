import { bestUnits, type Cut, layOut, titleScores, type Wanted } from './bm25.js';
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
  /** Cosines of the query with each document's best three passages, descending, three elements a document, NaN where there is none; null without vectors. */
  dense: Float64Array | null;
  /** 1: of the caller's own project. */
  own?: Uint8Array;
  nowMs: number;
}

/** What speaks for each document; one value for each. 0 lexical: no match. */
export interface Evidence {
  /** BM25 of the whole document, its best 200 and its best 60 words, its title; pairs of neighbours. */
  lexical: Record<LexicalName, Float64Array>;
  /** Mean cosine of the best passages, the first counting most; null without vectors, NaN for a document without. */
  dense: Float64Array | null;
  /** 0 to 1: how well its time fits a date that the query names. */
  date: Float64Array;
}

export interface Ranking extends Evidence {
  /** The sum by which documents are ordered; 0 out of scope. */
  score: Float64Array;
}

type LexicalName = 'whole' | 'window' | 'passage' | 'title' | 'pairs';

const CUTS: Record<'whole' | 'window' | 'passage', Cut> = {
  whole: { words: Number.POSITIVE_INFINITY, title: 3 },
  window: { words: 200, title: 3 },
  passage: { words: 60, title: 2 },
};

/** Weights of the features, each counted in its standard deviations over the scope. */
export const WEIGHTS = { whole: 0.1, window: 0.45, passage: 0.2, title: 0.1, pairs: 0.1, dense: 0.75, date: 0.6 };

/** Tie-breakers: less than any difference that the words make. */
const RECENCY = 0.03;
const OWN = 0.03;
const HALF_LIFE_MS = 90 * 86_400_000;

/** Lexical scores of documents in which somebody else than asked for speaks. */
const OTHERS_LEXICAL = 0.3;
const OTHERS_COSINE = -0.3;

/** Scores of all documents for a query; the same on every machine. Costs one pass over the places for each cut. */
export function rank(corpus: Corpus, query: RankQuery, circumstances: Circumstances): Ranking {
  const evidence = evidenceOf(corpus, query, circumstances.dense);
  return { ...evidence, score: fuse(corpus.entries, evidence, circumstances) };
}

export function evidenceOf(corpus: Corpus, query: RankQuery, dense: Float64Array | null): Evidence {
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
  const best = (cut: Cut) => bestUnits(corpus, layOut(entries, cut), query.wanted, weights);
  const lexical = {
    whole: best(CUTS.whole),
    window: best(CUTS.window),
    passage: best(CUTS.passage),
    title: titleScores(corpus, query.wanted),
    pairs: pairScores(corpus, query.order),
  };
  const cosine = dense && meanCosines(dense);
  if (preference) {
    for (const [d, other] of withoutSpeaker(entries, people, preference).entries()) {
      if (!other) continue;
      for (const scores of Object.values(lexical)) scores[d] = (scores[d] as number) * OTHERS_LEXICAL;
      if (cosine) cosine[d] = (cosine[d] as number) + OTHERS_COSINE;
    }
  }
  const dates = namedDates(query.text);
  const date = Float64Array.from(entries, ({ timeMs }) => (dates.length > 0 ? dateFit(timeMs, dates) : 0));
  return { lexical, dense: cosine, date };
}

/** The evidence as one number for each document. */
export function fuse(
  entries: readonly Entry[],
  { lexical, dense, date }: Evidence,
  { scope, own, nowMs }: Circumstances,
  weights: typeof WEIGHTS = WEIGHTS,
): Float64Array {
  const score = new Float64Array(entries.length);
  const add = (values: Float64Array, weight: number) => {
    for (let d = 0; d < score.length; d++) score[d] = (score[d] as number) + weight * (values[d] as number);
  };
  for (const name of Object.keys(lexical) as LexicalName[]) add(standardised(lexical[name], scope), weights[name]);
  if (dense) {
    const window = standardised(lexical.window, scope);
    // Not embedded yet: judged by its words alone.
    const cosine = standardised(dense, scope).map((z, d) => (Number.isNaN(dense[d]) ? (window[d] as number) : z));
    add(cosine, weights.dense);
  }
  add(standardised(date, scope), weights.date);
  add(
    Float64Array.from(entries, ({ timeMs }) => 2 ** (-Math.max(0, nowMs - timeMs) / HALF_LIFE_MS)),
    RECENCY,
  );
  if (own) add(Float64Array.from(own), OWN);
  for (let d = 0; d < score.length; d++) if (!scope[d]) score[d] = 0;
  return score;
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

/** (value − mean) / deviation over the scope; all 0 where all are alike. NaN counts for nothing and stays. */
function standardised(values: Float64Array, scope: Uint8Array): Float64Array {
  let [n, sum, squares] = [0, 0, 0];
  for (let d = 0; d < values.length; d++) {
    const value = values[d] as number;
    if (!scope[d] || Number.isNaN(value)) continue;
    n++;
    sum += value;
  }
  const mean = n > 0 ? sum / n : 0;
  for (let d = 0; d < values.length; d++) {
    const value = values[d] as number;
    if (scope[d] && !Number.isNaN(value)) squares += (value - mean) ** 2;
  }
  const deviation = n > 0 ? Math.sqrt(squares / n) : 0;
  return deviation > 1e-12 ? values.map((value) => (value - mean) / deviation) : new Float64Array(values.length);
}
