import { expect, test } from 'vitest';
import { openApp } from '../support/app.js';
import { bareRepository, commitFiles } from '../support/repository.js';

const NOTE = '---\nproject: test/project\n---\n# Cluster\n\nThe kubernetes upgrade took an hour.';
const HERS =
  '---\nprivacy: PRIVATE\nauthor: ann\nproject: test/project\n---\n# Of Ann\n\nkubernetez kubernetec kubernetek kubernetel kubernetem';

/** Without what differs from call to call. */
const bare = (text: string) => text.replace(/notes-\w+/g, '').replace(/\n[^\n]*$/, '');

test('what a mistyped word may mean is taken from notes that the caller may see, not from those that are hidden or gone', async () => {
  const repo = bareRepository();
  commitFiles(repo, { 'a.md': NOTE });
  const bob = await openApp({ MEMORY_REPO: repo }, 'bob');
  const search = () => bob.call('search_memory', { query: 'kubernetex', consistency: 'fresh' });
  const alone = await search();
  expect(alone).toMatch(/^1 best of 1 note; no note has "kubernetex", like it: kubernet/);
  commitFiles(repo, { 'b.md': HERS });
  expect(bare(await search())).toBe(bare(alone));
});

test('conditions that no note meets are told as such; kinds that do not exist are refused, not ignored', async () => {
  const repo = bareRepository();
  commitFiles(repo, { 'a.md': NOTE });
  const { call, fail } = await openApp({ MEMORY_REPO: repo });
  for (const query of ['"took kubernetes"', 'tag:none', 'tag:none upgrade', 'kind:pattern', 'hour -upgrade'])
    expect(await call('search_memory', { query }), query).toMatch(
      /^Nothing found: no note meets the query's conditions/,
    );
  for (const query of ['project:test/projec', 'project:test/projec upgrade'])
    expect(await call('search_memory', { query }), query).toMatch(
      /^Project `test\/projec` has no notes.*test\/project/s,
    );
  for (const query of ['kind:adr upgrade', 'kind:note kind:session upgrade'])
    expect(await fail('search_memory', { query }), query).toMatch(/takes one of session, .*note/);
  expect(await call('search_memory', { query: 'kind:Note upgrade' })).toContain('**Cluster**');
});

test('what was not found is told in the words of the query, and an empty memory as such', async () => {
  const { call } = await openApp();
  expect(await call('search_memory', { query: 'why were installers failing' })).toMatch(
    /^Nothing found: this memory has no notes yet\./,
  );
  expect(await call('search_memory', { query: 'installers', tags: ['release'] })).toMatch(/conditions/);
  await call('save_session', {
    title: 'Zeppelin '.repeat(20),
    content: 'The mast is raised before the ropes are tied.',
  });
  expect(await call('search_memory', { query: 'the installers are failing, ENOENT_7' })).toMatch(
    /has any of: installers, failing, ENOENT_7[.,]/,
  );
  expect(await call('search_memory', { query: 'mast', max_tokens: 100 })).toMatch(
    /^1 note found, none fits 100 tokens: ask for more\./,
  );
});

test('a note of the day or month that is asked for is found without any of the words', async () => {
  const repo = bareRepository();
  commitFiles(repo, {
    'a.md': '---\ndate: 2025-02-11\n---\n# Макет\n\nВзяли серый фон.\n',
    'b.md': '---\ndate: 2025-08-31\n---\n# Lock\n\nThe migration held the table.\n',
    'c.md': '---\ndate: 2025-05-05\n---\n# Other\n\nNothing of it.\n',
  });
  const { call } = await openApp({ MEMORY_REPO: repo });
  for (const [query, title] of [
    ['что решили в феврале 2025', 'Макет'],
    ['2025-08-30 outage', 'Lock'],
  ]) {
    const answer = await call('search_memory', { query });
    expect(answer, query).toMatch(/^1 best of 3 notes/);
    expect(answer, query).toContain(`**${title}**`);
  }
});

test('notes that are only held here are searched as all others: by the words that they have, phrases and exclusions', async () => {
  const { call } = await openApp();
  await call('save_session', {
    title: 'Held',
    content: 'The otter swam over the river.',
    privacy: 'EPHEMERAL',
    tags: ['zoo'],
  });
  expect(await call('search_memory', { query: 'otter giraffe' })).toMatch(/\*\*Held\*\*.* has otter\n/);
  for (const query of ['"over the river" giraffe', '"swam over"', 'tag:zoo', 'otter -giraffe'])
    expect(await call('search_memory', { query }), query).toContain('**Held**');
  for (const query of ['"river over" otter', 'otter -river', 'otter -"swam over"', 'giraffe', 'tag:farm otter'])
    expect(await call('search_memory', { query }), query).toMatch(/^Nothing found/);
});

test('a phrase is found in a title, too; in a question a title in quotes need not stand in the answer', async () => {
  const { call } = await openApp();
  await call('save_session', { title: 'Payments stall at noon', content: 'Eight workers shared one pool.' });
  await call('save_session', { title: 'Reading', content: 'We read about bottlenecks: a novel of a factory.' });
  expect(await call('search_memory', { query: '"stall at noon"' })).toContain('**Payments stall at noon**');
  expect(await call('search_memory', { query: 'pool -"stall at noon"' })).toMatch(/^Nothing found/);
  expect(await call('search_memory', { query: '"stall at midnight" pool' })).toMatch(/^Nothing found/);
  expect(await call('search_memory', { query: 'What was the novel "The Goal" about?' })).toContain('**Reading**');
});
