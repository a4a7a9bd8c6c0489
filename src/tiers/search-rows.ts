import { createHash } from 'node:crypto';
import type { IndexedDocument } from '../core/documents.js';
import type { Entry } from '../search/corpus.js';
import { damaged, type Page } from '../search/postings.js';
import { bytesOf, type Dialect, packed, portions, type Query, type Row } from './rows.js';

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
        `INSERT INTO documents_search (doc, origin, outline, chunks, hash) VALUES ${rows(5).join(', ')}`,
        some.flatMap(({ doc, search: { outline, chunks } }) => {
          const text = packed(outline);
          return [doc, origin, text, chunks, hashOf(doc, text, chunks)];
        }),
      );
      await addPages(
        query,
        some.map(({ doc, search }) => [doc, search.page]),
      );
    }
  }

  /** Into the tail. */
  async function addPages(query: Query, pages: [doc: number, Page][]): Promise<void> {
    for (const some of portions(pages)) {
      const rows = some.map((_, at) => `($1, $${at * 3 + 2}, $${at * 3 + 3}, $${at * 3 + 4})`);
      await query(`INSERT INTO documents_tail (origin, doc, page, hash) VALUES ${rows.join(', ')}`, [
        origin,
        ...some.flatMap(([doc, page]) => [doc, page, hashOf(doc, page)]),
      ]);
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

  return { listed, among, add, addPages, remove, numbers, tailOf, segmentsOf, remembered, pagesOf };
}

export type SearchRows = ReturnType<typeof searchRows>;

/** What a row of the index says of itself, so that one that was altered is known. */
export function hashOf(...parts: (number | string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(typeof part === 'number' ? `${part}\n` : part);
  return hash.digest('hex');
}

/** A document's own page of the tail. Throws `RangeError` where it is not what was written. */
export function pageIn(row: Row): Page {
  const page = bytesOf(row.page) ?? new Uint8Array();
  if (row.hash !== hashOf(Number(row.doc), page)) throw damaged();
  return page;
}

/** What ranking knows of a document, but for its time. Throws `RangeError` where it is not what was written. */
export function outlineIn(row: Row): { outline: Omit<Entry, 'timeMs'>; chunks: Uint8Array } {
  const text = String(row.outline);
  const chunks = bytesOf(row.chunks) ?? new Uint8Array();
  if (row.hash !== hashOf(Number(row.doc), text, chunks)) throw damaged();
  return { outline: JSON.parse(text), chunks };
}

/** Whether a row can be read by one of those above. */
export function isSound(read: (row: Row) => unknown, row: Row): boolean {
  try {
    read(row);
    return true;
  } catch {
    return false;
  }
}
