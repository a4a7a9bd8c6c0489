import { createRequire } from 'node:module';
import { LIMITS } from './limits.js';

type Matter = typeof import('gray-matter');

const require = createRequire(import.meta.url);
let loaded: Matter | undefined;

function refuse(): never {
  throw new Error('front matter that would have to be run is not read');
}

/** gray-matter evaluates `---js` blocks by default: every engine but YAML's safe loader and JSON is replaced. */
const OPTIONS = {
  engines: {
    javascript: { parse: refuse, stringify: refuse },
    js: { parse: refuse, stringify: refuse },
    coffee: { parse: refuse, stringify: refuse },
    coffeescript: { parse: refuse, stringify: refuse },
    toml: { parse: refuse, stringify: refuse },
  },
};

export interface FrontMatter {
  data: Record<string, unknown>;
  body: string;
  /** Why the block was not read, where there is one that could not be. */
  problem: string | null;
}

/** A note's text without the block at its top, whether or not that could be read: for showing, not for keeping. */
export function withoutMatter(text: string): string {
  const { body, problem } = readFrontMatter(text);
  if (problem === null) return body;
  const close = /\n---[ \t]*(?:\r?\n|$)/.exec(text);
  return close === null ? body : text.slice(close.index + close[0].length);
}

/** Fields that most notes have and nobody looks for by words: filters and headers say them. */
const FACTS = new Set(
  'time date created updated title tags project parent author client privacy key kind evidence tokens_used'.split(' '),
);

/**
 * A note's text as search reads it: its front matter keeps what it says (summary, decisions, fields of the note's own).
 * @param more fields that this kind of note says nothing by
 */
export function withoutFacts(text: string, more: readonly string[] = []): string {
  const matter = text.slice(0, text.length - withoutMatter(text).length);
  let inside = false;
  const said = matter.split('\n').filter((line) => {
    const key = /^(["']?)([^\s#"'-][^:]*?)\1\s*:(?:\s|$)/.exec(line)?.[2];
    if (key !== undefined) inside = FACTS.has(key.toLowerCase()) || more.includes(key);
    return !inside;
  });
  return said.join('\n') + text.slice(matter.length);
}

/** Splits a note into front matter and body. Never throws: a block that cannot be read stays part of the body. */
export function readFrontMatter(text: string): FrontMatter {
  const whole = { data: {}, body: text, problem: null };
  const open = /^\ufeff?---(?!-)[ \t]*([^\r\n]{0,40})/.exec(text);
  if (!open) return whole;
  const close = text.indexOf('\n---', 3);
  // A rule across the page, not a block.
  if (close === -1) return whole;
  if (close > LIMITS.frontMatterChars)
    return { ...whole, problem: `front matter is over ${LIMITS.frontMatterChars} characters: read as text` };
  // Data is YAML or JSON. Anything else named there is code or words, and gray-matter would look for an engine.
  const language = (open[1] ?? '').trim().toLowerCase();
  if (/^(js|javascript|coffee|coffeescript|cson|ts|typescript)\b/.test(language))
    return { ...whole, problem: 'front matter holds code, which is never run: read as text' };
  if (!['', 'yaml', 'yml', 'json'].includes(language))
    return { ...whole, problem: 'front matter is neither YAML nor JSON: read as text' };
  // Its search for comments is quadratic in blank space.
  if (/\s{2000}/.test(text.slice(0, close))) return { ...whole, problem: 'front matter is mostly blank: read as text' };
  try {
    loaded ??= require('gray-matter') as Matter;
    const { data, content, matter } = loaded(text, OPTIONS as never);
    // Only comments (or headings, between two rules across the page): there is nothing in it but text.
    if (Object.keys(data ?? {}).length === 0 && matter.trim() !== '') return whole;
    if (data === null || typeof data !== 'object' || Array.isArray(data))
      return { ...whole, problem: 'front matter holds no fields: read as text' };
    return { data: data as Record<string, unknown>, body: content, problem: null };
  } catch {
    return { ...whole, problem: 'front matter is not valid YAML: read as text' };
  }
}

/** A note's text: YAML front matter, then the body, ending in a line break. */
export function writeFrontMatter(data: Record<string, unknown>, body: string): string {
  loaded ??= require('gray-matter') as Matter;
  // An object, not a string: a string would have its own front matter parsed first.
  return loaded.stringify({ content: body } as never, data);
}

/** A top-level field of a note's front matter as it is written there, with the comments above it; null where it has none. */
export function writtenField(text: string, name: string): string | null {
  const block = /^\ufeff?---[^\n]*\n([\s\S]*?\n)---/.exec(text)?.[1]?.replaceAll('\r\n', '\n');
  if (block === undefined || block.length > LIMITS.frontMatterChars) return null;
  let found = '';
  let comments = '';
  let inside = false;
  for (const line of block.split('\n').slice(0, -1)) {
    const key = /^(["']?)([^\s#"'-][^:]*?)\1\s*:(?:\s|$)/.exec(line)?.[2];
    if (key !== undefined) inside = key === name;
    if (key === undefined && line.startsWith('#')) comments += `${line}\n`;
    else if (inside) {
      found += `${comments}${line}\n`;
      comments = '';
    } else comments = '';
  }
  return found === '' ? null : found;
}
