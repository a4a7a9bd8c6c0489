import { createHash } from 'node:crypto';
import { Lru } from './lru.js';

/** What two lines are compared by: the beginnings of their words, which endings do not change. */
export interface Words {
  /** Of the whole line. */
  all: Set<string>;
  /** Of what stands before the first dash, comma, bracket or colon: what it is about, without dates and names. */
  head: Set<string>;
  numbers: Set<string>;
}

/** Words that say how far something is, or nothing at all. */
export const EMPTY = new Set(
  `a an the and or of to in on at by for with from as if is it its be we i you that this are was were been has have had our
  their into onto about after before than then done ready live works working closed finished published shipped fixed made told
  в во к ко с со у о об и а но на по за из от до не мы я ты вы то же для под над при про без или что как это его она они был
  была было были уже ещё все всё после перед через
  готов готова готово готовы сделан сделана сделано сделали работает работают закрыт закрыта закрыто вышла вышел вышло`
    .split(/\s+/)
    .map((word) => word.replaceAll('ё', 'е')),
);
/** Letters that most endings leave alone, in English and Russian. */
export const STEM_LETTERS = 5;

/** A project's lines are compared whenever its context is loaded. */
const known = new Lru<string, Words>(6_000);

export function wordsOf(line: string): Words {
  const found = known.get(line) ?? readWords(line);
  known.set(line, found);
  return found;
}

/** The beginnings of a line's words. */
export function stemsOf(line: string): Set<string> {
  return stems(readable(line));
}

function readable(line: string): string {
  return line
    .toLowerCase()
    .replaceAll('ё', 'е')
    .replace(/#\d{6}\b/g, ' ');
}

function readWords(line: string): Words {
  const text = readable(line);
  const head = /^(.{8,}?)(?:\s[—–-]\s|[,;:(])/u.exec(text)?.[1] ?? text;
  return { all: stems(text), head: stems(head), numbers: new Set(text.match(/\d+/g)) };
}

function stems(text: string): Set<string> {
  const found = new Set<string>();
  for (const [word] of text.matchAll(/[\p{L}\p{N}_]+/gu)) if (!EMPTY.has(word)) found.add(word.slice(0, STEM_LETTERS));
  return found;
}

/** Whether two lines speak of one thing: `Snow the roof` and `The roof is snowed, at last`. Never by one word alone. */
export function sameThing(a: Words, b: Words): boolean {
  const alikeOne = alike(a.all, b.all) || alike(a.head, b.head) || alike(a.head, b.all) || alike(a.all, b.head);
  return alikeOne && !onlyNumbersDiffer(a, b);
}

/** `step 1 of 3` and `step 2 of 3`; a date that was put off alone makes no other thing. */
export function onlyNumbersDiffer(a: Words, b: Words): boolean {
  const within = (one: Set<string>, other: Set<string>) => [...one].every((each) => other.has(each));
  if (within(a.numbers, b.numbers) || within(b.numbers, a.numbers)) return false;
  const letters = ({ all }: Words) => new Set([...all].filter((each) => !/^\d/.test(each)));
  const [one, other] = [letters(a), letters(b)];
  const common = shared(one, other);
  return common / (one.size + other.size - common || 1) >= 0.75;
}

function alike(a: Set<string>, b: Set<string>): boolean {
  const common = shared(a, b);
  const least = Math.min(a.size, b.size);
  if (common < 2) return least === 1 && a.size === b.size && common === 1;
  return common / least >= (least <= 2 ? 1 : 0.66) && common / (a.size + b.size - common) >= 0.4;
}

export function shared(a: Set<string>, b: Set<string>): number {
  let common = 0;
  for (const each of a) if (b.has(each)) common++;
  return common;
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
  const number = createHash('sha256').update(folded(line)).digest().readUInt32BE(0) % 900_000;
  return String(100_000 + number);
}

/** Of a long line, and of all lines like it: what is the same thing shares most of its words, rare ones too. */
const RAREST = 8;
const NEAREST = 12;

/** Lines by their words, so that few are compared with each other. */
export function createLineIndex<T extends { words: Words }>() {
  const byWord = new Map<string, Set<T>>();
  return {
    add(line: T): void {
      for (const word of line.words.all) byWord.set(word, (byWord.get(word) ?? new Set()).add(line));
    },
    remove(line: T): void {
      for (const word of line.words.all) byWord.get(word)?.delete(line);
    },
    /** Those with two of its words in common, of the rarest ones, or the only one; the most first. */
    near({ all }: Words): T[] {
      const known = [...all].flatMap((word) => byWord.get(word) ?? []).filter(({ size }) => size > 0);
      const rarest = known.length <= RAREST ? known : known.sort((a, b) => a.size - b.size).slice(0, RAREST);
      const counts = new Map<T, number>();
      for (const lines of rarest) for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
      return [...counts]
        .filter(([line, count]) => count >= 2 || (all.size === 1 && line.words.all.size === 1))
        .sort((a, b) => b[1] - a[1])
        .slice(0, NEAREST)
        .map(([line]) => line);
    },
  };
}
