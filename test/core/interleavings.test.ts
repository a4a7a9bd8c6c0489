import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { MemoryError } from '../../src/core/errors.js';
import type { CommitRequest, CommitResult, Origin, Tip } from '../../src/core/ports.js';
import { git, tempFolder } from '../support/home.js';
import { bareRepository, commitFiles, notesAt } from '../support/repository.js';
import { gate, openStand, type Stand } from '../support/stand.js';

const never = new Promise<never>(() => {});

/** An origin behind which the process ends as soon as its commit stands. */
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

/** A home where a first note is, known to the mirror and confirmed. */
async function begin(options: Parameters<typeof openStand>[1] = {}): Promise<{ repository: string; stand: Stand }> {
  const repository = bareRepository();
  const stand = await openStand(repository, options);
  await stand.save('first');
  expect((await stand.see()).titles).toEqual(['first']);
  return { repository, stand };
}

async function mustBeEqual(stand: Stand, repository: string): Promise<void> {
  expect((await stand.state()).head?.commit).toBe(git(repository, 'rev-parse', 'main'));
  expect(new Map([...(await stand.paths())].sort())).toEqual(new Map([...notesAt(repository)].sort()));
}

const forceTo = (repository: string, commit: string) => git(repository, 'update-ref', 'refs/heads/main', commit);

describe('doubt', () => {
  test('of a writer that died after its commit outlives the next writer, until it has expired', async () => {
    const { repository, stand: b } = await begin();
    const committed = gate();
    const a = await openStand(repository, {
      home: b.home,
      withoutMutex: true,
      between: diesAfterCommit(committed.open),
    });
    a.die();
    void a.save('of the dead');
    await committed.opened;
    expect((await b.see('fast')).titles).toEqual(['first']);
    expect((await b.see('fast')).from).toMatchObject({ ageMs: null, notes: [expect.stringContaining('unconfirmed')] });

    expect((await b.save('of the living')).tiers.mirror).toBe('saved');
    expect((await b.state()).doubts).toBe(1);
    expect((await b.see('fast')).from.ageMs).toBeNull();
    const other = await openStand(repository, { home: b.home });
    for (const each of [b, other]) expect((await each.see()).titles).toEqual(['first', 'of the dead', 'of the living']);
    expect((await b.state()).doubts).toBe(1);

    b.sql('UPDATE doubts SET deadline_ms = ?', Date.now() - 1);
    await b.see();
    expect((await b.state()).doubts).toBe(0);
    expect((await b.see('fast')).from.ageMs).not.toBeNull();
  });

  test('makes every default read look, so that the note of a dead writer is seen at once', async () => {
    const { repository, stand } = await begin();
    const committed = gate();
    const a = await openStand(repository, { home: stand.home, between: diesAfterCommit(committed.open) });
    a.die();
    void a.save('unapplied');
    await committed.opened;
    expect((await stand.see()).titles).toEqual(['first', 'unapplied']);
    await mustBeEqual(stand, repository);
  });

  test('is not taken away by a reader that confirms while the save is in flight', async () => {
    const { repository, stand } = await begin();
    const [go, committed] = [gate(), gate()];
    const a = await openStand(repository, {
      home: stand.home,
      between: diesAfterCommit(committed.open, go.opened),
    });
    a.die();
    void a.save('late');
    await vi.waitFor(async () => expect((await stand.state()).doubts).toBe(1));
    // Confirmed at a head that the save is not in yet.
    for (const consistency of ['fresh', 'verified', undefined] as const)
      expect((await stand.see(consistency)).titles).toEqual(['first']);
    await stand.sync.run({ reason: 'test' });
    expect((await stand.state()).doubts).toBe(1);
    go.open();
    await committed.opened;
    expect((await stand.see('fast')).from.ageMs).toBeNull();
    expect((await stand.see()).titles).toEqual(['first', 'late']);
  });

  test('goes only where it had expired before the request that confirms began', async () => {
    const { stand } = await begin();
    const { head, nowMs, generation } = await stand.state();
    await stand.mirror.doubt([{ saveId: 'someone', deadlineMs: nowMs + 5 }]);
    await stand.mirror.confirm(head, nowMs);
    expect((await stand.state()).doubts).toBe(1);
    const step = { head, documents: [], live: [], gone: [], settles: [] };
    expect(await stand.mirror.apply({ ...step, expectedGeneration: generation, confirmedAtMs: nowMs + 5 })).toBe(true);
    expect((await stand.state()).doubts).toBe(1);
    await stand.mirror.confirm(head, nowMs + 6);
    expect((await stand.state()).doubts).toBe(0);
  });

  test('of one save is settled by its own step only, and a longer deadline is never shortened', async () => {
    const { stand } = await begin();
    const { head, nowMs, generation } = await stand.state();
    await stand.mirror.doubt([
      { saveId: 'mine', deadlineMs: nowMs + 60_000 },
      { saveId: 'theirs', deadlineMs: nowMs + 60_000 },
    ]);
    await stand.mirror.doubt([{ saveId: 'theirs', deadlineMs: nowMs + 90_000 }]);
    await stand.mirror.doubt([{ saveId: 'theirs', deadlineMs: nowMs + 1_000 }]);
    const step = { head, documents: [], live: [], gone: [], settles: ['mine'], confirmedAtMs: nowMs + 80_000 };
    expect(await stand.mirror.apply({ ...step, expectedGeneration: generation })).toBe(true);
    expect((await stand.state()).doubts).toBe(1);
  });

  test('is left by nobody once every save was answered', async () => {
    const { repository, stand } = await begin();
    const first = await stand.save('to edit');
    await Promise.allSettled([
      stand.save('to edit'),
      stand.save('same', { key: 'k' }),
      stand.save('other', { key: 'k' }),
      stand.save('edit a', { edit: editOf(first) }),
      stand.save('edit b', { edit: editOf(first) }),
      stand.save('edit c', { edit: { ...editOf(first), path: 'gone.md', id: 'gone' } }),
    ]);
    await vi.waitFor(async () => expect((await stand.state()).doubts).toBe(0), 5_000);
    await mustBeEqual(stand, repository);
  });
});

describe('the head', () => {
  test('that was asked for before another process applied a newer one does not replace it', async () => {
    const { repository, stand } = await begin();
    const [asked, go] = [gate(), gate()];
    let once = true;
    const slow = await openStand(repository, {
      home: stand.home,
      withoutMutex: true,
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
    commitFiles(repository, { 'outside.md': '# outside\n' });
    const syncing = slow.sync.run({ reason: 'test' });
    await asked.opened;
    await stand.save('acknowledged');
    go.open();
    await syncing;
    for (const each of [stand, slow])
      for (const consistency of ['fast', undefined, 'fresh'] as const)
        expect((await each.see(consistency)).titles).toEqual(['acknowledged', 'first', 'outside']);
    await mustBeEqual(stand, repository);
  });

  test('that went from A to B and back to A under a sync is followed, each step by its generation', async () => {
    const { repository, stand } = await begin();
    const a = git(repository, 'rev-parse', 'main');
    const { generation } = await stand.state();
    const [listed, go] = [gate(), gate()];
    let once = true;
    const slow = await openStand(repository, {
      home: stand.home,
      withoutMutex: true,
      between: (origin) => ({
        async list(commit: string) {
          const entries = await origin.list(commit);
          if (once) {
            once = false;
            listed.open();
            await go.opened;
          }
          return entries;
        },
      }),
    });
    commitFiles(repository, { 'b.md': '# b\n' });
    const syncing = slow.sync.run({ reason: 'test' });
    await listed.opened;
    await stand.sync.run({ reason: 'test' });
    expect((await stand.see('fast')).titles).toEqual(['b', 'first']);
    forceTo(repository, a);
    await stand.sync.run({ reason: 'test' });
    expect((await stand.state()).generation).toBe(generation + 2);
    go.open();
    await syncing;
    expect((await stand.see('fast')).titles).toEqual(['first']);
    await mustBeEqual(stand, repository);
  });

  test('that was forced back under a save is not put over what the mirror has learnt since', async () => {
    const { repository, stand } = await begin();
    const before = git(repository, 'rev-parse', 'main');
    const [committed, go] = [gate(), gate()];
    const writer = await openStand(repository, {
      home: stand.home,
      withoutMutex: true,
      between: (origin) => ({
        async commit(request: CommitRequest) {
          const result = await origin.commit(request);
          committed.open();
          await go.opened;
          return result;
        },
      }),
    });
    const saving = writer.save('forced away');
    await committed.opened;
    await stand.sync.run({ reason: 'test' });
    forceTo(repository, before);
    await stand.sync.run({ reason: 'test' });
    go.open();
    await saving;
    await mustBeEqual(stand, repository);
    expect((await stand.see('fast')).titles).toEqual(['first']);
  });

  test('is asked for again when its confirmation lies in the future: a clock was set back', async () => {
    const { repository, stand } = await begin();
    commitFiles(repository, { 'outside.md': '# outside\n' });
    expect((await stand.see()).titles).toEqual(['first']);
    stand.sql('UPDATE state SET confirmed_at_ms = ?', Date.now() + 3_600_000);
    expect((await stand.see('fast')).from).toMatchObject({ ageMs: null, notes: ['unconfirmed'] });
    expect((await stand.see()).titles).toEqual(['first', 'outside']);
    expect((await stand.see()).from.ageMs).not.toBeNull();
  });

  test('is asked for by default reads only when it is older than MEMORY_STALE_AFTER', async () => {
    const { repository, stand } = await begin();
    commitFiles(repository, { 'outside.md': '# outside\n' });
    stand.sql('UPDATE state SET confirmed_at_ms = ?', Date.now() - 3_500_000);
    expect((await stand.see()).titles).toEqual(['first']);
    stand.sql('UPDATE state SET confirmed_at_ms = ?', Date.now() - 3_700_000);
    expect((await stand.see('fast')).titles).toEqual(['first']);
    expect((await stand.see()).titles).toEqual(['first', 'outside']);
  });

  test('is asked for by every default read while a doubt stands, and by `fresh` always', async () => {
    const { repository, stand } = await begin();
    commitFiles(repository, { 'one.md': '# one\n' });
    await stand.mirror.doubt([{ saveId: 'somebody', deadlineMs: Date.now() + 60_000 }]);
    expect((await stand.see('fast')).from.notes).toEqual([expect.stringContaining('a save is or was in flight')]);
    expect((await stand.see()).titles).toEqual(['first', 'one']);
    commitFiles(repository, { 'two.md': '# two\n' });
    expect((await stand.see()).titles).toEqual(['first', 'one', 'two']);
    await stand.mirror.settle(['somebody']);
    commitFiles(repository, { 'three.md': '# three\n' });
    expect((await stand.see()).titles).toHaveLength(3);
    expect((await stand.see('fresh')).titles).toHaveLength(4);
    commitFiles(repository, { 'four.md': '# four\n' });
    expect((await stand.see(undefined, 'fresh')).titles).toHaveLength(5);
  });

  test('that cannot be asked for leaves the old answer, marked; `verified` says so instead', async () => {
    const { repository, stand } = await begin();
    renameSync(repository, `${repository}.away`);
    stand.sql('UPDATE state SET confirmed_at_ms = 1');
    const { titles, from } = await stand.see();
    expect(titles).toEqual(['first']);
    expect(from).toMatchObject({ ageMs: null, notes: [expect.stringContaining('could not be asked')] });
    await expect(stand.see('verified')).rejects.toMatchObject({ code: 'origin_unavailable' });
    renameSync(`${repository}.away`, repository);
    expect((await stand.see()).from.ageMs).not.toBeNull();
  });
});

test('one operation reads one snapshot, whatever a sync applies meanwhile', async () => {
  const { repository, stand } = await begin();
  const [reading, go] = [gate(), gate()];
  const answer = stand.reader.read(stand.caller, 'fast', 'fast', async (view) => {
    const before = await view.count(stand.caller, {});
    reading.open();
    await go.opened;
    return { before, after: await view.count(stand.caller, {}), state: await view.state() };
  });
  await reading.opened;
  const old = await stand.state();
  commitFiles(repository, { 'a.md': '# a\n', 'b.md': '# b\n' });
  await stand.sync.run({ reason: 'test' });
  go.open();
  const { value, provenance } = await answer;
  expect(value).toMatchObject({ before: 1, after: 1, state: { generation: old.generation } });
  expect(provenance.commit).toBe(old.head?.commit);
  expect((await stand.see('fast')).titles).toEqual(['a', 'b', 'first']);
});

test('documents dropped for repair come back though the process dies before it repairs', async () => {
  const { repository, stand } = await begin();
  await stand.save('second');
  await stand.mirror.drop([...(await stand.paths()).keys()].slice(0, 1));
  const next = await openStand(repository, { home: stand.home });
  expect((await next.see()).titles).toEqual(['first', 'second']);
  await mustBeEqual(next, repository);
});

describe('a mirror that fails', () => {
  /** Puts a file where the mirror's folder was; the returned function brings the folder back. */
  function breakMirror(stand: Stand): () => void {
    const folder = dirname(stand.mirrorPath);
    renameSync(folder, `${folder}-away`);
    writeFileSync(folder, '');
    return () => {
      rmSync(folder);
      renameSync(`${folder}-away`, folder);
    };
  }

  test('between doubt and apply costs a warning; the note is read from any process, before and after it is back', async () => {
    const { repository, stand: reader } = await begin();
    let mend = () => {};
    const writer = await openStand(repository, {
      home: reader.home,
      between: (origin) => ({
        async commit(request: CommitRequest) {
          const result = await origin.commit(request);
          mend = breakMirror(reader);
          return result;
        },
      }),
    });
    const receipt = await writer.save('kept');
    expect(receipt).toMatchObject({ status: 'saved', tiers: { origin: 'saved', mirror: 'behind' } });
    expect(receipt.warnings.join()).toContain('The note is safe at the origin');
    for (const each of [writer, reader]) {
      const { titles, from } = await each.see();
      expect(titles).toEqual(['first', 'kept']);
      expect(from).toMatchObject({ tier: 'origin', skipped: [{ tier: 'mirror' }] });
    }
    mend();
    for (const each of [reader, writer]) {
      const { titles, from } = await each.see();
      expect(titles).toEqual(['first', 'kept']);
      expect(from.tier).toBe('mirror');
    }
    await mustBeEqual(reader, repository);
  });

  test('before the doubt could be placed is told as soon as it is back', async () => {
    const { repository, stand } = await begin();
    const mend = breakMirror(stand);
    const receipt = await stand.save('undoubted');
    expect(receipt).toMatchObject({ status: 'saved', tiers: { mirror: 'behind' } });
    mend();
    expect((await stand.see()).titles).toEqual(['first', 'undoubted']);
    const other = await openStand(repository, { home: stand.home });
    await vi.waitFor(() => expect(stand.writer.behind()).toBe(false), 10_000);
    expect((await other.see('fast')).titles).toEqual(['first', 'undoubted']);
    expect((await other.see('fast')).from.ageMs).not.toBeNull();
  });

  test('while the saves of a group are prepared does not stop them', async () => {
    const { repository, stand: reader } = await begin();
    let mend = () => {};
    let heads = 0;
    const writer = await openStand(repository, {
      home: reader.home,
      between: (origin) => ({
        async find(commit: string, paths: string[]) {
          if (heads++ === 0) mend = breakMirror(reader);
          return origin.find(commit, paths);
        },
      }),
    });
    const first = notesAt(repository).keys().next().value as string;
    const edit = { id: first.replace(/\.md$/, ''), path: first, replaces: notesAt(repository).get(first) as string };
    const receipts = await Promise.all([
      writer.save('edited', { edit }),
      writer.save('new one'),
      writer.save('keyed', { key: 'k' }),
    ]);
    for (const receipt of receipts) expect(receipt.status).toBe('saved');
    mend();
    expect((await writer.see()).titles).toEqual(['edited', 'keyed', 'new one']);
  });
});

function editOf(receipt: { id: string; path: string; blob: string }) {
  return { id: receipt.id, path: receipt.path, replaces: receipt.blob };
}

describe('the same save', () => {
  test('again, at once, or from another process is the same note', async () => {
    const { repository, stand } = await begin();
    const one = await stand.save('repeated');
    expect(await stand.save('repeated')).toMatchObject({ status: 'already saved', id: one.id, blob: one.blob });
    // What differs in any field is not the same: nothing that was given is dropped.
    expect(await stand.save('repeated', { title: 'by another title' })).toMatchObject({ status: 'saved' });
    const twins = await Promise.all([1, 2, 3].map(() => stand.save('at once')));
    expect(twins.map(({ status }) => status).sort()).toEqual(['already saved', 'already saved', 'saved']);
    expect(new Set(twins.map(({ id }) => id)).size).toBe(1);
    for (const home of [stand.home, tempFolder()]) {
      const other = await openStand(repository, { home });
      expect(await other.save('repeated')).toMatchObject({ status: 'already saved', id: one.id });
    }
    expect(await stand.save('repeated', { project: 'else/where' })).toMatchObject({ status: 'saved' });
    const somebody = await openStand(repository, { home: stand.home, subject: 'somebody' });
    expect(await somebody.save('repeated')).toMatchObject({ status: 'saved' });
    expect(notesAt(repository).size).toBe(6);
  });

  test('by two processes at the same moment is one note, with one mirror or two', async () => {
    for (const shared of [true, false]) {
      const { repository, stand } = await begin();
      const other = await openStand(repository, { home: shared ? stand.home : tempFolder() });
      const receipts = await Promise.all([
        stand.save('both', { key: 'k' }),
        other.save('both', { key: 'k' }),
        stand.save('both, no key'),
        other.save('both, no key'),
      ]);
      expect(receipts.map(({ status }) => status).sort()).toEqual(['already saved', 'already saved', 'saved', 'saved']);
      expect(notesAt(repository).size).toBe(3);
    }
  });

  test('is a new note after 24 hours, unless it has a key', async () => {
    const { stand } = await begin();
    await stand.save('daily');
    const keyed = await stand.save('keyed', { key: 'k' });
    stand.sql("UPDATE documents SET time_ms = time_ms - 86400001 WHERE save_key = ''");
    expect((await stand.save('daily')).status).toBe('saved');
    expect(await stand.save('keyed', { key: 'k' })).toMatchObject({ status: 'already saved', id: keyed.id });
  });

  test('with its key and other content is a conflict that names the note and its blob', async () => {
    const { repository, stand } = await begin();
    const one = await stand.save('the first', { key: 'k' });
    const told = { code: 'conflict', message: expect.stringMatching(new RegExp(`${one.id} .*${one.blob}`)) };
    await expect(stand.save('the second', { key: 'k' })).rejects.toMatchObject(told);
    const other = await openStand(repository);
    await expect(other.save('the third', { key: 'k' })).rejects.toMatchObject(told);
    // At the same moment too: one of them is saved, and the other told which.
    const both = await Promise.allSettled([stand.save('x', { key: 'l' }), stand.save('y', { key: 'l' })]);
    const [saved] = both.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const [lost] = both.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(lost.message).toContain(saved?.id);
    expect(lost.message).toContain(saved?.blob);
    expect(notesAt(repository).size).toBe(3);
  });
});

describe('an edit', () => {
  test('of a version that is not the current one is a conflict with the current blob', async () => {
    const { repository, stand } = await begin();
    const one = await stand.save('v1');
    const two = await stand.save('v2', { edit: editOf(one) });
    expect(two).toMatchObject({ status: 'saved', id: one.id });
    await expect(stand.save('v3', { edit: editOf(one) })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(two.blob),
    });
    commitFiles(repository, { [one.path]: '# by hand\n' });
    await expect(stand.save('v3', { edit: editOf(two) })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(notesAt(repository).get(one.path) as string),
    });
    expect(git(repository, 'show', `main:${one.path}`)).toBe('# by hand');
  });

  test('beside another of the same note never overwrites it', async () => {
    const { repository, stand } = await begin();
    const other = await openStand(repository);
    for (const [left, right] of [
      [stand, stand],
      [stand, other],
    ] as const) {
      const one = await stand.save(`v1 ${left === right}`);
      const both = await Promise.allSettled([
        left.save('left', { edit: editOf(one) }),
        right.save('right', { edit: editOf(one) }),
      ]);
      const won = both.filter((each) => each.status === 'fulfilled').map(({ value }) => value.blob);
      const lost = both.filter((each) => each.status === 'rejected').map(({ reason }) => reason);
      expect(won).toEqual([notesAt(repository).get(one.path)]);
      expect(lost).toMatchObject([{ code: 'conflict', message: expect.stringContaining(won[0] as string) }]);
    }
  });

  test('that differs in a field only is no twin', async () => {
    const { repository, stand } = await begin();
    const one = await stand.save('v1');
    const edits = [{ status: 'open' }, { status: 'done' }].map((fields) =>
      stand.save('v2', { ...fields, edit: editOf(one) }),
    );
    const settled = await Promise.allSettled(edits);
    expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const won = settled[0]?.status === 'fulfilled' ? 'open' : 'done';
    expect(git(repository, 'show', `main:${one.path}`)).toContain(`status: ${won}`);
  });

  test('made again, because its answer was lost, is the same edit', async () => {
    const { repository, stand } = await begin();
    const one = await stand.save('v1', { tags: ['a'], key: 'k' });
    const two = await stand.save('v2', { edit: editOf(one), tags: ['b'], status: 'done' });
    const again = await stand.save('v2', { edit: editOf(one), tags: ['b'], status: 'done' });
    expect(again).toMatchObject({ status: 'already saved', blob: two.blob });
    expect((await stand.save('v3', { edit: editOf(two) })).status).toBe('saved');
    await expect(stand.save('v2', { edit: editOf(one), tags: ['b'] })).rejects.toMatchObject({ code: 'conflict' });
    await mustBeEqual(stand, repository);
  });

  test('of a note that is gone from the origin saves nothing and says so', async () => {
    const { repository, stand } = await begin();
    const one = await stand.save('v1');
    commitFiles(repository, { [one.path]: null });
    await expect(stand.save('v2', { edit: editOf(one) })).rejects.toMatchObject({ code: 'not_found' });
    expect(notesAt(repository).has(one.path)).toBe(false);
  });
});

describe('a save', () => {
  test('that is cancelled before it is sent leaves nothing, and takes no twin with it', async () => {
    const { repository, stand } = await begin();
    const [asked, go] = [gate(), gate()];
    let held = true;
    const slow = await openStand(repository, {
      home: stand.home,
      between: (origin) => ({
        async head() {
          asked.open();
          if (held) await go.opened;
          return origin.head();
        },
      }),
    });
    const stop = new AbortController();
    const first = slow.save('ahead');
    await asked.opened;
    const cancelled = slow.save('cancelled', { signal: stop.signal });
    const alone = slow.save('cancelled alone', { signal: stop.signal });
    const twin = slow.save('cancelled');
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    held = false;
    go.open();
    for (const each of [cancelled, alone]) await expect(each).rejects.toMatchObject({ code: 'cancelled' });
    expect((await twin).status).toBe('saved');
    expect((await first).status).toBe('saved');
    expect((await slow.see()).titles).toEqual(['ahead', 'cancelled', 'first']);
    await vi.waitFor(async () => expect((await slow.state()).doubts).toBe(0), 5_000);
  });

  test('that is cancelled after it was sent is saved', async () => {
    const { repository, stand } = await begin();
    const stop = new AbortController();
    const writer = await openStand(repository, {
      home: stand.home,
      between: (origin) => ({
        async commit(request: CommitRequest) {
          stop.abort();
          return origin.commit(request);
        },
      }),
    });
    expect((await writer.save('sent', { signal: stop.signal })).status).toBe('saved');
    expect((await stand.see()).titles).toEqual(['first', 'sent']);
  });

  test('sends nothing after its deadline', async () => {
    const { repository, stand } = await begin();
    const head = git(repository, 'rev-parse', 'main');
    const clock = performance.now.bind(performance);
    let aheadMs = 0;
    const time = vi.spyOn(performance, 'now').mockImplementation(() => clock() + aheadMs);
    const late = await openStand(repository, {
      home: stand.home,
      between: (origin) => ({
        async commit(request: CommitRequest) {
          aheadMs = 31_000;
          return origin.commit(request);
        },
      }),
    });
    try {
      await expect(late.save('too late')).rejects.toMatchObject({ code: 'deadline' });
    } finally {
      time.mockRestore();
    }
    expect(git(repository, 'rev-parse', 'main')).toBe(head);
    expect((await stand.state()).doubts).toBe(0);
  });

  test('whose answer was lost is called unknown, stays in doubt, and is recognised where it did arrive', async () => {
    const { repository, stand } = await begin();
    const cause = new MemoryError('origin_unavailable', 'The line went dead.', '');
    const lossy = (commits: boolean) => (origin: Origin) => ({
      async commit(request: CommitRequest): Promise<CommitResult> {
        if (commits) await origin.commit(request);
        return { outcome: 'unknown', cause };
      },
    });
    const unknown = { code: 'origin_unavailable', message: expect.stringContaining('unknown whether this was saved') };
    const lucky = await openStand(repository, { home: stand.home, between: lossy(true) });
    await expect(lucky.save('arrived')).rejects.toMatchObject(unknown);
    const unlucky = await openStand(repository, { home: stand.home, between: lossy(false) });
    await expect(unlucky.save('maybe')).rejects.toMatchObject(unknown);
    // What was sent may still arrive: nobody trusts the head until it cannot any more.
    expect((await stand.state()).doubts).toBe(2);
    expect((await stand.see()).titles).toEqual(['arrived', 'first']);
    expect((await stand.save('arrived')).status).toBe('already saved');
    expect((await stand.save('maybe')).status).toBe('saved');
    expect((await stand.see()).titles).toEqual(['arrived', 'first', 'maybe']);
  });

  test('made while the first sync takes its time goes to the origin and does not wait for it', async () => {
    const repository = bareRepository();
    commitFiles(repository, { 'there.md': '# there\n' });
    const go = gate();
    const stand = await openStand(repository, {
      between: (origin) => ({
        async list(commit: string) {
          await go.opened;
          return origin.list(commit);
        },
      }),
    });
    const receipt = await stand.save('early');
    expect(receipt).toMatchObject({ status: 'saved', tiers: { origin: 'saved', mirror: 'behind' } });
    expect(notesAt(repository).get(receipt.path)).toBe(receipt.blob);
    const reading = stand.see();
    go.open();
    expect((await reading).titles).toEqual(['early', 'there']);
  });

  test('that is refused fails alone', async () => {
    const { repository, stand } = await begin();
    commitFiles(repository, { 'sessions/taken/here': 'a file where a folder would have to be' });
    const settled = await Promise.allSettled([
      stand.save('good one'),
      stand.save('bad', { project: 'taken/here' }),
      stand.save('good two'),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await stand.see()).titles).toEqual(['first', 'good one', 'good two']);
    expect((await stand.state()).doubts).toBe(0);
  });
});
