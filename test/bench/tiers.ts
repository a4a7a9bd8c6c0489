import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { median, percentile, type Running, repeat, start, timed } from './measure.js';
import { generateNote, noteBody, PROJECTS, queries } from './notes.js';
import { PROGRAM } from './ours.js';
import { asAdmin, findPostgres } from './postgres.js';
import { makeRepository } from './repository.js';

/** How many ask at once, through how many server processes, for how long. */
const CLIENTS = 64;
const SERVERS = 4;

interface Variant {
  name: string;
  environment: Record<string, string>;
}

/** Every tier on the same notes, side by side; those whose server is not to be had are named and left out. */
export async function measureTiers(folder: string, size: number, rounds: number, loadSeconds: number): Promise<string> {
  const repository = join(folder, 'notes.git');
  await makeRepository(repository, size);
  const url = await findPostgres();
  const redis = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
  const databases: string[] = [];
  const database = async (): Promise<Record<string, string>> => {
    const name = `strata_bench_${process.pid}_${databases.push('')}`;
    databases[databases.length - 1] = name;
    await asAdmin(url as string, `CREATE DATABASE ${name}`);
    const own = new URL(url as string);
    own.pathname = `/${name}`;
    return { DATABASE_URL: own.href };
  };
  const variants: Variant[] = [
    { name: 'SQLite', environment: {} },
    { name: 'SQLite + Redis', environment: { REDIS_URL: redis } },
  ];
  const lines = [HEAD];
  try {
    if (url === null) lines.push('Postgres: none found (set DATABASE_URL)');
    else
      variants.push(
        { name: 'Postgres', environment: await database() },
        { name: 'Postgres + Redis', environment: { ...(await database()), REDIS_URL: redis } },
      );
    const answers = new Map<string, string>();
    for (const variant of variants)
      lines.push(await row(variant, join(folder, variant.name), { repository, size, rounds, loadSeconds, answers }));
    const different = new Set(answers.values()).size;
    lines.push(different === 1 ? 'The same list from each.' : `LISTS DIFFER: ${different} kinds`);
  } finally {
    for (const name of databases) await asAdmin(url as string, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }
  return lines.join('\n');
}

const HEAD = [
  'tier               rebuild, s',
  'read p50   p95',
  'list p50   p95',
  'load p50   p95',
  'search p50   p95',
  'save p50   p95',
  `${CLIENTS} at once: calls/s   p50    p99  errors`,
].join('   ');

interface Options {
  repository: string;
  size: number;
  rounds: number;
  loadSeconds: number;
  answers: Map<string, string>;
}

async function row({ name, environment }: Variant, home: string, options: Options): Promise<string> {
  const { repository, size, rounds, loadSeconds, answers } = options;
  mkdirSync(home, { recursive: true });
  const open = () =>
    start(PROGRAM, {
      MEMORY_HOME: home,
      MEMORY_REPO: repository,
      MEMORY_PROJECT: PROJECTS[0] as string,
      MEMORY_LOG: 'error',
      ...environment,
    });
  const server = await open();
  const { ms } = await timed(() => server.call('sync_now'));
  const seed = answers.size;
  const ask = callsOf(server, size, rounds, seed);
  const cells = [`${name.padEnd(18)} ${(ms / 1000).toFixed(1).padStart(10)}`];
  // Those that were there before anybody saved.
  const before = new Date(Date.now() - 86_400_000).toISOString();
  answers.set(name, (await server.call('list_sessions', { limit: 100, before })).split('\n').slice(0, -1).join('\n'));
  for (const each of ['read', 'list', 'load', 'search', 'save'] as const) {
    await repeat(3, (index) => ask[each](rounds + index));
    const times = await repeat(rounds, ask[each]);
    cells.push(`${shown(median(times), 8)} ${shown(percentile(times, 0.95), 5)}`);
  }
  await server.close();
  cells.push(await underLoad(open, size, loadSeconds, seed));
  return cells.join('   ');
}

function callsOf(server: Running, size: number, rounds: number, seed: number) {
  const asked = queries(rounds);
  const project = (index: number) => PROJECTS[index % PROJECTS.length] as string;
  const id = (index: number) => generateNote((index * 7_919) % size, size).path.replace(/\.md$/, '');
  return {
    read: (index: number) => server.call('read_memory', { id: id(index) }),
    list: (index: number) => server.call('list_sessions', { project: project(index) }),
    load: (index: number) => server.call('load_context', { project: project(index) }),
    search: (index: number) => server.call('search_memory', { query: asked[index % rounds] }),
    save: (index: number) => {
      // All share one repository: what one tier has saved would be "already saved" for the next.
      const { title, body } = noteBody(7_000_000 + seed * 1_000_000 + index);
      return server.call('save_session', { title, content: body, project: project(index) });
    },
  };
}

/** Clients that ask again as soon as they are answered: mostly reads, a search in five, a save in fifty. */
async function underLoad(open: () => Promise<Running>, size: number, seconds: number, seed: number): Promise<string> {
  const servers = await Promise.all(Array.from({ length: SERVERS }, open));
  const times: number[] = [];
  let errors = 0;
  const until = performance.now() + seconds * 1_000;
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      const ask = callsOf(servers[client % SERVERS] as Running, size, 200, seed);
      for (let index = client * 1_000; performance.now() < until; index++) {
        const work = index % 50 === 0 ? ask.save : index % 5 === 0 ? ask.search : index % 5 === 1 ? ask.load : ask.read;
        try {
          times.push((await timed(() => work(index))).ms);
        } catch {
          errors++;
        }
      }
    }),
  );
  await Promise.all(servers.map((each) => each.close()));
  return [
    (times.length / seconds).toFixed(0).padStart(20),
    shown(percentile(times, 0.5), 6),
    shown(percentile(times, 0.99), 6),
    String(errors).padStart(7),
  ].join(' ');
}

const shown = (value: number, width: number) =>
  (value >= 100 ? String(Math.round(value)) : value.toFixed(1)).padStart(width);
