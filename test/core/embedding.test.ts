import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'libsql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createEmbedding } from '../../src/core/embedding.js';
import { createLog } from '../../src/core/log.js';
import type { Mirror } from '../../src/core/ports.js';
import type { Embedder } from '../../src/core/vector-ports.js';
import { createVectors } from '../../src/core/vectors.js';
import { chunkName } from '../../src/search/chunk.js';
import { packNames, packVector } from '../../src/search/matrix.js';
import { createEmbedder } from '../../src/tiers/embedder-minilm.js';
import { createPostgresMirror } from '../../src/tiers/mirror-postgres.js';
import { createSqliteMirror } from '../../src/tiers/mirror-sqlite.js';
import { createSqliteMutex } from '../../src/tiers/mutex-sqlite.js';
import { openApp } from '../support/app.js';
import { tempFolder } from '../support/home.js';
import { note, put } from '../support/mirror-contract.js';
import { createDatabase, POSTGRES } from '../support/postgres.js';

const SECOND = '2026-02-02T00:00:00Z';
const NOTES = [
  note('old.md', 'The cake needs four eggs.', { date: '2026-01-01' }),
  note('new.md', 'Users were logged out: the cookie expired.', { date: '2026-03-03' }),
  note('middle.md', 'We moved the database to another disk.', { date: SECOND, privacy: 'PRIVATE', author: 'bob' }),
];

const log = createLog('silent', () => {});
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const rows = (mirror: Mirror, embedder: Embedder) => mirror.vectors(embedder.model, 0, 1_000);

function model(): Embedder {
  const embedder = createEmbedder();
  onTestFinished(() => embedder.close());
  return embedder;
}

function fileMirror(folder = tempFolder()): Mirror {
  const mirror = createSqliteMirror({ origin: '/repo', path: join(folder, 'mirror.db') });
  onTestFinished(() => mirror.close());
  return mirror;
}

function embedding(mirror: Mirror, embedder: Embedder, locks = tempFolder()) {
  const mutex = createSqliteMutex(locks);
  const made = createEmbedding({ mirror, embedder, mutex, log });
  onTestFinished(async () => {
    await made.close();
    await mutex.close();
  });
  return made;
}

test.skipIf(POSTGRES === null)(
  'both mirrors get the same bytes, newest notes first, everybody’s, and each text once',
  async () => {
    const embedder = model();
    const { url } = await createDatabase();
    const postgres = createPostgresMirror({ origin: '/repo', url });
    onTestFinished(() => postgres.close());
    const stored: string[][] = [];
    for (const mirror of [fileMirror(), postgres]) {
      const background = embedding(mirror, embedder);
      await put(mirror, NOTES);
      expect(await background.describe()).toMatchObject({ passages: 3, embedded: 0, working: false });
      expect(await background.work()).toBe('done');
      expect(await background.describe()).toMatchObject({ passages: 3, embedded: 3 });
      const first = await rows(mirror, embedder);
      const texts = ['Users were logged out: the cookie expired.', 'We moved the database to another disk.'];
      expect(first.map(({ name }) => hex(name)).slice(0, 2)).toEqual(texts.map(chunkName));
      // An edit: what did not change stays as it is.
      await put(mirror, [
        note('copy.md', `# Copy\n\n${'Another long sentence about it. '.repeat(8)}`, { date: '2026-04-04' }),
      ]);
      await put(mirror, [note('twice.md', 'The cake needs four eggs.', { date: '2026-05-05' })]);
      background.changed();
      expect(await background.work()).toBe('done');
      const then = await rows(mirror, embedder);
      expect(then.slice(0, 3)).toEqual(first);
      expect(then).toHaveLength(4);
      stored.push(then.map(({ name, vector }) => `${hex(name)} ${hex(vector)}`));
    }
    expect(stored[0]).toEqual(stored[1]);
  },
);

test('of two only one embeds; vectors of texts that are gone, and of other models, are swept away', async () => {
  const embedder = model();
  const mirror = fileMirror();
  const stale = { name: packNames([chunkName('gone')]), vector: packVector(new Float32Array(embedder.dimensions)) };
  await mirror.keepVectors(embedder.model, [stale]);
  await mirror.keepVectors('another model', [stale]);
  await put(mirror, NOTES);
  const locks = tempFolder();
  const two = [embedding(mirror, embedder, locks), embedding(mirror, embedder, locks)];
  const passes = await Promise.all(two.map((each) => each.work()));
  expect(passes.toSorted()).toEqual(['done', 'elsewhere']);
  expect(await rows(mirror, embedder)).toHaveLength(3);
  expect(await mirror.vectorNames('another model', 0, 10)).toEqual([]);
  expect(await Promise.all(two.map((each) => each.work()))).toContain('done');
  expect(await rows(mirror, embedder)).toHaveLength(3);
});

test('vectors that were altered, or belong to another passage, are never compared, and made again', async () => {
  const embedder = model();
  const folder = tempFolder();
  const mirror = fileMirror(folder);
  await put(mirror, NOTES);
  const background = embedding(mirror, embedder);
  await background.work();
  const made = await rows(mirror, embedder);
  const database = new Database(join(folder, 'mirror.db'));
  const [one, two] = database.prepare('SELECT row, vector FROM vectors ORDER BY row LIMIT 2').all() as {
    row: number;
    vector: Buffer;
  }[];
  database.prepare('UPDATE vectors SET vector = ? WHERE row = ?').run(Buffer.from(two?.vector ?? []), one?.row);
  database.prepare('UPDATE vectors SET vector = zeroblob(392) WHERE row = ?').run(two?.row);
  database.close();
  let lost = 0;
  const vectors = createVectors({
    mirror,
    embedder,
    log,
    lost() {
      lost++;
      background.lost();
    },
  });
  onTestFinished(() => vectors.close());
  await vectors.ready();
  expect(lost).toBe(1);
  expect((await rows(mirror, embedder)).map(({ name }) => hex(name))).toEqual([hex(made[2]?.name as Uint8Array)]);
  await background.work();
  const again = await rows(mirror, embedder);
  const all = (each: typeof made) => each.map(({ name, vector }) => `${hex(name)} ${hex(vector)}`).toSorted();
  expect(all(again)).toEqual(all(made));
  await vectors.ready();
  expect(lost).toBe(1);
});

test('a process that is killed loses its last vectors; the next one goes on', async () => {
  const folder = tempFolder();
  const mirror = fileMirror(folder);
  const words = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta', 'theta', 'iota', 'kappa', 'lambda', 'mu'];
  await put(
    mirror,
    words.map((word) => note(`${word}.md`, `About ${word}.`)),
  );
  const child = (environment: Record<string, string>) =>
    new Promise<{ said: string; signal: string | null }>((resolve) => {
      const script = fileURLToPath(new URL('../support/run-embedding.ts', import.meta.url));
      const kill = fileURLToPath(new URL('../support/kill.mjs', import.meta.url));
      const started = spawn(process.execPath, ['--import', 'tsx', '--import', kill, script, folder], {
        env: { PATH: process.env.PATH, ...environment },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = '';
      started.stdout.on('data', (chunk: Buffer) => {
        said += chunk;
      });
      started.once('close', (_, signal) => resolve({ said, signal }));
    });
  expect(await child({ STRATA_TEST_KILL: 'embed:after-keep#1' })).toEqual({ said: '', signal: 'SIGKILL' });
  const { model: name } = createEmbedder();
  const kept = await mirror.vectors(name, 0, 100);
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.length).toBeLessThan(words.length);
  expect(await child({})).toEqual({ said: 'done\n', signal: null });
  const all = await mirror.vectors(name, 0, 100);
  expect(all.slice(0, kept.length)).toEqual(kept);
  expect(all).toHaveLength(words.length);
});

describe('meaning in memory', () => {
  test('follows what is embedded, and reads anew where something was taken away', async () => {
    const embedder = model();
    const mirror = fileMirror();
    await put(mirror, NOTES);
    const vectors = createVectors({ mirror, embedder, log });
    onTestFinished(vectors.close);
    const documents = (await mirror.passages(null, 10)).map(({ chunks }) => ({ chunks, doc: 0, path: '' }));
    await vectors.ready();
    expect(await vectors.compare('authentication problem', documents)).toBeNull();
    expect(embedder.state(), 'not loaded for nothing').toBe('idle');
    const before = vectors.state();
    await embedding(mirror, embedder).work();
    await vectors.ready();
    expect(vectors.state()).not.toBe(before);
    const meaning = await vectors.compare('authentication problem', documents);
    const [login = 0, , , disk = 0, , , cake = 0] = meaning?.best ?? [];
    expect(login).toBeGreaterThan(Math.max(disk, cake));
    expect(meaning?.passage(chunkName('The cake needs four eggs.'))).toBe(cake);
    expect(meaning?.passage(chunkName('unknown'))).toBeNaN();
    const last = (await rows(mirror, embedder)).at(-1);
    await mirror.dropVectors([last?.row ?? 0]);
    await vectors.ready();
    const after = await vectors.compare('authentication problem', documents);
    expect([...(after?.best ?? [])].filter((each) => !Number.isNaN(each))).toHaveLength(2);
  });

  test('a model that cannot be had leaves the words alone', async () => {
    const mirror = fileMirror();
    const embedder = model();
    const logged: string[] = [];
    const vectors = createVectors({ mirror, embedder, log: createLog('debug', (line) => logged.push(line)) });
    onTestFinished(vectors.close);
    const vector = packVector(Float32Array.from({ length: embedder.dimensions }, () => 0.05));
    await mirror.keepVectors(embedder.model, [{ name: packNames([chunkName('x')]), vector }]);
    await vectors.ready();
    await embedder.close();
    expect(await vectors.compare('anything', [])).toBeNull();
    expect(await vectors.compare('anything', [])).toBeNull();
    expect(logged.filter((line) => line.includes('meaning not compared'))).toHaveLength(1);
  });
});

test('off: nothing is there to be loaded, and the status says nothing of it', async () => {
  const { app, call } = await openApp({ MEMORY_EMBEDDINGS: 'off' });
  expect([app.services.semantics, app.services.embedding]).toEqual([null, null]);
  expect(await call('memory_status')).not.toMatch(/Meaning/);
});
