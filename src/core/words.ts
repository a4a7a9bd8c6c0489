import { createHash } from 'node:crypto';
import { Lru } from './lru.js';
import { type ReadLine, readLine, type Stems, shared, within } from './stems.js';

/** What two lines are compared by: the beginnings of their words, which endings do not change. */
export interface Words extends Omit<ReadLine, 'head'> {
  /** Of what stands before the first dash, comma, bracket or colon: what it is about, without dates and names. */
  head: Stems;
  line: string;
  /** The line's number, what it names, and its words in their order: once somebody has asked for it. */
  id?: string;
  names?: readonly Word[];
  order?: readonly Word[];
}

interface Word {
  stem: number;
  /** In lower case; null: it has no other forms. */
  text: string | null;
}

/** A project's lines are compared whenever its context is loaded. */
const known = new Lru<string, Words>(12_000);

export function wordsOf(line: string): Words {
  const found = known.get(line);
  if (found) return found;
  const text = readable(line);
  const words = { ...readLine(text, headOf(text)), line };
  known.set(line, words);
  return words;
}

const headOf = (text: string): number | undefined => /^(.{8,}?)(?:\s[—–-]\s|[,;:(])/u.exec(text)?.[1]?.length;

/** The beginnings of a line's words. */
export function stemsOf(line: string): Stems {
  return readLine(readable(line)).all;
}

/** A step's number says nothing of what it is about. */
function readable(line: string): string {
  const text = line.toLowerCase();
  return text.includes('#') ? text.replace(/#\d{6}\b/g, ' ') : text;
}

/** Whether two lines speak of one thing: `Snow the roof` and `The roof is snowed, at last`. Never by one word alone. */
export function sameThing(a: Words, b: Words): boolean {
  const alikeOne = alike(a.all, b.all) || alike(a.head, b.head) || alike(a.head, b.all) || alike(a.all, b.head);
  return alikeOne && !onlyNumbersDiffer(a, b) && !namesDiffer(a, b);
}

/** The same where a mistake costs a step: no word of the one stands in the other's place. */
export function sameStep(a: Words, b: Words): boolean {
  return sameThing(a, b) && !otherWord(a, b);
}

/** The same where the first says what was done: `Did not write the importer` closes nothing. */
export function closes(done: Words, step: Words): boolean {
  return sameStep(done, step) && (!NOT_DONE.test(done.line) || NOT_DONE.test(step.line));
}

const NOT_DONE =
  /^(?:\S+\s+){0,2}(?:not|never|cannot|\p{L}+n['’]t|не)\s|(?<!\p{L})(?:not yet|(?:ещё|еще|пока) не)(?!\p{L})/iu;

/** `Deploy to Berlin` and `Deploy to Dublin`, `MEMORY_HOME` and `MEMORY_REPO`: each names what the other does not. */
function namesDiffer(a: Words, b: Words): boolean {
  const [one, other] = [namesOf(a), namesOf(b)];
  return without(one, other).length > 0 && without(other, one).length > 0;
}

/** What has a capital within the head, and identifiers, which are only themselves. */
function namesOf(words: Words): readonly Word[] {
  if (words.names) return words.names;
  const head = words.line.slice(0, headOf(words.line));
  const capital = [...head.matchAll(/(?<=[\p{L}\p{N},;:)]\s)\p{Lu}(?:\p{L}+|\d)/gu)].map(([name]) => name);
  const which = [...head.matchAll(WHICH)].map(([, name = '']) => name);
  const exact = [...head.matchAll(/\p{Lu}{2,}-\d+|#\d{1,5}(?!\d)|[\p{L}\p{N}_.]+/gu)]
    .map(([word]) => word)
    .filter((word) => /_|\p{Ll}\p{Lu}|\p{L}\.\p{L}{2}|^#|-/u.test(word));
  words.names = [
    ...[...capital.filter((name) => !DATES.test(name)), ...which].flatMap((name) => formed(name.toLowerCase())),
    ...exact.map((word) => ({ stem: readLine(word.toLowerCase()).name, text: null })),
  ];
  return words.names;
}

/** A date that was put off makes no other thing. */
const DATES =
  /^(?:(?:mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?|jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|(?:jan|febr)uary|march|april|august|(?:septem|octo|novem|decem)ber|q[1-4])$/iu;
/** But `the March invoice`, `the report for Q2` is which one it is. */
const WHICH = /\b(?:the|for|of) (?!\p{L}+day\b)(\p{Lu}[\p{L}\d]+)(?![\p{L}\d]| \d)/gu;

/** The same words, but for one that is another: `Check the prices before the export`, and the stock. */
function otherWord(a: Words, step: Words): boolean {
  const [one, other] = [orderOf(a), orderOf(step)];
  if (Math.min(one.length, other.length) < 3) return false;
  const [said, ...more] = butFirst(without(one, other), one);
  const [asked, ...others] = butFirst(without(other, one), other);
  if (!said || !asked || more.length + others.length > 0 || asked === other[0]) return false;
  // What is said in another language may be the same word.
  return isRussian(said) === isRussian(asked);
}

/** A step's first word is what is done, which may be said in other words, or not at all: `Fix it`, `it works`. */
const butFirst = (some: readonly Word[], [first]: readonly Word[]) =>
  some.length > 1 ? some.filter((word) => word !== first) : some;

/** Of the head, where that says enough. */
function orderOf(words: Words): readonly Word[] {
  if (words.order) return words.order;
  const head = wordsIn(words.line.slice(0, headOf(words.line)));
  words.order = head.length < 3 ? wordsIn(words.line) : head;
  return words.order;
}

/** Those that say something, in their order. */
const wordsIn = (some: string): Word[] =>
  [...readable(some).matchAll(/\p{L}[\p{L}\p{N}_]*/gu)].flatMap(([text]) => (DATES.test(text) ? [] : formed(text)));

const formed = (text: string): Word[] => stemsOf(text).map((stem) => ({ stem, text }));

const CYRILLIC = /\p{Script=Cyrillic}/u;
const isRussian = ({ text }: Word) => CYRILLIC.test(text ?? '');

/** Those that the others lack, in any form. */
function without(some: readonly Word[], others: readonly Word[]): Word[] {
  return some.filter((a) => !others.some((b) => a.stem === b.stem || formsOfOne(a.text, b.text)));
}

/** `Fix` and `fixed`, `базу` and `база`: words of so few letters that their stem has the ending in it. */
function formsOfOne(a: string | null, b: string | null): boolean {
  if (!a || !b || Math.min(a.length, b.length) > 5) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const [one, other] = [a.slice(at), b.slice(at)];
  if (at < 3) return false;
  if (CYRILLIC.test(a))
    return one.length <= 3 && other.length <= 3 && RUSSIAN_ENDING.test(one) && RUSSIAN_ENDING.test(other);
  return ENGLISH_ENDING.test(one + other) && (one === '' || other === '');
}

const ENGLISH_ENDING = /^(?:e?s|e?d|[bgmnpt]?ed|[bgmnpt]?ing)$/u;
/** Of nouns. */
const RUSSIAN_ENDING = /^(?:[аяыиуюеойь]|о[йм]|е[йм]|ам|ями?|ами?|ах|ях|ов|ев)?$/u;

/** Each has a number that the other has not. */
export function numbersDiffer(a: Words, b: Words): boolean {
  return !within(a.numbers, b.numbers) && !within(b.numbers, a.numbers);
}

/** `step 1 of 3` and `step 2 of 3`; a date that was put off alone makes no other thing. */
export function onlyNumbersDiffer(a: Words, b: Words): boolean {
  if (!numbersDiffer(a, b)) return false;
  const common = shared(a.letters, b.letters);
  return common / (a.letters.length + b.letters.length - common || 1) >= 0.75;
}

function alike(a: Stems, b: Stems): boolean {
  const common = shared(a, b);
  const least = Math.min(a.length, b.length);
  if (common < 2) return least === 1 && a.length === b.length && common === 1;
  return common / least >= (least <= 2 ? 1 : 0.66) && common / (a.length + b.length - common) >= 0.4;
}

/** A line without its case and marks. */
export function folded(line: string): string {
  return line
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

/** Six digits for a line, the same wherever and whenever it is written in these words: two tokens. */
export function lineId(line: string): string {
  const words = wordsOf(line);
  words.id ??= String(100_000 + (createHash('sha256').update(folded(line)).digest().readUInt32BE(0) % 900_000));
  return words.id;
}

/** Of a long line, and of all lines like it: what is the same thing shares most of its words, rare ones too. */
const RAREST = 8;
const NEAREST = 8;

/** Lines by their words, so that few are compared with each other. */
export function createLineIndex<T extends { words: Words }>() {
  const lines: (T | undefined)[] = [];
  const numbers = new Map<T, number>();
  const byWord = new Map<number, number[]>();
  /** How many of the words that are looked for each line has; 0 between two questions. */
  const met: number[] = [];
  return {
    add(line: T): void {
      const number = lines.push(line) - 1;
      met.push(0);
      numbers.set(line, number);
      for (const word of line.words.all) {
        const having = byWord.get(word);
        if (having) having.push(number);
        else byWord.set(word, [number]);
      }
    },
    remove(line: T): void {
      const number = numbers.get(line);
      if (number !== undefined) lines[number] = undefined;
      numbers.delete(line);
    },
    /** Those with two of its words in common, of the rarest ones, or the only one; the most first. */
    near({ all }: Words): T[] {
      const having: number[][] = [];
      for (const word of all) {
        const some = byWord.get(word);
        if (some) having.push(some);
      }
      if (having.length > RAREST) having.sort((a, b) => a.length - b.length).splice(RAREST);
      const found: number[] = [];
      for (const some of having)
        for (const number of some) {
          if (met[number] === 0) found.push(number);
          met[number] = (met[number] as number) + 1;
        }
      const byCommon: T[][] = Array.from({ length: RAREST + 1 }, () => []);
      for (const number of found) {
        const common = met[number] as number;
        met[number] = 0;
        const line = common >= 2 || all.length === 1 ? lines[number] : undefined;
        if (line && (common >= 2 || line.words.all.length === 1)) byCommon[common]?.push(line);
      }
      return byCommon.toReversed().flat().slice(0, NEAREST);
    },
  };
}
