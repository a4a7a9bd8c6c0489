import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { median, percentile, repeat, start, timed } from './measure.js';
import { generateNote, noteBody } from './notes.js';
import { PROGRAM } from './ours.js';
import { asAdmin, findPostgres } from './postgres.js';
import { makeRepository } from './repository.js';

const PARENT = 'acme/monorepo';
const SUBMODULES = Array.from({ length: 100 }, (_, n) => `acme/module-${n}`);

/** What the context of one of a hundred submodules costs: on each mirror, warm, and with a save before each call. */
export async function measureSubmodules(folder: string, size: number, rounds: number): Promise<string> {
  const url = await findPostgres();
  const database = `strata_bench_submodules_${process.pid}`;
  const lines = [
    `${size} notes in ${SUBMODULES.length} submodules, ms   first: p50    p95   again: p50    p95   after a save: p50    p95   list_projects: p50    p95`,
  ];
  try {
    const own = new URL(url ?? 'postgres://localhost');
    own.pathname = `/${database}`;
    if (url) await asAdmin(url, `CREATE DATABASE ${database}`);
    const mirrors = [['SQLite', {}], ...(url ? [['Postgres', { DATABASE_URL: own.href }]] : [])] as const;
    for (const [name, environment] of mirrors) {
      const home = join(folder, name as string);
      mkdirSync(home, { recursive: true });
      await makeRepository(join(home, 'origin.git'), size, (index) =>
        generateNote(index, size, { projects: SUBMODULES, parent: PARENT }),
      );
      lines.push(await row(name as string, { MEMORY_HOME: home, ...(environment as object) }, rounds));
    }
    if (!url) lines.push('Postgres: none found (set DATABASE_URL)');
  } finally {
    if (url) await asAdmin(url, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
  }
  return lines.join('\n');
}

async function row(name: string, environment: Record<string, string>, rounds: number): Promise<string> {
  const quiet = { MEMORY_PROJECT: PARENT, MEMORY_LOG: 'error', MEMORY_EMBEDDINGS: 'off' };
  const server = await start(PROGRAM, { ...quiet, ...environment });
  await server.call('sync_now');
  const project = (index: number) => SUBMODULES[(index * 37) % SUBMODULES.length] as string;
  const load = (index: number) => server.call('load_context', { project: project(index) });
  await repeat(5, (index) => server.call('load_context', { project: PARENT, max_tokens: 600 + index }));
  const first = await repeat(SUBMODULES.length, load);
  const again = await repeat(rounds, load);
  const saved = await repeat(Math.ceil(rounds / 2), async () => {});
  for (const index of saved.keys()) {
    const { title, body } = noteBody(8_000_000 + index);
    await server.call('save_session', { title, content: body, project: project(index) });
    saved[index] = (await timed(() => load(index))).ms;
  }
  const listed = await repeat(Math.ceil(rounds / 2), () => server.call('list_projects'));
  await server.close();
  const cells = [first, again, saved, listed].flatMap((times) => [median(times), percentile(times, 0.95)]);
  return `${name.padEnd(36)}${cells.map((each) => each.toFixed(1).padStart(9)).join('')}`;
}
