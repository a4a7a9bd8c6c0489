import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replaceAll('\\', '/'));

const sources = new Map(files.map((file) => [file, readFileSync(join(SRC, file), 'utf8')]));

/** Files of ours that a file imports, statically or lazily, types included. */
function importsOf(file: string): string[] {
  const found = [...(sources.get(file) ?? '').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(
    (match) => match[1] as string,
  );
  return found.map((path) =>
    relative(SRC, join(SRC, dirname(file), path))
      .replaceAll('\\', '/')
      .replace(/\.js$/, '.ts'),
  );
}

const room = (file: string) => (file.includes('/') ? (file.split('/')[0] as string) : file.replace(/\.ts$/, ''));

/** Who may import whom. `version` is a fact, not a room. */
const MAY: Record<string, string[]> = {
  main: ['app', 'config', 'core', 'faces', 'operations', 'version'],
  app: ['config', 'core', 'jobs', 'tiers', 'version'],
  config: ['core'],
  faces: ['core', 'faces', 'operations', 'version'],
  operations: ['core', 'operations', 'search', 'version'],
  jobs: ['core', 'jobs'],
  tiers: ['core', 'search', 'tiers', 'version'],
  core: ['core', 'search'],
  // Words and numbers only: no port, no limit of the program, nobody else's types.
  search: ['search'],
  version: [],
};

test('every room imports only the rooms it may', () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((target) => !(MAY[room(file)] ?? []).includes(room(target)))
      .map((target) => `${file} -> ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('one tier’s adapter never imports another’s', () => {
  const tier = (file: string) =>
    /^tiers\/(?:mirror-\w+|durable-\w+|mutex-\w+|cache-\w+|origin-\w+|embedder-\w+|workplace)/.exec(file)?.[0];
  const wrong = files.flatMap((file) => {
    const own = tier(file);
    return importsOf(file)
      .filter((target) => own && tier(target) && tier(target) !== own)
      .map((target) => `${file} -> ${target}`);
  });
  expect(wrong).toEqual([]);
});

test('no import cycles', () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (file: string, path: string[]) => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (done.has(file) || path.includes(file)) return;
    for (const target of importsOf(file)) walk(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
  expect(cycles).toEqual([]);
});

test('no room for odds and ends', () => {
  expect(files.filter((file) => /(^|\/)(utils?|common|helpers?|lib|misc)(\/|\.ts$)/.test(file))).toEqual([]);
});

test('the environment is read in one place, and the process is ended in one place', () => {
  const reading = files.filter((file) => /process\.env\b/.test(sources.get(file) ?? ''));
  // main hands it to config; a child process inherits it, cleaned.
  expect(reading.sort()).toEqual(['faces/cli/quickstart.ts', 'main.ts', 'tiers/git-environment.ts']);
  expect(files.filter((file) => /process\.exit\(/.test(sources.get(file) ?? ''))).toEqual(['main.ts']);
});

test('files stay short enough to read in one go', () => {
  const long = files
    .map((file) => [file, (sources.get(file) ?? '').split('\n').length] as const)
    .filter(([, lines]) => lines > 420);
  expect(long).toEqual([]);
});

test('no escape from the type checker', () => {
  expect(
    files.filter((file) =>
      /\bany\b(?=[\s,;)>\]])|@ts-(ignore|nocheck|expect-error)/.test(
        (sources.get(file) ?? '').replace(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'|`[^`]*`/g, ''),
      ),
    ),
  ).toEqual([]);
});
