import type { Caller } from '../../src/core/caller.js';
import type { Document } from '../../src/core/documents.js';
import type { Filter, View } from '../../src/core/ports.js';
import { rank } from '../../src/search/rank.js';

export interface Hit {
  document: Document;
  score: number;
}

/** Documents that have one of the terms, best first, as the search of the product ranks them by words alone. */
export async function hitsOf(
  view: View,
  caller: Caller,
  terms: string[],
  filter: Filter,
  limit: number,
): Promise<Hit[]> {
  const { corpus, scope, documents } = await view.corpus(caller, terms, filter);
  const query = { text: terms.join(' '), wanted: terms.map((term) => ({ term, weight: 1 })), order: terms };
  const { score } = rank(corpus, query, { scope, dense: null });
  const matched = new Set([...corpus.postings.values()].flatMap(({ docs }) => [...docs]));
  const best = [...matched]
    .filter((at) => scope[at])
    .sort((a, b) => (score[b] ?? 0) - (score[a] ?? 0) || a - b)
    .slice(0, limit);
  const found = await view.documents(
    caller,
    best.map((at) => documents[at]?.doc ?? 0),
  );
  return found.map(({ content: _, ...document }, at) => ({ document, score: score[best[at] ?? 0] ?? 0 }));
}
