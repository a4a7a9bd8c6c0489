import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { VARIABLES } from '../src/config.js';
import { OPERATIONS } from '../src/operations/index.js';

const README = new URL('../README.md', import.meta.url);

function tools(): string {
  const rows = OPERATIONS.filter(({ tool }) => tool !== false).map(({ name, input, description }) => {
    const args = Object.entries(input.shape).map(([key, type]) =>
      type.safeParse(undefined).success ? `[${key}]` : key,
    );
    return `| \`${name}\` | ${args.join(', ') || '–'} | ${description} |`;
  });
  return ['| tool | arguments ([optional]) | |', '|---|---|---|', ...rows].join('\n');
}

function variables(): string {
  return [
    '| variable | flag | |',
    '|---|---|---|',
    ...VARIABLES.map(
      ({ name, flag, value, about }) => `| \`${name}\` | \`--${flag} <${value.replace('|', '\\|')}>\` | ${about} |`,
    ),
  ].join('\n');
}

/** Puts a table between its marks. */
function withTable(text: string, name: string, table: string): string {
  const [before, after] = [`<!-- ${name}:begin -->\n`, `<!-- ${name}:end -->`];
  expect(text).toContain(before);
  expect(text).toContain(after);
  return `${text.slice(0, text.indexOf(before) + before.length)}${table}\n${text.slice(text.indexOf(after))}`;
}

/** `npx vitest run test/readme.test.ts -u` writes the tables anew. */
test('the README’s tables are what the program has', async () => {
  const text = readFileSync(README, 'utf8');
  await expect(withTable(withTable(text, 'tools', tools()), 'variables', variables())).toMatchFileSnapshot(
    fileURLToPath(README),
  );
});
