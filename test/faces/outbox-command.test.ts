import { expect, onTestFinished, test } from 'vitest';
import { startGitHub } from '../support/github.js';
import { tempFolder } from '../support/home.js';
import { runProgram } from '../support/server.js';

test('a memory that was never read shows what waits for it; outbox lists, shows and drops it', async () => {
  const github = await startGitHub();
  onTestFinished(() => github.close());
  await github.down();
  const environment = {
    MEMORY_HOME: tempFolder(),
    MEMORY_REPO: 'ann/notes',
    GITHUB_TOKEN: github.token,
    GITHUB_API_URL: github.apiUrl,
    MEMORY_READ_DEADLINE: '500ms',
    MEMORY_SAVE_DEADLINE: '1s',
  };
  const run = (...args: string[]) => runProgram(args, environment);
  expect((await run('context')).stderr).toMatch(/cannot be reached/);
  const receipt = (await run('save', 'Kept', '--content', 'the ferry leaves at noon')).stdout;
  const id = /`([^`]+)`/.exec(receipt)?.[1] as string;
  expect(receipt).toMatch(/^QUEUED/);

  for (const args of [['context'], ['list'], ['search', 'ferry'], ['read', id.split('/').pop() as string]]) {
    const { code, stdout } = await run(...args);
    expect([args[0], code, stdout]).toEqual([args[0], 0, expect.stringMatching(/Kept|ferry/)]);
    if (args[0] !== 'read') expect(stdout).toMatch(/never read: only what waits/);
  }
  const doctor = await run('doctor');
  expect(doctor.stdout).toMatch(/FAULT outbox .*1 saved only on this machine/s);

  const [entry] = JSON.parse((await run('outbox', '--json')).stdout).waiting;
  expect(entry).toMatchObject({ id, sent: false });
  const number = String(entry.entry);
  expect((await run('outbox')).stdout).toMatch(
    /Waiting for .*ann\/notes@HEAD:\n\d+ {2}sessions.*\n.*cannot be reached/,
  );
  expect((await run('outbox', 'show', number)).stdout).toContain('the ferry leaves at noon');
  expect((await run('outbox', 'show', '99')).stderr).toMatch(/No save with that number/);
  expect((await run('outbox', 'empty')).stderr).toMatch(/knows `list`, `show N`, `drop N`/);

  // Seen from another origin: it is told of, and reached by its name.
  const local = { MEMORY_HOME: environment.MEMORY_HOME };
  for (const command of ['status', 'context', 'doctor'])
    expect((await runProgram([command], local)).stdout).toMatch(/1 saves wait for another origin/);
  const others = JSON.parse((await runProgram(['outbox', '--json'], local)).stdout).others;
  expect(others).toEqual([{ origin: expect.stringContaining('ann/notes@HEAD'), count: 1 }]);
  const dropped = await runProgram(['outbox', 'drop', number, '--origin', others[0].origin], local);
  expect(dropped.stdout).toMatch(/^Dropped.*ferry/s);
  expect((await run('outbox')).stdout).toMatch(/^Nothing waits for/);
});

test('a record is not changed by nothing', async () => {
  const refused = await runProgram(['project', 'owner/repo'], { MEMORY_HOME: tempFolder() });
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/Nothing was given/)]);
});
