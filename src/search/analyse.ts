import { compoundTerms } from './compound.js';
import { createDates } from './date-terms.js';
import type { Terms } from './terms.js';

/** Raised whenever the same text would give other terms, or another digest: the mirror is then rebuilt. */
export const INDEX_VERSION = 7;

/** No file that is indexed at all has more: 4 MiB of one-letter words. */
const MOST_TERMS = 4_000_000;
/** Longer runs are several words: no text makes one step expensive. */
const WORD = '[\\p{L}\\p{N}_][\\p{L}\\p{N}\\p{M}_]{0,255}';
/** Words that one character joins (`mirror-sqlite.ts`, `std::vec`, `a\\b`), languages named with signs, emoji. */
const COMPOUND = new RegExp(
  `(?:[cC]\\+\\+|[cCfF]#)(?![\\p{L}\\p{N}_])|${WORD}(?:(?:[-./\\\\]|::)${WORD}){0,40}|\\p{RI}{2}|\\p{Extended_Pictographic}`,
  'gu',
);

/**
 * Text to search terms, in order, the same for both mirrors and for queries: lower case, folded, stemmed English and
 * Russian; stop words count as a word and give no term. Identifiers and dotted numbers give their whole and their parts
 * at one place; words joined by `-`, `.` or `/` each have a place, their whole stands at the first one's. Dates give
 * `2026-01-15`, `2026-01` and `01-15` however they are written. A term has 1–100 characters: letters, digits, emoji, and
 * `.-+#` within; never white space or control characters. At most about `most` terms.
 */
export function analyse(text: string, most: number = MOST_TERMS): Terms {
  const terms: string[] = [];
  const places: number[] = [];
  const words = read(text, (term, place) => {
    terms.push(term);
    places.push(place);
    return terms.length < most;
  });
  return { terms, places, words };
}

/** The same with one term for each place, the one that says most: for phrases and pairs. At most `most` terms. */
export function mainTerms(text: string, most: number = MOST_TERMS): Terms {
  const terms: string[] = [];
  const places: number[] = [];
  const words = read(text, (term, place, main) => {
    if (main && terms.length < most) {
      terms.push(term);
      places.push(place);
    }
    return terms.length < most;
  });
  return { terms, places, words };
}

/** Hands every term on with its place until it is told that it is enough; gives the number of words read. */
function read(text: string, take: (term: string, place: number, main: boolean) => boolean): number {
  const dates = createDates();
  let place = 0;
  for (const [raw] of plain(text).matchAll(COMPOUND)) {
    const { terms, words, calendar } = compoundTerms(raw);
    let more = true;
    for (const { term, offset, main } of terms) more = take(term, place + offset, main);
    place += words;
    for (const term of dates(calendar)) more = take(term, place - 1, false);
    if (!more) break;
  }
  return place;
}

/** One way to write each character; apostrophes gone (`Anna's`, `don't`), and what is invisible within words. */
function plain(text: string): string {
  // Putting thousands of marks on one letter in order takes the normalisation minutes.
  const bounded = /[^\0-\u{2ff}]/u.test(text) ? text.replace(/(\p{M}{8})\p{M}+/gu, '$1') : text;
  return bounded
    .normalize('NFKC')
    .replace(/[\u00ad\u200b-\u200f\u2060\ufeff]/g, '')
    .replace(/(?<=[\p{L}\p{N}])['’ʼ](?:[sS](?![\p{L}\p{N}\p{M}_])|(?=\p{L}))/gu, '');
}
