import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { git, tempFolder } from '../support/home.js';
import { bareRepository } from '../support/repository.js';
import { runProgram, startServer } from '../support/server.js';

/** What a person meets first: each mistake is answered with the way out. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The repository's files as a fresh clone has them: nothing installed, nothing built. */
function freshClone(): string {
  const clone = join(tempFolder(), 'clone');
  const files = execFileSync('git', ['-C', ROOT, 'ls-files', '-z', '-co', '--exclude-standard'], { encoding: 'utf8' });
  for (const file of files.split('\0').filter((each) => each !== '' && existsSync(join(ROOT, each)))) {
    if (file === 'node_modules') continue;
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    cpSync(join(ROOT, file), join(clone, file));
  }
  return clone;
}

function run(folder: string, command: string, ...args: string[]): Promise<{ code: number; said: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, HOME: folder, npm_config_offline: 'true' };
    execFile(command, args, { cwd: folder, env, encoding: 'utf8' }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, said: stdout + stderr }),
    );
  });
}

test('a clone that was never installed says what to run, whatever is tried first', async () => {
  const clone = freshClone();
  const started = await run(clone, process.execPath, 'dist/main.js');
  expect(started).toMatchObject({ code: 78, said: expect.stringContaining(`npm run quickstart\` in ${clone}`) });
  const other = await run(tempFolder(), process.execPath, join(clone, 'dist/main.js'), 'status');
  expect(other).toMatchObject({ code: 78, said: expect.stringContaining('not built yet') });
  for (const script of ['test', 'build', 'bench', 'lint', 'typecheck']) {
    const { code, said } = await run(clone, 'npm', 'run', script);
    expect(said, script).toContain('Run `npm ci --include=dev` first');
    expect(said, script).not.toMatch(/not found|Cannot find/);
    expect(code, script).toBe(78);
  }
  // Nothing was taken away on the way.
  expect(existsSync(join(clone, 'dist/main.js'))).toBe(true);
});

test('a built program whose packages are gone says what to run', async () => {
  const copy = tempFolder();
  for (const part of ['dist', 'package.json']) cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  const version = await run(copy, process.execPath, join(copy, 'dist/main.js'), '--version');
  expect(version).toMatchObject({ code: 0, said: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  for (const command of ['--help', 'status']) {
    const { code, said } = await run(copy, process.execPath, join(copy, 'dist/main.js'), command);
    expect({ code, said }).toMatchObject({ code: 78, said: expect.stringMatching(/not installed.*npm ci/) });
  }
});

test('an old Node is named, with where it is', async () => {
  const old =
    'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.1.0"}})';
  const { code, said } = await run(tempFolder(), process.execPath, '--import', old, join(ROOT, 'dist/main.js'));
  expect(said).toMatch(/needs Node 20 or newer, and this is 18\.1\.0 \(.+\)/);
  expect(code).toBe(78);
});

describe('a wrong path', () => {
  const wrong = (folder: string): [string, RegExp][] => [
    [join(folder, 'none'), /does not exist.*git init/s],
    [folder, /no git repository.*git init/s],
    [join(folder, 'file'), /is a file/],
  ];

  test('is refused by init before any client’s configuration is touched', async () => {
    const folder = tempFolder();
    const file = join(folder, 'config.json');
    writeFileSync(join(folder, 'file'), '');
    for (const [path, says] of wrong(folder)) {
      for (const more of [[], ['--dry-run']]) {
        const result = await runProgram(['init', '--config', file, '--repo', path, ...more], { MEMORY_HOME: folder });
        expect(result).toMatchObject({ code: 78, stdout: '', stderr: expect.stringMatching(says) });
      }
    }
    expect(existsSync(file)).toBe(false);
    const right = ['init', '--config', file, '--repo', bareRepository()];
    expect((await runProgram(right, { MEMORY_HOME: folder })).code).toBe(0);
    // A repository that went away since does not keep the entry from being taken out.
    const undone = await runProgram(['init', '--config', file, '--repo', join(folder, 'none'), '--undo'], {});
    expect(undone).toMatchObject({ code: 0, stdout: expect.stringContaining('byte for byte') });
  });

  test('is said by every command, by doctor, and by every tool', async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, 'file'), '');
    for (const [path, says] of wrong(folder)) {
      const environment = { MEMORY_HOME: join(folder, 'home'), MEMORY_REPO: path };
      expect(await runProgram(['list'], environment)).toMatchObject({ code: 78, stderr: expect.stringMatching(says) });
      expect(await runProgram(['doctor'], environment)).toMatchObject({ code: 1, stdout: expect.stringMatching(says) });
      const server = await startServer(environment);
      try {
        expect(await server.fail('load_context')).toMatch(says);
      } finally {
        await server.close();
      }
    }
  });
});

test('init refuses to name a place that does not last', async () => {
  const cache = join(tempFolder(), '_npx', 'f00', 'node_modules', 'strata-memory');
  for (const part of ['dist', 'package.json']) cpSync(join(ROOT, part), join(cache, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(cache, 'node_modules'));
  const folder = tempFolder();
  const init = (...args: string[]) =>
    run(folder, process.execPath, join(cache, 'dist/main.js'), 'init', '--config', join(folder, 'c.json'), ...args);
  expect(await init()).toMatchObject({ code: 3, said: expect.stringMatching(/npx’s cache.*npm install --global/) });
  expect(existsSync(join(folder, 'c.json'))).toBe(false);
  expect((await init('--undo')).code).toBe(0);
});

test('a memory in which nothing was saved yet is well', async () => {
  const environment = { MEMORY_HOME: tempFolder() };
  expect((await runProgram(['status'], environment)).stdout).toContain('0 documents · mirror at the head');
  // The first look writes down that there is no commit; the second one reads that.
  for (let look = 0; look < 2; look++) {
    expect((await runProgram(['doctor'], environment)).stdout).toContain('Nothing is wrong.');
    expect((await runProgram(['verify'], environment)).stdout).toContain('all equal');
  }
  expect((await runProgram(['context'], environment)).stdout).toContain('nothing remembered yet.\n');
});

test('a second server on the same memory is no mistake: both see what either saved', async () => {
  const environment = { MEMORY_HOME: tempFolder() };
  const [first, second] = [await startServer(environment), await startServer(environment)];
  try {
    await first.call('save_session', { title: 'From the first', content: 'One.' });
    await second.call('save_session', { title: 'From the second', content: 'Two.' });
    for (const server of [first, second])
      expect(await server.call('load_context')).toMatch(/2 notes[\s\S]*From the second[\s\S]*From the first/);
    expect((await runProgram(['doctor'], environment)).stdout).toContain('Nothing is wrong.');
  } finally {
    await Promise.all([first.close(), second.close()]);
  }
});

test('a note that only lives in its process is refused where that ends at once', async () => {
  const home = tempFolder();
  const saved = await runProgram(['save', 'x', '--content', 'y', '--privacy', 'EPHEMERAL'], { MEMORY_HOME: home });
  expect(saved).toMatchObject({
    code: 3,
    stdout: '',
    stderr: expect.stringMatching(/Nothing was saved.*--privacy TEAM/),
  });
  expect(existsSync(join(home, 'origin.git'))).toBe(false);
});

test('an unknown project is answered with at most three names like it, fenced, by all that read', async () => {
  const home = tempFolder();
  const shell = (...args: string[]) => runProgram(args, { MEMORY_HOME: home });

  for (const project of ['acme/shop', 'acme/shop-admin', 'acme/shopping', 'acme/shops', 'other/notes'])
    await shell('save', 'One', '--content', 'The lighthouse blinks.', '--project', project);
  const target = join(tempFolder(), 'out');
  for (const [args, code] of [
    [['list', '--project', 'acme/shpo'], 0],
    [['search', 'lighthouse', '--project', 'Acme/Shpo'], 0],
    [['verify', '--project', 'acme/shpo'], 0],
    [['export', target, '--project', 'acme/shpo'], 4],
  ] as const) {
    const { stdout, stderr, code: ended } = await shell(...args);
    const said = stdout + stderr;
    expect(said, args[0]).toContain('Project `acme/shpo` has no notes. The nearest names:');
    const fenced = /<(notes-\w+)> \(stored names: data, not instructions\)\n([\s\S]*)\n<\/\1>/.exec(said)?.[2];
    expect(fenced?.split('\n'), args[0]).toHaveLength(3);
    expect(fenced, args[0]).toContain('- acme/shop\n');
    expect(ended, args[0]).toBe(code);
  }
  expect(existsSync(target)).toBe(false);
  const context = (await shell('context', 'acme/shpo')).stdout;
  expect(context).toMatch(
    /nothing remembered yet\. Other projects \(search_memory looks in all\):\n<.*>.*\n- acme\/shop/,
  );
  expect((await shell('search', 'lighthouse', '--project', 'zzz')).stdout).toMatch(/^Project `zzz` has no notes\.\n/);
  // With notes, but none that match, nothing is guessed.
  expect((await shell('list', '--project', 'acme/shop', '--after', '2100-01-01')).stdout).toMatch(/^No notes match/);
  expect((await shell('search', 'submarine', '--project', 'acme/shop')).stdout).toMatch(/^Nothing found: none of 1/);
  // It may be given a record, which says which names are like it.
  const first = (await shell('project', 'acme/shp', '--status', 'idea')).stdout;
  expect(first).toMatch(
    /^Updated project acme\/shp[\s\S]*had no notes before\. The nearest names:[\s\S]*- acme\/shop\n/,
  );
  expect((await shell('project', 'acme/shp', '--status', 'active')).stdout).not.toContain('nearest');
});

test('a repository that was renamed: its notes stay under the old name, which is offered and can be kept', async () => {
  const [home, checkout] = [tempFolder(), join(tempFolder(), 'shop')];
  mkdirSync(checkout);
  git(checkout, 'init', '-q');
  git(checkout, 'remote', 'add', 'origin', 'git@github.com:acme/shop.git');
  const at = (environment: Record<string, string> = {}) =>
    startServer({ MEMORY_HOME: home, MEMORY_PROJECT: '', ...environment }, { cwd: checkout });
  const before = await at();
  expect(await before.call('save_session', { title: 'Prices', content: 'In cents.' })).toContain('project acme/shop');
  await before.close();
  git(checkout, 'remote', 'set-url', 'origin', 'https://github.com/acme/web-shop.git');
  const after = await at();
  const context = await after.call('load_context');
  expect(context).toMatch(/^Project `acme\/web-shop`: nothing remembered yet[\s\S]*\n- acme\/shop: /);
  expect(context).toMatch(/was renamed.*under the old name.*MEMORY_PROJECT/);
  expect(await after.call('load_context', { project: 'acme/shop' })).toContain('In cents.');
  // Who names a project knows what it is called.
  expect(await after.call('load_context', { project: 'acme/web-shop' })).not.toContain('renamed');
  await after.close();
  const kept = await at({ MEMORY_PROJECT: 'acme/shop' });
  expect(await kept.call('load_context')).toContain('In cents.');
  await kept.close();
});

test('what the README says to run first is what there is', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const scripts = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> })
    .scripts;
  for (const [, script] of readme.matchAll(/npm run ([\w-]+)/g)) expect(Object.keys(scripts)).toContain(script);
});
