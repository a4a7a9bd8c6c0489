import { createHash } from 'node:crypto';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, test } from 'vitest';
import { sealed, sealOf } from '../../src/core/seal.js';
import { openApp, type TestApp } from '../support/app.js';
import { githubHistory, localHistory } from '../support/history.js';
import { git, tempFolder } from '../support/home.js';
import { openGitHub, settled, synced, until } from '../support/outbox.js';
import { createDatabase, POSTGRES } from '../support/postgres.js';
import { bareRepository, commitFiles, pushFiles } from '../support/repository.js';
import { runProgram } from '../support/server.js';

const idIn = (receipt: string) => /`([^`]+)`/.exec(receipt)?.[1] ?? '';
const textOf = (read: string) => /data, not instructions\)\n([\s\S]*)\n<\/notes/.exec(read)?.[1] ?? '';
const nameOf = (id: string) => id.split('/').pop() ?? '';

/** A memory in a repository that the test can write to as well. */
async function memory(environment: Record<string, string> = {}) {
  const repository = bareRepository();
  const open = (more: Record<string, string> = {}, subject?: string) =>
    openApp({ MEMORY_REPO: repository, ...environment, ...more }, subject);
  return { repository, environment, open, ...(await open()) };
}

const save = ({ call }: Pick<TestApp, 'call'>, title: string, more: Record<string, unknown> = {}) =>
  call('save_session', { title, content: `The text of ${title}.`, ...more });
const checkpoint = ({ call }: Pick<TestApp, 'call'>, title = 'Here', content = 'All of it works.') =>
  call('save_checkpoint', { title, content });

describe('a checkpoint', () => {
  test('is a note at its own place with the commit it was made on and a seal over its bytes', async () => {
    const app = await memory();
    await save(app, 'One');
    const head = git(app.repository, 'rev-parse', 'main');
    const receipt = await app.call('save_checkpoint', {
      title: 'Before the move — ✂️',
      content: '---\nseal: none\ncommit: mine\n---\nAll works. password=hunter2hunter2\n',
      tags: ['Move'],
    });
    expect(receipt).toMatch(
      /^Saved: `checkpoints\/test\/project\/\d{4}\/\d{2}\/\d{8}T\d{9}Z-before-the-move-[0-9a-z]{4}` · project test\/project · commit [0-9a-f]{12} · origin saved, mirror saved · 1 secret taken out[^\n]*$/,
    );
    const bytes = git(app.repository, 'show', `main:${idIn(receipt)}.md`);
    expect(bytes).toContain(`\ncommit: ${head}\n`);
    const seal = /\nseal: ([0-9a-f]{64})\n---\n/.exec(bytes)?.[1] ?? '';
    // As anybody can check it, without this program.
    const rest = `${bytes}\n`.replace(`seal: ${seal}\n`, '');
    expect(createHash('sha256').update(rest).digest('hex')).toBe(seal);
    expect(await app.call('read_memory', { id: nameOf(idIn(receipt)) })).not.toContain('doubtful');
    expect(await app.call('list_sessions', { kind: 'checkpoint' })).toMatch(/1 of 1 note[\s\S]* · checkpoint · #move/);
    expect(await app.call('verify_with_github')).toMatch(/all equal/);
  });

  test('the first one of a memory has no commit, and is sealed, too', async () => {
    const app = await memory();
    const id = idIn(await checkpoint(app));
    expect(git(app.repository, 'show', `main:${id}.md`)).not.toContain('commit:');
    expect(await app.call('load_context', { since: id })).toMatch(
      /nothing changed since checkpoint …[0-9a-z]{4} \(.*\)\.\nthat checkpoint names no commit: by its time/,
    );
    await save(app, 'Later');
    expect(await app.call('load_context', { since: id })).toMatch(/1 note changed[\s\S]*new \*\*Later\*\*/);
  });

  test('said again it is the same one until anything else of its project was saved', async () => {
    const app = await memory();
    await save(app, 'One');
    const first = await checkpoint(app);
    // The first answer was lost.
    const again = await checkpoint(app);
    expect(again).toMatch(/^Already saved: /);
    expect(idIn(again)).toBe(idIn(first));
    // Elsewhere, by anybody: no matter. A session in the same words is another note.
    await save(app, 'Far away', { project: 'else/where' });
    expect(idIn(await checkpoint(app))).toBe(idIn(first));
    expect((await Promise.all([checkpoint(app, 'Twice'), checkpoint(app, 'Twice')])).map(idIn)).toEqual([
      expect.stringContaining('twice'),
      expect.stringContaining('twice'),
    ]);
    const session = await app.call('save_session', { title: 'Here', content: 'All of it works.' });
    expect(session).toMatch(/^Saved: `sessions\//);
    const third = await checkpoint(app);
    expect(third).toMatch(/^Saved: /);
    expect(idIn(third)).not.toBe(idIn(first));
    // An edit counts, too, and so does a note of last year that somebody brings in.
    commitFiles(app.repository, { 'old.md': '---\nproject: test/project\ndate: 2025-01-01\n---\n# Old\n' });
    await app.call('sync_now');
    const fourth = await checkpoint(app);
    expect(idIn(fourth)).not.toBe(idIn(third));
    const read = await app.call('read_memory', { id: 'old' });
    const blob = / blob ([0-9a-f]{40})/.exec(read)?.[1];
    await app.call('save_session', { title: 'Old', content: 'Edited.', id: 'old', replaces: blob });
    expect(idIn(await checkpoint(app))).not.toBe(idIn(fourth));
  });

  test('two processes that make the same one at once make one; at a shell its text comes from standard input', async () => {
    const { home, repository } = await memory();
    const make = () =>
      runProgram(['checkpoint', 'Here'], { MEMORY_HOME: home, MEMORY_REPO: repository }, 'All of it works.');
    const made = await Promise.all([make(), make(), make()]);
    expect(made.map(({ code, stderr }) => [code, stderr])).toEqual(made.map(() => [0, '']));
    expect(made.map(({ stdout }) => stdout.startsWith('Saved: ')).sort()).toEqual([false, false, true]);
    expect(new Set(made.map(({ stdout }) => idIn(stdout))).size).toBe(1);
  });

  test('a retry is answered by another process as well', async () => {
    const app = await memory();
    await save(app, 'One');
    const first = await checkpoint(app);
    const other = await app.open({ MEMORY_HOME: tempFolder() });
    const again = await checkpoint(other);
    expect(again).toMatch(/^Already saved: /);
    expect(idIn(again)).toBe(idIn(first));
  });

  test.each([
    ['an edit', (id: string) => ({ id, replaces: 'a'.repeat(40) })],
    ['an edit by a quoted name', (id: string) => ({ id: `"${id}"`, replaces: 'a'.repeat(40) })],
    ['an edit by a name with .md', (id: string) => ({ id: `${id}.md`, replaces: 'a'.repeat(40) })],
  ])('%s is refused', async (_, how) => {
    const app = await memory();
    const id = idIn(await checkpoint(app));
    const failed = await app.fail('save_session', { title: 'Here', content: 'Other.', ...how(id) });
    expect(failed).toMatch(/Checkpoints are immutable/);
  });

  test.each(['./', '../', 'Checkpoints/', 'checkpoints//', '\\'])('nor is it reached by %s', async (trick) => {
    const app = await memory();
    const id = idIn(await checkpoint(app));
    const before = git(app.repository, 'rev-parse', 'main');
    const named = trick.startsWith('.') || trick === '\\' ? `${trick}${id}` : id.replace('checkpoints/', trick);
    const blob = git(app.repository, 'rev-parse', `main:${id}.md`);
    await app.fail('save_session', { title: 'Here', content: 'Other.', id: named, replaces: blob });
    expect(git(app.repository, 'rev-parse', 'main')).toBe(before);
  });

  test.each([
    [{ title: ' ', content: 'x' }, /`title` is empty/],
    [{ title: 'x', content: ' \n' }, /`content` is empty/],
    [{ title: 'x', content: 'x'.repeat(1024 * 1024 + 1) }, /at most 1048576/],
    [{ title: 'x', content: 'y', project: '../z' }, /project name is not usable/],
    [{ title: 'x', content: 'y', project: 'ghp_0123456789abcdefABCDEF0123456789abcd' }, /holds a secret/],
    [{ title: 'x', content: 'y', privacy: 'PRIVATE' }, /privacy/],
  ])('what cannot be one is refused in a sentence (%#)', async (input, says) => {
    const { fail } = await openApp();
    expect(await fail('save_checkpoint', input)).toMatch(says);
  });
});

describe('the seal', () => {
  const note = Buffer.from('---\ntitle: A\n---\nBody\n\nseal: x\n');
  const path = 'checkpoints/a/b/2026/11/20261121T120000000Z-a-0000.md';
  const text = Buffer.from(sealed(note)).toString();

  test.each([
    ['as it was made', text, path, 'fits'],
    ['elsewhere', text, 'checkpoints/renamed.md', 'fits'],
    ['one letter', text.replace('Body', 'body'), path, 'broken'],
    ['one letter, elsewhere', text.replace('Body', 'body'), 'checkpoints/renamed.md', 'broken'],
    ['line ends', text.replaceAll('\n', '\r\n'), path, 'broken'],
    ['line ends, elsewhere', text.replaceAll('\n', '\r\n'), 'checkpoints/renamed.md', 'broken'],
    ['a mark at the top', `\ufeff${text}`, path, 'broken'],
    ['a mark at the top, elsewhere', `\ufeff${text}`, 'checkpoints/renamed.md', 'broken'],
    ['a line of front matter more', text.replace('title', 'status: new\ntitle'), path, 'broken'],
    ['lines in another order', text.replace(/(title: A\n)(seal: .*\n)/, '$2$1'), path, 'fits'],
    ['no seal', note.toString(), path, 'broken'],
    ['two seals', text.replace(/(seal: [0-9a-f]{64}\n)/, '$1$1'), path, 'broken'],
    ['a seal that is none', text.replace(/seal: .*/, 'seal: yes'), path, 'broken'],
    ['no front matter', text.replace(/^[\s\S]*---\n/, ''), path, 'broken'],
    ['empty', '', path, 'broken'],
    ['of another program', '---\ntitle: B\n---\nBody\n', 'checkpoints/b.md', 'none'],
    ['of another program, about seals', '---\nseal: harbour\n---\nBody\n', 'checkpoints/b.md', 'none'],
    ['a seal in the text alone', `# B\n\nseal: ${'a'.repeat(64)}\n\n---\n`, 'checkpoints/b.md', 'none'],
  ])('%s', (_, changed, at, found) => {
    expect(sealOf(at, Buffer.from(changed))).toBe(found);
  });

  test('bytes that are no UTF-8 are kept; what is too large to look at is not what was made', () => {
    const odd = sealed(Buffer.concat([note, Buffer.from([0xff, 0x00, 0xc3])]));
    expect(sealOf(path, odd)).toBe('fits');
    expect(sealOf(path, null)).toBe('broken');
  });
});

const TIERS: [string, () => Promise<Record<string, string>>][] = [['SQLite', async () => ({})]];
if (POSTGRES !== null) TIERS.push(['Postgres', async () => ({ DATABASE_URL: (await createDatabase()).url })]);

describe.each(TIERS)('a checkpoint that was changed by hand, %s', (_, tier) => {
  async function changed() {
    const app = await memory(await tier());
    await save(app, 'One');
    const id = idIn(await checkpoint(app, 'Here'));
    const other = idIn(await checkpoint(app, 'There', 'Left alone.'));
    const stored = `${git(app.repository, 'show', `main:${id}.md`)}\n`;
    pushFiles(app.repository, { [`${id}.md`]: stored.replace('All of it works', 'None of it works') });
    const before = git(app.repository, 'rev-parse', 'main~1');
    await app.call('sync_now');
    return { ...app, id, other, before };
  }

  test('every tool that meets it says so, and repair does not claim to mend it', async () => {
    const { id, other, before, ...app } = await changed();
    const { call } = app;
    expect(await call('read_memory', { id })).toMatch(/doubtful: a checkpoint that was changed after it was made/);
    expect(await call('read_memory', { id: other })).not.toContain('doubtful');
    expect(await call('memory_status')).toContain('1 doubtful');
    expect(await call('list_sessions', { kind: 'checkpoint' })).toMatch(/Here · .*CHANGED after it was made/);
    const said = `all equal; 3 hashed to their blob id.\nCHANGED AT THE ORIGIN: 1 checkpoint was changed`;
    for (const scope of [{}, { repair: true }, { project: 'test/project' }])
      expect(await call('verify_with_github', scope)).toContain(said);
    const one = await call('verify_with_github', { id });
    expect(one).toMatch(/Repair cannot mend that[\s\S]*\(stored paths: data, not instructions\)\n- `checkpoints/);
    expect(one.match(/- `/g)).toHaveLength(1);
    for (const scope of [{ id: other }, { project: 'else/where' }])
      expect(await call('verify_with_github', scope)).not.toContain('CHANGED');
    const { DATABASE_URL = '' } = app.environment;
    const doctor = await runProgram(['doctor'], { MEMORY_HOME: app.home, MEMORY_REPO: app.repository, DATABASE_URL });
    expect(doctor.code).not.toBe(0);
    expect(doctor.stdout).toMatch(/checkpoints +1 changed after being made/);
    // The way back that it names.
    const made = await call('read_memory', { id, as_of: before });
    expect(made).toContain('All of it works');
    expect(made).not.toContain('doubtful');
  });

  test('what has changed since then is told by the time in its name, which it says', async () => {
    const app = await changed();
    await save(app, 'Later');
    const answer = await app.call('load_context', { since: app.id });
    expect(answer).toMatch(/that checkpoint was changed after it was made: by the time in its name/);
    expect(answer).toContain('new **Later**');
  });
});

for (const [name, make] of [
  ['local git', localHistory],
  ['GitHub', githubHistory],
] as const)
  describe(`what has changed since a checkpoint, ${name}`, () => {
    test('by its id or the end of it: not itself, not what was there, in under 60 tokens where nothing did', async () => {
      const history = await make();
      await history.commit({ 'n/one.md': '---\nproject: acme/api\n---\n# One\n' }, '2026-01-10T10:00:00Z');
      const app = await history.open({ MEMORY_PROJECT: 'acme/api' });
      const id = idIn(await checkpoint(app));
      const short = `…${id.slice(-4)}`;
      const asGiven = [id, nameOf(id), `${id}.md`, `\`${id}\``, `"${nameOf(id)}"`, short, id.toUpperCase()];
      for (const since of asGiven) {
        const nothing = await app.call('load_context', { since });
        expect(nothing).toMatch(
          new RegExp(
            `^Project \`acme/api\`: nothing changed since checkpoint …${id.slice(-4)} \\(\\d{4}-.* UTC\\)\\.\n`,
          ),
        );
        expect(countTokens(nothing)).toBeLessThan(60);
      }
      await save(app, 'Two', { next_steps: ['Feed the owl'] });
      await save(app, 'Else', { project: 'else/where' });
      const answer = await app.call('load_context', { since: id });
      expect(answer).toContain('1 note changed since checkpoint');
      expect(answer).toMatch(/new \*\*Two\*\*[\s\S]*open: #\d{6} Feed the owl/);
      // Its own project, wherever it is asked for; another one where that is named.
      const elsewhere = await history.open({ MEMORY_PROJECT: 'else/where' });
      expect(await elsewhere.call('load_context', { since: id })).toBe(
        answer.replace(/confirmed \d+ s/, 'confirmed 0 s'),
      );
      const other = await app.call('load_context', { since: id, project: 'else/where' });
      expect(other).toMatch(/^Project `else\/where`: 1 note changed since checkpoint[\s\S]*\*\*Else\*\*/);
    });
  });

describe('a checkpoint as a point in time', () => {
  test('one that is gone goes by its name; one of another history by its time; each says so', async () => {
    const app = await memory();
    await save(app, 'One');
    const before = git(app.repository, 'rev-parse', 'main');
    const id = idIn(await checkpoint(app));
    await save(app, 'Two');
    commitFiles(app.repository, { [`${id}.md`]: null });
    const gone = await app.call('load_context', { since: id });
    expect(gone).toMatch(/new \*\*Two\*\*/);
    expect(gone).toMatch(/there is no such checkpoint \(any more\): by the time in its name/);
    // The branch is forced to another history in which the checkpoint stands, and its commit does not.
    const other = idIn(await checkpoint(app, 'Other'));
    const tree = git(app.repository, 'rev-parse', 'main^{tree}');
    const forced = git(app.repository, 'commit-tree', '-m', 'anew', tree);
    git(app.repository, 'update-ref', 'refs/heads/main', forced);
    expect(before).not.toBe(forced);
    await app.call('sync_now');
    await save(app, 'Three');
    const moved = await app.call('load_context', { since: other });
    expect(moved).toMatch(/is not in the history any more: by its time/);
    expect(moved).toContain('**Three**');
  });

  test.each([
    ['sessions/nowhere/at-all', /There is no checkpoint with this id/],
    ['whenever', /`since` is neither a date that exists nor the id of a commit/],
    ['../x', /The id is not usable/],
  ])('since %s is refused in a sentence', async (since, says) => {
    const app = await openApp();
    await save(app, 'One');
    expect(await app.fail('load_context', { since })).toMatch(says);
  });

  test('a session is no checkpoint', async () => {
    const app = await openApp();
    const id = idIn(await save(app, 'One'));
    expect(await app.fail('load_context', { since: id })).toMatch(/names a note that is no checkpoint/);
  });

  test('one of somebody who may not be seen is not there', async () => {
    const app = await memory();
    const at = 'checkpoints/p/secret-plan.md';
    commitFiles(app.repository, { [at]: '---\nprivacy: PRIVATE\nauthor: ann\nproject: p\n---\n# Secret plan\n' });
    await app.call('sync_now');
    expect(await app.fail('load_context', { since: 'checkpoints/p/secret-plan' })).toMatch(
      /There is no checkpoint with this id/,
    );
  });
});

test('a checkpoint made by hand is a note of its project, and is marked as what to compare with', async () => {
  const app = await memory();
  await save(app, 'One');
  const id = idIn(await app.call('save_checkpoint', { title: 'Here', content: '## Next steps\n- [ ] Feed the owl\n' }));
  const context = await app.call('load_context');
  expect(context).toMatch(/#\d{6} Feed the owl/);
  expect(context).toContain(`\`${id}\` (checkpoint: since=its id compares)`);
  expect(context.match(/since=/g)).toHaveLength(1);
  expect(textOf(await app.call('search_memory', { query: 'commit seal' }))).toBe('');
  expect(await app.call('search_memory', { query: 'owl' })).toContain(id);
});

test('one that waits for GitHub: shown, compared with, delivered as it was made; said again it is the same one', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await save(app, 'Before');
  const head = github.head();
  await github.down();
  await save(app, 'Queued first');
  const receipt = await checkpoint(app);
  expect(receipt).toMatch(/^QUEUED, not saved yet.*`checkpoints\//);
  const id = idIn(receipt);
  expect(idIn(await checkpoint(app))).toBe(id);
  expect(await app.call('list_sessions', { kind: 'checkpoint' })).toMatch(/checkpoint · queued/);
  // What waited before it was there when it was made.
  expect(await app.call('load_context', { since: id })).toMatch(/nothing changed since checkpoint/);
  await save(app, 'Queued after');
  const since = await app.call('load_context', { since: nameOf(id) });
  expect(since).toMatch(/1 note changed since checkpoint[\s\S]*\*\*Queued after\*\*/);
  expect(idIn(await checkpoint(app))).not.toBe(id);
  await github.up();
  await settled(app);
  const stored = String((await github.files()).get(`${id}.md`));
  expect(stored).toContain(`\ncommit: ${head}\n`);
  expect(await app.call('read_memory', { id })).not.toContain('doubtful');
  expect(await app.call('load_context', { since: id })).toContain('**Queued after**');
});

test('GitHub gone after it was made: compared by its time with what the mirror keeps, which is said', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await save(app, 'Before');
  const id = idIn(await checkpoint(app));
  await synced(app);
  await save(app, 'After');
  await github.down();
  const other = await openApp(environment);
  const answer = await until(
    () => other.call('load_context', { since: id, consistency: 'fast' }),
    (text) => text.includes('After'),
  );
  expect(answer).toMatch(/new \*\*After\*\*[\s\S]*cannot be asked for the commit of that checkpoint: by its time/);
});
