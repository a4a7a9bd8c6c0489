import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { analyse } from '../../src/search/analyse.js';
import { nearest, nearTerms } from '../../src/search/near.js';

const vocabulary = analyse(`database migration receive separate accommodate authentication environment configuration
  deployment deploy kubernetes postgres semaphore session sessions decision table label 4711 e11000 retryCount v1.2.3 stable
  аутентификация миграция настройка производительность очередь сообщение ошибка оплата резервная копия ελληνικα`).terms;
const first = (word: string) => nearTerms(analyse(word).terms[0] ?? '', vocabulary)[0]?.term;
const stem = (word: string) => analyse(word).terms[0];

describe('what was meant by', () => {
  test.each([
    ['databse', 'database'],
    ['migratoin', 'migration'],
    ['imgration', 'migration'],
    ['recieve', 'receive'],
    ['seperate', 'separate'],
    ['accomodate', 'accommodate'],
    ['authentification', 'authentication'],
    ['enviroment', 'environment'],
    ['configuraton', 'configuration'],
    ['kuberntes', 'kubernetes'],
    ['kube', 'kubernetes'],
    ['postgresql', 'postgres'],
    ['semafore', 'semaphore'],
    ['retryCuont', 'retryCount'],
    ['аутентфикация', 'аутентификация'],
    ['мигарция', 'миграция'],
    ['настроека', 'настройка'],
    ['производителность', 'производительность'],
    ['ελληνκα', 'ελληνικα'],
  ])('%s: %s', (typo, word) => {
    expect(first(typo)).toBe(stem(word));
  });
});

test('nothing near: short words, names with digits, what is like nothing', () => {
  for (const word of ['', 'tab', 'e11001', '4712', 'v1.2.4', 'qqqqzzqq', '数据', '🚀', 'x'.repeat(100)])
    expect(nearTerms(word, vocabulary), word).toEqual([]);
});

test('what is nearer leaves nothing for what is farther', () => {
  expect(nearest(nearTerms('sesion', ['season', 'sesina', 'session', 'sesiona'])).map(({ term }) => term)).toEqual([
    'sesiona',
    'session',
  ]);
  expect(nearest(nearTerms('stabl', ['table', 'stable'])).map(({ term }) => term)).toEqual(['stable']);
});

const word = fc.stringMatching(/^[a-eа-д]{4,12}$/);

test('any word: few terms of the vocabulary, weights below 1, whatever its order; one edit is always near', () => {
  fc.assert(
    fc.property(word, fc.uniqueArray(word, { maxLength: 40 }), fc.nat(), (unknown, others, seed) => {
      const at = seed % unknown.length;
      const edited = unknown.slice(0, at) + unknown.slice(at + 1);
      const known = [...others, edited].filter((each) => each !== unknown);
      const near = nearest(nearTerms(unknown, known));
      expect(near.length).toBeLessThanOrEqual(4);
      for (const { term, weight } of near) {
        expect(known).toContain(term);
        expect(weight).toBeGreaterThan(0);
        expect(weight).toBeLessThan(1);
      }
      expect(nearest(nearTerms(unknown, known.toReversed())), 'in any order').toEqual(near);
      expect(near.length).toBeGreaterThan(0);
    }),
  );
});

test('any strings: no throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(fc.string({ unit: 'binary' })), (unknown, known) => {
      expect(nearest(nearTerms(unknown, known)).length).toBeLessThanOrEqual(4);
    }),
  );
});
