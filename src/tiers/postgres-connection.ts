import { readFileSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { createSecureContext } from 'node:tls';
import postgres from 'postgres';
import type { DatabasePlace } from '../core/database-url.js';
import { guardHandshake } from './postgres-handshake.js';
import type { Query, Row } from './rows.js';

/** Postgres, or the way to it, failed. Holds the code and a text without stored values: what postgres.js throws carries the query and its parameters. */
export class PostgresFailure extends Error {
  /** SQLSTATE, or a code of the system or of postgres.js. */
  readonly code: string;
  /** The connection is of no use any more. */
  readonly severed: boolean;

  constructor(code: string, text: string, severed: boolean) {
    super(`${code}: ${text}`);
    this.name = 'PostgresFailure';
    this.code = code;
    this.severed = severed;
  }
}

/**
 * One connection to a Postgres, made at its first statement and never again: a connection that came back by itself in
 * the middle of a transaction would run the rest of it outside.
 */
export interface Session {
  /** A prepared statement, of at most `limitMs` as given to `openSession`. */
  query: Query;
  /** Statements without values, in one trip; the rows of the last. */
  script(text: string, limitMs: number): Promise<Row[]>;
  /** It has ended, or is to be ended: it takes no more statements. */
  readonly lost: boolean;
  /** It was used before. */
  readonly used: boolean;
  /** Lets go of it at once, whatever the server does. */
  discard(): void;
  /** Says goodbye first. */
  close(): Promise<void>;
}

export function openSession(place: DatabasePlace, limitMs: number): Session {
  let socket: Socket | undefined;
  let lost = false;
  let used = false;
  let asked = false;
  const user = place.user ?? systemUser();
  // A statement that was begun between a socket's error and its end is told by the driver of neither.
  let sever = () => {};
  const severed = new Promise<never>((_, reject) => {
    sever = () => reject(new PostgresFailure('CONNECTION_CLOSED', 'the connection broke', true));
  });
  severed.catch(() => {});

  const sql = postgres({
    host: place.host.startsWith('/') ? `${place.host}/.s.PGSQL.${place.port}` : place.host,
    port: place.port,
    user,
    database: place.database ?? user,
    ...(place.password === undefined ? {} : { password: place.password }),
    ssl: sslOf(place),
    max: 1,
    idle_timeout: 0,
    max_lifetime: 0,
    connect_timeout: limitMs / 1000,
    keep_alive: 30,
    backoff: false,
    prepare: true,
    fetch_types: false,
    debug: false,
    target_session_attrs: undefined,
    connection: { application_name: 'strata-memory' },
    types: { json: JSON_AS_TEXT },
    // Its own way with notices is to print them on stdout.
    onnotice() {},
    onclose() {
      lost = true;
      // After what the driver itself has to say of it.
      setImmediate(sever);
    },
    socket: async () => {
      if (asked) throw Object.assign(new Error('the connection has ended'), { code: 'CONNECTION_CLOSED' });
      asked = true;
      socket = await reach(place, limitMs);
      if (lost) socket.destroy();
      socket.once('error', () => {
        lost = true;
      });
      return place.ssl === 'disable' ? guardHandshake(socket) : socket;
    },
  } as postgres.Options<Record<string, postgres.PostgresType>>);

  function discard(): void {
    lost = true;
    // Ends what waits for an answer, then the socket: a server that is paused would never close it.
    void sql
      .end({ timeout: 0 })
      .catch(() => {})
      .finally(() => socket?.destroy());
  }

  async function bounded<T>(work: PromiseLike<T>, mostMs: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new PostgresFailure('TIMEOUT', 'no answer', true)), Math.max(mostMs, 1));
    });
    try {
      return await Promise.race([work, late, severed]);
    } catch (error) {
      const failure = failureOf(error);
      if (failure.severed) discard();
      throw failure;
    } finally {
      clearTimeout(timer);
      used = true;
    }
  }

  function guard(): void {
    if (lost) throw new PostgresFailure('CONNECTION_CLOSED', 'the connection has ended', true);
  }

  return {
    async query(text, values = []) {
      guard();
      return (await bounded(
        sql.unsafe(text, values as never[], { prepare: true, simple: false } as object),
        limitMs,
      )) as Row[];
    },
    async script(text, mostMs) {
      guard();
      const results = (await bounded(sql.unsafe(text).simple(), mostMs)) as unknown as Row[] | Row[][];
      return (Array.isArray(results[0]) ? (results.at(-1) ?? []) : results) as Row[];
    },
    get lost() {
      return lost;
    },
    get used() {
      return used;
    },
    discard,
    async close() {
      lost = true;
      await sql.end({ timeout: 1 }).catch(() => {});
      socket?.destroy();
    },
  };
}

function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run as a number that has no name.
    return 'postgres';
  }
}

/** JSON goes in and comes out as text: postgres.js would make a JSON string of a text that is JSON already. */
const JSON_AS_TEXT = {
  to: 114,
  from: [114, 3802],
  serialize: (value: unknown) => value,
  parse: (text: string) => text,
};

/** A connected socket; ours, so that it can be destroyed. */
function reach(place: DatabasePlace, limitMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = place.host.startsWith('/')
      ? connectSocket({ path: `${place.host}/.s.PGSQL.${place.port}` })
      : connectSocket({ host: place.host, port: place.port });
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(
      () => fail(Object.assign(new Error('no connection'), { code: 'CONNECT_TIMEOUT' })),
      limitMs,
    );
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeListener('error', fail);
      socket.setNoDelay(true);
      // What postgres.js names the server by in TLS.
      resolve(Object.assign(socket, { host: place.host }));
    });
  });
}

/** What `sslmode` means, as libpq has it. Throws where a file that it names cannot be used. */
function sslOf(place: DatabasePlace): boolean | string | object {
  if (place.ssl === 'disable') return false;
  if (place.ssl === 'allow' || place.ssl === 'prefer') return 'prefer';
  const read = (path: string | undefined) => (path === undefined || path === 'system' ? undefined : readFileSync(path));
  const checked = place.ssl !== 'require';
  const files = { ca: read(place.rootCert), cert: read(place.cert), key: read(place.key) };
  // postgres.js makes its context where nobody catches what is thrown.
  createSecureContext(files);
  return {
    ...files,
    host: place.host,
    rejectUnauthorized: checked,
    ...(place.ssl === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

/** SQLSTATE classes whose messages name roles, databases, relations and limits, never a stored value. */
const TELLING = /^(08|28|3D|3F|42|53|55|57|58|25)/;

function failureOf(error: unknown): PostgresFailure {
  if (error instanceof PostgresFailure) return error;
  const code =
    error !== null && typeof error === 'object' && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const text = error instanceof Error ? error.message : '';
  const severity = error !== null && typeof error === 'object' && 'severity' in error ? String(error.severity) : '';
  if (/before secure TLS/.test(text)) return new PostgresFailure('NO_TLS', text, true);
  if (severity === '') return new PostgresFailure(code || 'UNKNOWN', text, true);
  return new PostgresFailure(code, TELLING.test(code) ? text : severity, severity !== 'ERROR');
}
