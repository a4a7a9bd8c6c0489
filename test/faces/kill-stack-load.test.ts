import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { everWritten, receiptOf, synced, until } from '../support/outbox.js';
import { listed, type Mortal, openStack, STACK, type Stack, startMortal } from '../support/stack.js';

const KILLS = Number(process.env.STRATA_KILLS ?? 20);
const CLIENTS = 4;
/** A server dies before it has given so many. */
const ANSWERS = 12;

/** One version of a note that somebody wanted to be kept. */
interface Wanted {
  /** Stands in this version alone. */
  line: string;
  title: string;
  /** Undefined: a new note. */
  edits?: string;
  machine: number;
  /** Nobody said what became of it, or a receipt did. */
  receipt?: { status: string; id: string; blob: string };
  /** Every machine's reads have to find it: the mirror did when it was acknowledged. */
  mirrored?: boolean;
  /** It was asked for twice. */
  again?: boolean;
}

/** A machine whose server dies from time to time, and is started again with the same home. */
interface Machine {
  server: Mortal;
  /** By this server. */
  answers: number;
  environment: Record<string, string>;
}

/** What all clients know of, and what went wrong on servers that lived. */
interface Load {
  machines: Machine[];
  wanted: Wanted[];
  complaints: string[];
  /** Receipts whose note the other machine gave at once. */
  seen: number;
  over: boolean;
}

const pick = <T>(from: T[]): T | undefined => from[Math.floor(Math.random() * from.length)];

test.skipIf(!STACK)(
  `${KILLS} kills at random moments while ${CLIENTS} clients save, edit, read and sync on two machines`,
  async () => {
    const stack = await openStack(onTestFinished);
    const machines = await Promise.all(
      ['one', 'two'].map(async (name) => {
        const environment = { ...stack.environment(name), MEMORY_SAVE_DEADLINE: '4s' };
        return { environment, answers: 0, server: await startMortal(environment) };
      }),
    );
    onTestFinished(async () => {
      await Promise.all(machines.map(({ server }) => server.close()));
    });
    const load: Load = { machines, wanted: [], complaints: [], seen: 0, over: false };
    const clients = Array.from({ length: CLIENTS }, (_, at) => client(load, at % 2, at));
    await Promise.all(machines.map((machine) => killAgainAndAgain(machine, KILLS / 2, stack)));
    load.over = true;
    await Promise.all(clients);
    stack.github.clearFaults();
    expect(load.complaints).toEqual([]);

    const acknowledged = load.wanted.filter(({ receipt }) => receipt).length;
    // Who got no answer to a new note asks again, where it was asked before: that must not make a second one. Where the
    // origin cannot be asked nobody can tell that it is there already: first it answers again.
    await settled(load, stack);
    for (const each of load.wanted.filter(({ receipt, edits }) => !receipt && edits === undefined)) {
      each.receipt = receiptOf(await saved(load, each));
      each.again = true;
    }
    await settled(load, stack);
    await allIsThere(load, stack);
    expect(load.seen).toBeGreaterThan(0);
    expect(acknowledged).toBeGreaterThan(CLIENTS);
  },
  180_000,
);

async function killAgainAndAgain(machine: Machine, kills: number, { github }: Stack): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    // Some kills hit the settling of a commit whose answer was lost, or saves that wait while nothing gets through.
    const weather = kill % 5;
    if (weather === 2)
      github.fault({ kind: 'drop-after', times: 1, match: ({ graphql }) => graphql?.operation === 'mutation' });
    if (weather === 4) github.fault({ kind: 'status', status: 502, times: 12 });
    // In the middle of work, however fast this machine is; and not never, while nothing gets through.
    const after = Math.floor(Math.random() * ANSWERS);
    const end = performance.now() + 3_000;
    while (machine.answers < after && performance.now() < end) await delay(5);
    await delay(Math.random() * 200);
    process.kill(machine.server.pid, 'SIGKILL');
    await machine.server.gone;
    const server = await startMortal(machine.environment);
    Object.assign(machine, { server, answers: 0 });
  }
}

async function client(load: Load, machine: number, at: number): Promise<void> {
  for (let round = 0; !load.over; round++) {
    const dice = Math.random();
    const known = pick(load.wanted.filter(({ receipt }) => receipt));
    if (dice < 0.5 || !known) await saveNew(load, machine, `c${at}-r${round}`);
    else if (dice < 0.7) await edit(load, machine, `c${at}-r${round}`, known);
    else if (dice < 0.8) await readKnown(load, machine, known);
    else if (dice < 0.9) await ask(load, machine, 'load_context', {});
    else await ask(load, machine, 'sync_now', {});
  }
}

/** Undefined where the server died, or where the call may fail. */
async function ask(load: Load, machine: number, tool: string, args: Record<string, unknown>, may = /^$/) {
  const asked = load.machines[machine] as Machine;
  const { server } = asked;
  try {
    const text = await server.call(tool, args);
    asked.answers++;
    return text;
  } catch (error) {
    const text = String(error);
    if (text.includes(`${tool} failed: `)) {
      // What GitHub does not take or tell is said; nothing else may go wrong.
      const weather = tool === 'sync_now' || tool === 'save_session' ? /GitHub|origin/ : /^$/;
      if (!may.test(text) && !weather.test(text)) load.complaints.push(`${JSON.stringify(args)}: ${text}`);
    } else {
      // Killed: until there is one again nobody can ask.
      await server.gone;
      await until(
        () => asked.server,
        (now) => now !== server,
      );
    }
    return undefined;
  }
}

const saved = (load: Load, { machine, title, line }: Wanted) =>
  (load.machines[machine] as Machine).server.call('save_session', { title, content: line });

async function saveNew(load: Load, machine: number, title: string): Promise<void> {
  const wanted: Wanted = { line: `The line of ${title}.`, title, machine };
  load.wanted.push(wanted);
  const text = await ask(load, machine, 'save_session', { title, content: wanted.line });
  if (text === undefined) return;
  const receipt = receiptOf(text);
  // On the other machine at once, whatever the weather: the mirror has it.
  if (text.includes('origin saved, mirror saved')) {
    wanted.mirrored = true;
    const read = await ask(load, 1 - machine, 'read_memory', { id: receipt.id });
    if (read !== undefined && !read.includes(wanted.line)) load.complaints.push(`not there: ${read}`);
    if (read !== undefined) load.seen++;
  }
  wanted.receipt = receipt;
}

/** What waits on one machine is not known on the other. */
async function readKnown(load: Load, machine: number, { receipt, mirrored }: Wanted): Promise<void> {
  await ask(load, machine, 'read_memory', { id: receipt?.id }, mirrored ? /^$/ : /There is no note/);
}

async function edit(load: Load, machine: number, name: string, { title, receipt }: Wanted): Promise<void> {
  const wanted: Wanted = { line: `The edit of ${name}.`, title, edits: receipt?.id, machine };
  load.wanted.push(wanted);
  const args = { title, content: wanted.line, id: receipt?.id, replaces: receipt?.blob };
  // Who edits what somebody else has edited is told so. What waits on the other machine is not known here.
  const text = await ask(load, machine, 'save_session', args, /has changed|There is no note|no such note/);
  if (text !== undefined) wanted.receipt = receiptOf(text);
}

/** Nothing waits any more: neither in an outbox, nor in doubt. */
async function settled({ machines }: Load, stack: Stack): Promise<void> {
  for (const { server } of machines) {
    await until(
      () => synced(server).then(() => server.call('memory_status')),
      (status) => !/waiting for the origin|to be settled/.test(status),
      40_000,
    );
  }
  // Doubts of the dead go with the first look after their deadline.
  for (const { server } of machines)
    await until(
      () => synced(server).then(() => stack.doubts()),
      (doubts) => doubts === 0,
      30_000,
    );
}

async function allIsThere({ machines, wanted }: Load, { github }: Stack): Promise<void> {
  const servers = machines.map(({ server }) => server);
  const lost: string[] = [];
  for (const server of servers) {
    const status = await server.call('memory_status');
    const names = [...status.matchAll(/^(conflicts\/\d+): /gm)].map(([, name]) => name as string);
    expect(names.length).toBe(Number(/(\d+) queued edits lost/.exec(status)?.[1] ?? 0));
    expect(status).toContain('No alerts.');
    for (const id of names) lost.push(await server.call('read_memory', { id }));
  }
  const { versions, merges } = await everWritten(github);
  const found = wanted.map(({ line, receipt, edits, again }) => {
    const times = [...versions, ...lost].filter((text) => text.includes(line)).length;
    // An edit that nobody answered may or may not have come through.
    return { line, receipt, edits, again, times: receipt ? times : Math.max(1, times) };
  });
  expect(found.filter(({ times }) => times !== 1)).toEqual([]);
  expect(merges).toBe(0);
  const files = await github.files();
  const ids = wanted.flatMap(({ receipt }) => receipt?.id ?? []);
  expect(ids.filter((id) => !files.has(`${id}.md`))).toEqual([]);
  const notes = [...files.keys()].filter((path) => /^sessions\/.*\.md$/.test(path));
  expect(notes.length, 'nothing but what was saved').toBe(new Set(ids).size);
  const lists = await Promise.all(servers.map((server) => listed(server, { consistency: 'fresh' })));
  expect(lists[0]).toEqual(lists[1]);
  expect(lists[0]?.map((id) => `${id}.md`).toSorted()).toEqual(notes.toSorted());
  for (const server of servers) expect(await server.call('verify_with_github')).toContain('all equal');
}
