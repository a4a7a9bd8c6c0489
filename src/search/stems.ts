import { stemmer as english } from '@orama/stemmers/english';
import { stemmer as russian } from '@orama/stemmers/russian';
import { STOP_WORDS } from './stop-words.js';

export const TERM_CHARS = 100;

const LETTERS: Record<string, string> = { ё: 'е', ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ı: 'i', ς: 'σ' };

/** Stop words that are names when they are written so. */
const NAMES = new Set(['IT', 'US', 'WHO', 'CAN']);

/** One word or identifier as a term; empty for a stop word. */
export function wordTerm(word: string): string {
  const folded = cut(fold(word));
  if (STOP_WORDS.has(folded)) return NAMES.has(word) ? folded : '';
  if (/^[a-z]+$/.test(folded)) return english(folded);
  return /^[а-я]+$/.test(folded) ? russian(folded) : folded;
}

/** Lower case, without accents (of Latin and Greek), stress marks and vowel points; й, ї and ў stay. */
function fold(word: string): string {
  const lower = word.toLowerCase();
  if (/^[a-z0-9]*$/.test(lower)) return lower;
  if (/^[а-яё]*$/.test(lower)) return lower.replaceAll('ё', 'е');
  return lower
    .normalize('NFKD')
    .replace(/(?<=[\p{Script=Latin}\p{Script=Greek}])[\u0300-\u036f]+|[\u0300\u0301\u0591-\u05c7\u064b-\u0652]+/gu, '')
    .normalize('NFKC')
    .replace(/[ёßæœøłđıς]/g, (letter) => LETTERS[letter] as string);
}

/** At most as long as a term may be, never through the middle of a character. */
export function cut(word: string): string {
  if (word.length <= TERM_CHARS) return word;
  const half = /[\ud800-\udbff]/.test(word[TERM_CHARS - 1] as string);
  return word.slice(0, half ? TERM_CHARS - 1 : TERM_CHARS);
}
