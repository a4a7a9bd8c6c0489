import { analyse, mainTerms } from './analyse.js';
import type { Terms } from './terms.js';

/** What a query string asks for. */
export interface Query {
  /** The query without its operators: what is embedded. Empty where it has no letter, digit or emoji. */
  text: string;
  /** Distinct terms in order; near terms of a word that no note has weigh less than 1. */
  wanted: { term: string; weight: number }[];
  /** The terms as they follow each other, one for each word that has any, for adjacent pairs. */
  order: string[];
  /** Each must stand in a document: every term as far from the first one as its place says (the first place is 0). */
  phrases: Terms[];
  /** Words (phrases of one) and phrases that a document must not have. */
  without: Terms[];
  project?: string;
  kinds: string[];
  tags: string[];
}

/** More of a query is not read: what ranks is at its beginning. */
const READ_CHARS = 20_000;
const TEXT_CHARS = 2_000;
const MOST_TERMS = 64;
const MOST_ORDER = 200;
const MOST_PHRASES = 16;
const MOST_VALUES = 16;
const VALUE_CHARS = 200;
/** What each word of a long query may keep before the others have had their share. */
const FAIR_SHARE = 8;

const CLOSING: Record<string, string> = { '"': '"', '“': '”“', '”': '”', '„': '“”', '«': '»', '»': '«', '‹': '›' };
const FIELD = /(project|kind|tag):(?=\S)/iy;

/**
 * A query string, read. Operators: `"a phrase"` (straight, typographic or angle quotes; one that does not close is
 * nothing; in a question, which ends with `?`, quotes name a book or a song and demand nothing), `-word` and `-"a phrase"` (but `--flag`, `-rf`, `-1` and `a-b` are words), `project:x`, `kind:x`, `tag:x`
 * (the value may be quoted; any other `foo:bar` is words). Never throws.
 */
export function readQuery(query: string): Query {
  const read: Query = { text: '', wanted: [], order: [], phrases: [], without: [], kinds: [], tags: [] };
  const source = query.slice(0, READ_CHARS).toWellFormed();
  const plain: string[] = [];
  let at = 0;
  while (at < source.length) {
    const piece = pieceAt(source, at);
    at = piece.end;
    if (piece.kind === 'field') setField(read, piece.name, piece.value);
    else if (piece.kind === 'without') addPhrase(read.without, piece.value);
    else {
      if (piece.kind === 'phrase') addPhrase(read.phrases, piece.value);
      if (piece.value !== '') plain.push(piece.value);
    }
  }
  const text = plain.join(' ');
  read.text = /[\p{L}\p{N}\p{Extended_Pictographic}\p{RI}]/u.test(text)
    ? text.slice(0, TEXT_CHARS).toWellFormed().trim()
    : '';
  read.wanted = wantedOf(text).map((term) => ({ term, weight: 1 }));
  read.order = mainTerms(text, MOST_ORDER).terms;
  if (/[?？]\s*$/.test(source)) read.phrases = [];
  return read;
}

type Piece =
  | { kind: 'words' | 'phrase' | 'without'; value: string; end: number }
  | { kind: 'field'; name: string; value: string; end: number };

/** The piece of the query that begins at `at`: white space belongs to nobody. */
function pieceAt(source: string, at: number): Piece {
  if (/\s/.test(source[at] ?? '')) return { kind: 'words', value: '', end: at + 1 };
  const quoted = quotedAt(source, at);
  if (quoted) return { kind: 'phrase', ...quoted };
  FIELD.lastIndex = at;
  const field = FIELD.exec(source);
  if (field) {
    const from = FIELD.lastIndex;
    const { value, end } = quotedAt(source, from) ?? listedAt(source, from);
    if (value.trim() !== '') return { kind: 'field', name: (field[1] as string).toLowerCase(), value, end };
  }
  if (source[at] === '-') {
    const negative = quotedAt(source, at + 1) ?? wordAt(source, at + 1);
    if (
      source[at + 1] !== undefined &&
      (CLOSING[source[at + 1] as string] ? negative.quoted : excludes(negative.value))
    )
      return { kind: 'without', ...negative };
  }
  return { kind: 'words', ...wordAt(source, at) };
}

/** Begins with a letter, and is not a short flag as of `rm -rf`. */
const excludes = (word: string) => /^\p{L}/u.test(word) && !/^[a-z]{1,2}$/i.test(word);

function quotedAt(source: string, at: number): { value: string; end: number; quoted: true } | null {
  const ends = [...(CLOSING[source[at] ?? ''] ?? '')]
    .map((each) => source.indexOf(each, at + 1))
    .filter((end) => end > 0);
  if (ends.length === 0) return null;
  const end = Math.min(...ends);
  return { value: source.slice(at + 1, end), end: end + 1, quoted: true };
}

function wordAt(source: string, at: number): { value: string; end: number; quoted: false } {
  let end = at;
  while (end < source.length && !/\s/.test(source[end] as string)) end++;
  return { value: source.slice(at, end), end, quoted: false };
}

/** A word that may be followed by a comma, as in `tag:ui, login`. */
function listedAt(source: string, at: number): { value: string; end: number } {
  const { value, end } = wordAt(source, at);
  return { value: value.replace(/[,;]$/, ''), end };
}

function setField(read: Query, name: string, value: string): void {
  const cut = value.slice(0, VALUE_CHARS).toWellFormed().trim();
  if (name === 'project') read.project = cut;
  else {
    const values = name === 'kind' ? read.kinds : read.tags;
    if (values.length < MOST_VALUES && !values.includes(cut)) values.push(cut);
  }
}

/** Phrases without a telling word ask for nothing. */
function addPhrase(phrases: Terms[], text: string): void {
  const { terms, places } = mainTerms(text, MOST_TERMS);
  if (terms.length === 0 || phrases.length >= MOST_PHRASES) return;
  const first = places[0] ?? 0;
  phrases.push({ terms, places: places.map((place) => place - first), words: (places.at(-1) ?? 0) - first + 1 });
}

/** The first distinct terms; where there are too many, no word has more than its share before the others had theirs. */
function wantedOf(text: string): string[] {
  const ranks = new Map<string, number>();
  for (const word of text.split(/\s+/)) {
    const own = new Set(analyse(word, MOST_TERMS).terms);
    let nth = 0;
    for (const term of own) {
      const round = Math.floor(nth++ / FAIR_SHARE);
      ranks.set(term, Math.min(ranks.get(term) ?? round, round));
    }
  }
  // Terms of several words together: dates.
  for (const term of analyse(text, READ_CHARS).terms) if (!ranks.has(term)) ranks.set(term, 0);
  if (ranks.size <= MOST_TERMS) return [...ranks.keys()];
  const kept = new Set(
    [...ranks]
      .toSorted(([, a], [, b]) => a - b)
      .slice(0, MOST_TERMS)
      .map(([term]) => term),
  );
  return [...ranks.keys()].filter((term) => kept.has(term));
}
