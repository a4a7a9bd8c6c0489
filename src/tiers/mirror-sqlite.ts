import { statSync } from 'node:fs';
import type { Mirror } from '../core/ports.js';
import { COLUMNS, type Dialect, mirrorStatements, Overtaken } from './mirror.js';
import { MIRROR_SCHEMA, MIRROR_VERSION } from './schema-sqlite.js';
import { createSqlite } from './sqlite.js';
import { upkeep } from './upkeep.js';

const dialect: Dialect = {
  nowMs: `CAST(unixepoch('subsec') * 1000 AS INTEGER)`,
  indexedDoc: 'rowid',
  elements: (parameter) => `json_each(${parameter})`,
  async index(query, entries) {
    for (const { doc, terms } of entries)
      await query('INSERT INTO documents_search (rowid, title, body) VALUES ($1, $2, $3)', [
        doc,
        terms.title,
        terms.body,
      ]);
  },
  async unindex(query, docs) {
    for (const doc of docs) await query('DELETE FROM documents_search WHERE rowid = $1', [doc]);
  },
  search(query, terms, where, values, limit) {
    // Terms hold letters, digits and emoji only; the quotes keep NEAR, AND and OR from being operators.
    const match = terms.map((term) => `"${term.replace(/["\0]/g, '')}"`).join(' OR ');
    // Visibility is probed in a set made from an index (the `+` keeps it out of the index scan), and whole rows are
    // read for the best only. Some more than asked for, so that equal scores are put in order by time and path.
    return query(
      `SELECT ${COLUMNS}, best.score FROM (
         SELECT rowid AS doc, -bm25(documents_search, 4.0, 1.0) AS score FROM documents_search
         WHERE documents_search MATCH $${values.length + 1} AND +rowid IN (SELECT d.doc FROM documents d WHERE ${where})
         ORDER BY score DESC LIMIT $${values.length + 2} + 20) AS best
       JOIN documents d ON d.doc = best.doc ORDER BY best.score DESC, d.time_ms DESC, d.path DESC LIMIT $${values.length + 2}`,
      [...values, match, limit],
    );
  },
};

export interface SqliteMirrorOptions {
  origin: string;
  /** A file of this origin's own, or `:memory:`. */
  path: string;
  onNotice?(text: string): void;
}

export function createSqliteMirror({ origin, path, onNotice }: SqliteMirrorOptions): Mirror {
  const notices: string[] = [];
  const database = createSqlite({
    path,
    schema: MIRROR_SCHEMA,
    version: MIRROR_VERSION,
    synchronous: 'NORMAL',
    onNotice(text) {
      notices.push(text);
      onNotice?.(text);
    },
  });
  const statements = mirrorStatements(origin, dialect);

  return {
    name: path === ':memory:' ? 'origin' : 'mirror',
    snapshot: (work) => database.read((query) => work(statements.view(query))),
    clock: () => database.read(async (query) => Number((await query(`SELECT ${dialect.nowMs} AS now_ms`))[0]?.now_ms)),
    doubt: (doubts) => database.write((query) => statements.doubt(query, doubts)),
    settle: (saveIds) => database.write((query) => statements.settle(query, saveIds)),
    stage: (documents) => database.write((query) => statements.stage(query, documents)),
    staged: (pairs) => database.read((query) => statements.staged(query, pairs)),
    prune: (keepLive) => database.write((query) => statements.prune(query, keepLive)),
    confirm: (head, beforeMs) => database.write((query) => statements.confirm(query, head, beforeMs)),
    drop: (paths) => database.write((query) => statements.drop(query, paths)),
    async apply(step) {
      try {
        await database.write((query) => statements.apply(query, step));
        return true;
      } catch (error) {
        if (error instanceof Overtaken) return false;
        throw error;
      }
    },
    unindexed: () => database.read(statements.unindexed),
    ...upkeep(origin, dialect, database),
    notices: () => [...notices],
    async describe() {
      const bytes = ['', '-wal'].reduce(
        (sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
      return { kind: 'SQLite', place: path, bytes };
    },
    close: () => database.close(),
  };
}
