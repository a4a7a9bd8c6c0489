import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createAsOf } from '../../src/core/as-of.js';
import type { Caller } from '../../src/core/caller.js';
import { LIMITS } from '../../src/core/limits.js';
import { createLog } from '../../src/core/log.js';
import { openApp, type TestApp } from '../support/app.js';
import { startGitHub } from '../support/github.js';
import { environmentOf } from '../support/github-origin.js';
import { githubHistory, type History, localHistory } from '../support/history.js';
import { tempFolder } from '../support/home.js';
import { createDatabase, POSTGRES } from '../support/postgres.js';

const note = (text: string, fields: Record<string, string> = {}) =>
  `---\n${Object.entries({ title: 'Plan', project: 'acme/api', ...fields })
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('')}---\n# Plan\n\n${text}\n\n## Why\n\nBecause of ${text}.\n`;
const caller = (subject: string, projects: Caller['projects'] = 'all'): Caller => ({
  subject,
  projects,
  scopes: new Set(['read' as const]),
  client: 'test',
});
const read = (app: TestApp, id: string, asOf: string, more: Record<string, unknown> = {}) =>
  app.call('read_memory', { id, as_of: asOf, ...more });

async function openPostgres(history: History): Promise<TestApp> {
  const { url } = await createDatabase();
  return history.open({ DATABASE_URL: url });
}

type World = [string, () => Promise<History>, (history: History) => Promise<TestApp>];

const inSqlite = (history: History) => history.open();
const worlds: World[] = [
  ['local git', localHistory, inSqlite],
  ['GitHub', githubHistory, inSqlite],
];
if (POSTGRES) worlds.push(['local git, in Postgres', localHistory, openPostgres]);

for (const [name, make, open] of worlds)
  describe(`what memory said then, ${name}`, () => {
    test('a note that was edited, moved, deleted, restored; by day, by time, by commit', async () => {
      const history = await make();
      const first = await history.commit({ 'notes/plan.md': note('the first plan') }, '2024-01-10T10:00:00Z');
      // Two within one second.
      await history.commit({ 'notes/plan.md': note('a slip') }, '2024-01-12T10:00:00Z');
      const second = await history.commit({ 'notes/plan.md': note('the second plan') }, '2024-01-12T10:00:00Z');
      await history.commit(
        { 'notes/plan.md': null, 'archive/plan.md': note('the second plan') },
        '2024-01-14T10:00:00Z',
      );
      const without = await history.commit({ 'archive/plan.md': null }, '2024-01-16T10:00:00Z');
      await history.commit(
        { 'notes/plan.md': note('the first plan'), 'notes/new.md': note('new') },
        '2024-01-18T10:00:00Z',
      );
      const app = await open(history);

      const early = await read(app, 'notes/plan', '2024-01-10');
      expect(early).toContain('Because of the first plan.');
      expect(early.split('\n').at(-1)).toMatch(
        new RegExp(`^as of commit ${first.slice(0, 10)} \\(2024-01-10 10:00 UTC\\), not now · .+ confirmed`),
      );
      expect(await read(app, 'notes/plan', '2024-01-10T10:00:00Z')).toContain('the first plan');
      expect(await read(app, 'notes/plan', '2024-01-12T09:59:59Z')).toContain('the first plan');
      const middle = await read(app, 'notes/plan', '2024-01-12T10:00:00Z');
      expect(middle).toContain('the second plan');
      expect(middle).toContain(second.slice(0, 10));
      expect(await read(app, 'notes/plan', second.slice(0, 10))).toContain('the second plan');
      expect(await read(app, 'notes/plan', second.toUpperCase())).toContain('the second plan');
      expect(await read(app, 'archive/plan', '2024-01-15')).toContain('the second plan');
      expect(await read(app, 'plan', '2024-01-13')).toContain('the second plan');
      expect(await read(app, 'notes/plan', '2024-01-18')).toContain('the first plan');
      for (const consistency of ['fast', 'fresh', 'verified'])
        expect(await read(app, 'notes/plan', '2024-01-13', { consistency })).toContain('the second plan');

      const section = await read(app, 'notes/plan', '2024-01-13', { section: 'why' });
      expect(section).toContain('Because of the second plan.');
      expect(section).not.toContain('# Plan\n');

      expect(await app.fail('read_memory', { id: 'notes/plan', as_of: '2024-01-17' })).toContain(
        `This note was not in the memory as of commit ${without.slice(0, 10)} (2024-01-16 10:00 UTC). It is now`,
      );
      expect(await app.fail('read_memory', { id: 'notes/new', as_of: '2024-01-17' })).toMatch(
        /It is now, dated 2024-01-18/,
      );
      expect(await app.fail('read_memory', { id: 'notes/plam', as_of: '2024-01-13' })).toMatch(
        /There was no note with this id as of commit .*\n?.*`notes\/plan`/s,
      );
      expect(await app.call('read_memory', { id: 'notes/plan' })).not.toContain('as of');

      const all = async (asOf: string) => {
        const past = await app.app.services.asOf.past(caller('ann'), asOf);
        const others = past.others.map(({ document, content }) => [document.path, Buffer.from(content).toString()]);
        return { same: [...past.same.keys()].sort(), others: Object.fromEntries(others), notes: past.notes };
      };
      expect(await all('2024-01-11')).toEqual({ same: ['notes/plan.md'], others: {}, notes: [] });
      const edited = { 'notes/plan.md': note('the second plan') };
      expect(await all('2024-01-13')).toEqual({ same: [], others: edited, notes: [] });
      const moved = { 'archive/plan.md': note('the second plan') };
      expect(await all('2024-01-15')).toEqual({ same: [], others: moved, notes: [] });
      expect(await all('2024-01-17')).toEqual({ same: [], others: {}, notes: [] });
      expect((await all('2024-01-19')).same).toEqual(['notes/new.md', 'notes/plan.md']);
    });

    test('a history that was rewritten, and merges', async () => {
      const history = await make();
      const first = await history.commit({ 'a.md': note('one') }, '2024-01-10T10:00:00Z');
      const side = await history.commit({ 'side.md': note('aside') }, '2024-01-11T10:00:00Z');
      const app = await open(history);
      await app.call('sync_now');
      expect(await read(app, 'side', '2024-01-12')).toContain('aside');
      await history.force(first);
      await history.commit({ 'a.md': note('two') }, '2024-01-12T10:00:00Z');
      await app.call('sync_now');
      // GitHub: an older head is followed when it is still there a while later; this one is newer.
      expect(await app.fail('read_memory', { id: 'side', as_of: side })).toMatch(/No commit in the history/);
      expect(await app.fail('read_memory', { id: 'side', as_of: '2024-01-13' })).toMatch(/no note with this id/);
      await history.merge(side, '2024-01-15T10:00:00Z');
      await app.call('sync_now');
      // What came with the merge was not in the memory before it, though its commit is older.
      expect(await app.fail('read_memory', { id: 'side', as_of: '2024-01-11' })).toMatch(/no note with this id/);
      expect(await read(app, 'a', '2024-01-11')).toContain('one');
      expect(await read(app, 'a', '2024-01-15')).toContain('two');
      expect(await read(app, 'side', side)).toContain('aside');
    });

    test('whoever may not see a note, then or now, does not see it as it was', async () => {
      const history = await make();
      const mine = { privacy: 'PRIVATE', author: 'ann' };
      await history.commit(
        {
          'was.md': note('once private', mine),
          'is.md': note('once open', { author: 'ann' }),
          'gone.md': note('private and gone', mine),
          'elsewhere.md': note('of others', { project: 'other/thing' }),
          'open.md': note('open'),
        },
        '2024-01-10T10:00:00Z',
      );
      await history.commit(
        {
          'was.md': note('now open', { author: 'ann' }),
          'is.md': note('now private', mine),
          'gone.md': null,
          'elsewhere.md': note('of others, edited', { project: 'other/thing' }),
        },
        '2024-01-12T10:00:00Z',
      );
      const app = await open(history);
      const seenBy = async (who: Caller) => {
        const { same, others } = await app.app.services.asOf.past(who, '2024-01-11');
        return [...same.keys(), ...others.map(({ document }) => document.path)].sort();
      };
      expect(await seenBy(caller('ann'))).toEqual(['elsewhere.md', 'gone.md', 'is.md', 'open.md', 'was.md']);
      expect(await seenBy(caller('bob'))).toEqual(['elsewhere.md', 'open.md']);
      expect(await seenBy(caller('ann', ['acme']))).toEqual(['gone.md', 'is.md', 'open.md', 'was.md']);
      for (const [id, said] of [
        // It is there now, which is no secret.
        ['was', /^This note was not in the memory as of .* It is now/],
        ['is', /^There was no note with this id/],
        ['gone', /^There was no note with this id/],
      ] as const) {
        const refused = await app.fail('read_memory', { id, as_of: '2024-01-11' });
        expect(refused).toMatch(said);
        expect(refused).not.toMatch(/private|`is`|`gone`/);
      }
      const ann = await history.open({}, 'ann');
      for (const [id, text] of [
        ['was', 'once private'],
        ['is', 'once open'],
        ['gone', 'private and gone'],
      ] as const)
        expect(await read(ann, id, '2024-01-11')).toContain(text);
    });

    test('what is no time, lies ahead, or before everything, is said', async () => {
      const history = await make();
      await history.commit({ 'a.md': note('one') }, '2024-01-10T10:00:00Z');
      const app = await open(history);
      const said = (asOf: string) => app.fail('read_memory', { id: 'a', as_of: asOf });
      expect(await said('2024-01-09')).toMatch(/begins after that/);
      expect(await said('2999-01-01')).toMatch(/in the future/);
      for (const wrong of ['yesterday', '2024-02-30', '2024', 'abc', 'zzzzzzz', '" OR 1=1', '--all', 'HEAD~1', '-1'])
        expect(await said(wrong)).toMatch(/neither a date that exists nor the id of a commit/);
      expect(await said('20240110')).toMatch(/No commit in the history .* 20240110/);
      expect(await said('')).toMatch(/at least 1/);
      expect(await read(app, 'a', new Date().toISOString().slice(0, 10))).toContain('one');
      const empty = await make();
      expect(await (await open(empty)).fail('read_memory', { id: 'a', as_of: '2024-01-10' })).toMatch(
        /no notes at all/,
      );
    });

    test('while the origin cannot be reached the mirror says what it has kept, and that it is no more than that', async () => {
      const history = await make();
      const first = await history.commit({ 'a.md': note('one'), 'b.md': note('kept') }, '2024-01-10T10:00:00Z');
      const app = await open(history);
      await app.call('sync_now');
      const second = await history.commit({ 'a.md': note('two'), 'c.md': note('new') }, new Date().toISOString());
      await app.call('sync_now');
      const between = new Date(Date.now() - 86_400_000).toISOString();
      await history.down();
      const kept = await read(app, 'a', between);
      expect(kept).toContain('one');
      expect(kept).toMatch(
        /^as of \d{4}-.* · .*pieced together from what this mirror keeps \(the origin cannot be asked/m,
      );
      expect(await app.fail('read_memory', { id: 'c', as_of: between })).toMatch(
        /This note was not in the memory as of/,
      );
      const past = await app.app.services.asOf.past(caller('ann'), between);
      expect([...past.same.keys()]).toEqual(['b.md']);
      expect(past.others.map(({ document }) => document.path)).toEqual(['a.md']);
      expect(past.notes.join()).toContain('pieced together');
      await app.fail('read_memory', { id: 'a', as_of: between, consistency: 'verified' });
      // Each of these waits for the origin as long as it may.
      if (make === localHistory) {
        expect(await read(app, 'b', between)).toContain('kept');
        // The commit by which `a` was no longer what it had been, and one that the mirror knows nothing of.
        expect(await read(app, 'a', second)).toContain('two');
        expect(await app.fail('read_memory', { id: 'a', as_of: first })).toMatch(
          /in the memory's repository\.|gone from/,
        );
      }
      await history.up();
      expect(await read(app, 'a', between)).toContain(`as of commit ${first.slice(0, 10)}`);
    });
  });

test('many that were changed since come in few requests', async () => {
  const site = await startGitHub({ empty: true });
  onTestFinished(() => site.close());
  const files = (text: string) =>
    Object.fromEntries(Array.from({ length: 250 }, (_, at) => [`notes/${at}.md`, note(`${text} ${at}`)]));
  const author = { name: 'Somebody', email: 'somebody@example.com' };
  await site.seed(files('first'), { author: { ...author, date: '2024-01-10T10:00:00Z' } });
  await site.seed(files('second'), { author: { ...author, date: '2024-01-12T10:00:00Z' } });
  const { app } = await openApp(environmentOf(site, { MEMORY_HOME: tempFolder() }));
  await app.services.sync.run({ reason: 'test' });
  const requests = async () => {
    site.clearLog();
    const { others, same, notes } = await app.services.asOf.past(caller('ann'), '2024-01-11');
    expect([others.length, same.size, notes]).toEqual([250, 0, []]);
    return site.log.length;
  };
  // The commit, its tree, three times a hundred texts, and when they were changed, which they do not say. Then all is known.
  expect(await requests()).toBe(6);
  expect(await requests()).toBe(0);
});

test('more than fits is left out, the oldest first, and it is said', async () => {
  const history = await localHistory();
  const long = 'x'.repeat(1024 * 1024);
  const paths = Array.from({ length: 27 }, (_, at) => `2023-01-${String(at + 1).padStart(2, '0')}.md`);
  const files = (content: string) => Object.fromEntries(paths.map((path) => [path, content]));
  await history.commit({ ...files(long), '2023-02-01.md': 'x'.repeat(5 * 1024 * 1024) }, '2024-01-10T10:00:00Z');
  await history.commit({ ...files('short'), '2023-02-01.md': null }, '2024-01-12T10:00:00Z');
  const { app, ...calls } = await history.open();
  const past = await app.services.asOf.past(caller('ann'), '2024-01-11');
  expect(past.others.map(({ document }) => document.path)).toEqual(paths.slice(3).reverse());
  expect(past.notes).toEqual([expect.stringMatching(/^4 notes of that time.* are left out/)]);
  const whole = await calls.call('read_memory', { id: '2023-02-01', as_of: '2024-01-11' });
  expect([whole.slice(0, 200).includes('5243 KB'), whole.length > 5 * 1024 * 1024]).toEqual([true, true]);
});

test('what was erased stays erased, whatever the history holds', async () => {
  const history = await localHistory();
  await history.commit({ 'secret.md': note('erase me'), 'a.md': note('one') }, '2024-01-10T10:00:00Z');
  await history.commit({ 'secret.md': null, 'a.md': note('two') }, '2024-01-12T10:00:00Z');
  const { app } = await history.open();
  const { origin, reader, sync } = app.services;
  const erased = new Set(['secret']);
  const asOf = createAsOf({ origin, reader, sync, log: createLog('error', () => {}), erased: (id) => erased.has(id) });
  const ann = caller('ann');
  const then = await asOf.at(ann, '2024-01-11');
  const look = (id: string) => reader.read(ann, 'fast', 'fast', (reading) => asOf.document(ann, reading, then, id));
  expect((await look('secret')).value).toBeNull();
  expect((await look('a')).value?.document.path).toBe('a.md');
  const paths = async () => (await asOf.past(ann, '2024-01-11')).others.map(({ document }) => document.path);
  expect(await paths()).toEqual(['a.md']);
  // The same without it: the test would see it.
  expect((await app.services.asOf.past(ann, '2024-01-11')).others).toHaveLength(2);
});

test('what the mirror kept is believed only where it is what it says', async () => {
  const history = await localHistory();
  await history.commit({ 'a.md': note('one') }, '2024-01-10T10:00:00Z');
  const app = await history.open();
  await app.call('sync_now');
  await history.commit({ 'a.md': note('two') }, '2024-01-12T10:00:00Z');
  await app.call('sync_now');
  const [file = ''] = readdirSync(join(app.home, 'mirror')).filter((each) => each.endsWith('.db'));
  const database = new Database(join(app.home, 'mirror', file));
  const { changes } = database.prepare('UPDATE versions SET content = ?').run([Buffer.from('forged')]);
  database.close();
  expect(changes).toBe(1);
  expect(await read(app, 'a', '2024-01-11')).toContain('one');
});

test('rules of that time say what was a note', async () => {
  const history = await localHistory();
  await history.commit({ 'docs/a.md': note('a doc'), 'b.md': note('one') }, '2024-01-10T10:00:00Z');
  await history.commit({ '.strataignore': 'docs/\n' }, '2024-01-12T10:00:00Z');
  await history.commit({ '.strataignore': null, 'b.md': note('two') }, '2024-01-14T10:00:00Z');
  const app = await history.open();
  expect(await read(app, 'docs/a', '2024-01-11')).toContain('a doc');
  expect(await app.fail('read_memory', { id: 'docs/a', as_of: '2024-01-13' })).toMatch(/not in the memory as of/);
});

test('without a mirror the past is read from the origin', async () => {
  const history = await localHistory();
  await history.commit({ '2024-01-08.md': note('one'), '2024-01-09.md': note('same') }, '2024-01-10T10:00:00Z');
  // More than are read then: the first is not among the newest.
  const many = Array.from({ length: LIMITS.degradedDocuments }, (_, at) => [`new/${at}-2024-01-12.md`, note('new')]);
  const hidden = { '2024-01-08.md': note('two', { privacy: 'PRIVATE', author: 'ann' }) };
  await history.commit({ ...Object.fromEntries(many.slice(1)), ...hidden }, '2024-01-12T10:00:00Z');
  const app = await history.open({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, 'ann');
  const answer = await read(app, '2024-01-08', '2024-01-11');
  expect(answer).toContain('one');
  expect(answer).toMatch(/as of commit .* · origin /);
  const past = await app.app.services.asOf.past(caller('bob'), '2024-01-11');
  expect([[...past.same.keys()], past.others]).toEqual([['2024-01-09.md'], []]);
});
