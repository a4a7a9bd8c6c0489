import type { Block } from './note-blocks.js';
import { firstSentences, sentencesOf } from './sentences.js';

/** What went wrong, with its cause where the note names one, and what mended it. */
export interface Fix {
  problem: string;
  fix: string;
}

type Role = 'problem' | 'cause' | 'fix';

const NAMES: Record<Role, string> = {
  problem:
    'problems?|errors?|bugs?|issues?|symptoms?|failure|incident|outage|what happened|what went wrong|ошибк[аи]|проблем[аы]|симптом[ыа]?|баг[иа]?|сбой|авария|инцидент|что случилось|что произошло|что сломалось|что пошло не так',
  cause: 'root causes?|cause|reason|why(?: it happened)?|причин[аы]|корень|первопричина|почему(?: так)?|из-за чего',
  fix: 'fix(?:ed)?(?: by)?|the fix|(?:the )?solution|solved(?: by)?|(?:the )?resolution|resolved(?: by)?|workaround|remedy|what helped|how (?:we|it was) (?:fixed|solved)(?: it)?|решение|решили так|починили|исправили|исправление|как (?:починили|исправили|решили)|что помогло|помогло|лечение|обход',
};
const ROLES = Object.keys(NAMES) as Role[];
const HEADINGS = byRole((names) => new RegExp(`^[^\\p{L}]*(?:${names})(?![\\p{L}])`, 'iu'));
/** Of a problem something more may be said before the colon; of what mends it, nothing. */
const LABELS = byRole((names, role) => {
  const more = role === 'problem' ? '(?:\\s+(?!:)[\\p{L}\\d#№-]+){0,3}' : '(?:\\s+\\d+)?';
  return new RegExp(`^[^\\p{L}\\d]*(?:${names})${more}\\s*(?::|\\s[—–]\\s)\\s*`, 'iu');
});
/** `**Симптом.** 5 октября …` */
const BOLD = byRole(
  (names) => new RegExp(`^[^\\p{L}]*(?:\\*\\*|__)(?:${names})\\s*[.:]?(?:\\*\\*|__)\\s*[.:]?\\s*`, 'iu'),
);
/** In the middle of lines that were joined. */
const WITHIN = new RegExp(
  `(?<=\\s)(?:[^\\p{L}\\p{N}\\s]+\\s*)?(?:${ROLES.map((role) => NAMES[role]).join('|')})(?:\\s\\d+)?\\s*:\\s`,
  'giu',
);
const COLUMNS = byRole((names) => new RegExp(`^[^\\p{L}]*(?:${names})(?![\\p{L}])`, 'iu'));

/** A sentence that tells how something was mended, not only that it was. */
const HOW =
  /^(?:the (?:fix|solution|cure) (?:was|is)(?! not)|(?:we |i )?(?:fixed|solved|resolved|repaired|cured) (?:(?:it|this|that|them) )?(?:by|with)\s|(?:it )?(?:was )?(?:fixed|solved|resolved) by\s|(?:починили|исправили|поправили|вылечили|решили)(?:\s[^\s:]+){0,2}\s*:|(?:починили|исправили|вылечили) (?:это|так|тем)[\s,]|помогл[оаи]\s)/iu;
/** The same after a story of what went wrong. */
const AT_LAST =
  /^(?:then|in the end|finally|eventually|потом|затем|в итоге|в конце концов),? (?:we |i )?(?:fixed|solved|repaired|починили|исправили|поправили|вылечили|сделали|решили)(?![\p{L}])/iu;
/** `The form sent twice → fixed by a lock`. */
const INLINE =
  /^(.{12,300}?)(?:\s*(?:[—–→;(]|[-=]>)\s*|[.,]\s+)(?:fixed (?:by|with)|fix:|solved by|resolved by|решение:|починили[:,]|исправили[:,]|лечится)\s*(.{8,400}?)\)?\.?$/iu;

/** Not by whom. */
const MENDED = /^(?:fixed|solved|resolved) (?:by (?:\p{L}+ing|an?)|with)\s/iu;

const TEXT_CHARS = 240;
const LEAST_CHARS = 8;
const MOST = 12;

interface Found extends Record<Role, string> {
  /** What the heading calls it. */
  title: string;
}

/** Errors with what mended them: labelled lines, headings next to each other, table rows, or one sentence with both. */
export function fixesOf(blocks: readonly Block[]): Fix[] {
  const fixes: Fix[] = [];
  let found: Found | null = null;
  let into: Role | null = null;
  /** The items that the one at hand stands below; how deep the one is that is taken for the problem. */
  let above: string[] = [];
  let belowDepth = -1;
  const keep = (problem: string, fix: string) => {
    if (fixes.length < MOST && telling(problem) && telling(fix)) fixes.push({ problem, fix });
  };
  const end = () => {
    if (found) keep(problemOf(found), found.fix);
    [found, into, belowDepth] = [null, null, -1];
  };
  const take = (role: Role, text: string, depth: number) => {
    if (role === 'problem' && found && (found.problem !== '' || found.fix !== '')) end();
    // `- The build fails` with `- Fix: …` below it.
    const over = above[depth - 1] ?? '';
    if (found === null && role !== 'problem' && over !== '' && !over.endsWith(':')) {
      found = { title: '', problem: firstSentences(over, TEXT_CHARS), cause: '', fix: '' };
      belowDepth = depth - 1;
    }
    if (role === 'fix' && (found === null || problemOf(found) === '')) return;
    found ??= { title: '', problem: '', cause: '', fix: '' };
    found[role] ||= firstSentences(text, TEXT_CHARS);
    // `Make sure:` is said in what follows.
    into = text === '' || text.endsWith(':') ? role : null;
  };
  for (const block of blocks) {
    if (block.kind === 'heading') {
      const role = ROLES.find((each) => HEADINGS[each].test(block.text)) ?? null;
      if (role === null || role === 'problem') end();
      if (role === 'problem') found = { title: titleOf(block.text), problem: '', cause: '', fix: '' };
      // What stands after it is read as what the heading says, where there was a problem before it.
      into = found === null ? null : role;
      above = [];
      continue;
    }
    if (block.kind === 'table') {
      for (const { problem, fix } of rowsOf(block)) keep(problem, fix);
      continue;
    }
    if (block.kind === 'item') {
      if (found && block.depth <= belowDepth) end();
      above = [...above.slice(0, block.depth), block.text];
    } else above = [];
    for (const { role, text } of labelled(block)) {
      const both = role === null ? sentencesWith(text) : [];
      if (role !== null) take(role, text, block.kind === 'item' ? block.depth : 0);
      else if (both.length > 0) for (const each of both) keep(each.problem, each.fix);
      else if (found && found.fix === '' && into !== 'fix' && told(text, found)) found.fix = told(text, found);
      else if (found && into) found[into] = added(found[into], text, block.kind === 'item');
    }
  }
  end();
  return fixes;
}

function byRole(make: (names: string, role: Role) => RegExp): Record<Role, RegExp> {
  return { problem: make(NAMES.problem, 'problem'), cause: make(NAMES.cause, 'cause'), fix: make(NAMES.fix, 'fix') };
}

/** Where the next label begins: with a capital, for what it names may also be spoken of. */
function nextLabel(text: string): number {
  for (const match of text.matchAll(WITHIN)) if (/^[^\p{L}]*\p{Lu}/u.test(match[0])) return match.index;
  return text.length;
}

/** Not a template's `[what went wrong]`, nor the beginning of a list that is not there. */
function telling(text: string): boolean {
  return text.length >= LEAST_CHARS && /\p{L}{3}/u.test(text) && !/^[[<{].*[\]>}]$|:$/.test(text);
}

/** `Что случилось: пустая сводка` and `Incident: bot silent` name the problem; `What happened` does not. */
function titleOf(heading: string): string {
  const named = /^[^:]{2,40}:\s+(.{8,})$/u.exec(heading)?.[1];
  const more = heading.replace(HEADINGS.problem, '').trim();
  return named ?? (/^(?!and |и )[\p{L}«"].*\s\p{L}/u.test(more) ? heading.replace(/^[^\p{L}]+/u, '') : '');
}

function problemOf({ title, problem, cause }: Found): string {
  const what = [title, problem].find((each) => each !== '') ?? '';
  // The title says which, the labelled lines say what.
  const said = title !== '' && problem !== '' && problem.length < TEXT_CHARS / 2 ? `${title}: ${problem}` : what;
  return [said, cause]
    .filter((each) => each !== '')
    .map((each) => each.replace(/\.$/, ''))
    .join(' — ');
}

/** A block's text in pieces, by the labels in it. */
function labelled(block: Extract<Block, { kind: 'item' | 'paragraph' }>): { role: Role | null; text: string }[] {
  const parts: { role: Role | null; text: string }[] = [];
  let rest = block.text;
  let raw: string | null = block.raw;
  while (rest !== '') {
    const role = ROLES.find((each) => LABELS[each].test(rest) || (raw !== null && BOLD[each].test(raw))) ?? null;
    const label = role === null ? 0 : (LABELS[role].exec(rest)?.[0].length ?? boldLength(rest, role));
    const after = rest.slice(label);
    const next = nextLabel(after);
    parts.push({ role, text: after.slice(0, next).trim() });
    rest = after.slice(next).trim();
    raw = null;
  }
  return parts;
}

/** Of a label that ends with a full stop. */
function boldLength(text: string, role: Role): number {
  return (
    (HEADINGS[role].exec(text)?.[0].length ?? 0) + (/^[\s.:]*/.exec(text.replace(HEADINGS[role], ''))?.[0].length ?? 0)
  );
}

/** The first sentences that tell how it was mended; empty where none does. */
function told(text: string, { problem, cause }: Found): string {
  const all = sentencesOf(text);
  const story = problem !== '' || cause !== '';
  const at = all.findIndex((each, nth) => HOW.test(each) || (AT_LAST.test(each) && (story || nth > 0)));
  return at < 0 ? '' : firstSentences(all.slice(at).join(' '), TEXT_CHARS);
}

/** The first paragraph, or the first items, below a heading or a label of its own. */
function added(before: string, text: string, item: boolean): string {
  if (before === '') return firstSentences(text, TEXT_CHARS);
  if (!item || before.length + text.length + 2 > TEXT_CHARS) return before;
  return before.endsWith(':') ? `${before} ${text}` : `${before}; ${text}`;
}

/** `The form sent twice (fixed: the button goes grey)`, in one sentence or in two. */
function sentencesWith(text: string): Fix[] {
  const all = sentencesOf(text);
  return all.flatMap((sentence, at) => {
    const next = all[at + 1] ?? '';
    const [, problem = '', fix = ''] =
      INLINE.exec(sentence) ?? INLINE.exec(MENDED.test(next) ? `${sentence} ${next}` : '') ?? [];
    return problem === '' ? [] : [{ problem: problem.trim(), fix: fix.trim() }];
  });
}

/** Rows of a table that has a column for what went wrong and one for what mended it. */
function rowsOf({ header, rows }: Extract<Block, { kind: 'table' }>): Fix[] {
  const at = (role: Role) => header.findIndex((cell) => COLUMNS[role].test(cell));
  const [problem, cause, fix] = [at('problem'), at('cause'), at('fix')];
  if (problem < 0 || fix < 0) return [];
  const cell = (row: string[], column: number) => (row[column] ?? '').replace(/(?:\*\*|__|`)/g, '');
  return rows.map((row) => ({
    problem: problemOf({ title: '', problem: cell(row, problem), cause: cell(row, cause), fix: '' }),
    fix: cell(row, fix),
  }));
}
