import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { objectId } from '../../../src/core/hash.js';
import { indexDocument } from '../../../src/core/index-document.js';
import { createLog } from '../../../src/core/log.js';
import type { Mirror } from '../../../src/core/ports.js';
import type { Semantics } from '../../../src/core/searcher.js';
import type { Embedder } from '../../../src/core/vector-ports.js';
import { createVectors } from '../../../src/core/vectors.js';
import { searchMemory } from '../../../src/operations/search-memory.js';
import { NAME_BYTES, packVector } from '../../../src/search/matrix.js';
import { createPostgresMirror } from '../../../src/tiers/mirror-postgres.js';
import { createSqliteMirror } from '../../../src/tiers/mirror-sqlite.js';
import { percentile } from '../measure.js';
import { generateNote, queries, randomFrom } from '../notes.js';
import { asAdmin, findPostgres } from '../postgres.js';
import { contextOver } from './ours.js';

/** What vectors are made of is no matter for how fast they are compared. */
const random = randomFrom(1);
const anyDirection = () => {
  const vector = Float32Array.from({ length: 384 }, () => random() - 0.5);
  const length = Math.hypot(...vector);
  return vector.map((each) => each / length);
};
const embedder: Embedder = {
  model: 'synthetic',
  dimensions: 384,
  query: async () => anyDirection(),
  passage: async () => anyDirection(),
  state: () => 'ready',
  close: async () => {},
};

const ASKED = 200;
/** Of each note: then it has six passages. */
const TOLD_CHARS = 400;

/** How fast search_memory answers over so many generated notes with synthetic vectors: the whole tool, on both mirrors. */
export async function measureSpeed(size: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-bench-'));
  const url = await findPostgres();
  const database = `strata_bench_speed_${process.pid}`;
  const lines = [
    `${size} notes, ${ASKED} queries, ms     fill, s   vectors   load   lexical: first    p50    p95   hybrid: first    p50    p95`,
  ];
  try {
    lines.push(await row('SQLite', createSqliteMirror({ origin: '/bench', path: join(folder, 'mirror.db') }), size));
    if (url) {
      await asAdmin(url, `CREATE DATABASE ${database}`);
      const own = new URL(url);
      own.pathname = `/${database}`;
      lines.push(
        await row('Postgres', createPostgresMirror({ origin: '/bench', url: own.href, limitMs: 60_000 }), size),
      );
    } else lines.push('Postgres: none found (set DATABASE_URL)');
  } finally {
    if (url) await asAdmin(url, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    rmSync(folder, { recursive: true, force: true });
  }
  return `${lines.join('\n')}\n`;
}

async function row(name: string, mirror: Mirror, size: number): Promise<string> {
  const startedAt = performance.now();
  const passages = await fill(mirror, size);
  const filledMs = performance.now() - startedAt;
  const vectors = createVectors({ mirror, embedder, log: createLog('silent', () => {}) });
  const asked = queries(ASKED);
  const lexical = await timed(mirror, null, asked);
  const before = performance.now();
  await vectors.ready();
  const loadMs = performance.now() - before;
  const hybrid = await timed(mirror, vectors, asked);
  vectors.close();
  await mirror.close();
  const figures = [filledMs / 1000, passages, loadMs, ...lexical, ...hybrid].map((each) => each.toFixed(1).padStart(9));
  return `${name.padEnd(28)}${figures.join(' ')}`;
}

/** The first answer, and the median and the 95th percentile of the others. */
async function timed(mirror: Mirror, semantics: Semantics | null, asked: string[]): Promise<[number, number, number]> {
  const context = contextOver(mirror, semantics);
  const times: number[] = [];
  for (const query of asked) {
    const before = performance.now();
    const input = { query };
    await searchMemory.format(await searchMemory.run(input, context), input);
    times.push(performance.now() - before);
  }
  const [first = 0, ...others] = times;
  return [first, percentile(others, 0.5), percentile(others, 0.95)];
}

async function fill(mirror: Mirror, size: number): Promise<number> {
  const live: { path: string; blob: string }[] = [];
  let passages = 0;
  for (let from = 0; from < size; from += 200) {
    const documents = Array.from({ length: Math.min(200, size - from) }, (_, at) => {
      const { path, text, timeMs } = generateNote(from + at, size, { toldChars: TOLD_CHARS });
      const content = Buffer.from(text);
      const blob = objectId('blob', content, 'sha1');
      live.push({ path, blob });
      return indexDocument({ path, blob, type: 'file', bytes: content.length, content, changedMs: timeMs });
    });
    await mirror.stage(documents);
    const names = documents.flatMap(({ search }) => {
      const chunks = search?.chunks ?? new Uint8Array();
      return Array.from({ length: chunks.length / NAME_BYTES }, (_, at) =>
        chunks.subarray(at * NAME_BYTES, (at + 1) * NAME_BYTES),
      );
    });
    passages += names.length;
    await mirror.keepVectors(
      embedder.model,
      names.map((each) => ({ name: each, vector: packVector(anyDirection()) })),
    );
  }
  await mirror.merge();
  const { generation } = await mirror.snapshot((view) => view.state());
  await mirror.apply({
    expectedGeneration: generation,
    head: { commit: 'c'.repeat(40), tree: 't'.repeat(40) },
    documents: [],
    live,
    gone: [],
    settles: [],
    confirmedAtMs: null,
  });
  return passages;
}
