import { INDEX_VERSION } from '../core/analyse.js';
import { type Caller, seesUnsigned } from '../core/caller.js';
import type { Digest } from '../core/digest.js';
import type { Document, IndexedDocument, Kind, Privacy } from '../core/documents.js';
import type { Doubt, Filter, MirrorState, SameSave, Step, Tip, View } from '../core/ports.js';
import type { Query, Row, Value } from './sqlite.js';

/** What differs between the two SQL mirrors. */
export interface Dialect {
  /** An expression for the database's clock in ms since 1970. */
  nowMs: string;
  /** Writes a document's search terms. */
  index(query: Query, doc: number, terms: { title: string; body: string }): Promise<void>;
  unindex(query: Query, docs: number[]): Promise<void>;
  /** Rows of documents with `score`, best (highest) first. `where` filters `d`; its values come before `$n`. */
  search(query: Query, terms: string[], where: string, values: Value[], limit: number): Promise<Row[]>;
}

/** A document's columns, without its bytes. */
export const COLUMNS =
  'd.doc, d.path, d.blob, d.id, d.kind, d.project, d.title, d.time_ms, d.tags, d.digest, d.author, d.client, d.privacy, d.priority, d.status, d.bytes, d.reason, d.save_key, d.body_hash';

/** A step that another one has overtaken: its transaction is rolled back. */
export class Overtaken extends Error {}

/** The statements that every SQL mirror shares, over one transaction's `query`. */
export function mirrorStatements(origin: string, dialect: Dialect) {
  async function state(query: Query): Promise<MirrorState> {
    const [row] = await query(
      `SELECT s.commit_id, s.tree_id, s.generation, s.confirmed_at_ms, s.index_version, ${dialect.nowMs} AS now_ms,
         (SELECT count(*) FROM doubts q WHERE q.origin = $1) AS doubts FROM (SELECT 1) AS one LEFT JOIN state s ON s.origin = $1`,
      [origin],
    );
    const known = row?.commit_id !== null && Number(row?.index_version) === INDEX_VERSION;
    return {
      head: known ? { commit: String(row?.commit_id), tree: String(row?.tree_id) } : null,
      generation: Number(row?.generation ?? 0),
      confirmedAtMs: known && row?.confirmed_at_ms !== null ? Number(row?.confirmed_at_ms) : null,
      doubts: Number(row?.doubts ?? 0),
      nowMs: Number(row?.now_ms),
    };
  }

  async function stage(query: Query, documents: IndexedDocument[]): Promise<void> {
    for (const each of documents) {
      const indexed = each.terms.title !== '' || each.terms.body !== '';
      const [row] = await query(
        `INSERT INTO documents (origin, path, blob, live, id, kind, project, title, time_ms, tags, digest, author, client,
           privacy, priority, status, bytes, reason, save_key, body_hash, indexed, content)
         VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
         ON CONFLICT (origin, path, blob) DO NOTHING RETURNING doc`,
        [
          origin,
          each.path,
          each.blob,
          each.id,
          each.kind,
          each.project,
          each.title,
          Math.round(each.timeMs),
          packTags(each.tags),
          JSON.stringify(each.digest),
          each.author,
          each.client,
          each.privacy,
          each.priority,
          each.status,
          each.bytes,
          each.reason,
          each.saveKey,
          each.bodyHash,
          indexed ? 1 : 0,
          each.content,
        ],
      );
      if (row && indexed) await dialect.index(query, Number(row.doc), each.terms);
    }
  }

  async function remove(query: Query, docs: number[]): Promise<void> {
    await dialect.unindex(query, docs);
    for (const doc of docs) await query('DELETE FROM documents WHERE doc = $1', [doc]);
  }

  /** What is superseded goes to `versions`, whole, and out of the search index. */
  async function supersede(query: Query, path: string, commit: string): Promise<void> {
    const rows = await query('SELECT doc FROM documents WHERE origin = $1 AND path = $2 AND live = 1', [origin, path]);
    await query(
      `INSERT INTO versions (origin, path, blob, until_commit, until_ms, title, project, time_ms, content)
       SELECT origin, path, blob, $3, ${dialect.nowMs}, title, project, time_ms, content FROM documents WHERE origin = $1 AND path = $2 AND live = 1
       ON CONFLICT DO NOTHING`,
      [origin, path, commit],
    );
    await remove(
      query,
      rows.map((row) => Number(row.doc)),
    );
  }

  async function apply(query: Query, step: Step): Promise<void> {
    const now = await state(query);
    if (now.generation !== step.expectedGeneration) throw new Overtaken();
    await stage(query, step.documents);
    const commit = step.head?.commit ?? '';
    for (const path of step.gone) await supersede(query, path, commit);
    step.inside?.();
    for (const { path, blob } of step.live) {
      const current = await query('SELECT blob FROM documents WHERE origin = $1 AND path = $2 AND live = 1', [
        origin,
        path,
      ]);
      if (current[0]?.blob === blob) continue;
      if (current.length > 0) await supersede(query, path, commit);
      const made = await query(
        'UPDATE documents SET live = 1 WHERE origin = $1 AND path = $2 AND blob = $3 RETURNING doc',
        [origin, path, blob],
      );
      // Somebody cleared our staged rows: stage again and come back.
      if (made.length === 0) throw new Overtaken();
    }
    for (const saveId of step.settles)
      await query('DELETE FROM doubts WHERE origin = $1 AND save_id = $2', [origin, saveId]);
    await query(
      `INSERT INTO state (origin, commit_id, tree_id, generation, confirmed_at_ms, index_version) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (origin) DO UPDATE SET commit_id = excluded.commit_id, tree_id = excluded.tree_id, generation = excluded.generation,
         confirmed_at_ms = coalesce(excluded.confirmed_at_ms, state.confirmed_at_ms), index_version = excluded.index_version`,
      [origin, commit, step.head?.tree ?? '', now.generation + 1, step.confirmedAtMs, INDEX_VERSION],
    );
    if (step.confirmedAtMs !== null) await expire(query, step.confirmedAtMs);
  }

  /** A doubt that had expired before the head was asked for is answered by that head: its writer sends nothing any more. */
  async function expire(query: Query, beforeMs: number): Promise<void> {
    await query('DELETE FROM doubts WHERE origin = $1 AND deadline_ms < $2', [origin, beforeMs]);
  }

  async function confirm(query: Query, head: Tip | null, beforeMs: number): Promise<void> {
    const rows = await query(
      'UPDATE state SET confirmed_at_ms = $3 WHERE origin = $1 AND commit_id = $2 RETURNING generation',
      [origin, head?.commit ?? '', beforeMs],
    );
    if (rows.length > 0) await expire(query, beforeMs);
  }

  /** Throws away documents that nothing serves: of an interrupted sync, or of another analyser's making. */
  async function prune(query: Query, keepLive: boolean): Promise<void> {
    const rows = await query(`SELECT doc FROM documents WHERE origin = $1${keepLive ? ' AND live = 0' : ''}`, [origin]);
    await remove(
      query,
      rows.map((row) => Number(row.doc)),
    );
  }

  async function drop(query: Query, paths: string[]): Promise<void> {
    for (const path of paths) {
      const rows = await query('SELECT doc FROM documents WHERE origin = $1 AND path = $2', [origin, path]);
      await remove(
        query,
        rows.map((row) => Number(row.doc)),
      );
    }
    // At no commit: a process that dies before the repair leaves a mirror which the next sync compares with the tree.
    await query(
      `UPDATE state SET generation = generation + 1, confirmed_at_ms = NULL, commit_id = '', tree_id = '' WHERE origin = $1 AND commit_id IS NOT NULL`,
      [origin],
    );
  }

  async function doubt(query: Query, doubts: Doubt[]): Promise<void> {
    for (const each of doubts) {
      await query(
        // A save that is tried again in another group may go on for longer than it first said, never for less.
        `INSERT INTO doubts (origin, save_id, deadline_ms) VALUES ($1, $2, $3) ON CONFLICT (origin, save_id)
           DO UPDATE SET deadline_ms = excluded.deadline_ms WHERE excluded.deadline_ms > doubts.deadline_ms`,
        [origin, each.saveId, Math.round(each.deadlineMs)],
      );
    }
  }

  async function settle(query: Query, saveIds: string[]): Promise<void> {
    for (const saveId of saveIds)
      await query('DELETE FROM doubts WHERE origin = $1 AND save_id = $2', [origin, saveId]);
  }

  async function staged(query: Query, pairs: { path: string; blob: string }[]): Promise<Set<string>> {
    const have = new Set<string>();
    for (const { path, blob } of pairs) {
      const rows = await query('SELECT 1 AS yes FROM documents WHERE origin = $1 AND path = $2 AND blob = $3', [
        origin,
        path,
        blob,
      ]);
      if (rows.length > 0) have.add(path);
    }
    return have;
  }

  function view(query: Query): View {
    const where = (caller: Caller, filter: Filter) => conditions(origin, caller, filter);
    return {
      state: () => state(query),
      async paths() {
        const rows = await query('SELECT path, blob FROM documents WHERE origin = $1 AND live = 1', [origin]);
        return new Map(rows.map((row) => [String(row.path), String(row.blob)]));
      },
      async get(caller, id) {
        const { text, values } = where(caller, {});
        const [row] = await query(
          `SELECT ${COLUMNS}, d.content FROM documents d WHERE ${text} AND d.id = $${values.length + 1}`,
          [...values, id],
        );
        return row ? { ...toDocument(row), content: bytesOf(row.content) } : null;
      },
      async list(caller, filter, { limit, after }) {
        const { text, values } = where(caller, filter);
        let condition = text;
        if (after) {
          condition += ` AND (d.time_ms < $${values.length + 1} OR (d.time_ms = $${values.length + 1} AND d.path < $${values.length + 2}))`;
          values.push(after.timeMs, after.path);
        }
        const rows = await query(
          `SELECT ${COLUMNS} FROM documents d WHERE ${condition} ORDER BY d.time_ms DESC, d.path DESC LIMIT $${values.length + 1}`,
          [...values, limit],
        );
        return rows.map(toDocument);
      },
      async count(caller, filter) {
        const { text, values } = where(caller, filter);
        return Number((await query(`SELECT count(*) AS n FROM documents d WHERE ${text}`, values))[0]?.n ?? 0);
      },
      async search(caller, terms, filter, limit) {
        if (terms.length === 0) return [];
        const { text, values } = where(caller, filter);
        const rows = await dialect.search(query, terms, text, values, limit);
        return rows.map((row) => ({ document: toDocument(row), score: Number(row.score) }));
      },
      async ids(caller) {
        const { text, values } = where(caller, {});
        return (await query(`SELECT d.id FROM documents d WHERE ${text}`, values)).map((row) => String(row.id));
      },
      async projects(caller) {
        const { text, values } = where(caller, {});
        const rows = await query(
          `SELECT d.project, count(*) AS documents, max(d.time_ms) AS last_ms FROM documents d WHERE ${text} GROUP BY d.project ORDER BY last_ms DESC, d.project`,
          values,
        );
        return rows.map((row) => ({
          project: String(row.project),
          documents: Number(row.documents),
          lastMs: Number(row.last_ms),
        }));
      },
      async problems(caller, limit) {
        const { text, values } = where(caller, {});
        const rows = await query(
          `SELECT d.path, d.reason FROM documents d WHERE ${text} AND d.reason IS NOT NULL ORDER BY d.path LIMIT $${values.length + 1}`,
          [...values, limit],
        );
        return rows.map((row) => ({ path: String(row.path), reason: String(row.reason) }));
      },
      async newestSession(project) {
        const prefix = `sessions/${project}/`;
        const [row] = await query(
          `SELECT d.path, d.title, d.time_ms FROM documents d WHERE d.origin = $1 AND d.live = 1 AND d.project = $2
             AND d.path >= $3 AND d.path < $4 ORDER BY d.path DESC LIMIT 1`,
          [origin, project, `${prefix}0`, `${prefix}:`],
        );
        return row ? { path: String(row.path), title: String(row.title), timeMs: Number(row.time_ms) } : null;
      },
      sameSave: (same) => sameSave(query, same),
      async contents(afterPath, limit) {
        const rows = await query(
          'SELECT d.path, d.blob, d.content, d.indexed FROM documents d WHERE d.origin = $1 AND d.live = 1 AND d.path > $2 ORDER BY d.path LIMIT $3',
          [origin, afterPath, limit],
        );
        return rows.map((row) => ({
          path: String(row.path),
          blob: String(row.blob),
          content: bytesOf(row.content),
          indexed: row.indexed === 1,
        }));
      },
    };
  }

  async function sameSave(query: Query, same: SameSave): Promise<Document | null> {
    const [row] = same.key
      ? await query(
          `SELECT ${COLUMNS} FROM documents d WHERE d.origin = $1 AND d.live = 1 AND d.save_key = $2 AND d.project = $3 AND d.author = $4 LIMIT 1`,
          [origin, same.key, same.project, same.author],
        )
      : await query(
          `SELECT ${COLUMNS} FROM documents d WHERE d.origin = $1 AND d.live = 1 AND d.project = $2 AND d.author = $3 AND d.body_hash = $4 AND ($6 = '' OR d.title = $6) AND d.kind = 'session'
             AND d.save_key = '' AND d.time_ms >= $5 ORDER BY d.time_ms DESC LIMIT 1`,
          [origin, same.project, same.author, same.bodyHash ?? '', same.sinceMs ?? 0, same.title ?? ''],
        );
    return row ? toDocument(row) : null;
  }

  return { state, stage, apply, confirm, prune, drop, doubt, settle, staged, view };
}

/** The one place where visibility and filters become SQL. */
function conditions(origin: string, caller: Caller, filter: Filter): { text: string; values: Value[] } {
  const values: Value[] = [origin, caller.subject];
  const bind = (value: Value) => `$${values.push(value)}`;
  const owner = seesUnsigned(caller) ? `d.author IN ($2, '')` : 'd.author = $2';
  const parts = ['d.origin = $1', 'd.live = 1', `(d.privacy <> 'PRIVATE' OR ${owner})`];
  const projects = (names: string[]) =>
    `(${names.map((name) => `d.project = ${bind(name)} OR d.project LIKE ${bind(`${escapeLike(name)}/%`)} ESCAPE '!'`).join(' OR ') || '1 = 0'})`;
  if (caller.projects !== 'all') parts.push(projects(caller.projects));
  if (filter.project !== undefined) parts.push(`d.project = ${bind(filter.project)}`);
  if (filter.kinds) parts.push(`d.kind IN (${filter.kinds.map((kind) => bind(kind)).join(', ')})`);
  if (filter.privacy !== undefined) parts.push(`d.privacy = ${bind(filter.privacy)}`);
  for (const tag of filter.tags ?? [])
    parts.push(`d.tags LIKE ${bind(`%\n${escapeLike(tag.toLowerCase())}\n%`)} ESCAPE '!'`);
  if (filter.afterMs !== undefined) parts.push(`d.time_ms >= ${bind(filter.afterMs)}`);
  if (filter.beforeMs !== undefined) parts.push(`d.time_ms < ${bind(filter.beforeMs)}`);
  return { text: parts.join(' AND '), values };
}

function escapeLike(text: string): string {
  return text.replace(/[!%_]/g, '!$&');
}

/** Tags as one text with a line break before, between and after them, so that one can be looked for whole. */
function packTags(tags: string[]): string {
  return tags.length === 0 ? '' : `\n${tags.join('\n')}\n`;
}

function toDocument(row: Row): Document {
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
    bytes: Number(row.bytes),
    reason: row.reason === null ? null : String(row.reason),
    saveKey: String(row.save_key),
    bodyHash: String(row.body_hash),
  };
}

function bytesOf(value: unknown): Uint8Array | null {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return value instanceof Uint8Array ? value : null;
}
