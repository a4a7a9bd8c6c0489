import { statSync } from 'node:fs';
import Database from 'libsql';
import type { Query, Row } from './rows.js';

export interface Connection {
  query: Query;
  exec(sql: string): void;
  close(): void;
}

type Statement = ReturnType<InstanceType<typeof Database>['prepare']>;

export function connect(path: string): Connection {
  const database = openDatabase(path);
  const statements = new Map<string, Statement>();
  return {
    async query(text, values = []) {
      let statement = statements.get(text);
      if (!statement) {
        // SQLite numbers `$2` by where it first stands, Postgres by its digit: `?2` means the same as Postgres.
        statement = database.prepare(text.replace(/\$(\d+)/g, '?$1'));
        if (statements.size > 200) statements.clear();
        statements.set(text, statement);
      }
      // One array: libsql takes a lone byte array for the list of values.
      if (statement.reader) return statement.all(values) as Row[];
      statement.run(values);
      return [];
    },
    exec: (sql) => void database.exec(sql),
    close() {
      // libsql lets go of the file when the last statement is collected, not before.
      statements.clear();
      try {
        database.close();
      } catch {
        // A connection to a broken file may refuse even that.
      }
    },
  };
}

/** libsql's open errors carry the SQLite code only as a number in their text. */
function openDatabase(path: string): InstanceType<typeof Database> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw sqliteError('SQLITE_NOTADB', 'it is a folder');
  try {
    return new Database(path, { timeout: 0 });
  } catch (error) {
    const number = /: (\d+)"\)$/.exec(error instanceof Error ? error.message : '')?.[1];
    throw sqliteError(OPEN_CODES[number ?? ''] ?? 'SQLITE_CANTOPEN', 'SQLite could not open the file', error);
  }
}

function sqliteError(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code });
}

const OPEN_CODES: Record<string, string> = {
  '5': 'SQLITE_BUSY',
  '8': 'SQLITE_READONLY',
  '11': 'SQLITE_CORRUPT',
  '13': 'SQLITE_FULL',
  '26': 'SQLITE_NOTADB',
};

function codeOf(error: unknown): string {
  return error !== null && typeof error === 'object' && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}

/** Of SQLite or of the file system. */
export const isStorage = (error: unknown) => codeOf(error) !== '';
export const isBusy = (error: unknown) => /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error));
/** The file is not what was written to it. */
export const isDamage = (error: unknown) =>
  /^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ)/.test(codeOf(error)) ||
  (error instanceof Error && /disk image is malformed|not a database/.test(error.message));
/** A sound database that is not ours: a table was taken away, or another file was put in its place. */
export const isForeign = (error: unknown) =>
  codeOf(error).startsWith('SQLITE_') &&
  error instanceof Error &&
  /no such (table|column)|has no column named/.test(error.message);

export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  if (isDamage(error)) return 'it is damaged';
  if (/FULL|ENOSPC|EDQUOT|IOERR_SHMSIZE/.test(code)) return 'the disk is full';
  if (/READONLY|CANTOPEN|PERM|EACCES|EROFS|ENOTDIR|EPERM/.test(code)) return 'it cannot be written';
  if (/BUSY|LOCKED/.test(code)) return 'another process holds it';
  return `SQLite says ${code}`;
}

/** Runs `work` while no other process runs its own under the same file; goes on without where no lock is to be had. */
export function alone(lockPath: string, work: () => void): void {
  let lock: InstanceType<typeof Database> | undefined;
  try {
    lock = new Database(lockPath);
    lock.exec('PRAGMA busy_timeout = 5000');
    lock.exec('BEGIN IMMEDIATE');
  } catch {
    // A full or read-only disk: whoever cannot lock will hardly be able to do the work either.
  }
  try {
    work();
  } finally {
    lock?.close();
  }
}
