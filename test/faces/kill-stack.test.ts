import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { POINTS as ALL, type Point } from '../../src/core/points.js';
import { expectOnce, receiptOf, synced, until } from '../support/outbox.js';
import { endings, listed, type Mortal, openStack, STACK, type Stack, startMortal } from '../support/stack.js';

/** GitHub makes its objects itself; the outbox's points are in `outbox.test.ts`. */
const POINTS = ALL.filter((point) => /^(save|sync):/.test(point) && point !== 'save:before-objects');
const KILLS = Number(process.env.STRATA_KILLS ?? 2);
/** Points that are tried at the same time: starting a server is most of the work. */
const AT_ONCE = 2;
/** More than any occurrence that a kill waits for; a loop that outlives it means the point was never reached. */
const ROUNDS = 30;
const preload = fileURLToPath(new URL('../support/kill.mjs', import.meta.url));

interface Note {
  title: string;
  content: string;
  /** From its receipt, once there was one. */
  id?: string;
}

const { atEnd, end } = endings();
const outcomes = new Map<Point, Promise<void>>();

beforeAll(() => {
  if (!STACK) return;
  let free: Promise<unknown>[] = Array.from({ length: AT_ONCE }, () => Promise.resolve());
  for (const point of POINTS) {
    const [next = Promise.resolve(), ...rest] = free;
    const outcome = next.then(() => survive(point));
    outcomes.set(point, outcome);
    free = [...rest, outcome.catch(() => {})];
  }
});
afterAll(end);

describe.skipIf(!STACK)('one of two machines on GitHub, Postgres and Redis, killed at', () => {
  for (const point of POINTS) test(point, () => outcomes.get(point), 120_000);
});

/** Kills now the one and now the other at `point`, while both work, and looks for what was promised. */
async function survive(point: Point): Promise<void> {
  const stack = await openStack(atEnd);
  const notes: Note[] = [];
  let other = await startMortal(stack.environment('two'));
  for (let kill = 0; ; kill++) {
    const environment = stack.environment(kill % 2 === 0 ? 'one' : 'two');
    await die(point, kill, environment, { stack, other, notes });
    // The machine that lives on knows at once of all that the dead one brought to GitHub, acknowledged or not: it has to
    // ask for itself, since nobody calls for a sync.
    const there = (await notesOn(stack)).toSorted();
    await until(
      () => listed(other),
      (ids) => isDeepStrictEqual(ids.map((id) => `${id}.md`).toSorted(), there),
    );
    await answersFor(other, notes);
    // A client that got no answer asks again, there: that must not make a second note.
    for (const note of notes.filter(({ id }) => id === undefined))
      note.id = receiptOf(await other.call('save_session', { title: note.title, content: note.content })).id;
    const again = await startMortal(environment);
    await answersFor(again, notes);
    if (kill === KILLS - 1) return agree([again, other], stack, notes);
    // The next to die is the other one.
    await other.close();
    other = again;
  }
}

/** A server that ends at the point, armed when it has looked around, while another one works beside it. */
async function die(
  point: Point,
  kill: number,
  environment: Record<string, string>,
  { stack, other, notes }: { stack: Stack; other: Mortal; notes: Note[] },
): Promise<void> {
  const folder = join(environment.MEMORY_HOME as string, `kill-${kill}`);
  mkdirSync(folder, { recursive: true });
  const kills = { STRATA_TEST_FOLDER: folder, STRATA_TEST_KILL: `${point}#${1 + (kill % 3)}` };
  const mortal = await startMortal({ ...environment, ...kills }, { nodeArgs: ['--import', preload] });
  await answersFor(mortal, notes);
  writeFileSync(join(folder, 'armed'), '');
  for (let round = 0; mortal.alive() && round < ROUNDS; round++) {
    if (point.startsWith('sync:')) {
      await stack.github.commitOutside({ [`outside/${kill}-${round}.md`]: `# Outside ${kill}-${round}\n` });
      await mortal.call('sync_now').catch(() => {});
    }
    const name = `k${kill}-r${round}`;
    // The other one works beside it every second time: a save of its own would bring the mirror up to date.
    const beside = kill % 2 === 1 ? [save(other, notes, `${name}-c`)] : [];
    await Promise.all([save(mortal, notes, `${name}-a`), save(mortal, notes, `${name}-b`), ...beside]);
  }
  expect(mortal.alive(), `${point} was reached`).toBe(false);
  expect(other.alive()).toBe(true);
}

async function save(server: Mortal, notes: Note[], title: string): Promise<void> {
  const note: Note = { title, content: `The body of ${title}.` };
  notes.push(note);
  const text = await server.call('save_session', { title, content: note.content }).catch((error) => {
    // Not answered: it may or may not have been saved. Who lives on has to answer.
    if (server.alive()) throw error;
  });
  if (text !== undefined) note.id = receiptOf(text).id;
}

/** Every acknowledged note is listed once, and the last one read whole, by default consistency. */
async function answersFor(server: Mortal, notes: Note[]): Promise<void> {
  const acknowledged = notes.filter(({ id }) => id !== undefined);
  expect(await listed(server)).toEqual(expect.arrayContaining(acknowledged.map(({ id }) => id)));
  const last = acknowledged.at(-1);
  if (last) expect(await server.call('read_memory', { id: last.id })).toContain(last.content);
}

const notesOn = async ({ github }: Stack) =>
  [...(await github.files()).keys()].filter((path) => /^sessions\/.*\.md$/.test(path));

/** Both machines say the same, and what they say is what GitHub has: each note once. */
async function agree(both: Mortal[], stack: Stack, notes: Note[]): Promise<void> {
  for (const each of both) {
    await synced(each);
    expect(await each.call('save_session', { title: 'afterwards', content: `Works at ${each.pid}.` })).toMatch(
      /^Saved: .* origin saved, mirror saved/,
    );
  }
  for (const each of both) {
    expect(await each.call('verify_with_github')).toContain('all equal');
    expect(await each.call('memory_status')).toContain('No alerts.');
  }
  const lists = await Promise.all(both.map((each) => listed(each)));
  expect(lists[0]).toEqual(lists[1]);
  const ids = notes.map(({ id }) => id as string);
  expect(new Set(ids).size).toBe(notes.length);
  await expectOnce(stack.github, ids);
  expect((await notesOn(stack)).length, 'nothing but what was saved').toBe(notes.length + both.length);
  await Promise.all(both.map((each) => each.close()));
}
