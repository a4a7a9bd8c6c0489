import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { tempFolder } from '../support/home.js';
import { bareRepository, fsck, notesAt, receiptOf } from '../support/repository.js';
import { runProgram, startServer } from '../support/server.js';

const preload = fileURLToPath(new URL('../support/kill.mjs', import.meta.url));
const WAIT = { timeout: 10_000, interval: 20 };

/** Processes whose command line names the repository: the server's git children. Linux tells in /proc. */
function childrenOn(repository: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return line.includes(repository) ? [line] : [];
      } catch {
        return [];
      }
    });
}

const isThere = (pid: number) => existsSync(`/proc/${pid}`);
const proc = existsSync('/proc/self/cmdline');

test.runIf(proc)('a server that is killed, told to end, or left by its client leaves no process behind', async () => {
  for (const end of ['SIGKILL', 'SIGTERM', 'SIGHUP', 'close'] as const) {
    const repository = bareRepository();
    const server = await startServer({ MEMORY_HOME: tempFolder(), MEMORY_REPO: repository });
    await server.call('save_session', { title: 'one', content: 'Content.' });
    // There are some to leave: the long-lived readers.
    expect(childrenOn(repository).length).toBeGreaterThan(0);
    if (end === 'close') await server.close();
    else process.kill(server.pid, end);
    await vi.waitFor(() => expect([childrenOn(repository), isThere(server.pid)]).toEqual([[], false]), WAIT);
  }
});

test('SIGTERM with saves in flight finishes and answers them', async () => {
  const repository = bareRepository();
  const home = tempFolder();
  const server = await startServer(
    {
      MEMORY_HOME: home,
      MEMORY_REPO: repository,
      STRATA_TEST_FOLDER: home,
      STRATA_TEST_PAUSE: 'save:before-ref#1',
    },
    { nodeArgs: ['--import', preload] },
  );
  await server.call('memory_status');
  writeFileSync(join(home, 'armed'), '');
  const saves = [0, 1, 2, 3].map((each) =>
    server.call('save_session', { title: `t${each}`, content: `Body ${each}.` }),
  );
  await vi.waitFor(() => expect(existsSync(join(home, 'paused'))).toBe(true), WAIT);
  process.kill(server.pid, 'SIGTERM');
  writeFileSync(join(home, 'go'), '');
  const ids = (await Promise.all(saves)).map((receipt) => receiptOf(receipt).id);
  expect([...notesAt(repository).keys()].sort()).toEqual(ids.map((id) => `${id}.md`).sort());
  expect(fsck(repository)).toEqual([]);
  await server.close();
});

test('the end of stdin with calls in flight answers them', async () => {
  const repository = bareRepository();
  const message = (id: number | undefined, method: string, params: unknown) =>
    `${JSON.stringify({ jsonrpc: '2.0', ...(id === undefined ? {} : { id }), method, params })}\n`;
  const saves = [1, 2, 3, 4, 5].map((id) =>
    message(id, 'tools/call', { name: 'save_session', arguments: { title: `t${id}`, content: `Body ${id}.` } }),
  );
  const { code, stdout } = await runProgram(
    [],
    { MEMORY_HOME: tempFolder(), MEMORY_REPO: repository },
    [
      message(0, 'initialize', {
        protocolVersion: '2025-06-18',
        capabilities: {},
        clientInfo: { name: 'printf', version: '1' },
      }),
      message(undefined, 'notifications/initialized', {}),
      ...saves,
    ].join(''),
  );
  expect(code).toBe(0);
  const answers = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(answers.map(({ id }) => id).sort()).toEqual([0, 1, 2, 3, 4, 5]);
  for (const { id, result } of answers) if (id > 0) expect(result.content[0].text).toMatch(/^Saved: /);
  expect(notesAt(repository).size).toBe(5);
});

test('a process that stands still, then dies, between commit and mirror hides nothing from another one', async () => {
  const repository = bareRepository();
  const home = tempFolder();
  const folder = join(home, 'pause');
  mkdirSync(folder);
  const environment = { MEMORY_HOME: home, MEMORY_REPO: repository };
  const other = await startServer(environment);
  onTestFinished(() => other.close());
  await other.call('save_session', { title: 'first', content: 'First.' });
  const dying = await startServer(
    { ...environment, STRATA_TEST_FOLDER: folder, STRATA_TEST_PAUSE: 'save:after-commit#1' },
    { nodeArgs: ['--import', preload] },
  );
  writeFileSync(join(folder, 'armed'), '');
  const unanswered = dying.call('save_session', { title: 'second', content: 'Second.' });
  const ended = expect(unanswered).rejects.toThrow();
  await vi.waitFor(() => expect(existsSync(join(folder, 'paused'))).toBe(true), WAIT);
  expect(await other.call('list_sessions', { consistency: 'fast' })).toMatch(/1 of 1 note[\s\S]*unconfirmed/);
  const seen = await other.call('list_sessions');
  expect(seen).toContain('2 of 2 notes');
  process.kill(dying.pid, 'SIGKILL');
  await ended;
  // The dead one's lock went with it.
  expect(await other.call('save_session', { title: 'third', content: 'Third.' })).toContain('mirror saved');
  expect(await other.call('list_sessions', { consistency: 'fast' })).toMatch(/3 of 3 notes[\s\S]*unconfirmed/);
  expect(await other.call('verify_with_github')).toContain('3 documents compared');
  await dying.close();
});
