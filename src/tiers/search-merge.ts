import { setImmediate } from 'node:timers/promises';
import { LIMITS } from '../core/limits.js';
import { mergePages, type Page, rowsOf, splitPages } from '../search/postings.js';
import { bytesOf, type Database, type Dialect, portions, type Query } from './rows.js';
import { hashOf, type SearchRows } from './search-rows.js';

/** Keeps the search index whole and quick: what is missing in it, and what is to be packed. */
export function searchMerge(
  origin: string,
  dialect: Dialect,
  { listed, among, numbers, tailOf, segmentsOf, pagesOf }: SearchRows,
) {
  let untilLook = 0;
  let merging: Promise<void> | null = null;

  /** Paths of live documents that a search would not find. */
  async function unindexed(query: Query): Promise<string[]> {
    const there = new Set(await tailOf(query));
    const sound = new Set<number>();
    for (const row of await query('SELECT g.segment, g.hash FROM segments g WHERE g.origin = $1', [origin]))
      if (row.hash === hashOf(await pagesOf(query, Number(row.segment)))) sound.add(Number(row.segment));
    for (const { segment, docs } of await segmentsOf(query))
      if (sound.has(segment)) for (const doc of docs) there.add(doc);
    const rows = await query(
      `SELECT d.doc, d.path, s.doc AS searched FROM documents d LEFT JOIN documents_search s ON s.doc = d.doc
       WHERE d.origin = $1 AND d.live = 1 AND d.indexed = 1 ORDER BY d.path`,
      [origin],
    );
    return rows.filter((row) => row.searched === null || !there.has(Number(row.doc))).map((row) => String(row.path));
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
    for (const { segment, docs } of await segmentsOf(query)) {
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

  return { unindexed, merge, grown, idle: async () => merging };
}
