import { stemmer as english } from '@orama/stemmers/english';
import { stemmer as russian } from '@orama/stemmers/russian';
import type { Terms } from './terms.js';

/** Raised whenever the same text would give other terms: the mirror is then rebuilt. */
export const INDEX_VERSION = 3;

const STOP = new Set(
  `a an and are as at be been but by can could did do does for from had has have how i if in into is it its me my of on or our she
  should so than that the their them then there these they this to us was we were what when where which who why will with would you your
  и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только ее мне было вот от меня еще о из ему теперь когда
  ли если или ни быть был него до вас нибудь опять уж вам ведь там потом себя ей они тут где есть для мы их чем была сам чтоб без будто`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

const WORD = /[\p{L}\p{N}\p{M}_]+|\p{Extended_Pictographic}/gu;
/** Scripts written without spaces: pairs of characters stand for words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** What each word became: notes say the same words again and again. Bounded. */
const known = new Map<string, readonly string[]>();

/** No file that is indexed at all has more: 4 MiB of one-letter words. */
const MOST_TERMS = 4_000_000;

/**
 * Text to search terms, in order: lower case, stemmed English and Russian, identifiers whole and in their parts.
 * The same for both mirrors and for queries; a term holds letters, digits and emoji only.
 */
export function analyse(text: string, most: number = MOST_TERMS): Terms {
  const terms: string[] = [];
  const places: number[] = [];
  let words = 0;
  for (const [raw] of text
    .normalize('NFKC')
    .replace(/['’]s\b/g, '')
    .matchAll(WORD)) {
    if (terms.length >= most) break;
    for (const term of termsOf(raw)) {
      terms.push(term);
      places.push(words);
    }
    words++;
  }
  return { terms, places, words };
}

function termsOf(raw: string): readonly string[] {
  const before = known.get(raw);
  if (before) return before;
  const terms: string[] = [];
  const parts = partsOf(raw);
  if (parts.length > 1) terms.push(stem(parts.join('').toLowerCase().slice(0, 100)));
  for (const part of parts) addWord(terms, part.toLowerCase());
  if (known.size >= 30_000) known.clear();
  if (raw.length <= 100) known.set(raw, terms);
  return terms;
}

/** A query's distinct terms without stop words; all of them where nothing else is left. */
export function queryTerms(query: string): string[] {
  const all = [...new Set(analyse(query, 200).terms)];
  const telling = all.filter((term) => !STOP.has(term));
  return (telling.length > 0 ? telling : all).slice(0, 64);
}

/** camelCase, snake_case and letter/digit borders; one part for a plain word. */
function partsOf(word: string): string[] {
  if (!/[_\p{Lu}\p{N}]/u.test(word)) return [word];
  return word
    .replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1_$2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1_$2')
    .replace(/(\p{L})(\p{N})/gu, '$1_$2')
    .replace(/(\p{N})(\p{L})/gu, '$1_$2')
    .split('_')
    .filter((part) => part !== '');
}

function addWord(terms: string[], word: string): void {
  if (UNSPACED.test(word)) {
    const characters = [...word];
    if (characters.length === 1) terms.push(word);
    for (let i = 0; i + 1 < characters.length; i++) terms.push(`${characters[i]}${characters[i + 1]}`);
    return;
  }
  terms.push(stem(word.slice(0, 100)));
}

function stem(word: string): string {
  const folded = word.replaceAll('ё', 'е');
  if (STOP.has(folded)) return folded;
  if (/^[a-z]+$/.test(folded)) return english(folded);
  return /^[а-я]+$/.test(folded) ? russian(folded) : folded;
}
