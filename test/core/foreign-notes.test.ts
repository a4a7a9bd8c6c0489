import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openApp, type TestApp } from '../support/app.js';
import {
  EVALUATED,
  type ForeignFile,
  foreignFiles,
  IGNORED,
  idOf,
  importFiles,
  ordinaryNotes,
  pathOf,
} from '../support/foreign.js';
import { git, tempFolder } from '../support/home.js';

const isNote = (file: ForeignFile) => /\.md"?$/.test(pathOf(file)) && file.mode !== '160000';

function bareRepository(files: ForeignFile[]): string {
  const folder = join(tempFolder(), 'notes.git');
  git('/', 'init', '--quiet', '--bare', folder);
  importFiles(folder, files);
  return folder;
}

function workingClone(files: ForeignFile[]): string {
  const folder = join(tempFolder(), 'notes');
  git('/', 'clone', '--quiet', bareRepository(files), folder);
  return folder;
}

interface Listed {
  time: string;
  title: string;
  project: string;
}

/** Every document, through `list_sessions` and its cursor. */
async function listAll({ call }: TestApp): Promise<Map<string, Listed>> {
  const all = new Map<string, Listed>();
  let cursor: string | undefined;
  for (let page = 0; page < 200; page++) {
    const text = await call('list_sessions', { limit: 100, ...(cursor ? { cursor } : {}) });
    for (const [, time = '', title = '', project = '', id = ''] of text.matchAll(
      /^- (\S+ \S+) (.*?) · ([^·\n]*?) · (?:[^`\n]* · )?`(.*)`$/gm,
    )) {
      expect(all.has(id), `${id} is listed twice`).toBe(false);
      all.set(id, { time: time.replace(' ', 'T'), title, project });
    }
    cursor = /^More: cursor=(\S+)$/m.exec(text)?.[1];
    if (!cursor) return all;
  }
  throw new Error('the listing does not end');
}

/** The exact bytes that `read_memory` hands over: the attached ones, otherwise its text. */
async function readBytes({ client }: TestApp, id: string): Promise<Buffer> {
  const result = await client.callTool({ name: 'read_memory', arguments: { id } });
  const content = result.content as { type: string; text?: string; resource?: { blob: string } }[];
  expect(result.isError, content[0]?.text?.slice(0, 300)).toBeFalsy();
  const attached = content.find((part) => part.type === 'resource')?.resource;
  if (attached) return Buffer.from(attached.blob, 'base64');
  const text = content[0]?.text ?? '';
  const mark = /<(notes-[0-9a-f]+)>[^\n]*\n/.exec(text);
  const start = (mark?.index ?? 0) + (mark?.[0].length ?? 0);
  return Buffer.from(text.slice(start, text.lastIndexOf(`\n</${mark?.[1]}>`)), 'utf8');
}

for (const [kind, make] of [
  ['bare', bareRepository],
  ['a working clone', workingClone],
] as const) {
  test(`a repository of foreign notes, ${kind}: all taken in one run, found, and read back exactly`, async () => {
    const files = [...foreignFiles(), ...ordinaryNotes(300)];
    const folder = make(files);
    const memory = await openApp({ MEMORY_REPO: folder });
    const report = await memory.call('sync_now');

    const tracked = git(folder, 'ls-tree', '-r', '-z', '--full-tree', 'main').split('\0');
    const notes = tracked.filter((line) => line.endsWith('.md') && !line.startsWith('160000'));
    expect(report).toContain(`; ${notes.length - IGNORED.length} documents`);
    for (const file of files) {
      const line = report.split('\n').find((each) => each.startsWith(`- \`${pathOf(file)}\`:`)) ?? '';
      if (file.reason) expect(line, pathOf(file)).toMatch(file.reason);
      else if (isNote(file)) expect(line, pathOf(file)).toBe('');
    }
    expect(report).toMatch(/`\.strataignore`: leaves out 3 notes/);

    const listed = await listAll(memory);
    const wanted = files.filter((file) => isNote(file) && !IGNORED.includes(String(file.path)));
    expect([...listed.keys()].sort()).toEqual(wanted.map(idOf).sort());
    const misread: string[] = [];
    for (const file of wanted) {
      const found = listed.get(idOf(file));
      const told = { title: file.title, time: file.time, project: file.project };
      for (const [name, value] of Object.entries(told)) {
        const got = found?.[name as keyof Listed];
        if (value !== undefined && got !== value) misread.push(`${name} of ${pathOf(file)}: ${got}, not ${value}`);
      }
    }
    expect(misread).toEqual([]);

    for (const file of wanted) {
      expect((await readBytes(memory, idOf(file))).equals(file.bytes), pathOf(file)).toBe(true);
      if (!file.word) continue;
      const hits = await memory.call('search_memory', { query: file.word });
      expect(hits, pathOf(file)).toContain(`1 best of`);
      expect(hits, pathOf(file)).toContain(`\`${idOf(file)}\``);
    }
    for (const word of ['ignoredguide', 'ignoreddraft', 'ignoredquoted'])
      expect(await memory.call('search_memory', { query: word })).toContain('Nothing found');

    expect(await memory.call('verify_with_github')).toContain('all equal');
    expect(Object.hasOwn(globalThis, EVALUATED)).toBe(false);
    expect(existsSync(join(memory.home, EVALUATED))).toBe(false);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    // Nothing doubtful is forgotten when there is nothing new.
    const again = await memory.call('sync_now');
    expect(again).toContain('nothing new');
    expect(again.split('\n').slice(2)).toEqual(report.split('\n').slice(2));
  });
}

test('a project is asked for by the name that the listing prints', async () => {
  const memory = await openApp({ MEMORY_REPO: bareRepository(foreignFiles()) });
  await memory.call('sync_now');
  const projects = new Set([...(await listAll(memory)).values()].map(({ project }) => project));
  expect(projects.size).toBeGreaterThan(10);
  for (const project of projects)
    expect(await memory.call('load_context', { project })).not.toContain('nothing remembered');
});

test('a name that a Mac wrote decomposed is found as people type it', async () => {
  const memory = await openApp({ MEMORY_REPO: bareRepository(foreignFiles()) });
  expect(await memory.call('read_memory', { id: 'names/й-decomposed' })).toContain(
    'names/й-decomposed'.normalize('NFD'),
  );
});

test('10,000 notes come in one run, and what changes after it in a small one', async () => {
  const files = ordinaryNotes(10_000);
  const folder = bareRepository(files);
  const memory = await openApp({ MEMORY_REPO: folder });
  expect(await memory.call('sync_now')).toMatch(/10000 added, 0 changed, 0 removed; 10000 documents/);
  for (const file of [files[0], files[4_999], files[9_999]] as ForeignFile[]) {
    expect(await memory.call('search_memory', { query: file.word })).toContain(`\`${idOf(file)}\``);
    expect((await readBytes(memory, idOf(file))).equals(file.bytes)).toBe(true);
  }
  expect(await memory.call('list_sessions', { limit: 1 })).toContain('1 of 10000 notes');
  importFiles(folder, [
    { path: 'area-0/note-0.md', bytes: Buffer.from('# changed\n') },
    { path: 'new.md', bytes: Buffer.from('# new\n') },
  ]);
  expect(await memory.call('sync_now')).toMatch(/1 added, 1 changed, 0 removed; 10001 documents/);
  expect(readdirSync(join(memory.home, 'mirror')).filter((name) => name.endsWith('.db'))).toHaveLength(1);
});
