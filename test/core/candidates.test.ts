import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Candidate, createCandidates } from '../../src/core/candidates.js';
import { type Document, parseDocument } from '../../src/core/documents.js';
import { createPause } from '../../src/core/pause.js';

const NOW_MS = Date.UTC(2026, 10, 21);
const NEVER = { due: () => false, rest: async () => {} };

function document(path: string, text: string): Document {
  const content = Buffer.from(text);
  const source = { path, blob: path, type: 'file' as const, bytes: content.length, content, changedMs: NOW_MS };
  return parseDocument(source).document;
}

/** A note of a project and a day, with such lines. */
function note(project: string, day: string, lines: { decided?: string[]; next?: string[]; done?: string[] }): Document {
  const list = (heading: string, items: string[] = []) =>
    `## ${heading}\n${items.map((item) => `- ${item}\n`).join('')}`;
  const body = `${list('Decisions', lines.decided)}\n${list('Next steps', lines.next)}\n${list('Done', lines.done)}`;
  return document(`${project}/${day}.md`, `---\ndate: ${day}\nproject: ${project}\n---\n${body}`);
}

async function found(documents: Document[], most = 20, pause = NEVER): Promise<Candidate[]> {
  const candidates = createCandidates();
  for (const each of documents.toSorted((a, b) => b.timeMs - a.timeMs)) candidates.add(each);
  return candidates.found(NOW_MS, most, pause);
}

const lines = (candidates: Candidate[]) => candidates.map(({ type, times, text }) => `${type} ${times} ${text}`);

function folder(name: string): Document[] {
  const root = fileURLToPath(new URL(`../context/${name}/`, import.meta.url));
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => document(path, readFileSync(join(root, path), 'utf8')));
}

test('of notes with habits: what is decided, mended and planned again and again, whatever the words', async () => {
  const all = await found(folder('habits'));
  const named = (word: RegExp) => all.filter(({ text }) => word.test(text));
  expect(named(/UTC/).map(({ type }) => type)).toContain('decision');
  expect(all.find(({ type, text }) => type === 'decision' && /Храним все моменты в UTC/.test(text))).toMatchObject({
    times: 2,
    evidence: ['shop-bot/2026-11-12-week', 'shop-bot/2026-11-04-week'],
  });
  expect(all.find(({ type, text }) => type === 'decision' && /^Times are stored in UTC/.test(text))).toMatchObject({
    times: 2,
    projects: ['bakery-app', 'kiosk'],
  });
  expect(all.find(({ type }) => type === 'fix')).toMatchObject({
    times: 2,
    projects: ['shop-bot', 'kiosk'],
    text: expect.stringMatching(/сертификат истёк.* → продление за 30 дней/),
  });
  // Said in three notes; done, and to be done again.
  expect(lines(named(/^Renew/))).toEqual(['workflow 2 Renew the TLS certificates']);
  expect(named(/^Restore the backup/)).toMatchObject([
    { type: 'workflow', times: 3, projects: ['kiosk', 'bakery-app'] },
  ]);
  // Said once, or dropped.
  expect(named(/vendor|paper|flour|пишет первым|кабел|cable/i)).toEqual([]);
  expect(all.every(({ name }) => name.length <= 71)).toBe(true);
});

test('of the planning notes nothing is offered but what went wrong and was mended', async () => {
  const all = await found(folder('notes'));
  expect(all.map(({ type, evidence }) => `${type} ${evidence}`)).toEqual([
    'fix studio-sites/2026-11-15-dentica-launch',
    'fix studio-sites/2026-11-15-dentica-launch',
    'fix orbit-api/2026-10-20-deploy-notes',
    'fix fleet-hub/2026-10-09-bot-status',
  ]);
});

test('a decision counts from another day or project on, and not where a later one took it back', async () => {
  const once = note('a', '2026-11-01', { decided: ['Dates are stored in UTC', 'Logs stay for 30 days', 'Use tabs'] });
  expect(await found([once])).toEqual([]);
  const again = note('a', '2026-11-09', { decided: ['We store dates in UTC', 'Logs stay for 90 days', 'Use tabs'] });
  expect(lines(await found([once, again]))).toEqual(['decision 2 We store dates in UTC', 'decision 2 Use tabs']);
  const elsewhere = note('b', '2026-11-01', { decided: ['Dates are stored in UTC'] });
  expect(lines(await found([once, elsewhere]))).toEqual(['decision 2 Dates are stored in UTC']);
  const revoked = note('a', '2026-11-10', { decided: ['No longer: dates stored in UTC'] });
  expect(lines(await found([once, again, revoked]))).toEqual(['decision 2 Use tabs']);
  const holds = (project: string, day: string, minutes: number, why: string) =>
    note(project, day, { decided: [`Bookings are held for ${minutes} minutes, ${why} asked for it`] });
  const [first, longer] = [holds('a', '2026-11-01', 10, 'Irina'), holds('a', '2026-11-09', 15, 'Dina')];
  expect(await found([first, longer])).toEqual([]);
  expect(lines(await found([first, holds('a', '2026-11-09', 10, 'Dina')]))).toHaveLength(1);
  const checkpoint = { ...again, kind: 'checkpoint' as const };
  expect(await found([once, checkpoint])).toEqual([]);
});

test('a step counts from the third note on, or when it is opened again after it was done', async () => {
  const step = (day: string) => note('a', day, { next: ['Rotate the signing keys'] });
  expect(await found([step('2026-11-01'), step('2026-11-02')])).toEqual([]);
  expect(lines(await found(['01', '02', '03'].map((day) => step(`2026-11-${day}`))))).toEqual([
    'workflow 3 Rotate the signing keys',
  ]);
  const done = note('a', '2026-11-02', { done: ['Rotated the signing keys'] });
  expect(lines(await found([step('2026-11-01'), done, step('2026-11-03')]))).toEqual([
    'workflow 2 Rotate the signing keys',
  ]);
  expect(
    await found([
      step('2026-11-01'),
      step('2026-11-02'),
      note('a', '2026-11-03', { done: ['Rotated the signing keys'] }),
    ]),
  ).toEqual([]);
});

test('what a pattern says is not offered, in other words or from the same notes', async () => {
  const notes = [
    note('a', '2026-11-01', { decided: ['Dates are stored in UTC', 'Invoices are rounded per line'] }),
    note('b', '2026-11-02', { decided: ['Dates are stored in UTC', 'Invoices are rounded per line'] }),
  ];
  expect(await found(notes)).toHaveLength(2);
  const saying = document(
    'patterns/a/utc.md',
    '---\ntitle: UTC\ntype: decision\n---\nStore all dates in UTC, show them in local time.',
  );
  expect(lines(await found([...notes, saying]))).toEqual(['decision 2 Invoices are rounded per line']);
  const linked = document(
    'patterns/a/round.md',
    '---\ntitle: Rounding of invoices\nevidence: [a/2026-11-01, b/2026-11-02]\n---\nLine by line.',
  );
  expect(lines(await found([...notes, linked]))).toEqual(['decision 2 Dates are stored in UTC']);
});

test('the best first: how often, in how many projects, how lately; never more than asked for', async () => {
  const all = [
    ...['2026-11-01', '2026-11-02'].map((day) => note('a', day, { decided: ['Tabs are four wide'] })),
    ...['2026-11-01', '2026-11-02'].map((day, at) => note(`p${at}`, day, { decided: ['Links open in place'] })),
    ...['2025-01-01', '2025-01-02'].map((day) => note('c', day, { decided: ['Menus have no icons'] })),
    ...['2026-11-01', '2026-11-02', '2026-11-03'].map((day) => note('d', day, { decided: ['Errors say what to do'] })),
  ];
  expect(lines(await found(all))).toEqual([
    'decision 2 Links open in place',
    'decision 3 Errors say what to do',
    'decision 2 Tabs are four wide',
    'decision 2 Menus have no icons',
  ]);
  // Half of them may be of one type.
  expect(lines(await found(all, 4))).toEqual(['decision 2 Links open in place', 'decision 3 Errors say what to do']);
});

test('thousands of notes: others get their turns meanwhile, and what recurs among them is found', async () => {
  const words = Array.from({ length: 4_000 }, (_, at) => `${(at * 7_919).toString(36)}x${at}`);
  const line = (seed: number) =>
    Array.from({ length: 8 }, (_, at) => words[(seed * 31 + at * at * 97) % words.length]).join(' ');
  const many = Array.from({ length: 3_000 }, (_, at): Document => {
    const one = note('p', '2026-11-01', { decided: [line(at)] });
    const decisions = [line(at), ...(at % 1_000 === 7 ? ['Backups are tested each month'] : [])];
    return {
      ...one,
      id: `n${at}`,
      project: `p${at % 50}`,
      timeMs: NOW_MS - at * 3_600_000,
      digest: { ...one.digest, decisions },
    };
  });
  let turns = 0;
  const ticking = setInterval(() => turns++, 0);
  const all = await found(many, 5, createPause(1));
  clearInterval(ticking);
  expect(turns).toBeGreaterThan(3);
  expect(all[0]).toMatchObject({ text: 'Backups are tested each month', times: 3 });
});
