import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { table } from '../support/outages/cells.js';
import { type Outcome, type Row, runRow } from '../support/outages/row.js';
import { COMPONENTS, startWorld, type World } from '../support/outages/world.js';
import { BINARIES } from '../support/private-postgres.js';
import { PROGRAMS } from '../support/redis.js';

const DOCUMENT = new URL('../../docs/outages.md', import.meta.url);
const WORLDS = 4;
vi.setConfig({ maxConcurrency: WORLDS, testTimeout: 240_000, hookTimeout: 120_000 });

type Trouble = Row['troubles'][number];

const row = (
  name: string,
  troubles: Trouble[],
  when: Row['when'],
  cached = troubles.some(({ component }) => component === 'Redis'),
): Row => ({ name, troubles, when, cached });

const KEPT = ', Redis there';

const ROWS: Row[] = [
  ...COMPONENTS.flatMap((component) => {
    const one = (name: string, trouble: Trouble['trouble'], when: Row['when']) =>
      row(`${component} ${name}`, [{ component, trouble }], when);
    return [
      one('down at start', 'down', 'at start'),
      one('dies in use', 'down', 'in use'),
      one('hangs', 'hangs', 'in use'),
      one('garbage', 'garbage', 'in use'),
      one('truncated', 'truncated', 'in use'),
      one('slow', 'slow', 'in use'),
      one('comes back', 'down', 'over'),
      one('comes back after a hang', 'hangs', 'over'),
    ];
  }),
  ...COMPONENTS.flatMap((first, at) =>
    COMPONENTS.slice(at + 1).flatMap((second) =>
      (['down', 'hangs'] as const).flatMap((one) =>
        (['down', 'hangs'] as const).map((other) =>
          row(
            `${first} ${one}, ${second} ${other}`,
            [
              { component: first, trouble: one },
              { component: second, trouble: other },
            ],
            'in use',
          ),
        ),
      ),
    ),
  ),
  // What a cache is good for.
  ...(['down', 'hangs'] as const).flatMap((trouble) => [
    row(`Postgres ${trouble}${KEPT}`, [{ component: 'Postgres', trouble }], 'in use', true),
    row(
      `GitHub down, Postgres ${trouble}${KEPT}`,
      [
        { component: 'GitHub', trouble: 'down' },
        { component: 'Postgres', trouble },
      ],
      'in use',
      true,
    ),
  ]),
];

const outcomes = new Map<string, Outcome>();
const endings: (() => Promise<void>)[] = [];
const free: World[] = [];
const atEnd = (work: () => Promise<void>) => void endings.unshift(work);

afterAll(async () => {
  for (const work of endings) await work();
});

/** A word that no other row has, of letters alone: it is searched for. */
const slugOf = (at: number) => `row${String.fromCharCode(97 + Math.floor(at / 26), 97 + (at % 26))}x`;

describe.skipIf(BINARIES === null || !PROGRAMS).concurrent('outages', () => {
  test.each(ROWS.map((each, at) => [each.name, each, slugOf(at)] as const))('%s', async (name, each, slug) => {
    const world = free.pop() ?? (await startWorld(atEnd));
    outcomes.set(name, await runRow(world, each, slug));
    // One that failed is not used again: what is wrong in it may be wrong with it.
    free.push(world);
  });
});

/** `npx vitest run test/faces/outages.test.ts -u` writes the tables anew. */
test.skipIf(BINARIES === null || !PROGRAMS)('docs/outages.md says what was seen', async () => {
  expect([...outcomes.keys()].toSorted()).toEqual(ROWS.map(({ name }) => name).toSorted());
  const errors: string[] = [];
  const kinds: [string, (row: Row) => boolean][] = [
    ...COMPONENTS.map((name): [string, (row: Row) => boolean] => [
      name,
      ({ troubles, cached }) =>
        troubles.length === 1 && troubles[0]?.component === name && cached === (name === 'Redis'),
    ]),
    ['Two at a time', ({ troubles, name }) => troubles.length > 1 && !name.endsWith(KEPT)],
    ['Postgres is away, and Redis has what was lately asked', ({ name }) => name.endsWith(KEPT)],
  ];
  const tables = kinds
    .map(([heading, is]) => `### ${heading}\n\n${table(ROWS.filter(is), outcomes, errors)}`)
    .join('\n\n');
  const list = errors.map((error, at) => `${at + 1}. ${error}`).join('\n');
  const text = readFileSync(DOCUMENT, 'utf8');
  const [before, after] = ['<!-- matrix:begin -->\n', '<!-- matrix:end -->'];
  expect(text).toContain(before);
  expect(text).toContain(after);
  const [from, to] = [text.indexOf(before) + before.length, text.indexOf(after)];
  const wanted = `${text.slice(0, from)}\n${tables}\n\n### The errors\n\n${list}\n\n${text.slice(to)}`;
  await expect(wanted).toMatchFileSnapshot(fileURLToPath(DOCUMENT));
});
