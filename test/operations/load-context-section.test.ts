import { cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { CONTEXT_SECTIONS } from '../../src/core/context-section.js';
import { openApp } from '../support/app.js';
import { git, tempFolder } from '../support/home.js';
import { runProgram } from '../support/server.js';

test('all open steps with their numbers, their note and since when; with too few tokens, how to see the rest', async () => {
  const { call } = await openApp();
  const steps = Array.from({ length: 40 }, (_, at) => `Look after the ${'abcdefgh'[at % 8]}${at} valve of hall ${at}`);
  await call('save_session', { title: 'One', content: 'Text.', next_steps: steps, decisions: ['Halls are numbered'] });
  const all = await call('load_context', { section: 'steps', max_tokens: 4_000 });
  expect(all).toMatch(/^Project `test\/project`: 40 open steps\./);
  expect(all).toMatch(
    /^\d{4}-\d{2}-\d{2} `sessions\/test\/project\/[^`]+`\n- #\d{6} Look after the a0 valve of hall 0$/m,
  );
  expect(all.match(/^- #\d{6} /gm)).toHaveLength(40);
  expect(all).not.toContain('Halls are numbered');
  const some = await call('load_context', { section: 'steps', max_tokens: 300 });
  const [, shown = '', more = '', wanted = ''] =
    /: (\d+) of 40 open steps[\s\S]*\n(\d+) more: max_tokens=(\d+)\n/.exec(some) ?? [];
  expect(Number(shown) + Number(more)).toBe(40);
  expect((await call('load_context', { section: 'steps', max_tokens: Number(wanted) })).match(/^- #/gm)).toHaveLength(
    40,
  );
  expect(await call('load_context', { section: 'decisions' })).toMatch(/: 1 decision\.\n[\s\S]*- Halls are numbered/);
  expect(await call('load_context', { section: 'patterns' })).toMatch(/: 0 patterns/);
  for (const name of ['Oil', 'Rust', 'Frost', 'Dust', 'Heat', 'Noise', 'Salt', 'Light'])
    await call('save_pattern', {
      name,
      type: 'lesson',
      content: `${name} is what ${name.toLowerCase()}meters are for.`,
    });
  expect(
    (await call('load_context', { section: 'patterns' })).match(/^- \d{4}-\d{2}-\d{2} \*\*\w+\*\* \(lesson/gm),
  ).toHaveLength(8);
  expect(await call('load_context', { section: 'steps', project: 'test/projekt' })).toMatch(
    /nothing remembered yet[\s\S]*test\/project/,
  );
});

test('no section goes over its budget, and a shell lists the steps, too', async () => {
  const folder = tempFolder();
  git(folder, 'init', '-q', '-b', 'main');
  cpSync(fileURLToPath(new URL('../context/notes/', import.meta.url)), folder, { recursive: true });
  git(folder, 'add', '-A');
  git(folder, 'commit', '-q', '-m', 'notes');
  const { call } = await openApp({ MEMORY_REPO: folder });
  for (const section of CONTEXT_SECTIONS)
    for (const max_tokens of [100, 137, 250, 600, 1_800, 20_000])
      expect(
        countTokens(await call('load_context', { project: 'orbit-api', section, max_tokens })),
        `${section} ${max_tokens}`,
      ).toBeLessThanOrEqual(max_tokens);
  const environment = { MEMORY_HOME: tempFolder(), MEMORY_REPO: folder, MEMORY_EMBEDDINGS: 'off' };
  const { stdout } = await runProgram(['context', 'orbit-api', '--section', 'steps'], environment);
  expect(stdout).toMatch(/open steps\.[\s\S]*#\d{6} Full rollout of 4\.0 in production/);
});
