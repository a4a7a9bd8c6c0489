import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/faces/cli/index.js';
import { tempFolder } from '../support/home.js';
import { runProgram } from '../support/server.js';

/** What is typed up to the cursor, and what has to be offered there. */
const TYPED: [string[], string[]][] = [
  [['se'], ['search']],
  [['--repo', '/x', 'se'], ['search']],
  [['--stale'], ['--stale-after']],
  [['search', '--max'], ['--max-tokens']],
  [
    ['search', 'a word', '--kind', 'p'],
    ['pattern', 'project'],
  ],
  [['--home', '/x', 'project', 'a/b', '--pri'], ['--priority']],
  [
    ['init', '--client', ''],
    ['desktop', 'code'],
  ],
  [['search', '--js'], ['--json']],
];

const quote = (words: string[]) => words.map((word) => `'${word}'`).join(' ');

/** How each shell is asked what it would offer. */
const ASK: Record<string, (file: string, words: string[]) => string> = {
  bash: (file, words) =>
    `source ${file}; COMP_WORDS=(strata-memory ${quote(words)}); COMP_CWORD=${words.length}; _strata_memory; printf '%s\\n' "\${COMPREPLY[@]}"`,
  // Outside of its line editor zsh has no `compadd`: this one says what it would have been given and begins alike.
  zsh: (file, words) =>
    `compadd() { shift; print -l -- \${(M)@:#$words[CURRENT]*} }; compdef() {}; source ${file}; words=(strata-memory ${quote(words)}); CURRENT=${words.length + 1}; _strata-memory`,
  fish: (file, words) =>
    `source ${file}; complete -C "strata-memory ${words.map((word) => (word.includes(' ') ? quote([word]) : word)).join(' ')}"`,
};

for (const shell of ['bash', 'zsh', 'fish']) {
  const here = spawnSync(shell, ['--version']).status === 0;

  test.runIf(here)(`${shell} completes commands, flags and what flags take`, async () => {
    const { stdout, code } = await runProgram(['completion', shell], {});
    expect(code).toBe(0);
    const folder = tempFolder();
    const file = join(folder, 'completion');
    writeFileSync(file, stdout);
    for (const [words, offered] of TYPED) {
      const options = { encoding: 'utf8', cwd: folder, env: { PATH: process.env.PATH, HOME: folder } } as const;
      const said = execFileSync(shell, ['-c', (ASK[shell] as (typeof ASK)[string])(file, words)], options);
      const lines = said.split('\n').map((line) => line.split('\t')[0]);
      expect(lines.filter((line) => line !== '').sort(), words.join(' ')).toEqual([...offered].sort());
    }
  });

  test(`completion for ${shell} names every command and flag`, async () => {
    const { stdout } = await runProgram(['completion', shell], {});
    for (const { name, options } of COMMANDS)
      for (const word of [name, ...Object.keys(options)]) expect(stdout, word).toContain(word);
  });
}
