import fc from 'fast-check';
import { expect, test } from 'vitest';
import { collect, mergePages, type Page, pageNumber, pageOf, rowsOf, splitPages } from '../../src/search/postings.js';
import type { Terms } from '../../src/search/terms.js';

interface Text {
  title: string[];
  body: [term: string, skipped: number][];
}

const term = fc.oneof(
  fc.constantFrom('migrat', 'ошибк', '数据', '🚀', 'v1.2.3', 'a'.repeat(100)),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }).map((text) => text.replace(/[\s\p{C}]/gu, '') || 'x'),
);
const text: fc.Arbitrary<Text> = fc.record({
  title: fc.array(term, { maxLength: 4 }),
  body: fc.array(fc.tuple(term, fc.constantFrom(0, 1, 1, 2, 127, 128, 300_000)), { maxLength: 30 }),
});

function termsOf(body: Text['body']): Terms {
  let place = -1;
  const places = body.map(([, skipped]) => {
    place += place < 0 ? 1 : skipped;
    return place;
  });
  return { terms: body.map(([each]) => each), places, words: place + 1 };
}

const own = ({ title, body }: Text): Page =>
  pageOf({ terms: title, places: title.map((_, at) => at), words: title.length }, termsOf(body));

/** What a term's postings over these texts have to be, by counting. */
function expected(texts: Text[], wanted: string) {
  const documents = texts.flatMap(({ title, body }, at) => {
    const { terms, places } = termsOf(body);
    const found = [...new Set(places.filter((_, i) => terms[i] === wanted))];
    const titles = title.filter((each) => each === wanted).length;
    return found.length + titles > 0 ? [{ at, titles, found }] : [];
  });
  const starts = [0];
  for (const { found } of documents) starts.push((starts.at(-1) ?? 0) + found.length);
  return {
    docs: documents.map(({ at }) => at),
    titles: documents.map(({ titles }) => titles),
    starts,
    places: documents.flatMap(({ found }) => found),
  };
}

const plain = (postings: ReturnType<typeof collect>) => ({
  docs: [...postings.docs],
  titles: [...postings.titles],
  starts: [...postings.starts],
  places: [...postings.places],
});

const rest = async () => {};
const at = (page: Page | undefined, wanted: string) => new Map(page ? rowsOf(page) : []).get(wanted);

test('postings say where each term stands, from documents’ own pages, from a segment and from both together', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 8 }), fc.nat({ max: 8 }), async (texts, cut) => {
      const all = [...new Set(texts.flatMap(({ title, body }) => [...title, ...body.map(([each]) => each)]))];
      const pages = texts.map(own);
      const merged = await mergePages(pages.slice(0, cut), rest);
      for (const wanted of [...all, 'nowhere']) {
        const slices = pages.slice(cut).flatMap((page, i) => {
          const row = at(page, wanted);
          return row ? [{ page, ...row, indexes: Int32Array.of(cut + i) }] : [];
        });
        const page = merged.get(pageNumber(wanted));
        const row = at(page, wanted);
        if (page && row) slices.push({ page, ...row, indexes: Int32Array.from({ length: cut }, (_, i) => i) });
        expect(plain(collect(slices, texts.length))).toEqual(expected(texts, wanted));
      }
      // What was merged can be taken apart again, to the byte.
      expect(splitPages([...merged.values()], Math.min(cut, texts.length))).toEqual(pages.slice(0, cut));
    }),
  );
});

test('documents that are in no corpus are passed over, and others keep their order whatever the order of the segment', async () => {
  const texts: Text[] = ['one', 'two', 'three', 'four'].map((name) => ({
    title: [name],
    body: [
      ['shared', 1],
      [name, 1],
      ['shared', 1],
    ],
  }));
  const merged = await mergePages(texts.map(own), rest);
  const page = merged.get(pageNumber('shared')) as Page;
  const row = at(page, 'shared') as { from: number; to: number };
  const found = collect([{ page, ...row, indexes: Int32Array.of(2, -1, 0, 1) }], 3);
  expect(plain(found)).toEqual({
    docs: [0, 1, 2],
    titles: [0, 0, 0],
    starts: [0, 2, 4, 6],
    places: [0, 2, 0, 2, 0, 2],
  });
});

test('bytes that are no page are named, and never read for ever', () => {
  const page = own({ title: ['a'], body: [['b', 1]] });
  for (let cut = 1; cut < page.length; cut++) {
    let read: unknown;
    try {
      read = [...rowsOf(page.slice(0, cut))];
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
      continue;
    }
    // Cut between two rows.
    expect(read).toHaveLength(1);
  }
  const { from, to } = at(page, 'b') as { from: number; to: number };
  expect(() => collect([{ page, from, to: to - 1, indexes: Int32Array.of(0) }], 1)).toThrow(RangeError);
});
