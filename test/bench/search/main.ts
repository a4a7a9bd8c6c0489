import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Semantics } from '../../../src/core/searcher.js';
import { createPostgresMirror } from '../../../src/tiers/mirror-postgres.js';
import { createSqliteMirror } from '../../../src/tiers/mirror-sqlite.js';
import { percentile } from '../measure.js';
import { asAdmin, findPostgres } from '../postgres.js';
import { type Answers, measureAnswers } from './answers.js';
import { miniSearch, miniSearchStemmed, postgresText, substring } from './baselines.js';
import { type Judged, readJudged } from './corpus.js';
import { measureEmbedding } from './embedding.js';
import type { Engine } from './engine.js';
import { readLocomo } from './locomo.js';
import { meaningOf, Notes, ours, semantic } from './ours.js';
import { meanQuality, type Quality, qualityOf } from './quality.js';
import { measureSpeed } from './speed.js';
import { Vectors } from './vectors.js';

const HELP = `npm run bench:search -- [--corpus file.json] [--locomo locomo10.json [--no-captions]]
                       [--lexical] [--vectors file] [--only name] [--json]
       npm run bench:search -- --size 10000
       npm run bench:search -- --embed 500 [--idle]

How well each search finds what answers a query, and how fast: without a corpus the one that comes with the benchmark.
docs/search.md describes the format; --only asks those whose name has this in it; --size measures the time over so many
generated notes instead, --embed what making the vectors of so many costs a server (--idle: and what memory it keeps). Vectors are made once and kept in a file; --lexical makes none. Downloads nothing.
`;

const { values } = parseArgs({
  options: {
    corpus: { type: 'string' },
    locomo: { type: 'string' },
    'no-captions': { type: 'boolean', default: false },
    lexical: { type: 'boolean', default: false },
    vectors: { type: 'string', default: join(tmpdir(), 'strata-bench-vectors') },
    only: { type: 'string', default: '' },
    size: { type: 'string' },
    embed: { type: 'string' },
    idle: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** Tokens of an answer. */
const BUDGETS = [400, 800];

interface Row extends Quality {
  engine: string;
  kind: string;
  queries: number;
  p50: number;
  p95: number;
}

async function main(): Promise<void> {
  const judged = values.locomo
    ? readLocomo(values.locomo, !values['no-captions'])
    : readJudged(values.corpus ?? new URL('bilingual.json', import.meta.url));
  const vectors = values.lexical ? null : new Vectors(values.vectors);
  const notes = new Notes(judged);
  const meaning = vectors && (await meaningOf(notes, vectors));
  const projects = new Set(judged.documents.map(({ project }) => project)).size;
  print(`${judged.documents.length} documents, ${judged.queries.length} queries, ${projects} projects\n`);
  const rows = { own: [] as Row[], all: [] as Row[] };
  const answers: (Answers & { engine: string })[] = [];
  for await (const engine of engines(notes, meaning)) {
    if (!engine.name.includes(values.only)) {
      await engine.close?.();
      continue;
    }
    if (projects > 1) rows.own.push(...(await measure(engine, judged, true)));
    rows.all.push(...(await measure(engine, judged, false)));
    if (engine.answer && engine.name.includes('SQLite')) {
      const found = await measureAnswers(engine.answer, judged.queries, projects > 1, BUDGETS);
      answers.push(...found.map((each) => ({ engine: engine.name, ...each })));
    }
    await engine.close?.();
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ ...rows, answers }, null, 2)}\n`);
  if (rows.own.length > 0) print(table('Each query in its own project', rows.own));
  print(table('Each query in all projects', rows.all));
  print(`${answers.map(answerLine).join('\n')}\n`);
}

function answerLine({ engine, budget, tokens, evident }: Answers & { engine: string }): string {
  const shown = evident === null ? '' : `, the evidence in ${(100 * evident).toFixed(1)} % of them`;
  return `${engine}: at most ${budget} tokens asked for, ${tokens.toFixed(0)} in an answer${shown}`;
}

async function* engines(notes: Notes, meaning: Semantics | null): AsyncGenerator<Engine> {
  const { judged } = notes;
  const url = await findPostgres();
  yield substring(judged);
  yield miniSearch(judged);
  yield miniSearchStemmed(judged);
  if (url) yield await postgresText(judged, url);
  else print('Postgres: none found (set DATABASE_URL)\n');
  if (meaning) yield semantic(notes, meaning);
  for (const means of meaning ? [null, meaning] : [null]) {
    yield ours(notes, 'ours, SQLite', createSqliteMirror({ origin: '/bench', path: ':memory:' }), means);
    if (url) yield await oursInPostgres(notes, url, means);
  }
}

async function oursInPostgres(notes: Notes, url: string, meaning: Semantics | null): Promise<Engine> {
  const database = `strata_bench_ours_${process.pid}`;
  await asAdmin(url, `CREATE DATABASE ${database}`);
  const own = new URL(url);
  own.pathname = `/${database}`;
  const mirror = createPostgresMirror({ origin: '/bench', url: own.href });
  const engine = await ours(notes, 'ours, Postgres', mirror, meaning);
  return {
    ...engine,
    async close() {
      await mirror.close();
      await asAdmin(url, `DROP DATABASE ${database} WITH (FORCE)`);
    },
  };
}

interface Asked {
  kind: string | undefined;
  ms: number;
  quality: Quality;
}

/** One row for all queries, and one for each kind of them. */
async function measure(engine: Engine, { queries }: Judged, own: boolean): Promise<Row[]> {
  const asked: Asked[] = [];
  for (const { query, relevant, project, kind } of queries) {
    const before = performance.now();
    const ranked = await engine.ask(query, own ? (project ?? null) : null);
    asked.push({ kind, ms: performance.now() - before, quality: qualityOf(ranked, relevant) });
  }
  const row = (name: string, some: Asked[]): Row => ({
    engine: engine.name,
    kind: name,
    queries: some.length,
    ...meanQuality(some.map(({ quality }) => quality)),
    p50: percentile(
      some.map(({ ms }) => ms),
      0.5,
    ),
    p95: percentile(
      some.map(({ ms }) => ms),
      0.95,
    ),
  });
  const kinds = [...new Set(asked.flatMap(({ kind }) => kind ?? []))];
  return [
    row('', asked),
    ...kinds.map((kind) =>
      row(
        kind,
        asked.filter((each) => each.kind === kind),
      ),
    ),
  ];
}

function table(title: string, rows: readonly Row[]): string {
  const head = [
    title.padEnd(32),
    ...['R@1', 'R@5', 'R@10', 'MRR', 'nDCG@10', 'p50 ms', 'p95 ms'].map((each) => each.padStart(8)),
  ].join('');
  const of = ({ engine, recall1, recall5, recall10, mrr, ndcg10, p50, p95 }: Row) =>
    [
      engine.padEnd(32),
      ...[recall1, recall5, recall10, mrr, ndcg10].map((each) => each.toFixed(3).padStart(8)),
      ...[p50, p95].map((each) => each.toFixed(1).padStart(8)),
    ].join('');
  const kinds = [...new Set(rows.map(({ kind }) => kind))];
  return kinds
    .map((kind) => {
      const some = rows.filter((each) => each.kind === kind);
      const heading = kind === '' ? head : `  ${kind}: ${some[0]?.queries}`;
      return `${heading}\n${some.map(of).join('\n')}\n`;
    })
    .join('\n')
    .concat('\n');
}

function print(text: string): void {
  (values.json ? process.stderr : process.stdout).write(text);
}

if (values.help) process.stdout.write(HELP);
else if (values.size) process.stdout.write(await measureSpeed(Number(values.size)));
else if (values.embed) process.stdout.write(await measureEmbedding(Number(values.embed), values.idle));
else await main();
