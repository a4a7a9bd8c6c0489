import { type Calendar, calendarOf, dateTerms, isDate } from './date-terms.js';
import { cut, TERM_CHARS, wordTerm } from './stems.js';

/** A term of a compound; the one of its place that says most is its main one. */
export interface Part {
  term: string;
  /** Words from the beginning of the compound. */
  offset: number;
  main: boolean;
}

export interface Compound extends Words {
  /** What it may be in a date that is written in words. */
  calendar: Calendar | null;
}

interface Words {
  terms: readonly Part[];
  words: number;
}

/** Scripts written without spaces, or with endings grown on: pairs of characters stand for words. */
const UNSPACED =
  '\\p{scx=Han}\\p{scx=Hiragana}\\p{scx=Katakana}\\p{Script=Hangul}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}';
const HAS_UNSPACED = new RegExp(`[${UNSPACED}]`, 'u');
const RUNS = new RegExp(`[${UNSPACED}]+|[^${UNSPACED}]+`, 'gu');

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** A commit is known by so many characters. */
const HASH_PREFIX = 7;

/** What each compound became: notes say the same words again and again. Bounded. */
const known = new Map<string, Compound>();

/** The terms of one word, or of words that single characters join. */
export function compoundTerms(raw: string): Compound {
  const before = known.get(raw);
  if (before) return before;
  const made = { ...read(raw), calendar: calendarOf(raw) };
  if (known.size >= 30_000) known.clear();
  if (raw.length <= TERM_CHARS) known.set(raw, made);
  return made;
}

function read(raw: string): Words {
  const terms: Part[] = [];
  const add = (term: string, offset: number, main = false) => {
    if (term === '') return;
    for (let i = terms.length - 1; terms[i]?.offset === offset; i--) if (terms[i]?.term === term) return;
    terms.push({ term, offset, main });
  };
  if (!/^[\p{L}\p{N}_]/u.test(raw) || /[+#]$/.test(raw)) {
    add(raw.toLowerCase(), 0, true);
    return { terms, words: 1 };
  }
  const pieces = UUID.test(raw) ? [raw.replaceAll('-', '')] : raw.split(/(::|[-./\\])/);
  const words = pieces.filter((_, i) => i % 2 === 0);
  const joints = pieces.filter((_, i) => i % 2 === 1);
  const starts = segmentStarts(joints);
  let offset = 0;
  for (let i = 0; i < words.length; ) {
    const first = offset;
    const numbers = numbersAt(words, joints, i);
    const own = numbers ?? wordTerms(words[i] as string);
    for (const each of own.terms) add(each.term, offset + each.offset, each.main);
    offset += own.words;
    const covered = numbers?.count ?? 1;
    if (starts.includes(i)) for (const whole of wholes(words, joints, starts, i, covered)) add(whole, first);
    i += covered;
  }
  return { terms, words: offset };
}

/** Where the segments of a path begin. */
function segmentStarts(joints: string[]): number[] {
  return [0, ...joints.flatMap((joint, i) => (joint === '-' || joint === '.' ? [] : [i + 1]))];
}

/**
 * What several words are together, written without their joints: the segment that begins here, with and without its
 * extension; from the beginning the whole path; from the segment before the last the path's end.
 */
function wholes(words: string[], joints: string[], starts: number[], from: number, covered: number): string[] {
  const nth = starts.indexOf(from);
  const end = starts[nth + 1] ?? words.length;
  const made: string[] = [];
  if (end - from > covered) {
    made.push(joined(words.slice(from, end)));
    if (joints[end - 2] === '.' && /^\p{L}[\p{L}\p{N}]{0,4}$/u.test(words[end - 1] as string))
      made.push(joined(words.slice(from, end - 1)));
  }
  if (words.length - from > covered && starts.length > 1 && (nth === 0 || nth === starts.length - 2))
    made.push(joined(words.slice(from)));
  return made;
}

function joined(words: string[]): string {
  const whole = words.reduce((text, word) => (/\d$/.test(text) && /^\d/.test(word) ? `${text}.${word}` : text + word));
  const plain = whole.replaceAll('_', '');
  return plain === '' || plain.length > TERM_CHARS || HAS_UNSPACED.test(plain) ? '' : wordTerm(plain);
}

/** A date, or numbers with dots between them (a version, an address), at one place. */
function numbersAt(words: string[], joints: string[], at: number): (Words & { count: number }) | null {
  const date = joints[at] !== undefined && joints[at] === joints[at + 1] ? dateOf(words, joints, at) : [];
  if (date.length > 0) return { ...atOnePlace(date), count: 3 };
  if (!/^v?\d+$/i.test(words[at] as string)) return null;
  let end = at + 1;
  while (joints[end - 1] === '.' && /^\d+$/.test(words[end] ?? '')) end++;
  if (end - at < 2) return null;
  const numbers = words.slice(at, end).map((word) => word.replace(/^v/i, ''));
  const whole = numbers.join('.');
  if (whole.length > TERM_CHARS) return null;
  // From the longest: `1.2.3`, `1.2`, `1`.
  return {
    ...atOnePlace(
      numbers.slice(0, 4).map((_, i, all) => (i === 0 ? whole : numbers.slice(0, all.length - i).join('.'))),
    ),
    count: end - at,
  };
}

function dateOf(words: string[], joints: string[], at: number): string[] {
  const [a = '', b = '', c = ''] = words.slice(at, at + 3);
  if (/^\d{4}$/.test(a) && /^\d\d?$/.test(b) && /^\d\d?(?:T\d\d?)?$/i.test(c))
    return validDate(Number(a), Number(b), Number.parseInt(c, 10));
  if (!/^\d\d?$/.test(a) || !/^\d\d?$/.test(b) || !/^\d{4}$/.test(c)) return [];
  const dayFirst = validDate(Number(c), Number(b), Number(a));
  return joints[at] === '/' && dayFirst.length === 0 ? validDate(Number(c), Number(a), Number(b)) : dayFirst;
}

const validDate = (year: number, month: number, day: number) =>
  isDate(year, month, day) ? dateTerms(year, month, day) : [];

const atOnePlace = (terms: string[]): Words => ({
  terms: terms.map((term, i) => ({ term, offset: 0, main: i === 0 })),
  words: 1,
});

function wordTerms(word: string): Words {
  if (/^_+$/.test(word)) return { terms: [], words: 0 };
  if (!HAS_UNSPACED.test(word)) return atOnePlace(identifierTerms(word));
  const terms: Part[] = [];
  let words = 0;
  for (const [run] of word.matchAll(RUNS)) {
    if (HAS_UNSPACED.test(run)) {
      const characters = [...run];
      characters.forEach((character, i) => {
        const next = characters[i + 1];
        if (next !== undefined) terms.push({ term: character + next, offset: words + i, main: true });
        terms.push({ term: character, offset: words + i, main: next === undefined });
      });
      words += characters.length;
    } else {
      const own = atOnePlace(identifierTerms(run));
      for (const each of own.terms) terms.push({ ...each, offset: words });
      words += own.words;
    }
  }
  return { terms, words };
}

/** A word's terms, the main one first: a hash and its beginning, an identifier whole and in its parts, a plain word. */
function identifierTerms(word: string): string[] {
  if (/^0x[0-9a-f]+$/i.test(word)) return [cut(word.toLowerCase()), cut(word.slice(2).toLowerCase())];
  if (/^[0-9a-f]{7,64}$/i.test(word) && /\d/.test(word) && /[a-f]/i.test(word)) {
    const hash = word.toLowerCase();
    return [hash.slice(0, HASH_PREFIX), hash];
  }
  const parts = partsOf(word);
  const whole = wordTerm(parts.join(''));
  if (parts.length < 2) return [...(whole === '' ? [] : [whole]), ...compactDate(parts[0] ?? '')];
  // What is cut into crumbs (a key, a checksum) was no words.
  if (parts.length > 6 && word.length < parts.length * 3) return [whole];
  const telling = parts.filter((part) => /\d/.test(part) || part.length > 1);
  return [whole, ...telling.flatMap((part) => [wordTerm(part), ...compactDate(part)])].filter((term) => term !== '');
}

/** `20260115`, as migrations and files are named. */
function compactDate(part: string): string[] {
  const match = /^(20\d\d)(\d\d)(\d\d)$/.exec(part);
  return match ? validDate(Number(match[1]), Number(match[2]), Number(match[3])) : [];
}

/** camelCase, snake_case, letter/digit and Latin/Cyrillic borders; one part for a plain word. */
function partsOf(word: string): string[] {
  if (/^\p{Lu}{2,}s$/u.test(word)) return [word];
  return word
    .replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1_$2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1_$2')
    .replace(/(\p{L})(\p{N})/gu, '$1_$2')
    .replace(/(\p{N})(\p{L})/gu, '$1_$2')
    .replace(/(\p{Script=Latin})(\p{Script=Cyrillic})/gu, '$1_$2')
    .split('_')
    .filter((part) => part !== '');
}
