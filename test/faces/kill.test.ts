import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { POINTS as ALL, type Point } from '../../src/core/points.js';
import { bareRepository, commitFiles, fsck, historyOf, notesAt, receiptOf } from '../support/repository.js';
import { startServer, type TestServer } from '../support/server.js';

/** Nothing waits for a repository on this machine: those of the outbox are in `outbox.test.ts`. */
const POINTS = ALL.filter((point) => /^(save|sync):/.test(point));
const KILLS = Number(process.env.STRATA_KILLS ?? 10);
/** Points that are tried at the same time: starting a server is most of the work. */
const AT_ONCE = 3;
/** More than any occurrence that a kill waits for; a loop that outlives it means the point was never reached. */
const ROUNDS = 30;
const preload = fileURLToPath(new URL('../support/kill.mjs', import.meta.url));

interface Note {
  title: string;
  content: string;
  /** From its receipt, once there was one. */
  receipt?: { id: string; blob: string };
}

const root = mkdtempSync(join(tmpdir(), 'strata-kill-'));
const outcomes = new Map<Point, Promise<void>>();

beforeAll(() => {
  let free: Promise<unknown>[] = Array.from({ length: AT_ONCE }, () => Promise.resolve());
  for (const point of POINTS) {
    const [next = Promise.resolve(), ...rest] = free;
    const outcome = next.then(() => survive(point));
    outcomes.set(point, outcome);
    free = [...rest, outcome.catch(() => {})];
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));

describe('a server killed at', () => {
  for (const point of POINTS) test(point, () => outcomes.get(point), 120_000);
});

/** Kills one server after the other at `point`, all on one home and one repository, and looks for what was promised. */
async function survive(point: Point): Promise<void> {
  const home = join(root, point.replace(':', '-'));
  mkdirSync(home);
  const repository = bareRepository(home);
  const notes: Note[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const folder = join(home, `kill-${kill}`);
    mkdirSync(folder);
    const server = await startServer(
      {
        MEMORY_HOME: home,
        MEMORY_REPO: repository,
        STRATA_TEST_FOLDER: folder,
        STRATA_TEST_KILL: `${point}#${1 + (kill % 3)}`,
      },
      { nodeArgs: ['--import', preload] },
    );
    let alive = true;
    server.client.onclose = () => {
      alive = false;
    };
    // This is the new process that answers for the one killed before it.
    await answersFor(server, notes);
    // A client that got no answer asks again: that must not make a second note.
    for (const note of notes.filter((each) => !each.receipt))
      note.receipt = receiptOf(await server.call('save_session', { title: note.title, content: note.content }));
    writeFileSync(join(folder, 'armed'), '');
    for (let round = 0; alive && round < ROUNDS; round++) {
      if (point.startsWith('sync:')) {
        commitFiles(repository, { [`outside/${kill}-${round}.md`]: `# Outside ${kill}-${round}\n` });
        await server.call('sync_now').catch(() => {});
      }
      await Promise.all([0, 1].map((each) => save(server, notes, `k${kill}-r${round}-n${each}`)));
    }
    expect(alive, `${point} was reached`).toBe(false);
    const there = notesAt(repository);
    for (const { receipt } of notes) if (receipt) expect(there.get(`${receipt.id}.md`)).toBe(receipt.blob);
  }
  const server = await startServer({ MEMORY_HOME: home, MEMORY_REPO: repository });
  await answersFor(server, notes);
  expect(await server.call('save_session', { title: 'afterwards', content: 'Works.' })).toMatch(
    /^Saved: .* origin saved, mirror saved$/,
  );
  expect(await server.call('verify_with_github')).toContain('all equal');
  expect(await server.call('memory_status')).toContain('No alerts.');
  await server.close();
  expect(fsck(repository)).toEqual([]);
  expect((readdirSync(repository, { recursive: true }) as string[]).filter((name) => name.endsWith('.lock'))).toEqual(
    [],
  );
  expect(historyOf(repository).merges).toBe(0);
  const titles = [...notesAt(repository).keys()].flatMap((path) => /Z-(k\d+-r\d+-n\d+)-/.exec(path)?.[1] ?? []);
  expect(titles.toSorted(), 'each note once').toEqual([...new Set(titles)].toSorted());
  expect(titles.length).toBeGreaterThanOrEqual(notes.filter(({ receipt }) => receipt).length);
}

async function save(server: TestServer, notes: Note[], title: string): Promise<void> {
  const note: Note = { title, content: `The body of ${title}.` };
  notes.push(note);
  try {
    note.receipt = receiptOf(await server.call('save_session', { title, content: note.content }));
  } catch {
    // Not answered: it may or may not have been saved.
  }
}

/** Every acknowledged note is listed once, and the last one read whole, by default consistency. */
async function answersFor(server: TestServer, notes: Note[]): Promise<void> {
  const acknowledged = notes.filter((each) => each.receipt);
  const listed: string[] = [];
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await server.call('list_sessions', { limit: 100, ...(cursor ? { cursor } : {}) });
    listed.push(...[...page.matchAll(/`(sessions\/[^`]+)`$/gm)].map((match) => match[1] as string));
    cursor = /^More: cursor=(\S+)$/m.exec(page)?.[1];
    more = cursor !== undefined;
  }
  expect(new Set(listed).size).toBe(listed.length);
  expect(listed).toEqual(expect.arrayContaining(acknowledged.map(({ receipt }) => receipt?.id)));
  const last = acknowledged.at(-1);
  if (last) expect(await server.call('read_memory', { id: last.receipt?.id })).toContain(last.content);
}
