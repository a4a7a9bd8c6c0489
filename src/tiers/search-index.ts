import type { Caller } from '../core/caller.js';
import { MemoryError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import type { Filter, Found } from '../core/ports.js';
import type { Entry, Postings } from '../search/corpus.js';
import { collect, damaged, type Page, pageNumber, rowsOf, type Slice } from '../search/postings.js';
import { bytesOf, conditions, type Dialect, type Query } from './rows.js';
import { searchMerge } from './search-merge.js';
import { outlineIn, pageIn, type Segment, searchRows } from './search-rows.js';

/** A document as ranking knows it; never changes under its number. */
interface Known {
  doc: number;
  path: string;
  project: string;
  entry: Entry;
  chunks: Uint8Array;
}

/** The documents that some caller may see, in the order of their paths, and where each is in the segments. */
interface Stand {
  key: string;
  documents: Known[];
  entries: Entry[];
  /** Where each document is in the two. */
  indexes: Map<number, number>;
  segments: Map<number, Int32Array>;
}

interface TailDocument {
  doc: number;
  page: Page;
  /** Where each term is in its page. */
  rows: Map<string, { from: number; to: number }>;
}

/** What never changes as long as the mirror is the same one: numbers begin anew in one that was dropped and made again. */
interface Memory {
  incarnation: string;
  known: Map<number, Known>;
  segments: Map<number, Segment>;
  tail: Map<number, TailDocument>;
  stands: Stand[];
  /** The terms of those segments. */
  vocabulary: { of: string; terms: Set<string> };
}

const memoryOf = (incarnation: string): Memory => ({
  incarnation,
  known: new Map(),
  segments: new Map(),
  tail: new Map(),
  stands: [],
  vocabulary: { of: '', terms: new Set() },
});

/**
 * The search index of every SQL mirror. New documents keep their own page of terms (the tail); when there are many of
 * them they are merged into a segment, whose pages each hold some terms of all. A segment never changes: what died in
 * it is passed over. What never changes is remembered here, so that a search reads only the pages of its terms.
 */
export function searchIndex(origin: string, dialect: Dialect) {
  const rows = searchRows(origin, dialect);
  let kept = memoryOf('');
  const { listed, among, add, remove, numbers, tailOf, segmentsOf, remembered } = rows;

  const learn = (query: Query, { known }: Memory, docs: number[]) =>
    remembered(known, docs, async (missing) => {
      const rows = await query(
        `SELECT d.doc, d.path, d.project, d.time_ms, s.outline, s.chunks, s.hash FROM documents d JOIN documents_search s ON s.doc = d.doc
         WHERE d.doc ${among('$1')}`,
        [missing],
      );
      return rows.map((row) => {
        const { outline, chunks } = outlineIn(row);
        const entry: Entry = { ...outline, timeMs: Number(row.time_ms) };
        const doc = Number(row.doc);
        return [doc, { doc, path: String(row.path), project: String(row.project), entry, chunks }];
      });
    });

  async function docsWhere(query: Query, caller: Caller, filter: Filter): Promise<number[]> {
    const { text, values } = conditions(origin, caller, filter);
    const [row] = await query(
      // What the indexes of served documents hold, and no more: a row is as long as its note.
      `SELECT string_agg(CAST(d.doc AS text), ',') AS docs FROM documents d WHERE ${text}`,
      values,
    );
    return numbers(row?.docs);
  }

  /** Documents without a word in them, or too large for the index: few. */
  async function wordless(query: Query): Promise<Set<number>> {
    const [row] = await query(
      `SELECT string_agg(CAST(d.doc AS text), ',') AS docs FROM documents d
       WHERE d.origin = $1 AND d.live = 1 AND d.indexed = 0`,
      [origin],
    );
    return new Set(numbers(row?.docs));
  }

  async function standOf(query: Query, memory: Memory, caller: Caller, generation: number): Promise<Stand> {
    const { stands } = memory;
    const { text, values } = conditions(origin, caller, {});
    const key = JSON.stringify([generation, text, values]);
    const at = stands.findIndex((each) => each.key === key);
    const [before] = at < 0 ? [] : stands.splice(at, 1);
    if (before) {
      stands.push(before);
      return before;
    }
    const without = await wordless(query);
    const docs = (await docsWhere(query, caller, {})).filter((doc) => !without.has(doc));
    const documents = await learn(query, memory, docs);
    const paged = new Set(await tailOf(query));
    for (const segment of await segmentsOf(query, memory.segments)) for (const doc of segment.docs) paged.add(doc);
    // One that the index lacks would never be found.
    if (documents.length < docs.length || docs.some((doc) => !paged.has(doc))) throw damaged();
    documents.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.doc - b.doc));
    const made: Stand = {
      key,
      documents,
      entries: documents.map(({ entry }) => entry),
      indexes: new Map(documents.map(({ doc }, index) => [doc, index])),
      segments: new Map(),
    };
    stands.push(made);
    if (stands.length > LIMITS.searchViews) stands.shift();
    return made;
  }

  function indexesIn(stand: Stand, { segment, docs }: Segment): Int32Array {
    let indexes = stand.segments.get(segment);
    if (!indexes) {
      indexes = Int32Array.from(docs, (doc) => stand.indexes.get(doc) ?? -1);
      stand.segments.set(segment, indexes);
    }
    return indexes;
  }

  /** The documents in the tail, each with its own page. */
  async function tailPages(query: Query, { tail }: Memory): Promise<TailDocument[]> {
    return remembered(tail, await tailOf(query), async (missing) => {
      const rows = await query(`SELECT t.doc, t.page, t.hash FROM documents_tail t WHERE t.doc ${among('$1')}`, [
        missing,
      ]);
      return rows.map((row) => {
        const doc = Number(row.doc);
        const page = pageIn(row);
        return [doc, { doc, page, rows: new Map(rowsOf(page)) }];
      });
    });
  }

  async function slicesOf(
    query: Query,
    memory: Memory,
    stand: Stand,
    wanted: ReadonlySet<string>,
  ): Promise<Map<string, Slice[]>> {
    const slices = new Map<string, Slice[]>([...wanted].map((term) => [term, []]));
    const merged = new Map((await segmentsOf(query, memory.segments)).map((each) => [each.segment, each]));
    const numbers = [...new Set([...wanted].map(pageNumber))];
    const rows =
      merged.size === 0
        ? []
        : await query(
            `SELECT p.segment, p.data FROM ${dialect.elements('$2')} AS e CROSS JOIN postings p
             WHERE p.origin = $1 AND p.page = CAST(e.value->>0 AS integer) ORDER BY p.page, p.segment`,
            [origin, listed(numbers)],
          );
    for (const row of rows) {
      const segment = merged.get(Number(row.segment));
      if (!segment) continue;
      const page = bytesOf(row.data) ?? new Uint8Array();
      for (const [term, { from, to }] of rowsOf(page))
        slices.get(term)?.push({ page, from, to, indexes: indexesIn(stand, segment) });
    }
    for (const { doc, page, rows } of await tailPages(query, memory)) {
      const index = stand.indexes.get(doc);
      if (index === undefined) continue;
      for (const term of wanted) {
        const row = rows.get(term);
        if (row) slices.get(term)?.push({ page, ...row, indexes: Int32Array.of(index) });
      }
    }
    return slices;
  }

  async function postingsOf(
    query: Query,
    memory: Memory,
    stand: Stand,
    wanted: ReadonlySet<string>,
  ): Promise<Map<string, Postings>> {
    const slices = await slicesOf(query, memory, stand, wanted);
    return new Map([...slices].map(([term, each]) => [term, collect(each, stand.documents.length)]));
  }

  /** What does not read as it was written is said so: half an answer would be taken for a whole one. */
  async function sound<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new MemoryError(
        'corrupt',
        'The search index of the mirror is damaged.',
        'Run verify_with_github with repair: it is made anew. Reading and listing go on.',
        error,
      );
    }
  }

  /** What is remembered of the mirror that stands there, and its generation. */
  async function standing(query: Query): Promise<{ memory: Memory; generation: number }> {
    const [state] = await query('SELECT s.generation, s.incarnation FROM state s WHERE s.origin = $1', [origin]);
    const incarnation = String(state?.incarnation ?? '');
    if (kept.incarnation !== incarnation || incarnation === '') kept = memoryOf(incarnation);
    return { memory: kept, generation: Number(state?.generation ?? 0) };
  }

  async function corpus(query: Query, caller: Caller, terms: string[], filter: Filter): Promise<Found> {
    const { memory, generation } = await standing(query);
    const stand = await standOf(query, memory, caller, generation);
    const size = stand.documents.length;
    const postings = await postingsOf(query, memory, stand, new Set(terms));
    const filtered = conditions(origin, caller, filter).text !== conditions(origin, caller, {}).text;
    const scope = new Uint8Array(size).fill(filtered ? 0 : 1);
    for (const doc of filtered ? await docsWhere(query, caller, filter) : []) {
      const index = stand.indexes.get(doc);
      if (index !== undefined) scope[index] = 1;
    }
    return {
      corpus: { entries: stand.entries, postings },
      scope,
      documents: stand.documents,
    };
  }

  /** Every term of the index, of documents that are gone too. */
  async function vocabulary(query: Query): Promise<Iterable<string>> {
    const { memory } = await standing(query);
    const merged = (await segmentsOf(query, memory.segments)).map(({ segment }) => segment);
    const of = merged.join();
    if (memory.vocabulary.of !== of) {
      const terms = new Set<string>();
      const rows = await query(`SELECT g.vocabulary FROM segments g WHERE g.segment ${among('$1')}`, [listed(merged)]);
      for (const row of rows) for (const term of String(row.vocabulary).split('\n')) terms.add(term);
      terms.delete('');
      memory.vocabulary = { of, terms };
    }
    const { terms } = memory.vocabulary;
    const more = new Set<string>();
    for (const { rows } of await tailPages(query, memory))
      for (const term of rows.keys()) if (!terms.has(term)) more.add(term);
    return {
      *[Symbol.iterator]() {
        yield* terms;
        yield* more;
      },
    };
  }

  return {
    add,
    remove,
    corpus: (...asked: Parameters<typeof corpus>) => sound(() => corpus(...asked)),
    vocabulary: (query: Query) => sound(() => vocabulary(query)),
    ...searchMerge(origin, dialect, rows),
  };
}
