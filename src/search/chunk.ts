import { createHash } from 'node:crypto';

/** A part of a note that is embedded as one. */
export interface Chunk {
  /** 32 hex digits, of the exact text that is embedded: the same text is the same vector, wherever it stands. */
  name: string;
  /** What is embedded: one line, without marks. */
  text: string;
  /** Where it stands in the note: `note.slice(from, to)`. */
  from: number;
  to: number;
}

/** Words to a passage: shorter ones than a model could take find better. */
const WORDS = 60;
/** A passage that would be longer with the next line ends before it. */
const MOST_WORDS = 75;
/** A paragraph that does not fit whole, and every heading, begins a new passage where so many words came before it. */
const ENOUGH_WORDS = 25;
/** The model cuts at 256, two of which are its own. */
const MOST_TOKENS = 250;
/** Code and tables say little to a language model: so much of each block is embedded, words find the rest. */
const BLOCK_WORDS = 240;
/** Passages of one note. What comes after is found by its words. */
const MOST_CHUNKS = 1_000;

/** A run of the note's text that is never parted. */
interface Piece {
  from: number;
  to: number;
  words: number;
  tokens: number;
}

/** Lines that belong together; `heading`: the first is one. */
interface Paragraph {
  pieces: Piece[];
  words: number;
  heading: boolean;
}

/**
 * A note's passages of about 60 words, in order, along its paragraphs, lines and sentences where that is possible. Every
 * passage fits the model whole. What has no letters and no digits is in none.
 */
export function chunksOf(note: string): Chunk[] {
  const chunks: Chunk[] = [];
  let open: Piece[] = [];
  let words = 0;
  let tokens = 0;
  const close = () => {
    const chunk = chunkOf(note, open);
    if (chunk) chunks.push(chunk);
    open = [];
    words = 0;
    tokens = 0;
  };
  for (const { pieces, words: more, heading } of paragraphsOf(note)) {
    const fits = words + more <= MOST_WORDS;
    if (words >= ENOUGH_WORDS && (heading || !fits)) close();
    for (const piece of pieces) {
      if (words >= WORDS || words + piece.words > MOST_WORDS || tokens + piece.tokens > MOST_TOKENS) close();
      if (chunks.length >= MOST_CHUNKS) return chunks;
      open.push(piece);
      words += piece.words;
      tokens += piece.tokens;
    }
  }
  close();
  return chunks;
}

/** The name of a text's vector. */
export function chunkName(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function chunkOf(note: string, pieces: Piece[]): Chunk | null {
  const text = pieces
    .map(({ from, to }) => bare(note.slice(from, to)))
    .filter((each) => each !== '')
    .join(' ');
  const [first] = pieces;
  const last = pieces.at(-1);
  if (!first || !last || !/[\p{L}\p{N}]/u.test(text)) return null;
  return { name: chunkName(text), text, from: first.from, to: last.to };
}

/** A line without what Markdown puts around its words: each mark would be a token. */
function bare(line: string): string {
  return line
    .replace(/^\s*(?:#{1,6}|[-*+>]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?/, '')
    .replace(/!?\[([^[\]\n]{0,300})\]\([^()\n]{0,1000}\)/g, '$1')
    .replace(/[*`]|[_~]{2,}/g, '')
    .replace(/\||[-=]{3,}/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .toWellFormed();
}

/** Two line breaks in a row, or a line of white space. */
const BLANK = /^(?:\r?\n){2}|^\r\r|^[^\S\r\n]+$/;

function* paragraphsOf(note: string): Generator<Paragraph> {
  const matterEnd = endOfMatter(note);
  let paragraph: Paragraph = { pieces: [], words: 0, heading: false };
  let fence = '';
  /** Words of the block of code or the table so far. */
  let blockWords = 0;
  for (const { 0: line, index } of note.matchAll(/[^\r\n]+|[\r\n]{2,}/g)) {
    const heading = fence === '' && /^\s{0,3}#{1,6}\s/.test(line);
    // A heading stays with the paragraph below it.
    const ends = heading || (BLANK.test(line) && !(paragraph.heading && paragraph.pieces.length === 1));
    if (ends && paragraph.pieces.length > 0) {
      yield paragraph;
      paragraph = { pieces: [], words: 0, heading };
    } else if (heading) paragraph.heading = true;
    const mark = /^\s{0,3}(```|~~~)/.exec(line)?.[1] ?? '';
    const inBlock = fence !== '' || /^\s*\|/.test(line);
    if (mark !== '' && (fence === '' || fence === mark)) fence = fence === '' ? mark : '';
    else if (index >= matterEnd || isProse(line)) {
      if (!inBlock && line.trim() !== '') blockWords = 0;
      for (const piece of piecesOf(line, index)) {
        if (inBlock && blockWords >= BLOCK_WORDS) break;
        if (inBlock) blockWords += piece.words;
        paragraph.pieces.push(piece);
        paragraph.words += piece.words;
        // One without an end comes in parts: of a note that is too long the rest is never looked at.
        if (paragraph.words > 10 * MOST_WORDS) {
          yield paragraph;
          paragraph = { pieces: [], words: 0, heading: false };
        }
      }
    }
  }
  if (paragraph.pieces.length > 0) yield paragraph;
}

/** Where the front matter ends; 0 without any. */
function endOfMatter(note: string): number {
  const found = /^\ufeff?---[ \t]*\r?\n[\s\S]*?\r?\n---[ \t]*(?=\r?\n|$)/.exec(note.slice(0, 100_000));
  return found ? found[0].length : 0;
}

/** Of front matter only what was written to be read: ids, times and settings mean nothing. */
function isProse(line: string): boolean {
  const value = line.slice(0, 500).replace(/^\s*(?:-\s+)?(?:[\w -]{1,40}:\s)?/, '');
  return value.split(/\s+/).filter((word) => /\p{L}{2}/u.test(word)).length >= 3;
}

let sentences: Intl.Segmenter | undefined;

/** So much of a line at a time, to the last white space in it: to look for sentences takes ever longer with the length. */
const STRETCH = /.{1,2000}(?=\s|$)|.{1,2000}/gsu;

/** A line in pieces of at most a passage each: whole, or its sentences, or their words. */
function* piecesOf(line: string, at: number): Generator<Piece> {
  for (const { 0: stretch, index: from } of line.matchAll(STRETCH)) {
    const whole = measured(stretch, at + from);
    if (whole.words <= MOST_WORDS && whole.tokens <= MOST_TOKENS) {
      if (whole.words > 0) yield whole;
      continue;
    }
    sentences ??= new Intl.Segmenter('en', { granularity: 'sentence' });
    for (const { segment, index } of sentences.segment(stretch)) {
      const sentence = measured(segment, at + from + index);
      if (sentence.words > MOST_WORDS || sentence.tokens > MOST_TOKENS) yield* cut(segment, at + from + index);
      else if (sentence.words > 0) yield sentence;
    }
  }
}

/** A sentence without an end is cut between words, and a word without an end anywhere. */
function* cut(text: string, at: number): Generator<Piece> {
  let open: Piece | null = null;
  for (const { 0: run, index } of text.matchAll(/\S{1,60}/gu)) {
    const word = measured(run, at + index);
    if (open && (open.words >= WORDS || open.tokens + word.tokens > MOST_TOKENS)) {
      yield open;
      open = null;
    }
    open = open
      ? { from: open.from, to: word.to, words: open.words + word.words, tokens: open.tokens + word.tokens }
      : word;
  }
  if (open && open.words > 0) yield open;
}

/** Scripts written without spaces: three characters are taken for a word. */
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;

/** Of each ASCII character; what is beyond is looked at one by one. */
const CLASSES = Array.from({ length: 128 }, (_, code) => classOf(String.fromCharCode(code)));

function classOf(character: string): 'space' | 'latin' | 'digit' | 'letter' | 'unspaced' | 'mark' {
  if (/\s/.test(character)) return 'space';
  if (/[a-z]/i.test(character)) return 'latin';
  if (/[0-9]/.test(character)) return 'digit';
  if (UNSPACED.test(character)) return 'unspaced';
  return /[\p{L}\p{N}]/u.test(character) ? 'letter' : 'mark';
}

/**
 * How long a text is to a reader, and to the model. Its word pieces are counted without its vocabulary: a Latin word or a
 * number at two characters to a piece, what is long, mixed or of another script at one. Hardly ever less than it is.
 */
function measured(text: string, at: number): Piece {
  let words = 0;
  let tokens = 0;
  let inWord = false;
  let latin = 0;
  let digits = 0;
  const endRun = () => {
    const random = (latin > 0 && digits > 0) || latin > 14 || digits > 4;
    tokens += random ? latin + digits : Math.ceil((latin + digits) / 2);
    latin = 0;
    digits = 0;
  };
  for (const character of text) {
    const kind = CLASSES[character.charCodeAt(0)] ?? classOf(character);
    if (kind === 'latin') latin++;
    else if (kind === 'digit') digits++;
    else {
      endRun();
      if (kind !== 'space') tokens++;
    }
    if (kind === 'unspaced') words += 1 / 3;
    else if (kind === 'space') inWord = false;
    else if (kind !== 'mark' && !inWord) {
      inWord = true;
      words++;
    }
  }
  endRun();
  return { from: at, to: at + text.length, words, tokens };
}
