import { type Fact, factsOf } from './facts.js';
import { type Fix, fixesOf } from './fixes.js';
import { LIMITS } from './limits.js';
import { type Block, blocksOf, markOf } from './note-blocks.js';
import { firstSentences, sentencesOf } from './sentences.js';

/** What a note says in short, drawn from its own structure without a model. */
export interface Digest {
  summary: string;
  decisions: string[];
  /** What it leaves open. */
  nextSteps: string[];
  /** What it says is done or dropped: earlier notes may have left it open. */
  closed: string[];
  /** Figures and findings that it marks itself, the most telling first. */
  facts: string[];
  /** What went wrong and what mended it, where the note says both; absent where it does not. */
  fixes?: Fix[];
  /** Of a pattern: of what type it is, the ids of the notes it was drawn from, other names it was saved under. */
  pattern?: { type: string; evidence: string[]; names: string[] };
  /** Of a checkpoint: the commit it was made on (empty where it does not say), and whether by the schedule. */
  checkpoint?: { commit: string; automatic: boolean };
}

type Section = 'next' | 'decided' | 'done' | 'summary' | 'happened' | 'other';

const SECTIONS: [Section, RegExp][] = [
  [
    'next',
    /^(?:next(?: steps?| actions?| up)?|to-?dos?|to do|open(?: questions| items| steps| loops)?|follow-?ups?|action items|plan(?: until.*)?|what'?s next|remaining|что дальше|(?:а )?дальше|(?:следующие|ближайшие) шаги|следующий шаг|план|(?:что )?осталось|задачи|открытые вопросы|(?:мелкие )?хвосты|надо сделать|сделать)(?![\p{L}])/iu,
  ],
  [
    'decided',
    /^(?:\p{L}{2,12} )?(?:decisions?|decided|what (?:was|we|is) decided|agreed|agreements|решени[ея]|решили|решено|договорились|договор[её]нности)(?![\p{L}])/iu,
  ],
  [
    'done',
    /^(?:what (?:is|was|we|got) )?(?:done|completed|finished|shipped|closed|did|что сделано|что сделали|сделано|сделали|готово|закрыто|выполнено|завершено)(?![\p{L}])/iu,
  ],
  [
    'summary',
    /^(?:summary|tl;?dr|in short|overview|abstract|status|current (?:state|status)|where we (?:are|stand)|итоги?|коротко|кратко|вкратце|резюме|суть|главное|статус|текущее состояние|где мы(?: сейчас)?)(?![\p{L}])/iu,
  ],
  [
    'happened',
    /^(?:what happened|the problem|problem|context|background|goal|что случилось|что было|что произошло|проблема|контекст|цель)(?![\p{L}])/iu,
  ],
];

/** `**Status:** live for all but one`, where it says more than a colour. */
const STANDING = /^(?:goal|status|result|tl;?dr|summary|цель|статус|итог|результат)\s*:\s*\S.{24,}/iu;
/** A decision within the text. What `Решение:` says may be a solution: then it is told as what mended something. */
const DECIDED = /^(?:decision|decided|we decided|agreed|решили|решено|договорились|решение)\s*:\s*(\S.{7,})/isu;
/** `Closes #482193`: an open step by the number that it was shown with. */
const CLOSES =
  /(?<!\p{L})(?:clos(?:es|ed)|done|fix(?:es|ed)|закры\p{L}+|сделан\p{L}*|готов\p{L}*)[^#\n]{0,20}#\d{6}(?!\d)/iu;

/** `12.11.2026, Ann and Bob`, `7 ноября 2026`, not `200 bookings pass`. */
const DATED = /^[^\p{L}\d]*\d{1,4}(?:[-./]\d|(?<!\d{3})\.?\s\p{L}{3,9}(?:,|\s\d{4}))/u;

const SUMMARY_CHARS = 320;
/** As many decisions as can be saved with a note; a list of all that is to do, kept by hand, has more steps. */
const MOST = { decisions: LIMITS.items, nextSteps: 300, closed: 300, facts: 16 };

/**
 * Reads headings, lists, checkboxes and tables, in English and Russian. `body` has no front matter; what the note was
 * saved with (`given`) stands before what is found.
 */
export function digestOf(body: string, given: Partial<Digest> = {}): Digest {
  const blocks = blocksOf(body);
  const found: Omit<Digest, 'summary' | 'facts'> = { decisions: [], nextSteps: [], closed: [] };
  const summaries: Partial<Record<Section, string>> = {};
  const facts: Fact[] = [];
  let [section, heading]: [Section, string] = ['other', ''];
  let parents: string[] = [];
  const labelled: string[] = [];
  for (const block of blocks) {
    if (block.kind === 'heading') {
      [section, heading] = [sectionOf(block.text), block.text];
      parents = [];
      continue;
    }
    const decided = 'text' in block && section !== 'decided' ? DECIDED.exec(block.text)?.[1] : undefined;
    if (decided !== undefined) {
      labelled.push(firstSentences(decided, SUMMARY_CHARS));
      continue;
    }
    if (block.kind === 'item') {
      parents = [...parents.slice(0, block.depth), block.text];
      // What stands below a step explains it; what stands below `Backend:` is of the list itself.
      const above = parents.at(-2) ?? '';
      const explains = block.depth > 0 && block.mark === null && above !== '' && !above.endsWith(':');
      if (!explains) takeItem(block, section, found);
    } else if (block.kind === 'table') takeRows(block, found);
    else takeParagraph(block.text, section, found, summaries);
    if (section !== 'next' && section !== 'decided' && section !== 'done') facts.push(...factsOf(block, heading));
  }
  const fixes = fixesOf(blocks);
  const mends = (text: string) => fixes.some(({ fix }) => text.startsWith(fix.slice(0, 40)));
  found.decisions.push(...labelled.filter((text) => !mends(text)));
  return {
    summary: given.summary || summaries.summary || summaries.happened || summaries.other || '',
    decisions: (given.decisions?.length ? given.decisions : found.decisions).slice(0, MOST.decisions),
    nextSteps: (given.nextSteps?.length ? given.nextSteps : found.nextSteps).slice(0, MOST.nextSteps),
    closed: found.closed.slice(0, MOST.closed),
    facts: facts
      .map((fact, at) => ({ ...fact, at }))
      .sort((a, b) => b.weight - a.weight || a.at - b.at)
      .slice(0, MOST.facts)
      .map(({ text }) => text),
    ...(fixes.length === 0 ? {} : { fixes }),
  };
}

/** How a text begins, whatever it is made of: many a lesson is a list alone, and no paragraph sums it up. */
export function openingOf(body: string): string {
  const said = blocksOf(body).flatMap((each) => (each.kind === 'item' || each.kind === 'paragraph' ? each.text : []));
  const joined = said.map((text) => (/[.!?…:;,]$/.test(text) ? text : `${text};`)).join(' ');
  return firstSentences(joined.replace(/;$/, ''), SUMMARY_CHARS);
}

/** `## 4. 🧭 Decisions / Решения` is of the same kind as `Decisions`. */
function sectionOf(heading: string): Section {
  const words = heading.replace(/^[^\p{L}]+/u, '');
  return SECTIONS.find(([, names]) => names.test(words))?.[0] ?? 'other';
}

type Lists = Pick<Digest, 'decisions' | 'nextSteps' | 'closed'>;

function takeItem(item: Extract<Block, { kind: 'item' }>, section: Section, found: Lists): void {
  const { text, mark, struck } = item;
  if (text === '' || (text.endsWith(':') && mark === null)) return;
  if (section === 'decided') {
    if (struck !== '') found.closed.push(`~~${struck}~~`);
    // `✅ Use X` below "Decisions" is a decision, `✅ Did X` anywhere else is done.
    if (mark !== 'dropped' || struck === '') found.decisions.push(text);
    return;
  }
  // What took its place follows.
  if (struck !== '' && mark !== 'dropped') found.closed.push(struck);
  if (mark === 'done' || mark === 'dropped' || (mark === null && section === 'done')) found.closed.push(text);
  else if (mark === 'open' || section === 'next') found.nextSteps.push(text);
}

/** Rows that say how far they are are steps. */
function takeRows({ header, rows }: Extract<Block, { kind: 'table' }>, found: Lists): void {
  const marks = rows.map((row) => row.findIndex((cell) => stateOf(cell) !== null));
  const column = marks.find((at) => at >= 0) ?? -1;
  if (column < 0 || marks.filter((at) => at >= 0).length * 2 < rows.length) return;
  for (const row of rows) {
    const state = stateOf(row[column] ?? '');
    const [what = '', ...more] = row
      .map((cell) => cell.replace(/(?:\*\*|__|`)/g, ''))
      .filter((cell, at) => at !== column && cell !== '' && !/^[\d.#№–-]+$/.test(cell) && header[at] !== '#');
    const text = more.length === 0 ? what : `${what} — ${more.join(', ')}`;
    // One word is the name of a part, not something to do.
    if (state === null || !/\s/.test(text)) continue;
    (state === 'open' ? found.nextSteps : found.closed).push(text);
  }
}

function stateOf(cell: string) {
  if (/^(?:done|ready|shipped|готово|сделано|закрыто|выполнено)$/iu.test(cell)) return 'done';
  if (/^(?:todo|open|in progress|planned|waiting|в работе|не начато|ждём|ожидает|план)$/iu.test(cell)) return 'open';
  return markOf(cell);
}

function takeParagraph(
  text: string,
  section: Section,
  found: Lists,
  summaries: Partial<Record<Section, string>>,
): void {
  if (section === 'decided') found.decisions.push(...sentencesOf(text));
  else if (section === 'next') {
    // A sentence or two are steps; more are an explanation of those that are listed.
    const sentences = sentencesOf(text);
    if (found.nextSteps.length === 0 && sentences.length <= 3) found.nextSteps.push(...sentences);
  } else if (CLOSES.test(text)) found.closed.push(text);
  else if (STANDING.test(text))
    summaries.summary = [summaries.summary, text].filter(Boolean).join(' ').slice(0, SUMMARY_CHARS);
  else if (/\p{L}/u.test(text) && (section !== 'other' || isProse(text)))
    summaries[section] ??= firstSentences(text, SUMMARY_CHARS);
}

/** Not the line with the date and who was there. */
function isProse(text: string): boolean {
  return !DATED.test(text) && (text.length >= 60 || /[.!?…:]$/.test(text));
}

/** A digest as a note's text, where the note itself is not at hand. */
export function digestText({ summary, decisions, nextSteps, facts }: Digest): string {
  const list = (heading: string, items: string[]) => (items.length === 0 ? [] : [`## ${heading}`, ...items]);
  return [
    summary,
    ...list('Decisions', decisions),
    ...list('Next steps', nextSteps),
    ...list('Facts', facts ?? []),
  ].join('\n\n');
}
