import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../src/core/log.js';
import type { Filter, Mirror } from '../../src/core/ports.js';
import { type Semantics, search } from '../../src/core/searcher.js';
import type { Embedder } from '../../src/core/vector-ports.js';
import { createVectors } from '../../src/core/vectors.js';
import { packVector } from '../../src/search/matrix.js';
import { readQuery } from '../../src/search/query.js';
import { createPostgresMirror } from '../../src/tiers/mirror-postgres.js';
import { createSqliteMirror } from '../../src/tiers/mirror-sqlite.js';
import { readJudged } from '../bench/search/corpus.js';
import { NOTES } from '../search/words-notes.js';
import { QUERIES as WORDS } from '../search/words-queries.js';
import { tempFolder } from '../support/home.js';
import { everybody, note, put } from '../support/mirror-contract.js';
import { createDatabase, POSTGRES } from '../support/postgres.js';

const JUDGED = readJudged(new URL('../bench/search/bilingual.json', import.meta.url));
const QUERIES = [
  ...JUDGED.queries.map(({ query }) => query),
  ...Object.values(WORDS).flatMap((queries) => queries.map(([query]) => query)),
  '"connection slots"',
  'pool -payments',
  'tag:none pool',
  'zzzz',
  'a* OR "b',
];

/** Any direction, the same for the same text: what vectors are made of is no matter here. */
const embedder: Embedder = {
  model: 'synthetic',
  dimensions: 384,
  query: async (text) => direction(text),
  passage: async (text) => direction(text),
  state: () => 'ready',
  close: async () => {},
};

function direction(text: string): Float32Array {
  const vector = new Float32Array(384);
  for (let block = 0; block < 12; block++)
    createHash('sha256')
      .update(`${block} ${text}`)
      .digest()
      .forEach((byte, at) => {
        vector[block * 32 + at] = byte - 127.5;
      });
  const length = Math.hypot(...vector);
  return vector.map((each) => each / length);
}

async function filled(mirror: Mirror, order: 'forth' | 'back'): Promise<Semantics> {
  onTestFinished(() => mirror.close());
  const notes = [
    ...JUDGED.documents.map(({ id, title, text, date, project }) =>
      note(`bench/${id}.md`, text, { title, time: date, project: `acme/${project}` }),
    ),
    ...Object.entries(NOTES).map(([id, text]) => note(`${id}.md`, text)),
  ];
  const ordered = order === 'forth' ? notes : notes.toReversed();
  for (let at = 0; at < ordered.length; at += 40) await put(mirror, ordered.slice(at, at + 40));
  const chunks = ordered.flatMap(({ search: row }) => {
    const names = row?.chunks ?? new Uint8Array();
    return Array.from({ length: names.length / 16 }, (_, i) => names.subarray(i * 16, i * 16 + 16));
  });
  await mirror.keepVectors(
    embedder.model,
    chunks.map((name) => ({ name, vector: packVector(direction(Buffer.from(name).toString('hex'))) })),
  );
  const vectors = createVectors({ mirror, embedder, log: createLog('silent', () => {}) });
  onTestFinished(() => vectors.close());
  await vectors.ready();
  return vectors;
}

describe.skipIf(POSTGRES === null)('SQLite and Postgres', () => {
  test('give the same hits in the same order with the same scores, by words and with meaning', async () => {
    expect(QUERIES.length).toBeGreaterThanOrEqual(200);
    const { url } = await createDatabase();
    const sqlite = createSqliteMirror({ origin: 'o', path: join(tempFolder(), 'mirror.db') });
    const postgres = createPostgresMirror({ origin: 'o', url });
    // Numbers of documents and the order of rows are each mirror's own.
    const meanings = [await filled(sqlite, 'forth'), await filled(postgres, 'back')];
    const filters: Filter[] = [{}, { projects: ['acme/harbour'] }, { afterMs: Date.UTC(2025, 3) }];
    let found = 0;
    for (const [nth, text] of QUERIES.entries()) {
      const filter = filters[nth % 7] ?? {};
      for (const meant of [false, true]) {
        const [one, two] = await Promise.all(
          [sqlite, postgres].map(async (mirror, at) => {
            const { hits, ...rest } = await mirror.snapshot((view) =>
              search(view, everybody(), readQuery(text), filter, {
                limit: 20,
                semantics: meant ? (meanings[at] as Semantics) : null,
              }),
            );
            const { meaning, ...said } = rest;
            expect(meaning === null || meant, text).toBe(true);
            const content = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString();
            return {
              ...said,
              hits: hits.map((hit) => ({
                ...hit,
                document: { ...hit.document, content: content(hit.document.content) },
              })),
            };
          }),
        );
        expect(two, text).toEqual(one);
        found += one?.hits.length ?? 0;
      }
    }
    expect(found).toBeGreaterThan(QUERIES.length * 5);
  });
});
