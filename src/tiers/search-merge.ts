import { setImmediate } from 'node:timers/promises';
import { LIMITS } from '../core/limits.js';
import { mergePages, type Page, rowsOf, splitPages } from '../search/postings.js';
import { type Database, type Dialect, portions, type Query } from './rows.js';
import { hashOf, isSound, outlineIn, pageIn, type SearchRows } from './search-rows.js';

/** Pages of the tail that are read at a time. */
const PORTION = 64;

/** Keeps the search index whole and quick: what is missing in it, and what is to be packed. */
export function searchMerge(
  origin: string,
  dialect: Dialect,
  { listed, among, numbers, addPages, tailOf, segmentsOf, pagesOf }: SearchRows,
) {
  let untilLook = 0;
  let merging: Promise<void> | null = null;

  /** A segment's pages in their order; null where it is not what was written. */
  async function soundPages(query: Query, segment: number): Promise<Page[] | null> {
    const [row] = await query('SELECT g.docs, g.vocabulary, g.hash FROM segments g WHERE g.segment = $1', [segment]);
    const pages = await pagesOf(query, segment);
    return row?.hash === hashOf(String(row?.docs), String(row?.vocabulary), ...pages) ? pages : null;
  }

  /** Paths of live documents that a search would not find, or find wrongly. */
  async function unindexed(query: Query): Promise<string[]> {
    const there = new Set<number>();
    for (const { segment, docs } of await segmentsOf(query))
      if ((await soundPages(query, segment)) !== null) for (const doc of docs) there.add(doc);
    const tail = await tailOf(query);
    for (let at = 0; at < tail.length; at += PORTION)
      for (const row of await query(`SELECT t.doc, t.page, t.hash FROM documents_tail t WHERE t.doc ${among('$1')}`, [
        listed(tail.slice(at, at + PORTION)),
      ]))
        if (isSound(pageIn, row)) there.add(Number(row.doc));
    const rows = await query(
      `SELECT d.doc, d.path, s.outline, s.chunks, s.hash FROM documents d LEFT JOIN documents_search s ON s.doc = d.doc
       WHERE d.origin = $1 AND d.live = 1 AND d.indexed = 1 ORDER BY d.path`,
      [origin],
    );
    return rows.filter((row) => !isSound(outlineIn, row) || !there.has(Number(row.doc))).map((row) => String(row.path));
  }

  /** What is to be merged next: the tail where it is long, or a segment most of whose documents are gone. */
  async function due(query: Query): Promise<{ documents: [number, Page][]; dissolved: number | null } | null> {
    const tail = (await tailOf(query)).sort((a, b) => a - b).slice(0, LIMITS.segmentDocuments);
    if (tail.length >= LIMITS.tailDocuments) {
      const rows = await query(
        `SELECT t.doc, t.page, t.hash FROM documents_tail t WHERE t.doc ${among('$1')} ORDER BY t.doc`,
        [listed(tail)],
      );
      return { documents: rows.map((row) => [Number(row.doc), pageIn(row)]), dissolved: null };
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
    for (const { segment, docs } of await segmentsOf(query)) {
      const left = docs.filter((doc) => alive.has(doc));
      if (left.length * 2 > docs.length) continue;
      // Where none is left its pages need not even be readable.
      const pages = left.length === 0 ? [] : await soundPages(query, segment);
      // What cannot be trusted stays as it is until a verification takes its documents out.
      if (pages === null) continue;
      const own = splitPages(pages, docs.length);
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
      await addPages(
        query,
        documents.filter(([doc]) => alive.has(doc)),
      );
      return true;
    }
    const docs = documents.map(([doc]) => doc);
    const taken = await query(`DELETE FROM documents_tail WHERE doc ${among('$1')} RETURNING doc`, [listed(docs)]);
    // Somebody merged them; or some are gone, and nobody would find what died in no segment.
    if (taken.length === 0) return false;
    const still = new Set(taken.map((row) => Number(row.doc)));
    const ordered = [...merged].sort(([a], [b]) => a - b);
    const vocabulary = [...merged.values()].flatMap((page) => [...rowsOf(page)].map(([term]) => term)).join('\n');
    // A document that is gone keeps its number in the segment and leads nowhere.
    const numbered = docs.map((doc) => (still.has(doc) ? doc : 0)).join(',');
    const [row] = await query(
      'INSERT INTO segments (origin, docs, hash, vocabulary) VALUES ($1, $2, $3, $4) RETURNING segment',
      [origin, numbered, hashOf(numbered, vocabulary, ...ordered.map(([, page]) => page)), vocabulary],
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
    // A step that brings nothing takes no connection of its own.
    if (count === 0 || untilLook > 0 || merging) return;
    untilLook = LIMITS.tailDocuments / 2;
    merging = merge(database)
      // The next one tries again: the tail is slower, never wrong.
      .catch(() => {})
      .finally(() => {
        merging = null;
      });
  }

  return { unindexed, merge, grown, idle: async () => merging };
}
