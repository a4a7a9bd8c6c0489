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
  /** It goes on in the paragraph or block of the unit before. */
  continues: boolean;
}

/** Characters: from here, up to and without there. */
export type Range = readonly [from: number, to: number];

/** Longer paragraphs and blocks are cut, where sentences or lines end. About 90 tokens. */
const UNIT_CHARS = 400;
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
    block = { kind, from, to, headings: above, speaker: kind === 'turn' ? speakerOf(line) : '', continues: false };
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
    if (/^\*\*[^*:]{1,80}:\*\*\s/.test(line)) return 'turn';
  }
  if (/^(?:[-*_=]\s*){3,}$/.test(line)) return 'rule';
  return /^(?:[-*+•]|\d{1,3}[.)])\s+\S/.test(line) ? 'item' : 'plain';
}

function speakerOf(line: string): string {
  return /^\*\*([^*:]{1,80}):\*\*/.exec(line)?.[1]?.trim() ?? '';
}

function isTableRule(line: string): boolean {
  return /^[|:\s-]+$/.test(line) && line.includes('-');
}

function cells(row: string): string {
  return row.slice(0, TABLE_HEAD_CHARS).replace(/^\s*\|\s*|\s*\|\s*$/g, '');
}

/** The block's units that reach into the range. */
function cut(text: string, block: Block, range: Range, units: Unit[]): void {
  // A block may be megabytes long: what lies before the range is not cut at all.
  let from = block.to - block.from <= 2 * UNIT_CHARS ? block.from : Math.max(block.from, range[0]);
  const to = Math.min(block.to, range[1]);
  const { headings, speaker } = block;
  while (from < to) {
    const end = block.to - from <= UNIT_CHARS ? block.to : pieceEnd(text, from, block.kind === 'fence');
    const before = units.at(-1);
    if (text.slice(from, end).trim() !== '' && from >= (before?.to ?? 0))
      units.push({ from, to: end, headings, speaker, continues: from > block.from });
    from = end;
  }
}

/** Where a piece that begins here ends: after its last sentence or line that fits, else after a word, else anywhere. */
function pieceEnd(text: string, from: number, lines: boolean): number {
  const most = text.slice(from, from + UNIT_CHARS);
  const least = UNIT_CHARS / 4;
  const line = most.lastIndexOf('\n') + 1;
  if (lines && line > 0) return from + line;
  let sentence = 0;
  for (const match of most.matchAll(/[.!?…]["'»”)\]]*\s+|[。！？]|\n/gu)) sentence = match.index + match[0].length;
  if (sentence > least) return from + sentence;
  const word = most.lastIndexOf(' ') + 1;
  if (word > least) return from + word;
  // Not between the halves of a character.
  const last = most.charCodeAt(most.length - 1);
  return from + most.length - (last >= 0xd800 && last < 0xdc00 ? 1 : 0);
}
