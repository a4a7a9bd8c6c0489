import { execFileSync } from 'node:child_process';
import { decodePath } from '../../src/core/paths.js';
import { gitEnvironmentForTests } from './home.js';

/** A file that somebody else's repository holds, and what this program should make of it. */
export interface ForeignFile {
  /** Bytes of the path; a string is UTF-8. */
  path: string | Buffer;
  bytes: Buffer;
  /** 100644 unless said otherwise. A submodule (160000) has its commit id as `bytes`. */
  mode?: '100644' | '100755' | '120000' | '160000';
  /** A word that is in no other file, to be found by search. */
  word?: string;
  /** What `sync_now` must say of it. */
  reason?: RegExp;
  title?: string;
  /** ISO, to the minute. */
  time?: string;
  project?: string;
}

/** When the imported commit was made: the time of notes that do not say. */
export const IMPORTED_AT = '2024-05-06T07:08:00.000Z';

/** The path as the program names it, and the document's id. */
export function pathOf(file: ForeignFile): string {
  return decodePath(Buffer.from(file.path));
}

export function idOf(file: ForeignFile): string {
  const path = pathOf(file);
  // Nothing would be left of this one.
  if (path === '.md') return path;
  return path.endsWith('.md"') ? `${path.slice(0, -4)}"` : path.replace(/\.md$/, '');
}

/** Writes one commit with all files, by real git, in a second for 10,000; on top of what `branch` has; `gone` are paths to remove, `merged` further parents. */
export function importFiles(
  gitDir: string,
  files: ForeignFile[],
  branch = 'main',
  at = IMPORTED_AT,
  gone: Buffer[] = [],
  merged: string[] = [],
): void {
  const seconds = Math.floor(Date.parse(at) / 1000);
  const ref = `refs/heads/${branch}`;
  const parts: Buffer[] = [
    Buffer.from(`commit ${ref}\ncommitter Somebody <somebody@example.com> ${seconds} +0300\ndata 6\nimport\n`),
  ];
  const exists = tryGit(gitDir, 'rev-parse', '--verify', '--quiet', ref);
  if (exists) parts.push(Buffer.from(`from ${exists}\n`));
  for (const parent of merged) parts.push(Buffer.from(`merge ${parent}\n`));
  for (const { path, bytes, mode = '100644' } of files) {
    const name = quoted(Buffer.from(path));
    if (mode === '160000') parts.push(Buffer.from(`M 160000 ${bytes.toString('latin1')} ${name}\n`));
    else parts.push(Buffer.from(`M ${mode} inline ${name}\ndata ${bytes.length}\n`), bytes, Buffer.from('\n'));
  }
  for (const path of gone) parts.push(Buffer.from(`D ${quoted(path)}\n`));
  parts.push(Buffer.from('done\n'));
  execFileSync('git', [`--git-dir=${gitDir}`, 'fast-import', '--quiet', '--done', '--date-format=raw'], {
    input: Buffer.concat(parts),
    env: gitEnvironmentForTests(),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
}

function tryGit(gitDir: string, ...args: string[]): string | null {
  try {
    return execFileSync('git', [`--git-dir=${gitDir}`, ...args], {
      env: gitEnvironmentForTests(),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
}

function quoted(path: Buffer): string {
  const inner = [...path].map((byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\${byte.toString(8).padStart(3, '0')}`,
  );
  return `"${inner.join('')}"`;
}

/** A word of letters only that stands nowhere else: no stemmer or splitter turns it into another. */
export function word(number: number): string {
  return `qz${[...String(number)].map((digit) => 'bdfghjkmpt'[Number(digit)]).join('')}x`;
}

const utf8 = (text: string) => Buffer.from(text, 'utf8');

/** UTF-16 with or without its mark. */
function utf16(text: string, order: 'le' | 'be', mark: boolean): Buffer {
  const bytes = Buffer.from(mark ? `\ufeff${text}` : text, 'utf16le');
  return order === 'le' ? bytes : bytes.swap16();
}

function windows1251(text: string): Buffer {
  return Buffer.from(
    [...text].map((letter) => {
      const code = letter.charCodeAt(0);
      if (code < 0x80) return code;
      if (letter === 'ё') return 0xb8;
      if (letter === '—') return 0x97;
      return code - 0x410 + 0xc0;
    }),
  );
}

let count = 0;
/** A note with a word of its own: `WORD` in the text is replaced by it. */
function note(
  path: string | Buffer,
  text: string,
  more: Partial<ForeignFile> = {},
  encode: (text: string) => Buffer = utf8,
): ForeignFile {
  const own = word(++count);
  return { path, bytes: encode(text.replaceAll('WORD', own)), word: own, ...more };
}

/** The side effect that a `---js` block would have, were it run. */
export const EVALUATED = '__strataEvaluated';

/** One of every oddity that notes of other people have, each with what should be made of it. */
export function foreignFiles(): ForeignFile[] {
  count = 0;
  const deep = Array.from({ length: 120 }, (_, index) => `level-${index}`).join('/');
  const long = `${'Длинный текст with English inside, строка за строкой. '.repeat(80)}\n\n`;
  const evaluate = `globalThis.${EVALUATED} = true; require('fs').writeFileSync(process.env.MEMORY_HOME + '/${EVALUATED}', '')`;
  return [
    // Where the time comes from.
    note('README.md', '# Somebody’s notes\n\nWORD\n', {
      title: 'Somebody’s notes',
      project: 'inbox',
      time: IMPORTED_AT.slice(0, 16),
    }),
    note('notes/heading.md', '# Session 2025-10-20: parser\n\nWORD\n', {
      title: 'Session 2025-10-20: parser',
      time: '2025-10-20T00:00',
      project: 'notes',
    }),
    note('notes/heading-ru.md', '# Итоги 16 ноября 2025\n\nслово WORD\n', {
      time: '2025-11-16T00:00',
      title: 'Итоги 16 ноября 2025',
    }),
    note('notes/2025-10-20.md', 'no heading, only WORD\n', { time: '2025-10-20T00:00', title: '2025-10-20' }),
    note('notes/2025-11-16T1523-fix-the-build.md', '# Fix the build\nWORD\n', {
      time: '2025-11-16T15:23',
      title: 'Fix the build',
    }),
    note('notes/2025-11-16T1523-1000-lines.md', 'WORD\n', { time: '2025-11-16T15:23' }),
    note('notes/2025-10-200-not-a-day.md', 'WORD\n', { time: IMPORTED_AT.slice(0, 16) }),
    note('notes/20251020T091500Z-compact.md', 'WORD\n', { time: '2025-10-20T09:15' }),
    note('journal/2025/10/21/standup.md', 'WORD\n', { time: '2025-10-21T00:00', project: 'journal' }),
    note('notes/dated.md', '# Title\n\n**Date:** 2025-10-22\n\nWORD\n', { time: '2025-10-22T00:00' }),
    note('notes/dated-ru.md', '# Заголовок\n\n**Дата:** 23 октября 2025\n\nWORD\n', { time: '2025-10-23T00:00' }),
    note('notes/dated-emoji.md', '# T\n\n📅 **Session Date**: October 24, 2025\n\nWORD\n', {
      time: '2025-10-24T00:00',
    }),
    note('notes/dated-table.md', '# T\n\n| Дата | 25.10.2025 |\n\nWORD\n', { time: '2025-10-25T00:00' }),
    note('notes/2020-01-01-header-wins.md', '---\ndate: 2025-10-26T10:00:00+03:00\n---\nWORD\n', {
      time: '2025-10-26T07:00',
    }),
    note('notes/undated.md', 'plain words and WORD\n', { time: IMPORTED_AT.slice(0, 16), title: 'undated' }),
    // Front matter of all kinds.
    note(
      'yaml/full.md',
      '---\ntitle: "Полный: заголовок"\nproject: Acme/Web\ntags: [a, Б]\ntime: 2025-10-27 10:30:00\n---\n# Other\nWORD\n',
      { title: 'Полный: заголовок', project: 'acme/web', time: '2025-10-27T10:30' },
    ),
    note('yaml/numbers.md', '---\ntitle: 42\ndate: 20251028\ntags: [1, true, null]\nproject: [a, b]\n---\nWORD\n', {
      title: '42',
      time: '2025-10-28T00:00',
      project: 'yaml',
    }),
    note('yaml/epoch.md', '---\ncreated: 1761696000\n---\nWORD\n', { time: '2025-10-29T00:00' }),
    note('yaml/impossible.md', '---\ndate: 9999-99-99\ntitle: {a: 1}\n---\n# Real title\nWORD\n', {
      title: 'Real title',
      time: IMPORTED_AT.slice(0, 16),
    }),
    note('yaml/climbing.md', '---\nproject: ../../etc\nkind: nonsense\nprivacy: nobody\n---\nWORD\n', {
      project: 'yaml',
    }),
    note('yaml/broken.md', '---\ntitle: "unclosed\n  - [a, b\n---\n# After it\nWORD\n', {
      reason: /not valid YAML/,
      title: 'After it',
    }),
    note('yaml/tabs.md', '---\n\tkey:\t- x\n---\nWORD\n', { reason: /not valid YAML/ }),
    note('yaml/list.md', '---\n- one\n- two\n---\nWORD\n', { reason: /no fields/ }),
    note(
      'yaml/bomb.md',
      `---\na: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
        .split('')
        .map((letter, index) => `${letter}: &${letter} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`)
        .join('\n')}\ntags: *i\n---\nWORD\n`,
    ),
    note('yaml/function.md', '---\nrun: !!js/function "function () { return 1 }"\n---\nWORD\n', {
      reason: /not valid YAML/,
    }),
    note('yaml/proto.md', '---\n__proto__: {polluted: yes}\nconstructor: 1\n---\n# Proto\nWORD\n', { title: 'Proto' }),
    note('yaml/javascript.md', `---js\n(${evaluate}, { title: 'evaluated' })\n---\n# Harmless\nWORD\n`, {
      reason: /never run/,
      title: 'Harmless',
    }),
    note('yaml/javascript-spaced.md', `--- javascript\n${evaluate}\n---\nWORD\n`, { reason: /never run/ }),
    note('yaml/coffee.md', `---coffee\n${evaluate}\n---\nWORD\n`, { reason: /never run/ }),
    note('yaml/constructor.md', '---constructor\nreturn 1\n---\nWORD\n', { reason: /neither YAML nor JSON/ }),
    note('yaml/json.md', '---json\n{"title": "From JSON", "date": "2025-10-30"}\n---\nWORD\n', {
      title: 'From JSON',
      time: '2025-10-30T00:00',
    }),
    note('yaml/rules.md', '---\n# Between two rules\n---\ntext WORD\n', { title: 'Between two rules' }),
    note('yaml/long.md', `---\n${'key: value\n'.repeat(50_000)}---\nWORD\n`, { reason: /front matter is over/ }),
    note('yaml/open.md', '---\nno end to it: WORD\n'),
    // Encodings.
    note('bytes/crlf.md', '---\r\ntitle: Windows\r\n---\r\n# Other\r\nWORD\r\n', { title: 'Windows' }),
    note('bytes/mac.md', '# Old Mac\r\rWORD\r', { title: 'Old Mac' }),
    note('bytes/bom.md', '\ufeff# Marked 2025-10-31\n\nWORD\n', {
      title: 'Marked 2025-10-31',
      time: '2025-10-31T00:00',
    }),
    note('bytes/bom-yaml.md', '\ufeff---\ntitle: Marked YAML\n---\nWORD\n', { title: 'Marked YAML' }),
    note(
      'bytes/windows-1251.md',
      '# Встреча\n\n**Дата:** 01.11.2025\n\nОбсудили планы — всё ясно. WORD\n',
      { reason: /windows-1251/, title: 'Встреча', time: '2025-11-01T00:00' },
      windows1251,
    ),
    note(
      'bytes/windows-1251-little.md',
      `# Mostly English\n\n${'Plain ASCII words go on and on. '.repeat(30)}Слово здесь. WORD\n`,
      { reason: /windows-1251/ },
      windows1251,
    ),
    note(
      'bytes/windows-1252.md',
      '# Caf\xe9 cr\xe8me\n\nna\xefve WORD\n',
      { reason: /windows-1252/, title: 'Café crème' },
      (text) => Buffer.from(text, 'latin1'),
    ),
    note('bytes/utf16le.md', '# Широкий\n\nWORD\n', { reason: /UTF-16/, title: 'Широкий' }, (text) =>
      utf16(text, 'le', true),
    ),
    note('bytes/utf16be.md', '# Wide\n\nWORD\n', { reason: /UTF-16/, title: 'Wide' }, (text) =>
      utf16(text, 'be', true),
    ),
    note(
      'bytes/utf16-unmarked.md',
      '# Wide as well\n\nслова WORD\n',
      { reason: /UTF-16/, title: 'Wide as well' },
      (text) => utf16(text, 'le', false),
    ),
    note('bytes/nul.md', '# With NUL\n\nbefore\0after WORD\n', { reason: /NUL/ }),
    note(
      'bytes/truncated.md',
      '# Обрезано\n\nТекст дальше WORD ж',
      { reason: /not valid UTF-8/, title: 'Обрезано' },
      (text) => utf8(text).subarray(0, -1),
    ),
    note('bytes/mojibake.md', '# РџСЂРёРІРµС‚ Ð¿Ñ€Ð¸Ð²ÐµÑ‚\n\nWORD\n'),
    note('bytes/surrogate.md', '# Half \xed\xa0\x80 of a pair\n\nWORD\n', { reason: /not valid UTF-8/ }, (text) =>
      Buffer.from(text, 'latin1'),
    ),
    note('bytes/emoji.md', '# 🚀 Запуск 🎉\n\n✅ done 👩‍👩‍👧 WORD\n', { title: 'Запуск 🎉' }),
    {
      path: 'bytes/junk.md',
      bytes: Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 167 + (index >> 3)) & 0xff)),
      reason: /NUL|not valid UTF-8/,
    },
    { path: 'bytes/picture.md', bytes: Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), reason: /NUL/ },
    // Sizes.
    { path: 'size/empty.md', bytes: Buffer.alloc(0), reason: /empty/ },
    { path: 'size/blank.md', bytes: utf8('\n \t\r\n'), reason: /empty/ },
    note('size/large.md', `# Large\n\n${long.repeat(70)}WORD\n`, { title: 'Large' }),
    note('size/large-too.md', `# One line\n\n${'слово и word '.repeat(26_000)}WORD`, {}),
    note('size/just-indexed.md', `# Long\n\n${'и a '.repeat(800_000)}WORD\n`),
    { path: 'size/huge.md', bytes: utf8(`# Huge\n\n${'x'.repeat(4 * 1024 * 1024)}\n`), reason: /over 4194304, listed/ },
    // What would be slow for a careless pattern.
    note('slow/heading.md', `# a${' '.repeat(300_000)}b\n\nWORD\n`),
    note('slow/brackets.md', `${'['.repeat(300_000)}\n\nWORD\n`),
    note('slow/blank.md', `---\n${'\n'.repeat(60_000)}a: 1\n---\nWORD\n`, { reason: /mostly blank/ }),
    // Things that are no files.
    { path: 'links/inside.md', mode: '120000', bytes: utf8('../README.md'), reason: /symbolic link/ },
    { path: 'links/dangling.md', mode: '120000', bytes: utf8('nowhere.md'), reason: /symbolic link/ },
    { path: 'links/outside.md', mode: '120000', bytes: utf8('/etc/passwd'), reason: /symbolic link/ },
    {
      path: 'modules/library',
      mode: '160000',
      bytes: utf8('1234567890123456789012345678901234567890'),
      reason: /submodule/,
    },
    {
      path: 'modules/odd.md',
      mode: '160000',
      bytes: utf8('1234567890123456789012345678901234567890'),
      reason: /submodule/,
    },
    note('bin/executable.md', '# Executable\nWORD\n', { mode: '100755' }),
    // Names.
    note('Twin/Note.md', '# Upper\nWORD\n', { title: 'Upper' }),
    note('twin/note.md', '# lower\nWORD\n', { title: 'lower' }),
    note('twin/Note.md', '# Mixed\nWORD\n', { title: 'Mixed' }),
    note('names/with space .md', 'WORD\n', { project: 'names' }),
    note(' leading/ space.md', 'WORD\n'),
    note('names/"quoted".md', '# Q\nWORD\n', { title: 'Q', project: 'names' }),
    note('names/back\\slash 2025-11-02.md', 'WORD\n', { project: 'names', time: '2025-11-02T00:00' }),
    note('names/new\nline.md', 'WORD\n', { project: 'names' }),
    note('names/tab\there.md', 'WORD\n', { project: 'names' }),
    note(Buffer.from('names/caf\xe9.md', 'latin1'), 'WORD\n', { project: 'names' }),
    note('names/🚀 ракета.md', 'WORD\n', { project: 'names', title: 'ракета' }),
    note('names/й-decomposed.md'.normalize('NFD'), 'WORD\n', { project: 'names' }),
    note('sessions/"acme"/2025/11/20251103T101112131Z-ours-abcd.md', 'WORD\n', {
      project: 'acme-',
      time: '2025-11-03T10:11',
    }),
    note('📁 Проекты & C++/план.md', 'WORD\n', { project: 'проекты - c-' }),
    note(`${deep}/deep.md`, 'WORD\n'),
    note('.hidden/.dotted.md', 'WORD\n', { project: '.hidden' }),
    note('.md', 'WORD\n'),
    note('folder/.md', 'WORD\n'),
    note('double.md.md', 'WORD\n'),
    note('folder.md/inside.md', 'WORD\n', { project: 'folder.md' }),
    note('--option.md', 'WORD\n'),
    note('con.md', 'WORD\n'),
    // What is no document.
    { path: 'notes/picture.png', bytes: Buffer.from([0, 1, 2]) },
    { path: 'notes/UPPER.MD', bytes: utf8('not *.md') },
    { path: '.strataignore', bytes: utf8('# left out\n/docs/\n*.draft.md\n!/docs/keep.md\nskipped "names"/\n') },
    { path: 'docs/guide.md', bytes: utf8('ignoredguide') },
    { path: 'notes/unfinished.draft.md', bytes: utf8('ignoreddraft') },
    { path: 'skipped "names"/one.md', bytes: utf8('ignoredquoted') },
  ];
}

/** Which of them are left out by the `.strataignore` above. */
export const IGNORED = ['docs/guide.md', 'notes/unfinished.draft.md', 'skipped "names"/one.md'];

/** Ordinary notes in English and Russian, each with a word of its own; `from` numbers the first. */
export function ordinaryNotes(howMany: number, from = 10_000): ForeignFile[] {
  return Array.from({ length: howMany }, (_, index) => {
    const own = word(from + index);
    const day = `2025-${String((index % 12) + 1).padStart(2, '0')}-${String((index % 28) + 1).padStart(2, '0')}`;
    const english = `# ${day} Note ${index}\n\nWorked on the ${own} module.\n\n## Next steps\n- test ${index}\n`;
    const russian = `# Заметка ${index}\n\n**Дата:** ${day}\n\nПравили модуль ${own}, всё хорошо.\n\n## Решения\n- оставить ${index}\n`;
    return {
      path: `area-${index % 20}/note-${index}.md`,
      bytes: utf8(index % 2 === 0 ? english : russian),
      word: own,
      time: `${day}T00:00`,
      project: `area-${index % 20}`,
    };
  });
}
