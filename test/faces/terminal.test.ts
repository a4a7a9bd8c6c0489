import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { WriteStream } from 'node:tty';
import { describe, expect, test } from 'vitest';
import { paint, progressBar } from '../../src/faces/cli/terminal.js';
import { tempFolder } from '../support/home.js';
import { distMain, runProgram, serverEnvironment } from '../support/server.js';

/** What Node's own terminal streams say of colours under these variables. */
function screen(environment: Record<string, string>, isTTY = true) {
  return {
    isTTY,
    hasColors: () => WriteStream.prototype.getColorDepth.call({}, { TERM: 'xterm', ...environment }) > 1,
  };
}

test('colours are for terminals that show them, and for people who want them', () => {
  const red = '\u001b[31mno\u001b[39m';
  expect(paint(screen({}), 'red', 'no')).toBe(red);
  expect(paint(screen({ TERM: 'dumb', FORCE_COLOR: '1' }), 'red', 'no')).toBe(red);
  expect(paint(screen({ NO_COLOR: '1' }), 'red', 'no')).toBe('no');
  expect(paint(screen({ TERM: 'dumb' }), 'red', 'no')).toBe('no');
  expect(paint(screen({}, false), 'red', 'no')).toBe('no');
  expect(paint({}, 'green', 'yes')).toBe('yes');
});

test('a bar redraws itself only when it changed, and leaves its line when it ends', () => {
  let text = '';
  const bar = progressBar((more) => {
    text += more;
  });
  bar.end();
  expect(text).toBe('');
  for (const done of [1, 1, 3]) bar.show(done, 4);
  bar.end();
  bar.end();
  expect(text).toBe(`\r[########----------------------] 1 of 4\r[#######################-------] 3 of 4\n`);
});

test('what goes into a pipe has neither colours nor bars, even where colours are asked for', async () => {
  const environment = { MEMORY_HOME: tempFolder(), FORCE_COLOR: '1' };
  await runProgram(['save', 'One', '--content', 'A note.'], environment);
  for (const args of [['doctor'], ['serch'], ['verify'], ['export', join(environment.MEMORY_HOME, 'out')]]) {
    const { stdout, stderr } = await runProgram(args, environment);
    expect(stdout + stderr, args[0]).toSatisfy(
      (said: string) => !['\u001b', '\r', '[#'].some((each) => said.includes(each)),
    );
  }
});

/** util-linux' `script` runs a command on a terminal of its own. */
const hasScript = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false;

describe.runIf(hasScript)('on a terminal', () => {
  const onTerminal = (home: string, command: string, more: Record<string, string> = {}) =>
    execFileSync('script', ['-qec', `"$NODE" "$MAIN" ${command}; true`, '/dev/null'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...serverEnvironment({ MEMORY_HOME: home, TERM: 'xterm', SHELL: '/bin/sh', ...more }),
        NODE: process.execPath,
        MAIN: distMain,
      },
    });

  test('errors are red, what is well is green, and NO_COLOR is heard', () => {
    const home = tempFolder();
    expect(onTerminal(home, 'serch')).toContain('\u001b[31mstrata-memory:\u001b[39m There is no such command.');
    expect(onTerminal(home, 'doctor')).toContain('\u001b[32mok   \u001b[39m home');
    expect(onTerminal(home, 'doctor', { MEMORY_REPO: join(home, 'none') })).toContain(
      '\u001b[31mFAULT\u001b[39m origin',
    );
    for (const command of ['serch', 'doctor', 'doctor --json'])
      expect(onTerminal(home, command, { NO_COLOR: '1' })).not.toContain('\u001b');
    expect(onTerminal(home, 'doctor --json')).not.toContain('\u001b');
  });

  test('long work shows how far it is, except to programs', async () => {
    const home = tempFolder();
    for (const title of ['One', 'Two'])
      await runProgram(['save', title, '--content', `${title} note.`], { MEMORY_HOME: home });
    const bar = '[##############################] 2 of 2\r\n';
    expect(onTerminal(home, `export ${join(home, 'a')}`)).toMatch(/1 of 2\r\[#+\] 2 of 2\r\n2 notes/);
    expect(onTerminal(home, 'verify')).toContain(`${bar}2 documents`);
    expect(onTerminal(home, `export ${join(home, 'b')} --json`)).not.toContain('of 2');
  });
});
