import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { analyse, mainTerms } from '../../src/search/analyse.js';

const termsOf = (text: string) => analyse(text).terms;
/** Every term of the query stands in the text. */
const finds = (query: string, text: string) => {
  const there = new Set(termsOf(text));
  const asked = termsOf(query);
  return asked.length > 0 && asked.every((term) => there.has(term));
};
const shares = (query: string, text: string) => {
  const there = new Set(termsOf(text));
  return termsOf(query).some((term) => there.has(term));
};

describe('one text gives the terms of another', () => {
  test.each([
    ['migrating DATABASE', 'We migrated the databases.'],
    ['ошибка', 'Исправили ошибки'],
    ['платежная', 'в платёжной системе'],
    ['замок', 'за\u0301мок'],
    ['Anna', 'Anna’s note'],
    ['obrien', "O'Brien"],
    ['Muller cafe', 'Müller im Cafe\u0301'],
    ['strasse', 'Straße'],
    ['ﬁle', 'ＦＩＬＥ'],
    ['database', 'data\u00adbase'],
    ['й', 'и\u0306'],
    ['createcommitonbranch', 'createCommitOnBranch'],
    ['commit branch', 'createCommitOnBranch'],
    ['retry_count', 'retryCount'],
    ['retry-count', 'retryCount'],
    ['parseHTTPResponse', 'parse_http_response'],
    ['URL', 'URLs'],
    ['idx_sessions_search', 'CREATE INDEX idx_sessions_search ON t'],
    ['#3216', 'fixed in PR-3216.'],
    ['3216', 'https://github.com/acme/web/pull/3216#discussion_r1'],
    ['PR-3216', '(PR-3216)'],
    ['mirror-sqlite.ts', 'see src/tiers/mirror-sqlite.ts:12'],
    ['tiers/mirror-sqlite.ts', './src/tiers/mirror-sqlite.ts'],
    ['mirrorSqlite', 'mirror-sqlite.ts'],
    ['front matter', 'front-matter'],
    ['frontmatter', 'front-matter'],
    ['HashMap', 'java.util.HashMap'],
    ['std::vec::Vec', 'use std::vec::Vec;'],
    ['x.txt', 'C:\\Users\\x.txt'],
    ['1.2.3', 'v1.2.3'],
    ['v1.2', '1.2.3'],
    ['octokit/rest', '@octokit/rest@22.0.1'],
    ['22.0.1', '@octokit/rest@22.0.1'],
    ['10.0.0.12', 'connect ECONNREFUSED 10.0.0.12:5432'],
    ['anna example', 'anna@example.com'],
    ['econnrefused', 'ECONNREFUSED'],
    ['e11000', 'MongoServerError: E11000'],
    ['TS2345', 'error ts2345:'],
    ['0x80070005', '0X80070005'],
    ['42p01', 'SQLSTATE 42P01'],
    ['50 ms', '50ms'],
    ['15.01.2026', 'on 2026-01-15'],
    ['2026/1/15', '2026-01-15T10:30:00Z'],
    ['1/15/2026', '15/1/2026'],
    ['2026-01-15', 'migrations/20260115_add_index.sql'],
    ['C++', 'in C++ and C#'],
    ['数据库', '数据库迁移'],
    ['库', '数据库'],
    ['ฐานข้อมูล', 'กู้ฐานข้อมูล'],
    ['데이터베이스', '데이터베이스를'],
    ['Postgres 写的', '用Postgres写的'],
    ['commit', 'commit’ы'],
    ['🚀', 'shipped 🚀!'],
    ['🇷🇺', 'на 🇷🇺'],
  ])('%s ← %s', (query, text) => {
    expect(finds(query, text), `${termsOf(query)} in ${termsOf(text)}`).toBe(true);
  });

  test.each([
    ['15 January 2026', '2026-01-15'],
    ['January 15th, 2026', '15.01.2026'],
    ['15 января', '2026-01-15'],
    ['2026-01-15', '15 января 2026 г.'],
    ['January 2026', '2026-01-03'],
    ['39bfe3db', 'commit 39bfe3db7c41d2a09e5566f0b1c2d3e4f5a6b7c8'],
    ['550E8400-E29B-41D4-A716-446655440000', '550e8400e29b'],
  ])('%s shares one with %s', (query, text) => {
    expect(shares(query, text), `${termsOf(query)} and ${termsOf(text)}`).toBe(true);
  });

  test.each([
    ['1.2.3', '12.3 1 2 3'],
    ['C++', 'vitamin C'],
    ['2026-01-15', '2026-02-15'],
    ['39bfe3db', '39bfe3ab'],
    ['idx_users', 'idxes userland'],
    ['❤️', '\ufe0f'],
  ])('%s is not in %s', (query, text) => {
    expect(finds(query, text), `${termsOf(query)} in ${termsOf(text)}`).toBe(false);
  });
});

test('stop words keep their place and give no term, but names in capitals do', () => {
  expect(analyse('the end of the line')).toEqual({ terms: ['end', 'line'], places: [1, 4], words: 5 });
  expect(analyse('и это же мы')).toEqual({ terms: [], places: [], words: 4 });
  expect(termsOf('IT and it, US and us')).toEqual(['it', 'us']);
});

test('identifiers are one word, joined words are several; the main terms are one for each', () => {
  expect(analyse('createCommitOnBranch failed')).toEqual({
    terms: ['createcommitonbranch', 'creat', 'commit', 'branch', 'fail'],
    places: [0, 0, 0, 0, 1],
    words: 2,
  });
  expect(analyse('src/mirror-sqlite.ts')).toEqual({
    terms: ['src', 'srcmirrorsqlitet', 'mirror', 'mirrorsqlitet', 'mirrorsqlit', 'sqlite', 'ts'],
    places: [0, 0, 1, 1, 1, 2, 3],
    words: 4,
  });
  expect(mainTerms('src/mirror-sqlite.ts createCommitOnBranch 1.2.3').terms).toEqual(
    'src mirror sqlite ts createcommitonbranch 1.2.3'.split(' '),
  );
  expect(analyse('数据库').places).toEqual([0, 0, 1, 1, 2]);
});

test('a checksum is one word, not the crumbs it can be cut into', () => {
  expect(termsOf('qZ8xY1bCd3E4fG5hI6jK7lM8nO9p')).toEqual(['qz8xy1bcd3e4fg5hi6jk7lm8no9p']);
});

/** Texts of the kinds that break analysers. */
const odd = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 100 }).map((codes) => String.fromCharCode(...codes)),
  fc
    .array(
      fc.constantFrom(
        ...[
          'a',
          'Ab',
          '9',
          '2026',
          '15',
          '-',
          '.',
          '/',
          '::',
          '_',
          ' ',
          '\n',
          "'s",
          '’',
          'ё',
          'Щ',
          '数',
          'ก',
          '가',
          'é',
        ],
        ...['\u0301', '\u0316', '\ud83d', '\udc00', '🚀', '\u200d', '\ufdfa', '½', 'ﬁ', '#', 'c++', 'january', 'мая'],
        ...['0x', 'ffff', 'x'.repeat(300), '数'.repeat(300), '𝔸', '𐐷'.repeat(60)],
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.join('')),
);

test('any text: terms of 1 to 100 characters without spaces or control characters, at places that never fall', () => {
  fc.assert(
    fc.property(odd, (text) => {
      const { terms, places, words } = analyse(text);
      expect(places).toHaveLength(terms.length);
      expect(terms.filter((term) => term === '' || term.length > 100 || /[\s\p{Cc}\p{Cs}\p{Zs}]/u.test(term))).toEqual(
        [],
      );
      expect(places.filter((place, i) => place < (places[i - 1] ?? 0) || place >= words)).toEqual([]);
      expect(analyse(text)).toEqual({ terms, places, words });
      const main = mainTerms(text);
      expect(new Set(main.places).size).toBe(main.places.length);
      expect(main.words).toBe(words);
      const all = new Set(terms.map((term, i) => `${places[i]} ${term}`));
      expect(main.terms.filter((term, i) => !all.has(`${main.places[i]} ${term}`))).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});

test('each word of any text is found in it by itself', () => {
  fc.assert(
    fc.property(odd, (text) => {
      const there = new Set(termsOf(text));
      const missed = text.split(/\s+/).flatMap((word) => termsOf(word).filter((term) => !there.has(term)));
      expect(missed).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});

test('capitals and the way of composing characters make no difference to plain words', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-zàéüñа-яё ]{0,40}$/), (text) => {
      expect(termsOf(text.normalize('NFD'))).toEqual(termsOf(text));
      const titled = text.replace(/\p{L}+/gu, (word) => word[0]?.toUpperCase() + word.slice(1));
      expect(termsOf(titled)).toEqual(termsOf(text));
    }),
  );
});

test('no text takes long: a quarter of a megabyte of one letter, of marks, joints, digits, signs or one script', () => {
  const size = 1 << 18;
  for (const unit of [
    'a',
    '\u0301\u0316',
    'a\u0301\u0316',
    'a.',
    '1.',
    '_',
    "a'",
    'aB',
    '数',
    'ก',
    '🚀',
    '\ud800',
    '\ufdfa',
    'a-',
    '::',
  ])
    expect(analyse(unit.repeat(size / unit.length)).places.length, unit).toBeLessThanOrEqual(4 * size);
});

test('no more terms than asked for, but for those of the last word', () => {
  expect(analyse('one two three four '.repeat(1_000), 5).terms).toHaveLength(5);
  expect(mainTerms('alpha beta gamma', 2).terms).toEqual(['alpha', 'beta']);
});
