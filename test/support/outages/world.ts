import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer, type TestServer } from '../server.js';
import { type AtEnd, type Component, githubComponent, postgresComponent, redisComponent } from './components.js';

export type Deadlines = Record<'mirror' | 'read' | 'save', number>;

/** For what never answers, and so need not be waited for; and for what answers, on a machine under whatever load. */
const SHORT: Deadlines = { mirror: 800, read: 1_500, save: 4_000 };
const LONG: Deadlines = { mirror: 8_000, read: 15_000, save: 25_000 };
/** For what hangs, and answers later. */
const MIDDLE: Deadlines = { mirror: 3_000, read: 5_000, save: 5_000 };

/** The deadlines of a server, in ms: `broken` are waited for briefly, or (`returns`) not too long. */
export function deadlinesFor(broken: ComponentName[], returns: boolean): Deadlines {
  const less = returns ? MIDDLE : SHORT;
  return {
    mirror: broken.includes('Postgres') ? less.mirror : LONG.mirror,
    read: broken.includes('GitHub') ? less.read : LONG.read,
    save: broken.includes('GitHub') ? less.save : LONG.save,
  };
}

export const COMPONENTS = ['GitHub', 'Postgres', 'Redis'] as const;
export type ComponentName = (typeof COMPONENTS)[number];

export interface Told {
  text: string;
  isError: boolean;
  tookMs: number;
}

/** A server as a child process, and what it said. */
export interface Instance {
  server: TestServer;
  ask(tool: string, args?: Record<string, unknown>): Promise<Told>;
}

/** All that a memory needs, private to a few tests, and a second server that shares it. */
export async function startWorld(atEnd: AtEnd) {
  const [github, postgres, redis] = await Promise.all([
    githubComponent(atEnd),
    postgresComponent(atEnd),
    redisComponent(atEnd),
  ]);
  const components: Record<ComponentName, Component> = { GitHub: github, Postgres: postgres, Redis: redis };
  const all = Object.values(components);
  const folder = mkdtempSync(join(tmpdir(), 'strata-outage-'));
  atEnd(async () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }));

  async function start(name: string, project: string, deadlines: Deadlines, cached: boolean): Promise<Instance> {
    const server = await startServer({
      MEMORY_HOME: join(folder, name),
      MEMORY_PROJECT: project,
      MEMORY_LOG: 'debug',
      MEMORY_MIRROR_DEADLINE: `${deadlines.mirror}ms`,
      MEMORY_READ_DEADLINE: `${deadlines.read}ms`,
      MEMORY_SAVE_DEADLINE: `${deadlines.save}ms`,
      ...github.environment,
      ...postgres.environment,
      ...(cached ? redis.environment : {}),
    });
    atEnd(() => server.close());
    return { server, ask: (tool, args = {}) => asked(server, tool, args) };
  }

  return {
    components,
    github: github.github,
    start,
    neighbour: await start('neighbour', 'outage/neighbour', MIDDLE, true),
    /** What must not be in any log or answer. */
    secrets: all.flatMap(({ secrets }) => secrets),
    /** The head was confirmed some minutes ago, which is too long for a `fresh` read. */
    age: () => postgres.sql`UPDATE strata_mirror.state SET confirmed_at_ms = confirmed_at_ms - 120000`,
    mend: () => Promise.all(all.map((each) => each.mend())),
  };
}

export type World = Awaited<ReturnType<typeof startWorld>>;

async function asked({ client }: TestServer, tool: string, args: Record<string, unknown>): Promise<Told> {
  const began = performance.now();
  const result = await client.callTool({ name: tool, arguments: args }, undefined, { timeout: 120_000 });
  const parts = result.content as { type: string; text?: string }[];
  return {
    text: parts.map(({ text }) => text ?? '').join(''),
    isError: result.isError === true,
    tookMs: performance.now() - began,
  };
}
