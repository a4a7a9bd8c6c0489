import type { Postings } from './corpus.js';
import type { Terms } from './terms.js';

/**
 * Where terms stand, as bytes that every mirror keeps. A page is a row of
 *   term length, term (UTF-8), length of what follows, { document, count × 2 + (title? 1 : 0), [times in title], places }…
 * with all numbers as varints, documents and places as distances from the one before. A document's own page has one
 * document, 0, for each term; a segment's pages hold the terms of many documents, each term on the page that its hash
 * names. Terms are compared as they are and never taken apart, so that they may be keyed.
 */
export type Page = Uint8Array;

/** Pages of a segment. */
const PAGES = 1024;

/** One document's terms as a page, in the order of the terms. */
export function pageOf(title: Terms, body: Terms): Page {
  const found = new Map<string, { titles: number; places: number[] }>();
  const at = (term: string) => {
    let known = found.get(term);
    if (!known) {
      known = { titles: 0, places: [] };
      found.set(term, known);
    }
    return known;
  };
  for (const term of title.terms) at(term).titles++;
  body.terms.forEach((term, index) => {
    const { places } = at(term);
    const place = body.places[index] as number;
    // A word can give the same term twice.
    if (places.at(-1) !== place) places.push(place);
  });
  const out = new Bytes();
  const one = new Bytes();
  for (const term of [...found.keys()].sort()) {
    const { titles, places } = found.get(term) as { titles: number; places: number[] };
    one.clear();
    one.number(0);
    one.number(places.length * 2 + (titles > 0 ? 1 : 0));
    if (titles > 0) one.number(titles);
    let before = 0;
    for (const place of places) {
      one.number(place - before);
      before = place;
    }
    out.row(term, one);
  }
  return out.take();
}

/** Which page of a segment a term is on. */
export function pageNumber(term: string): number {
  // FNV-1a: the same on every machine.
  let hash = 0x811c9dc5;
  for (let i = 0; i < term.length; i++) hash = Math.imul(hash ^ term.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % PAGES;
}

/**
 * Documents' own pages, in the order of their numbers in the segment (0, 1, 2…), as the pages of a segment, by number.
 * Rests between the documents, so that others get their turn.
 */
export async function mergePages(documents: Page[], rest: () => Promise<void>): Promise<Map<number, Page>> {
  const terms = new Map<string, { bytes: Bytes; last: number }>();
  for (const [document, page] of documents.entries()) {
    if (document % 32 === 31) await rest();
    for (const { term, from, to } of rows(page)) {
      let known = terms.get(term);
      if (!known) {
        known = { bytes: new Bytes(16), last: 0 };
        terms.set(term, known);
      }
      known.bytes.number(document - known.last);
      known.last = document;
      // Its own document number, 0, is one byte.
      known.bytes.copy(page, from + 1, to);
    }
  }
  const pages = new Map<number, Bytes>();
  for (const term of [...terms.keys()].sort()) {
    const number = pageNumber(term);
    let page = pages.get(number);
    if (!page) {
      page = new Bytes();
      pages.set(number, page);
    }
    page.row(term, (terms.get(term) as { bytes: Bytes }).bytes);
  }
  return new Map([...pages].map(([number, bytes]) => [number, bytes.take()]));
}

/** The pages of a segment as the own pages of its documents, in the order of their numbers. */
export function splitPages(pages: Page[], documents: number): Page[] {
  const own = Array.from({ length: documents }, () => [] as { term: string; bytes: Bytes }[]);
  for (const page of pages)
    for (const { term, from, to } of rows(page)) {
      const reader = new Reader(page, from, to);
      let document = 0;
      while (reader.at < to) {
        document += reader.number();
        const start = reader.at;
        const head = reader.number();
        reader.skip((head >>> 1) + (head & 1));
        const bytes = new Bytes(16);
        bytes.number(0);
        bytes.copy(page, start, reader.at);
        own[document]?.push({ term, bytes });
      }
    }
  return own.map((terms) => {
    const page = new Bytes();
    for (const { term, bytes } of terms.sort((a, b) => (a.term < b.term ? -1 : 1))) page.row(term, bytes);
    return page.take();
  });
}

/** The terms of a page, and where what is known of each is in it. */
export function* rowsOf(page: Page): Generator<[term: string, { from: number; to: number }]> {
  for (const { term, from, to } of rows(page)) yield [term, { from, to }];
}

/** Where a term's documents are in a page. */
export interface Slice {
  page: Page;
  from: number;
  to: number;
  /** Index in a corpus of each document of the page; -1 for those that are not in it. */
  indexes: Int32Array;
}

/** One term's postings over a corpus of `size` documents. Throws `RangeError` where the bytes are not what was written. */
export function collect(slices: Slice[], size: number): Postings {
  // Where each document's part begins, by its index: the order of the corpus, whatever the order of the segments.
  const slot = new Int32Array(size).fill(-1);
  const owner = new Uint16Array(size);
  let documents = 0;
  let places = 0;
  slices.forEach(({ page, from, to, indexes }, which) => {
    const reader = new Reader(page, from, to);
    let document = 0;
    while (reader.at < to) {
      document += reader.number();
      const index = indexes[document] ?? -1;
      const start = reader.at;
      const head = reader.number();
      if (head & 1) reader.number();
      reader.skip(head >>> 1);
      if (index < 0 || index >= size) continue;
      if ((slot[index] as number) < 0) documents++;
      slot[index] = start;
      owner[index] = which;
      places += head >>> 1;
    }
  });
  const found: Postings = {
    docs: new Uint32Array(documents),
    titles: new Uint16Array(documents),
    starts: new Uint32Array(documents + 1),
    places: new Uint32Array(places),
  };
  let next = 0;
  let at = 0;
  for (let index = 0; index < size; index++) {
    const start = slot[index] as number;
    if (start < 0) continue;
    const { page, to } = slices[owner[index] as number] as Slice;
    const reader = new Reader(page, start, to);
    const head = reader.number();
    found.docs[next] = index;
    found.titles[next] = head & 1 ? Math.min(reader.number(), 0xffff) : 0;
    found.starts[next++] = at;
    let place = 0;
    for (let count = head >>> 1; count > 0; count--) {
      place += reader.number();
      found.places[at++] = place;
    }
  }
  found.starts[documents] = at;
  return found;
}

function* rows(page: Page): Generator<{ term: string; from: number; to: number }> {
  const reader = new Reader(page, 0, page.length);
  const text = Buffer.from(page.buffer, page.byteOffset, page.byteLength);
  while (reader.at < page.length) {
    const length = reader.number();
    const start = reader.at;
    reader.at += length;
    const bytes = reader.number();
    const from = reader.at;
    const to = from + bytes;
    if (to > page.length) throw damaged();
    yield { term: text.toString('utf8', start, start + length), from, to };
    reader.at = to;
  }
}

/** Where the bytes are not what was written. */
export const damaged = () => new RangeError('a page of the search index is damaged');

class Reader {
  constructor(
    private readonly page: Page,
    public at: number,
    private readonly end: number,
  ) {}

  number(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.at >= this.end) throw damaged();
      const byte = this.page[this.at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw damaged();
  }

  /** Passes over so many numbers. */
  skip(count: number): void {
    for (let left = count; left > 0; left--) {
      while (this.at < this.end && (this.page[this.at] as number) >= 0x80) this.at++;
      this.at++;
    }
    if (this.at > this.end) throw damaged();
  }
}

class Bytes {
  private bytes: Uint8Array;
  private length = 0;

  constructor(size = 256) {
    this.bytes = new Uint8Array(size);
  }

  clear(): void {
    this.length = 0;
  }

  number(value: number): void {
    this.need(5);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.length++] = rest;
  }

  copy(from: Uint8Array, start: number, end: number): void {
    this.need(end - start);
    this.bytes.set(from.subarray(start, end), this.length);
    this.length += end - start;
  }

  row(term: string, { bytes, length }: Bytes): void {
    const name = Buffer.from(term, 'utf8');
    this.number(name.length);
    this.copy(name, 0, name.length);
    this.number(length);
    this.copy(bytes, 0, length);
  }

  take(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  private need(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
