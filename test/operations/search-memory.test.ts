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
  expect(alone).toMatch(/^1 best of 1 notes; no note has "kubernetex", like it: kubernet/);
  commitFiles(repo, { 'b.md': HERS });
  expect(bare(await search())).toBe(bare(alone));
});
