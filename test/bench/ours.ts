import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Running, repeat, residentMegabytes, start, timed } from './measure.js';
import { generateNote, noteBody, PROJECTS, queries } from './notes.js';
import { makeRepository } from './repository.js';

export const PROGRAM = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface Ours {
  syncMs: number;
  starts: number[];
  /** The first `load_context` of a process, asked for as soon as it answers; and from the start of the process. */
  firstLoads: number[];
  firstAnswers: number[];
  load: number[];
  search: number[];
  read: number[];
  save: number[];
  list: number[];
  idleMegabytes: number;
  warmMegabytes: number;
}

export interface Prepared {
  size: number;
  open(): Promise<Running>;
  syncMs: number;
}

/** A memory of `size` sessions under `home`, brought from its repository to an empty mirror. */
export async function prepareOurs(home: string, size: number): Promise<Prepared> {
  await makeRepository(join(home, 'origin.git'), size);
  const open = () => start(PROGRAM, { MEMORY_HOME: home, MEMORY_PROJECT: PROJECTS[0] as string, MEMORY_LOG: 'error' });
  const server = await open();
  const { ms } = await timed(() => server.call('sync_now'));
  await server.close();
  return { size, open, syncMs: ms };
}

/** One cold process up to its first answer. */
export async function coldStart(prepared: Prepared, into: Ours): Promise<void> {
  const server = await prepared.open();
  const { ms } = await timed(() => server.call('load_context'));
  into.starts.push(server.startMs);
  into.firstLoads.push(ms);
  into.firstAnswers.push(server.startMs + ms);
  await server.close();
}

export async function warmCalls(prepared: Prepared, rounds: number, into: Ours): Promise<void> {
  const server = await prepared.open();
  // Idle is a server that a client has started and left alone: whatever it does by itself has been done.
  await delay(1_500);
  into.idleMegabytes = residentMegabytes(server.pid);
  const note = (index: number) => generateNote((index * 7_919) % prepared.size, prepared.size);
  const asked = queries(rounds);
  const project = (index: number) => PROJECTS[index % PROJECTS.length] as string;
  const work: Record<'load' | 'search' | 'read' | 'list' | 'save', (index: number) => Promise<unknown>> = {
    load: (index) => server.call('load_context', { project: project(index) }),
    search: (index) =>
      server.call('search_memory', {
        query: asked[index % rounds],
        ...(index % 3 === 0 ? { project: project(index) } : {}),
      }),
    read: (index) => server.call('read_memory', { id: note(index).path.replace(/\.md$/, '') }),
    list: (index) => server.call('list_sessions', index % 2 === 0 ? { project: project(index) } : {}),
    save: (index) => {
      const { title, body } = noteBody(5_000_000 + index);
      return server.call('save_session', { title, content: body, project: project(index) });
    },
  };
  for (const name of ['load', 'search', 'read', 'list', 'save'] as const) {
    await repeat(3, (index) => work[name](rounds + index));
    into[name] = await repeat(rounds, work[name]);
  }
  // Reading after a save is the everyday mix: its cost belongs to load.
  into.load.push(...(await repeat(rounds, work.load)));
  into.warmMegabytes = residentMegabytes(server.pid);
  await server.close();
}

export function noOurs(syncMs: number): Ours {
  return {
    syncMs,
    starts: [],
    firstLoads: [],
    firstAnswers: [],
    load: [],
    search: [],
    read: [],
    save: [],
    list: [],
    idleMegabytes: Number.NaN,
    warmMegabytes: Number.NaN,
  };
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}
