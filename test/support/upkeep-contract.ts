import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { LeaseWish, Mirror } from '../../src/core/ports.js';
import { everybody, type MirrorUnderTest, note, put, queryTerms } from './mirror-contract.js';
import { hitsOf } from './search.js';

type Open = () => Promise<MirrorUnderTest> | MirrorUnderTest;

const wish = (holder: string, more: Partial<LeaseWish> = {}): LeaseWish => ({
  name: 'sync',
  holder,
  ttlMs: 60_000,
  restMs: 0,
  failedRestMs: 0,
  ...more,
});
const content = async (mirror: Mirror, id: string) => {
  const got = await mirror.snapshot((view) => view.get(everybody(), id));
  if (got === null) return 'no such document';
  return got.content && Buffer.from(got.content).toString();
};
const lease = async (mirror: Mirror, name = 'sync') => (await mirror.leases()).find((each) => each.name === name);

/** Until the database's own clock says so. */
async function clockAt(mirror: Mirror, ms: number): Promise<void> {
  for (let now = await mirror.clock(); now < ms; now = await mirror.clock()) await delay(Math.min(ms - now, 50));
}

/** What every mirror promises to the jobs. */
export function upkeepContract(name: string, open: Open): void {
  describe(`leases in ${name}`, () => leases(open));
  describe(`retention in ${name}`, () => retention(open));
}

function leases(open: Open): void {
  test('of many who ask at once one gets it, and keeps it from the others', async () => {
    const { mirror, again } = await open();
    const sides = [mirror, again?.() ?? mirror];
    for (let round = 0; round < 10; round++) {
      const name = `job ${round}`;
      const asked = Array.from({ length: 8 }, (_, i) => sides[i % 2]?.acquire(wish(`holder ${i}`, { name })));
      const got = await Promise.all(asked);
      expect(got.filter((each) => each !== null)).toEqual([{ outcome: null }]);
      expect(await lease(mirror, name)).toMatchObject({ held: true, endedAtMs: null, outcome: null });
    }
    expect(await mirror.acquire(wish('somebody', { name: 'another job' })), 'by name').not.toBeNull();
  });

  test('its holder has it again and renews it; nobody else does either, or gives it back', async () => {
    const { mirror } = await open();
    expect(await mirror.acquire(wish('one'))).not.toBeNull();
    expect(await mirror.acquire(wish('one'))).not.toBeNull();
    expect(await mirror.renew('sync', 'one', 60_000)).toBe(true);
    expect(await mirror.renew('sync', 'two', 60_000)).toBe(false);
    expect(await mirror.renew('never taken', 'one', 60_000)).toBe(false);
    await mirror.release('sync', 'two', { outcome: 'failed', note: 'not mine' });
    expect(await lease(mirror)).toMatchObject({ held: true, outcome: null });
    await mirror.release('sync', 'one', null);
    expect(await lease(mirror)).toMatchObject({ held: false, endedAtMs: null });
    expect(await mirror.acquire(wish('two'))).not.toBeNull();
  });

  test('one that nobody renews is lost when it expires, by the database’s clock; one that is renewed is not', async () => {
    const { mirror } = await open();
    const start = await mirror.clock();
    await mirror.acquire(wish('dead', { ttlMs: 300 }));
    await mirror.acquire(wish('alive', { name: 'other', ttlMs: 300 }));
    expect(await mirror.acquire(wish('next', { ttlMs: 300 }))).toBeNull();
    expect(await mirror.renew('other', 'alive', 60_000)).toBe(true);
    await clockAt(mirror, start + 1_000);
    expect((await lease(mirror))?.held).toBe(false);
    expect(await mirror.acquire(wish('next'))).not.toBeNull();
    expect(await mirror.renew('sync', 'dead', 60_000)).toBe(false);
    expect(await mirror.acquire(wish('next', { name: 'other' }))).toBeNull();
  });

  test('a job that anybody ended rests, a failed one shorter; how it ended is told', async () => {
    const { mirror } = await open();
    await mirror.acquire(wish('one'));
    await mirror.release('sync', 'one', { outcome: 'ok', note: '' });
    const ended = (await lease(mirror)) as { endedAtMs: number; nowMs: number };
    expect(ended.nowMs - ended.endedAtMs).toBeLessThan(30_000);
    const rested = { restMs: 3_600_000, failedRestMs: 0 };
    expect(await mirror.acquire(wish('two', rested))).toBeNull();
    expect(await mirror.acquire(wish('one', rested)), 'not by its last holder either').toBeNull();
    await clockAt(mirror, ended.endedAtMs + 5);
    expect(await mirror.acquire(wish('two', { restMs: 1 }))).toEqual({ outcome: 'ok' });
    await mirror.release('sync', 'two', { outcome: 'failed', note: 'it is \0 gone' });
    expect(await lease(mirror)).toMatchObject({ outcome: 'failed', note: 'it is \ufffd gone' });
    expect(await mirror.acquire(wish('one', { restMs: 0, failedRestMs: 3_600_000 }))).toBeNull();
    expect(await mirror.acquire(wish('one', rested))).toEqual({ outcome: 'failed' });
  });
}

function retention(open: Open): void {
  test('what nobody touched leaves its bytes, and keeps its place in every list and in the index', async () => {
    const { mirror } = await open();
    const [a, b] = [note('a.md', '# A\nzebra'), note('b.md', '# B\nzebra')];
    await put(mirror, [a, b, note('projects/p.md', '# P\nzebra')]);
    const { generation } = await mirror.snapshot((view) => view.state());
    // Written today.
    expect(await mirror.shed(0, 10)).toEqual({ documents: 0, bytes: 0 });
    // Not touched since tomorrow: every one, a portion at a time, but project records.
    expect((await mirror.shed(-1, 1)).documents).toBe(1);
    expect(await mirror.shed(-1, 10)).toEqual({ documents: 1, bytes: b.bytes });
    expect(await mirror.shed(-1, 10)).toEqual({ documents: 0, bytes: 0 });
    expect(await content(mirror, 'a')).toBeNull();
    expect(await content(mirror, 'projects/p')).toContain('zebra');
    await mirror.snapshot(async (view) => {
      expect(await view.count(everybody(), {})).toBe(3);
      expect(await hitsOf(view, everybody(), queryTerms('zebra'), {}, 9)).toHaveLength(3);
      expect((await view.paths()).get('a.md')).toBe(a.blob);
    });
    expect(await mirror.unindexed()).toEqual([]);
    expect((await mirror.snapshot((view) => view.state())).generation, 'no step of anybody falls for it').toBe(
      generation,
    );
  });

  test('a content comes back to its own version only, and only where it is missing', async () => {
    const { mirror } = await open();
    const [a, b] = [note('a.md', 'zebra'), note('b.md', 'yak')];
    await put(mirror, [a, b]);
    await mirror.shed(-1, 10);
    const bytes = (document: typeof a) => document.content as Uint8Array;
    await mirror.restore([
      { ...a, content: bytes(a) },
      { ...b, blob: a.blob, content: bytes(a) },
      { ...a, path: 'gone.md', content: bytes(a) },
    ]);
    expect(await content(mirror, 'a')).toBe('zebra');
    expect(await content(mirror, 'b')).toBeNull();
    await mirror.restore([{ ...a, content: bytes(b) }]);
    expect(await content(mirror, 'a')).toBe('zebra');
    await put(mirror, [note('a.md', 'newer')]);
    await mirror.shed(-1, 10);
    await mirror.restore([{ ...a, content: bytes(a) }]);
    expect(await content(mirror, 'a')).toBeNull();
    await mirror.touch(['a.md', 'gone.md']);
  });
}
