import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { LIMITS } from '../../src/core/limits.js';
import { decodePath, encodePath, idOfPath, pathOfId } from '../../src/core/paths.js';
import type { Origin } from '../../src/core/ports.js';
import { openGitOrigin } from '../../src/tiers/origin-git/index.js';
import { importFiles } from '../support/foreign.js';
import { git, tempFolder } from '../support/home.js';
import { commitOn, committed, originContract, text } from '../support/origin-contract.js';
import { startServer } from '../support/server.js';

async function open(path: string, branch?: string): Promise<Origin> {
  const origin = await openGitOrigin({ path, own: false, branch });
  onTestFinished(() => origin.close());
  return origin;
}

function bare(...options: string[]): string {
  const folder = join(tempFolder(), 'notes.git');
  git('/', 'init', '--quiet', '--bare', ...options, folder);
  return folder;
}

for (const format of ['sha1', 'sha256'] as const) {
  originContract(
    `git with ${format}`,
    async () => {
      const folder = bare(`--object-format=${format}`);
      return {
        origin: await open(folder),
        again: () => open(folder),
        async outside(files, at) {
          const changes = files.filter((each) => each.content !== null);
          const gone = files.filter((each) => each.content === null).map(({ path }) => path);
          importFiles(
            folder,
            changes.map(({ path, content, mode }) => ({
              path: encodePath(path),
              bytes: Buffer.from(content ?? []),
              ...(mode ? { mode } : {}),
            })),
            'main',
            at,
            gone.map(encodePath),
          );
          return git(folder, 'rev-parse', 'main');
        },
        async merge(parent, at) {
          importFiles(folder, [], 'main', at, [], [parent]);
          return git(folder, 'rev-parse', 'main');
        },
        force: async (commit) => void git(folder, 'update-ref', 'refs/heads/main', commit),
        async files() {
          expect(git(folder, 'fsck', '--strict', '--no-dangling', '--connectivity-only')).toBe('');
          const rows = git(folder, 'ls-tree', '-r', '-z', 'main').split('\0');
          const found = rows.map((row) => /^\d+ blob ([0-9a-f]+)\t(.+)$/s.exec(row)).filter((row) => row !== null);
          return new Map(
            found.map(([, id = '', path = '']) => [path, execFileSync('git', ['-C', folder, 'cat-file', 'blob', id])]),
          );
        },
        subjects: async () => git(folder, 'log', '--format=%s', 'main').split('\n'),
      };
    },
    { algorithm: format },
  );

  test(`what is committed is as git would have it, ${format}`, async () => {
    const folder = bare(`--object-format=${format}`);
    const origin = await open(folder);
    const { head } = await committed(origin, [{ path: 'notes/one.md', content: text('one'), expect: null }]);
    expect(head).toEqual({ commit: git(folder, 'rev-parse', 'main'), tree: git(folder, 'rev-parse', 'main^{tree}') });
    expect(git(folder, 'log', '--format=%an %s', 'main')).toBe('tester Save: test');
    expect(git(folder, 'fsck', '--strict', '--no-dangling')).toBe('');
    await origin.close();
    rmSync(folder, { recursive: true });
    await expect(origin.head()).rejects.toMatchObject({ code: 'origin_unavailable' });
  });
}

test('times are when each path was last changed, through merges too', async () => {
  const folder = bare();
  importFiles(
    folder,
    [
      { path: 'old.md', bytes: Buffer.from('1') },
      { path: 'new.md', bytes: Buffer.from('1') },
    ],
    'main',
    '2020-01-01T00:00:00Z',
  );
  git(folder, 'branch', 'side');
  importFiles(folder, [{ path: 'side "q".md', bytes: Buffer.from('s') }], 'side', '2021-01-01T00:00:00Z');
  importFiles(folder, [{ path: 'new.md', bytes: Buffer.from('2') }], 'main', '2022-01-01T00:00:00Z');
  const tree = git(folder, 'merge-tree', '--write-tree', 'main', 'side');
  const merge = git(folder, 'commit-tree', tree, '-p', 'main', '-p', 'side', '-m', 'merge');
  git(folder, 'update-ref', 'refs/heads/main', merge);
  // Settings of the user's own that change what `git log` prints.
  git(folder, 'config', 'log.showSignature', 'true');
  git(folder, 'config', 'color.ui', 'always');
  const origin = await open(folder);
  const side = decodePath(Buffer.from('side "q".md'));
  const times = await origin.times(merge, new Set(['old.md', 'new.md', side]));
  const merged = Number(git(folder, 'log', '-1', '--no-show-signature', '--format=%ct', merge)) * 1000;
  expect(Object.fromEntries(times)).toEqual({
    'old.md': Date.UTC(2020, 0),
    'new.md': Date.UTC(2022, 0),
    [side]: merged,
  });
});

test('an abbreviated commit that is several is refused, with those it may be', async () => {
  const folder = bare();
  const commits = Array.from({ length: 1_500 }, (_, at) =>
    ['commit refs/heads/main', `committer A <a@example.com> ${at} +0000`, 'data 1', 'x', ''].join('\n'),
  );
  execFileSync('git', ['-C', folder, 'fast-import', '--quiet'], { input: commits.join('\n') });
  const origin = await open(folder);
  const ids = git(folder, 'rev-list', 'main').split('\n');
  const [head = ''] = ids;
  // The same ids each time: everything in these commits is given.
  const twice = ids.map((id) => id.slice(0, 4)).find((short, at, all) => all.indexOf(short) !== at) as string;
  const both = ids.filter((id) => id.startsWith(twice));
  await expect(origin.asOf(head, { commit: twice })).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringContaining(both[1]?.slice(0, 12) as string),
  });
  for (const commit of both) expect(await origin.asOf(head, { commit: commit.slice(0, 12) })).toMatchObject({ commit });
  // Of two, the one that the branch has.
  const older = both.at(-1) as string;
  expect(await origin.asOf(older, { commit: twice })).toMatchObject({ commit: older });
});

const part = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))))
  .filter(
    (bytes) =>
      !/^(|\.git.*|git~\d+)$/i.test(bytes.toString('latin1').replace(/[ .]+$/, '')) &&
      !/\\|:/.test(bytes.toString('latin1')),
  );

test('any path and any bytes come back as they went in, and git finds nothing wrong', async () => {
  const folder = bare();
  const origin = await open(folder);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 3 }),
      part,
      fc.uint8Array({ maxLength: 300 }),
      async (folders, name, content) => {
        // A folder of its own, so that no file of an earlier run is in the way.
        const bytes = Buffer.concat(
          [...folders, name]
            .flatMap((each) => [each, Buffer.from('/')])
            .slice(0, -1)
            .concat([Buffer.from('.md')]),
        );
        const path = decodePath(Buffer.concat([Buffer.from(`run-${runs++}/`), bytes]));
        expect(decodePath(encodePath(path))).toBe(path);
        expect(pathOfId(idOfPath(path))).toBe(path);
        const { head, blobs } = await committed(origin, [{ path, content, expect: null }]);
        const blob = blobs.get(path) as string;
        expect((await origin.list(head.commit)).entries.filter((entry) => entry.path === path)).toEqual([
          { path, blob, type: 'file' },
        ]);
        expect((await origin.find(head.commit, [path])).get(path)).toBe(blob);
        expect(Buffer.from((await origin.read([blob])).get(blob) as Uint8Array).equals(Buffer.from(content))).toBe(
          true,
        );
      },
    ),
    { numRuns: 40 },
  );
  expect(git(folder, 'fsck', '--strict', '--no-dangling')).toBe('');
  expect(git(folder, 'rev-list', '--count', 'main')).toBe(String(runs));
}, 60_000);

test.each(['a//b.md', '/a.md', 'a/../b.md', './a.md', '.git/a.md', 'a/.GIT/b.md', 'a/', ''])(
  'a path that git does not take is refused: %j',
  async (path) => {
    const folder = bare();
    const origin = await open(folder);
    await expect(commitOn(origin, [{ path, content: text('x') }])).rejects.toMatchObject({ code: 'refused' });
    expect(await origin.head()).toBeNull();
  },
);

test('a file in the way of a folder is named, and nothing is written', async () => {
  const folder = bare();
  const origin = await open(folder);
  const { head } = await committed(origin, [{ path: 'sessions', content: text('a file') }]);
  await expect(commitOn(origin, [{ path: 'sessions/a.md', content: text('x'), expect: null }])).rejects.toThrow(
    /sessions/,
  );
  expect(await origin.head()).toEqual(head);
});

test('what is written where a symbolic link stood is a file; an executable stays one', async () => {
  const folder = bare();
  importFiles(folder, [
    { path: 'link.md', mode: '120000', bytes: Buffer.from('target') },
    { path: 'run.md', mode: '100755', bytes: Buffer.from('#!') },
  ]);
  const origin = await open(folder);
  await committed(origin, [
    { path: 'link.md', content: text('text') },
    { path: 'run.md', content: text('text') },
  ]);
  expect(
    git(folder, 'ls-tree', 'main')
      .split('\n')
      .map((line) => line.slice(0, 6)),
  ).toEqual(['100644', '100755']);
});

test('a lock that outlived its holder is cleared, a young one is waited for and left', async () => {
  const folder = bare();
  const origin = await open(folder);
  await committed(origin, [{ path: 'a.md', content: text('a') }]);
  const lock = join(folder, 'refs', 'heads', 'main.lock');
  writeFileSync(lock, '');
  expect((await commitOn(origin, [{ path: 'b.md', content: text('b') }])).outcome).toBe('stale');
  expect(existsSync(lock)).toBe(true);
  const past = new Date(Date.now() - LIMITS.staleLockMs - 1_000);
  utimesSync(lock, past, past);
  await committed(origin, [{ path: 'b.md', content: text('b') }]);
  expect(existsSync(lock)).toBe(false);
  const headLock = join(folder, 'HEAD.lock');
  writeFileSync(headLock, '');
  utimesSync(headLock, past, past);
  await committed(origin, [{ path: 'c.md', content: text('c') }]);
  expect(git(folder, 'fsck', '--strict', '--no-dangling')).toBe('');
});

test('GIT_* variables of whoever started us do not redirect git, and hooks of the repository are not run', async () => {
  const folder = bare();
  const decoy = bare();
  const traces = join(tempFolder(), 'ran');
  for (const hook of ['reference-transaction', 'post-update', 'pre-auto-gc', 'post-commit', 'pre-commit'])
    writeFileSync(join(folder, 'hooks', hook), `#!/bin/sh\ntouch ${traces}\nexit 1\n`, { mode: 0o755 });
  const index = join(tempFolder(), 'index');
  const server = await startServer({
    MEMORY_HOME: tempFolder(),
    MEMORY_REPO: folder,
    GIT_DIR: decoy,
    GIT_WORK_TREE: tempFolder(),
    GIT_INDEX_FILE: index,
    GIT_OBJECT_DIRECTORY: join(decoy, 'objects'),
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'core.hooksPath',
    GIT_CONFIG_VALUE_0: join(folder, 'hooks'),
  });
  onTestFinished(() => server.close());
  expect(await server.call('save_session', { title: 'Where', content: 'Here.' })).toContain('Saved');
  expect(git(folder, 'rev-list', '--count', 'main')).toBe('1');
  expect(git(decoy, 'for-each-ref')).toBe('');
  expect(existsSync(traces)).toBe(false);
  expect(existsSync(index)).toBe(false);
  expect(readFileSync(join(folder, 'HEAD'), 'utf8')).toContain('refs/heads/main');
});

test('the branch: the configured one, the default of a bare repository, and a clear word where neither is', async () => {
  const folder = bare();
  importFiles(folder, [{ path: 'a.md', bytes: Buffer.from('a') }], 'trunk');
  expect((await (await open(folder)).head())?.commit).toBe(git(folder, 'rev-parse', 'trunk'));
  await expect((await open(folder, 'nowhere')).head()).rejects.toMatchObject({ code: 'origin_unavailable' });
  await expect(open(folder, 'bad..name')).rejects.toMatchObject({ code: 'config' });
  importFiles(folder, [{ path: 'b.md', bytes: Buffer.from('b') }], 'other');
  await expect(open(folder)).rejects.toThrow(/several branches/);
  expect((await (await open(folder, 'other')).head())?.commit).toBe(git(folder, 'rev-parse', 'other'));
  await expect(open(join(folder, 'missing'))).rejects.toMatchObject({ code: 'config' });
  await expect(open(join(folder, 'HEAD'))).rejects.toMatchObject({ code: 'config' });
});

test('the branch of a bare repository is renamed under us', async () => {
  const folder = bare();
  const origin = await open(folder);
  await committed(origin, [{ path: 'a.md', content: text('a') }]);
  git(folder, 'branch', '-m', 'main', 'trunk');
  const { head } = await committed(origin, [{ path: 'b.md', content: text('b') }]);
  expect(git(folder, 'rev-parse', 'trunk')).toBe(head.commit);
  expect(git(folder, 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/trunk');
});
