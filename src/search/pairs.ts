import { idf } from './bm25.js';
import type { Corpus, Postings } from './corpus.js';

/** Stop words may stand between: "group of support" holds what "group support" asks for. */
const REACH = 2;

/** Σ idf(pair) · 2.2 n / (n + 1.2) over the query's adjacent terms, n: how often they stand so in a document's text. */
export function pairScores(corpus: Corpus, order: readonly string[]): Float64Array {
  const scores = new Float64Array(corpus.entries.length);
  const seen = new Set<string>();
  for (let i = 0; i + 1 < order.length; i++) {
    const [a, b] = [order[i] as string, order[i + 1] as string];
    const key = `${a} ${b}`;
    if (a === b || seen.has(key)) continue;
    seen.add(key);
    const [left, right] = [corpus.postings.get(a), corpus.postings.get(b)];
    if (left && right) addPair(scores, left, right);
  }
  return scores;
}

function addPair(scores: Float64Array, left: Postings, right: Postings): void {
  const docs: number[] = [];
  const counts: number[] = [];
  for (let i = 0, j = 0; i < left.docs.length && j < right.docs.length; ) {
    const [a, b] = [left.docs[i] as number, right.docs[j] as number];
    if (a === b) {
      const count = adjacent(left, i, right, j);
      if (count > 0) {
        docs.push(a);
        counts.push(count);
      }
    }
    if (a <= b) i++;
    if (b <= a) j++;
  }
  const telling = idf(scores.length, docs.length);
  for (const [i, d] of docs.entries()) {
    const n = counts[i] as number;
    scores[d] = (scores[d] as number) + (telling * 2.2 * n) / (n + 1.2);
  }
}

/** How many places of the left term have one of the right at the same word (parts of an identifier) or soon after. */
function adjacent(left: Postings, i: number, right: Postings, j: number): number {
  let count = 0;
  let r = right.starts[j] as number;
  const end = right.starts[j + 1] as number;
  for (let l = left.starts[i] as number; l < (left.starts[i + 1] as number); l++) {
    const place = left.places[l] as number;
    while (r < end && (right.places[r] as number) < place) r++;
    if (r < end && (right.places[r] as number) - place <= REACH) count++;
  }
  return count;
}
