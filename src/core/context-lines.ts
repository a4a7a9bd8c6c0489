import type { ProjectContext } from './context.js';
import { day } from './format.js';
import { patternHead } from './patterns.js';
import { sentences, sentencesOf } from './sentences.js';
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

const CHECKPOINT = '(checkpoint: since=its id compares)';
const RELATIVES = 8;

/**
 * What to say of a project, each thing once, the most useful first. `chars` is how long a line should be: it has whole
 * sentences, at least one. At most so many lines.
 */
export function contextLines(context: ProjectContext, chars: number, most: number): ContextLine[] {
  const lines: (Omit<ContextLine, 'text'> & { key: string; write(): string })[] = [];
  const add = (section: ContextLine['section'], key: string, worth: number, write: () => string) => {
    lines.push({ section, key, worth, write });
  };
  // Most lines are of this year: a date without it takes half the tokens.
  const year = context.notes[0] ? day(context.notes[0].timeMs).slice(0, 5) : '';
  const short = (timeMs: number) => {
    const date = day(timeMs);
    return year !== '' && date.startsWith(year) ? date.slice(year.length) : date;
  };
  const said = new Set<string>();
  const ages = new Map(context.notes.map(({ id }, age) => [id, age]));
  const seen = new Map<string, number>();
  /** Less for what stands further back, in time and in its note. */
  const place = (section: string, from: string, perAge: number, perPlace: number) => {
    const at = seen.get(`${section} ${from}`) ?? 0;
    seen.set(`${section} ${from}`, at + 1);
    const age = ages.get(from) ?? 0;
    return Math.min(age, 8) * perAge + Math.min(Math.max(age - 8, 0), 40) + Math.min(at, 10) * perPlace;
  };
  for (const [age, note] of context.notes.entries()) {
    const { id, title, timeMs, summary, queued } = note;
    const marks = [id === context.checkpoint?.id ? CHECKPOINT : '', queued ? '(queued)' : '']
      .map((mark) => mark && ` ${mark}`)
      .join('');
    const name = () => `- ${day(timeMs)} **${title}** \`${id}\`${marks}`;
    const brief = () => {
      // What another line has said already, this one need not; what it says, no other need.
      const unsaid = sentencesOf(sentences(summary, chars)).filter((each) => !said.has(folded(each)));
      for (const each of unsaid) said.add(folded(each));
      return unsaid.length === 0 ? name() : `${name()}\n  ${unsaid.join(' ')}`;
    };
    if (age < 3) add('now', id, age === 0 ? 200 : 66 - age * 4, brief);
    else add('older', id, 45 - Math.min(age, 40) / 2, () => `- ${short(timeMs)} ${title} \`${id}\`${marks}`);
  }
  const { checkpoint } = context;
  // Its own name is enough to find it by.
  if (checkpoint && !ages.has(checkpoint.id))
    add(
      'older',
      checkpoint.id,
      50,
      () => `- ${short(checkpoint.timeMs)} \`${checkpoint.id.split('/').pop()}\` ${CHECKPOINT}`,
    );
  for (const { id, text, from, timeMs, sinceMs } of context.steps) {
    add('next', text, 99 - place('next', from, 4, 1), () => {
      const since = day(sinceMs) === day(timeMs) ? '' : ` (since ${short(sinceMs)})`;
      return `- ${short(timeMs)} #${id} ${sentences(text, chars)}${since}`;
    });
  }
  for (const { text, from, timeMs, supersededMs } of context.decisions) {
    const less = place('decided', from, 3, 1);
    add('decided', text, (supersededMs === null ? 96 : 45) - less, () => {
      const mark = supersededMs === null ? '' : ` (superseded ${short(supersededMs)})`;
      return `- ${short(timeMs)} ${sentences(text, chars)}${mark}`;
    });
  }
  for (const { text, from, timeMs } of context.facts)
    add('facts', text, 95 - place('facts', from, 3, 3), () => `- ${short(timeMs)} ${sentences(text, chars)}`);
  const record = recordLine(context.record, chars);
  if (context.record && record !== '') {
    const dated = `- ${day(context.record.timeMs)} ${record}`;
    add('record', record, 90, () => dated);
  }
  for (const [at, each] of context.patterns.entries())
    add('patterns', each.id, 75 - at * 4, () =>
      `- ${day(each.timeMs)} ${patternHead(each)} ${sentences(each.summary, chars)}`.trimEnd(),
    );
  for (const [at, { text, timeMs, project }] of context.relatives.slice(0, RELATIVES).entries())
    add('relatives', text, 60 - at * 2, () => `- ${short(timeMs)} [${project}] ${sentences(text, chars)}`);
  // Written only where there may be room: a long history has thousands.
  const shown: ContextLine[] = [];
  for (const { section, key, worth, write } of lines.sort((a, b) => b.worth - a.worth)) {
    const name = folded(key) || key;
    if (said.has(name)) continue;
    said.add(name);
    if (shown.push({ section, worth, text: write() }) >= most) break;
  }
  return shown;
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
