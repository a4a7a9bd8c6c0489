import postgres from 'postgres';

/** A server on which databases may be made: `DATABASE_URL`, else this machine's; null where there is none. */
export async function findPostgres(): Promise<string | null> {
  const usual = ['postgres://postgres@127.0.0.1:5432/postgres', 'postgres://root@127.0.0.1:5432/postgres'];
  for (const url of process.env.DATABASE_URL ? [process.env.DATABASE_URL] : usual)
    if (await asAdmin(url, 'SELECT 1').catch(() => null)) return url;
  return null;
}

export async function asAdmin(url: string, statement: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, connect_timeout: 3, onnotice() {} });
  try {
    await sql.unsafe(statement);
    return true;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
