import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MemoryError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { makeFolder } from './folder.js';
import type { Query } from './rows.js';
import {
  alone,
  type Connection,
  connect,
  isBusy,
  isDamage,
  isForeign,
  isStorage,
  reasonOf,
} from './sqlite-connection.js';

export interface SqliteOptions {
  path: string;
  /** The whole schema. */
  schema: string;
  /** Of this program; kept in `user_version`. */
  version: number;
  /** From version n to n + 1, at index n - 1; absent for a database that is rebuilt instead. */
  migrations?: string[];
  /** `FULL` for what exists nowhere else; `NORMAL` for what can be rebuilt. */
  synchronous: 'FULL' | 'NORMAL';
  onNotice(text: string): void;
}

/** One file that is open. A file that was replaced is let go of when nobody uses its connections any more. */
interface Place {
  inode: number;
  writer: Connection;
  readers: Connection[];
  users: number;
  retired: boolean;
}

/** A database that is of no use as it is; `inode` tells which file it was. */
class Unusable extends Error {
  readonly inode: number;
  readonly word: 'corrupt' | 'older';

  constructor(inode: number, word: 'corrupt' | 'older', cause?: unknown) {
    super(word, { cause });
    this.inode = inode;
    this.word = word;
  }
}

/**
 * One SQLite database shared by many processes: one writer connection with a queue, a few reading ones with a snapshot
 * each. A file that was taken away or replaced is opened anew. A corrupt file is set aside and made anew, but only
 * where `migrations` is absent: derived data.
 */
export function createSqlite(options: SqliteOptions) {
  const { path } = options;
  const memory = path === ':memory:';
  const derived = options.migrations === undefined && !memory;
  let place: Place | undefined;
  let opening: Promise<Place> | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let ended = false;
  let active = 0;
  const waiters: (() => void)[] = [];

  /** In line behind every write that came before. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = queue.then(work, work);
    queue = turn.catch(() => {});
    return turn;
  }

  function retire(old: Place): void {
    if (place === old) place = undefined;
    old.retired = true;
    if (old.users > 0) return;
    for (const each of [old.writer, ...old.readers.splice(0)]) each.close();
  }

  async function open(): Promise<Place> {
    if (ended) throw unavailable('it is closed');
    if (place && !memory && inodeOf(path) !== place.inode) retire(place);
    if (place) return place;
    opening ??= retryBusy(openFile, LIMITS.mirrorWriteMs).finally(() => {
      opening = undefined;
    });
    return opening;
  }

  async function openFile(): Promise<Place> {
    if (!memory) makeFolder(dirname(path));
    const before = inodeOf(path);
    let writer: Connection | undefined;
    try {
      writer = connect(path);
      await prepare(writer);
    } catch (error) {
      writer?.close();
      if (error instanceof Unusable || (derived && isDamage(error)))
        throw error instanceof Unusable ? new Unusable(before, error.word) : new Unusable(before, 'corrupt', error);
      throw error;
    }
    const inode = inodeOf(path);
    if (!memory && before !== -1 && inode !== before) {
      // Replaced while it was being opened: look again.
      writer.close();
      throw Object.assign(new Error('replaced'), { code: 'SQLITE_BUSY' });
    }
    place = { inode, writer, readers: [], users: 0, retired: false };
    return place;
  }

  async function prepare(made: Connection): Promise<void> {
    await made.query('PRAGMA busy_timeout = 20');
    const version = Number((await made.query('PRAGMA user_version'))[0]?.user_version ?? 0);
    if (version > options.version) {
      throw new MemoryError(
        'newer_schema',
        `${path} was written by a newer strata-memory (schema ${version}; this one knows ${options.version}).`,
        'Update strata-memory, or set MEMORY_HOME to another folder.',
      );
    }
    if (version !== 0 && version !== options.version && derived) throw new Unusable(-1, 'older');
    if (!memory && version !== options.version) await made.query('PRAGMA journal_mode = WAL');
    await made.query(`PRAGMA synchronous = ${options.synchronous}`);
    await made.query('PRAGMA foreign_keys = ON');
    // What exists nowhere else is looked through before it is trusted: reading some damage ends the whole process.
    if (version !== 0 && options.migrations !== undefined) {
      const [sound] = await made.query('PRAGMA quick_check(1)');
      if (sound?.quick_check !== 'ok') throw Object.assign(new Error('quick_check failed'), { code: 'SQLITE_CORRUPT' });
    }
    if (version === options.version) return;
    made.exec('BEGIN IMMEDIATE');
    try {
      const now = Number((await made.query('PRAGMA user_version'))[0]?.user_version ?? 0);
      if (now === 0) made.exec(options.schema);
      else for (const migration of options.migrations?.slice(now - 1) ?? []) made.exec(migration);
      made.exec(`PRAGMA user_version = ${options.version}`);
      made.exec('COMMIT');
    } catch (error) {
      rollBack(made);
      throw error;
    }
  }

  /** Moves the file out of the way, unless another process has already put a new one in its place. */
  function setAside({ inode, word, cause }: Unusable): void {
    alone(`${path}.guard`, () => {
      if (inodeOf(path) !== inode) return;
      if (place?.inode === inode) retire(place);
      const aside = `${path}.${word}-${new Date().toISOString().replace(/[-:.]/g, '')}`;
      // The file itself goes last: a new one must never meet the old one's log.
      for (const suffix of ['-wal', '-shm', '']) {
        if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
      }
      if (word === 'older') for (const suffix of ['', '-wal', '-shm']) rmSync(aside + suffix, { force: true });
      else {
        const why = cause instanceof Error ? cause.message : 'unreadable';
        options.onNotice(`The mirror was damaged (${why}): set aside as ${aside}, rebuilt from the origin.`);
      }
    });
  }

  /** Runs `work`; a derived database that is of no use is set aside and `work` run again on a new one. */
  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await retryBusy(work, LIMITS.mirrorWriteMs);
      } catch (error) {
        if (!(error instanceof Unusable)) throw translate(error);
        if (attempt > 1) throw translate(error.cause ?? Object.assign(error, { code: 'SQLITE_CORRUPT' }));
        try {
          setAside(error);
        } catch (failure) {
          throw translate(failure);
        }
      }
    }
  }

  function translate(error: unknown): unknown {
    if (error instanceof MemoryError || !isStorage(error)) return error;
    if (isDamage(error) && !derived) {
      return unavailable(
        reasonOf(error),
        error,
        `Nothing was done to it, since what it holds exists nowhere else. Stop strata-memory, move ${path} away (its rows may still be had with \`sqlite3 <file> .recover\`) and start again.`,
      );
    }
    return unavailable(reasonOf(error), error);
  }

  function unavailable(
    why: string,
    cause?: unknown,
    hint = 'Check the free space and the permissions of MEMORY_HOME.',
  ): MemoryError {
    const what = memory ? 'in memory' : path;
    return new MemoryError('mirror_unavailable', `The database ${what} could not be used: ${why}.`, hint, cause);
  }

  /** Runs `work` on the file that is there now, and keeps that open meanwhile. */
  async function use<T>(work: (at: Place) => Promise<T>): Promise<T> {
    const at = await open();
    at.users++;
    try {
      return await work(at);
    } catch (error) {
      if (derived && (isDamage(error) || isForeign(error))) throw new Unusable(at.inode, 'corrupt', error);
      throw error;
    } finally {
      at.users--;
      if (at.retired) retire(at);
    }
  }

  async function withReader<T>(at: Place, work: (reader: Connection) => Promise<T>): Promise<T> {
    while (active >= LIMITS.readConnections) await new Promise<void>((resolve) => waiters.push(resolve));
    active++;
    let reader = at.readers.pop();
    try {
      if (!reader) {
        reader = connect(path);
        await reader.query('PRAGMA busy_timeout = 20');
        await reader.query('PRAGMA query_only = ON');
        // Connected by name: the name may mean another file by now.
        if (inodeOf(path) !== at.inode) throw Object.assign(new Error('replaced'), { code: 'SQLITE_BUSY' });
      }
      const result = await work(reader);
      if (!at.retired && !ended) {
        at.readers.push(reader);
        reader = undefined;
      }
      return result;
    } finally {
      reader?.close();
      active--;
      waiters.shift()?.();
    }
  }

  async function transaction<T>(connection: Connection, begin: string, work: (query: Query) => Promise<T>): Promise<T> {
    connection.exec(begin);
    try {
      const result = await work(connection.query);
      connection.exec('COMMIT');
      return result;
    } catch (error) {
      rollBack(connection);
      throw error;
    }
  }

  return {
    /** One read snapshot. */
    read<T>(work: (query: Query) => Promise<T>): Promise<T> {
      const onWriter = (at: Place) => transaction(at.writer, 'BEGIN', work);
      if (memory) return inTurn(() => guarded(() => use(onWriter)));
      return guarded(() => use((at) => withReader(at, (reader) => transaction(reader, 'BEGIN', work))));
    },

    /** One write transaction, after those before it; waits for other processes at most the mirror's limit. */
    write<T>(work: (query: Query) => Promise<T>): Promise<T> {
      return inTurn(() => guarded(() => use((at) => transaction(at.writer, 'BEGIN IMMEDIATE', work))));
    },

    path,
    async close(): Promise<void> {
      await queue;
      ended = true;
      if (place) retire(place);
    },
  };
}

export type Sqlite = ReturnType<typeof createSqlite>;

function rollBack(connection: Connection): void {
  try {
    connection.exec('ROLLBACK');
  } catch {
    // SQLite has rolled back by itself.
  }
}

/** Tries again while another process holds the database, waiting between tries without blocking the event loop. */
async function retryBusy<T>(work: () => Promise<T>, limitMs: number): Promise<T> {
  const until = performance.now() + limitMs;
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 25)) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error;
    }
    await delay(waitMs * (0.5 + Math.random()));
  }
}

function inodeOf(path: string): number {
  try {
    return statSync(path).ino;
  } catch {
    return -1;
  }
}
