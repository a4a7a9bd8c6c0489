import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../src/core/log.js';
import type { Mirror } from '../../src/core/ports.js';
import type { Embedder } from '../../src/core/vector-ports.js';
import { createVectors } from '../../src/core/vectors.js';
import { NAME_BYTES, packVector } from '../../src/search/matrix.js';
import { createPostgresMirror } from '../../src/tiers/mirror-postgres.js';
import { createDatabase, PGVECTOR, POSTGRES } from '../support/postgres.js';
import { vectorsContract } from '../support/vectors-contract.js';

const SCHEMA = readFileSync(new URL('../../schema.sql', import.meta.url), 'utf8');
const MODEL = 'all-MiniLM-L6-v2';

function opened(url: string): Mirror {
  const mirror = createPostgresMirror({ origin: '/repo', url });
  onTestFinished(() => mirror.close());
  return mirror;
}

/** A database with the extension in a schema that no search path names. */
async function extended() {
  const database = await createDatabase();
  await database.sql.unsafe('CREATE SCHEMA tools; CREATE EXTENSION vector SCHEMA tools');
  return database;
}

function direction(): Float32Array {
  const vector = Float32Array.from(randomBytes(384), (byte) => byte - 127.5);
  const length = Math.hypot(...vector);
  return vector.map((each) => each / length);
}

async function kept(mirror: Mirror, count: number): Promise<Uint8Array> {
  const names = new Uint8Array(randomBytes(count * NAME_BYTES));
  const vectors = Array.from({ length: count }, (_, at) => ({
    name: names.subarray(at * NAME_BYTES, (at + 1) * NAME_BYTES),
    vector: packVector(direction()),
  }));
  await mirror.keepVectors(MODEL, vectors);
  return names;
}

/** What searches have of the mirror in a new process; `pages` counts what was loaded. */
function process(mirror: Mirror, query: Float32Array) {
  const embedder = { model: MODEL, dimensions: 384, query: async () => query } as unknown as Embedder;
  const counts = { pages: 0 };
  const vectors = createVectors({
    mirror: {
      comparable: mirror.comparable,
      dropVectors: mirror.dropVectors,
      vectors(...asked) {
        counts.pages++;
        return mirror.vectors(...asked);
      },
    },
    embedder,
    log: createLog('silent', () => {}),
  });
  onTestFinished(vectors.close);
  const search = async (chunks: Uint8Array) => {
    await vectors.ready();
    return mirror.snapshot(async (view) => {
      const documents = Array.from({ length: chunks.length / NAME_BYTES }, (_, at) => ({
        chunks: chunks.subarray(at * NAME_BYTES, (at + 1) * NAME_BYTES),
      }));
      const meaning = await vectors.compare('a question', documents, view.cosines);
      // The snapshot is still good for the rest of the search.
      expect(await view.count({ subject: 'a', projects: 'all', scopes: new Set(), client: '' }, {})).toBe(0);
      return meaning && Array.from({ length: documents.length }, (_, at) => meaning.best[at * 3] as number);
    });
  };
  return { search, counts, state: vectors.state };
}

function near(found: number[] | null, exact: number[] | null): void {
  expect(found).toHaveLength(exact?.length ?? -1);
  found?.forEach((each, at) => {
    expect(Math.abs(each - (exact?.[at] ?? Number.NaN))).toBeLessThan(1e-6);
  });
}

describe.skipIf(!PGVECTOR)('with pgvector', () => {
  vectorsContract('Postgres with pgvector', async () => {
    const { url } = await extended();
    return { mirror: opened(url), again: () => opened(url) };
  });

  test('the first search of a process loads no vectors, those after the second ask the database nothing', async () => {
    const { url } = await extended();
    const mirror = opened(url);
    const names = await kept(mirror, 700);
    const query = direction();
    const { search, counts, state } = process(mirror, query);
    const first = await search(names);
    expect(counts.pages).toBe(0);
    const before = state();
    const second = await search(names);
    // 700 are two pages; each search from then on looks for newer ones.
    await expect.poll(() => search(names).then(() => counts.pages)).toBeGreaterThan(2);
    const third = await search(names);
    expect(state(), 'the same answers, wherever they come from').toBe(before);
    near(first, third);
    near(second, third);
    // One more is seen at once, by this process and by a new one.
    const more = Buffer.concat([names, await kept(mirror, 1)]);
    const [here, there] = [await search(more), await process(mirror, query).search(more)];
    expect(here?.at(-1)).not.toBeNaN();
    near(there, here);
  });

  test('what was altered is not compared', async () => {
    const { url, sql } = await extended();
    const mirror = opened(url);
    const names = await kept(mirror, 4);
    const query = direction();
    const before = await process(mirror, query).search(names);
    await sql`UPDATE strata_mirror.vectors SET vector = set_byte(vector, 9, (get_byte(vector, 9) + 1) % 256) WHERE chunk = ${names.subarray(0, 16)}`;
    await sql`UPDATE strata_mirror.vectors SET vector = 'x' WHERE chunk = ${names.subarray(48)}`;
    const { search, counts } = process(mirror, query);
    expect(await search(names)).toEqual([Number.NaN, ...(before?.slice(1, 3) ?? []), Number.NaN]);
    expect(counts.pages).toBe(0);
  });

  test('an extension that came later is used when schema.sql is applied again', async () => {
    const { url, sql } = await createDatabase();
    const mirror = opened(url);
    const names = await kept(mirror, 20);
    const query = direction();
    const exact = await process(mirror, query).search(names);
    await sql.unsafe('CREATE EXTENSION vector');
    expect(await mirror.comparable(MODEL)).toBeNull();
    await sql.unsafe(SCHEMA);
    expect(await mirror.comparable(MODEL)).toBeGreaterThan(0);
    const { search, counts } = process(mirror, query);
    near(await search(names), exact);
    expect(counts.pages).toBe(0);
    await sql.unsafe(SCHEMA);
    expect(await mirror.comparable(MODEL)).toBeGreaterThan(0);
  });

  test('one that is dropped under a search leaves this search to words, and the next one exact', async () => {
    const { url, sql } = await extended();
    const mirror = opened(url);
    const names = await kept(mirror, 20);
    const { search, counts } = process(
      {
        ...mirror,
        async comparable(model) {
          const row = await mirror.comparable(model);
          await sql.unsafe('DROP EXTENSION IF EXISTS vector CASCADE');
          return row;
        },
      },
      direction(),
    );
    expect(await search(names)).toBeNull();
    expect(counts.pages).toBe(0);
    expect((await search(names))?.every((each) => each > -1 && each < 1)).toBe(true);
  });

  test('a role that may not use it has the exact scan', async () => {
    const { url, sql, name } = await extended();
    const role = `strata_test_${randomBytes(6).toString('hex')}`;
    await sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'p'; GRANT CREATE ON DATABASE ${name} TO ${role}`);
    onTestFinished(async () => {
      await sql.unsafe(
        `DROP SCHEMA strata_mirror CASCADE; DROP SCHEMA strata_durable CASCADE; REVOKE ALL ON DATABASE ${name} FROM ${role}`,
      );
      await sql.unsafe(`DROP ROLE ${role}`);
    });
    const theirs = new URL(url);
    theirs.searchParams.set('user', role);
    theirs.searchParams.set('password', 'p');
    const mirror = opened(theirs.href);
    const names = await kept(mirror, 20);
    expect(await mirror.comparable(MODEL)).toBeNull();
    expect((await process(mirror, direction()).search(names))?.every((each) => each > -1 && each < 1)).toBe(true);
  });
});

test.skipIf(POSTGRES === null)('without it the database compares nothing', async () => {
  const { url } = await createDatabase();
  const mirror = opened(url);
  await kept(mirror, 3);
  expect(await mirror.comparable(MODEL)).toBeNull();
  expect(await mirror.snapshot(async (view) => view.cosines?.(MODEL, direction()))).toBeNull();
});
