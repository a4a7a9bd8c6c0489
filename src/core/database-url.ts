import { isIP } from 'node:net';

export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** Where a Postgres is and who asks, as its URL says. */
export interface DatabasePlace {
  /** A host name, an address, or the folder of a Unix socket. */
  host: string;
  port: number;
  /** Undefined: the name of the system's user. */
  user: string | undefined;
  password: string | undefined;
  /** Undefined: the database of the user's name. */
  database: string | undefined;
  ssl: SslMode;
  /** Files that TLS needs: `sslrootcert`, `sslcert`, `sslkey`. */
  rootCert: string | undefined;
  cert: string | undefined;
  key: string | undefined;
  /** For a person; without user and password. */
  label: string;
}

/**
 * Reads `postgres://user:password@host:port/database?sslmode=…` as libpq does. Throws an Error that says what is wrong
 * with it in words that follow the variable's name, and quotes nothing of it.
 */
export function readDatabaseUrl(text: string): DatabasePlace {
  if (/^[^/?#]*:\/\/[^/?#]*,/.test(text.replace(/^([^/?#]*:\/\/)[^/?#]*@/, '$1')))
    throw new Error('names several hosts; name one');
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null) throw new Error('is no URL');
  if (!['postgres:', 'postgresql:'].includes(url.protocol)) throw new Error('is no postgres:// URL');
  const given = (name: string) => url.searchParams.get(name) || undefined;
  const decoded = (part: string) => {
    try {
      return decodeURIComponent(part) || undefined;
    } catch {
      throw new Error('has a % that is no escape: write %25');
    }
  };
  const host = (given('host') ?? decoded(url.hostname) ?? 'localhost').replace(/^\[|\]$/g, '');
  const port = Number(url.port || given('port') || 5432);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error('has a port that is none');
  const rootCert = given('sslrootcert');
  const asked = given('sslmode') ?? (near(host) ? 'disable' : 'prefer');
  const ssl = SSL_MODES.find((mode) => mode === asked);
  if (ssl === undefined) throw new Error(`has an sslmode that is not known: one of ${SSL_MODES.join(', ')}`);
  const database = decoded(url.pathname.slice(1)) ?? given('dbname');
  return {
    host,
    port,
    user: decoded(url.username) ?? given('user'),
    password: decoded(url.password) ?? given('password'),
    database,
    // A root certificate that is given is there to be checked, as in libpq.
    ssl: ssl === 'require' && rootCert !== undefined ? 'verify-ca' : ssl,
    rootCert,
    cert: given('sslcert'),
    key: given('sslkey'),
    label: `${host.startsWith('/') ? host : `${isIP(host) === 6 ? `[${host}]` : host}:${port}`}${database === undefined ? '' : `/${database}`}`,
  };
}

/** On this machine: what is said there needs no TLS. */
function near(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127\./.test(host);
}
