import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openApp, type TestApp } from '../support/app.js';
import { foreignFiles, importFiles } from '../support/foreign.js';
import { git, tempFolder } from '../support/home.js';

const OVERLAY = 'strata-memory/main';

/** A working repository with two commits of notes on main. */
function workingRepository(): string {
  const folder = join(tempFolder(), 'notes');
  mkdirSync(folder);
  git(folder, 'init', '--quiet', '--initial-branch=main');
  write(folder, 'plan.md', '# Plan\n\nfirst version\n');
  add(folder, 'area/idea.md', '# Idea\n\nidea words\n');
  add(folder, 'area/second.md', '# Second\n\nsecond words\n');
  return folder;
}

function write(folder: string, path: string, content: string): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), content);
}

/** What the user does: everything that is there becomes a commit. */
function save(folder: string, message: string, ...options: string[]): void {
  git(folder, 'add', '-A');
  git(folder, 'commit', '--quiet', '--allow-empty', ...options, '-m', message);
}

function add(folder: string, path: string, content: string, ...options: string[]): void {
  write(folder, path, content);
  save(folder, `add ${path}`, ...options);
}

/** Everything of a work tree that a save must leave alone. */
function snapshot(folder: string) {
  const gitDir = git(folder, 'rev-parse', '--absolute-git-dir');
  return {
    status: git(folder, '--no-optional-locks', 'status', '--porcelain=v2', '--branch', '--ignored'),
    head: readFileSync(join(gitDir, 'HEAD'), 'utf8'),
    index: git(folder, 'ls-files', '-s'),
    indexTime: statSync(join(gitDir, 'index')).mtimeMs,
    main: git(folder, 'rev-parse', 'refs/heads/main'),
    files: readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => !name.startsWith('.git/') && name !== '.git')
      .sort()
      .map((name) => {
        const stat = statSync(join(folder, name));
        return [name, stat.mtimeMs, stat.isFile() ? readFileSync(join(folder, name), 'latin1') : ''];
      }),
    stash: git(folder, 'stash', 'list'),
  };
}

interface Saved {
  id: string;
  blob: string;
}

async function saveNote({ call }: TestApp, title: string, more: Record<string, unknown> = {}): Promise<Saved> {
  const receipt = await call('save_session', { title, content: `# ${title}\n\nBody of ${title}.`, ...more });
  const [, id = '', blob = ''] = /^Saved: `(.+?)`.* blob ([0-9a-f]+)/.exec(receipt) ?? [];
  expect(id, receipt).not.toBe('');
  return { id, blob };
}

const read = ({ call }: TestApp, id: string) => call('read_memory', { id, consistency: 'fresh' });

test.each(['clean', 'dirty'])('saves leave a %s work tree as it is and go to a branch of their own', async (state) => {
  const folder = workingRepository();
  if (state === 'dirty') {
    write(folder, 'plan.md', '# Plan\n\nunstaged\n');
    write(folder, 'staged.md', '# Staged\n');
    git(folder, 'add', 'staged.md');
    git(folder, 'rm', '--quiet', '--cached', 'area/second.md');
    write(folder, 'untracked.md', '# Untracked\n');
    rmSync(join(folder, 'area/idea.md'));
  }
  const before = snapshot(folder);
  const memory = await openApp({ MEMORY_REPO: folder });
  await memory.call('load_context');
  const notes = [await saveNote(memory, 'One'), await saveNote(memory, 'Two')];
  const edited = await memory.call('read_memory', { id: 'plan' });
  await saveNote(memory, 'Plan, edited', { id: 'plan', replaces: / blob ([0-9a-f]+)/.exec(edited)?.[1] });
  await memory.call('sync_now');
  await memory.call('verify_with_github', { repair: true });

  expect(snapshot(folder)).toEqual(before);
  expect(git(folder, 'for-each-ref', '--format=%(refname:short)')).toBe(`main\n${OVERLAY}`);
  expect(git(folder, 'rev-list', '--count', `main..${OVERLAY}`)).toBe('3');
  // Uncommitted work is the user's alone.
  for (const name of ['staged', 'untracked']) await memory.fail('read_memory', { id: name });

  if (state === 'dirty') git(folder, 'commit', '--quiet', '-am', 'the user goes on');
  else save(folder, 'the user goes on');
  for (const note of notes) {
    expect(await read(memory, note.id)).toContain(note.blob);
    expect(git(folder, 'rev-parse', `${OVERLAY}:${note.id}.md`)).toBe(note.blob);
  }
  if (state === 'dirty') {
    expect(await memory.call('read_memory', { id: 'staged' })).toContain('# Staged');
    expect(await memory.fail('read_memory', { id: 'area/second' })).toContain('no note with this id');
  }
  expect(git(folder, 'fsck', '--strict', '--no-dangling')).toBe('');
  expect(git(folder, 'status', '--porcelain')).not.toMatch(/sessions/);
});

/** What users do to their branch, and what then stands in it. */
const MOVES: [string, (folder: string) => void, { has: string[]; hasNot?: string[] }][] = [
  ['commits', (folder) => add(folder, 'new.md', '# New\n'), { has: ['new', 'plan'] }],
  ['amends', (folder) => add(folder, 'amended.md', '# Amended\n', '--amend'), { has: ['amended', 'area/second'] }],
  [
    'resets back',
    (folder) => git(folder, 'reset', '--quiet', '--hard', 'HEAD~1'),
    { has: ['plan'], hasNot: ['area/second'] },
  ],
  [
    'renames a note',
    (folder) => {
      git(folder, 'mv', 'plan.md', 'renamed.md');
      save(folder, 'renamed');
    },
    { has: ['renamed'], hasNot: ['plan'] },
  ],
  [
    'rebases',
    (folder) => {
      git(folder, 'checkout', '--quiet', '-b', 'side', 'HEAD~1');
      add(folder, 'side.md', '# Side\n');
      git(folder, 'checkout', '--quiet', 'main');
      git(folder, 'rebase', '--quiet', 'side');
    },
    { has: ['side', 'area/second'] },
  ],
  [
    'starts all over',
    (folder) => {
      git(folder, 'checkout', '--quiet', '--orphan', 'fresh');
      git(folder, 'rm', '-rq', '--force', '.');
      add(folder, 'other.md', '# Other\n');
      git(folder, 'branch', '-M', 'fresh', 'main');
    },
    { has: ['other'], hasNot: ['plan'] },
  ],
  [
    'renames the branch',
    (folder) => {
      git(folder, 'branch', '-m', 'main', 'trunk');
      git(folder, 'branch', '-m', 'trunk', 'base');
      add(folder, 'trunk.md', '# Trunk\n');
    },
    { has: ['trunk', 'plan'] },
  ],
  [
    'merges ours',
    (folder) => {
      git(folder, 'merge', '--quiet', '--no-edit', OVERLAY);
      add(folder, 'merged.md', '# Merged\n');
    },
    { has: ['merged', 'plan'] },
  ],
  ['fast-forwards to ours', (folder) => git(folder, 'merge', '--quiet', '--ff-only', OVERLAY), { has: ['plan'] }],
  [
    'squashes ours and deletes it',
    (folder) => {
      git(folder, 'merge', '--quiet', '--squash', OVERLAY);
      save(folder, 'squashed');
      git(folder, 'branch', '-D', OVERLAY);
    },
    { has: ['plan'] },
  ],
  [
    'switches to another branch',
    (folder) => {
      git(folder, 'checkout', '--quiet', '-b', 'feature');
      add(folder, 'feature.md', '# Feature\n');
    },
    { has: ['plan'], hasNot: ['feature'] },
  ],
  [
    'works on a detached HEAD',
    (folder) => {
      git(folder, 'checkout', '--quiet', '--detach');
      add(folder, 'loose.md', '# Loose\n');
    },
    { has: ['plan'], hasNot: ['loose'] },
  ],
  [
    'deletes the branch',
    (folder) => {
      git(folder, 'checkout', '--quiet', '--detach');
      git(folder, 'branch', '-D', 'main');
    },
    { has: ['plan'] },
  ],
];

test.each(MOVES)(
  'the user %s: followed at the next fresh read, together with what was saved',
  async (_what, move, then) => {
    const folder = workingRepository();
    const memory = await openApp({ MEMORY_REPO: folder });
    const before = await saveNote(memory, 'Before');
    move(folder);
    await memory.call('load_context');
    const work = snapshotOf(folder);
    const after = await saveNote(memory, 'After');
    expect(snapshotOf(folder)).toEqual(work);
    // The same from a process that starts now and knows nothing.
    for (const each of [memory, await openApp({ MEMORY_REPO: folder })]) {
      for (const { id, blob } of [before, after]) expect(await read(each, id)).toContain(blob);
      for (const id of then.has) expect(await read(each, id)).toContain(`\`${id}\``);
      for (const id of then.hasNot ?? [])
        expect(await each.fail('read_memory', { id })).toContain('no note with this id');
      expect(await each.call('verify_with_github')).toContain('all equal');
    }
    expect(git(folder, 'fsck', '--strict', '--no-dangling')).toBe('');
  },
);

function snapshotOf(folder: string) {
  return { status: git(folder, 'status', '--porcelain=v2', '--branch'), index: git(folder, 'ls-files', '-s') };
}

test('a merge of ours that is undone takes no saved note with it', async () => {
  const folder = workingRepository();
  const memory = await openApp({ MEMORY_REPO: folder });
  const first = await saveNote(memory, 'First');
  add(folder, 'dropped.md', '# Dropped\n');
  git(folder, 'merge', '--quiet', '--no-edit', OVERLAY);
  const second = await saveNote(memory, 'Second');
  git(folder, 'reset', '--quiet', '--hard', 'HEAD~2');
  for (const { id, blob } of [first, second]) expect(await read(memory, id)).toContain(blob);
  expect(await memory.fail('read_memory', { id: 'dropped' })).toContain('no note with this id');
});

test('both edit the same note: the user’s stays in place, ours is kept beside it', async () => {
  const folder = workingRepository();
  add(folder, 'odd "name".md', 'odd\n');
  const memory = await openApp({ MEMORY_REPO: folder });
  const ids = ['plan', '"odd \\"name\\""'];
  const ours: Saved[] = [];
  for (const id of ids) {
    const blob = / blob ([0-9a-f]+)/.exec(await memory.call('read_memory', { id }))?.[1];
    ours.push(await saveNote(memory, 'Ours', { id, replaces: blob }));
  }
  write(folder, 'plan.md', '# Plan\n\nthe user’s words\n');
  add(folder, 'odd "name".md', 'the user’s odd words\n');
  expect(await read(memory, 'plan')).toContain('the user’s words');
  expect(await read(memory, ids[1] as string)).toContain('the user’s odd words');
  const kept = (blob = '') => `-kept-${blob.slice(0, 7)}`;
  expect(await memory.call('read_memory', { id: `plan${kept(ours[0]?.blob)}` })).toContain(ours[0]?.blob);
  expect(await memory.call('read_memory', { id: `"odd \\"name\\"${kept(ours[1]?.blob)}"` })).toContain(ours[1]?.blob);
  // Once is enough, however often the user goes on.
  add(folder, 'plan.md', '# Plan\n\nlater words\n');
  await memory.call('load_context');
  expect(git(folder, 'ls-tree', '-r', '--name-only', OVERLAY).match(/-kept-/g)).toHaveLength(2);
  expect(
    await memory.fail('save_session', { title: 'x', content: 'y', id: 'plan', replaces: ours[0]?.blob }),
  ).toContain('blob');
});

test('the user puts a file where saved notes have their folder: the notes move, none is lost', async () => {
  const folder = workingRepository();
  const memory = await openApp({ MEMORY_REPO: folder });
  const { id, blob } = await saveNote(memory, 'Saved');
  add(folder, 'sessions', 'a file of the user’s\n');
  expect(await read(memory, `strata-memory-kept/${id}`)).toContain(blob);
  expect(git(folder, 'cat-file', '-p', `${OVERLAY}:sessions`)).toBe('a file of the user’s');
  expect(await memory.fail('save_session', { title: 'New', content: 'New.' })).toMatch(/sessions/);
});

test('our branch checked out: a save is refused with the remedy, reading goes on, and nothing under the user moves', async () => {
  const folder = workingRepository();
  const memory = await openApp({ MEMORY_REPO: folder });
  const { id, blob } = await saveNote(memory, 'Saved');
  git(folder, 'checkout', '--quiet', OVERLAY);
  appendFileSync(join(folder, `${id}.md`), 'by hand\n');
  const work = snapshot(folder);
  const refused = await memory.fail('save_session', { title: 'Refused', content: 'Not now.' });
  expect(refused).toContain(`${OVERLAY} is checked out`);
  expect(refused).toContain('Check out another branch');
  // The user's branch moves meanwhile: seen, but the branch under the user's hands stays.
  importFiles(
    join(folder, '.git'),
    [{ path: 'pulled.md', bytes: Buffer.from('# Pulled\n') }],
    'main',
    new Date().toISOString(),
  );
  expect(await read(memory, 'pulled')).toContain('# Pulled');
  expect(await read(memory, id)).toContain(blob);
  expect(await memory.call('sync_now')).toContain('nothing new');
  expect({ ...snapshot(folder), main: work.main }).toEqual(work);

  save(folder, 'by hand');
  expect(await read(memory, id)).toContain('by hand');
  git(folder, 'checkout', '--quiet', 'main');
  const later = await saveNote(memory, 'Later');
  for (const each of [id, later.id, 'pulled']) await read(memory, each);
  expect(await read(memory, id)).toContain('by hand');
});

test('a bare repository whose branch is checked out in a linked work tree', async () => {
  const bare = join(tempFolder(), 'notes.git');
  git('/', 'init', '--quiet', '--bare', bare);
  importFiles(bare, [{ path: 'plan.md', bytes: Buffer.from('# Plan\n') }]);
  const memory = await openApp({ MEMORY_REPO: bare });
  const direct = await saveNote(memory, 'Direct');
  expect(git(bare, 'rev-parse', `main:${direct.id}.md`)).toBe(direct.blob);
  const tree = join(tempFolder(), 'tree');
  git(bare, 'worktree', 'add', '--quiet', tree, 'main');
  write(tree, 'untracked.md', 'mine\n');
  const work = snapshot(tree);
  const beside = await saveNote(memory, 'Beside');
  expect(snapshot(tree)).toEqual(work);
  expect(git(bare, 'rev-parse', `${OVERLAY}:${beside.id}.md`)).toBe(beside.blob);
  save(tree, 'theirs');
  // The work tree is the same memory as its repository.
  const other = await openApp({ MEMORY_REPO: tree, MEMORY_HOME: memory.home });
  for (const each of [memory, other]) {
    for (const { id, blob } of [direct, beside]) expect(await read(each, id)).toContain(blob);
    expect(await read(each, 'untracked')).toContain('mine');
  }
});

test('a branch that is named and being rebased is not moved', async () => {
  const folder = workingRepository();
  add(folder, 'plan.md', '# Plan\n\none way\n');
  git(folder, 'checkout', '--quiet', '-b', 'other', 'HEAD~1');
  add(folder, 'plan.md', '# Plan\n\nthe other way\n');
  git(folder, 'checkout', '--quiet', 'main');
  expect(() => git(folder, 'rebase', '--quiet', 'other')).toThrow();
  const memory = await openApp({ MEMORY_REPO: folder, MEMORY_BRANCH: 'main' });
  const { id, blob } = await saveNote(memory, 'Meanwhile');
  write(folder, 'plan.md', '# Plan\n\nboth ways\n');
  git(folder, 'add', '-A');
  git(folder, '-c', 'core.editor=true', 'rebase', '--continue');
  expect(git(folder, 'status', '--porcelain')).toBe('');
  expect(await read(memory, id)).toContain(blob);
  expect(await read(memory, 'plan')).toContain('both ways');
});

test('a repository whose first commit is still to come', async () => {
  const folder = join(tempFolder(), 'notes');
  mkdirSync(folder);
  git(folder, 'init', '--quiet', '--initial-branch=main');
  const memory = await openApp({ MEMORY_REPO: folder });
  const { id, blob } = await saveNote(memory, 'First of all');
  expect(existsSync(join(folder, 'sessions'))).toBe(false);
  add(folder, 'plan.md', '# Plan\n');
  expect(await read(memory, 'plan')).toContain('# Plan');
  expect(await read(memory, id)).toContain(blob);
});

test('all the odd files of others are carried along untouched', async () => {
  const folder = join(tempFolder(), 'notes.git');
  git('/', 'init', '--quiet', '--bare', folder);
  importFiles(
    folder,
    foreignFiles().filter(({ path }) => !String(path).startsWith('size/')),
  );
  const tree = join(tempFolder(), 'tree');
  git(folder, 'worktree', 'add', '--quiet', '--no-checkout', tree, 'main');
  const memory = await openApp({ MEMORY_REPO: folder });
  await saveNote(memory, 'Saved');
  importFiles(folder, [{ path: 'later.md', bytes: Buffer.from('# Later\n') }]);
  await read(memory, 'later');
  const changed = git(folder, 'diff', '--name-status', '--no-renames', 'main', OVERLAY).split('\n');
  expect(changed.map((line) => line.replace(/\/\d{4}\/.*/, '/…')).sort()).toEqual([
    'A\tsessions/test/project/LATEST.json',
    'A\tsessions/test/project/…',
  ]);
});
