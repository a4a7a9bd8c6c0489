import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { commitByGraphQL, githubForTest } from './github/client.js';
import type { GitHub } from './github.js';
import { git, gitEnvironmentForTests, tempFolder } from './home.js';
import { fsck } from './repository.js';

/** git with the test's environment, without blocking the server that it talks to in this process. */
async function talk(folder: string, ...args: string[]): Promise<string> {
  const env = { ...gitEnvironmentForTests(), GIT_TERMINAL_PROMPT: '0' };
  return (await promisify(execFile)('git', ['-C', folder, ...args], { env })).stdout.trim();
}

function remote(site: GitHub, token = site.token, name = 'ann/notes'): string {
  return `${site.url.replace('://', `://x-access-token:${token}@`)}/${name}.git`;
}

test('a history is pushed into an empty repository with its ids, and read by the API', async () => {
  const site = await githubForTest({ empty: true });
  const folder = tempFolder();
  git(folder, 'init', '--quiet');
  for (let at = 0; at < 5; at++) {
    mkdirSync(join(folder, 'notes', `${at}`), { recursive: true });
    writeFileSync(join(folder, 'notes', `${at}`, 'é.md'), `note ${at}\n`);
    writeFileSync(join(folder, 'bin'), Buffer.from([0, 255, at]));
    writeFileSync(join(folder, 'run.sh'), `${at}`);
    chmodSync(join(folder, 'run.sh'), 0o755);
    if (at === 3) git(folder, 'rm', '--quiet', '-r', 'notes/1');
    git(folder, 'add', '--all');
    git(folder, 'commit', '--quiet', '-m', `commit ${at}\n\nbody`, '--date', `2026-01-0${at + 1}T12:00:00+0300`);
  }
  await talk(folder, 'push', '--quiet', remote(site), 'main');
  expect(site.head()).toBe(git(folder, 'rev-parse', 'HEAD'));
  expect((await site.history()).map(({ sha }) => sha)).toEqual(git(folder, 'rev-list', 'main').split('\n'));
  expect((await site.files()).get('bin')).toEqual(readFileSync(join(folder, 'bin')));

  const made = (await commitByGraphQL(site)).data?.createCommitOnBranch?.commit.oid;
  const copy = join(tempFolder(), 'copy');
  await talk(folder, 'clone', '--quiet', remote(site), copy);
  expect(git(copy, 'rev-parse', 'HEAD')).toBe(made);
  expect(git(copy, 'ls-files', '--stage', 'run.sh')).toMatch(/^100755/);
  expect(fsck(copy)).toEqual([]);
  // What is behind is not taken: the pusher has to fetch first.
  writeFileSync(join(folder, 'late.md'), 'late');
  git(folder, 'add', '--all');
  git(folder, 'commit', '--quiet', '-m', 'late');
  await expect(talk(folder, 'push', remote(site), 'main')).rejects.toThrow(/rejected/);
  expect(site.head()).toBe(made);
});

test('git is refused as the API is', async () => {
  const site = await githubForTest();
  const folder = join(tempFolder(), 'copy');
  const clone = (url: string) => talk('.', 'clone', '--quiet', url, folder);
  await expect(clone(`${site.url}/ann/notes.git`)).rejects.toThrow(/could not read Username/);
  await expect(clone(remote(site, 'nonsense'))).rejects.toThrow(/Authentication failed/);
  await expect(clone(remote(site, site.token, 'ann/none'))).rejects.toThrow(/not found/);
  await clone(remote(site, site.tokens.readOnly));
  git(folder, 'commit', '--quiet', '--allow-empty', '-m', 'mine');
  await expect(talk(folder, 'push', '--quiet')).rejects.toThrow(/403/);
  expect(JSON.stringify(site.log)).not.toContain(site.tokens.readOnly);
});

test('it runs in a process of its own, which can be killed', async () => {
  const main = fileURLToPath(new URL('./github/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', main, '{"repo":"memory"}'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value as string);
  const { apiUrl, tokens } = await next();
  child.stdin.write(`${JSON.stringify({ call: 'commitOutside', args: [{ 'a.md': 'a' }] })}\n`);
  const { result: head } = await next();
  const get = () =>
    fetch(`${apiUrl}/repos/ann/memory/commits/HEAD`, { headers: { authorization: `token ${tokens.full}` } });
  expect((await (await get()).json()) as unknown).toMatchObject({ sha: head, commit: { message: 'by hand' } });
  child.stdin.write('{"call":"files"}\n');
  expect((await next()).result).toEqual({ 'README.md': '# memory\n', 'a.md': 'a' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  await expect(get()).rejects.toThrow();
});
