import { setTimeout as delay } from 'node:timers/promises';
import { type DatabasePlace, readDatabaseUrl } from '../core/database-url.js';
import { MemoryError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { openSession, PostgresFailure, type Session } from './postgres-connection.js';
import { applySchema, isCurrent, type PostgresSchema, VERSIONS } from './postgres-schema.js';
import type { Query } from './rows.js';

export interface PostgresOptions {
  url: string;
  /** The variable that `url` comes from, for hints. */
  variable: 'DATABASE_URL' | 'DATABASE_READ_URL';
  schema: PostgresSchema;
  /** It gets its schema from its primary: where it has none yet, work is refused with `Outdated`. */
  follows?: boolean;
  /** At most so long for a connection with its first answer, and for each statement, in ms. */
  limitMs: number;
  /** At most so many at a time. */
  connections: number;
  onNotice?(text: string): void;
}

const BEGIN = { read: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', write: 'BEGIN' };

/** A transaction lost against another one and left nothing: serialization failure, deadlock. */
const AGAIN = new Set(['40001', '40P01']);
/** The schema is not what its version says: dropped or changed behind our back, or under a prepared statement. */
const FOREIGN = new Set(['42P01', '42703', '3F000', '0A000', '42P10']);

/**
 * One Postgres: a pool of connections, transactions on them, and one kind of error. Whatever fails becomes
 * `mirror_unavailable`; the next call begins anew.
 */
export function createPostgres(options: PostgresOptions) {
  const { schema, limitMs } = options;
  const place = placeOf(options);
  const idle: { session: Session; timer: NodeJS.Timeout }[] = [];
  const waiters = new Set<() => void>();
  let open = 0;
  let ended = false;
  let applying: Promise<void> | undefined;

  function free(): void {
    open--;
    for (const wake of waiters) {
      waiters.delete(wake);
      wake();
      return;
    }
  }

  /** A connection, an unused one where `fresh`; its first statement may take until `deadline`. */
  async function acquire(deadline: number, fresh: boolean): Promise<Session> {
    for (;;) {
      if (ended) throw new PostgresFailure('CONNECTION_ENDED', 'it is closed', true);
      const kept = idle.pop();
      if (kept) {
        clearTimeout(kept.timer);
        if (!fresh && !kept.session.lost) return kept.session;
        kept.session.discard();
        free();
        continue;
      }
      if (open < options.connections) {
        open++;
        try {
          return openSession(place, limitMs);
        } catch (error) {
          free();
          throw error;
        }
      }
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new PostgresFailure('POOL', 'every connection is in use', false);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          waiters.delete(wake);
          resolve();
        }, leftMs);
        const wake = () => {
          clearTimeout(timer);
          resolve();
        };
        waiters.add(wake);
      });
    }
  }

  function release(session: Session): void {
    if (session.lost || ended) {
      if (ended) void session.close();
      free();
      return;
    }
    const timer = setTimeout(() => {
      const at = idle.findIndex((each) => each.session === session);
      if (at === -1) return;
      idle.splice(at, 1);
      void session.close();
      free();
    }, LIMITS.postgresIdleMs);
    timer.unref();
    idle.push({ session, timer });
    // Out of `open` only when it is closed: whoever waits takes it from the idle ones.
    for (const wake of waiters) {
      waiters.delete(wake);
      wake();
      return;
    }
  }

  /** An open transaction; also tells the schema's versions, in the same trip. */
  async function begin(kind: 'read' | 'write'): Promise<{ session: Session; versions: Record<string, unknown>[] }> {
    const deadline = performance.now() + limitMs;
    // The server gives up before we do, so that it does not go on with what nobody waits for. The driver
    // reads bytes as hex alone, and a role or a database may be set otherwise.
    const text = `${BEGIN[kind]}; SET LOCAL bytea_output = hex; SET LOCAL search_path = strata_mirror, pg_catalog; SET LOCAL statement_timeout = ${Math.round(limitMs * 0.8)};
      SET LOCAL lock_timeout = ${Math.round(limitMs * 0.6)}; SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1; ${VERSIONS}`;
    for (let fresh = false; ; fresh = true) {
      const session = await acquire(deadline, fresh);
      const { used } = session;
      try {
        return { session, versions: await session.script(text, deadline - performance.now()) };
      } catch (error) {
        session.discard();
        release(session);
        // The server went away and came back since this connection was last used: nothing was asked of it yet.
        if (!used || fresh || performance.now() > deadline) throw error;
      }
    }
  }

  async function once<T>(kind: 'read' | 'write', work: (query: Query) => Promise<T>): Promise<T> {
    const { session, versions } = await begin(kind);
    try {
      if (!isCurrent(schema, versions, place.label)) throw new Outdated();
      const result = await work(session.query);
      await session.script('COMMIT', limitMs);
      return result;
    } catch (error) {
      await session.script('ROLLBACK', limitMs).catch(() => session.discard());
      throw error;
    } finally {
      release(session);
    }
  }

  function bringToSchema(): Promise<void> {
    applying ??= (async () => {
      const session = await acquire(performance.now() + limitMs, false);
      try {
        const notices = await applySchema(session, schema, place.label, LIMITS.postgresSchemaMs);
        for (const notice of notices) options.onNotice?.(notice);
      } finally {
        release(session);
      }
    })().finally(() => {
      applying = undefined;
    });
    return applying;
  }

  async function transaction<T>(kind: 'read' | 'write', work: (query: Query) => Promise<T>): Promise<T> {
    let applied = false;
    for (let attempt = 0; ; attempt++) {
      try {
        return await once(kind, work);
      } catch (error) {
        const code = error instanceof PostgresFailure ? error.code : '';
        if (error instanceof Outdated && options.follows) throw error;
        if ((error instanceof Outdated || FOREIGN.has(code)) && !options.follows && !applied) {
          applied = true;
          await bringToSchema().catch((failure) => {
            throw translate(failure, place, options.variable);
          });
        } else if (!AGAIN.has(code) || attempt >= LIMITS.postgresAttempts) {
          throw translate(error, place, options.variable);
        } else await delay(Math.random() * 10 * 2 ** attempt);
      }
    }
  }

  return {
    label: place.label,
    /** One read snapshot. */
    read: <T>(work: (query: Query) => Promise<T>) => transaction('read', work),
    /** One write transaction. Run again from the start where it lost against another. */
    write: <T>(work: (query: Query) => Promise<T>) => transaction('write', work),
    async close(): Promise<void> {
      ended = true;
      for (const wake of waiters) wake();
      waiters.clear();
      await Promise.all(
        idle.splice(0).map(({ session, timer }) => {
          clearTimeout(timer);
          free();
          return session.close();
        }),
      );
    },
  };
}

/** The schema is older than this program's, or not there. */
export class Outdated extends Error {}

function placeOf({ url, variable }: PostgresOptions): DatabasePlace {
  try {
    return readDatabaseUrl(url);
  } catch (error) {
    throw new MemoryError(
      'config',
      `${variable} ${error instanceof Error ? error.message : 'cannot be read'}.`,
      'Write it as postgres://user:password@host:5432/database?sslmode=require.',
    );
  }
}

function translate(error: unknown, place: DatabasePlace, variable: string): unknown {
  if (error instanceof Outdated)
    return unavailable(['its schema changes under us', 'Call again in a moment.'], undefined);
  if (error instanceof PostgresFailure) return unavailable(remedy(error, place, variable), error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  // A certificate file that the URL names.
  if (/^(ENOENT|EACCES|ERR_OSSL|ERR_TLS|ERR_CRYPTO)/.test(code))
    return unavailable(
      ['a file that its URL names for TLS cannot be used', `Mend sslrootcert, sslcert or sslkey in ${variable}.`],
      error,
    );
  return error;

  function unavailable([why, hint]: [string, string], cause: unknown): MemoryError {
    return new MemoryError('mirror_unavailable', `The database ${place.label} could not be used: ${why}.`, hint, cause);
  }
}

/** What a failure means, and what to do about it. Nothing of the URL but where the server is. */
function remedy({ code }: PostgresFailure, place: DatabasePlace, variable: string): [string, string] {
  const role = `the role in ${variable}`;
  const found = REMEDIES.find(([codes]) => codes.test(code));
  if (found) return [found[1], found[2].replaceAll('{variable}', variable).replaceAll('{role}', role)];
  if (/^(CERT|DEPTH|ERR_TLS|ERR_SSL|EPROTO|SELF_SIGNED|UNABLE_TO)/.test(code))
    return [`TLS failed (${code})`, `Check sslmode and sslrootcert in ${variable} (now ${place.ssl}).`];
  return [`Postgres says ${code}`, `Look at the log of the server that ${variable} names.`];
}

const REMEDIES: [RegExp, string, string][] = [
  [
    /^28/,
    'it refuses the role or its password',
    'Check user and password in {variable}, and pg_hba.conf on the server.',
  ],
  [/^SASL|^AUTH/, 'it refuses the role or its password', 'Check user and password in {variable}.'],
  [/^3D000$/, 'there is no such database', 'Create it (createdb), or mend the name in {variable}.'],
  [
    /^42501$/,
    'the role lacks a privilege',
    'As its owner: GRANT CREATE ON DATABASE … TO {role}; where schema.sql was applied by another role, grant it that schema.',
  ],
  [/^53300$/, 'it has no connection left', 'Raise max_connections there, or let fewer programs use {variable}.'],
  [/^(53100|58)/, 'its disk is full or failing', 'Free space on the server that {variable} names.'],
  [/^53/, 'it is out of memory or other means', 'Look at the log of the server that {variable} names.'],
  [/^25006$/, 'it takes no writes: it is a replica, or read-only', 'Set {variable} to the primary.'],
  [
    /^(57014|55P03|TIMEOUT|CONNECT_TIMEOUT|ETIMEDOUT)$/,
    'it did not answer in time',
    'Check that the server in {variable} runs, is not overloaded, and can be reached from here.',
  ],
  [
    /^(PROTOCOL|UNKNOWN|ERR_INVALID)/,
    'what answers there does not speak as Postgres does',
    'Check host and port in {variable}.',
  ],
  [
    /^POOL$/,
    'every connection to it is in use',
    'Call again in a moment; check that the server in {variable} answers.',
  ],
  [
    /^NO_TLS$/,
    'it broke off where TLS should begin, and may offer none',
    'Turn ssl on there, or mend sslmode in {variable}.',
  ],
  [
    /^(22021|22P05)$/,
    'its encoding has no room for every text',
    "Name a database in {variable} that was made with ENCODING 'UTF8'.",
  ],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'its host name is not known', 'Check the host in {variable}.'],
  [
    /^CONNECTION_ENDED$/,
    'it was closed',
    'Start strata-memory again; check {variable} if it was not you who ended it.',
  ],
  [
    /^(ECONN|CONNECTION_|EPIPE|EHOST|ENET|ENOENT|EACCES|08|57P)/,
    'it cannot be reached',
    'Start Postgres, or check host and port in {variable}.',
  ],
  [
    /^(42P01|42703|3F000|0A000|42P10)$/,
    'its schema is not ours',
    'Drop it (DROP SCHEMA strata_mirror CASCADE): it is rebuilt from the origin. Or check {variable}.',
  ],
];

export type Postgres = ReturnType<typeof createPostgres>;
