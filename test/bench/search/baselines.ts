import MiniSearch, { type Options } from 'minisearch';
import postgres from 'postgres';
import { analyse } from '../../../src/search/analyse.js';
import { asAdmin } from '../postgres.js';
import type { Judged } from './corpus.js';
import { best, type Engine, SHOWN } from './engine.js';

/** MiniSearch as its README shows it: BM25+ over title and text, any of the words. */
export function miniSearch(judged: Judged): Engine {
  return indexed('MiniSearch BM25', judged, {});
}

/** The same with our stems and without stop words. */
export function miniSearchStemmed(judged: Judged): Engine {
  return indexed('MiniSearch BM25, stemmed', judged, { processTerm: (term: string) => analyse(term).terms });
}

function indexed(name: string, { documents }: Judged, options: Partial<Options>): Engine {
  const index = new MiniSearch({ fields: ['title', 'text'], storeFields: ['project'], ...options });
  index.addAll(documents);
  return {
    name,
    ask: (query, project) =>
      index
        .search(query, project === null ? {} : { filter: (each) => each.project === project })
        .slice(0, SHOWN)
        .map(({ id }) => id),
  };
}

/** How many of the query's words stand anywhere in the text, as `grep` would find them. */
export function substring({ documents }: Judged): Engine {
  const texts = documents.map(({ id, title, text, project }) => ({
    id,
    project,
    text: `${title}\n${text}`.toLowerCase(),
  }));
  return {
    name: 'substring',
    ask(query, project) {
      const words = [...new Set(query.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [])];
      return best(
        texts
          .filter((each) => project === null || each.project === project)
          .map(({ id, text }) => [id, words.filter((word) => text.includes(word)).length] as const),
      );
    },
  };
}

/** `ts_rank` of Postgres over any of the words; its Russian configuration stems English words, too. */
export async function postgresText({ documents }: Judged, url: string): Promise<Engine> {
  const database = `strata_bench_search_${process.pid}`;
  await asAdmin(url, `CREATE DATABASE ${database}`);
  const own = new URL(url);
  own.pathname = `/${database}`;
  const sql = postgres(own.href, { max: 1, onnotice() {} });
  await sql`CREATE TABLE notes (id text PRIMARY KEY, project text, words tsvector)`;
  for (const { id, title, text, project = null } of documents)
    await sql`INSERT INTO notes VALUES (${id}, ${project}, to_tsvector('russian', ${`${title}\n${text}`}))`;
  await sql`CREATE INDEX ON notes USING gin (words)`;
  return {
    name: 'Postgres ts_rank, OR',
    async ask(query, project) {
      const rows = await sql<{ id: string }[]>`
        SELECT id FROM notes,
          (SELECT replace(plainto_tsquery('russian', ${query})::text, '&', '|')::tsquery AS query) AS asked
        WHERE words @@ query AND (${project}::text IS NULL OR project = ${project})
        ORDER BY ts_rank(words, query) DESC, id LIMIT ${SHOWN}`;
      return rows.map(({ id }) => id);
    },
    async close() {
      await sql.end();
      await asAdmin(url, `DROP DATABASE ${database} WITH (FORCE)`);
    },
  };
}
