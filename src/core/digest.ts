import { headingOf, plain } from '../search/markdown.js';

/** What a note says in short, drawn from its own structure without a model. */
export interface Digest {
  summary: string;
  decisions: string[];
  nextSteps: string[];
}

const NEXT =
  /^(next( steps?)?|to-?dos?|open( questions| items| steps)?|follow-?ups?|action items|plan|what'?s next|что дальше|дальше|следующие шаги|следующий шаг|план|осталось|задачи|открытые вопросы)(?![\p{L}])/iu;
const DECIDED = /^(decisions?|decided|what (was|we) decided|решени[ея]|решили|принятые решения)(?![\p{L}])/iu;
const META =
  /^(\*\*|__)?(date|дата|project|проект|author|автор|status|статус|tags?|теги|time|время|session|сессия|priority|приоритет)(\*\*|__)?\s*:/iu;

/** Reads headings, lists and checkboxes, in English and Russian; code blocks are left out. `body` has no front matter. */
export function digestOf(body: string, given: Partial<Digest> = {}): Digest {
  const found: Digest = { summary: '', decisions: [], nextSteps: [] };
  let section: 'next' | 'decided' | 'other' = 'other';
  let fenced = false;
  let paragraph: string[] = [];
  const endParagraph = () => {
    if (found.summary === '' && paragraph.length > 0) found.summary = firstSentences(paragraph.join(' '), 320);
    paragraph = [];
  };
  for (const line of body.split(/\r?\n/, 4_000)) {
    const text = line.slice(0, 2_000).trim();
    if (/^(```|~~~)/.test(text)) fenced = !fenced;
    if (fenced || /^(```|~~~)/.test(text)) continue;
    const heading = headingOf(text);
    if (heading !== null) {
      endParagraph();
      section = NEXT.test(heading) ? 'next' : DECIDED.test(heading) ? 'decided' : 'other';
      continue;
    }
    const item = /^(?:[-*+•]|\d{1,3}[.)])\s+(?:\[( |x|X|✓|✔)\]\s*)?(.+)$/.exec(text);
    if (item) {
      endParagraph();
      const words = plain(item[2] ?? '');
      const closed = (item[1] ?? ' ') !== ' ' || /^(✅|☑|✔)/u.test(item[2] ?? '');
      if (words === '' || closed) continue;
      if (section === 'next' || item[1] === ' ' || /^(⏳|☐|🔲|TODO\b)/u.test(item[2] ?? ''))
        found.nextSteps.push(words);
      else if (section === 'decided') found.decisions.push(words);
      continue;
    }
    if (
      text === '' ||
      text.startsWith('|') ||
      text.startsWith('<!--') ||
      /^([-*_=]\s*){3,}$/.test(text) ||
      META.test(text)
    )
      endParagraph();
    else if (section === 'next' && found.nextSteps.length === 0) found.nextSteps.push(plain(text));
    else if (section === 'decided' && found.decisions.length === 0) found.decisions.push(plain(text));
    else paragraph.push(plain(text));
  }
  endParagraph();
  return {
    summary: given.summary || found.summary,
    decisions: (given.decisions?.length ? given.decisions : found.decisions).slice(0, 30),
    nextSteps: (given.nextSteps?.length ? given.nextSteps : found.nextSteps).slice(0, 30),
  };
}

/** Whole sentences up to `most` characters; the first one alone may be cut, at a word, with an ellipsis. */
export function firstSentences(text: string, most: number): string {
  if (text.length <= most) return text;
  let end = 0;
  for (const match of text.matchAll(/[.!?…](?=\s|$)/g)) {
    if (match.index + 1 > most) break;
    end = match.index + 1;
  }
  if (end > 0) return text.slice(0, end);
  const word = text.lastIndexOf(' ', most - 1);
  return `${text.slice(0, word > most / 2 ? word : most - 1).toWellFormed()}…`;
}

/** A digest as a note's text, where the note itself is not at hand. */
export function digestText({ summary, decisions, nextSteps }: Digest): string {
  const list = (heading: string, items: string[]) => (items.length === 0 ? [] : [`## ${heading}`, ...items]);
  return [summary, ...list('Decisions', decisions), ...list('Next steps', nextSteps)].join('\n\n');
}
