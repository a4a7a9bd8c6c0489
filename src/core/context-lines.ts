import type { ProjectContext } from './context.js';
import { day } from './format.js';
import { sentencesOf } from './sentences.js';
import { folded } from './words.js';

export const SECTIONS = [
  ['now', 'Where we stand'],
  ['next', 'Open next steps'],
  ['decided', 'Decisions'],
  ['facts', 'Figures and findings'],
  ['record', 'Project'],
  ['patterns', 'Patterns'],
  ['relatives', 'Decided in related projects'],
  ['older', 'Earlier notes'],
] as const;

export interface ContextLine {
  section: (typeof SECTIONS)[number][0];
  text: string;
  /** The greater, the sooner it is shown; where it stands in its section is another matter. */
  worth: number;
}

/** A sentence without an end would leave no room for the others. */
const ENDLESS_CHARS = 320;
const PATTERNS = 6;
const RELATIVES = 8;

/**
 * What to say of a project, each thing once, the most useful first. `chars` is how long a line should be: it has whole
 * sentences, at least one.
 */
export function contextLines(context: ProjectContext, chars: number): ContextLine[] {
  const lines: ContextLine[] = [];
  const said = new Set<string>();
  const add = (section: ContextLine['section'], key: string, worth: number, text: string) => {
    const name = folded(key) || key;
    if (said.has(name)) return;
    said.add(name);
    lines.push({ section, text, worth });
  };
  // Most lines are of this year: a date without it takes half the tokens.
  const year = context.notes[0] ? day(context.notes[0].timeMs).slice(0, 5) : '';
  const short = (timeMs: number) =>
    year !== '' && day(timeMs).startsWith(year) ? day(timeMs).slice(year.length) : day(timeMs);
  const ages = new Map(context.notes.map(({ id }, age) => [id, age]));
  const seen = new Map<string, number>();
  /** Less for what stands further back, in time and in its note. */
  const place = (section: string, from: string, perAge: number, perPlace: number) => {
    const at = seen.get(`${section} ${from}`) ?? 0;
    seen.set(`${section} ${from}`, at + 1);
    return Math.min(ages.get(from) ?? 0, 8) * perAge + Math.min(at, 10) * perPlace;
  };
  for (const [age, note] of context.notes.entries()) {
    const { id, title, timeMs, summary, queued } = note;
    const name = `- ${day(timeMs)} **${title}** \`${id}\`${queued ? ' (queued)' : ''}`;
    const brief = sentences(summary, chars);
    if (age < 3) add('now', id, age === 0 ? 200 : 62 - age * 4, brief === '' ? name : `${name}\n  ${brief}`);
    else
      add('older', id, 40 - Math.min(age, 40) / 2, `- ${short(timeMs)} ${title} \`${id}\`${queued ? ' (queued)' : ''}`);
  }
  for (const { id, text, from, timeMs, sinceMs } of context.steps) {
    const since = day(sinceMs) === day(timeMs) ? '' : ` (since ${short(sinceMs)})`;
    add('next', text, 99 - place('next', from, 4, 1), `- ${short(timeMs)} #${id} ${sentences(text, chars)}${since}`);
  }
  for (const { text, from, timeMs, supersededMs } of context.decisions) {
    const less = place('decided', from, 3, 1);
    const mark = supersededMs === null ? '' : ` (superseded ${short(supersededMs)})`;
    add('decided', text, (mark === '' ? 96 : 45) - less, `- ${short(timeMs)} ${sentences(text, chars)}${mark}`);
  }
  for (const { text, from, timeMs } of context.facts)
    add('facts', text, 95 - place('facts', from, 3, 3), `- ${short(timeMs)} ${sentences(text, chars)}`);
  const record = recordLine(context.record, chars);
  if (context.record && record !== '') add('record', record, 90, `- ${day(context.record.timeMs)} ${record}`);
  for (const [at, { id, title, timeMs, summary }] of context.patterns.slice(0, PATTERNS).entries())
    add('patterns', id, 75 - at * 4, `- ${day(timeMs)} **${title}** \`${id}\` ${sentences(summary, chars)}`.trimEnd());
  for (const [at, { text, timeMs, project }] of context.relatives.slice(0, RELATIVES).entries())
    add('relatives', text, 60 - at * 2, `- ${short(timeMs)} [${project}] ${sentences(text, chars)}`);
  return lines.sort((a, b) => b.worth - a.worth);
}

/** What is shown, in the order in which it is read. */
export function sectioned(shown: ContextLine[]): string {
  return SECTIONS.flatMap(([name, heading]) => {
    const own = shown.filter(({ section }) => section === name);
    return own.length === 0 ? [] : [`## ${heading}`, ...own.map(({ text }) => text)];
  }).join('\n');
}

function recordLine(record: ProjectContext['record'], chars: number): string {
  if (record === null) return '';
  const { status, priority, currentRevenue, targetRevenue, summary } = record;
  return [
    status && `status ${status}`,
    priority && `priority ${priority}`,
    currentRevenue !== null && `revenue ${currentRevenue}`,
    targetRevenue !== null && `target ${targetRevenue}`,
    sentences(summary, chars),
  ]
    .filter((part) => part !== '' && part !== false)
    .join(', ');
}

/** Whole sentences up to so many characters, at least the first; one that does not end is cut at a word. */
function sentences(text: string, chars: number): string {
  const all = sentencesOf(text);
  let whole = all[0] ?? '';
  for (const each of all.slice(1)) {
    if (whole.length + 1 + each.length > chars) break;
    whole += ` ${each}`;
  }
  if (whole.length <= ENDLESS_CHARS) return whole;
  const word = whole.lastIndexOf(' ', ENDLESS_CHARS - 1);
  return `${whole.slice(0, word > ENDLESS_CHARS / 2 ? word : ENDLESS_CHARS - 1).toWellFormed()}…`;
}
