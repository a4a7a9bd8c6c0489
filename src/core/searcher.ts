import { idf } from '../search/bm25.js';
import type { Postings } from '../search/corpus.js';
import { nearest, nearTerms } from '../search/near.js';
import type { Query } from '../search/query.js';
import { rank } from '../search/rank.js';
import { speakerNames, withoutNames } from '../search/speakers.js';
import type { Terms } from '../search/terms.js';
import type { Caller } from './caller.js';
import type { Document } from './documents.js';
import { LIMITS } from './limits.js';
import type { Filter, Found, View } from './ports.js';

/** What passages mean. */
export interface Semantics {
  /** Before a snapshot is taken: brings what was embedded since into memory. Never throws. */
  ready(): Promise<void>;
  /**
   * Null where nothing is embedded yet, or the model cannot be had in time: then words alone decide. `cosines` is the
   * view's own, for as long as the vectors are not in memory.
   */
  compare(
    text: string,
    documents: readonly { chunks: Uint8Array }[],
    cosines?: View['cosines'],
  ): Promise<Meaning | null>;
  /** Changes whenever the same question may be answered in another way though the memory is the same. */
  state(): string;
}

/** How near passages come in meaning to a query. */
export interface Meaning {
  /** Cosines of each document's best three passages, descending, three elements a document, NaN where there is none. */
  best: Float64Array;
  /** Cosine of one passage by its name (hex); NaN where it is not embedded. */
  passage(name: string): number;
}

export interface Hit {
  document: Document & { content: Uint8Array | null };
  score: number;
  /** The query's terms that stand in it. */
  terms: string[];
  /** Mean cosine of its best passages with the query, where meaning speaks for it; else null. */
  meaning: number | null;
}

export interface SearchResult {
  hits: Hit[];
  /** Documents that the filter takes. */
  searched: number;
  /** Terms that no note has, and near ones that notes have. */
  near: Map<string, string[]>;
  /** How much each term says: BM25's idf, less for near terms. */
  weights: Map<string, number>;
  /** Null where words alone decided. */
  meaning: Meaning | null;
}

/** A cosine from which on meaning speaks for a document, alone if need be. */
const MEANS_IT = 0.3;
/** A few that mean a little less are shown, too: a paraphrase may share no word at all. */
const MAY_MEAN_IT = 0.2;
const MOST_GUESSES = 3;
/** A note of the month, or within a day of the day, that the query names may be what is asked for without any of its words. */
const OF_THEN = 0.8;

/**
 * The best documents for a query, in one snapshot: the same on every mirror that stands at the same commit. `home` is the
 * caller's project: of two that are alike in all else its own comes first.
 */
export async function search(
  view: Pick<View, 'corpus' | 'vocabulary' | 'documents' | 'cosines'>,
  caller: Caller,
  query: Query,
  filter: Filter,
  options: { limit: number; semantics: Semantics | null; home?: string },
): Promise<SearchResult> {
  const { limit, semantics, home } = options;
  const held = [...query.phrases, ...query.without].flatMap(({ terms }) => terms);
  const terms = [...new Set([...query.wanted.map(({ term }) => term), ...held])];
  let found = await view.corpus(caller, terms, filter);
  const has = (term: string) => (found.corpus.postings.get(term)?.docs.length ?? 0) > 0;
  // One for each word: an identifier that no note has as a whole is known by its parts.
  const unknown = [...new Set(query.order)].filter((term) => !has(term));
  const near = await nearOf(view, unknown, async (more) => {
    found = await view.corpus(caller, [...terms, ...more], filter);
    return has;
  });
  const more = [...near.values()].flat();
  const { corpus, documents, scope } = found;
  const wanted = [...query.wanted, ...more];
  require(corpus.postings, query, scope);
  const text = withoutNames(query.text, speakerNames(corpus.entries));
  const meaning = text === '' || !semantics ? null : await semantics.compare(text, documents, view.cosines);
  const ranking = rank(
    corpus,
    { text: query.text, wanted, order: query.order },
    {
      scope,
      dense: meaning?.best ?? null,
      own: ownOf(documents, home),
    },
  );
  const matched = matchedIn(corpus.postings, wanted, documents.length);
  const cosine = (at: number) => ranking.dense?.[at] ?? Number.NaN;
  const spoken = (at: number) => matched[at] === 1 || cosine(at) >= MAY_MEAN_IT;
  const ofThen = (at: number) => (ranking.date[at] ?? 0) >= OF_THEN;
  let guesses = 0;
  const candidates: number[] = [];
  for (let at = 0; at < documents.length; at++)
    if (scope[at] === 1 && (spoken(at) || ofThen(at) || wanted.length === 0)) candidates.push(at);
  const best = candidates
    .sort((a, b) => Number(spoken(b)) - Number(spoken(a)) || (ranking.score[b] ?? 0) - (ranking.score[a] ?? 0) || a - b)
    .filter((at) => matched[at] === 1 || wanted.length === 0 || cosine(at) >= MEANS_IT || guesses++ < MOST_GUESSES)
    .slice(0, limit);
  const shown = await view.documents(
    caller,
    best.map((at) => documents[at]?.doc ?? 0),
  );
  const byPath = new Map(shown.map((document) => [document.path, document]));
  return {
    hits: best.flatMap((at) => {
      const document = byPath.get(documents[at]?.path ?? '');
      if (!document) return [];
      const standing = wanted.filter(({ term }) => stands(corpus.postings.get(term), at)).map(({ term }) => term);
      const meant = cosine(at);
      return {
        document,
        score: ranking.score[at] ?? 0,
        terms: standing,
        meaning: meant >= MAY_MEAN_IT ? meant : null,
      };
    }),
    searched: scope.reduce((sum, one) => sum + one, 0),
    near: new Map([...near].map(([term, guessed]) => [term, guessed.map((each) => each.term)])),
    weights: new Map(
      wanted.map(({ term, weight }) => {
        const having = corpus.postings.get(term)?.docs.length ?? 0;
        return [term, weight * idf(documents.length, having)];
      }),
    ),
    meaning,
  };
}

/** Which documents are of a project; kept for as long as the documents are. */
const owned = new WeakMap<Found['documents'], { home: string; own: Uint8Array }>();

function ownOf(documents: Found['documents'], home: string | undefined): Uint8Array | undefined {
  if (home === undefined) return undefined;
  const known = owned.get(documents);
  if (known?.home === home) return known.own;
  const own = Uint8Array.from(documents, ({ project }) => (project === home ? 1 : 0));
  owned.set(documents, { home, own });
  return own;
}

/** The vocabulary has words of notes that are gone or are somebody else's: only what `seen` finds stands for a word. */
async function nearOf(
  view: Pick<View, 'vocabulary'>,
  unknown: string[],
  seen: (terms: string[]) => Promise<(term: string) => boolean>,
): Promise<Map<string, { term: string; weight: number }[]>> {
  if (unknown.length === 0) return new Map();
  const vocabulary = await view.vocabulary();
  const all = unknown.slice(0, LIMITS.nearWords).map((term) => ({ term, near: nearTerms(term, vocabulary) }));
  for (let most = NEAR_ASKED; ; most *= 8) {
    const asked = all.flatMap(({ near }) => near.slice(0, most).map(({ term }) => term));
    const has = asked.length > 0 ? await seen(asked) : () => false;
    const found = all.map(({ term, near }) => ({
      term,
      near,
      known: near.slice(0, most).filter((each) => has(each.term)),
    }));
    const more = found.some(
      ({ near, known }) =>
        near.length > most && (near[most]?.edits ?? 0) <= (known[0]?.edits ?? FAR) && known.length < NEAR_ASKED,
    );
    if (!more)
      return new Map(found.filter(({ known }) => known.length > 0).map(({ term, known }) => [term, nearest(known)]));
  }
}

/** Near terms of a word that are looked up at first; more where they are nobody's the caller may see. */
const NEAR_ASKED = 4;
const FAR = Number.POSITIVE_INFINITY;

/** Takes out of scope what lacks a phrase that must be there, and what has one that must not. */
function require(postings: Map<string, Postings>, { phrases, without }: Query, scope: Uint8Array): void {
  for (const phrase of phrases) {
    const holding = holdersOf(postings, phrase);
    for (let at = 0; at < scope.length; at++) if (!holding.has(at)) scope[at] = 0;
  }
  for (const phrase of without) for (const at of holdersOf(postings, phrase)) scope[at] = 0;
}

/**
 * Documents where the terms stand as far from each other as in the phrase; a title holds it by having all of them, since
 * its places are not kept.
 */
function holdersOf(postings: Map<string, Postings>, { terms, places }: Terms): Set<number> {
  const [first, ...others] = terms.map((term, at) => ({ found: postings.get(term), offset: places[at] ?? 0 }));
  const holders = new Set<number>();
  if (!first?.found || others.some(({ found }) => !found)) return holders;
  const rest = others.map(({ found, offset }) => ({ found: found as Postings, offset: offset - first.offset }));
  first.found.docs.forEach((at, i) => {
    const titled = ({ docs, titles }: Postings) => {
      const index = lowerBound(docs, at);
      return docs[index] === at && (titles[index] ?? 0) > 0;
    };
    if (rest.length === 0 || (titled(first.found as Postings) && rest.every(({ found }) => titled(found)))) {
      holders.add(at);
      return;
    }
    const sets = rest.map(({ found, offset }) => ({ places: new Set(placesIn(found, at)), offset }));
    for (const place of placesIn(first.found as Postings, at, i))
      if (sets.every((each) => each.places.has(place + each.offset))) {
        holders.add(at);
        return;
      }
  });
  return holders;
}

function placesIn({ docs, starts, places }: Postings, at: number, index = lowerBound(docs, at)): Uint32Array {
  return docs[index] === at ? places.subarray(starts[index], starts[index + 1]) : new Uint32Array();
}

const stands = (postings: Postings | undefined, at: number) =>
  postings !== undefined && postings.docs[lowerBound(postings.docs, at)] === at;

function lowerBound(ascending: Uint32Array, value: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function matchedIn(postings: Map<string, Postings>, wanted: { term: string }[], size: number): Uint8Array {
  const matched = new Uint8Array(size);
  for (const { term } of wanted) for (const at of postings.get(term)?.docs ?? []) matched[at] = 1;
  return matched;
}
