import { statSync } from 'node:fs';
import type { Mirror } from '../core/ports.js';
import { mirrorStatements, Overtaken } from './mirror.js';
import type { Dialect } from './rows.js';
import { MIRROR_SCHEMA, MIRROR_VERSION } from './schema-sqlite.js';
import { createSqlite } from './sqlite.js';
import { upkeep } from './upkeep.js';
import { vectorStatements } from './vectors.js';

const dialect: Dialect = {
  nowMs: `CAST(unixepoch('subsec') * 1000 AS INTEGER)`,
  elements: (parameter) => `json_each(${parameter})`,
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
        statements.grown(step.live.length, database);
        return true;
      } catch (error) {
        if (error instanceof Overtaken) return false;
        throw error;
      }
    },
    unindexed: () => database.read(statements.unindexed),
    merge: () => statements.merge(database),
    ...upkeep(origin, dialect, database),
    ...vectorStatements(origin, dialect, database),
    notices: () => [...notices],
    async describe() {
      const bytes = ['', '-wal'].reduce(
        (sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
      return { kind: 'SQLite', place: path, bytes };
    },
    async close() {
      await statements.idle();
      await database.close();
    },
  };
}
