import { expect, test } from 'vitest';
import { openApp } from '../support/app.js';

const ids = (answer: string) => [...answer.matchAll(/`(sessions\/[^`]+)`/g)].map((match) => match[1] as string);
const fieldOf = (receipt: string, name: RegExp) => (name.exec(receipt) as RegExpExecArray)[1] as string;

test('search_memory as of a commit finds what there was then, in the words of then, and nothing that came later', async () => {
  const { call, app } = await openApp();
  const first = await call('save_session', { title: 'Billing', content: 'We chose the walrus queue for invoices.' });
  const id = fieldOf(first, /`(sessions\/[^`]+)`/);
  const commit = fieldOf(first, /commit ([0-9a-f]+)/);
  const blob = fieldOf(first, /blob ([0-9a-f]+)/);
  await call('save_session', { title: 'Other', content: 'The narwhal worker was not touched.' });
  await call('save_session', {
    title: 'Billing',
    content: 'We moved invoices to the pelican queue.',
    id,
    replaces: blob,
  });
  const search = (query: string, more = {}) => call('search_memory', { query, ...more });

  expect(ids(await search('walrus'))).toEqual([]);
  expect(ids(await search('pelican'))).toEqual([id]);
  const then = await search('walrus', { as_of: commit });
  expect(ids(then)).toEqual([id]);
  expect(then).toContain('walrus queue for invoices');
  expect(then).toMatch(new RegExp(`as of commit ${commit.slice(0, 7)}[^]*not now`));
  expect(then).toContain('1 best of 1 ');
  expect(ids(await search('pelican', { as_of: commit }))).toEqual([]);
  expect(ids(await search('narwhal', { as_of: commit }))).toEqual([]);
  // What has not changed since is found where it is.
  const { head } = await app.services.mirror.snapshot((view) => view.state());
  const now = head?.commit ?? '';
  expect(ids(await search('narwhal queue', { as_of: now })).toSorted()).toEqual(
    ids(await search('narwhal queue')).toSorted(),
  );
  // Filters, exclusions and typos work in the past, too.
  expect(ids(await search('invoices -walrus', { as_of: commit }))).toEqual([]);
  expect(ids(await search('invoces', { as_of: commit }))).toEqual([id]);
  expect(ids(await search('invoices', { as_of: commit, kind: 'checkpoint' }))).toEqual([]);
});
