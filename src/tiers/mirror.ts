import type { Caller } from '../core/caller.js';
import type { Document, IndexedDocument, SameSave } from '../core/documents.js';
import type { Doubt, Filter, MirrorState, Step, Tip, View } from '../core/ports.js';
import { INDEX_VERSION } from '../search/analyse.js';
import { registry } from './registry.js';
import {
  bytesOf,
  COLUMNS,
  conditions,
  type Dialect,
  FIELDS,
  fieldsOf,
  packed,
  portions,
  type Query,
  storable,
  toDocument,
} from './rows.js';
import { searchIndex } from './search-index.js';
import { versionQueries } from './versions.js';

/** A step that another one has overtaken: its transaction is rolled back. */
export class Overtaken extends Error {}

/** The statements that every SQL mirror shares, over one transaction's `query`. */
export function mirrorStatements(origin: string, dialect: Dialect) {
  const { compare } = dialect;
  const index = searchIndex(origin, dialect);
  const versionsOf = versionQueries(origin, dialect.elements);
  const { records, relatives } = registry(origin);

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
    // In one order, so that two who stage the same documents wait for each other in turn.
    const ordered = documents.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    for (const some of portions(ordered)) {
      const rows = some.map(
        (_, at) => `(${FIELDS.map((_, field) => `$${at * FIELDS.length + field + 1}`).join(', ')})`,
      );
      const made = await query(
        `INSERT INTO documents (${FIELDS.join(', ')}) VALUES ${rows.join(', ')}
         ON CONFLICT (origin, path, blob) DO NOTHING RETURNING doc, path, blob`,
        some.flatMap((each) => fieldsOf(origin, each)),
      );
      const docs = new Map(made.map((row) => [`${row.path}\0${row.blob}`, Number(row.doc)]));
      const entries = [];
      for (const each of some) {
        const key = `${storable(each.path)}\0${each.blob}`;
        const doc = docs.get(key);
        // Once each, though the same document may have been handed in twice.
        if (doc !== undefined && docs.delete(key) && each.search) entries.push({ doc, search: each.search });
      }
      if (entries.length > 0) await index.add(query, entries);
    }
  }

  async function remove(query: Query, docs: number[]): Promise<void> {
    if (docs.length === 0) return;
    await index.remove(query, docs);
    await query(
      `DELETE FROM documents WHERE doc IN (SELECT CAST(e.value->>0 AS bigint) FROM ${dialect.elements('$1')} AS e)`,
      [packed(docs.map((doc) => [doc]))],
    );
  }

  /** What is superseded goes to `versions`, whole, and out of the search index: live documents of these paths, other than `blob`. */
  async function supersede(query: Query, pairs: { path: string; blob?: string }[], commit: string): Promise<void> {
    if (pairs.length === 0) return;
    const list = packed(pairs.map(({ path, blob }) => [path, blob ?? '']));
    const standing = `FROM ${dialect.elements('$2')} AS e CROSS JOIN documents d
       WHERE d.origin = $1 AND d.path = e.value->>0 AND d.live = 1 AND d.blob <> e.value->>1`;
    const rows = await query(`SELECT d.doc ${standing}`, [origin, list]);
    if (rows.length === 0) return;
    await query(
      `INSERT INTO versions (origin, path, blob, until_commit, until_ms, title, project, time_ms, content)
       SELECT d.origin, d.path, d.blob, $3, ${dialect.nowMs}, d.title, d.project, d.time_ms, d.content ${standing}
       ON CONFLICT DO NOTHING`,
      [origin, list, commit],
    );
    await remove(
      query,
      rows.map((row) => Number(row.doc)),
    );
  }

  async function enliven(query: Query, pairs: { path: string; blob: string }[]): Promise<void> {
    const wanted = new Map(pairs.map(({ path, blob }) => [path, blob]));
    if (wanted.size === 0) return;
    const values = [origin, packed([...wanted])];
    const named = `FROM ${dialect.elements('$2')} AS e CROSS JOIN documents d
       WHERE d.origin = $1 AND d.path = e.value->>0 AND d.blob = e.value->>1`;
    await query(`UPDATE documents SET live = 1 WHERE doc IN (SELECT d.doc ${named} AND d.live = 0)`, values);
    const [count] = await query(`SELECT count(*) AS n ${named} AND d.live = 1`, values);
    // Somebody cleared our staged rows: stage again and come back.
    if (Number(count?.n) !== wanted.size) throw new Overtaken();
  }

  async function apply(query: Query, step: Step): Promise<void> {
    await dialect.lock?.(query, origin);
    const now = await state(query);
    if (now.generation !== step.expectedGeneration) throw new Overtaken();
    await stage(query, step.documents);
    const commit = step.head?.commit ?? '';
    await supersede(
      query,
      step.gone.map((path) => ({ path })),
      commit,
    );
    step.inside?.();
    await supersede(query, step.live, commit);
    await enliven(query, step.live);
    await settle(query, step.settles);
    // A mirror that begins anew begins beyond every generation of the one before it: steps and cached answers go by it.
    const generation = now.generation === 0 ? now.nowMs : now.generation + 1;
    await query(
      `INSERT INTO state (origin, commit_id, tree_id, generation, confirmed_at_ms, index_version) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (origin) DO UPDATE SET commit_id = excluded.commit_id, tree_id = excluded.tree_id, generation = excluded.generation,
         confirmed_at_ms = coalesce(excluded.confirmed_at_ms, state.confirmed_at_ms), index_version = excluded.index_version`,
      [origin, commit, step.head?.tree ?? '', generation, step.confirmedAtMs, INDEX_VERSION],
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
    await dialect.lock?.(query, origin);
    const rows = await query(`SELECT doc FROM documents WHERE origin = $1${keepLive ? ' AND live = 0' : ''}`, [origin]);
    await remove(
      query,
      rows.map((row) => Number(row.doc)),
    );
  }

  async function drop(query: Query, paths: string[]): Promise<void> {
    await dialect.lock?.(query, origin);
    const rows = await query(
      `SELECT d.doc FROM ${dialect.elements('$2')} AS e CROSS JOIN documents d WHERE d.origin = $1 AND d.path = e.value->>0`,
      [origin, packed(paths.map((path) => [path]))],
    );
    await remove(
      query,
      rows.map((row) => Number(row.doc)),
    );
    // At no commit: a process that dies before the repair leaves a mirror which the next sync compares with the tree.
    await query(
      `UPDATE state SET generation = generation + 1, confirmed_at_ms = NULL, commit_id = '', tree_id = '' WHERE origin = $1 AND commit_id IS NOT NULL`,
      [origin],
    );
  }

  async function doubt(query: Query, doubts: Doubt[]): Promise<void> {
    for (const each of doubts.toSorted((a, b) => (a.saveId < b.saveId ? -1 : 1))) {
      await query(
        // A save that is tried again in another group may go on for longer than it first said, never for less.
        `INSERT INTO doubts (origin, save_id, deadline_ms) VALUES ($1, $2, $3) ON CONFLICT (origin, save_id)
           DO UPDATE SET deadline_ms = excluded.deadline_ms WHERE excluded.deadline_ms > doubts.deadline_ms`,
        [origin, each.saveId, Math.round(each.deadlineMs)],
      );
    }
  }

  async function settle(query: Query, saveIds: string[]): Promise<void> {
    if (saveIds.length === 0) return;
    await query(
      `DELETE FROM doubts WHERE origin = $1 AND save_id IN (SELECT e.value->>0 FROM ${dialect.elements('$2')} AS e)`,
      [origin, packed(saveIds.map((saveId) => [saveId]))],
    );
  }

  async function staged(query: Query, pairs: { path: string; blob: string }[]): Promise<Set<string>> {
    const rows = await query(
      `SELECT d.path FROM ${dialect.elements('$2')} AS e CROSS JOIN documents d
       WHERE d.origin = $1 AND d.path = e.value->>0 AND d.blob = e.value->>1`,
      [origin, packed(pairs.map(({ path, blob }) => [path, blob]))],
    );
    return new Set(rows.map((row) => String(row.path)));
  }

  function view(query: Query): View {
    const where = (caller: Caller, filter: Filter) => conditions(origin, caller, filter);
    return {
      state: () => state(query),
      ...versionsOf(query),
      async paths(caller) {
        const { text, values } =
          caller === undefined ? { text: 'd.origin = $1 AND d.live = 1', values: [origin] } : where(caller, {});
        const rows = await query(`SELECT d.path, d.blob FROM documents d WHERE ${text}`, values);
        return new Map(rows.map((row) => [String(row.path), String(row.blob)]));
      },
      async get(caller, id) {
        const { text, values } = where(caller, {});
        const [row] = await query(
          `SELECT ${COLUMNS}, d.content FROM documents d WHERE ${text} AND d.id = $${values.length + 1} ORDER BY d.path LIMIT 1`,
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
      corpus: (caller, terms, filter) => index.corpus(query, caller, terms, filter),
      ...(compare && { cosines: (model: string, asked: Float32Array) => compare.cosines(query, origin, model, asked) }),
      vocabulary: () => index.vocabulary(query),
      async documents(caller, docs) {
        const { text, values } = where(caller, {});
        const rows = await query(
          `SELECT ${COLUMNS}, d.content FROM ${dialect.elements(`$${values.length + 1}`)} AS e CROSS JOIN documents d
           WHERE d.doc = CAST(e.value->>0 AS bigint) AND ${text}`,
          [...values, packed(docs.map((doc) => [doc]))],
        );
        const found = new Map(
          rows.map((row) => [Number(row.doc), { ...toDocument(row), content: bytesOf(row.content) }]),
        );
        return docs.flatMap((doc) => found.get(doc) ?? []);
      },
      async ids(caller) {
        const { text, values } = where(caller, {});
        return (await query(`SELECT d.id FROM documents d WHERE ${text} ORDER BY d.path`, values)).map((row) =>
          String(row.id),
        );
      },
      async present(caller, ids) {
        if (ids.length === 0) return new Set();
        const { text, values } = where(caller, {});
        const rows = await query(
          `SELECT d.id FROM ${dialect.elements(`$${values.length + 1}`)} AS e CROSS JOIN documents d
           WHERE d.id = e.value->>0 AND ${text}`,
          [...values, packed(ids.map((id) => [id]))],
        );
        return new Set(rows.map((row) => String(row.id)));
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
      records: (caller) => records(query, caller),
      relatives: (caller, project) => relatives(query, caller, project),
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
          `SELECT ${COLUMNS}, d.content, d.indexed FROM documents d WHERE d.origin = $1 AND d.live = 1 AND d.path > $2 ORDER BY d.path LIMIT $3`,
          [origin, afterPath, limit],
        );
        return rows.map((row) => ({
          ...toDocument(row),
          content: bytesOf(row.content),
          indexed: row.indexed === 1,
        }));
      },
    };
  }

  async function sameSave(query: Query, same: SameSave): Promise<Document | null> {
    const [row] = same.key
      ? await query(
          `SELECT ${COLUMNS} FROM documents d WHERE d.origin = $1 AND d.live = 1 AND d.save_key = $2 AND d.project = $3 AND d.author = $4 ORDER BY d.time_ms DESC, d.path DESC LIMIT 1`,
          [origin, same.key, same.project, same.author],
        )
      : await query(
          `SELECT ${COLUMNS} FROM documents d WHERE d.origin = $1 AND d.live = 1 AND d.project = $2 AND d.author = $3 AND d.body_hash = $4 AND ($6 = '' OR d.title = $6) AND d.kind = $7
             AND d.save_key = '' AND d.time_ms >= $5 ORDER BY d.time_ms DESC, d.path DESC LIMIT 1`,
          [
            origin,
            same.project,
            same.author,
            same.bodyHash ?? '',
            Math.ceil(same.sinceMs ?? 0),
            same.title ?? '',
            same.kind ?? 'session',
          ],
        );
    return row ? toDocument(row) : null;
  }

  /** The one door through which text comes to a statement. */
  const door =
    <Input extends unknown[], Output>(statement: (query: Query, ...input: Input) => Output) =>
    (query: Query, ...input: Input): Output =>
      statement(
        (text, values = []) =>
          query(
            text,
            values.map((value) => (typeof value === 'string' ? storable(value) : value)),
          ),
        ...input,
      );

  return {
    state: door(state),
    stage: door(stage),
    apply: door(apply),
    confirm: door(confirm),
    prune: door(prune),
    drop: door(drop),
    doubt: door(doubt),
    settle: door(settle),
    staged: door(staged),
    unindexed: door(index.unindexed),
    merge: index.merge,
    grown: index.grown,
    idle: index.idle,
    view: door(view),
  };
}
