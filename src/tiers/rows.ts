import { type Caller, seesUnsigned } from '../core/caller.js';
import type { Digest } from '../core/digest.js';
import type { Document, IndexedDocument, Kind, Privacy } from '../core/documents.js';
import type { Filter } from '../core/ports.js';
import type { Cosines } from '../core/vector-ports.js';

export type Value = string | number | null | Uint8Array;
export type Row = Record<string, unknown>;
/** Runs one statement; `$1`, `$2`… stand for the values, as in Postgres. */
export type Query = (text: string, values?: Value[]) => Promise<Row[]>;

/** What differs between the two SQL mirrors. */
export interface Dialect {
  /** An expression for the database's clock in ms since 1970. */
  nowMs: string;
  /** A table expression with one row per element of the JSON array in a parameter: `value`, to be read by `->>`. */
  elements(parameter: string): string;
  /** Keeps every other step off this origin until the transaction ends; absent where writers are alone anyway. */
  lock?(query: Query, origin: string): Promise<void>;
  /** What compares vectors in the database, where it can. */
  compare?: {
    lastRow(query: Query, origin: string, model: string): Promise<number | null>;
    cosines(query: Query, origin: string, model: string, asked: Float32Array): Promise<Cosines | null>;
  };
}

/** Where transactions run. */
export interface Database {
  read<T>(work: (query: Query) => Promise<T>): Promise<T>;
  write<T>(work: (query: Query) => Promise<T>): Promise<T>;
}

/** A document's columns, without its bytes. */
export const COLUMNS =
  'd.doc, d.path, d.blob, d.id, d.kind, d.project, d.title, d.time_ms, d.tags, d.digest, d.author, d.client, d.privacy, d.priority, d.status, d.parent, d.target_revenue, d.current_revenue, d.bytes, d.reason, d.save_key, d.body_hash';

/** What a document's row holds, in the order of `fieldsOf`. */
export const FIELDS = (
  'origin path blob live id kind project title time_ms tags digest author client privacy priority status parent ' +
  'target_revenue current_revenue bytes reason save_key body_hash indexed content'
).split(' ');

export function fieldsOf(origin: string, each: IndexedDocument): Value[] {
  return [
    origin,
    each.path,
    each.blob,
    0,
    each.id,
    each.kind,
    each.project,
    each.title,
    Math.round(each.timeMs),
    packTags(each.tags),
    packed(each.digest),
    each.author,
    each.client,
    each.privacy,
    each.priority,
    each.status,
    each.parent,
    each.targetRevenue,
    each.currentRevenue,
    each.bytes,
    each.reason,
    each.saveKey,
    each.bodyHash,
    each.search === null ? 0 : 1,
    each.content,
  ];
}

/**
 * Text as every mirror can hold it. Postgres has no NUL, and neither has lone surrogates: a replacement character stands
 * for both. Bytes (a note's content) are never text and stay as they are.
 */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

/** JSON for the databases, with no text in it that they cannot hold. */
export function packed(value: unknown): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'string' ? storable(each) : each));
}

/** Sizes in which rows are written by one statement: few texts to prepare, few trips. */
const PORTIONS = [64, 16, 4, 1];

export function* portions<T>(all: T[]): Generator<T[]> {
  for (let at = 0; at < all.length; ) {
    const size = PORTIONS.find((each) => each <= all.length - at) ?? 1;
    yield all.slice(at, at + size);
    at += size;
  }
}

/** The one place where visibility and filters become SQL. */
export function conditions(origin: string, caller: Caller, filter: Filter): { text: string; values: Value[] } {
  const values: Value[] = [origin, caller.subject];
  const bind = (value: Value) => `$${values.push(value)}`;
  const owner = seesUnsigned(caller) ? `d.author IN ($2, '')` : 'd.author = $2';
  const parts = ['d.origin = $1', 'd.live = 1', `(d.privacy <> 'PRIVATE' OR ${owner})`];
  if (caller.projects !== 'all') parts.push(inProjects('d.project', caller.projects, bind));
  if (filter.projects)
    parts.push(filter.projects.length === 0 ? '1 = 0' : `d.project IN (${filter.projects.map(bind).join(', ')})`);
  if (filter.kinds) parts.push(`d.kind IN (${filter.kinds.map((kind) => bind(kind)).join(', ')})`);
  if (filter.privacy !== undefined) parts.push(`d.privacy = ${bind(filter.privacy)}`);
  for (const tag of filter.tags ?? [])
    parts.push(`d.tags LIKE ${bind(`%\n${escapeLike(tag.toLowerCase())}\n%`)} ESCAPE '!'`);
  if (filter.afterMs !== undefined) parts.push(`d.time_ms >= ${bind(Math.ceil(filter.afterMs))}`);
  if (filter.beforeMs !== undefined) parts.push(`d.time_ms < ${bind(Math.ceil(filter.beforeMs))}`);
  return { text: parts.join(' AND '), values };
}

/** The column is one of those projects, or below one. */
export function inProjects(column: string, names: string[], bind: (value: Value) => string): string {
  // Not LIKE, which takes capital letters for small ones in SQLite and not in Postgres.
  const inside = (prefix: string) => `substr(${column}, 1, length(CAST(${prefix} AS text))) = ${prefix}`;
  return `(${names.map((name) => `${column} = ${bind(name)} OR ${inside(bind(`${name}/`))}`).join(' OR ') || '1 = 0'})`;
}

function escapeLike(text: string): string {
  return text.replace(/[!%_]/g, '!$&');
}

/** Tags as one text with a line break before, between and after them, so that one can be looked for whole. */
function packTags(tags: string[]): string {
  return tags.length === 0 ? '' : `\n${tags.join('\n')}\n`;
}

export function toDocument(row: Row): Document {
  return {
    id: String(row.id),
    path: String(row.path),
    blob: String(row.blob),
    kind: row.kind as Kind,
    project: String(row.project),
    title: String(row.title),
    timeMs: Number(row.time_ms),
    tags: String(row.tags)
      .split('\n')
      .filter((tag) => tag !== ''),
    // Postgres hands out JSON already read.
    digest: (typeof row.digest === 'string' ? JSON.parse(row.digest) : row.digest) as Digest,
    author: String(row.author),
    client: String(row.client),
    privacy: row.privacy as Privacy,
    priority: String(row.priority),
    status: String(row.status),
    parent: String(row.parent),
    targetRevenue: numberOrNull(row.target_revenue),
    currentRevenue: numberOrNull(row.current_revenue),
    bytes: Number(row.bytes),
    reason: row.reason === null ? null : String(row.reason),
    saveKey: String(row.save_key),
    bodyHash: String(row.body_hash),
  };
}

export function numberOrNull(value: unknown): number | null {
  return value === null ? null : Number(value);
}

export function bytesOf(value: unknown): Uint8Array | null {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return value instanceof Uint8Array ? value : null;
}
