import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import type postgres from 'postgres';
import { describe, expect, test } from 'vitest';
import { createSqliteDurable } from '../../src/tiers/durable-sqlite.js';
import { DURABLE_SCHEMA, DURABLE_VERSION, MIRROR_SCHEMA, MIRROR_VERSION } from '../../src/tiers/schema-sqlite.js';
import { tempFolder } from '../support/home.js';
import { openDatabase, POSTGRES } from '../support/postgres.js';

const SCHEMA = readFileSync(new URL('../../schema.sql', import.meta.url), 'utf8');

/** A column as both databases can say it: what kind of value, and whether it may be missing. */
interface Column {
  kind: string;
  nullable: boolean;
}
type Tables = Record<string, Record<string, Column>>;

function sqliteTables(schema: string): Tables {
  const database = new Database(':memory:');
  database.exec(schema);
  const names = database
    .prepare(`SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'view', 'virtual')`)
    .all([]) as { name: string }[];
  const tables: Tables = {};
  for (const { name } of names) {
    if (name.startsWith('sqlite_')) continue;
    const columns = database.prepare(`SELECT name, type, "notnull", pk FROM pragma_table_info('${name}')`).all([]) as {
      name: string;
      type: string;
      notnull: number;
      pk: number;
    }[];
    tables[name] = Object.fromEntries(
      columns.map((column) => [column.name, { kind: column.type, nullable: column.notnull === 0 && column.pk === 0 }]),
    );
  }
  database.close();
  return tables;
}

const KINDS: Record<string, string> = {
  text: 'TEXT',
  jsonb: 'TEXT',
  bigint: 'INTEGER',
  integer: 'INTEGER',
  'double precision': 'REAL',
  bytea: 'BLOB',
};

async function postgresTables(sql: postgres.Sql, schema: string): Promise<Tables> {
  const rows = await sql`
    SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = ${schema}`;
  const tables: Tables = {};
  for (const row of rows) {
    tables[row.table_name] ??= {};
    (tables[row.table_name] as Record<string, Column>)[row.column_name] = {
      kind: KINDS[row.data_type] ?? row.data_type,
      nullable: row.is_nullable === 'YES',
    };
  }
  return tables;
}

async function applied(): Promise<postgres.Sql> {
  const sql = await openDatabase();
  await sql.unsafe(SCHEMA);
  return sql;
}

describe.skipIf(POSTGRES === null)('schema.sql', () => {
  test('may be applied twice, by two at once, and keeps what is there', async () => {
    const sql = await openDatabase();
    await Promise.all([sql.unsafe(SCHEMA), sql.unsafe(SCHEMA)]);
    await sql`INSERT INTO strata_durable.metrics VALUES (1, 'o', 'kept', '', 2)`;
    await sql.unsafe(SCHEMA);
    expect(await sql`SELECT name, value FROM strata_durable.metrics`).toEqual([{ name: 'kept', value: 2 }]);
  });

  test('has the tables and columns of the SQLite schema, and no others', async () => {
    const sql = await applied();
    const mirror = await postgresTables(sql, 'strata_mirror');
    expect(mirror).toEqual(sqliteTables(MIRROR_SCHEMA));
    expect(await postgresTables(sql, 'strata_durable')).toEqual(sqliteTables(DURABLE_SCHEMA));
  });

  test('has the indexes of the SQLite schema', async () => {
    const sql = await applied();
    const rows =
      await sql`SELECT indexname, indexdef FROM pg_indexes WHERE schemaname IN ('strata_mirror', 'strata_durable')`;
    const named = (schema: string) => [...schema.matchAll(/CREATE (?:UNIQUE )?INDEX (\w+)/g)].map((match) => match[1]);
    const have = rows.map((row) => row.indexname as string);
    expect(have).toEqual(expect.arrayContaining([...named(MIRROR_SCHEMA), ...named(DURABLE_SCHEMA)]));
    const definition = (name: string) => String(rows.find((row) => row.indexname === name)?.indexdef);
    expect(definition('documents_live')).toMatch(/^CREATE UNIQUE INDEX .* WHERE \(live = 1\)$/);
  });

  test('one live document per path; its search rows go with it', async () => {
    const sql = await applied();
    const add = (blob: string) => sql`
      INSERT INTO strata_mirror.documents (origin, path, blob, live, id, kind, project, title, time_ms, tags, digest, author, client,
        privacy, priority, status, parent, bytes, reason, save_key, body_hash, indexed, content)
      VALUES ('o', 'a.md', ${blob}, 1, 'a', 'note', 'p', 't', 0, '', '{"summary":""}', '', '', 'TEAM', '', '', '', 1, NULL, '', '', 1, '\\x00ff')
      RETURNING doc, content, digest`;
    const [row] = await add('one');
    expect(row?.content).toEqual(Buffer.from([0, 255]));
    expect(row?.digest).toEqual({ summary: '' });
    await sql`INSERT INTO strata_mirror.documents_search VALUES (${row?.doc}, 'o', '{}', '', '')`;
    await sql`INSERT INTO strata_mirror.documents_tail VALUES (${row?.doc}, 'o', '', '')`;
    await expect(add('two')).rejects.toThrow(/documents_live/);
    await sql`DELETE FROM strata_mirror.documents`;
    expect(await sql`SELECT * FROM strata_mirror.documents_search`).toEqual([]);
    expect(await sql`SELECT * FROM strata_mirror.documents_tail`).toEqual([]);
  });

  test('the audit log takes rows and gives none back', async () => {
    const sql = await applied();
    const add = () =>
      sql`INSERT INTO strata_durable.audit (at_ms, origin, subject, client, action, target) VALUES (1, 'o', 's', 'c', 'save', 't')`;
    await add();
    for (const change of [
      `UPDATE strata_durable.audit SET subject = 'nobody'`,
      `DELETE FROM strata_durable.audit`,
      `TRUNCATE strata_durable.audit`,
      `INSERT INTO strata_durable.audit OVERRIDING SYSTEM VALUE VALUES (1, 2, 'o', 'x', 'c', 'save', 't', NULL) ON CONFLICT (entry) DO UPDATE SET subject = 'x'`,
    ]) {
      await expect(sql.unsafe(change), change).rejects.toThrow(/append-only/);
    }
    await add();
    expect(await sql`SELECT subject FROM strata_durable.audit`).toEqual([{ subject: 's' }, { subject: 's' }]);
  });

  test('says its version, and does not go over a newer one', async () => {
    const sql = await applied();
    const version = async (schema: string) =>
      (await sql`SELECT obj_description(to_regnamespace(${schema})::oid, 'pg_namespace') AS text`)[0]?.text;
    expect(await version('strata_mirror')).toMatch(new RegExp(`version ${MIRROR_VERSION}$`));
    expect(await version('strata_durable')).toMatch(new RegExp(`version ${DURABLE_VERSION}$`));
    await sql.unsafe(`COMMENT ON SCHEMA strata_durable IS 'version 99'`);
    await expect(sql.unsafe(SCHEMA)).rejects.toThrow(/newer strata-memory \(version 99/);
    expect(await version('strata_durable')).toBe('version 99');
  });

  test('needs no superuser and no extension', async () => {
    const sql = await openDatabase();
    const [database] = await sql`SELECT current_database() AS name`;
    const role = `role_${database?.name}`;
    await sql.unsafe(`CREATE ROLE ${role} NOSUPERUSER; GRANT CREATE ON DATABASE ${database?.name} TO ${role}`);
    try {
      await sql.unsafe(`SET ROLE ${role}; ${SCHEMA}
 RESET ROLE`);
      expect(await sql`SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'`).toEqual([]);
      expect(Object.keys(await postgresTables(sql, 'strata_mirror'))).toContain('documents');
    } finally {
      await sql.unsafe(`RESET ROLE; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});

test('the audit log in SQLite takes rows and gives none back', async () => {
  const path = join(tempFolder(), 'durable.db');
  const durable = createSqliteDurable(path);
  const row = { origin: 'o', subject: 's', client: 'c', action: 'save', target: 't' };
  await durable.audit(row);
  const database = new Database(path);
  for (const change of [
    `UPDATE audit SET subject = 'nobody'`,
    `DELETE FROM audit`,
    `DELETE FROM audit WHERE entry = 1`,
    `REPLACE INTO audit VALUES (1, 2, 'o', 'nobody', 'c', 'save', 't', NULL)`,
    `INSERT INTO audit VALUES (1, 2, 'o', 'x', 'c', 'save', 't', NULL) ON CONFLICT (entry) DO UPDATE SET subject = 'x'`,
  ]) {
    expect(() => database.exec(change), change).toThrow(/append-only/);
  }
  await durable.audit(row);
  expect(database.prepare('SELECT entry, subject FROM audit').all([])).toEqual([
    { entry: 1, subject: 's' },
    { entry: 2, subject: 's' },
  ]);
  database.close();
  await durable.close();
});
