import type { Corpus, Entry, Postings } from '../search/corpus.js';
import { collect, rowsOf } from '../search/postings.js';
import type { Past, PastDocument } from './as-of.js';
import type { Caller } from './caller.js';
import { decodeText, type SearchRow } from './documents.js';
import { matches } from './filter.js';
import { searchRow } from './index-document.js';
import type { Filter, Found, View } from './ports.js';

/** What search needs of a view, as it was at an earlier time. */
export type PastView = Pick<View, 'corpus' | 'vocabulary' | 'documents' | 'cosines'>;

/** What was worked out once stays for as long as the document is held by anybody. */
const rows = new WeakMap<PastDocument, { search: SearchRow; terms: Map<string, { from: number; to: number }> }>();

/**
 * Searches the past as the present is searched: what is still as it was is looked up where it is now, what is not is read
 * here. `view` must stand at the generation that `past` was compared with. Documents of the past that are not served any
 * more have negative numbers.
 */
export function pastView(view: View, past: Past): PastView {
  const others = past.others.flatMap((each) => {
    const row = rowOf(each);
    return row ? [{ ...each, ...row }] : [];
  });

  async function corpus(caller: Caller, terms: string[], filter: Filter): Promise<Found> {
    const now = await view.corpus(caller, terms, filter);
    const all = [
      ...now.documents.flatMap(({ path }, at) => (past.same.has(path) ? [{ path, at, other: -1 }] : [])),
      ...others.map(({ document: { path } }, other) => ({ path, at: -1, other })),
    ].sort((a, b) => (a.path < b.path ? -1 : 1));
    /** Where what is at a place now, and what is no more, is among all. */
    const kept = new Int32Array(now.documents.length).fill(-1);
    const added = new Int32Array(others.length);
    for (const [index, { at, other }] of all.entries()) {
      if (at >= 0) kept[at] = index;
      else added[other] = index;
    }
    const entries = all.map(({ at, other }): Entry => {
      const past = others[other];
      return past ? { ...past.search.outline, timeMs: past.document.timeMs } : (now.corpus.entries[at] as Entry);
    });
    const postings: Corpus['postings'] = new Map(
      terms.map((term) => {
        const slices = others.flatMap(({ search: { page }, terms: own }, other) => {
          const row = own.get(term);
          return row ? [{ page, ...row, indexes: Int32Array.of(added[other] as number) }] : [];
        });
        return [term, joined(now.corpus.postings.get(term), kept, collect(slices, all.length))];
      }),
    );
    return {
      corpus: { entries, postings },
      scope: Uint8Array.from(all, ({ at, other }) => {
        const past = others[other];
        return past ? (matches(past.document, filter) ? 1 : 0) : (now.scope[at] ?? 0);
      }),
      documents: all.map(({ path, at, other }) => ({
        path,
        project: (other < 0 ? now.documents[at]?.project : others[other]?.document.project) ?? '',
        doc: other < 0 ? (now.documents[at]?.doc ?? 0) : -1 - other,
        chunks: (other < 0 ? now.documents[at]?.chunks : others[other]?.search.chunks) ?? new Uint8Array(),
      })),
    };
  }

  return {
    corpus,
    cosines: view.cosines,
    async vocabulary() {
      const found = new Set(await view.vocabulary());
      for (const { terms } of others) for (const term of terms.keys()) found.add(term);
      return found;
    },
    async documents(caller, docs) {
      const now = await view.documents(
        caller,
        docs.filter((doc) => doc >= 0),
      );
      const gone = docs.flatMap((doc) => others[-1 - doc] ?? []);
      return [...now, ...gone.map(({ document, content }) => ({ ...document, content }))];
    },
  };
}

function rowOf(past: PastDocument) {
  const known = rows.get(past);
  if (known) return known;
  const search = searchRow(past.document, decodeText(past.content).text);
  if (search === null) return null;
  const made = { search, terms: new Map(rowsOf(search.page)) };
  rows.set(past, made);
  return made;
}

/** Two terms' postings over one corpus: those of now, for documents that are `kept` somewhere in it, and others. */
function joined(now: Postings | undefined, kept: Int32Array, others: Postings): Postings {
  const parts: { index: number; titles: number; places: Uint32Array }[] = [];
  const take = ({ docs, titles, starts, places }: Postings, indexOf: (doc: number) => number) =>
    docs.forEach((doc, i) => {
      const index = indexOf(doc);
      if (index >= 0) parts.push({ index, titles: titles[i] ?? 0, places: places.subarray(starts[i], starts[i + 1]) });
    });
  if (now) take(now, (doc) => kept[doc] ?? -1);
  take(others, (doc) => doc);
  parts.sort((a, b) => a.index - b.index);
  const found: Postings = {
    docs: Uint32Array.from(parts, ({ index }) => index),
    titles: Uint16Array.from(parts, ({ titles }) => titles),
    starts: new Uint32Array(parts.length + 1),
    places: new Uint32Array(parts.reduce((sum, { places }) => sum + places.length, 0)),
  };
  let at = 0;
  for (const [i, { places }] of parts.entries()) {
    found.places.set(places, at);
    at += places.length;
    found.starts[i + 1] = at;
  }
  return found;
}
