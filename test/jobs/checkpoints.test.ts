import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import Database from 'libsql';
import { expect, onTestFinished, test } from 'vitest';
import { createCheckpoints } from '../../src/core/checkpoints.js';
import { composeNote } from '../../src/core/compose.js';
import { lastTimeOf } from '../../src/core/cron.js';
import { createLog } from '../../src/core/log.js';
import type { Mirror } from '../../src/core/ports.js';
import { sealed } from '../../src/core/seal.js';
import { createJobs } from '../../src/jobs/index.js';
import { createSqliteMirror } from '../../src/tiers/mirror-sqlite.js';
import { openApp, type TestApp } from '../support/app.js';
import { git, tempFolder } from '../support/home.js';
import { openGitHub, until } from '../support/outbox.js';
import { bareRepository, commitFiles, notesAt } from '../support/repository.js';
import { startServer } from '../support/server.js';

const WEEKLY = '30 4 * * 1';
const EVERY_SECOND = '* * * * * *';
const silent = createLog('silent', () => {});
const DAY_MS = 86_400_000;

const run = ({ app }: TestApp, cron = WEEKLY) =>
  createCheckpoints({ ...app.services, cron })(new AbortController().signal);
const note = (project: string, text: string, fields = '') =>
  `---\nproject: ${project}\ndate: 2026-01-10\n${fields}---\n${text}\n`;
const notes = (project: string, count: number, fields = '') =>
  Object.fromEntries(
    Array.from({ length: count }, (_, n) => [
      `n/${project}/${n}.md`,
      note(project, `# Note ${n} of ${project}`, fields),
    ]),
  );
const made = (repository: string) => [...notesAt(repository).keys()].filter((path) => path.startsWith('checkpoints/'));
const stored = (repository: string, path = '') => git(repository, 'show', `main:${path}`);

/** A checkpoint that the schedule made of that commit, a day before its last time, or so long after it. */
function earlier(project: string, commit: string, laterMs = -DAY_MS) {
  const time = new Date((lastTimeOf(WEEKLY, Date.now()) ?? 0) + laterMs);
  const facts = {
    title: 'Automatic checkpoint',
    privacy: 'TEAM',
    author: 'strata-memory',
    client: 'schedule',
  } as const;
  const bytes = sealed(
    composeNote({ ...facts, time, project, commit, automatic: true }, '## Decisions\n- As before\n'),
  );
  const stamp = time.toISOString().replace(/[-:.]/g, '');
  return { [`checkpoints/${project}/2026/11/${stamp}-automatic-checkpoint-0000.md`]: Buffer.from(bytes).toString() };
}

async function memory(files: Record<string, string>) {
  const repository = bareRepository();
  commitFiles(repository, files);
  const environment = { MEMORY_HOME: tempFolder(), MEMORY_REPO: repository, MEMORY_PROJECT: 'acme/api' };
  return { repository, environment, ...(await openApp(environment)) };
}

test('each project that went on gets one, in one commit, saying what its context says; after that nothing is new', async () => {
  const app = await memory({
    ...notes('acme/api', 3),
    ...notes('acme/few', 2),
    ...notes('acme/web', 4),
    'd.md': note('acme/api', '## Decisions\n- Dates are in UTC\n\n## Next steps\n- [ ] Feed the owl'),
    'p.md': note('acme/api', '## Decisions\n- Ann is leaving\n', 'privacy: PRIVATE\nauthor: ann\n'),
    'u.md': note('acme/api', '## Decisions\n- Unsigned and private\n', 'privacy: PRIVATE\n'),
    's.md': note('acme/api', '## Decisions\n- Signed by the schedule\n', 'privacy: PRIVATE\nauthor: strata-memory\n'),
    'r.md': note('acme/web', '## Decisions\n- A relative has decided this\n'),
    'c.md': note('acme/api', '# Child', 'parent: acme/web\nkind: session\n'),
    ...notes('acme/hidden', 5, 'privacy: PRIVATE\nauthor: ann\n'),
  });
  await app.call('save_session', { title: 'Here only', content: 'For an hour.', privacy: 'EPHEMERAL' });
  const head = git(app.repository, 'rev-parse', 'main');
  expect(await run(app)).toEqual({ outcome: 'ok', note: '2 made' });
  expect(git(app.repository, 'rev-list', '--count', `${head}..main`)).toBe('1');
  const paths = made(app.repository);
  expect(paths.map((path) => path.split('/').slice(1, 3).join('/'))).toEqual(['acme/api', 'acme/web']);
  const text = stored(app.repository, paths[0]);
  expect(text).toMatch(/title: Automatic checkpoint \d{4}-\d{2}-\d{2}\n[\s\S]*automatic: true\n/);
  expect(text).toContain(`commit: ${head}\n`);
  expect(text).toMatch(/Feed the owl[\s\S]*Dates are in UTC/);
  expect(text).not.toMatch(/Ann is leaving|Unsigned|Signed by|Here only|A relative/);
  expect(countTokens(text.split('\n---\n')[1] ?? '')).toBeLessThanOrEqual(600);
  expect(await run(app)).toEqual({ outcome: 'ok', note: '' });
  expect(made(app.repository)).toEqual(paths);
  expect(await app.call('verify_with_github')).toMatch(/all equal/);
  expect(await app.call('memory_status')).not.toContain('doubtful');
});

test('what was saved since the last one makes the next; nothing, however it is dated, makes none', async () => {
  const app = await memory({
    ...notes('acme/went-on', 3),
    ...notes('acme/edited', 3),
    ...notes('acme/still', 3),
    'f.md': '---\nproject: acme/still\ndate: 2031-01-01\n---\n# A plan for later\n',
    ...notes('acme/of-this-time', 3),
  });
  const head = git(app.repository, 'rev-parse', 'main');
  const before = { ...earlier('acme/went-on', head), ...earlier('acme/edited', head), ...earlier('acme/still', head) };
  commitFiles(app.repository, before);
  commitFiles(app.repository, {
    'w.md': note('acme/went-on', '# Of last year, come now'),
    'n/acme/edited/0.md': note('acme/edited', '# Note 0, edited'),
  });
  await run(app);
  const fresh = made(app.repository).filter((path) => !(path in before));
  expect(fresh.map((path) => path.split('/')[2])).toEqual(['edited', 'of-this-time', 'went-on']);
  // Once each time, though more came: another machine may have made it.
  commitFiles(app.repository, { 'x.md': note('acme/went-on', '# One more') });
  expect(await run(app)).toMatchObject({ note: '' });
  // By a commit that nobody has, time has to tell.
  const lost = await memory({ ...notes('acme/api', 3), ...earlier('acme/api', 'f'.repeat(40)) });
  expect(await run(lost)).toMatchObject({ note: '' });
  await lost.call('save_session', { title: 'New', content: 'Text.' });
  expect(await run(lost)).toMatchObject({ note: '1 made' });
});

test('one that a clock far ahead has dated does not stop those that come', async () => {
  const app = await memory(notes('acme/api', 3));
  const head = git(app.repository, 'rev-parse', 'main');
  commitFiles(app.repository, earlier('acme/api', head, 400 * DAY_MS));
  expect(await run(app)).toMatchObject({ note: '1 made' });
  commitFiles(app.repository, { 'new.md': note('acme/api', '# New') });
  expect(await run(app)).toMatchObject({ note: '' });
});

test('twenty share a commit, those that went on last first; nobody waits for the next time', async () => {
  const all = Object.assign({}, ...Array.from({ length: 22 }, (_, n) => notes(`p${String(n).padStart(2, '0')}`, 3)));
  const app = await memory(all);
  commitFiles(app.repository, { 'new.md': note('p21', '# New').replace('2026-01-10', '2026-02-01') });
  const before = git(app.repository, 'rev-parse', 'main');
  expect(await run(app)).toMatchObject({ note: '22 made' });
  const commits = git(app.repository, 'rev-list', '--reverse', `${before}..main`).split('\n');
  const files = commits.map((commit) => git(app.repository, 'show', '--name-only', '--format=', commit).split('\n'));
  expect(files.map(({ length }) => length)).toEqual([20, 2]);
  expect(files[0]?.some((path) => path.startsWith('checkpoints/p21/'))).toBe(true);
  expect(await run(app)).toMatchObject({ note: '' });
});

test('where `.strataignore` leaves their place out none is made, and the others are', async () => {
  const app = await memory({
    ...notes('acme/api', 3),
    ...notes('acme/web', 3),
    '.strataignore': 'checkpoints/acme/api\n',
  });
  expect(await run(app)).toEqual({ outcome: 'ok', note: '1 made' });
  expect(made(app.repository).map((path) => path.split('/')[2])).toEqual(['web']);
  commitFiles(app.repository, { '.strataignore': 'checkpoints/\n' });
  expect(await run(app)).toEqual({ outcome: 'ok', note: '' });
});

test('it does not echo: contexts, changes and searches say what they said, and where to compare', async () => {
  const app = await memory({
    'a.md': note(
      'acme/api',
      '# Owls\n\nOwls eat at night.\n\n## Decisions\n- Owls are fed at nine\n\n## Next steps\n- [ ] Feed the owl',
    ),
    'b.md': note('acme/api', '# Bats\n\nBats hang.\n\n## Next steps\n- [ ] Hang the bat'),
    'c.md': note('acme/api', '# Cats\n\nCats sleep. 40 of them.'),
  });
  await app.call('sync_now');
  const head = git(app.repository, 'rev-parse', 'main');
  const ask = async () => {
    const searches = ['owl', 'feed the owl at nine', 'bats hang', 'cats', 'automatic checkpoint 2026'];
    const found = [];
    for (const query of searches) found.push(await app.call('search_memory', { query }));
    return found.map((text) => text.replace(/mirror \w+, confirmed.*/, '').replace(/notes-\w+|of \d+ notes/g, ''));
  };
  const context = async () => (await app.call('load_context')).replace(/notes-\w+|mirror .*|\d+ notes\./g, '');
  const [searched, known] = [await ask(), await context()];
  await run(app);
  const [path = ''] = made(app.repository);
  expect(await ask()).toEqual(searched);
  const name = path.split('/').pop()?.replace('.md', '');
  const line = new RegExp(`(?:## Earlier notes\n)?- [\\d-]+ \`${name}\` \\(checkpoint: since=its id compares\\)\n`);
  const now = await context();
  expect(now).toMatch(line);
  expect(now.replace(line, '')).toBe(known);
  expect(await app.call('load_context', { since: head })).toContain('nothing changed');
  await app.call('save_session', { title: 'Next', content: 'Text.' });
  expect(await app.call('load_context', { since: name })).toMatch(/1 note changed since checkpoint …\w{4}/);
  expect(await app.call('list_sessions', { kind: 'checkpoint' })).toContain(' · automatic checkpoint · ');
  // One that somebody has written into says something of its own.
  commitFiles(app.repository, { [path]: `${stored(app.repository, path)}\n\nThe zebra escaped.\n` });
  await app.call('sync_now');
  expect(await app.call('search_memory', { query: 'zebra' })).toContain(name);
});

test('GitHub gone: nothing is made and nothing waits; back again it is made', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  for (const title of ['One', 'Two', 'Three']) await app.call('save_session', { title, content: `Text of ${title}.` });
  await github.down();
  await expect(run(app)).rejects.toThrow(/cannot be reached/);
  // Gone between the look and the save.
  const { sync } = app.app.services;
  const checkpoints = createCheckpoints({
    ...app.app.services,
    sync: { ...sync, run: async () => (await sync.run({ reason: 'x' }).catch(() => null)) as never },
    cron: WEEKLY,
  });
  await expect(checkpoints(new AbortController().signal)).rejects.toThrow(/cannot be reached/);
  expect(await app.app.services.outbox.waiting()).toEqual([]);
  await github.up();
  expect(
    await until(
      () => run(app).catch(() => null),
      (result) => result !== null,
    ),
  ).toMatchObject({ note: '1 made' });
});

test('two machines at once, each with a mirror of its own: one each', async () => {
  const { repository } = await memory({ ...notes('acme/api', 3), ...notes('acme/web', 3) });
  const machines = [await openApp({ MEMORY_REPO: repository }), await openApp({ MEMORY_REPO: repository })];
  await Promise.all(machines.map((each) => run(each)));
  expect(made(repository)).toHaveLength(2);
  for (const each of machines) expect(await each.call('verify_with_github')).toMatch(/all equal/);
});

/** Servers' jobs on one mirror, and how often they were done. */
function servers(cron: string) {
  const path = join(tempFolder(), 'mirror.db');
  const seen = { runs: 0, running: 0, most: 0, fails: false };
  const open = (): { mirror: Mirror; jobs: ReturnType<typeof createJobs> } => {
    const mirror = createSqliteMirror({ origin: '/repo', path });
    const checkpoints = async () => {
      seen.most = Math.max(seen.most, ++seen.running);
      await delay(50);
      seen.running--;
      seen.runs++;
      if (seen.fails) throw new Error('not now');
      return { outcome: 'ok' as const, note: '' };
    };
    const jobs = createJobs({
      ...{ mirror, log: silent, settleMs: 0, backoffMs: 1, syncCron: null, upkeepCron: EVERY_SECOND },
      jobs: { sync: null, health: null, retention: null, checkpoints },
      checkpointsCron: cron,
    });
    onTestFinished(async () => {
      await jobs.close();
      await mirror.close();
    });
    return { mirror, jobs };
  };
  const ended = async ({ mirror }: { mirror: Mirror }) =>
    (await mirror.leases()).find(({ name }) => name === 'checkpoints')?.endedAtMs ?? null;
  const backBy = (ms: number) => {
    const database = new Database(path);
    database.exec(`PRAGMA busy_timeout = 5000; UPDATE leases SET ended_at_ms = ended_at_ms - ${ms}`);
    database.close();
  };
  return { seen, open, ended, backBy };
}

test('a memory that nobody has looked at has missed nothing; a time that was slept through is made up for, once', async () => {
  const { seen, open, ended, backBy } = servers(WEEKLY);
  const [first, second] = [open(), open()];
  first.jobs.start();
  second.jobs.start();
  await until(
    () => ended(first),
    (time) => time !== null,
  );
  expect(seen.runs).toBe(0);
  const state = async () => (await first.jobs.states()).find(({ name }) => name === 'checkpoints');
  expect((await state())?.nextInMs).toBeGreaterThan(2_000);
  backBy(8 * DAY_MS);
  await until(
    () => seen.runs,
    (runs) => runs > 0,
  );
  // Some looks later it is still once.
  await delay(2_500);
  expect(seen).toMatchObject({ runs: 1, most: 1 });
  expect(await state()).toMatchObject({ on: true, outcome: 'ok' });
});

test('one that fails is tried again long before its next time', async () => {
  const { seen, open, ended, backBy } = servers(WEEKLY);
  const server = open();
  server.jobs.start();
  await until(
    () => ended(server),
    (time) => time !== null,
  );
  seen.fails = true;
  backBy(8 * DAY_MS);
  const state = async () => (await server.jobs.states()).find(({ name }) => name === 'checkpoints');
  const failed = await until(state, (now) => now?.outcome === 'failed');
  expect(failed?.nextInMs).toBeLessThanOrEqual(600_000);
  seen.fails = false;
  backBy(601_000);
  await until(state, (now) => now?.outcome === 'ok');
});

test('at its times, by one of many servers', async () => {
  const { seen, open } = servers(EVERY_SECOND);
  const startedAtMs = Date.now();
  for (const { jobs } of [open(), open(), open()]) jobs.start();
  await until(
    () => seen.runs,
    (runs) => runs >= 3,
  );
  expect(seen.most).toBe(1);
  expect(seen.runs).toBeLessThanOrEqual((Date.now() - startedAtMs) / 1_000 + 1);
});

test('the program makes them by itself, and not where it is switched off', async () => {
  const { repository, environment } = await memory(notes('acme/api', 3));
  const server = await startServer({ ...environment, MEMORY_CHECKPOINTS: EVERY_SECOND });
  onTestFinished(() => server.close());
  await until(
    () => server.call('list_sessions', { kind: 'checkpoint' }),
    (text) => text.includes('automatic checkpoint'),
    30_000,
  );
  expect(await server.call('memory_status')).toMatch(/; checkpoints (?:running, )?ok \d+ s ago/);
  expect(made(repository)).toHaveLength(1);
  const off = await startServer({ ...environment, MEMORY_CHECKPOINTS: 'off' });
  onTestFinished(() => off.close());
  expect(await off.call('memory_status')).toContain('; checkpoints off');
});
