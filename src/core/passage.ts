import { analyse } from '../search/analyse.js';
import { headingOf } from '../search/markdown.js';
import { firstSentences } from './digest.js';

export interface Passage {
  heading: string;
  text: string;
  /** The query's terms that stand in it. */
  matched: string[];
}

/** The paragraph of a note that holds most of the query's terms, with the heading above it. */
export function bestPassage(text: string, terms: string[], mostChars: number): Passage {
  const wanted = new Set(terms);
  let heading = '';
  let best: Passage & { score: number } = { heading: '', text: '', matched: [], score: -1 };
  for (const block of text.slice(0, 1_000_000).split(/\n\s*\n/)) {
    const lines: string[] = [];
    for (const line of block.split('\n')) {
      const found = headingOf(line.trim());
      if (found !== null) heading = found;
      lines.push(line.trim());
    }
    const flat = lines.join(' ').replace(/\s+/g, ' ').trim();
    if (flat === '' || flat === '---') continue;
    const here = analyse(flat, 5_000).terms;
    const matched = [...new Set(here.filter((term) => wanted.has(term)))];
    const score = matched.length + Math.min(here.length, 40) / 1000;
    if (score > best.score) best = { heading, text: around(flat, terms, mostChars), matched, score };
  }
  return { heading: best.heading, text: best.text, matched: best.matched };
}

/** A long paragraph is cut to where its first matching word stands. */
function around(text: string, terms: string[], most: number): string {
  if (text.length <= most) return text;
  const wanted = new Set(terms);
  for (const match of text.matchAll(/\S+/g)) {
    if (match.index > most * 0.6 && analyse(match[0], 20).terms.some((term) => wanted.has(term))) {
      const start = text.lastIndexOf(' ', Math.max(0, match.index - most / 3)) + 1;
      return `…${firstSentences(text.slice(start), most)}`;
    }
    if (match.index > 200_000) break;
    if (match.index <= most * 0.6 && analyse(match[0], 20).terms.some((term) => wanted.has(term))) break;
  }
  return firstSentences(text, most);
}
