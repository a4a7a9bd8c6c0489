import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { tokenCounter } from '../../src/core/tokens.js';
import { analyse } from '../../src/search/analyse.js';
import { type Found, type Passage, packPassages, type Shown } from '../../src/search/passages.js';
import { cutUnits } from '../../src/search/units.js';

let count: (text: string) => number;
beforeAll(async () => {
  count = await tokenCounter();
});

const found = (text: string, more: Partial<Found> = {}): Found => ({
  title: 'A note',
  text,
  score: 0,
  headerTokens: 40,
  chunks: [],
  ...more,
});

/** Every word tells the same. */
const wanted = (query: string) => new Map(analyse(query).terms.map((term) => [term, 3]));

const pack = (documents: Found[], query: string, budgetTokens = 1_000) =>
  packPassages(documents, { wanted: wanted(query), budgetTokens, count });

const texts = (shown: Shown[]) => shown.map(({ passages }) => passages.map(({ text }) => text));

/** As an answer says it, with the headings that are others than before. */
function written(passages: Passage[]): string {
  let text = '';
  let path = '';
  for (const passage of passages) {
    const here = passage.headings.join(' › ');
    if (here !== path && here !== '') text += `\n# ${here}`;
    else if (!passage.adjoins) text += '\n…';
    text += `${passage.continues ? ' ' : '\n'}${passage.text}`;
    path = here;
  }
  return text;
}

const NOTE = `# Release 2.4

The release went out late.

## Login

Users were logged out after the deploy.
The session cookie had lost its domain.

- set the cookie's domain again
- wait for the caches

## Timings

| endpoint | p50 | p95 |
|----------|-----|-----|
| /login | 12 ms | 80 ms |
| /search | 30 ms | 95 ms |

\`\`\`sh
curl -I https://example.com/login

curl -I https://example.com/logout
\`\`\`

**Anna:** Who told the customers?
**Boris:** Nobody, the status page did.
`;

describe('units', () => {
  const said = (text: string) => cutUnits(text).map(({ from, to }) => text.slice(from, to));

  test('are paragraphs, items, rows, turns and blocks of code, each with its headings', () => {
    const units = cutUnits(NOTE);
    expect(units.map(({ from, to, headings }) => [headings.join(' › '), NOTE.slice(from, to)])).toEqual([
      ['Release 2.4', 'The release went out late.'],
      ['Release 2.4 › Login', 'Users were logged out after the deploy.\nThe session cookie had lost its domain.'],
      ['Release 2.4 › Login', "- set the cookie's domain again"],
      ['Release 2.4 › Login', '- wait for the caches'],
      ['Release 2.4 › Timings › endpoint | p50 | p95', '| /login | 12 ms | 80 ms |'],
      ['Release 2.4 › Timings › endpoint | p50 | p95', '| /search | 30 ms | 95 ms |'],
      ['Release 2.4 › Timings', expect.stringMatching(/^```sh\n.*\n\n.*\n```$/)],
      ['Release 2.4 › Timings', '**Anna:** Who told the customers?'],
      ['Release 2.4 › Timings', '**Boris:** Nobody, the status page did.'],
    ]);
    expect(units.map(({ speaker }) => speaker).slice(-2)).toEqual(['Anna', 'Boris']);
    expect(units.filter(({ code }) => code)).toHaveLength(1);
  });

  test('long paragraphs are cut where sentences end, long code where lines do', () => {
    const prose = said('A sentence of some words, not a short one. '.repeat(40));
    expect(prose.length).toBeGreaterThan(5);
    for (const each of prose) expect(each.trim()).toMatch(/one\.$/);
    const code = said(`\`\`\`\n${'const value = compute(1);\n'.repeat(100)}\`\`\``);
    for (const each of code) expect(each).toMatch(/^(?:```|const)[\s\S]*(?:;\n|```)$/);
  });

  test('lose no word, whatever the text', () => {
    const line = fc.constantFrom(
      '# head',
      '- item',
      '| a | b |',
      '|---|---|',
      '```',
      '**Anna:** hi',
      '',
      'plain words',
      '---',
      '> q',
      'x'.repeat(700),
      '𝒳'.repeat(400),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string({ unit: 'binary' })), { maxLength: 40 }), (lines) => {
        const text = lines.join('\n');
        let before = 0;
        let left = '';
        for (const { from, to } of cutUnits(text)) {
          expect(from).toBeGreaterThanOrEqual(before);
          expect(to).toBeGreaterThan(from);
          left += text.slice(before, from);
          before = to;
        }
        left += text.slice(before);
        // Headings, rules and the first rows of tables are no units; nothing else is left out.
        expect(left).not.toMatch(/plain words|item|hi|xx|𝒳/u);
      }),
    );
  });
});

describe('passages', () => {
  test('the best come first, and stand in the order of the text', () => {
    const shown = pack([found(NOTE, { title: 'Release 2.4' })], 'cookie domain logout', 150);
    const [{ passages }] = shown as [Shown];
    const best = passages.toSorted((a, b) => a.rank - b.rank);
    expect(best[0]?.text).toMatch(/cookie/);
    expect(best[0]?.headings).toEqual(['Login']);
    const places = passages.map(({ text }) => NOTE.replaceAll('**', '').indexOf(text));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(shown[0]?.matched.toSorted()).toEqual([...wanted('cookie domain logout').keys()].sort());
  });

  test('documents keep their order, and one without room for a passage is still named', () => {
    const documents = [0, 1, 2].map((i) =>
      found(`Note ${i} of the walrus. ${`word${i} `.repeat(30)}`, { score: 3 - i }),
    );
    expect(pack(documents, 'walrus').map(({ at }) => at)).toEqual([0, 1, 2]);
    const few = pack(documents, 'walrus', 190);
    expect(few.map(({ at }) => at)).toEqual([0, 1, 2]);
    expect(few.some(({ passages }) => passages.length === 0)).toBe(true);
    expect(pack(documents, 'walrus', 39)).toEqual([]);
  });

  test('what is near in meaning is shown where no word matches', () => {
    const text = 'The cat slept.\n\nPostgres stopped taking connections.\n\nThe dog barked.';
    const from = text.indexOf('Postgres');
    const chunks = [
      { from: 0, to: from, cosine: 0.1 },
      { from, to: from + 36, cosine: 0.6 },
      { from: from + 37, to: text.length, cosine: 0.1 },
    ];
    const [{ passages }] = pack([found(text, { chunks })], 'database outage', 60) as [Shown];
    expect(passages.find(({ rank }) => rank === 0)?.text).toBe('Postgres stopped taking connections.');
  });

  test('out of the middle of a turn it is said who speaks', () => {
    const turn = `**Anna:** ${'We talked about the weather for a while. '.repeat(12)}The walrus came at noon. ${'Then it rained again. '.repeat(12)}`;
    const [{ passages }] = pack([found(turn)], 'walrus', 110) as [Shown];
    expect(passages.map(({ text }) => text).join()).toMatch(/^Anna: ….*walrus/);
  });

  test('nearly the same text is shown once and says where else it is, unless it has more of what was asked', () => {
    const text = Array.from({ length: 40 }, (_, i) => `Sentence ${i} tells of event${i}.`).join(' ');
    const documents = [
      found(text, { score: 3 }),
      found(`${text} P.S. walrus.`, { score: 2 }),
      found('An event of its own.', { score: 1 }),
    ];
    expect(pack(documents, 'event7').map(({ at, also }) => [at, also])).toEqual([
      [0, [1]],
      [2, []],
    ]);
    expect(pack(documents, 'event7 walrus').map(({ also }) => also)).toEqual([[], [], []]);
  });

  test('never over the budget, nothing twice, always the same', () => {
    const word = fc.constantFrom(
      'walrus',
      'cookie',
      'моржи',
      'idx_sessions',
      '```',
      '# a',
      '- ',
      '|',
      '**B:**',
      '\n',
      '\n\n',
      '…',
      'שלום',
      '🦭',
      '\0',
      '.',
    );
    const text = fc
      .array(fc.oneof(word, fc.string({ unit: 'binary' })), { maxLength: 120 })
      .map((words) => words.join(' '));
    const document = fc.record({ text, score: fc.double({ min: -5, max: 20, noNaN: true }), headerTokens: fc.nat(80) });
    fc.assert(
      fc.property(fc.array(document, { maxLength: 8 }), fc.integer({ min: 100, max: 20_000 }), (documents, budget) => {
        const given = documents.map((each) => found(each.text, each));
        const shown = pack(given, 'walrus cookie морж', budget);
        const tokens = shown.map(({ at, passages }) => (given[at] as Found).headerTokens + count(written(passages)));
        expect(tokens.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(budget);
        const all = texts(shown).flat();
        expect(new Set(all).size).toBe(all.length);
        const ranks = shown.flatMap(({ passages }) => passages.map(({ rank }) => rank));
        expect(ranks.toSorted((a, b) => a - b)).toEqual([...ranks.keys()]);
        expect(pack(given, 'walrus cookie морж', budget)).toEqual(shown);
      }),
    );
  });

  const SIZE = 4 * 1024 * 1024;
  const fill = (part: string) => part.repeat(Math.ceil(SIZE / part.length));
  test.each([
    ['one line', fill('word ')],
    ['one word', fill('a')],
    ['headings', fill('# heading\n')],
    ['nested headings', fill('# a\n## b\n### c\n')],
    ['an unclosed fence', `\`\`\`\n${fill('line of code\n')}`],
    ['fences', fill('```\n')],
    ['tables', fill('|-|\n')],
    ['NUL', fill('\0')],
    ['right to left', fill('שלום עולם. ')],
    ['stars', fill('**')],
    ['full stops', fill('."')],
    ['items', fill('- a\n')],
  ])('4 MiB of nothing but %s take no harm, and what matters is found in them', (_name, text) => {
    const middle = Math.floor(text.length / 2);
    const hidden = `${text.slice(0, middle)}\n\nThe walrus is here.\n\n${text.slice(middle)}`;
    const [{ passages }] = pack([found(hidden)], 'walrus', 400) as [Shown];
    expect(passages.map((each) => each.text).join('\n')).toContain('The walrus is here.');
  });
});
