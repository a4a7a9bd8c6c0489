import { expect } from 'vitest';
import { until } from '../outbox.js';
import type { Trouble } from './components.js';
import { type ComponentName, type Deadlines, deadlinesFor, type Instance, type Told, type World } from './world.js';

/** When it goes wrong: before the server starts; while it runs; or while it runs, and it is all well again before it is asked. */
export type When = 'at start' | 'in use' | 'over';

export interface Row {
  name: string;
  troubles: { component: ComponentName; trouble: Trouble }[];
  when: When;
  /** It has a cache. */
  cached: boolean;
}

export const OPERATIONS = ['context', 'search', 'recent', 'unread', 'save', 'own', 'sync'] as const;
export type OperationName = (typeof OPERATIONS)[number];

export interface Outcome {
  told: Record<OperationName, Told>;
  /** What memory_status said in the midst of it. */
  status: Told;
}

/** The words by which an answer says that it may not be the newest. */
const MARKED = /not confirmed|degraded|behind|UNCONFIRMED|queued, not|skipped|unconfirmed/;
/** What an error may be about while something is broken. A note that is there must never be said not to be. */
const EXCUSED = /GitHub|The database|The cache|No tier can answer|too long|ran out of time/;

/** Everything is well, then it is not: each operation in turn, by one server, as a session would call them. */
export async function runRow(world: World, row: Row, slug: string): Promise<Outcome> {
  const project = `outage/${slug}`;
  const notes = await lay(world, project, slug);
  const acknowledged: Laid[] = [notes.newest];
  const strike = async () => {
    for (const { component, trouble } of row.troubles) await world.components[component].strike(trouble);
  };
  if (row.when === 'at start') await strike();
  const instance = await world.start(slug, project, deadlinesOf(row), row.cached);
  if (row.when !== 'at start') {
    // Where there is a cache, until it has both answers.
    const well = row.cached ? /^cache [0-9a-f]+, confirmed/m : /^mirror [0-9a-f]+, confirmed/m;
    await patiently(instance, 'load_context', {}, well);
    await patiently(instance, 'read_memory', { id: notes.recent.id }, well);
    if (row.troubles.some(({ component }) => component === 'GitHub')) await world.age();
    await strike();
  }
  if (row.when === 'over') {
    for (const [who, marker] of [
      [instance, `${slug}mine`],
      [world.neighbour, `${slug}theirs`],
    ] as const) {
      const kept = receiptOf(await save(who, marker, project));
      if (kept) acknowledged.push({ id: kept, marker, mine: who === instance });
    }
    await instance.ask('read_memory', { id: notes.recent.id });
    await world.mend();
  }
  if (row.when === 'over') {
    // At once, while what waited is on its way: right, or marked.
    await operate(instance, row, notes, acknowledged, `${slug}first`, true);
    for (const who of [instance, world.neighbour]) await recovered(who);
  }
  const outcome = await operate(instance, row, notes, acknowledged, `${slug}then`, false);
  await world.mend();
  await settle(world, instance, acknowledged);
  const said = [...Object.values(outcome.told), outcome.status].map(({ text }) => text);
  for (const secret of world.secrets)
    for (const text of [instance.server.stderr(), world.neighbour.server.stderr(), ...said])
      expect(text).not.toContain(secret);
  await instance.server.close();
  return outcome;
}

interface Laid {
  id: string;
  /** A word that is nowhere else. */
  marker: string;
  /** Saved by the server that is asked. */
  mine?: boolean;
}

/** Two notes by somebody else, and the newest by another server that shares everything. */
async function lay(world: World, project: string, slug: string) {
  const at = (name: string): Laid => ({
    id: `sessions/${project}/2026/01/20260101T000000000Z-${name}`,
    marker: `${slug}${name}`,
  });
  const [recent, unread] = [at('recent'), at('unread')];
  await world.github.call(
    'commitOutside',
    Object.fromEntries(
      [recent, unread].map(({ id, marker }) => [`${id}.md`, `# A note\n\nThe ${marker} was decided.\n`]),
    ),
  );
  await patiently(world.neighbour, 'sync_now', {}, /^Synced/);
  const marker = `${slug}newest`;
  const told = await save(world.neighbour, marker, project);
  const newest: Laid = { id: receiptOf(told) as string, marker };
  // Nothing of it is on its way any more when the trouble begins.
  await recovered(world.neighbour);
  return { project, recent, unread, newest };
}

const save = (who: Instance, marker: string, project: string) =>
  who.ask('save_session', { title: `About ${marker}`, content: `The ${marker} was decided.`, project });

/** The id of a save that was acknowledged in any way; null where it is an error. */
function receiptOf({ text, isError }: Told): string | null {
  if (isError) return null;
  const id = /^(?:Saved|Already saved|QUEUED|UNKNOWN)[^`]*`([^`]+)`/.exec(text)?.[1];
  if (!id) throw new Error(`no receipt: ${text}`);
  return id;
}

async function operate(
  instance: Instance,
  row: Row,
  notes: Awaited<ReturnType<typeof lay>>,
  acknowledged: Laid[],
  slug: string,
  /** What others saved may still be on its way here: an answer without it is marked. */
  settling: boolean,
): Promise<Outcome> {
  const { project } = notes;
  const newest = acknowledged.map(({ marker }) => marker);
  const context = await again(row, async () => {
    const told = await instance.ask('load_context');
    rightOrMarked(told, newest, settling);
    return told;
  });
  const search = await instance.ask('search_memory', { query: newest.join(' '), project });
  rightOrMarked(search, newest, settling);
  const reads = [];
  for (const { id, marker } of [notes.recent, notes.unread]) {
    const read = async () => {
      const told = await instance.ask('read_memory', { id });
      rightOrMarked(told, [marker], settling);
      return told;
    };
    reads.push(await (id === notes.recent.id ? again(row, read) : read()));
  }
  const [recent, unread] = reads as [Told, Told];
  const marker = `${slug}saved`;
  const saved = await save(instance, marker, project);
  const id = receiptOf(saved);
  if (id) acknowledged.push({ id, marker, mine: true });
  const own = await instance.ask('read_memory', { id: id ?? notes.newest.id });
  // What this very server acknowledged it shows, whatever is broken, unless it can show nothing at all.
  rightOrMarked(own, [id ? marker : notes.newest.marker], false);
  const status = await instance.ask('memory_status');
  expect(status.isError, status.text).toBe(false);
  const sync = await instance.ask('sync_now');
  if (sync.isError) expect(sync.text).toMatch(EXCUSED);
  return { told: { context, search, recent, unread, save: saved, own, sync }, status };
}

/** Its cache is there while it is asked. */
export function hasCache({ cached, when, troubles }: Row): boolean {
  return cached && (when === 'over' || troubles.every(({ component }) => component !== 'Redis'));
}

/** Its mirror is not. */
export function lacksMirror({ when, troubles }: Row): boolean {
  return when !== 'over' && troubles.some((each) => each.component === 'Postgres' && each.trouble !== 'slow');
}

/** What a cache was asked before: it is never waited for, and so may be too late on a machine under load, but not always. */
async function again(row: Row, ask: () => Promise<Told>): Promise<Told> {
  const tries = hasCache(row) && lacksMirror(row) ? 5 : 1;
  for (let at = 1; ; at++) {
    const told = await ask();
    if (at === tries || /^cache /m.test(told.text)) return told;
  }
}

/** Never a wrong answer without a mark, and never "it is not there" of what is. */
function rightOrMarked({ text, isError }: Told, wanted: string[], orMarked: boolean): void {
  if (isError) {
    expect(text).toMatch(EXCUSED);
    expect(text).not.toMatch(/There is no note/);
    return;
  }
  if (orMarked && MARKED.test(text)) return;
  for (const marker of wanted) expect(text).toContain(marker);
}

/** All is well; a machine under load may yet be too slow for short deadlines once or twice. */
async function patiently(who: Instance, tool: string, args: Record<string, unknown>, wanted: RegExp): Promise<void> {
  await until(
    async () => (await who.ask(tool, args)).text,
    (text) => wanted.test(text),
    60_000,
  );
}

/** The deadlines that its server is given. */
export function deadlinesOf({ troubles, when }: Row): Deadlines {
  const broken = troubles.filter(({ trouble }) => trouble !== 'slow').map(({ component }) => component);
  return deadlinesFor(broken, when === 'over');
}

/** By itself: nobody asks for more than how it is. */
async function recovered(who: Instance): Promise<void> {
  await until(
    async () => (await who.ask('memory_status')).text,
    (text) => text.includes('mirror at the head') && !/UNCONFIRMED|unconfirmed|^- cache (?!up)/m.test(text),
    60_000,
  );
}

/** All is well again: every save is at GitHub once, nothing waits, and the mirror is what GitHub has. */
async function settle(world: World, instance: Instance, acknowledged: Laid[]): Promise<void> {
  for (const who of [instance, world.neighbour]) {
    await patiently(who, 'sync_now', {}, /^Synced(?!.*still wait)/s);
    await recovered(who);
    await patiently(who, 'verify_with_github', {}, /all equal/);
  }
  for (const { id, marker } of acknowledged)
    await patiently(instance, 'read_memory', { id, consistency: 'verified' }, new RegExp(marker));
  const history = (await world.github.call('history')) as { files: string[]; parents: string[] }[];
  const times = (id: string) => history.filter(({ files }) => files.includes(`${id}.md`)).length;
  expect(acknowledged.map(({ id }) => [id, times(id)])).toEqual(acknowledged.map(({ id }) => [id, 1]));
  // What was answered by an error, or sent twice, would be here besides.
  const slugs = history.flatMap(({ files }) => files).filter((file) => file.endsWith('.md'));
  expect(new Set(slugs).size).toBe(slugs.length);
}
