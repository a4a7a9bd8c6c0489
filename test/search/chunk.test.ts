import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunkName, chunksOf } from '../../src/search/chunk.js';

const words = (text: string) => text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
const letters = (at: number) => String.fromCharCode(97 + (at % 26), 97 + (at % 7));
const sentence = (count: number, of: string) =>
  `${Array.from({ length: count }, (_, at) => of + letters(at)).join(' ')}.`;

describe('passages to embed', () => {
  test('short paragraphs and turns are joined, with the headings above them', () => {
    const turns = Array.from({ length: 21 }, (_, at) => `**Anna:** ${sentence(10, String.fromCharCode(97 + at))}`).join(
      '\n',
    );
    const chunks = chunksOf(`# Day one\n\n${turns}\n\n## Day two\n\nWe went home.\n`);
    expect(chunks[0]?.text).toMatch(/^Day one Anna: aaa abb .* Anna: baa/);
    expect(chunks.at(-1)?.text).toBe('Day two We went home.');
    for (const { text } of chunks.slice(0, -1)) expect(words(text)).toBeLessThanOrEqual(75);
    expect(chunks).toHaveLength(5);
  });

  test('a paragraph that fits is not parted, a long one is at its sentences', () => {
    const [a, b] = [sentence(50, 'A'), sentence(50, 'B')];
    for (const blank of ['\n\n', '\r\n\r\n', '\n \t\n', '\r\r', '\n\n\n\n'])
      expect(chunksOf(`${a}${blank}${b}`).map(({ text }) => text)).toEqual([a, b]);
    expect(chunksOf(`${a} ${b} ${a}`).map(({ text }) => text)).toEqual([a, b, a]);
    const endless = chunksOf(sentence(200, 'word').replace('.', ''));
    expect(endless.map(({ text }) => words(text))).toEqual([60, 60, 60, 20]);
  });

  test('the same paragraph is the same passage wherever it stands', () => {
    const same = sentence(60, 'same');
    const one = chunksOf(`# One\n\n${sentence(60, 'x')}\n\n${same}`);
    const two = chunksOf(`${same}\r\n\r\n# Other\r\n\r\n${sentence(40, 'y')}`);
    expect(one.at(-1)).toMatchObject({ name: chunkName(same), text: same });
    expect(two[0]?.name).toBe(chunkName(same));
  });

  test('of front matter only prose, of code and tables only the beginning', () => {
    const matter =
      '---\ntime: 2026-01-02T03:04:05.000Z\ntitle: Why the login broke\nproject: acme/web-shop\ntags:\n  - auth\n---\n';
    expect(chunksOf(`${matter}Cookies.`).map(({ text }) => text)).toEqual(['title: Why the login broke Cookies.']);
    const code = `Before.\n\n\`\`\`sh\n${`${sentence(10, 'run')}\n`.repeat(500)}\`\`\`\n\nAfter it.`;
    const texts = chunksOf(code).map(({ text }) => text);
    expect(words(texts.join(' '))).toBeLessThan(320);
    expect(texts.at(-1)).toMatch(/After it\.$/);
    const table = `${'| a cell | another one | and a third |\n'.repeat(1_000)}\nAfter it.`;
    expect(
      words(
        chunksOf(table)
          .map(({ text }) => text)
          .join(' '),
      ),
    ).toBeLessThan(320);
  });

  test('no note is too long, nothing empty is embedded', () => {
    expect(chunksOf(`${sentence(60, 'long')}\n\n`.repeat(5_000))).toHaveLength(1_000);
    const endless = 'Hello there, my friend. '.repeat(170_000);
    expect(chunksOf(endless)).toHaveLength(1_000);
    expect(chunksOf('\n'.repeat(4_000_000))).toEqual([]);
    expect(chunksOf('')).toEqual([]);
    expect(chunksOf('---\n\n***\n\n| --- | --- |\n\n!!!')).toEqual([]);
  });

  test('any text: passages in order, inside it, named by what they hold, and nothing of plain text is lost', () => {
    const word = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.stringMatching(/^[\wа-яё.-]{1,90}$/));
    const text = fc.array(fc.tuple(word, fc.constantFrom(' ', ' ', ' ', '. ', '\n', '\n\n', '\r\n')), {
      maxLength: 400,
    });
    fc.assert(
      fc.property(text, (parts) => {
        const note = parts.flat().join('');
        const chunks = chunksOf(note);
        let at = 0;
        for (const { name, text: embedded, from, to } of chunks) {
          expect(from).toBeGreaterThanOrEqual(at);
          expect(to).toBeGreaterThan(from);
          expect(to).toBeLessThanOrEqual(note.length);
          expect(embedded).not.toMatch(/^\s|\s$|\n/);
          expect(name).toBe(chunkName(embedded));
          at = to;
        }
        expect(chunksOf(note)).toEqual(chunks);
      }),
    );
    const plain = fc.array(fc.tuple(fc.stringMatching(/^[a-zа-я]{1,30}$/), fc.constantFrom(' ', '. ', '\n', '\n\n')));
    fc.assert(
      fc.property(plain, (parts) => {
        const note = parts.flat().join('');
        const found = chunksOf(note).flatMap(({ text: embedded }) => embedded.split(' '));
        expect(found).toEqual(note.split(/\s+/).filter((each) => each !== ''));
      }),
    );
  });
});
