import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Running, repeat, residentMegabytes, start, timed } from './measure.js';
import { generateNote, noteBody, queries } from './notes.js';

const PROGRAM = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-memory/dist/index.js');

/** The reference server on the work that it can do; it has no context, no dates and no ranking. */
export interface Reference {
  starts: number[];
  /** From the start of the process to its first answer: one note by name, the least that it can give. */
  firstAnswers: number[];
  /** Its whole graph, which is how it is told to remember. */
  load: number[];
  search: number[];
  read: number[];
  save: number[];
  idleMegabytes: number;
  warmMegabytes: number;
}

export interface PreparedReference {
  size: number;
  open(): Promise<Running>;
}

/** The same notes in its own file: one entity each, a paragraph per observation. */
export async function prepareReference(home: string, size: number): Promise<PreparedReference> {
  const path = join(home, 'memory.jsonl');
  const file = createWriteStream(path);
  for (let index = 0; index < size; index++) {
    const { title, body, project } = generateNote(index, size);
    const line = JSON.stringify({ type: 'entity', ...entity(title, body, index), entityType: project });
    if (!file.write(`${line}\n`)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
  return { size, open: () => start(PROGRAM, { MEMORY_FILE_PATH: path }) };
}

function entity(title: string, body: string, index: number) {
  return { name: `${title} ${index}`, entityType: 'session', observations: body.split('\n\n') };
}

export async function coldReference(prepared: PreparedReference, into: Reference): Promise<void> {
  const server = await prepared.open();
  const { ms } = await timed(() => server.call('open_nodes', { names: [`${generateNote(0, prepared.size).title} 0`] }));
  into.starts.push(server.startMs);
  into.firstAnswers.push(server.startMs + ms);
  await server.close();
}

export async function warmReference(prepared: PreparedReference, rounds: number, into: Reference): Promise<void> {
  const server = await prepared.open();
  await delay(1_500);
  into.idleMegabytes = residentMegabytes(server.pid);
  const asked = queries(rounds);
  // It looks for the query as one piece of text: a word is the most that it can find.
  const word = (index: number) => (asked[index % rounds] as string).split(' ').at(-1);
  into.save = await repeat(rounds, (index) => {
    const { title, body } = noteBody(5_000_000 + index);
    return server.call('create_entities', { entities: [entity(title, body, prepared.size + index)] });
  });
  into.search = await repeat(rounds, (index) => server.call('search_nodes', { query: word(index) }));
  into.read = await repeat(rounds, (index) => {
    const at = (index * 7_919) % prepared.size;
    return server.call('open_nodes', { names: [`${generateNote(at, prepared.size).title} ${at}`] });
  });
  into.load = await repeat(prepared.size > 1_000 ? 2 : 5, () => server.call('read_graph'));
  into.warmMegabytes = residentMegabytes(server.pid);
  await server.close();
}

export function noReference(): Reference {
  return {
    starts: [],
    firstAnswers: [],
    load: [],
    search: [],
    read: [],
    save: [],
    idleMegabytes: Number.NaN,
    warmMegabytes: Number.NaN,
  };
}
