import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openApp } from '../support/app.js';
import { type GitHub, startGitHub } from '../support/github.js';
import { environmentOf, openGitHub } from '../support/github-origin.js';
import { tempFolder } from '../support/home.js';
import { commitOn, committed, text } from '../support/origin-contract.js';

// How many requests each thing costs, counted at the other end.

let site: GitHub;
let made = 0;
beforeAll(async () => {
  site = await startGitHub({ budget: 50_000 });
});
afterAll(() => site.close());
afterEach(() => site.clearFaults());

async function repositoryOf(files: Record<string, string> = {}) {
  const repository = await site.createRepo({ name: `counted-${made++}` });
  if (Object.keys(files).length > 0) await site.seed(files, { repository });
  return { repository, environment: environmentOf(site, { MEMORY_REPO: repository, MEMORY_HOME: tempFolder() }) };
}

const note = (at: number, dated = true) =>
  `${dated ? `---\ntime: 2026-0${1 + (at % 9)}-11T10:00:00Z\n---\n` : ''}# Note ${at}\n\nWhat was decided on day ${at}: keep it small.\n`;
const notes = (count: number, dated = true) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`notes/${at % 12}/n${at}.md`, note(at, dated)]));

/** The requests that something costs. */
async function cost<T>(work: () => Promise<T>) {
  site.clearLog();
  const value = await work();
  const asked = [...site.log];
  const writes = asked.filter(({ method, graphql }) => (graphql ? graphql.operation === 'mutation' : method !== 'GET'));
  return { value, asked, requests: asked.length, writes: writes.length };
}

test('nothing changed is one request that is not counted; a new process needs one of its own first', async () => {
  const { environment } = await repositoryOf(notes(3));
  const first = await openApp(environment);
  await first.call('sync_now');
  const second = await cost(async () => {
    const app = await openApp(environment);
    await app.call('sync_now');
    return app;
  });
  // What it looks at as it starts is the same question, or one with nothing new.
  expect(second.requests).toBeLessThanOrEqual(2);
  for (const app of [first, second.value]) {
    const again = await cost(() => app.call('sync_now'));
    expect(again.asked.map(({ status, conditional }) => [status, conditional])).toEqual([[304, true]]);
    // A head that was confirmed this minute is not asked for.
    expect((await cost(() => app.call('load_context'))).requests).toBe(0);
  }
});

test('a save is one write: one request where the process is warm, at most three where it is cold', async () => {
  const { environment, repository } = await repositoryOf(notes(3));
  const save = (app: Awaited<ReturnType<typeof openApp>>, title: string, more = {}) =>
    cost(() => app.call('save_session', { title, content: `About ${title}.`, ...more }));
  const first = await openApp(environment);
  await first.call('sync_now');
  expect(await save(first, 'first')).toMatchObject({ requests: 1, writes: 1 });
  expect(await save(first, 'second')).toMatchObject({ requests: 1, writes: 1 });
  let cold = first;
  const third = await cost(async () => {
    cold = await openApp(environment);
    return cold.call('save_session', { title: 'third', content: 'About third.' });
  });

  expect(third.requests).toBeLessThanOrEqual(3);
  expect(await save(cold, 'fourth')).toMatchObject({ requests: 1, writes: 1 });
  const together = await cost(() =>
    Promise.all(
      Array.from({ length: 20 }, (_, at) => cold.call('save_session', { title: `at once ${at}`, content: 'x' })),
    ),
  );
  expect(together.writes).toBeLessThanOrEqual(3);
  expect(together.requests).toBe(together.writes);

  const [, id = '', blob = ''] = /`([^`]+)`.* blob ([0-9a-f]{40})/.exec(third.value) ?? [];
  const edited = await save(cold, 'third, edited', { id, replaces: blob });
  expect(edited.value).toMatch(/^Saved: /);
  expect(edited).toMatchObject({ requests: 1, writes: 1 });
  const [, now = ''] = / blob ([0-9a-f]{40})/.exec(edited.value) ?? [];
  const coldEdit = await cost(async () =>
    (await openApp(environment)).call('save_session', { title: 'third, again', content: 'Again.', id, replaces: now }),
  );
  expect(coldEdit.value).toMatch(/^Saved: /);
  expect(coldEdit.requests).toBeLessThanOrEqual(3);
  expect((await site.history(undefined, repository)).every(({ parents }) => parents.length <= 1)).toBe(true);
});

test.each([
  ['dated', true],
  ['undated', false],
] as const)('the first sync of 1,000 documents, %s', async (_, dated) => {
  const { environment } = await repositoryOf(notes(1_000, dated));
  const app = await openApp(environment);
  const { requests, value, writes } = await cost(() => app.call('sync_now'));
  expect(value).toContain('1001');
  expect(requests).toBeLessThanOrEqual(15);
  expect(writes).toBe(0);
  expect((await cost(() => app.call('verify_with_github'))).requests).toBeLessThanOrEqual(2);
});

test.each([
  ['dated', true],
  ['undated', false],
] as const)(
  'the first sync of 10,000 documents, %s',
  async (_, dated) => {
    const { environment } = await repositoryOf(notes(10_000, dated));
    const app = await openApp(environment);
    const { requests, value } = await cost(() => app.call('sync_now'));
    expect(value).toContain('10001');
    expect(requests).toBeLessThanOrEqual(120);
  },
  120_000,
);

test.each([
  ['dated', true],
  ['undated', false],
] as const)('one changed file costs at most three, %s', async (_, dated) => {
  const { environment, repository } = await repositoryOf(notes(50, dated));
  const app = await openApp(environment);
  await app.call('sync_now');
  await site.commitOutside({ 'notes/1/n1.md': `${note(1, dated)}\nChanged.\n` }, { repository });
  const one = await cost(() => app.call('sync_now'));
  expect(one.requests).toBeLessThanOrEqual(3);
  await site.commitOutside(
    { 'notes/new.md': note(77, dated), 'notes/2/n2.md': null, 'other.txt': 'x' },
    { repository },
  );
  expect((await cost(() => app.call('sync_now'))).requests).toBeLessThanOrEqual(3);
  await site.commitOutside({ 'notes/3/n3.md': null }, { repository });
  expect((await cost(() => app.call('sync_now'))).requests).toBeLessThanOrEqual(3);
  expect(await app.call('verify_with_github')).not.toContain('differ from');
  expect(await app.call('read_memory', { id: 'notes/1/n1' })).toContain('Changed.');
  expect(await app.fail('read_memory', { id: 'notes/2/n2' })).toContain('notes/2/n2');
  // And in a process that has not asked anything yet.
  await site.commitOutside({ 'notes/4/n4.md': `${note(4, dated)}x` }, { repository });
  const cold = await openApp(environment);
  expect((await cost(() => cold.call('sync_now'))).requests).toBeLessThanOrEqual(3);
});

test('commits and requests stay under GitHub’s bounds', async () => {
  const { environment, repository } = await repositoryOf();
  const app = await openApp(environment);
  await app.call('sync_now');
  const words = 'Lorem ipsum dolor sit amet, consectetur. '.repeat(24_000);
  const { asked, value } = await cost(() =>
    Promise.all(
      Array.from({ length: 24 }, (_, at) =>
        app.call('save_session', { title: `Large ${at}`, content: `${at} ${words}` }),
      ),
    ),
  );
  expect(value.every((receipt) => receipt.startsWith('Saved: '))).toBe(true);
  expect(Math.max(...asked.map(({ bytesIn }) => bytesIn))).toBeLessThan(40_000_000);
  expect([...(await site.files(undefined, repository)).keys()].filter((path) => path.endsWith('.md'))).toHaveLength(25);
});

test('the git data API is never asked for more than 2.5 MB at a time', async () => {
  site.setGraphQL(false);
  try {
    const { repository } = await repositoryOf();
    const origin = openGitHub(site, { name: repository.split('/')[1] as string });
    const kinds = ['plain words ', 'жизнь ', '\u0001\u0002', '"\\\n'];
    const changes = Array.from({ length: 12 }, (_, at) => {
      const kind = kinds[at % kinds.length] as string;
      return { path: `large/${at}.md`, content: text(kind.repeat(Math.floor(1_000_000 / Buffer.byteLength(kind)))) };
    });
    const { asked, value } = await cost(() => committed(origin, changes));
    expect(Math.max(...asked.map(({ bytesIn }) => bytesIn))).toBeLessThan(2_500_000);
    const files = await site.files(undefined, repository);
    for (const { path, content } of changes) expect(files.get(path)?.equals(Buffer.from(content))).toBe(true);
    expect(value.head.commit).toBe(site.head(undefined, repository));
    expect((await commitOn(origin, [{ path: 'small.md', content: text('x') }])).outcome).toBe('committed');
  } finally {
    site.setGraphQL(true);
  }
});

test('trees that GitHub cuts short are walked', async () => {
  const small = await startGitHub({ treeLimit: 20 });
  try {
    const deep = Object.fromEntries(
      Array.from({ length: 40 }, (_, at) => [`deep/${at % 2}/${at % 4}/n${at}.md`, `# ${at}\n`]),
    );
    const flat = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`flat/n${at}.md`, `# ${at}\n`]));
    const few = { 'a/one.md': '# one\n', 'b/c/two.md': '# two\n', '.strataignore': 'flat/n1.md\n' };
    await small.seed({ ...deep, ...few });
    const origin = openGitHub(small);
    const head = await origin.head();
    const listed = await origin.list(head?.commit ?? '');
    expect(listed.entries.map(({ path }) => path).sort()).toEqual(
      [...Object.keys({ ...deep, ...few }), 'README.md'].sort(),
    );
    await small.seed(flat);
    const app = await openApp(environmentOf(small));
    expect(await app.call('sync_now')).toContain(String(40 + 30 + 3 - 1));
    expect(await app.call('verify_with_github')).not.toContain('differ');
  } finally {
    await small.close();
  }
});
