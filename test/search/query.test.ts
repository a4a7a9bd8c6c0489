import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { analyse } from '../../src/search/analyse.js';
import { readQuery } from '../../src/search/query.js';

const terms = (text: string) => readQuery(text).wanted.map(({ term }) => term);
const phrases = (text: string) => readQuery(text).phrases.map((phrase) => phrase.terms.join(' '));
const without = (text: string) => readQuery(text).without.map((phrase) => phrase.terms.join(' '));

test('a query with every operator', () => {
  expect(
    readQuery('why does "commit on branch" fail -windows -"not found" project:acme/web tag:"two words" kind:session'),
  ).toEqual({
    text: 'why does commit on branch fail',
    wanted: ['commit', 'branch', 'fail'].map((term) => ({ term, weight: 1 })),
    order: ['commit', 'branch', 'fail'],
    phrases: [{ terms: ['commit', 'branch'], places: [0, 2], words: 3 }],
    without: [
      { terms: ['window'], places: [0], words: 1 },
      { terms: ['not', 'found'], places: [0, 1], words: 2 },
    ],
    project: 'acme/web',
    kinds: ['session'],
    tags: ['two words'],
  });
});

describe('phrases', () => {
  test.each([
    ['"slow query"', ['slow queri']],
    ['“slow query”', ['slow queri']],
    ['„медленный запрос“', ['медлен запрос']],
    ['«медленный запрос»', ['медлен запрос']],
    ['"one two" and "three four"', ['one two', 'three four'].slice(1)],
    ['"open', []],
    ['5" disk and 3" drive', []],
    ['say "', []],
    ['"""', []],
    ['""', []],
    ['"to be or to be"', []],
    ['"createCommitOnBranch failed"', ['createcommitonbranch fail']],
    ['"full-text search"', ['full text search']],
    ['"-x"', ['x']],
  ])('%s', (query, expected) => {
    const read = phrases(query);
    expect(read.slice(-expected.length || 0)).toEqual(expected);
  });

  test.each([
    ['Who wrote "The Four Seasons"?', []],
    ['Что было в «Маленьких женщинах»? ', []],
    ['"why does it fail?"', ['fail']],
    ['why? "four seasons"', ['four season']],
  ])('demand nothing in a question: %s', (query, expected) => {
    expect(phrases(query)).toEqual(expected);
    expect(terms(query)).toEqual(expect.arrayContaining(expected.flatMap((each) => each.split(' '))));
  });

  test('one that does not close is words', () => {
    expect(terms('"slow query')).toEqual(['slow', 'queri']);
    expect(terms('«slow query')).toEqual(['slow', 'queri']);
  });

  test('begin at place 0, with stop words as gaps', () => {
    expect(readQuery('"the end of the line"').phrases).toEqual([{ terms: ['end', 'line'], places: [0, 3], words: 4 }]);
  });
});

describe('exclusions', () => {
  test.each([
    ['build -windows', ['window']],
    ['сборка -тесты', ['тест']],
    ['build -"power shell"', ['power shell']],
    ['build -«power shell»', ['power shell']],
    ['build -front-end', ['front end']],
    ['-windows', ['window']],
    ['build --force', []],
    ['rm -rf', []],
    ['offset -1', []],
    ['error -32602', []],
    ['a - b', []],
    ['-', []],
    ['well-known', []],
    ['pre -the', []],
    ['broken -"quote', []],
  ])('%s', (query, expected) => {
    expect(without(query)).toEqual(expected);
  });

  test('what is no exclusion is looked for', () => {
    expect(terms('npm ci --ignore-scripts')).toContain('ignorescript');
    expect(terms('rm -rf')).toEqual(['rm', 'rf']);
    expect(terms('error -32602')).toContain('32602');
    expect(terms('broken -"quote')).toEqual(['broken', 'quot']);
  });

  test('what is excluded is neither looked for nor embedded', () => {
    expect(readQuery('build -windows')).toMatchObject({ text: 'build', order: ['build'], wanted: [{ term: 'build' }] });
  });
});

describe('filters', () => {
  test('are taken out of the words', () => {
    expect(readQuery('Project:Acme/Web login TAG:ui tag:"dark mode" tag:ui kind:note')).toMatchObject({
      project: 'Acme/Web',
      tags: ['ui', 'dark mode'],
      kinds: ['note'],
      text: 'login',
    });
    expect(readQuery('project:a project:b').project).toBe('b');
    expect(readQuery('tag:ui, login').tags).toEqual(['ui']);
    expect(readQuery('project:«мой проект»').project).toBe('мой проект');
  });

  test.each([
    'foo:bar',
    'http://example.com/x',
    'error: no such file',
    'src/a.ts:12',
    'project: x',
    'tag:',
    'tag:""',
    'subproject:x',
  ])('%s is words', (query) => {
    const read = readQuery(query);
    expect(read).toMatchObject({ kinds: [], tags: [], text: query });
    expect(read.project).toBeUndefined();
    expect(read.wanted.length).toBeGreaterThan(0);
  });
});

test('nothing to look for is said by empty lists', () => {
  for (const query of ['', ' \n\t', 'who are we', 'и не только', '?!…', '"" "', '-', '***', '\ud800', '\u0301'])
    expect(readQuery(query), query).toMatchObject({ wanted: [], order: [], phrases: [], without: [] });
  expect(readQuery('who are we').text).toBe('who are we');
  expect(readQuery('?!…').text).toBe('');
});

test('no search engine’s operator means anything', () => {
  expect(terms('alpha AND beta OR NEAR(gamma) * title:delta & !x <-> y')).toEqual(
    'alpha beta near gamma titl delta x y'.split(' '),
  );
  expect(terms('" OR 1=1 --')).toEqual(['1']);
  expect(terms("'; DROP TABLE documents --")).toEqual(['drop', 'tabl', 'document']);
});

test('right-to-left text and emoji are words', () => {
  expect(terms('שָׁלוֹם عليكم 🚀')).toEqual(['שלום', 'عليكم', '🚀']);
});

describe('a long query', () => {
  test('keeps its first distinct terms', () => {
    const words = Array.from({ length: 500 }, (_, i) => `word${String.fromCharCode(97 + (i % 26))}${i}`).join(' ');
    const kept = terms(words);
    expect(kept).toHaveLength(64);
    expect(kept[0]).toBe(terms('worda0')[0]);
  });

  test('does not lose its words to one long run', () => {
    expect(
      terms(
        `${'数据库迁移用写的'.repeat(4)}${[...'一丁七万丈三上下不与丐丑专且丕世丘丙业丛东丝丞丢两严丧个丫中丰串临丸丹为主丽举'].join('')} zebra`,
      ),
    ).toContain('zebra');
  });

  test('of 100 KB is read', () => {
    for (const unit of ['a ', '"a ', '« ', '-"', 'tag:x ', 'project:', '数', 'ab', '\ud800', '-word '])
      expect(readQuery(unit.repeat(100_000 / unit.length)).wanted.length, unit).toBeLessThanOrEqual(64);
  });
});

const piece = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '"',
    '“',
    '”',
    '«',
    '»',
    '-',
    '--',
    'project:',
    'tag:',
    'kind:',
    ' ',
    'the',
    'Word',
    'идея',
    '数据',
    '1.2.3',
    "'",
  ),
);

test('any query: no throw, bounded, its terms are terms, and a plain one asks for its own words only', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const query = pieces.join('');
      const read = readQuery(query);
      const wanted = read.wanted.map(({ term }) => term);
      expect(new Set(wanted).size).toBe(wanted.length);
      expect(wanted.length).toBeLessThanOrEqual(64);
      const own = new Set(analyse(query.toWellFormed().replace(/\s+/g, ' ')).terms);
      if (!/["“”„«»‹:-]/.test(query)) for (const term of wanted) expect(own).toContain(term);
      for (const { terms: each, places, words } of [...read.phrases, ...read.without]) {
        expect(each.length).toBeGreaterThan(0);
        expect(places[0]).toBe(0);
        expect(places).toHaveLength(each.length);
        expect(places.every((place, i) => i === 0 || place > (places[i - 1] as number))).toBe(true);
        expect(words).toBe((places.at(-1) as number) + 1);
      }
      for (const value of [read.project ?? 'x', ...read.tags, ...read.kinds]) {
        expect(value.trim()).toBe(value);
        expect(value).not.toBe('');
        expect(value.length).toBeLessThanOrEqual(200);
      }
      expect(readQuery(query)).toEqual(read);
    }),
    { numRuns: 1_000 },
  );
});
