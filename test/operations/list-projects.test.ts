import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { LIMITS } from '../../src/core/limits.js';
import { localHistory } from '../support/history.js';

const note = (project: string, day: string, parent = '') =>
  `---\nproject: ${project}\ntime: ${day}T10:00:00Z\nkind: session\n${parent === '' ? '' : `parent: ${parent}\n`}---\n# Note\n\nText.\n`;

const rows = (answer: string) => answer.split('\n').filter((line) => /^ {0,2}- /.test(line));
const names = (answer: string) => rows(answer).map((line) => /- (\S+)/.exec(line)?.[1] ?? '');
const cursorOf = (answer: string) => /^More: cursor=(\S+)$/m.exec(answer)?.[1];

test('hundreds of projects: every page fits a screen, and all pages together are all projects, each once', async () => {
  const history = await localHistory();
  const all = Array.from({ length: 330 }, (_, at) => `acme/part-${String(at).padStart(3, '0')}`);
  const days = (at: number) =>
    `2026-${String(1 + (at % 11)).padStart(2, '0')}-${String(1 + (at % 28)).padStart(2, '0')}`;
  await history.commit(
    // Every third is a submodule of the one before it; some were last active on one day.
    Object.fromEntries(
      all.map((project, at) => [`${at}.md`, note(project, days(at), at % 3 === 2 ? all[at - 1] : '')]),
    ),
    '2026-11-20T10:00:00Z',
  );
  const { call } = await history.open();
  for (const limit of [undefined, 7, 100]) {
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await call('list_projects', { limit, cursor });
      expect(countTokens(page)).toBeLessThanOrEqual(LIMITS.budgetDefaultTokens);
      expect(page).toMatch(/^\d+ of 330 projects/);
      const shown = names(page);
      expect(shown.length).toBeGreaterThan(limit === 7 ? 0 : 30);
      expect(shown.length).toBeLessThanOrEqual(limit ?? 100);
      seen.push(...shown);
      cursor = cursorOf(page);
    } while (cursor !== undefined);
    expect(seen).toHaveLength(all.length);
    expect([...seen].sort()).toEqual(all);
  }
});

test('a family stands where any of it was active last, submodules below the one that they are parts of', async () => {
  const history = await localHistory();
  await history.commit(
    {
      'a.md': note('acme/app', '2026-01-01'),
      'b.md': note('acme/pay', '2026-03-01', 'acme/app'),
      'c.md': note('acme/pay/cards', '2026-02-01', 'acme/pay'),
      'd.md': note('solo/other', '2026-02-15'),
      'e.md': note('lost/child', '2026-01-15', 'never/heard'),
      // Each calls the other one its parent.
      'f.md': note('ring/one', '2025-01-01', 'ring/two'),
      'g.md': note('ring/two', '2025-01-02', 'ring/one'),
    },
    '2026-03-02T10:00:00Z',
  );
  const { call } = await history.open();
  const page = await call('list_projects');
  expect(rows(page).slice(0, 5)).toEqual([
    '- acme/app · 1 note · 2026-01-01',
    '  - acme/pay · 1 note · 2026-03-01',
    '  - acme/pay/cards · in acme/pay · 1 note · 2026-02-01',
    '- solo/other · 1 note · 2026-02-15',
    '- lost/child · in never/heard · 1 note · 2026-01-15',
  ]);
  expect(names(page).sort()).toHaveLength(7);
  // On a page without its parent a submodule says what it belongs to.
  const second = await call('list_projects', { limit: 2, cursor: cursorOf(await call('list_projects', { limit: 1 })) });
  expect(rows(second)[0]).toBe('- acme/pay · in acme/app · 1 note · 2026-03-01');
  expect(cursorOf(await call('list_projects', { limit: 7 }))).toBeUndefined();
});
