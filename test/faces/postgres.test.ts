import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { tempFolder } from '../support/home.js';
import { createDatabase, POSTGRES } from '../support/postgres.js';
import { BINARIES, startPostgres } from '../support/private-postgres.js';
import { bareRepository, receiptOf } from '../support/repository.js';
import { distMain, serverEnvironment, startServer } from '../support/server.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

async function serverOn(environment: Record<string, string>) {
  const server = await startServer({ MEMORY_HOME: tempFolder(), ...environment });
  onTestFinished(() => server.close());
  return server;
}

const draft = (title: string, content: string) => ({ title, content, project: 'test/project' });

describe.skipIf(POSTGRES === null)('the program on Postgres', () => {
  test('makes its schema from an installed package, and shows no secret', async () => {
    const { url, sql } = await createDatabase();
    const folder = join(tempFolder(), 'node_modules', 'strata-memory');
    mkdirSync(folder, { recursive: true });
    for (const each of ['dist', 'schema.sql', 'package.json'])
      cpSync(join(ROOT, each), join(folder, each), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const secret = new URL(url);
    secret.searchParams.set('sslkey', 'hunter2secret');
    const shown = execFileSync(process.execPath, [join(folder, 'dist', 'main.js'), 'doctor', '--json'], {
      encoding: 'utf8',
      env: serverEnvironment({ MEMORY_HOME: tempFolder(), DATABASE_URL: secret.href }),
    });
    expect(shown).not.toContain('hunter2secret');
    const { checks, settings } = JSON.parse(shown);
    expect(checks.filter((check: { ok: boolean }) => !check.ok)).toEqual([]);
    expect(settings).toContainEqual(expect.objectContaining({ name: 'DATABASE_URL', source: 'environment' }));
    expect(await sql`SELECT origin FROM strata_mirror.state`).toHaveLength(1);
    expect(dirname(distMain)).toBe(join(ROOT, 'dist'));
  });

  test('what one instance saved, another reads at once, without asking the origin', async () => {
    const { url } = await createDatabase();
    const environment = { MEMORY_REPO: bareRepository(), DATABASE_URL: url };
    const [one, two] = [await serverOn(environment), await serverOn(environment)];
    const receipts = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        (i % 2 === 0 ? one : two).call('save_session', draft(`Session ${i}`, `The walrus number ${i} decided.`)),
      ),
    );
    for (const text of receipts) {
      const { id, saved } = receiptOf(text);
      expect(saved, text).toBe(true);
      for (const each of [one, two])
        expect(await each.call('read_memory', { id, consistency: 'fast' })).toContain('walrus');
    }
    const found = await two.call('search_memory', { query: 'walrus', consistency: 'fast', limit: 10 });
    for (const text of receipts) expect(found).toContain(receiptOf(text).id);
  });
});

describe.skipIf(BINARIES === null)('the program while Postgres fails', () => {
  test('goes on from the origin, says so without a secret, and is back when Postgres is', async () => {
    const postgres = await startPostgres();
    const server = await serverOn({ MEMORY_REPO: bareRepository(), DATABASE_URL: postgres.url() });
    const first = receiptOf(await server.call('save_session', draft('Before', 'The zebra stood there.')));
    await postgres.stop('SIGQUIT');
    const read = await server.call('read_memory', { id: first.id });
    expect(read).toContain('zebra');
    expect(read).toMatch(/skipped|cannot be reached/);
    const during = await server.call('save_session', draft('During', 'The yak came too.'));
    expect(receiptOf(during).saved).toBe(true);
    expect(`${read} ${during} ${server.stderr()}`).not.toContain(postgres.password);
    await postgres.start();
    const after = await server.call('read_memory', { id: receiptOf(during).id, consistency: 'verified' });
    expect(after).toContain('yak');
    expect(after).not.toMatch(/skipped/);
  });
});
