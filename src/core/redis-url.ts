import { isIP } from 'node:net';

/** Where a Redis is and who asks, as its URL says. */
export interface RedisPlace {
  /** One, or the nodes of a cluster from which the others are found. */
  nodes: { host: string; port: number }[];
  cluster: boolean;
  tls: boolean;
  /** A file with the certificates that TLS trusts; undefined: the system's. */
  ca: string | undefined;
  user: string | undefined;
  password: string | undefined;
  database: number;
  /** For a person; without user and password. */
  label: string;
}

/**
 * Reads `redis://user:password@host:6379/0`, `rediss://…` for TLS, and for a cluster `redis+cluster://` or
 * `rediss+cluster://`, or several hosts with commas between them. `?ca=/path/ca.pem` names the certificates to trust.
 * Throws an Error that says what is wrong with it in words that follow the variable's name, and quotes nothing of it.
 */
export function readRedisUrl(text: string): RedisPlace {
  const scheme = /^(redis|rediss)(\+cluster)?:\/\//i.exec(text);
  if (scheme === null) throw new Error('is no redis:// or rediss:// URL');
  const tls = scheme[1]?.toLowerCase() === 'rediss';
  const rest = text.slice(scheme[0].length);
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? '';
  const at = authority.lastIndexOf('@');
  const hosts = authority.slice(at + 1).split(',');
  const login = authority.slice(0, at + 1);
  // One URL for each host: what stands before and after them is the same for all.
  const urls = hosts.map((host) => urlOf(`redis://${login}${host}${rest.slice(authority.length)}`));
  const [first] = urls as [URL];
  const cluster = scheme[2] !== undefined || urls.length > 1;
  const nodes = urls.map(({ hostname, port }) => ({
    host: decoded(hostname)?.replace(/^\[|\]$/g, '') ?? 'localhost',
    port: Number(port || 6379),
  }));
  if (urls.some(({ hostname }) => hostname === '')) throw new Error('has no host');
  if (nodes.some(({ port }) => port === 0)) throw new Error('has a port that is none');
  const database = Number(first.pathname.slice(1) || 0);
  if (!Number.isInteger(database) || database < 0 || database > 65_535)
    throw new Error('has a database that is no number');
  if (cluster && database !== 0) throw new Error('names a database, and a cluster has only one');
  for (const name of first.searchParams.keys())
    if (name !== 'ca' && name !== 'family') throw new Error('has a parameter that is not known: there is only ?ca=');
  if (first.hash !== '') throw new Error('has a # in it: write %23');
  const ca = first.searchParams.get('ca') || undefined;
  if (ca !== undefined && !tls) throw new Error('names certificates, and TLS needs rediss://');
  const named = nodes.map(({ host, port }) => `${isIP(host) === 6 ? `[${host}]` : host}:${port}`).join(',');
  return {
    nodes,
    cluster,
    tls,
    ca,
    user: decoded(first.username),
    password: decoded(first.password),
    database,
    label: `${tls ? 'rediss' : 'redis'}${cluster ? '+cluster' : ''}://${named}${database === 0 ? '' : `/${database}`}`,
  };
}

function urlOf(text: string): URL {
  if (!URL.canParse(text)) throw new Error('is no URL');
  return new URL(text);
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part) || undefined;
  } catch {
    throw new Error('has a % that is no escape: write %25');
  }
}
