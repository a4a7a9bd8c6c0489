import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bestUnits, layOut } from '../../src/search/bm25.js';
import type { Corpus } from '../../src/search/corpus.js';
import { readQuery } from '../../src/search/query.js';
import { type Circumstances, rank } from '../../src/search/rank.js';
import { corpusInMemory, type Text } from '../support/corpus.js';

const DAY = 86_400_000;
const filler = (words: number) => Array.from({ length: words }, (_, i) => `filler${'abcdefghij'[i % 10]}`).join(' ');

function ranked(texts: Text[], query: string, more: Partial<Circumstances> = {}) {
  const corpus = corpusInMemory(texts);
  const scope = more.scope ?? new Uint8Array(texts.length).fill(1);
  return rank(corpus, readQuery(query), { scope, dense: null, ...more });
}

/** Which texts come first. */
function order(texts: Text[], query: string, more: Partial<Circumstances> = {}): number[] {
  const { score } = ranked(texts, query, more);
  return texts.map((_, d) => d).sort((a, b) => (score[b] as number) - (score[a] as number) || a - b);
}

const cosines = (...best: number[][]) =>
  Float64Array.from(best.flatMap((each) => [0, 1, 2].map((i) => each[i] ?? Number.NaN)));

describe('words', () => {
  test('a rare word tells more than a common one', () => {
    const texts = [
      { text: 'server server server' },
      { text: 'zebra' },
      { text: 'server' },
      { text: 'server' },
      { text: 'apple' },
    ];
    expect(order(texts, 'server zebra')[0]).toBe(1);
  });

  test('words that stand together beat the same words far apart', () => {
    const apart = `copper ${filler(300)} kettle ${filler(300)} whistle`;
    const together = `${filler(300)} copper pipe kettle loud whistle ${filler(300)}`;
    expect(order([{ text: apart }, { text: together }], 'copper kettle whistle')).toEqual([1, 0]);
  });

  test('a long document is not buried for the rest of what it holds', () => {
    const texts = [{ text: `${filler(5_000)} copper kettle ${filler(5_000)}` }, { text: `copper ${filler(50)}` }];
    expect(order(texts, 'copper kettle')[0]).toBe(0);
  });

  test('a title counts more than the text', () => {
    const texts = [{ text: `copper ${filler(30)}` }, { title: 'Copper', text: filler(30) }, { text: filler(30) }];
    expect(order(texts, 'copper')).toEqual([1, 0, 2]);
  });

  test('neighbours in the order of the query beat the reverse order', () => {
    const texts = [{ text: `lock the dead ${filler(20)}` }, { text: `dead lock the ${filler(20)}` }, { text: 'else' }];
    expect(order(texts, 'dead lock')).toEqual([1, 0, 2]);
  });

  test('near words count less than the word itself', () => {
    const texts = [{ text: 'colour' }, { text: 'color' }];
    const corpus = corpusInMemory(texts);
    const [a, b] = ['colour', 'color'].map((word) => readQuery(word).wanted[0]?.term as string) as [string, string];
    const wanted = [
      { term: a, weight: 1 },
      { term: b, weight: 0.6 },
    ];
    const scope = new Uint8Array([1, 1]);
    const { score } = rank(corpus, { text: 'colour', wanted, order: [a] }, { scope, dense: null });
    expect(score[0]).toBeGreaterThan(score[1] as number);
    expect(score[1]).toBeGreaterThan(0);
  });

  test('every unit gets what its words give, counted one by one', () => {
    const words = fc.array(fc.constantFrom('aa', 'bb', 'cc', 'dd', 'ee'), { maxLength: 60 });
    const texts = fc.array(fc.record({ title: words, text: words }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(texts, fc.constantFrom(4, 10, 20, 200), fc.constantFrom(0, 2), (some, size, title) => {
        const corpus = corpusInMemory(some.map((each) => ({ title: each.title.join(' '), text: each.text.join(' ') })));
        const wanted = [
          { term: 'aa', weight: 1 },
          { term: 'bb', weight: 0.5 },
          { term: 'zz', weight: 1 },
        ];
        const { scores } = bestUnits(corpus, layOut(corpus.entries, { words: size, title }), wanted, new Map());
        const expected = byHand(some, size, title, wanted);
        for (const [d, score] of scores.entries()) expect(score).toBeCloseTo(expected[d] as number, 9);
      }),
    );
  });
});

/** BM25 of each text's best window, from the words themselves. */
function byHand(
  texts: { title: string[]; text: string[] }[],
  size: number,
  title: number,
  wanted: { term: string; weight: number }[],
): number[] {
  const units = texts.map(({ text, title: head }) => {
    const windows = [text.slice(0, size)];
    for (let at = size / 2; at + size / 2 < text.length; at += size / 2) windows.push(text.slice(at, at + size));
    return windows.map((window) => ({
      count: (term: string) =>
        window.filter((each) => each === term).length + title * head.filter((each) => each === term).length,
      length: Math.min(size, text.length) + title * head.length,
    }));
  });
  const all = units.flat();
  const average = all.reduce((sum, { length }) => sum + length, 0) / all.length || 1;
  return units.map((windows) =>
    Math.max(
      ...windows.map(({ count, length }) =>
        wanted.reduce((sum, { term, weight }) => {
          const tf = count(term);
          const df = all.filter((each) => each.count(term) > 0).length;
          const idf = Math.log(1 + (all.length - df + 0.5) / (df + 0.5));
          const saturated = 0.5 + (tf * 2.2) / (tf + 1.2 * (0.25 + (0.75 * length) / average));
          return tf > 0 ? sum + weight * idf * saturated : sum;
        }, 0),
      ),
    ),
  );
}

describe('speakers', () => {
  const talk = (...turns: string[]) => turns.map((turn) => turn.replace(/^(\w+):/, '**$1:**')).join('\n\n');
  const anna = talk('Anna: I adopted a parrot', 'Ben: nice', 'Anna: yes', 'Ben: fine', 'Anna: right', 'Ben: well then');
  const ben = talk('Anna: nice', 'Ben: I adopted a parrot', 'Anna: yes', 'Ben: fine', 'Anna: right', 'Ben: well then');

  test('who is named is preferred as the one who says it', () => {
    const texts = [{ text: anna }, { text: ben }];
    expect(order(texts, 'What parrot did Anna adopt?')).toEqual([0, 1]);
    expect(order(texts, 'What parrot did Ben adopt?')).toEqual([1, 0]);
  });

  test('"my" asks for what the user said, unless the query says "you"', () => {
    const said = talk('User: my parrot is green', 'Assistant: lovely bird');
    const told = talk('User: lovely bird', 'Assistant: a parrot is green');
    const texts = [{ text: told }, { text: said }];
    expect(order(texts, 'what colour is my parrot')).toEqual([1, 0]);
    const { lexical } = ranked(texts, 'what colour did you say my parrot is');
    expect(lexical.window[0]).toBeCloseTo(lexical.window[1] as number, 6);
  });

  test('labels that come once name nobody: notes with a decision are not hidden', () => {
    const texts = [
      { text: '**Decision:** use a parrot\n\n**Reason:** it talks' },
      { text: 'A parrot decision of last week' },
      { text: anna },
    ];
    expect(order(texts, 'decision parrot')[2]).toBe(2);
    expect(ranked(texts, 'decision parrot').lexical.window[1]).toBeGreaterThan(0.5);
  });

  test('without labels a name is a word', () => {
    const texts = [{ text: 'Anna adopted a parrot' }, { text: 'Ben adopted a parrot' }];
    expect(order(texts, 'parrot of Ben')).toEqual([1, 0]);
  });
});

describe('dates', () => {
  const at = (iso: string) => ({ text: 'we met at the harbour', timeMs: Date.parse(iso) });

  test.each([
    ['what happened at the harbour in May 2024', 1],
    ['harbour, май 2024', 1],
    ['что было в мае 2024 harbour', 1],
    ['harbour in 2023', 2],
    ['harbour 2024-07-03', 0],
    ['harbour on 3 July 2024', 0],
    ['harbour on July 3rd, 2024', 0],
    ['harbour 3 июля 2024', 0],
    ['harbour 03.07.2024', 0],
    ['harbour in November', 2],
  ])('%s', (query, expected) => {
    const texts = [at('2024-07-04'), at('2024-05-20'), at('2023-11-11')];
    expect(order(texts, query)[0]).toBe(expected);
  });

  test('words that are months only sometimes name none', () => {
    const { date } = ranked([at('2024-05-20'), at('2024-03-20')], 'it may march at the harbour');
    expect([...date]).toEqual([0, 0]);
  });

  test('a month does not hide what says every word', () => {
    const texts = [{ text: 'the outage of the harbour gate in May', timeMs: Date.parse('2024-06-02') }];
    const other = Array.from({ length: 300 }, (_, i) => ({
      text: filler(40),
      timeMs: Date.parse('2024-01-01') + i * DAY,
    }));
    expect(order([...other, ...texts], 'outage of the harbour gate in May 2024')[0]).toBe(300);
  });
});

describe('meaning', () => {
  const texts = [{ text: 'feline nap' }, { text: 'sleeping cat' }, { text: 'tax form' }];

  test('finds what shares no word with the query', () => {
    expect(order(texts, 'kitten dozing', { dense: cosines([0.7], [0.6], [0.1]) })).toEqual([0, 1, 2]);
  });

  test('counts less where the words are all found', () => {
    expect(order(texts, 'sleeping cat', { dense: cosines([0.7], [0.6], [0.1]) })[0]).toBe(1);
  });

  test('takes the best passages, the first counting most, and no more from a long document than from a short one', () => {
    const { dense } = ranked(texts, 'kitten', { dense: cosines([0.6], [0.6, 0.6, 0.6], [0.8, 0.4, 0.4]) });
    expect(dense?.[0]).toBeCloseTo(0.6, 9);
    expect(dense?.[1]).toBeCloseTo(0.6, 9);
    expect(dense?.[2]).toBeCloseTo((0.8 + 0.2 + 0.1) / 1.75, 9);
  });

  test('a document that is not embedded yet is found by its words', () => {
    const dense = cosines([0.4], [], [0.1]);
    expect(order(texts, 'sleeping cat', { dense })[0]).toBe(1);
    expect(ranked(texts, 'sleeping cat', { dense }).score.every(Number.isFinite)).toBe(true);
  });
});

describe('tie-breakers', () => {
  test('of equals the newer one, and the own project', () => {
    const texts = [
      { text: 'copper kettle', timeMs: 0 },
      { text: 'copper kettle', timeMs: 400 * DAY },
      { text: 'copper kettle', timeMs: 0 },
    ];
    expect(order(texts, 'copper')).toEqual([1, 0, 2]);
    expect(order(texts, 'copper', { own: new Uint8Array([0, 0, 1]) })[0]).toBe(2);
  });

  test('neither hides what matches better', () => {
    const texts = [
      { text: `copper kettle ${filler(30)}`, timeMs: 0 },
      ...Array.from({ length: 20 }, () => ({ text: `copper ${filler(30)}`, timeMs: 400 * DAY })),
    ];
    const own = new Uint8Array(21).fill(1);
    own[0] = 0;
    expect(order(texts, 'copper kettle', { own })[0]).toBe(0);
  });
});

describe('what holds for any memory', () => {
  const some = fc.array(fc.constantFrom('copper', 'kettle', 'anna', 'harbour', 'idx_users', 'крыша'), {
    maxLength: 30,
  });
  const texts = fc.array(fc.record({ title: some, text: some, days: fc.nat(900) }), { minLength: 1, maxLength: 12 });

  test('a document has its score wherever it is in memory', () => {
    fc.assert(
      fc.property(texts, fc.infiniteStream(fc.nat()), (given, numbers) => {
        const all = given.map(({ title, text, days }) => ({
          title: title.join(' '),
          text: text.join(' '),
          timeMs: days * DAY,
          key: numbers.next().value as number,
        }));
        const mixed = [...all].sort((a, b) => a.key - b.key);
        const dense = (list: typeof all) => cosines(...list.map(({ key }) => [(key % 100) / 100]));
        const query = 'copper kettle of anna';
        const [one, two] = [ranked(all, query, { dense: dense(all) }), ranked(mixed, query, { dense: dense(mixed) })];
        for (const [d, each] of all.entries())
          expect(two.score[mixed.indexOf(each)]).toBeCloseTo(one.score[d] as number, 9);
      }),
    );
  });

  test('what is out of scope has no score, and its words still tell how rare a word is', () => {
    const three = [{ text: 'copper' }, { text: 'kettle' }, { text: 'kettle' }, { text: 'kettle' }];
    const { score } = ranked(three, 'copper kettle', { scope: new Uint8Array([1, 1, 0, 0]) });
    expect([...score.subarray(2)]).toEqual([0, 0]);
    expect(score[0]).toBeGreaterThan(score[1] as number);
  });

  test('nothing to look for, or nothing to look in', () => {
    expect([...ranked([{ text: '' }], 'copper').score]).toEqual([0.02]);
    expect([...ranked([], 'copper').score]).toEqual([]);
    expect(ranked([{ text: 'copper' }], 'the of').score.every(Number.isFinite)).toBe(true);
    expect(ranked([{ text: 'copper' }], 'copper', { dense: cosines([]) }).score.every(Number.isFinite)).toBe(true);
  });

  test('a document of 600,000 words, and places beyond what it says it has', () => {
    const places = Uint32Array.from({ length: 200_000 }, (_, i) => i * 3);
    const corpus: Corpus = {
      entries: [
        { words: 600_000, titleTerms: 3, timeMs: 0, speakers: [] },
        { words: 10, titleTerms: 0, timeMs: 0, speakers: [] },
      ],
      postings: new Map([
        ['aa', { docs: Uint32Array.of(0), titles: Uint16Array.of(1), starts: Uint32Array.of(0, 200_000), places }],
        [
          'bb',
          {
            docs: Uint32Array.of(1),
            titles: Uint16Array.of(0),
            starts: Uint32Array.of(0, 1),
            places: Uint32Array.of(9_999),
          },
        ],
      ]),
    };
    const wanted = ['aa', 'bb'].map((term) => ({ term, weight: 1 }));
    const { score } = rank(
      corpus,
      { text: 'aa bb', wanted, order: ['aa', 'bb'] },
      { scope: new Uint8Array([1, 1]), dense: null },
    );
    expect(score.every((each) => Number.isFinite(each) && each > 0)).toBe(true);
  });
});
