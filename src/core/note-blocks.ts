import { headingOf, plain } from '../search/markdown.js';

/** What a mark before (or after) a line says of it. */
export type Mark = 'open' | 'done' | 'dropped' | null;

/**
 * A note in pieces, as people write them. Text is plain, without what is struck out in it, unless all that it says is;
 * `struck` is what stood at its beginning, empty where nothing did. `raw` still has its emphasis.
 */
export type Block =
  | { kind: 'heading'; text: string }
  | { kind: 'item'; text: string; raw: string; mark: Mark; depth: number; struck: string }
  | { kind: 'table'; header: string[]; rows: string[][] }
  | { kind: 'paragraph'; text: string; raw: string };

/** Longer notes are read at both ends: what is left to do stands last. */
const HEAD_CHARS = 300_000;
const TAIL_CHARS = 100_000;
const MOST_LINES = 6_000;
const LINE_CHARS = 2_000;
const MOST_CELLS = 12;

const DONE = /^(?:✅|☑|✔|✓|🎉)/u;
const DROPPED = /^(?:❌|🚫|✖|⛔)/u;
const OPEN = /^(?:⏳|⌛|🔄|🔁|☐|🔲|⬜|🔜|🚧|📌|➡|▶|TODO\b|TBD\b)/u;
/** A checklist without bullets; several marks in one line explain what they mean. */
const BARE =
  /^(?:[✅☑✔❌⏳⌛🔄☐🔲⬜🔜🚧]\ufe0f?|(?:TODO|TBD):)\s*(?=[\p{L}\p{N}*_`~"«(])(?!.*[✅☑✔❌⏳⌛🔄☐🔲⬜🔜🚧])/u;
/** `~~Buy the app~~`, `~~Buy the app~~ — too dear`; `~~Buy the app~~ Rent it` says something else instead. */
const STRUCK = /^~~[^~]+~~\s*(?:$|[—–.,:;()✅✔❌-](?!>))/u;
const ITEM = /^(\s*)(?:[-*+•]|\d{1,3}[.)])\s+(?:\[(.)\]\s*)?(\S.*)$/u;
/** `**Date:** …`: what a note says of itself, not of its matter. */
const ABOUT =
  /^(?:\*\*|__)?(?:date|created|updated|дата(?: создания)?|project|проект|authors?|автор|owner|участники|tags?|теги|time|время|session|сессия|priority|приоритет|version|версия)(?:\*\*|__)?\s*[:|]/iu;

/** Splits a note's body. Code, comments, rules, images and lines about the note itself are left out. */
export function blocksOf(body: string): Block[] {
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  let item: { lines: string[]; mark: Mark; depth: number } | null = null;
  let table: string[][] = [];
  const end = () => {
    if (item) blocks.push(itemOf(item));
    if (paragraph.length > 0) blocks.push({ kind: 'paragraph', ...joined(paragraph, null) });
    if (table.length > 1) blocks.push(tableOf(table));
    [item, paragraph, table] = [null, [], []];
  };
  for (const line of proseLines(body)) {
    const text = line.trim();
    const heading = headingOf(text);
    const listed = ITEM.exec(line);
    if (text.startsWith('|')) {
      if (table.length === 0) end();
      table.push(cellsOf(text));
    } else if (text === '' || /^(?:[-*_=]\s*){3,}$/.test(text) || text.startsWith('<!--') || ABOUT.test(text)) end();
    else if (heading !== null) {
      end();
      blocks.push({ kind: 'heading', text: heading });
    } else if (listed) {
      end();
      const [, indent = '', box, rest = ''] = listed;
      const depth = Math.floor(indent.replaceAll('\t', '    ').length / 2);
      const mark = markOf(rest);
      // Nobody takes the trouble to tick what was struck out.
      item = { lines: [rest], mark: box === undefined || mark === 'dropped' ? mark : markOfBox(box), depth };
    } else if (BARE.test(text)) {
      end();
      item = { lines: [text], mark: markOf(text), depth: 0 };
    } else if (item && /^\s{2,}/.test(line)) item.lines.push(text);
    else {
      if (item || table.length > 0) end();
      paragraph.push(text.replace(/^>\s?/, ''));
    }
  }
  end();
  return blocks;
}

/** What an emoji at either end says; a struck line was dropped. */
export function markOf(text: string): Mark {
  const bare = text.replace(/^[*_\s]+/, '');
  if (DONE.test(bare) || /[✅☑✔]\ufe0f?$/u.test(bare.trimEnd())) return 'done';
  if (DROPPED.test(bare) || STRUCK.test(bare.replaceAll('**', '').trim())) return 'dropped';
  return OPEN.test(bare) ? 'open' : null;
}

function markOfBox(box: string): Mark {
  if (/[xX✓✔✅хХ]/u.test(box)) return 'done';
  return box === '-' ? 'dropped' : 'open';
}

function itemOf({ lines, mark, depth }: { lines: string[]; mark: Mark; depth: number }): Block {
  const made = joined(lines, mark);
  const struck = plain(/^[*\s]*~~([^~]+)~~/.exec(made.raw)?.[1] ?? '');
  return { kind: 'item', ...made, mark, depth, struck };
}

function joined(lines: string[], mark: Mark): { text: string; raw: string } {
  const raw = lines.join(' ').slice(0, LINE_CHARS);
  const standing = mark === 'dropped' ? raw : raw.replace(/~~[^~]+~~(?:\s*(?:→|->|=>))?/g, '');
  return { text: plain(standing.replace(/^(?:(?:TODO|TBD)\b:?|[☐☑✓✔✖])\s*/u, '')), raw };
}

function cellsOf(row: string): string[] {
  return row
    .replace(/^\||\|$/g, '')
    .split('|', MOST_CELLS)
    .map((cell) => cell.trim());
}

function tableOf([header = [], ...rows]: string[][]): Block {
  const ruled = rows.filter((row) => !row.every((cell) => /^:?-*:?$/.test(cell)));
  return { kind: 'table', header: header.map(plain), rows: ruled };
}

/** Lines outside of code. A fence that nothing closes is none: the rest of the note is not code. */
function proseLines(body: string): string[] {
  const bounded =
    body.length <= HEAD_CHARS + TAIL_CHARS ? body : `${body.slice(0, HEAD_CHARS)}\n\n${body.slice(-TAIL_CHARS)}`;
  const all = bounded.split(/\r\n|\r|\n/);
  const some = all.length <= MOST_LINES ? all : [...all.slice(0, MOST_LINES / 2), '', ...all.slice(-MOST_LINES / 2)];
  const lines: string[] = [];
  let fence: { mark: string; at: number } | null = null;
  for (const each of some) {
    const line = each.slice(0, LINE_CHARS);
    const mark = /^\s{0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence === null && mark) fence = { mark, at: lines.length };
    else if (fence && mark?.startsWith(fence.mark) && line.trim() === mark) {
      lines.length = fence.at;
      fence = null;
      continue;
    }
    lines.push(line);
  }
  return fence === null ? lines : lines.filter((_, at) => at !== fence?.at);
}
