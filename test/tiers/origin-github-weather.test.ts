import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openApp } from '../support/app.js';
import { type Fault, type GitHub, startGitHub } from '../support/github.js';
import { environmentOf, openGitHub } from '../support/github-origin.js';
import { tempFolder } from '../support/home.js';
import { commitOn, text } from '../support/origin-contract.js';
import { runProgram } from '../support/server.js';

// What goes wrong on the way: what passes is waited for inside the deadline, what does not ends in time and is named.

let site: GitHub;
let made = 0;
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => void unhandled.push(reason);
beforeAll(async () => {
  process.on('unhandledRejection', onUnhandled);
  site = await startGitHub({ budget: 50_000 });
});
afterEach(() => {
  site.clearFaults();
  site.clearLog();
});
afterAll(async () => {
  process.off('unhandledRejection', onUnhandled);
  expect(unhandled).toEqual([]);
  await site.close();
});

async function repositoryOf() {
  const name = `weather-${made++}`;
  const repository = await site.createRepo({ name });
  await site.commitOutside({ 'note.md': '# Note\n\nStands there.\n' }, { repository });
  return { name, repository, environment: environmentOf(site, { MEMORY_REPO: repository, MEMORY_HOME: tempFolder() }) };
}

/** How long something took, and what came of it. */
async function timed<T>(work: Promise<T>) {
  const started = performance.now();
  const [result] = await Promise.allSettled([work]);
  const ms = performance.now() - started;
  return {
    ms,
    value: result.status === 'fulfilled' ? result.value : undefined,
    error: result.status === 'rejected' ? result.reason : undefined,
  };
}

const isMutation: Fault['match'] = ({ graphql }) => graphql?.operation === 'mutation';
const bad = (status: number): Fault => ({ kind: 'status', status, times: 1 });
const PASSING: [string, Fault[]][] = [
  ['a 502', [bad(502)]],
  ['a 500 and a 503', [bad(500), bad(503)]],
  ['a dropped socket', [{ kind: 'drop-before', times: 1 }]],
  ['an answer that is lost', [{ kind: 'drop-after', times: 1 }]],
  ['half an answer, twice', [{ kind: 'half', times: 2 }]],
];

test.each(PASSING)('%s: questions go on', async (_name, faults) => {
  const { name } = await repositoryOf();
  const questions = [
    (origin: ReturnType<typeof openGitHub>) => origin.head(),
    (origin: ReturnType<typeof openGitHub>) => origin.list(site.head(undefined, `ann/${name}`)),
    async (origin: ReturnType<typeof openGitHub>) =>
      (await origin.find(site.head(undefined, `ann/${name}`), ['note.md'])).size,
  ];
  for (const ask of questions) {
    const calm = await ask(openGitHub(site, { name }));
    for (const fault of faults) site.fault(fault);
    expect(await ask(openGitHub(site, { name }))).toEqual(calm);
    expect(site.log.filter(({ fault }) => fault !== undefined).length).toBeGreaterThan(0);
    site.clearLog();
  }
});

test('trouble that does not pass ends in time and is named', async () => {
  const { name } = await repositoryOf();
  const origin = openGitHub(site, { name, readDeadlineMs: 1_000 });
  await origin.head();
  const cases: [Fault, RegExp][] = [
    [{ kind: 'status', status: 503 }, /has trouble \(it answered 503\)/],
    [{ kind: 'drop-before' }, /the connection broke/],
    [{ kind: 'hang' }, /cannot be reached: it does not answer in time/],
    [{ kind: 'garbage' }, /gave an answer that makes no sense/],
    [{ kind: 'half' }, /the connection broke/],
  ];
  for (const [fault, says] of cases) {
    site.fault(fault);
    const { ms, error } = await timed(origin.head());
    expect(error).toMatchObject({ code: 'origin_unavailable', message: expect.stringMatching(says) });
    expect(ms).toBeLessThan(1_800);
    site.clearFaults();
    expect((await origin.head())?.commit).toBe(site.head(undefined, `ann/${name}`));
  }
  await site.down();
  const refused = await timed(openGitHub(site, { name, readDeadlineMs: 1_000 }).head());
  await site.up();
  expect(refused.error).toMatchObject({
    code: 'origin_unavailable',
    message: expect.stringContaining('refuses the connection'),
  });
  const nowhere = await timed(
    openGitHub(site, { name, apiUrl: 'http://no-such-host.invalid/api/v3', readDeadlineMs: 1_000 }).head(),
  );
  expect(nowhere.error).toMatchObject({
    code: 'origin_unavailable',
    message: expect.stringMatching(/cannot be reached/),
  });
});

test('a short pause that GitHub asks for is kept, a long one fails at once and says how long', async () => {
  const { name } = await repositoryOf();
  const origin = openGitHub(site, { name });
  await origin.head();
  site.secondaryLimit(1);
  const short = await timed(origin.head());
  expect(short.value).toBeTruthy();
  expect(short.ms).toBeGreaterThan(950);
  site.secondaryLimit(90);
  const long = await timed(origin.head());
  expect(long.error).toMatchObject({ code: 'origin_unavailable', message: 'GitHub asks for a pause of 90 s.' });
  expect(long.ms).toBeLessThan(500);
  site.primaryLimit(3_000);
  const primary = await timed(origin.head());
  expect(primary.error).toMatchObject({
    message: expect.stringMatching(/until \d\d:\d\d UTC: the rate limit is used up/),
  });
  expect(primary.ms).toBeLessThan(500);
  site.primaryLimit(1);
  expect((await timed(origin.head())).value).toBeTruthy();
});

test('a save that GitHub asks to wait: a little is waited, more is said', async () => {
  const { repository, environment } = await repositoryOf();
  const app = await openApp({ ...environment, MEMORY_OUTBOX: 'off' });
  const save = (title: string) => ({ title, content: `About ${title}.` });
  await app.call('save_session', save('before'));
  site.fault({
    kind: 'status',
    status: 403,
    headers: { 'retry-after': '1' },
    body: { message: 'You have exceeded a secondary rate limit.' },
    match: isMutation,
    times: 1,
  });
  expect(await app.call('save_session', save('a little'))).toMatch(/^Saved: /);
  site.fault({
    kind: 'status',
    status: 403,
    headers: { 'retry-after': '120' },
    body: { message: 'You have exceeded a secondary rate limit.' },
    match: isMutation,
    times: 1,
  });
  const long = await timed(app.fail('save_session', save('much')));
  expect(long.value).toContain('asks for a pause of 120 s');
  expect(long.ms).toBeLessThan(1_000);
  const files = [...(await site.files(undefined, repository)).keys()].filter(
    (path) => path.startsWith('sessions/') && path.endsWith('.md'),
  );
  expect(files).toHaveLength(2);
});

test('a budget that is used up is known for what it is, at once', async () => {
  const { name, environment } = await repositoryOf();
  const token = site.addToken('ann');
  const app = await openApp({ ...environment, GITHUB_TOKEN: token, MEMORY_OUTBOX: 'off' });
  await app.call('save_session', { title: 'Before', content: 'x' });
  await app.call('sync_now');
  expect(await app.call('memory_status')).toMatch(/\d+ of 50000 requests left, renewed \d\d:\d\d UTC/);
  site.leave(token, 0, 2_000);
  const { ms, value } = await timed(app.fail('save_session', { title: 'After', content: 'y' }));
  expect(value).toContain('the rate limit is used up');
  expect(ms).toBeLessThan(1_500);
  const origin = openGitHub(site, { name, token });
  await expect(origin.head()).rejects.toMatchObject({ message: expect.stringContaining('the rate limit is used up') });
  // As github.com does it, where octokit's own plugin sees it first.
  const headers = {
    'x-ratelimit-limit': '5000',
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + 900),
  };
  site.fault({
    kind: 'status',
    status: 200,
    headers,
    body: { errors: [{ type: 'RATE_LIMITED', message: 'API rate limit exceeded' }] },
  });
  const dotcom = openGitHub(site, { name, apiUrl: site.url });
  await expect(dotcom.head()).rejects.toMatchObject({
    code: 'origin_unavailable',
    message: expect.stringContaining('rate limit is used up'),
  });
});

test('a commit is never sent twice without a look in between', async () => {
  const { name } = await repositoryOf();
  const origin = openGitHub(site, { name });
  const head = await origin.head();
  for (const kind of ['drop-before', 'drop-before', 'drop-before'] as const)
    site.fault({ kind, match: isMutation, times: 1 });
  site.fault({ kind: 'status', status: 502, match: isMutation });
  site.clearLog();
  expect((await commitOn(origin, [{ path: 'a.md', content: text('a') }], head, 4_000)).outcome).toBe('unknown');
  const kinds = site.log.map(({ graphql }) => graphql?.operation === 'mutation');
  expect(kinds.filter(Boolean).length).toBeGreaterThan(2);
  kinds.forEach((isWrite, at) => {
    if (isWrite && at > 0) expect(kinds[at - 1]).toBe(false);
  });
});

/** As if the head had last been confirmed hours ago. */
function age(home: string): void {
  const folder = join(home, 'mirror');
  const file = readdirSync(folder).find((name) => name.endsWith('.db')) as string;
  const database = new Database(join(folder, file));
  database.exec('UPDATE state SET confirmed_at_ms = 1');
  database.close();
}

test('a GitHub that hangs: load_context answers from the mirror in time and says so', async () => {
  const { environment } = await repositoryOf();
  const app = await openApp(environment);
  await app.call('save_session', { title: 'Known', content: 'Stands in the mirror.', project: 'test/project' });
  age(environment.MEMORY_HOME as string);
  site.fault({ kind: 'hang' });
  const { ms, value } = await timed(app.call('load_context'));
  expect(value).toContain('Known');
  expect(value).toMatch(/could not be asked/);
  expect(ms).toBeGreaterThan(600);
  expect(ms).toBeLessThan(1_300);
  expect((await timed(app.call('load_context', { consistency: 'fast' }))).ms).toBeLessThan(300);
});

test.each(['hang', 'drop-before', 'garbage'] as const)(
  'a command against a GitHub that fails ends in time: %s',
  async (kind) => {
    const { environment } = await repositoryOf();
    site.fault({ kind });
    const more = { ...environment, MEMORY_READ_DEADLINE: '1s', MEMORY_SAVE_DEADLINE: '2s' };
    const status = await timed(runProgram(['status'], more));
    expect(status.value?.stdout).toMatch(/origin down/);
    expect(status.ms).toBeLessThan(4_000);
    const sync = await timed(runProgram(['sync'], more));
    expect(sync.value?.code).toBe(69);
    expect(sync.ms).toBeLessThan(4_000);
    const off = { ...more, MEMORY_OUTBOX: 'off' };
    const save = await timed(runProgram(['save', '--title', 'x', 'y'], off));
    expect(save.value?.code).not.toBe(0);
    expect(save.ms).toBeLessThan(5_000);
    expect([status.value?.stderr, sync.value?.stderr, save.value?.stderr].join('')).not.toMatch(
      / at .*\(file|Unhandled|ghp_/,
    );
  },
);
