import { type Stems, shared, within } from './stems.js';
import { stemsOf, type Words, wordsOf } from './words.js';

/** A piece of a text: a heading, a code block, one item of a list with what is below it, or any other paragraph. */
interface Piece {
  /** What stands between it and the piece before it. */
  gap: string;
  text: string;
  kind: 'heading' | 'code' | 'item' | 'text';
}

/** Longer pieces, and texts of more pieces, are compared letter by letter only. */
const PIECE_CHARS = 4_000;
const PIECES = 150;

/** Of a piece's words the other one has so many, and of the words of both so many are common: both say one thing. */
const COVERED = 0.85;
const COMMON = 0.5;

/**
 * A text with what another one says besides. A piece that says the same in newer words takes the old one's place, in which
 * every other letter stays as it was; what is new stands at the end of the section that it stood in. Merging the same text
 * again changes nothing.
 */
export function mergedText(old: string, added: string): string {
  const { pieces, tail } = piecesOf(closed(old));
  const given = piecesOf(closed(added)).pieces;
  const near = pieces.length <= PIECES && given.length <= PIECES;
  const byText = new Map(pieces.map((each) => [exactly(each), each]));
  // What is said in the very words is not for others of the new text to replace, nor is what has just replaced something.
  const settled = new Set(given.flatMap((each) => byText.get(exactly(each)) ?? []));
  const open = given.filter((each) => each.kind !== 'heading' && !byText.has(exactly(each)));
  const rest = new Set(open);
  for (const each of near ? open : []) {
    const replaced = pieces.find((one) => !settled.has(one) && one.kind === each.kind && says(each, one));
    if (!replaced) continue;
    replaced.text = each.text;
    settled.add(replaced);
    rest.delete(each);
  }
  let section: Piece | null = null;
  let heading: Piece | null = null;
  for (const each of given) {
    if (each.kind === 'heading') {
      section = byText.get(exactly(each)) ?? null;
      heading = section === null ? each : null;
    } else if (rest.has(each) && !(near && pieces.some((one) => says(one, each)))) {
      if (heading !== null) {
        section = { ...heading };
        insert(pieces, section, pieces.length);
        heading = null;
      }
      insert(pieces, { ...each }, placeOf(pieces, section, each.kind));
    }
  }
  const merged = pieces.map(({ gap, text }) => gap + text).join('') + tail;
  return merged === closed(old) ? old : merged;
}

/** A code block that nobody closed would swallow what comes to stand below it. */
function closed(text: string): string {
  const { open } = piecesOf(text);
  return open === null ? text : `${text.trimEnd()}\n${open}\n`;
}

/** The pieces of a text that an earlier state of it does not have, below their headings. */
export function addedText(text: string, before: string): string {
  const known = new Set(piecesOf(before).pieces.map(exactly));
  const { pieces } = piecesOf(text);
  return pieces
    .filter((each) => each.kind === 'heading' || !known.has(exactly(each)))
    .map(({ gap, text: own }) => gap + own)
    .join('');
}

/** Whether the first piece says all that the second one does, and not much else. Numbers, exact names and a `not` have to be the same. */
function says(one: Piece, other: Piece): boolean {
  if (one.kind === 'code' || other.kind === 'code' || one.kind === 'heading') return false;
  if (one.text.length > PIECE_CHARS || other.text.length > PIECE_CHARS) return false;
  const [a, b] = [wordsOf(one.text), wordsOf(other.text)];
  const common = shared(a.all, b.all);
  return (
    common >= b.all.length * COVERED &&
    common >= (a.all.length + b.all.length - common) * COMMON &&
    within(b.numbers, a.numbers) &&
    nameAll(one.text, other.text) &&
    denies(one.text) === denies(other.text) &&
    common > 0 &&
    !replacesWord(one.text, other.text)
  );
}

/** Whether it is the same sentence with another word in it: `Deploy the shop to Dublin first` after the one about Berlin. */
function replacesWord(one: string, other: string): boolean {
  const [known, words] = [wordsIn(one), wordsIn(other)];
  // Long words that only begin alike: `transactions` and `translations`.
  const akin = (a: string, b: string) => a.startsWith(b.slice(0, Math.max(5, Math.min(a.length, b.length) - 4)));
  const near = (word: string) => known.filter((each) => each.startsWith(word.slice(0, 5)));
  if (words.some((word) => word.length > 5 && near(word).length > 0 && !near(word).some((each) => akin(each, word))))
    return true;
  const [a, b] = [known, words].map((all) => [...new Set(all.flatMap(stemsOf))]) as [number[], number[]];
  const [here, there] = [a.filter((each) => b.includes(each)), b.filter((each) => a.includes(each))];
  return here.length < a.length && there.length < b.length && here.join(' ') === there.join(' ');
}

const wordsIn = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];

/** `MEMORY_HOME`, `getUser`, `server.ts`, and what stands in backticks: a letter makes it another thing. */
const EXACT = /`[^`\n]+`|[\p{L}\p{N}]*(?:_[\p{L}\p{N}]+|\p{Ll}\p{Lu}[\p{L}\p{N}]*|\p{L}\.\p{L}{2,})[\p{L}\p{N}_.]*/gu;
/** What comes first is no matter of wording either. */
const ORDER = /(?<!\p{L})(?:before|after|перед|после)(?!\p{L})/giu;

/** Whether the first text has every exact name of the second one, and says of what is before and after as much. */
function nameAll(one: string, other: string): boolean {
  const bare = (text: string) =>
    ` ${text
      .replace(/[^\p{L}\p{N}_$@#%+-]+/gu, ' ')
      .trim()
      .toLowerCase()} `;
  const said = bare(one);
  return [...other.matchAll(EXACT), ...other.matchAll(ORDER)].every(([each]) => said.includes(bare(each)));
}

/** What is said of a lesson by which it is compared: its names, and all of its text. */
export interface Lesson {
  names: string;
  text: string;
}

/**
 * Whether two lessons are one in other words. Rather not where it is in doubt: a lesson that is there twice costs a line,
 * two that were taken for one cost a lesson. So most words have to be common, what only one of them speaks of must not be
 * in the names of both, the numbers and exact names of one have to be the other's, too, and both or none have a `not`.
 */
export function sameLesson(one: Lesson, other: Lesson): boolean {
  const [a, b] = [lessonWords(one), lessonWords(other)];
  const common = shared(a.all, b.all);
  const least = Math.min(a.all.length, b.all.length);
  if (least < 3 || common < least * 0.66 || common < (a.all.length + b.all.length - common) * 0.5) return false;
  if (!within(a.numbers, b.numbers) && !within(b.numbers, a.numbers)) return false;
  const [said, told] = [one, other].map(({ names, text }) => `${names}\n${text}`.slice(0, PIECE_CHARS)) as [
    string,
    string,
  ];
  if (!nameAll(said, told) && !nameAll(told, said)) return false;
  // `Use Postgres for the queue` and `Use Redis for the queue`.
  if (!within(nameWords(one), b.all) && !within(nameWords(other), a.all)) return false;
  return denies(`${one.names} ${one.text}`) === denies(`${other.names} ${other.text}`);
}

const lessonWords = ({ names, text }: Lesson): Words => wordsOf(`${names}\n${text}`.slice(0, PIECE_CHARS));

/** How lessons begin, whatever they are about; as `wordsOf` has them. */
const ANY_LESSON = wordsOf(
  `alway prefe ensur remem shoul must need needs use uses using set sets give gives make makes keep keeps put puts add adds get
  gets let take takes try have has want check apply bette
  всегд нужно нужен нужна нужны надо долже должн следу стоит лучше испол стави ставь дават давай делат делай добав прове помни`,
).all;

/** What a lesson's names are about: without words that any lesson begins with, and those that say whether it is so. */
const nameWords = ({ names }: Lesson): Stems =>
  wordsOf(names.replace(DENIALS, ' ')).all.filter((each) => !ANY_LESSON.includes(each));

/** Saying of anything that it is not so: two texts that differ in that do not say the same, however alike. */
const DENIALS =
  /(?<!\p{L})(?:do not|does not|not|no|never|without|cannot|avoid|don['’]?t|doesn['’]?t|can['’]?t|won['’]?t|не|нет|без|нельзя|никогда|избега\p{L}+)(?!\p{L})/giu;

function denies(text: string): boolean {
  return text.search(DENIALS) >= 0;
}

function exactly({ kind, text }: Piece): string {
  return `${kind} ${kind === 'code' ? text.trim() : text.trim().replace(/\s+/g, ' ')}`;
}

/** After the last piece below a heading, items after its last item; without one, after what stands before the first section. */
function placeOf(pieces: Piece[], section: Piece | null, kind: Piece['kind']): number {
  const from = section === null ? (/^#\s/.test(pieces[0]?.text ?? '') ? 1 : 0) : pieces.indexOf(section) + 1;
  const next = pieces.findIndex(({ kind }, at) => at >= from && kind === 'heading');
  const end = next < 0 ? pieces.length : next;
  const items = kind === 'item' ? pieces.slice(from, end).findLastIndex((each) => each.kind === 'item') : -1;
  return items < 0 ? end : from + items + 1;
}

function insert(pieces: Piece[], piece: Piece, at: number): void {
  const [before, after] = [pieces[at - 1], pieces[at]];
  piece.gap =
    before === undefined ? (after?.gap ?? '') : before.kind === 'item' && piece.kind === 'item' ? '\n' : '\n\n';
  if (before === undefined && after !== undefined) after.gap = '\n\n';
  pieces.splice(at, 0, piece);
}

/** A text in pieces; joined with their gaps and the tail they are the text again, letter by letter. `open`: the mark of a code block without an end. */
function piecesOf(text: string): { pieces: Piece[]; tail: string; open: string | null } {
  const pieces: Piece[] = [];
  let end = 0;
  let open: { from: number; to: number; kind: Piece['kind'] } | null = null;
  let fence: string | null = null;
  const close = () => {
    if (open) {
      pieces.push({ gap: text.slice(end, open.from), text: text.slice(open.from, open.to), kind: open.kind });
      end = open.to;
    }
    open = null;
  };
  for (const { 0: line, index } of text.matchAll(/[^\n]+/g)) {
    const bare = line.trim();
    const from = index;
    const to = index + line.trimEnd().length;
    // Blank lines lie between two matches, or are one of white space only.
    const apart = open !== null && text.slice(open.to, from).split('\n').length > 2;
    const mark: string | undefined = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== null) {
      if (open) open.to = Math.max(open.to, to);
      if (mark?.startsWith(fence) && bare === mark) fence = null;
      continue;
    }
    if (bare === '') continue;
    const indented = /^\s{2,}/.test(line);
    const inItem = open?.kind === 'item' && indented;
    if (apart && !inItem) close();
    if (mark) fence = mark;
    if (inItem && open) open.to = to;
    else if (mark || /^#{1,6}\s/.test(line)) {
      close();
      open = { from, to, kind: mark ? 'code' : 'heading' };
      if (!mark) close();
    } else if (/^\s{0,1}(?:[-*+•]|\d{1,3}[.)])\s/.test(line)) {
      close();
      open = { from, to, kind: 'item' };
    } else if (open && open.kind !== 'code') open.to = to;
    else {
      close();
      open = { from, to, kind: 'text' };
    }
  }
  close();
  return { pieces, tail: text.slice(end), open: fence };
}
