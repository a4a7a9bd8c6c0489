import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { CommitRequest, Origin, Tip } from '../../src/core/ports.js';
import { expectOnce } from '../support/outbox.js';
import { openStack, STACK } from '../support/stack.js';
import { gate, openStand, type Shared, type Stand, type StandOptions } from '../support/stand.js';
import { startTcpProxy } from '../support/tcp-proxy.js';

const never = new Promise<never>(() => {});

/** An origin behind which the machine ends as soon as its commit stands. */
function diesAfterCommit(reached: () => void, before?: Promise<void>) {
  return (origin: Origin): Partial<Origin> => ({
    async commit(request: CommitRequest) {
      await before;
      await origin.commit(request);
      reached();
      return never;
    },
  });
}

/** A machine with a home of its own, whose cache is connected, as it is from a moment after its first use. */
async function machine(stack: Shared, options: StandOptions = {}): Promise<Stand> {
  const stand = await openStand(stack, options);
  expect(await stand.shelf.tries()).toBe(true);
  return stand;
}

/** A memory with a first note that machine B knows of, confirmed. */
async function begin() {
  const stack = await openStack(onTestFinished);
  await stack.github.commitOutside({ 'README.md': null });
  const b = await machine(stack);
  await b.save('first');
  expect((await b.see()).titles).toEqual(['first']);
  await b.shelf.idle();
  return {
    stack,
    b,
    /** The head was confirmed too long ago for any read that asks for one. */
    age: () => stack.sql`UPDATE strata_mirror.state SET confirmed_at_ms = confirmed_at_ms - 7200000`,
    async mustBeEqual(): Promise<void> {
      const tip = await b.origin.head();
      expect((await b.state()).head?.commit).toBe(tip?.commit);
      expect(new Map([...(await b.paths())].sort())).toEqual(new Map([...(await b.sync.expected(tip))].sort()));
    },
  };
}

describe.skipIf(!STACK)('machines on one GitHub, Postgres and Redis:', () => {
  test('a writer on A that stops between commit and apply leaves a doubt that every reader on B and C heeds', async () => {
    const { stack, b, mustBeEqual } = await begin();
    const committed = gate();
    const a = await machine(stack, { between: diesAfterCommit(committed.open) });
    a.die();
    void a.save('of the dead');
    await committed.opened;
    // Twice: the second answer comes from Redis, and is no more confirmed than the first.
    for (const tier of [/^(mirror|cache)$/, /^cache$/]) {
      const { titles, from } = await b.see('fast');
      expect(titles).toEqual(['first']);
      expect(from).toMatchObject({ ageMs: null, notes: [expect.stringContaining('unconfirmed')] });
      expect(from.tier).toMatch(tier);
      await b.shelf.idle();
    }
    expect((await b.see()).titles).toEqual(['first', 'of the dead']);
    expect((await b.save('of the living')).tiers.mirror).toBe('saved');
    const c = await machine(stack);
    for (const each of [b, c]) expect((await each.see()).titles).toEqual(['first', 'of the dead', 'of the living']);
    expect(await stack.doubts()).toBe(1);
    expect((await c.see('fast')).from.ageMs).toBeNull();

    await stack.sql`UPDATE strata_mirror.doubts SET deadline_ms = 1`;
    await c.see();
    expect(await stack.doubts()).toBe(0);
    expect((await b.see('fast')).from.ageMs).not.toBeNull();
    await mustBeEqual();
  });

  test('a confirmation on B while a save of A is in flight takes no doubt away, whatever becomes of A', async () => {
    const { stack, b, age, mustBeEqual } = await begin();
    for (const dies of [true, false]) {
      const [go, committed] = [gate(), gate()];
      const ends = diesAfterCommit(committed.open, go.opened);
      const lives = (origin: Origin): Partial<Origin> => ({
        async commit(request) {
          await go.opened;
          return origin.commit(request);
        },
      });
      const a = await machine(stack, { between: dies ? ends : lives });
      if (dies) a.die();
      const title = dies ? 'late of the dead' : 'late';
      const before = (await b.see()).titles;
      const doubts = await stack.doubts();
      const saving = a.save(title);
      await vi.waitFor(async () => expect(await stack.doubts()).toBe(doubts + 1), 5_000);
      for (const consistency of ['fresh', 'verified', undefined] as const) {
        await age();
        expect((await b.see(consistency)).titles).toEqual(before);
      }
      await b.sync.run({ reason: 'test' });
      expect(await stack.doubts()).toBe(doubts + 1);
      go.open();
      if (dies) {
        await committed.opened;
        expect((await b.see('fast')).from.ageMs).toBeNull();
      } else {
        expect((await saving).tiers.mirror).toBe('saved');
        expect(await stack.doubts()).toBe(doubts);
        expect((await b.see('fast')).titles).toContain(title);
      }
      expect((await b.see()).titles).toContain(title);
    }
    await mustBeEqual();
  });

  test('what A saved or edited is read on B at once, also where B had just answered from Redis', async () => {
    const { stack, b } = await begin();
    const a = await machine(stack);
    const { path, ...made } = await a.save('edited');
    let { blob } = made;
    const titles = ['edited', 'first'];
    for (let round = 0; round < 4; round++) {
      const title = `note ${round}`;
      titles.push((await a.save(title)) && title);
      const edit = { id: made.id, path, replaces: blob };
      ({ blob } = await a.save(`version ${round}`, { title: 'edited', edit }));
      // The first from Postgres, under the new commit, all others from Redis.
      for (const tier of [/^(mirror|cache)$/, /^cache$/, /^cache$/]) {
        const seen = await b.see('fast');
        expect(seen.titles).toEqual(titles.toSorted());
        expect(seen.from.tier).toMatch(tier);
        expect(seen.from.ageMs).not.toBeNull();
        const opened = await b.open(path, 'fast');
        expect(opened.text).toContain(`version ${round}`);
        expect(opened.from.tier).toMatch(tier);
        await b.shelf.idle();
      }
    }
  });

  test('a head that A asked for before B applied a newer one does not replace it', async () => {
    const { stack, b, mustBeEqual } = await begin();
    const [asked, go] = [gate(), gate()];
    let once = true;
    const a = await machine(stack, {
      between: (origin) => ({
        async head(): Promise<Tip | null> {
          const head = await origin.head();
          if (once) {
            once = false;
            asked.open();
            await go.opened;
          }
          return head;
        },
      }),
    });
    await stack.github.commitOutside({ 'outside.md': '# outside\n' });
    const syncing = a.sync.run({ reason: 'test' });
    await asked.opened;
    expect((await b.save('acknowledged')).tiers.mirror).toBe('saved');
    go.open();
    await syncing;
    for (const each of [a, b])
      for (const consistency of ['fast', undefined, 'fresh'] as const)
        expect((await each.see(consistency)).titles).toEqual(['acknowledged', 'first', 'outside']);
    await mustBeEqual();
  });

  test('the step of a save that B overtook between commit and apply is made up for: both notes, one history', async () => {
    const { stack, b, mustBeEqual } = await begin();
    const [committed, go] = [gate(), gate()];
    const a = await machine(stack, {
      between: (origin) => ({
        async commit(request: CommitRequest) {
          const result = await origin.commit(request);
          committed.open();
          await go.opened;
          return result;
        },
      }),
    });
    const saving = a.save('overtaken');
    await committed.opened;
    const second = await b.save('overtaking');
    expect((await b.see('fast')).titles).toEqual(['first', 'overtaken', 'overtaking']);
    go.open();
    const first = await saving;
    expect(first.tiers.mirror).toBe('saved');
    for (const each of [a, b]) expect((await each.see('fast')).titles).toEqual(['first', 'overtaken', 'overtaking']);
    expect(await stack.doubts()).toBe(0);
    expect((await a.see('fast')).from.ageMs).not.toBeNull();
    await expectOnce(stack.github, [first.id, second.id]);
    await mustBeEqual();
  });

  test('the same save on A and B at one moment is one note, and of two edits of one version one wins', async () => {
    const { stack, b, mustBeEqual } = await begin();
    const a = await machine(stack);
    const twins = await Promise.all([a.save('at once'), b.save('at once')]);
    expect(twins.map(({ status }) => status).sort()).toEqual(['already saved', 'saved']);
    expect(new Set(twins.map(({ id }) => id)).size).toBe(1);
    const { id, path, blob } = twins[0];
    const edit = { id, path, replaces: blob };
    const edits = await Promise.allSettled([a, b].map((each, at) => each.save(`edit ${at}`, { edit })));
    expect(edits.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const lost = edits.find((each) => each.status === 'rejected');
    expect(lost?.reason).toMatchObject({ code: 'conflict' });
    await vi.waitFor(async () => expect(await stack.doubts()).toBe(0), 5_000);
    await mustBeEqual();
  });

  test('a save whose mirror step failed on A is in Redis for B while Postgres is down, and in Postgres when it is back', async () => {
    const { stack, b: _, mustBeEqual } = await begin();
    const { databaseUrl, proxy } = await behindProxy(stack.databaseUrl);
    const shared = { ...stack, databaseUrl };
    const b = await machine(shared);
    const a = await machine(shared, {
      between: (origin) => ({
        async commit(request: CommitRequest) {
          const result = await origin.commit(request);
          await proxy.refuse();
          return result;
        },
      }),
    });
    expect((await b.see()).titles).toEqual(['first']);
    await b.shelf.idle();
    const receipt = await a.save('late');
    expect(receipt).toMatchObject({ status: 'saved', tiers: { origin: 'saved', mirror: 'behind' } });
    expect(receipt.warnings).toEqual([expect.stringContaining('The note is safe at the origin')]);
    expect((await b.shelf.late()).map(({ path }) => path)).toEqual([receipt.path]);

    // GitHub answers: it is the next tier, and has it too.
    const near = await b.see();
    expect(near.titles).toEqual(['first', 'late']);
    expect(near.from).toMatchObject({ tier: 'origin', skipped: [{ tier: 'mirror' }] });
    // Nothing but Redis answers: the note by its id; of lists what was before, and that this is not all.
    await stack.github.down();
    const opened = await b.open(receipt.path);
    expect(opened.text).toContain('late');
    expect(opened.from).toMatchObject({
      tier: 'cache',
      ageMs: null,
      notes: [expect.stringContaining('saved while the mirror could not be reached')],
    });
    const old = await b.see();
    expect(old.titles).toEqual(['first']);
    expect(old.from).toMatchObject({ tier: 'cache', ageMs: null });
    expect(old.from.notes.join()).toContain('notes saved since then are missing');

    await stack.github.up();
    await proxy.restore();
    const back = await b.see();
    expect(back.titles).toEqual(['first', 'late']);
    expect(back.from.tier).toBe('mirror');
    await vi.waitFor(() => expect(a.writer.behind()).toBe(false), 10_000);
    await a.shelf.idle();
    expect(await b.shelf.late()).toEqual([]);
    for (const each of [a, b]) expect((await each.see('fast')).titles).toEqual(['first', 'late']);
    await mustBeEqual();
  });
});

/** The same database at an address of ours, which may stop answering. */
async function behindProxy(databaseUrl: string) {
  const url = new URL(databaseUrl);
  const [host = '', port = '5432'] = ['host', 'port'].map((name) => url.searchParams.get(name) ?? undefined);
  const proxy = await startTcpProxy(
    host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port: Number(port) },
  );
  onTestFinished(() => proxy.close());
  url.searchParams.set('host', '127.0.0.1');
  url.searchParams.set('port', String(proxy.port));
  return { databaseUrl: url.href, proxy };
}
