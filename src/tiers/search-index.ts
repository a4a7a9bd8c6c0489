import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Caller } from '../core/caller.js';
import type { IndexedDocument } from '../core/documents.js';
import { MemoryError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import type { Filter, Found } from '../core/ports.js';
import type { Entry, Postings } from '../search/corpus.js';
import { collect, mergePages, type Page, pageNumber, rowsOf, type Slice, splitPages } from '../search/postings.js';
import { bytesOf, conditions, type Database, type Dialect, packed, portions, type Query } from './rows.js';

/** A document as ranking knows it; never changes under its number. */
interface Known {
  doc: number;
  path: string;
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

interface Segment {
  segment: number;
  /** Its documents, by their number in it. */
  docs: number[];
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
}

const memoryOf = (incarnation: string): Memory => ({
  incarnation,
  known: new Map(),
  segments: new Map(),
  tail: new Map(),
  stands: [],
});

/** Of a segment's pages in their order. */
function hashOf(pages: Page[]): string {
  const hash = createHash('sha256');
  for (const page of pages) hash.update(page);
  return hash.digest('hex');
}

/**
 * The search index of every SQL mirror. New documents keep their own page of terms (the tail); when there are many of
 * them they are merged into a segment, whose pages each hold some terms of all. A segment never changes: what died in
 * it is passed over. What never changes is remembered here, so that a search reads only the pages of its terms.
 */
export function searchIndex(origin: string, dialect: Dialect) {
  let kept = memoryOf('');
  let untilLook = 0;
  let merging: Promise<void> | null = null;
  const listed = (docs: number[]) => packed(docs.map((doc) => [doc]));
  const among = (parameter: string) =>
    `IN (SELECT CAST(e.value->>0 AS bigint) FROM ${dialect.elements(parameter)} AS e)`;

  async function add(query: Query, entries: { doc: number; search: NonNullable<IndexedDocument['search']> }[]) {
    for (const some of portions(entries)) {
      const rows = (columns: number) =>
        some.map((_, at) => `(${Array.from({ length: columns }, (_, n) => `$${at * columns + n + 1}`).join(', ')})`);
      await query(
        `INSERT INTO documents_search (doc, origin, outline, chunks) VALUES ${rows(4).join(', ')}`,
        some.flatMap(({ doc, search }) => [doc, origin, packed(search.outline), search.chunks]),
      );
      await query(
        `INSERT INTO documents_tail (doc, origin, page) VALUES ${rows(3).join(', ')}`,
        some.flatMap(({ doc, search }) => [doc, origin, search.page]),
      );
    }
  }

  async function remove(query: Query, docs: number[]): Promise<void> {
    await query(`DELETE FROM documents_search WHERE doc ${among('$1')}`, [listed(docs)]);
    await query(`DELETE FROM documents_tail WHERE doc ${among('$1')}`, [listed(docs)]);
  }

  const numbers = (text: unknown) => (text === null ? [] : String(text).split(',').map(Number));

  async function tailOf(query: Query): Promise<number[]> {
    const [row] = await query(
      `SELECT string_agg(CAST(t.doc AS text), ',') AS docs FROM documents_tail t WHERE t.origin = $1`,
      [origin],
    );
    return numbers(row?.docs);
  }

  async function segmentsOf(query: Query, { segments }: Memory): Promise<Segment[]> {
    const [row] = await query(
      `SELECT string_agg(CAST(g.segment AS text), ',') AS segments FROM segments g WHERE g.origin = $1`,
      [origin],
    );
    const here = numbers(row?.segments).sort((a, b) => a - b);
    return remembered(segments, here, async (missing) => {
      const rows = await query(`SELECT g.segment, g.docs FROM segments g WHERE g.segment ${among('$1')}`, [missing]);
      return rows.map((row) => [Number(row.segment), { segment: Number(row.segment), docs: numbers(row.docs) }]);
    });
  }

  const learn = (query: Query, { known }: Memory, docs: number[]) =>
    remembered(known, docs, async (missing) => {
      const rows = await query(
        `SELECT d.doc, d.path, d.time_ms, s.outline, s.chunks FROM documents d JOIN documents_search s ON s.doc = d.doc
         WHERE d.doc ${among('$1')}`,
        [missing],
      );
      return rows.map((row) => {
        const entry: Entry = { ...JSON.parse(String(row.outline)), timeMs: Number(row.time_ms) };
        const doc = Number(row.doc);
        return [doc, { doc, path: String(row.path), entry, chunks: bytesOf(row.chunks) ?? new Uint8Array() }];
      });
    });

  /** Of those that are there: from memory, or read and remembered. What others forget meanwhile is still had. */
  async function remembered<T>(
    memory: Map<number, T>,
    wanted: number[],
    read: (missing: string) => Promise<[number, T][]>,
  ): Promise<T[]> {
    const had = wanted.map((key) => memory.get(key));
    const missing = wanted.filter((_, at) => had[at] === undefined);
    const fresh = new Map(missing.length === 0 ? [] : await read(listed(missing)));
    if (memory.size > wanted.length * 2 + 100) memory.clear();
    return wanted.flatMap((key, at) => {
      const one = had[at] ?? fresh.get(key);
      if (one !== undefined) memory.set(key, one);
      return one === undefined ? [] : [one];
    });
  }

  async function docsWhere(query: Query, caller: Caller, filter: Filter): Promise<number[]> {
    const { text, values } = conditions(origin, caller, filter);
    const [row] = await query(
      `SELECT string_agg(CAST(d.doc AS text), ',') AS docs FROM documents d WHERE ${text} AND d.indexed = 1`,
      values,
    );
    return numbers(row?.docs);
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
    const documents = await learn(query, memory, await docsWhere(query, caller, {}));
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
      const rows = await query(`SELECT t.doc, t.page FROM documents_tail t WHERE t.doc ${among('$1')}`, [missing]);
      return rows.map((row) => {
        const doc = Number(row.doc);
        const page = bytesOf(row.page) ?? new Uint8Array();
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
    const merged = new Map((await segmentsOf(query, memory)).map((each) => [each.segment, each]));
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
    try {
      const slices = await slicesOf(query, memory, stand, wanted);
      return new Map([...slices].map(([term, each]) => [term, collect(each, stand.documents.length)]));
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

  async function corpus(query: Query, caller: Caller, terms: string[], filter: Filter): Promise<Found> {
    const [state] = await query('SELECT s.generation, s.incarnation FROM state s WHERE s.origin = $1', [origin]);
    const incarnation = String(state?.incarnation ?? '');
    if (kept.incarnation !== incarnation || incarnation === '') kept = memoryOf(incarnation);
    const memory = kept;
    const stand = await standOf(query, memory, caller, Number(state?.generation ?? 0));
    const size = stand.documents.length;
    const postings = await postingsOf(query, memory, stand, new Set(terms));
    const filtered = Object.values(filter).some((value) => value !== undefined);
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
  async function vocabulary(query: Query): Promise<Set<string>> {
    const found = new Set<string>();
    for (const row of await query('SELECT g.vocabulary FROM segments g WHERE g.origin = $1', [origin]))
      for (const term of String(row.vocabulary).split('\n')) found.add(term);
    for (const { rows } of await tailPages(query, memoryOf(''))) for (const term of rows.keys()) found.add(term);
    found.delete('');
    return found;
  }

  /** Paths of live documents that a search would not find. */
  async function unindexed(query: Query): Promise<string[]> {
    const there = new Set(await tailOf(query));
    const sound = new Set<number>();
    for (const row of await query('SELECT g.segment, g.hash FROM segments g WHERE g.origin = $1', [origin]))
      if (row.hash === hashOf(await pagesOf(query, Number(row.segment)))) sound.add(Number(row.segment));
    for (const { segment, docs } of await segmentsOf(query, memoryOf('')))
      if (sound.has(segment)) for (const doc of docs) there.add(doc);
    const rows = await query(
      `SELECT d.doc, d.path, s.doc AS searched FROM documents d LEFT JOIN documents_search s ON s.doc = d.doc
       WHERE d.origin = $1 AND d.live = 1 AND d.indexed = 1 ORDER BY d.path`,
      [origin],
    );
    return rows.filter((row) => row.searched === null || !there.has(Number(row.doc))).map((row) => String(row.path));
  }

  async function pagesOf(query: Query, segment: number): Promise<Page[]> {
    const rows = await query('SELECT p.data FROM postings p WHERE p.origin = $1 AND p.segment = $2 ORDER BY p.page', [
      origin,
      segment,
    ]);
    return rows.map((row) => bytesOf(row.data) ?? new Uint8Array());
  }

  /** What is to be merged next: the tail where it is long, or a segment most of whose documents are gone. */
  async function due(query: Query): Promise<{ documents: [number, Page][]; dissolved: number | null } | null> {
    const tail = (await tailOf(query)).sort((a, b) => a - b).slice(0, LIMITS.segmentDocuments);
    if (tail.length >= LIMITS.tailDocuments) {
      const rows = await query(`SELECT t.doc, t.page FROM documents_tail t WHERE t.doc ${among('$1')} ORDER BY t.doc`, [
        listed(tail),
      ]);
      return { documents: rows.map((row) => [Number(row.doc), bytesOf(row.page) as Page]), dissolved: null };
    }
    const alive = new Set(
      numbers(
        (
          await query(
            `SELECT string_agg(CAST(s.doc AS text), ',') AS docs FROM documents_search s WHERE s.origin = $1`,
            [origin],
          )
        )[0]?.docs,
      ),
    );
    for (const { segment, docs } of await segmentsOf(query, memoryOf(''))) {
      const left = docs.filter((doc) => alive.has(doc));
      if (left.length * 2 > docs.length) continue;
      // Where none is left its pages need not even be readable.
      const own = left.length === 0 ? [] : splitPages(await pagesOf(query, segment), docs.length);
      const documents = left.map((doc): [number, Page] => [doc, own[docs.indexOf(doc)] as Page]);
      return { documents, dissolved: segment };
    }
    return null;
  }

  /** Where nobody else did it meanwhile: makes a segment of a long tail, or puts what is left of an old one back into the tail. */
  async function settle(
    query: Query,
    { documents, dissolved }: { documents: [number, Page][]; dissolved: number | null },
    merged: Map<number, Page>,
  ): Promise<boolean> {
    await dialect.lock?.(query, origin);
    if (dissolved !== null) {
      const gone = await query('DELETE FROM segments WHERE segment = $1 RETURNING segment', [dissolved]);
      if (gone.length === 0) return false;
      await query('DELETE FROM postings WHERE origin = $1 AND segment = $2', [origin, dissolved]);
      const [row] = await query(
        `SELECT string_agg(CAST(s.doc AS text), ',') AS docs FROM documents_search s WHERE s.doc ${among('$1')}`,
        [listed(documents.map(([doc]) => doc))],
      );
      const alive = new Set(numbers(row?.docs));
      for (const [doc, page] of documents)
        if (alive.has(doc))
          await query('INSERT INTO documents_tail (doc, origin, page) VALUES ($1, $2, $3)', [doc, origin, page]);
      return true;
    }
    const docs = documents.map(([doc]) => doc);
    const taken = await query(`DELETE FROM documents_tail WHERE doc ${among('$1')} RETURNING doc`, [listed(docs)]);
    // Somebody merged them; or some are gone, and nobody would find what died in no segment.
    if (taken.length === 0) return false;
    const still = new Set(taken.map((row) => Number(row.doc)));
    const ordered = [...merged].sort(([a], [b]) => a - b);
    const vocabulary = [...merged.values()].flatMap((page) => [...rowsOf(page)].map(([term]) => term));
    const [row] = await query(
      'INSERT INTO segments (origin, docs, hash, vocabulary) VALUES ($1, $2, $3, $4) RETURNING segment',
      // A document that is gone keeps its number in the segment and leads nowhere.
      [
        origin,
        docs.map((doc) => (still.has(doc) ? doc : 0)).join(','),
        hashOf(ordered.map(([, page]) => page)),
        vocabulary.join('\n'),
      ],
    );
    for (const some of portions(ordered)) {
      const rows = some.map((_, at) => `($1, $2, $${at * 2 + 3}, $${at * 2 + 4})`);
      await query(`INSERT INTO postings (origin, segment, page, data) VALUES ${rows.join(', ')}`, [
        origin,
        Number(row?.segment),
        ...some.flat(),
      ]);
    }
    return true;
  }

  /** Until nothing is due. What somebody else did meanwhile is left to them. */
  async function merge(database: Database): Promise<void> {
    for (;;) {
      const work = await database.read(due);
      if (work === null) return;
      const own = work.documents.map(([, page]) => page);
      const merged = work.dissolved === null ? await mergePages(own, () => setImmediate()) : new Map<number, Page>();
      if (!(await database.write((query) => settle(query, work, merged)))) return;
    }
  }

  /** So many documents went live. Looks from time to time, and the first time, whether it is time to merge. */
  function grown(count: number, database: Database): void {
    untilLook -= count;
    if (untilLook > 0 || merging) return;
    untilLook = LIMITS.tailDocuments / 2;
    merging = merge(database)
      // The next one tries again: the tail is slower, never wrong.
      .catch(() => {})
      .finally(() => {
        merging = null;
      });
  }

  return { add, remove, corpus, vocabulary, unindexed, merge, grown, idle: async () => merging };
}
