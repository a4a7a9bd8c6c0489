import { headingOf } from './markdown.js';

/** A piece of a note that can be read alone: a paragraph, list item, labelled turn, table row or short block of code. */
export interface Unit {
  /** Characters of the text: from the first, up to and without the last. */
  from: number;
  to: number;
  /** The headings above it, outermost first; above a row of a table also the table's first row. */
  headings: readonly string[];
  /** Who speaks, where its paragraph begins with a label (`**Anna:** …`); else empty. */
  speaker: string;
  /** A block of code, or a part of one. */
  code: boolean;
  /** It goes on in the paragraph or block of the unit before. */
  continues: boolean;
}

/** Characters: from here, up to and without there. */
export type Range = readonly [from: number, to: number];

/** Longer paragraphs are cut, where sentences end. About 55 tokens. */
const UNIT_CHARS = 240;
/** Longer blocks of code are cut, where lines end. */
const CODE_CHARS = 600;
/** A line is known by its beginning. */
const LINE_CHARS = 500;
const TABLE_HEAD_CHARS = 160;

type Kind = 'blank' | 'rule' | 'heading' | 'fence' | 'row' | 'item' | 'turn' | 'plain';

interface Block extends Unit {
  kind: Kind;
}

/**
 * The units of a Markdown text, in its order; where ranges are given (ascending, apart), those that reach into one. One
 * pass over the lines, whatever they hold.
 */
export function cutUnits(text: string, ranges: readonly Range[] = [[0, text.length]]): Unit[] {
  const units: Unit[] = [];
  const path: { level: number; line: string }[] = [];
  let headings: readonly string[] | null = [];
  let table: string | null = null;
  let block: Block | null = null;
  let fence = '';
  let range = 0;

  const begin = (kind: Kind, from: number, to: number, line: string) => {
    headings ??= path.map((each) => headingOf(each.line) ?? '').filter((words) => words !== '');
    const above = table === null ? headings : [...headings, table];
    const code = kind === 'fence';
    block = { kind, from, to, headings: above, speaker: code ? '' : speakerOf(line), code, continues: false };
  };
  const end = () => {
    if (!block) return;
    while ((ranges[range]?.[1] ?? text.length) <= block.from) range++;
    for (let at = range; (ranges[at]?.[0] ?? text.length) < block.to; at++)
      cut(text, block, ranges[at] as Range, units);
    block = null;
  };

  for (let from = 0, to = 0; from < text.length; from = to + 1) {
    const newline = text.indexOf('\n', from);
    to = newline < 0 ? text.length : newline;
    const line = text.slice(from, Math.min(to, from + LINE_CHARS)).trim();
    const open = block as Block | null;
    if (fence !== '') {
      if (open) open.to = to;
      if (!line.startsWith(fence) || !/^[`~]+$/.test(line)) continue;
      end();
      fence = '';
      continue;
    }
    const kind = kindOf(line);
    if (kind === 'plain' && open && open.kind !== 'row') {
      open.to = to;
      continue;
    }
    if (kind === 'row' && open?.kind === 'row' && isTableRule(line)) {
      // The first row says what the others' columns mean.
      table ??= cells(text.slice(open.from, open.to));
      block = null;
      continue;
    }
    end();
    if (kind !== 'row') table = null;
    if (kind === 'fence') fence = /^(?:`{3,}|~{3,})/.exec(line)?.[0] ?? '';
    if (kind === 'heading') {
      const level = /^#*/.exec(line)?.[0].length || 7;
      while ((path.at(-1)?.level ?? 0) >= level) path.pop();
      path.push({ level, line });
      headings = null;
    } else if (kind !== 'blank' && kind !== 'rule') begin(kind, from, to, line);
  }
  end();
  return units;
}

function kindOf(line: string): Kind {
  if (line === '') return 'blank';
  const first = line[0] as string;
  if (first === '|') return 'row';
  if (/^(?:`{3}|~{3})/.test(line)) return 'fence';
  if (first === '#' && /^#{1,6}\s+\S/.test(line)) return 'heading';
  if (first === '*' && line[1] === '*') {
    if (headingOf(line) !== null) return 'heading';
    if (speakerOf(line) !== '') return 'turn';
  }
  if (/^(?:[-*_=]\s*){3,}$/.test(line)) return 'rule';
  return /^(?:[-*+•]|\d{1,3}[.)])\s+\S/.test(line) ? 'item' : 'plain';
}

/** Of a line that a label begins: `**Anna:** …`, `**Anna**: …`, quoted or in a list too. */
function speakerOf(line: string): string {
  return /^(?:[-*>]\s+)?\*\*(\p{L}[^*\n:]{0,40})(?::\*\*|\*\*:)/u.exec(line)?.[1]?.trim() ?? '';
}

function isTableRule(line: string): boolean {
  return /^[|:\s-]+$/.test(line) && line.includes('-');
}

function cells(row: string): string {
  return row.slice(0, TABLE_HEAD_CHARS).replace(/^\s*\|\s*|\s*\|\s*$/g, '');
}

/** The block's units that reach into the range. */
function cut(text: string, block: Block, range: Range, units: Unit[]): void {
  const { headings, speaker, code } = block;
  const most = code ? CODE_CHARS : UNIT_CHARS;
  // A block may be megabytes long: what lies before the range is not cut at all.
  let from = Math.max(block.from, units.at(-1)?.to ?? 0, block.to - block.from > 2 * most ? range[0] : 0);
  const to = Math.min(block.to, range[1]);
  while (from < to) {
    // No piece is left that says next to nothing.
    const end = block.to - from <= 1.25 * most ? block.to : from + pieceLength(text.slice(from, from + most), code);
    if (text.slice(from, end).trim() !== '')
      units.push({ from, to: end, headings, speaker, code, continues: from > block.from });
    from = end;
  }
}

/** How much of the text makes a piece: up to its last sentence, line or word that is whole; else all of it. */
function pieceLength(most: string, code: boolean): number {
  const line = most.lastIndexOf('\n') + 1;
  if (code && line > 0) return line;
  let sentence = 0;
  for (const { 0: mark, index } of most.matchAll(/[.!?…]["'»”)\]]*\s+|[。！？]/gu)) sentence = index + mark.length;
  const length = [sentence, line, most.lastIndexOf(' ') + 1].find((end) => end > most.length / 4) ?? most.length;
  // Not between the halves of a character.
  return length === most.length && /[\ud800-\udbff]$/.test(most) ? length - 1 : length;
}
