import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { openApp, type TestApp } from '../support/app.js';
import { gitEnvironmentForTests, git as gitNow, tempFolder } from '../support/home.js';

const run = promisify(execFile);

/** Real git at the same time as everything else. */
async function gitBeside(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('git', ['-C', folder, ...args], { env: gitEnvironmentForTests(), maxBuffer: 1 << 28 });
  return stdout;
}

function bare(): string {
  const folder = join(tempFolder(), 'notes.git');
  gitNow('/', 'init', '--quiet', '--bare', folder);
  return folder;
}

async function saveNote({ call }: TestApp, title: string, more: Record<string, unknown> = {}) {
  const receipt = await call('save_session', { title, content: `# ${title}\n\nBody of ${title}.`, ...more });
  const [, id = '', blob = ''] = /^Saved: `(.+?)`.* blob ([0-9a-f]+)/.exec(receipt) ?? [];
  expect(id, receipt).not.toBe('');
  return { id, blob };
}

/** What people run in a repository, at any moment. */
const COMMANDS: string[][] = [
  ['gc', '--quiet'],
  ['gc', '--quiet', '--prune=now'],
  ['repack', '-a', '-d', '-q'],
  ['pack-refs', '--all'],
  ['log', '--oneline', '--stat', '--all'],
  ['fsck', '--strict', '--no-dangling'],
];

test('git collects, packs, clones and checks while saves go on: none fails, none is lost', async () => {
  const folder = bare();
  const memory = await openApp({ MEMORY_REPO: folder });
  const saved = [await saveNote(memory, 'Before everything')];
  let going = true;
  const housekeeping = (async () => {
    for (let round = 0; round < 4; round++) {
      for (const command of COMMANDS) {
        await gitBeside(folder, ...command);
        // What a prune took from a save under way is put back before that save is answered, and so before the next one.
        if (command.includes('--prune=now')) saved.push(await saveNote(memory, `Beside, round ${round}`));
      }
      const clone = join(tempFolder(), 'clone');
      await gitBeside('/', 'clone', '--quiet', folder, clone);
      expect(await gitBeside(clone, 'fsck', '--strict', '--no-dangling')).toBe('');
    }
  })().finally(() => {
    going = false;
  });
  for (let at = 0; going && at < 1_000; at++) {
    saved.push(...(await Promise.all([0, 1, 2].map((part) => saveNote(memory, `Note ${at} part ${part}`)))));
    await memory.call('read_memory', { id: saved[Math.floor(saved.length / 2)]?.id, consistency: 'verified' });
  }
  await housekeeping;
  expect(gitNow(folder, 'fsck', '--strict', '--full', '--no-dangling')).toBe('');
  const there = new Map(
    gitNow(folder, 'ls-tree', '-r', 'main')
      .split('\n')
      .map((line) => [line.slice(line.indexOf('\t') + 1), line.split(/\s/)[2]]),
  );
  for (const { id, blob } of saved) expect(there.get(`${id}.md`), id).toBe(blob);
  expect(gitNow(folder, 'rev-list', '--min-parents=2', '--count', 'main')).toBe('0');
  expect(await memory.call('verify_with_github')).toContain(`${saved.length} documents compared`);
  // Packs that were kept from a collection are let go with the next save.
  await saveNote(memory, 'After everything');
  gitNow(folder, 'gc', '--quiet', '--prune=now');
  expect(gitNow(folder, 'count-objects', '-v')).toMatch(/^count: 0$[\s\S]*^packs: 1$/m);
});

test('collections one after the other, that delete whatever no branch names yet: every save is made and stays', async () => {
  const folder = bare();
  const memory = await openApp({ MEMORY_REPO: folder });
  let going = true;
  const collections = (async () => {
    for (let round = 0; round < 40; round++) await gitBeside(folder, 'gc', '--quiet', '--prune=now').catch(() => {});
    going = false;
  })();
  const saved = [];
  for (let at = 0; going && at < 2_000; at++) saved.push(await saveNote(memory, `Note ${at}`));
  await collections;
  expect(gitNow(folder, 'fsck', '--strict', '--full', '--no-dangling')).toBe('');
  const names = gitNow(folder, 'ls-tree', '-r', '--name-only', 'main').split('\n');
  expect(names.filter((name) => name.endsWith('.md')).sort()).toEqual(saved.map(({ id }) => `${id}.md`).sort());
});

test('what a collection that is under way would delete is kept from it', async () => {
  const folder = bare();
  const memory = await openApp({ MEMORY_REPO: folder });
  // What `git gc` holds while it runs. It has looked at the branches already and deletes what they did not name.
  writeFileSync(join(folder, 'gc.pid'), `${process.pid} elsewhere`);
  const { id, blob } = await saveNote(memory, 'In the middle');
  const objects = gitNow(folder, 'rev-list', '--objects', 'main')
    .split('\n')
    .map((line) => line.slice(0, 40));
  for (const object of objects) rmSync(join(folder, 'objects', object.slice(0, 2), object.slice(2)), { force: true });
  gitNow(folder, 'repack', '-a', '-d', '-q');
  expect(gitNow(folder, 'fsck', '--strict')).toBe('');
  expect(gitNow(folder, 'rev-parse', `main:${id}.md`)).toBe(blob);
  // It was killed: its mark stays, of a process that is no more.
  const ended = spawnSync('true').pid;
  writeFileSync(join(folder, 'gc.pid'), `${ended} ${hostname()}`);
  await saveNote(memory, 'Afterwards');
  gitNow(folder, 'repack', '-a', '-d', '-q');
  expect(gitNow(folder, 'count-objects', '-v')).toMatch(/^packs: 1$/m);
});

test('what others push appears at the next fresh read; force pushes and renames are followed', async () => {
  const folder = bare();
  const memory = await openApp({ MEMORY_REPO: folder, MEMORY_PROJECT: 'area' });
  const mine = await saveNote(memory, 'Mine');
  const clone = join(tempFolder(), 'clone');
  gitNow('/', 'clone', '--quiet', folder, clone);
  const push = (message: string, ...options: string[]) => {
    gitNow(clone, 'add', '-A');
    gitNow(clone, 'commit', '--quiet', '-m', message);
    gitNow(clone, 'push', '--quiet', ...options, 'origin', 'HEAD:main');
  };
  gitNow(clone, 'checkout', '--quiet', '-B', 'work');
  mkdirSync(join(clone, 'area'));
  writeFileSync(join(clone, 'area/pushed.md'), '# 2030-01-01 Pushed words\n');
  push('pushed');
  expect(await memory.call('load_context')).toContain('Pushed words');

  gitNow(clone, 'mv', 'area/pushed.md', 'area/moved.md');
  push('moved');
  const context = await memory.call('load_context');
  expect(context).toContain('`area/moved`');
  expect(context).not.toContain('`area/pushed`');

  // Somebody rewrites the branch without the rename, and with other words.
  gitNow(clone, 'reset', '--quiet', '--hard', 'HEAD~2');
  mkdirSync(join(clone, 'area'), { recursive: true });
  writeFileSync(join(clone, 'area/forced.md'), '# 2030-01-02 Forced words\n');
  push('forced', '--force');
  const forced = await memory.call('load_context');
  expect(forced).toContain('Forced words');
  expect(forced).not.toContain('Pushed words');
  expect(await memory.call('read_memory', { id: mine.id })).toContain(mine.blob);
  expect(await memory.call('verify_with_github')).toContain('all equal');

  // Back to a commit that the mirror has stood at before.
  gitNow(folder, 'update-ref', 'refs/heads/main', 'main~1');
  expect(await memory.call('load_context')).not.toContain('Forced words');

  // A save on top, then a push that did not know of it: git refuses it, as among people.
  await saveNote(memory, 'On top');
  writeFileSync(join(clone, 'area/late.md'), '# Late\n');
  expect(() => push('late')).toThrow(/rejected|non-fast-forward|fetch first/);
});

test('LATEST.json names the newest session of each project, and is put right when it is wrong', async () => {
  const folder = bare();
  const memory = await openApp({ MEMORY_REPO: folder });
  const pointer = (project: string) =>
    JSON.parse(gitNow(folder, 'cat-file', '-p', `main:sessions/${project}/LATEST.json`));
  const first = await saveNote(memory, 'First', { project: 'a/b' });
  expect(pointer('a/b')).toMatchObject({ id: first.id, path: `${first.id}.md`, title: 'First' });
  await Promise.all(['Two', 'Three', 'Four'].map((title) => saveNote(memory, title, { project: 'a/b' })));
  const below = await saveNote(memory, 'Below', { project: 'a/b/c' });
  const names = gitNow(folder, 'ls-tree', '-r', '--name-only', 'main', 'sessions/a/b/').split('\n');
  const newest = names
    .filter((name) => /^sessions\/a\/b\/\d/.test(name))
    .sort()
    .at(-1) as string;
  expect(pointer('a/b').path).toBe(newest);
  expect(pointer('a/b/c').id).toBe(below.id);
  const stamp = /(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z/.exec(newest)?.slice(1) ?? [];
  expect(pointer('a/b').time).toBe(`${stamp.slice(0, 3).join('-')}T${stamp.slice(3, 6).join(':')}.${stamp[6]}Z`);

  // Somebody breaks it, and adds a session from the future by hand.
  const clone = join(tempFolder(), 'clone');
  gitNow('/', 'clone', '--quiet', folder, clone);
  writeFileSync(join(clone, 'sessions/a/b/LATEST.json'), 'not JSON');
  const future = `${newest.slice(0, newest.lastIndexOf('/'))}/20990101T000000000Z-future-zzzz.md`;
  writeFileSync(join(clone, future), '# Future\n');
  gitNow(clone, 'add', '-A');
  gitNow(clone, 'commit', '--quiet', '-m', 'broken');
  gitNow(clone, 'push', '--quiet');
  await saveNote(memory, 'Not the newest by name', { project: 'a/b' });
  expect(pointer('a/b')).toMatchObject({ path: future, title: 'Future' });

  // The newest one gets another title.
  const { blob, id } = await saveNote(memory, 'Old title', { project: 'x' });
  await saveNote(memory, 'New title', { project: 'x', id, replaces: blob });
  expect(pointer('x')).toMatchObject({ id, title: 'New title' });
});

test('the local origin is a repository like any other: it can be pushed elsewhere with nothing lost', async () => {
  const home = tempFolder();
  const memory = await openApp({ MEMORY_HOME: home });
  const folder = join(home, 'origin.git');
  const { id, blob } = await saveNote(memory, 'Kept');
  expect(existsSync(join(folder, 'hooks'))).toBe(false);
  const remote = bare();
  // It is a repository like any other: all of it can be pushed elsewhere, and read there.
  gitNow(folder, 'push', '--quiet', remote, 'main');
  const moved = await openApp({ MEMORY_REPO: remote });
  expect(await moved.call('read_memory', { id })).toContain(blob);
});
