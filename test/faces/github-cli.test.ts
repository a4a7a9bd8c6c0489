import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startGitHub } from '../support/github.js';
import { git, tempFolder } from '../support/home.js';
import { runProgram, startServer } from '../support/server.js';

async function begin(options: Parameters<typeof startGitHub>[0] = {}) {
  const github = await startGitHub({ empty: true, ...options });
  onTestFinished(() => github.close());
  const folder = tempFolder();
  const environment = {
    MEMORY_HOME: join(folder, 'memory'),
    GITHUB_API_URL: github.apiUrl,
    GITHUB_TOKEN: github.token,
  };
  return { github, folder, environment };
}

const THEIRS = '{\n  "mcpServers": {\n    "other": { "command": "x", "env": { "KEY": "theirs" } }\n  }\n}\n';

test('init --github makes a private repository, writes an entry that works, and takes it back byte for byte', async () => {
  const { github, folder, environment } = await begin();
  const file = join(folder, 'claude_desktop_config.json');
  writeFileSync(file, THEIRS);
  const init = (...args: string[]) => runProgram(['init', '--config', file, ...args], environment);

  const missing = await init('--github', 'ann/memory');
  expect([missing.code, missing.stderr]).toEqual([3, expect.stringMatching(/no repository ann\/memory.*--create/)]);
  expect(readFileSync(file, 'utf8')).toBe(THEIRS);

  const made = await init('--github', 'ann/memory', '--create');
  expect(made.stdout).toMatch(
    /The token \(GITHUB_TOKEN\) is ann's\.[\s\S]*Made ann\/memory, private\.[\s\S]*\(your token\)/,
  );
  expect([made.code, made.stdout + made.stderr]).toEqual([0, expect.not.stringContaining(github.token)]);
  const { other, 'strata-memory': entry } = JSON.parse(readFileSync(file, 'utf8')).mcpServers;
  expect(other).toEqual({ command: 'x', env: { KEY: 'theirs' } });
  expect(entry.env).toMatchObject({ MEMORY_REPO: 'ann/memory', GITHUB_TOKEN: github.token });

  const server = await startServer({ ...entry.env, MEMORY_HOME: environment.MEMORY_HOME });
  expect(await server.call('save_session', { title: 'First', content: 'on GitHub' })).toMatch(/^Saved: .*origin saved/);
  await server.close();
  expect([...(await github.files('main', 'ann/memory')).keys()].some((path) => path.endsWith('.md'))).toBe(true);

  expect((await init('--undo')).code).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(THEIRS);
});

test('init --github takes the token from gh, and refuses what could not be used', async () => {
  const { github, folder, environment } = await begin();
  const file = join(folder, 'config.json');
  const { GITHUB_TOKEN: _, ...without } = environment;
  const init = (repository: string, more: Record<string, string>) =>
    runProgram(['init', '--config', file, '--github', repository], { ...without, ...more });

  // A program of gh's name that knows one answer: what is tried is how it is asked.
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(
    join(bin, 'gh'),
    `#!/bin/sh\n[ "$*" = "auth token --hostname ${new URL(github.url).host}" ] && echo ${github.token}\n`,
  );
  chmodSync(join(bin, 'gh'), 0o755);
  const path = { PATH: `${bin}:${process.env.PATH}` };
  expect((await init('ann/notes', path)).stdout).toMatch(/The token \(from gh\) is ann's/);
  expect(JSON.parse(readFileSync(file, 'utf8')).mcpServers['strata-memory'].env.GITHUB_TOKEN).toBe(github.token);

  await github.createRepo({ name: 'open', private: false });
  await github.createRepo({ name: 'old', archived: true });
  const cases: [string, Record<string, string>, RegExp][] = [
    ['ann/notes', { PATH: tempFolder() }, /no token.*gh auth login/],
    ['ann/notes', { GITHUB_TOKEN: 'ghp_wrong' }, /does not accept the token.*Contents: read and write/],
    ['ann/notes', { GITHUB_TOKEN: github.tokens.stranger }, /no repository ann\/notes/],
    ['ann/open', { GITHUB_TOKEN: github.token }, /ann\/open is public.*--allow-public/],
    ['ann/old', { GITHUB_TOKEN: github.token }, /ann\/old is archived/],
    ['nonsense', { GITHUB_TOKEN: github.token }, /no repository\. Write it as owner\/name/],
  ];
  for (const [repository, more, says] of cases) {
    const refused = await init(repository, more);
    expect([repository, refused.code === 0, refused.stderr]).toEqual([repository, false, expect.stringMatching(says)]);
    expect(refused.stdout + refused.stderr).not.toMatch(/ghp_/);
  }
});

test('push-origin carries the history over; the memory goes on there with nothing lost', async () => {
  const { github, environment } = await begin();
  const { GITHUB_TOKEN: token, GITHUB_API_URL: api, ...local } = environment;
  const before = await startServer(local);
  for (const title of ['One', 'Two'])
    await before.call('save_session', { title, content: `text of ${title}`, project: 'p/q' });
  await before.close();
  const head = git(join(local.MEMORY_HOME, 'origin.git'), 'rev-parse', 'HEAD');

  const push = () => runProgram(['push-origin', 'ann/notes'], environment);
  const pushed = await push();
  expect([pushed.code, pushed.stderr]).toEqual([0, '']);
  expect(pushed.stdout).toMatch(/Pushed 2 commits to ann\/notes.*MEMORY_REPO=ann\/notes/s);
  expect(pushed.stdout).not.toContain(token);
  expect(github.head('main')).toBe(head);
  expect((await push()).code).toBe(0);

  const after = await startServer({ ...environment, MEMORY_REPO: 'ann/notes' });
  expect(await after.call('list_sessions', { project: 'p/q', consistency: 'fresh' })).toMatch(/Two[\s\S]*One/);
  await after.call('save_session', { title: 'Three', content: 'from GitHub on', project: 'p/q' });
  await after.close();
  expect((await github.history('main')).map(({ sha }) => sha)).toContain(head);

  const late = await startServer(local);
  await late.call('save_session', { title: 'Late', content: 'still local', project: 'p/q' });
  await late.close();
  const refused = await push();
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringMatching(/commits that are not in this memory/)]);
  const already = await runProgram(['push-origin', 'ann/notes'], { ...environment, MEMORY_REPO: 'ann/notes' });
  expect(already.stderr).toMatch(/on GitHub already/);
});
