import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openApp } from '../support/app.js';
import { importFiles } from '../support/foreign.js';
import { tempFolder } from '../support/home.js';
import { bareRepository } from '../support/repository.js';
import { NOTES } from './words-notes.js';
import { QUERIES } from './words-queries.js';

const SHOWN = 3;

test('identifiers, errors, Russian forms, typos, versions, paths, hashes and dates are found where they are', async () => {
  const repository = bareRepository();
  importFiles(
    repository,
    Object.entries(NOTES).map(([id, text]) => ({ path: `${id}.md`, bytes: Buffer.from(text) })),
  );
  const { call } = await openApp({
    MEMORY_REPO: repository,
    MEMORY_HOME: join(tempFolder(), 'home'),
    MEMORY_EMBEDDINGS: 'off',
  });
  const asked = Object.entries(QUERIES).flatMap(([kind, queries]) => queries.map((query) => ({ kind, query })));
  expect(Object.keys(NOTES).length).toBeGreaterThanOrEqual(80);
  expect(asked.length).toBeGreaterThanOrEqual(60);
  const missed: string[] = [];
  for (const { kind, query } of asked) {
    const [words, ...ids] = query;
    for (const id of ids) expect(Object.keys(NOTES), words).toContain(`sessions/${id}`);
    const text = await call('search_memory', { query: words, limit: SHOWN });
    const found = [...text.matchAll(/`sessions\/([^`]+)`/g)].map(([, id]) => id as string);
    if (!ids.some((id) => found.includes(id))) missed.push(`${kind}: ${words} → ${found.join(', ') || 'nothing'}`);
  }
  expect(missed.length / asked.length, missed.join('\n')).toBeLessThanOrEqual(0.05);
});
