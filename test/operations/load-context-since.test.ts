import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/core/limits.js';
import { openApp } from '../support/app.js';
import { githubHistory, localHistory } from '../support/history.js';

const PROJECT = 'acme/api';
const note = (title: string, body: string, fields = '') =>
  `---\ntitle: ${title}\nproject: ${PROJECT}\n${fields}---\n${body}`;

for (const [name, make] of [
  ['local git', localHistory],
  ['GitHub', githubHistory],
] as const)
  describe(`what has changed since, ${name}`, () => {
    test('by commit, by day, by time: what came, changed and went, by whom, and what it says that is new', async () => {
      const history = await make();
      const first = await history.commit(
        {
          'n/one.md': note('One', '## Next steps\n- [ ] Feed the owl\n- [ ] Comb the yak\n'),
          'n/two.md': note('Two', 'Gone soon.'),
          'other/x.md': '---\nproject: else/where\n---\n# X\n\nNot ours.',
        },
        '2026-01-10T10:00:00Z',
      );
      const second = await history.commit(
        {
          'n/one.md': note('One', '## Next steps\n- [x] Feed the owl\n- [ ] Comb the yak\n- [ ] Wash the emu\n'),
          'n/two.md': null,
          'n/three.md': note(
            'Three',
            '## Decisions\n- Emus are washed on Mondays\n',
            'author: ann\nclient: claude-code 2 on lark\n',
          ),
          'other/x.md': '---\nproject: else/where\n---\n# X\n\nStill not ours.',
        },
        '2026-01-12T10:00:00Z',
      );
      const { call } = await history.open();
      for (const since of [first, first.slice(0, 9), '2026-01-11', '2026-01-11T09:00:00Z', '2026-01-12']) {
        const answer = await call('load_context', { project: PROJECT, since });
        expect(answer, since).toContain(`3 notes changed since commit ${first.slice(0, 10)} (2026-01-10 10:00 UTC)`);
        expect(answer).toMatch(
          /new \*\*Three\*\* `n\/three` by ann, claude-code 2 on lark\n {2}- decided: Emus are washed/,
        );
        expect(answer).toMatch(/changed \*\*One\*\* `n\/one`/);
        expect(answer).toMatch(/- open: #\d{6} Wash the emu/);
        expect(answer).toContain('- done: Feed the owl');
        expect(answer).toMatch(/deleted \*\*Two\*\* `n\/two`/);
        for (const old of ['Comb the yak', 'ours']) expect(answer).not.toContain(old);
      }
      const all = await call('load_context', { project: PROJECT, since: '2025-01-01' });
      expect(all).toContain('2 notes changed since 2025-01-01 00:00 UTC');
      for (const since of [second, second.slice(0, 7).toUpperCase(), '2026-01-13']) {
        const nothing = await call('load_context', { project: PROJECT, since });
        expect(nothing).toContain(`nothing changed since commit ${second.slice(0, 10)}`);
        expect(countTokens(nothing)).toBeLessThan(60);
      }
    });
  });

test('a note that waits, and one of somebody else’s that may not be seen', async () => {
  const history = await localHistory();
  const first = await history.commit({ 'n/one.md': note('One', 'Text of one.') }, '2026-01-10T10:00:00Z');
  await history.commit(
    { 'n/secret.md': note('Secret plan', 'Of Ann.', 'privacy: PRIVATE\nauthor: ann\n') },
    '2026-01-11T10:00:00Z',
  );
  const { call } = await history.open({ MEMORY_PROJECT: PROJECT }, 'bob');
  expect(await call('load_context', { since: first })).toContain('nothing changed');
  await call('save_session', { title: 'Held', content: 'Here only.', privacy: 'EPHEMERAL' });
  expect(await call('load_context', { since: first })).toMatch(/1 note changed[\s\S]*new \*\*Held\*\*/);
  await history.commit({ 'n/secret.md': null }, '2026-01-12T10:00:00Z');
  expect(await call('load_context', { since: '2026-01-11T11:00Z' })).not.toContain('Secret');
});

test.each([
  ['  ', /`since` is empty\. Give a commit, a date or the id of a checkpoint/],
  ['2999-01-01', /`since` lies in the future/],
  ['0123456789abcdef', /0123456789abcdef[\s\S]*Take the commit that an earlier answer named, or a date/],
  ['yesterday', /`since` is neither a date that exists nor the id of a commit/],
  ['2026-02-31', /`since` is neither a date/],
])('since %s is refused in a sentence', async (since, says) => {
  const { call, fail } = await openApp();
  await call('save_session', { title: 'One', content: 'Text.' });
  expect(await fail('load_context', { since })).toMatch(says);
});

test('a project that exists nowhere is answered with the nearest names, also where changes were asked for', async () => {
  const { call } = await openApp();
  await call('save_session', { title: 'One', content: 'Text.', project: 'acme/shop' });
  for (const since of [undefined, '2026-01-01']) {
    const answer = await call('load_context', { project: 'acme/shp', since });
    expect(answer).toMatch(/^Project `acme\/shp`: nothing remembered yet[\s\S]*\n- acme\/shop: 1 note/);
  }
});

const dated = (title: string, day: string, body: string) => note(title, `${body}\n`, `time: ${day}T10:00:00Z\n`);

test('changes are told in sum: what one of them opened and a later one closed is done, what was decided anew is told once', async () => {
  const history = await localHistory();
  const first = await history.commit({ 'n/0.md': dated('Zero', '2026-01-09', 'Text.') }, '2026-01-09T10:00:00Z');
  await history.commit(
    {
      'n/1.md': dated(
        'One',
        '2026-01-10',
        '## Next\n- [ ] Water the owl\n- [ ] Comb the yak\n## Decisions\n- Holds last 10 minutes\n## Numbers\n- **Bookings a week:** 34',
      ),
      'n/2.md': dated(
        'Two',
        '2026-01-11',
        '## Done\n- Watered the owl\n## Decisions\n- Holds last 15 minutes\n## Numbers\n- **Bookings a week:** 71\n## Summary\nThe move cost **$38**.',
      ),
    },
    '2026-01-11T10:00:00Z',
  );
  const { call } = await history.open();
  const answer = await call('load_context', { project: PROJECT, since: first });
  expect(answer).toMatch(/- open: #\d{6} Comb the yak/);
  expect(answer).toContain('- done: Watered the owl');
  expect(answer).toContain('- decided: Holds last 15 minutes');
  expect(answer).toContain('- figure: Bookings a week: 71');
  expect(answer).not.toMatch(/open: #\d{6} Water the owl|10 minutes|week: 34/);
  expect(answer.split('The move cost')).toHaveLength(2);
});

test('what is closed by its number is told in its words', async () => {
  const { call } = await openApp();
  await call('save_session', { title: 'One', content: 'Text.', next_steps: ['Feed the owl at dusk'] });
  const before = await call('load_context', { section: 'steps' });
  const [, number] = /#(\d{6})/.exec(before) ?? [];
  const [, commit = ''] = /mirror ([0-9a-f]+)/.exec(before) ?? [];
  await call('save_session', { title: 'Two', content: `## Done\n- [x] #${number}\n` });
  expect(await call('load_context', { since: commit })).toContain(`- done: #${number} (Feed the owl at dusk)`);
});

test('thousands of changes elsewhere hide none of this project', async () => {
  const history = await localHistory();
  const first = await history.commit({ 'n/0.md': note('Zero', 'Text.') }, '2026-01-09T10:00:00Z');
  const many = Array.from({ length: LIMITS.contextChanges + 100 }, (_, at) => `z/${at}.md`);
  const elsewhere = many.map((path) => [path, `---\nproject: else/where\n---\n# ${path}\n`]);
  await history.commit({ ...Object.fromEntries(elsewhere), 'a/1.md': note('One', 'Text.') }, '2026-01-10T10:00:00Z');
  const { call } = await history.open();
  const answer = await call('load_context', { project: PROJECT, since: first });
  expect(answer).toMatch(/1 note changed[\s\S]*new \*\*One\*\*/);
  expect(answer).not.toContain('not looked at');
  await history.commit(Object.fromEntries(many.map((path) => [path, null])), '2026-01-11T10:00:00Z');
  expect(await call('load_context', { project: PROJECT, since: '2026-01-10T12:00Z' })).toMatch(
    /no change was found since[\s\S]*more changes were not looked at/,
  );
});
