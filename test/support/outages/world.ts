import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer, type TestServer } from '../server.js';
import { type AtEnd, type Component, githubComponent, postgresComponent } from './components.js';

/** As short as a machine under load allows; each is twice the one before, so that it can be told which one was waited for. */
export const DEADLINES = { mirror: 1_000, read: 2_500, save: 5_000 };

export const COMPONENTS = ['GitHub', 'Postgres'] as const;
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
  const [github, postgres] = await Promise.all([githubComponent(atEnd), postgresComponent(atEnd)]);
  const components: Record<ComponentName, Component> = { GitHub: github, Postgres: postgres };
  const all = Object.values(components);
  const folder = mkdtempSync(join(tmpdir(), 'strata-outage-'));
  atEnd(async () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }));

  async function start(name: string, project: string): Promise<Instance> {
    const server = await startServer({
      MEMORY_HOME: join(folder, name),
      MEMORY_PROJECT: project,
      MEMORY_MIRROR_DEADLINE: `${DEADLINES.mirror}ms`,
      MEMORY_READ_DEADLINE: `${DEADLINES.read}ms`,
      MEMORY_SAVE_DEADLINE: `${DEADLINES.save}ms`,
      ...Object.assign({}, ...all.map(({ environment }) => environment)),
    });
    atEnd(() => server.close());
    return { server, ask: (tool, args = {}) => asked(server, tool, args) };
  }

  return {
    components,
    github: github.github,
    start,
    neighbour: await start('neighbour', 'outage/neighbour'),
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
