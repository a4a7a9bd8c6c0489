import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { onTestFinished } from 'vitest';

/** Where a Postgres may be, the most wanted first: `DATABASE_URL`, then the default local ports and sockets. */
function places(): postgres.Options<Record<string, never>>[] {
  const url = process.env.DATABASE_URL;
  if (url) {
    const { hostname, port, username, password, searchParams } = new URL(url);
    const host = searchParams.get('host') ?? decodeURIComponent(hostname);
    return [
      {
        host,
        port: Number(port || searchParams.get('port') || 5432),
        username: decodeURIComponent(username),
        password: decodeURIComponent(password),
        ssl: searchParams.get('sslmode') === 'require' ? 'require' : undefined,
      },
    ];
  }
  const users = [...new Set(['postgres', process.env.USER ?? process.env.LOGNAME ?? 'root', 'root'])];
  const hosts = ['127.0.0.1', '/var/run/postgresql', '/tmp'];
  return hosts.flatMap((host) => users.map((username) => ({ host, port: 5432, username })));
}

async function reachable(place: postgres.Options<Record<string, never>>): Promise<boolean> {
  const sql = postgres({ ...place, database: 'postgres', max: 1, connect_timeout: 3, onnotice() {} });
  try {
    await sql`SELECT 1`;
    return true;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function findPostgres(): Promise<postgres.Options<Record<string, never>> | null> {
  for (const place of places()) if (await reachable(place)) return place;
  const remedy =
    'No Postgres found. Start one (`docker run --rm -p 5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres:15`, or `service postgresql start`) or set DATABASE_URL.';
  if (process.env.CI === 'true') throw new Error(remedy);
  console.warn(`\nSKIPPED: tests with Postgres. ${remedy}\n`);
  return null;
}

/** The Postgres of this machine, looked for once; null where there is none. With CI=true that is a failure instead. */
export const POSTGRES = await findPostgres();

/** A database of the test's own, dropped when the test ends. */
export async function openDatabase(): Promise<postgres.Sql> {
  return (await createDatabase()).sql;
}

/** The same, with its URL, as a program would be given it; dropped `atEnd`. */
export async function createDatabase(
  atEnd: (work: () => Promise<void>) => void = onTestFinished,
): Promise<{ sql: postgres.Sql; url: string; name: string }> {
  if (POSTGRES === null) throw new Error('There is no Postgres: skip this test.');
  const name = `strata_test_${randomBytes(6).toString('hex')}`;
  const admin = postgres({ ...POSTGRES, database: 'postgres', max: 1, onnotice() {} });
  await admin.unsafe(`CREATE DATABASE ${name}`);
  const sql = postgres({ ...POSTGRES, database: name, max: 2, onnotice() {} });
  atEnd(async () => {
    await sql.end({ timeout: 5 });
    await admin.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await admin.end({ timeout: 5 });
  });
  const { host, port, username, password } = POSTGRES;
  const url = new URL(`postgres:///${name}`);
  const parts = { host: String(host), port: String(port), user: String(username), password: String(password ?? '') };
  for (const [part, value] of Object.entries(parts)) if (value !== '') url.searchParams.set(part, value);
  return { sql, url: url.href, name };
}

/** Whether that server has pgvector; told where not, and not a failure: nothing needs it. */
async function findPgvector(): Promise<boolean> {
  if (POSTGRES === null) return false;
  const sql = postgres({ ...POSTGRES, database: 'postgres', max: 1, onnotice() {} });
  const found = await sql`SELECT FROM pg_available_extensions WHERE name = 'vector'`;
  await sql.end({ timeout: 5 });
  if (found.length === 0)
    console.warn('\nSKIPPED: tests with pgvector. The Postgres of this machine does not have it.\n');
  return found.length > 0;
}

export const PGVECTOR = await findPgvector();
