import { afterAll, describe, expect, test, vi } from 'vitest';
import { BINARIES } from '../support/private-postgres.js';
import { type Outcome, type Row, runRow } from '../support/outages/row.js';
import { COMPONENTS, startWorld, type World } from '../support/outages/world.js';

const WORLDS = 4;
vi.setConfig({ maxConcurrency: WORLDS, testTimeout: 240_000, hookTimeout: 120_000 });

const ROWS: Row[] = [
  ...COMPONENTS.flatMap((component): Row[] => [
    { name: `${component} down at start`, troubles: [{ component, trouble: 'down' }], when: 'at start' },
    { name: `${component} dies in use`, troubles: [{ component, trouble: 'down' }], when: 'in use' },
    { name: `${component} hangs`, troubles: [{ component, trouble: 'hangs' }], when: 'in use' },
    { name: `${component} garbage`, troubles: [{ component, trouble: 'garbage' }], when: 'in use' },
    { name: `${component} truncated`, troubles: [{ component, trouble: 'truncated' }], when: 'in use' },
    { name: `${component} slow`, troubles: [{ component, trouble: 'slow' }], when: 'in use' },
    { name: `${component} comes back`, troubles: [{ component, trouble: 'down' }], when: 'over' },
    { name: `${component} comes back after a hang`, troubles: [{ component, trouble: 'hangs' }], when: 'over' },
  ]),
  ...COMPONENTS.flatMap((first, at) =>
    COMPONENTS.slice(at + 1).flatMap((second) =>
      (['down', 'hangs'] as const).flatMap((one) =>
        (['down', 'hangs'] as const).map((other): Row => ({
          name: `${first} ${one}, ${second} ${other}`,
          troubles: [
            { component: first, trouble: one },
            { component: second, trouble: other },
          ],
          when: 'in use',
        })),
      ),
    ),
  ),
];

const outcomes = new Map<string, Outcome>();
const endings: (() => Promise<void>)[] = [];
const free: World[] = [];
const atEnd = (work: () => Promise<void>) => void endings.unshift(work);

afterAll(async () => {
  for (const work of endings) await work();
});

describe.skipIf(BINARIES === null).concurrent('outages', () => {
  test.each(ROWS.map((row, at) => [row.name, row, `row${at}x`] as const))('%s', async (name, row, slug) => {
    const world = free.pop() ?? (await startWorld(atEnd));
    outcomes.set(name, await runRow(world, row, slug));
    // One that failed is not used again: what is wrong in it may be wrong with it.
    free.push(world);
  });
});

test('print', () => {
  for (const [name, { told, status }] of outcomes) {
    console.log(`=== ${name}`);
    for (const [op, { text, isError, tookMs }] of Object.entries(told))
      console.log(`--- ${op} ${isError ? 'ERROR ' : ''}${Math.round(tookMs)} ms\n${text}`);
    console.log(`--- status ${status.text}`);
  }
  expect(outcomes.size).toBe(ROWS.length);
});
