import { createHash } from 'node:crypto';
import type { IndexedDocument } from '../core/documents.js';
import type { Page } from '../search/postings.js';
import { bytesOf, type Dialect, packed, portions, type Query } from './rows.js';

export interface Segment {
  segment: number;
  /** Its documents, by their number in it. */
  docs: number[];
}

/** What the tables of the search index hold: read whole by everything that is built on it. */
export function searchRows(origin: string, dialect: Dialect) {
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

  async function segmentsOf(query: Query, segments: Map<number, Segment> = new Map()): Promise<Segment[]> {
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

  async function pagesOf(query: Query, segment: number): Promise<Page[]> {
    const rows = await query('SELECT p.data FROM postings p WHERE p.origin = $1 AND p.segment = $2 ORDER BY p.page', [
      origin,
      segment,
    ]);
    return rows.map((row) => bytesOf(row.data) ?? new Uint8Array());
  }

  return { listed, among, add, remove, numbers, tailOf, segmentsOf, remembered, pagesOf };
}

export type SearchRows = ReturnType<typeof searchRows>;

/** Of a segment's pages in their order. */
export function hashOf(pages: Page[]): string {
  const hash = createHash('sha256');
  for (const page of pages) hash.update(page);
  return hash.digest('hex');
}
