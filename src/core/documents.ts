import { createHash } from 'node:crypto';
import type { Entry } from '../search/corpus.js';
import { headingOf, plain } from '../search/markdown.js';
import type { Page } from '../search/postings.js';
import { type Digest, digestOf, openingOf } from './digest.js';
import { readFrontMatter, withoutMatter } from './frontmatter.js';
import { LIMITS } from './limits.js';
import { idOfPath, readablePath } from './paths.js';
import { projectFromPath, projectName } from './project.js';
import { BROKEN_SEAL, sealOf } from './seal.js';
import { findTime } from './when.js';

export const KINDS = ['session', 'checkpoint', 'pattern', 'project', 'note'] as const;
export type Kind = (typeof KINDS)[number];
export const PRIVACY = ['PUBLIC', 'TEAM', 'PRIVATE', 'EPHEMERAL'] as const;
export type Privacy = (typeof PRIVACY)[number];

/** One Markdown file of the origin, as everything but its bytes. */
export interface Document {
  /** The path without `.md`. */
  id: string;
  path: string;
  /** The git blob id: the document's version. */
  blob: string;
  kind: Kind;
  project: string;
  title: string;
  timeMs: number;
  tags: string[];
  digest: Digest;
  author: string;
  client: string;
  privacy: Privacy;
  priority: string;
  status: string;
  /** The project that its own is a submodule of, as far as this document says; its own: of none. Empty: it does not say. */
  parent: string;
  /** What a project's record says; null where it does not. */
  targetRevenue: number | null;
  currentRevenue: number | null;
  bytes: number;
  /** Why the document is doubtful (broken front matter, not UTF-8, too large…), or null. */
  reason: string | null;
  saveKey: string;
  bodyHash: string;
}

/** A document with what the mirror stores and searches. */
export interface IndexedDocument extends Document {
  /** Null where the bytes stay at the origin (oversized). */
  content: Uint8Array | null;
  /** What search keeps of it; null where it is not indexed. */
  search: SearchRow | null;
}

/** A document in the search index. */
export interface SearchRow {
  outline: Omit<Entry, 'timeMs'>;
  /** Its own page of terms. */
  page: Page;
  /** The names of its passages for embedding, 16 bytes each, in the order of the text. */
  chunks: Uint8Array;
}

export interface Source {
  path: string;
  blob: string;
  type: 'file' | 'symlink';
  bytes: number;
  /** Null where the file was too large to fetch. */
  content: Uint8Array | null;
  /** When the path was last changed at the origin, for notes that do not say. */
  changedMs: number;
}

/** Reads whatever a file holds into a document. Never throws: what cannot be parsed is text, with a reason. */
export function parseDocument(source: Source): { document: Document; text: string } {
  const decoded = source.content === null ? { text: '', problem: null } : decodeText(source.content);
  const { data, body, problem } =
    source.type === 'symlink' ? { data: {}, body: decoded.text, problem: null } : readFrontMatter(decoded.text);
  const readable = readablePath(source.path);
  const kind = kindOf(readable, data);
  const mayBeSealed = kind === 'checkpoint' || readable.startsWith('checkpoints/');
  const seal = mayBeSealed ? sealOf(source.path, source.content) : 'none';
  const reasons = [
    source.type === 'symlink' ? 'a symbolic link: kept as it is, not followed' : null,
    source.content === null
      ? `${source.bytes} bytes: over ${LIMITS.indexedBytes}, listed and read from the origin but not indexed`
      : null,
    decoded.problem,
    problem,
    source.content !== null && body.trim() === '' && Object.keys(data).length === 0 ? 'empty' : null,
    seal === 'broken' ? BROKEN_SEAL : null,
  ].filter((reason) => reason !== null);
  const digest = digestOf(problem === null ? body : withoutMatter(decoded.text), {
    summary: line(data.summary, LIMITS.summaryChars),
    decisions: lines(data.decisions),
    nextSteps: lines(data.next_steps ?? data.nextSteps ?? data['next steps']),
  });
  if (kind === 'pattern') {
    digest.summary ||= openingOf(problem === null ? body : withoutMatter(decoded.text));
    digest.pattern = {
      type: line(data.type, LIMITS.tagChars).toLowerCase(),
      evidence: linesOf(data.evidence, LIMITS.evidence),
      names: lines(data.names),
    };
  }
  // One that somebody has edited since says something of its own.
  if (kind === 'checkpoint')
    digest.checkpoint = { commit: commitOf(data.commit), automatic: data.automatic === true && seal === 'fits' };
  const document: Document = {
    id: idOfPath(source.path),
    path: source.path,
    blob: source.blob,
    kind,
    project: toldProject(data.project) ?? projectFromPath(readable),
    title: titleOf(data, body, readable),
    timeMs: timeOf(data, body, readable) ?? source.changedMs,
    tags: tagsOf(data.tags ?? data.tag),
    digest,
    author: line(data.author, 200),
    client: line(data.client, 200),
    privacy: PRIVACY.find((level) => level === line(data.privacy, 20).toUpperCase()) ?? 'TEAM',
    priority: line(data.priority, 40).toLowerCase(),
    status: line(data.status, 40).toLowerCase(),
    // Notes of other programs have parents too, which are pages.
    parent: kind === 'note' ? '' : (toldProject(data.parent) ?? ''),
    targetRevenue: figure(data.target_revenue),
    currentRevenue: figure(data.current_revenue),
    bytes: source.bytes,
    reason: reasons.length > 0 ? reasons.join('; ') : null,
    saveKey: line(data.key, 100),
    bodyHash: bodyHash(body),
  };
  return { document, text: decoded.text };
}

/** Made by the schedule: it repeats what notes say. */
export const isAutomatic = ({ digest }: Pick<Document, 'digest'>) => digest.checkpoint?.automatic === true;

/** Which earlier save is looked for: by its key, or by its body, title and kind (default: a session) since a time. */
export interface SameSave {
  project: string;
  author: string;
  key?: string;
  bodyHash?: string;
  title?: string;
  kind?: Kind;
  sinceMs?: number;
}

/** What makes two saves the same: the body's text without the white space around it. */
export function bodyHash(body: string): string {
  return createHash('sha256').update(body.trim()).digest('hex').slice(0, 32);
}

/**
 * Bytes to text for reading and indexing; the bytes themselves are what is kept. UTF-8, UTF-16 with a mark, otherwise
 * the single-byte encoding that the letters suggest.
 */
export function decodeText(bytes: Uint8Array): { text: string; problem: string | null } {
  if (bytes[0] === 0xff && bytes[1] === 0xfe)
    return { text: new TextDecoder('utf-16le').decode(bytes), problem: 'UTF-16, not UTF-8' };
  if (bytes[0] === 0xfe && bytes[1] === 0xff)
    return { text: new TextDecoder('utf-16be').decode(bytes), problem: 'UTF-16, not UTF-8' };
  const wide = bytes.includes(0) ? unmarkedUtf16(bytes) : null;
  if (wide !== null) return { text: wide, problem: 'UTF-16 without a mark, not UTF-8' };
  const binary = bytes.includes(0) ? 'binary (holds NUL bytes)' : null;
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), problem: binary };
  } catch {
    if (binary) return { text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes), problem: binary };
    let high = 0;
    let letters = 0;
    let inRow = 0;
    bytes.forEach((byte, at) => {
      if (byte >= 0x80) high++;
      if (byte >= 0xc0) letters++;
      if (byte >= 0xc0 && (bytes[at - 1] ?? 0) >= 0xc0) inRow++;
    });
    // Mostly UTF-8 with a few broken bytes reads best as UTF-8.
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    const broken = text.split('\ufffd').length - 1;
    if (broken * 10 < high) return { text, problem: `not valid UTF-8 in ${broken} places` };
    // Whole words of high letters are Cyrillic; western languages put one accent here and there.
    const encoding = inRow * 2 > letters ? 'windows-1251' : 'windows-1252';
    return { text: new TextDecoder(encoding).decode(bytes), problem: `not valid UTF-8: read as ${encoding}` };
  }
}

/** UTF-16 whose mark is missing shows in where its zero bytes stand: on one side of the pairs only. Null: it is none. */
function unmarkedUtf16(bytes: Uint8Array): string | null {
  if (bytes.length % 2 !== 0) return null;
  const zeros = [0, 0];
  bytes.forEach((byte, at) => {
    if (byte === 0) zeros[at % 2] = (zeros[at % 2] ?? 0) + 1;
  });
  const [even = 0, odd = 0] = zeros;
  // Spaces and line breaks alone make one zero in about ten pairs, whatever the language.
  if (Math.min(even, odd) > 0 || Math.max(even, odd) * 20 < bytes.length / 2) return null;
  try {
    const text = new TextDecoder(odd > 0 ? 'utf-16le' : 'utf-16be', { fatal: true }).decode(bytes);
    return /[\p{Cc}\p{Cn}\p{Co}]/u.test(text.replace(/[\t\r\n]/g, '')) ? null : text;
  } catch {
    return null;
  }
}

function kindOf(path: string, data: Record<string, unknown>): Kind {
  const told = line(data.kind, 20).toLowerCase();
  const folder = path.split('/')[0] ?? '';
  return (
    KINDS.find((kind) => kind === told) ??
    (path.includes('/') ? KINDS.find((kind) => kind !== 'note' && `${kind}s` === folder) : undefined) ??
    'note'
  );
}

/** Null where nothing is told, or a name that we would not write. */
function toldProject(told: unknown): string | null {
  const name = line(told, 300);
  try {
    return name === '' ? null : projectName(name);
  } catch {
    return null;
  }
}

function commitOf(value: unknown): string {
  const told = line(value, 64).toLowerCase();
  return /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(told) ? told : '';
}

function figure(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function titleOf(data: Record<string, unknown>, body: string, path: string): string {
  const told = line(data.title, LIMITS.storedTitleChars);
  if (told) return told;
  for (const each of body.slice(0, 100_000).split(/\r\n|\r|\n/, 60)) {
    if (!/^#{1,3}\s/.test(each.trim())) continue;
    const heading = headingOf(each.trim());
    if (heading) return heading.slice(0, LIMITS.storedTitleChars).toWellFormed();
  }
  const name = (path.split('/').pop() ?? path).replace(/\.md$/, '');
  return plain(name.replace(/[_]+/g, ' ')).slice(0, LIMITS.storedTitleChars).toWellFormed() || name;
}

function timeOf(data: Record<string, unknown>, body: string, path: string): number | null {
  for (const field of ['time', 'date', 'created', 'created_at', 'timestamp', 'updated']) {
    const value = data[field];
    const found = value instanceof Date ? plausible(value.getTime()) : scalarTime(value);
    if (found !== null) return found;
  }
  const top = body
    .replace(/^\ufeff/, '')
    .slice(0, 6_000)
    .split(/\r\n|\r|\n/, 40);
  for (const each of top) {
    // Past list marks, emphasis, table borders and emoji.
    const words = each.replace(/^[^\p{L}\p{N}]+/u, '');
    const dated =
      /^(?:session |last )?(?:date|дата|created|создано|updated|обновлено|time|время)(?: \p{L}{1,12}){0,2}\s*(?:\*\*|__)?\s*[:|](?:\*\*|__)?\s*(.{4,80})/iu.exec(
        words,
      );
    const found = dated ? findTime(dated[1] ?? '') : null;
    if (found !== null) return found;
  }
  const named = findTime(path.split('/').pop() ?? '') ?? findTime(path);
  if (named !== null) return named;
  for (const each of top) {
    const found = /^#{1,3}\s/.test(each) ? findTime(each) : null;
    if (found !== null) return found;
  }
  return null;
}

/** YAML reads `20251020` and seconds since 1970 as numbers. */
function scalarTime(value: unknown): number | null {
  if (typeof value === 'string') return findTime(value);
  if (typeof value !== 'number' || !Number.isFinite(value)) return null;
  if (value >= 19_700_101 && value <= 21_001_231) return findTime(String(value));
  return plausible(value >= 1e11 ? value : value >= 1e8 ? value * 1000 : Number.NaN);
}

/** YAML takes `9999-99-99` for a date; what no note can be from is no date at all. */
function plausible(timeMs: number): number | null {
  return timeMs >= 0 && timeMs < Date.UTC(2101, 0) ? Math.round(timeMs) : null;
}

function tagsOf(value: unknown): string[] {
  const list = Array.isArray(value) ? value : typeof value === 'string' ? value.split(/[,;\s]+/) : [];
  const tags = list
    .map((tag) => line(tag, LIMITS.tagChars).replace(/^#/, '').toLowerCase())
    .filter((tag) => tag !== '');
  return [...new Set(tags)].slice(0, LIMITS.tags);
}

function lines(value: unknown): string[] {
  return linesOf(value, LIMITS.items);
}

/** A list of a note's front matter, or the lines of a text there. */
export function linesOf(value: unknown, most = Number.POSITIVE_INFINITY): string[] {
  const list = Array.isArray(value) ? value : typeof value === 'string' ? value.split(/\r?\n/) : [];
  return list
    .slice(0, most)
    .map((item) => line(item, LIMITS.itemChars))
    .filter((item) => item !== '');
}

/** A front-matter value as one line of text; anything but a scalar is none. */
function line(value: unknown, most: number): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString();
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return '';
  return String(value)
    .slice(0, most * 4)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, most)
    .toWellFormed();
}
