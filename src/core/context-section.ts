import type { NoteLine, ProjectContext } from './context.js';
import { day } from './format.js';
import { patternHead } from './patterns.js';
import { sentences } from './sentences.js';

/** What a project's context can be asked for alone, with the whole budget. */
export const CONTEXT_SECTIONS = ['steps', 'decisions', 'facts', 'patterns', 'notes'] as const;
export type ContextSection = (typeof CONTEXT_SECTIONS)[number];

export interface SectionLine {
  text: string;
  /** The note that says it, in a line of its own above all that it says; empty where the text names it. */
  from: string;
}

const LINE_CHARS = 600;

/** All that there is of one section, newest first, each line with the note that says it. */
export function sectionLines(context: ProjectContext, section: ContextSection): SectionLine[] {
  const head = (from: string, timeMs: number) => `${day(timeMs)} \`${from}\``;
  const short = (text: string) => sentences(text, LINE_CHARS);
  switch (section) {
    case 'steps':
      return context.steps.map(({ id, text, from, timeMs, sinceMs }) => {
        const since = day(sinceMs) === day(timeMs) ? '' : ` (since ${day(sinceMs)})`;
        return { from: head(from, timeMs), text: `- #${id} ${short(text)}${since}` };
      });
    case 'decisions':
      return context.decisions.map(({ text, from, timeMs, supersededMs }) => {
        const mark = supersededMs === null ? '' : ` (superseded ${day(supersededMs)})`;
        return { from: head(from, timeMs), text: `- ${short(text)}${mark}` };
      });
    case 'facts':
      return context.facts.map(({ text, from, timeMs }) => ({ from: head(from, timeMs), text: `- ${short(text)}` }));
    case 'patterns':
      return context.patterns.map((each) => ({ from: '', text: noteText(each, patternHead(each)) }));
    case 'notes':
      return context.notes.map((each) => {
        const { title, id, queued } = each;
        return { from: '', text: noteText(each, `**${title}** \`${id}\`${queued ? ' (queued)' : ''}`) };
      });
  }
}

function noteText({ timeMs, summary }: NoteLine, head: string): string {
  const name = `- ${day(timeMs)} ${head}`;
  return summary === '' ? name : `${name}\n  ${sentences(summary, LINE_CHARS)}`;
}

/** Each note named once, above what it says. */
export function byFrom(shown: readonly SectionLine[]): string {
  return shown
    .flatMap(({ from, text }, at) => (from === '' || from === shown[at - 1]?.from ? [text] : [from, text]))
    .join('\n');
}
