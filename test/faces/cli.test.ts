import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/faces/cli/index.js';
import { OPERATIONS } from '../../src/operations/index.js';
import { git, tempFolder } from '../support/home.js';
import { runProgram } from '../support/server.js';

test('every tool is a command and every argument a flag', () => {
  for (const operation of OPERATIONS) {
    const command = COMMANDS.find(({ name }) => name === operation.command.name);
    expect(Object.keys(command?.options ?? {})).toEqual(
      Object.keys(operation.input.shape).map((key) => key.replaceAll('_', '-')),
    );
    expect(operation.command.examples.length).toBeGreaterThan(0);
  }
  expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
});

test('a note is saved, found, listed, read and exported from a shell', async () => {
  const home = tempFolder();
  const run = (args: string[], input?: string) => runProgram(args, { MEMORY_HOME: home }, input);
  const saved = await run([
    'save',
    'From the shell',
    '--content',
    'The lighthouse blinks twice.',
    '--tags',
    'sea',
    '--tags',
    'light',
    '--json',
  ]);
  expect(saved).toMatchObject({ code: 0, stderr: '' });
  const receipt = JSON.parse(saved.stdout) as { id: string; status: string; blob: string };
  expect(receipt.status).toBe('saved');
  expect((await run(['save', 'Piped'], 'Text that came through a pipe.\n')).stdout).toMatch(/^Saved: /);
  expect((await run(['search', 'lighthouse', 'blinks'])).stdout).toContain(receipt.id);
  const list = JSON.parse((await run(['list', '--tags', 'sea', '--json'])).stdout) as { notes: { id: string }[] };
  expect(list.notes.map(({ id }) => id)).toEqual([receipt.id]);
  expect((await run(['read-memory', receipt.id])).stdout).toContain('The lighthouse blinks twice.');
  const target = join(home, 'out');
  expect(JSON.parse((await run(['export', target, '--json'])).stdout)).toMatchObject({ notes: 2, renamed: [] });
  const exported = readFileSync(join(target, `${receipt.id}.md`));
  expect(git(join(home, 'origin.git'), 'cat-file', 'blob', receipt.blob)).toBe(exported.toString().replace(/\n$/, ''));
  expect((await run(['export', target])).code).toBe(2);
});

test('status, doctor and verify say that all is well, or what to do', async () => {
  const home = tempFolder();
  const run = (...args: string[]) => runProgram(args, { MEMORY_HOME: home });
  await run('save', 'One', '--content', 'A single note.');
  expect((await run('status')).stdout).toContain('1 document · mirror at the head');
  expect((await run('verify')).stdout).toContain('all equal');
  const well = await run('doctor');
  expect(well.stdout).toContain('Nothing is wrong.');
  expect(well.stdout).toMatch(/MEMORY_HOME +\S+ \(environment\)/);
  expect(well.code).toBe(0);
  writeFileSync(
    join(home, 'durable.db'),
    'this is no database, though it is long enough to be taken for one at first sight',
  );
  for (const suffix of ['-wal', '-shm']) rmSync(join(home, `durable.db${suffix}`), { force: true });
  const ill = await run('doctor');
  expect(ill.code).toBe(1);
  expect(ill.stdout).toMatch(/FAULT durable store/);
});

test.each([
  [['serch', 'x'], 2, /no such command.*strata-memory search/s],
  [['search', 'x', '--limt', '3'], 2, /no flag --limt.*--limit/s],
  [['search', 'x', '--limit', 'three'], 2, /`limit` must be a/],
  [['search', 'x', '--limit', '3', '--limit', '4'], 78, /--limit is given more than once/],
  [['init', '--dry-run', '--dry-run'], 78, /--dry-run is given more than once/],
  [['--home', '/a', 'status', '--home', '/b'], 78, /--home is given more than once/],
  [['search', 'x', '--query', 'y'], 2, /`query` is given twice/],
  [['search'], 2, /`query` is missing/],
  [['read', 'sessions/none'], 4, /no note with this id/],
  [['save', 'x', '--content', 'y', '--id', 'a/b'], 4, /no note with this id to edit/],
  [['--log', 'loud'], 78, /MEMORY_LOG.*silent/s],
  [['completion', 'tcsh'], 2, /bash, zsh, fish/],
  [['project', 'a/b', '--target-revenue', 'much'], 2, /`target_revenue` must be a number.*Nothing was done/],
  [['project', 'a/b', '--current-revenue', '12,5'], 2, /`current_revenue` must be a number/],
  [['project', 'a/b', '--current-revenue=-1'], 2, /`current_revenue` must be at least 0/],
])('%j is answered with the way out', async (args, code, says) => {
  const result = await runProgram(args, { MEMORY_HOME: tempFolder() });
  expect(result.stderr).toMatch(says);
  expect(result.stdout).toBe('');
  expect(result.code).toBe(code);
});

test('help names every command, and each command has its own', async () => {
  const { stdout, code } = await runProgram(['--help'], {});
  expect(code).toBe(0);
  for (const { name } of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  const own = await runProgram(['search', '--help'], {});
  expect(own.stdout).toContain('--max-tokens');
  expect(own.stdout).toContain('Examples:');
  expect((await runProgram(['--version'], {})).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('init adds its entry to a configuration with other servers, and undo brings back every byte', async () => {
  const folder = tempFolder();
  const file = join(folder, 'claude_desktop_config.json');
  const before =
    '{\r\n\t"theme": "dark",\r\n\t"mcpServers": {\r\n\t\t"other": {"command": "x", "args": ["--key=1"]}\r\n\t}\r\n}\r\n';
  writeFileSync(file, before, { mode: 0o600 });
  const run = (...args: string[]) => runProgram(['init', '--config', file, ...args], { MEMORY_HOME: folder });
  expect((await run('--dry-run')).stdout).toContain('Nothing was changed');
  expect(readFileSync(file, 'utf8')).toBe(before);
  expect((await run()).code).toBe(0);
  const after = readFileSync(file, 'utf8');
  expect(after).toContain('"other": {"command": "x", "args": ["--key=1"]}');
  const entry = (JSON.parse(after) as { mcpServers: Record<string, { command: string; args: string[]; env: object }> })
    .mcpServers['strata-memory'];
  expect(entry).toMatchObject({ command: process.execPath, env: { MEMORY_HOME: folder } });
  expect(existsSync(entry?.args[0] ?? '')).toBe(true);
  expect((await run()).stdout).toContain('already there');
  expect((await run('--undo')).stdout).toContain('byte for byte');
  expect(readFileSync(file, 'utf8')).toBe(before);
  // Twice, with another configuration, is still one thing to take back.
  await run();
  await run('--log', 'warn');
  await run('--undo');
  expect(readFileSync(file, 'utf8')).toBe(before);
  // Somebody else changed it meanwhile: only our entry goes.
  await run();
  writeFileSync(file, readFileSync(file, 'utf8').replace('dark', 'light'));
  await run('--undo');
  expect(readFileSync(file, 'utf8')).toBe(before.replace('dark', 'light'));
});

test.each([
  ['{"mcpServers": {', 'not valid JSON (line 1)'],
  ['{\n  "mcpServers": {\n    "a": {}\n    "b": {}\n  }\n}\n', 'not valid JSON (line 4)'],
  ['{\r\n  "mcpServers": {},\r\n}\r\n', 'not valid JSON (line 3)'],
  ['{\n  // mine\n  "mcpServers": {}\n}\n', 'not valid JSON (line 2)'],
  ['[]', 'not a JSON object'],
  ['{"a": 1,\n"mcpServers": []}', 'mcpServers is no object (line 2)'],
  ['{"mcpServers": {"a": {},\n "a": {}}}', 'names one server twice (lines 1 and 2)'],
  ['{"mcpServers": {},\n\n"mcpServers": {"a": {}}}', 'names mcpServers twice (lines 1 and 3)'],
  ['{"mcpServers": {"strata-memory": {"command": "other"}}}', 'another server called'],
])('init leaves %s as it is, and says so', async (text, says) => {
  const file = join(tempFolder(), 'config.json');
  writeFileSync(file, text);
  const result = await runProgram(['init', '--config', file], { MEMORY_HOME: tempFolder() });
  expect(result.stdout).toContain(says);
  expect(result.code).toBe(1);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('init answers a configuration file that cannot be one, at once', async () => {
  const folder = tempFolder();
  writeFileSync(join(folder, 'file'), '');
  const init = (config: string) => runProgram(['init', '--config', config], { MEMORY_HOME: folder });
  expect(await init(folder)).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/cannot be read and written.*EISDIR/),
  });
  expect(await init(join(folder, 'file', 'c.json'))).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('ENOTDIR'),
  });
  for (const missing of [join(folder, 'typo', 'c.json'), '/proc/none/c.json'])
    expect(await init(missing)).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no folder') });
  expect(existsSync(join(folder, 'typo'))).toBe(false);
});

test('init finds the clients of a home, and a home without any gets the lines to paste', async () => {
  const home = tempFolder();
  const bare = await runProgram(['init'], { HOME: home });
  expect(bare.stdout).toContain('Paste this');
  mkdirSync(join(home, '.claude'));
  const code = await runProgram(['init'], { HOME: home });
  expect(code.stdout).toContain('Claude Code');
  expect(JSON.parse(readFileSync(join(home, '.claude.json'), 'utf8'))).toHaveProperty(
    'mcpServers.strata-memory.command',
  );
  await runProgram(['init', '--undo'], { HOME: home });
  expect(existsSync(join(home, '.claude.json'))).toBe(false);
});

test('a home that cannot be made is said at once, also where Node would try for ever', async () => {
  const file = join(tempFolder(), 'file');
  writeFileSync(file, '');
  for (const home of [join(file, 'below'), ...(existsSync('/proc/self') ? ['/proc/none'] : [])]) {
    for (const command of ['status', 'doctor', 'quickstart']) {
      const { code, stderr, stdout } = await runProgram([command], { MEMORY_HOME: home });
      expect(code, command).not.toBe(0);
      expect(stderr + stdout, command).toMatch(/MEMORY_HOME/);
    }
  }
});
