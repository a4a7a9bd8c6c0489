import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { loadContext } from '../../src/operations/load-context.js';
import { searchMemory } from '../../src/operations/search-memory.js';
import { openApp } from '../support/app.js';
import { git, tempFolder } from '../support/home.js';

const tokens = (text: string) => countTokens(text, { disallowedSpecial: new Set() });

const provenance = fc.record({
  tier: fc.constantFrom('mirror', 'origin'),
  commit: fc.option(fc.stringMatching(/^([0-9a-f]{40})?$/)),
  generation: fc.nat(),
  ageMs: fc.option(fc.nat()),
  verified: fc.boolean(),
  skipped: fc.array(fc.record({ tier: fc.constant('mirror'), why: fc.string({ maxLength: 200 }) }), { maxLength: 2 }),
  notes: fc.array(fc.string({ maxLength: 300 }), { maxLength: 3 }),
});

/** Words, other scripts, emoji, and runs without a space: what tokens are dear in. */
const text = (maxLength: number) =>
  fc.oneof(
    fc.string({ maxLength }),
    fc.string({ unit: 'grapheme', maxLength }),
    fc.string({ unit: 'binary', maxLength }),
    fc.nat({ max: maxLength }).map((length) => 'слово '.repeat(length / 6)),
    fc.nat({ max: maxLength }).map((length) => '𒀀'.repeat(length / 2)),
    fc.nat({ max: maxLength }).map((length) => 'A'.repeat(length)),
    fc.constant('<|endoftext|>'),
  );

const note = fc.record({
  id: text(300),
  title: text(200),
  kind: fc.constant('session' as const),
  project: text(100),
  timeMs: fc.nat({ max: 4_000_000_000_000 }),
  summary: text(2_000),
  queued: fc.boolean(),
});

const timeMs = fc.nat({ max: 4_000_000_000_000 });
const said = { text: text(1_500), from: text(300), timeMs };
const revenue = fc.option(fc.double({ noNaN: true }));
const context = {
  notes: fc.array(note, { maxLength: 30 }),
  steps: fc.array(fc.record({ ...said, id: fc.stringMatching(/^[0-9]{6}$/), sinceMs: timeMs }), { maxLength: 40 }),
  decisions: fc.array(fc.record({ ...said, supersededMs: fc.option(timeMs) }), { maxLength: 40 }),
  facts: fc.array(fc.record(said), { maxLength: 40 }),
  record: fc.option(
    fc.record({
      status: text(40),
      priority: text(40),
      targetRevenue: revenue,
      currentRevenue: revenue,
      summary: text(2_000),
      timeMs,
    }),
  ),
  patterns: fc.array(
    fc
      .tuple(
        note,
        fc.record({ type: text(60), fits: fc.nat(), uses: fc.nat(), evidence: fc.array(text(300)), gone: fc.nat() }),
      )
      .map(([named, more]) => ({ ...named, ...more })),
    { maxLength: 8 },
  ),
  relatives: fc.array(fc.record({ ...said, project: text(200) }), { maxLength: 10 }),
  checkpoint: fc.option(note),
  changes: fc.option(
    fc.record({
      commit: fc.option(fc.stringMatching(/^[0-9a-f]{40}$/)),
      sinceMs: fc.option(timeMs),
      checkpoint: fc.option(text(300)),
      notes: fc.array(
        fc.record({
          what: fc.constantFrom('new' as const, 'changed' as const, 'deleted' as const),
          ...{ id: text(300), title: text(200), timeMs, author: text(200), client: text(200), summary: text(2_000) },
          steps: fc.array(fc.record({ id: fc.stringMatching(/^[0-9]{6}$/), text: text(1_500) }), { maxLength: 10 }),
          closed: fc.array(text(1_500), { maxLength: 5 }),
          decisions: fc.array(text(1_500), { maxLength: 5 }),
          facts: fc.array(text(500), { maxLength: 5 }),
          queued: fc.boolean(),
        }),
        { maxLength: 10 },
      ),
      left: fc.nat(),
      note: fc.option(text(300)),
    }),
  ),
};

const unconfirmed = fc.record({
  queued: fc.nat(),
  unknown: fc.nat(),
  conflicts: fc.nat(),
  elsewhere: fc.nat(),
  unreadable: fc.boolean(),
  why: text(200),
});

const budget = fc.oneof(fc.integer({ min: 100, max: 400 }), fc.integer({ min: 100, max: 20_000 }));

test('load_context is never over its budget, for any notes and any budget', async () => {
  const others = fc.array(
    fc.record({ project: text(200), documents: fc.nat(), lastMs: fc.nat({ max: 4_000_000_000_000 }) }),
    { maxLength: 10 },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        project: text(200),
        total: fc.nat(),
        ...context,
        unconfirmed,
        others,
        near: fc.nat({ max: 3 }),
        provenance,
      }),
      budget,
      async (output, most) => {
        const answer = await loadContext.format(output, { max_tokens: most });
        expect(tokens(answer)).toBeLessThanOrEqual(most);
        expect(answer.length).toBeGreaterThan(0);
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);

test('search_memory is never over its budget, for any hits and any budget', async () => {
  const hit = fc.record({
    id: text(300),
    title: text(200),
    project: text(100),
    timeMs: fc.nat({ max: 4_000_000_000_000 }),
    passages: fc.array(
      fc.record({
        headings: fc.array(text(300), { maxLength: 3 }),
        text: text(600),
        rank: fc.nat({ max: 30 }),
        adjoins: fc.boolean(),
        continues: fc.boolean(),
      }),
      { maxLength: 4 },
    ),
    meaning: fc.option(fc.float({ noNaN: true })),
    also: fc.array(text(50), { maxLength: 3 }),
    matched: fc.array(text(50), { maxLength: 10 }),
    score: fc.float({ noNaN: true }),
    queued: fc.boolean(),
    digest: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        terms: fc.array(text(50), { maxLength: 64 }),
        searched: fc.nat(),
        projects: fc.option(fc.array(text(200), { minLength: 1, maxLength: 3 })),
        hits: fc.array(hit, { maxLength: 50 }),
        unknown: fc.array(fc.record({ word: text(50), near: fc.array(text(50), { maxLength: 4 }) }), { maxLength: 3 }),
        semantic: fc.boolean(),
        asOf: fc.option(fc.record({ commit: fc.option(text(40)), timeMs: fc.nat() })),
        near: fc.option(fc.array(text(200), { maxLength: 3 })),
        provenance,
      }),
      budget,
      async (output, most) => {
        const answer = await searchMemory.format(output, {
          query: 'x',
          project: 'p/q',
          relatives: true,
          max_tokens: most,
        });
        expect(tokens(answer)).toBeLessThanOrEqual(most);
      },
    ),
    { numRuns: 40 },
  );
}, 60_000);

test('real notes: every budget is kept, a greater one never says less, the default is 1,800', async () => {
  const { call } = await openApp();
  for (let at = 0; at < 25; at++) {
    await call('save_session', {
      title: `Session ${at} отчёт`,
      content: `Work of day ${at}. ${'It took a while and much was learned. '.repeat(20)}\n\n## Next steps\n${Array.from({ length: 8 }, (_, step) => `- step ${at}.${step} ${'to be done '.repeat(10)}`).join('\n')}`,
      decisions: [`decision ${at} ${'because of reasons '.repeat(10)}`],
    });
  }
  let shown = 0;
  for (const most of [100, 101, 150, 200, 400, 800, 1_800, 5_000, 20_000]) {
    const answer = await call('load_context', { max_tokens: most });
    expect(tokens(answer)).toBeLessThanOrEqual(most);
    const lines = answer.split('\n').filter((line) => line.startsWith('- ')).length;
    expect(lines).toBeGreaterThanOrEqual(shown);
    shown = lines;
    if (most >= 400)
      for (const heading of ['## Where we stand', '## Open next steps']) expect(answer).toContain(heading);
  }
  const usual = await call('load_context');
  expect(tokens(usual)).toBeLessThanOrEqual(1_800);
  // Used, not only kept.
  expect(tokens(usual)).toBeGreaterThan(1_500);
  for (const most of [160, 300, 1_000]) {
    const found = await call('search_memory', { query: 'work learned', max_tokens: most, limit: 20 });
    expect(tokens(found)).toBeLessThanOrEqual(most);
    expect(found, 'a small budget still names a note').toMatch(/[1-9]\d* best of 25 notes/);
  }
});

test('one endless line does not hide the other notes', async () => {
  const { call } = await openApp();
  await call('save_session', { title: 'Older', content: 'older text', next_steps: ['the older step'] });
  await call('save_session', {
    title: 'Newest',
    content: `## Next steps\n- ${'endless '.repeat(20_000)}\n- short one`,
  });
  const answer = await call('load_context');
  expect(answer).toContain('the older step');
  expect(answer).toContain('short one');
});

function repositoryOf(count: number): string {
  const folder = tempFolder();
  git(folder, 'init', '-q', '-b', 'main');
  for (let at = 0; at < count; at++) {
    const path = join(folder, `notes/${at % 10}/note-${at}.md`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `# Note ${at}\n\n**Date:** 2025-10-${10 + (at % 20)}\n\nText of ${at}.\n`);
  }
  git(folder, 'add', '-A');
  git(folder, 'commit', '-q', '-m', 'notes');
  return folder;
}

test('sync_now tells of its progress when asked: upwards, to the end', async () => {
  const { client } = await openApp({ MEMORY_REPO: repositoryOf(650) });
  const seen: { progress: number; total?: number }[] = [];
  await client.callTool({ name: 'sync_now', arguments: {} }, undefined, {
    onprogress: ({ progress, total }) => void seen.push({ progress, total }),
  });
  expect(seen.length).toBeGreaterThan(2);
  expect(seen.at(-1)).toEqual({ progress: 650, total: 650 });
  expect(seen.map(({ progress }) => progress)).toEqual(
    [...new Set(seen.map(({ progress }) => progress))].sort((a, b) => a - b),
  );
});

test('a cancelled sync_now does no harm: what is served is whole, before and after', async () => {
  const { client, app, call } = await openApp({ MEMORY_REPO: repositoryOf(650) });
  const stop = new AbortController();
  const cancelled = client.callTool({ name: 'sync_now', arguments: {} }, undefined, {
    signal: stop.signal,
    // In the middle: the first batch is staged, the others are not.
    onprogress: () => stop.abort(),
  });
  await expect(cancelled).rejects.toThrow();
  expect(await call('list_sessions', { consistency: 'fast' })).toMatch(/No notes match|of 650 notes/);
  expect(await call('sync_now')).toMatch(/650 documents/);
  expect(await call('verify_with_github')).toMatch(/650 documents compared.*all equal/);
  const state = await app.services.mirror.snapshot((view) => view.state());
  expect(state.doubts).toBe(0);
});

test('a cancelled save is either not there at all or whole, and the next one works', async () => {
  const { client, call } = await openApp();
  const stop = new AbortController();
  const saving = client.callTool({ name: 'save_session', arguments: { title: 'Stopped', content: 'x' } }, undefined, {
    signal: stop.signal,
  });
  stop.abort();
  await expect(saving).rejects.toThrow();
  await call('save_session', { title: 'Next', content: 'y' });
  expect(await call('list_sessions')).toMatch(/[12] of [12] notes?/);
  expect(await call('verify_with_github')).toMatch(/all equal/);
});
