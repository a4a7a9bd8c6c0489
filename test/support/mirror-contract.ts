import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Caller } from '../../src/core/caller.js';
import { bodyHash, type IndexedDocument, type SameSave } from '../../src/core/documents.js';
import { objectId } from '../../src/core/hash.js';
import { indexDocument } from '../../src/core/index-document.js';
import type { Filter, Head, Mirror, Step } from '../../src/core/ports.js';
import { readQuery } from '../../src/search/query.js';
import { hitsOf } from './search.js';

/** A mirror of one origin; `again` opens the same one once more, as another process would. Closed when the test ends. */
export interface MirrorUnderTest {
  mirror: Mirror;
  /** Absent where a mirror cannot be shared. */
  again?(): Mirror;
}

export const everybody = (subject = 'ann'): Caller => ({
  subject,
  projects: 'all',
  scopes: new Set(['read' as const]),
  client: 'test',
});

export const head = (letter: string): Head => ({ commit: letter.repeat(40), tree: letter.toUpperCase().repeat(40) });

/** A note as the sync would index it. */
export function note(path: string, text: string | Uint8Array, fields: Record<string, unknown> = {}): IndexedDocument {
  const front = Object.entries(fields).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`);
  const content =
    typeof text === 'string' ? Buffer.from(front.length > 0 ? `---\n${front.join('')}---\n${text}` : text) : text;
  return indexDocument({
    path,
    blob: objectId('blob', content, 'sha1'),
    type: 'file',
    bytes: content.length,
    content,
    changedMs: 1_000,
  });
}

/** Puts documents where everybody sees them. */
export async function put(mirror: Mirror, documents: IndexedDocument[], more: Partial<Step> = {}): Promise<boolean> {
  const state = await mirror.snapshot((view) => view.state());
  return mirror.apply({
    expectedGeneration: state.generation,
    head: state.head ?? head('a'),
    documents,
    live: documents.map(({ path, blob }) => ({ path, blob })),
    gone: [],
    settles: [],
    confirmedAtMs: null,
    ...more,
  });
}

/** The terms that a query asks for. */
export const queryTerms = (query: string): string[] => readQuery(query).wanted.map(({ term }) => term);

const found = async (mirror: Mirror, query: string, filter: Filter = {}, caller = everybody()) =>
  (await mirror.snapshot((view) => hitsOf(view, caller, queryTerms(query), filter, 50))).map(
    (hit) => hit.document.path,
  );
const listed = async (mirror: Mirror, filter: Filter = {}, caller = everybody()) =>
  (await mirror.snapshot((view) => view.list(caller, filter, { limit: 100 }))).map(({ path }) => path);
const state = (mirror: Mirror) => mirror.snapshot((view) => view.state());

/** What every mirror promises. */
export function mirrorContract(name: string, open: () => Promise<MirrorUnderTest> | MirrorUnderTest): void {
  describe(`mirror in ${name}`, () => {
    standing(open);
    steps(open);
    reading(open);
    visibility(open);
    past(open);
    searching(open);
    sharing(open);
  });
}

type Open = Parameters<typeof mirrorContract>[1];

function standing(open: Open): void {
  test('a new mirror was never synced', async () => {
    const { mirror } = await open();
    const before = await mirror.clock();
    const now = await state(mirror);
    expect(now).toMatchObject({ head: null, generation: 0, confirmedAtMs: null, doubts: 0 });
    expect(now.nowMs).toBeGreaterThanOrEqual(before);
    expect(Math.abs(before - Date.now())).toBeLessThan(60_000);
    expect((await mirror.describe()).kind).not.toBe('');
  });

  test('an origin without commits is a head too, and not the same as never synced', async () => {
    const { mirror } = await open();
    expect(await put(mirror, [], { head: null, confirmedAtMs: 5 })).toBe(true);
    expect(await state(mirror)).toMatchObject({ head: { commit: '', tree: '' }, confirmedAtMs: 5 });
    await mirror.confirm(null, 9);
    expect((await state(mirror)).confirmedAtMs).toBe(9);
  });

  test('each doubt is one row, taken away by its own writer only', async () => {
    const { mirror } = await open();
    const deadlineMs = (await mirror.clock()) + 60_000;
    await mirror.doubt([{ saveId: 'one', deadlineMs }]);
    await mirror.doubt([
      { saveId: 'two', deadlineMs },
      { saveId: 'one', deadlineMs: deadlineMs + 5 },
    ]);
    expect((await state(mirror)).doubts).toBe(2);
    await mirror.settle(['one', 'never placed']);
    expect((await state(mirror)).doubts).toBe(1);
    expect(await put(mirror, [], { settles: ['two'] })).toBe(true);
    expect((await state(mirror)).doubts).toBe(0);
  });

  test('a confirmation removes the doubts that had expired before its request, and no others', async () => {
    const { mirror } = await open();
    await put(mirror, []);
    await mirror.doubt([
      { saveId: 'expired', deadlineMs: 99 },
      { saveId: 'at the very moment', deadlineMs: 100 },
      { saveId: 'in flight', deadlineMs: 101 },
    ]);
    await mirror.confirm(head('b'), 100);
    expect(await state(mirror), 'another head confirms nothing').toMatchObject({ doubts: 3, confirmedAtMs: null });
    await mirror.confirm(head('a'), 100);
    expect(await state(mirror)).toMatchObject({ doubts: 2, confirmedAtMs: 100 });
    await put(mirror, [], { confirmedAtMs: 102 });
    expect(await state(mirror)).toMatchObject({ doubts: 0, confirmedAtMs: 102 });
  });

  test('a step without a confirmation leaves the one before', async () => {
    const { mirror } = await open();
    await put(mirror, [], { confirmedAtMs: 7 });
    const { generation } = await state(mirror);
    await put(mirror, [note('a.md', 'x')], { head: head('b') });
    expect(await state(mirror)).toMatchObject({ head: head('b'), confirmedAtMs: 7, generation: generation + 1 });
  });

  test('a mirror that begins anew begins beyond every generation of the one before', async () => {
    const before = (await open()).mirror;
    for (const letter of ['a', 'b', 'c']) await put(before, [], { head: head(letter) });
    const { generation } = await state(before);
    const anew = (await open()).mirror;
    await expect.poll(() => anew.clock()).toBeGreaterThan(generation);
    await put(anew, []);
    expect((await state(anew)).generation).toBeGreaterThan(generation);
  });
}

function steps(open: Open): void {
  test('what is staged is seen by nobody until a step makes it live', async () => {
    const { mirror } = await open();
    const one = note('one.md', '# One\nstaged words');
    await mirror.stage([one, one]);
    expect(await listed(mirror)).toEqual([]);
    expect(await found(mirror, 'staged')).toEqual([]);
    expect(await mirror.snapshot((view) => view.get(everybody(), 'one'))).toBeNull();
    const pair = { path: 'one.md', blob: one.blob };
    expect(await mirror.staged([pair, { path: 'one.md', blob: '0'.repeat(40) }])).toEqual(new Set(['one.md']));
    await put(mirror, [], { live: [pair] });
    expect(await found(mirror, 'staged')).toEqual(['one.md']);
  });

  test('a step on another generation changes nothing', async () => {
    const { mirror } = await open();
    await put(mirror, [note('a.md', 'first')]);
    await mirror.doubt([{ saveId: 'mine', deadlineMs: 1e15 }]);
    const { generation } = await state(mirror);
    for (const expectedGeneration of [0, generation - 1, generation + 1]) {
      const late = put(mirror, [note('b.md', 'late')], {
        expectedGeneration,
        head: head('c'),
        gone: ['a.md'],
        settles: ['mine'],
      });
      expect(await late).toBe(false);
    }
    expect(await listed(mirror)).toEqual(['a.md']);
    expect(await state(mirror)).toMatchObject({ head: head('a'), generation, doubts: 1 });
    expect(await mirror.staged([{ path: 'b.md', blob: note('b.md', 'late').blob }])).toEqual(new Set());
  });

  test('a step whose staged rows were cleared meanwhile changes nothing', async () => {
    const { mirror } = await open();
    await put(mirror, [note('a.md', 'first')]);
    const missing = note('b.md', 'cleared');
    expect(await put(mirror, [], { live: [missing], gone: ['a.md'], head: head('b') })).toBe(false);
    expect(await listed(mirror)).toEqual(['a.md']);
    expect((await state(mirror)).head).toEqual(head('a'));
  });

  test('a step that fails inside changes nothing', async () => {
    const { mirror } = await open();
    await put(mirror, [note('a.md', 'first')]);
    const { generation } = await state(mirror);
    const broken = put(mirror, [note('a.md', 'second')], {
      gone: ['a.md'],
      inside() {
        throw new Error('died here');
      },
    });
    await expect(broken).rejects.toThrow('died here');
    expect(await found(mirror, 'first second')).toEqual(['a.md']);
    expect((await state(mirror)).generation).toBe(generation);
  });

  test('what is superseded or gone leaves every answer and the search index; coming back brings it back', async () => {
    const { mirror } = await open();
    const first = note('a.md', '# A\nzebra');
    await put(mirror, [first, note('b.md', '# B\nwalrus')]);
    await put(mirror, [note('a.md', '# A\nyak')], { gone: ['b.md', 'never there.md'] });
    expect(await found(mirror, 'zebra walrus')).toEqual([]);
    expect(await found(mirror, 'yak')).toEqual(['a.md']);
    expect(await mirror.snapshot((view) => view.paths())).toEqual(new Map([['a.md', note('a.md', '# A\nyak').blob]]));
    await put(mirror, [first]);
    expect(await found(mirror, 'zebra')).toEqual(['a.md']);
    expect(await found(mirror, 'yak')).toEqual([]);
    expect(await mirror.unindexed()).toEqual([]);
  });

  test('a step that names what is live already keeps it, and its place in the index', async () => {
    const { mirror } = await open();
    const one = note('a.md', 'zebra');
    await put(mirror, [one]);
    const { generation } = await state(mirror);
    await put(mirror, [one], { head: head('b') });
    expect(await found(mirror, 'zebra')).toEqual(['a.md']);
    expect(await state(mirror)).toMatchObject({ head: head('b'), generation: generation + 1 });
  });

  test('dropped documents are gone, and the head is unconfirmed until the next sync', async () => {
    const { mirror } = await open();
    await put(mirror, [note('a.md', 'zebra'), note('b.md', 'walrus')], { confirmedAtMs: 5 });
    const { generation } = await state(mirror);
    await mirror.drop(['a.md', 'never there.md']);
    expect(await listed(mirror)).toEqual(['b.md']);
    expect(await found(mirror, 'zebra')).toEqual([]);
    expect(await state(mirror)).toMatchObject({ generation: generation + 1, confirmedAtMs: null });
  });

  test('pruning takes what was never live, or everything', async () => {
    const { mirror } = await open();
    const staged = note('s.md', 'staged');
    await put(mirror, [note('a.md', 'zebra')]);
    await mirror.stage([staged]);
    await mirror.prune(true);
    expect(await mirror.staged([staged])).toEqual(new Set());
    expect(await found(mirror, 'zebra')).toEqual(['a.md']);
    await mirror.prune(false);
    expect(await listed(mirror)).toEqual([]);
    expect(await found(mirror, 'zebra')).toEqual([]);
  });
}

function reading(open: Open): void {
  test('of some ids those that name a document that the caller may see', async () => {
    const { mirror } = await open();
    await put(mirror, [
      note('patterns/p/a.md', 'A'),
      note('"b\\303\\050.md"', 'B'),
      note('hers.md', 'C', { privacy: 'PRIVATE', author: 'ben' }),
    ]);
    const ids = ['patterns/p/a', '"b\\303\\050"', 'hers', 'nowhere', '', 'patterns/p/a'];
    const present = (asked: string[]) => mirror.snapshot((view) => view.present(everybody(), asked));
    expect([...(await present(ids))].sort()).toEqual(['"b\\303\\050"', 'patterns/p/a']);
    expect(await present([])).toEqual(new Set());
    await put(mirror, [], { gone: ['patterns/p/a.md'] });
    expect(await present(['patterns/p/a'])).toEqual(new Set());
  });

  test('a document comes back as it went in', async () => {
    const { mirror } = await open();
    const fields = {
      title: 'Ёжик 🦔 "quoted" $1 %_!',
      time: '2026-03-04T05:06:07Z',
      project: 'acme/web',
      tags: ['Release', 'db', 'ci'],
      privacy: 'PUBLIC',
      author: 'ann',
      client: 'test 1',
      priority: 'high',
      status: 'open',
      key: "k'1",
      decisions: ['Use WAL'],
      next_steps: ['Test it'],
    };
    const one = note('sessions/acme/web/2026/03/x.md', 'Body.\r\n', fields);
    await put(mirror, [one]);
    const { search, ...expected } = one;
    expect(search).not.toBe(null);
    const got = await mirror.snapshot((view) => view.get(everybody(), one.id));
    expect(got && { ...got, content: Buffer.from(got.content ?? []) }).toEqual({
      ...expected,
      content: Buffer.from(one.content as Uint8Array),
    });
    const { content, ...plain } = expected;
    expect(content).not.toBeNull();
    expect(await mirror.snapshot((view) => view.list(everybody(), {}, { limit: 1 }))).toEqual([plain]);
  });

  test('any bytes come back exactly', async () => {
    const { mirror } = await open();
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), async (bytes) => {
        const one = note(`bytes/${count++}.md`, bytes);
        await put(mirror, [one]);
        const got = await mirror.snapshot((view) => view.get(everybody(), one.id));
        expect(Buffer.from(got?.content ?? [1]).equals(bytes)).toBe(true);
      }),
      { numRuns: 40, examples: [[new Uint8Array()], [new Uint8Array([0])], [new Uint8Array([0xff, 0, 0xfe, 13, 10])]] },
    );
  });

  test('bytes that stay at the origin are null, not empty', async () => {
    const { mirror } = await open();
    const large = { ...note('large.md', 'x'), content: null, terms: { title: 'larg', body: '' } };
    await put(mirror, [large, note('empty.md', '')]);
    const contents = await mirror.snapshot((view) => view.contents('', 10));
    expect(contents.map(({ path, content }) => [path, content?.length ?? null])).toEqual([
      ['empty.md', 0],
      ['large.md', null],
    ]);
  });

  test('contents come in path order, page by page, each live document once', async () => {
    const { mirror } = await open();
    const paths = ['Z.md', 'a/b.md', 'a.md', 'é.md', 'a-b.md', '文.md', 'a b.md'];
    await put(
      mirror,
      paths.map((path) => note(path, `text of ${path}`)),
    );
    await mirror.stage([note('staged.md', 'not yet')]);
    const seen: string[] = [];
    for (let after = ''; ; ) {
      const page = await mirror.snapshot((view) => view.contents(after, 2));
      if (page.length === 0) break;
      expect(page.length).toBeLessThanOrEqual(2);
      for (const row of page) {
        expect(Buffer.from(row.content ?? []).toString()).toBe(`text of ${row.path}`);
        expect(row).toMatchObject({ blob: note('', `text of ${row.path}`).blob, indexed: true });
      }
      seen.push(...page.map(({ path }) => path));
      after = seen.at(-1) as string;
    }
    expect(seen).toEqual(paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  });

  test('lists are newest first, and pages neither repeat nor leave out', async () => {
    const { mirror } = await open();
    // Many share a time: the path decides.
    const notes = Array.from({ length: 23 }, (_, i) =>
      note(`n/${String(i * 7).padStart(3, '0')}.md`, 'x', {
        time: new Date(Date.UTC(2026, 0, 1 + (i % 4))).toISOString(),
      }),
    );
    await put(mirror, notes);
    const expected = notes
      .toSorted((a, b) => b.timeMs - a.timeMs || (a.path < b.path ? 1 : -1))
      .map(({ path }) => path);
    const seen: string[] = [];
    for (let after: { timeMs: number; path: string } | undefined; seen.length < 100; ) {
      const page = await mirror.snapshot((view) => view.list(everybody(), {}, { limit: 5, after }));
      if (page.length === 0) break;
      seen.push(...page.map(({ path }) => path));
      after = page.at(-1);
    }
    expect(seen).toEqual(expected);
    expect(await mirror.snapshot((view) => view.count(everybody(), {}))).toBe(23);
  });

  test('each filter, and all together', async () => {
    const { mirror } = await open();
    const day = (n: number) => new Date(Date.UTC(2026, 4, n)).toISOString();
    await put(mirror, [
      note('sessions/p/1.md', 'apple', { project: 'p', time: day(1), tags: ['red', 'a_b'] }),
      note('sessions/p/2.md', 'apple', { project: 'p', time: day(2), tags: ['red', 'green', 'axb'] }),
      note('sessions/p/3.md', 'apple', { project: 'p', time: day(3), privacy: 'PUBLIC' }),
      note('patterns/p/4.md', 'apple', { project: 'p', time: day(4), tags: ['redder'] }),
      note('sessions/px/5.md', 'apple', { project: 'px', time: day(5), tags: ['red'] }),
      note('sessions/p/sub/6.md', 'apple', { project: 'p/sub', time: day(6) }),
    ]);
    const cases: [Filter, string][] = [
      [{}, '654321'],
      [{ projects: ['p'] }, '4321'],
      [{ projects: ['none'] }, ''],
      [{ kinds: ['pattern'] }, '4'],
      [{ kinds: ['pattern', 'session'] }, '654321'],
      [{ tags: ['red'] }, '521'],
      [{ tags: ['RED', 'green'] }, '2'],
      [{ tags: ['a_b'] }, '1'],
      [{ tags: ['%'] }, ''],
      [{ privacy: 'PUBLIC' }, '3'],
      [{ afterMs: Date.parse(day(3)) }, '6543'],
      [{ beforeMs: Date.parse(day(3)) }, '21'],
      [{ afterMs: Date.parse(day(2)), beforeMs: Date.parse(day(6)), projects: ['p'], tags: ['red'] }, '2'],
    ];
    for (const [filter, expected] of cases) {
      const digits = (paths: string[]) => paths.map((path) => /(\d)\.md$/.exec(path)?.[1]).join('');
      expect(digits(await listed(mirror, filter)), JSON.stringify(filter)).toBe(expected);
      expect(
        digits((await found(mirror, 'apple', filter)).toSorted())
          .split('')
          .toSorted()
          .reverse()
          .join(''),
      ).toBe(expected);
      expect(await mirror.snapshot((view) => view.count(everybody(), filter))).toBe(expected.length);
    }
  });

  test('projects with their counts, the latest first; problems with their reasons', async () => {
    const { mirror } = await open();
    await put(mirror, [
      note('sessions/old/1.md', 'x', { time: '2020-01-01' }),
      note('sessions/new/1.md', 'x', { time: '2026-01-01' }),
      note('sessions/new/2.md', 'x', { time: '2025-01-01' }),
      note('sessions/old/empty.md', '', {}),
    ]);
    const projects = await mirror.snapshot((view) => view.projects(everybody()));
    expect(projects).toEqual([
      { project: 'new', documents: 2, lastMs: Date.parse('2026-01-01') },
      { project: 'old', documents: 2, lastMs: Date.parse('2020-01-01') },
    ]);
    expect(await mirror.snapshot((view) => view.problems(everybody(), 10))).toEqual([
      { path: 'sessions/old/empty.md', reason: expect.stringMatching(/empty/) },
    ]);
  });

  test('the newest session of a project is the last by name, of that project only', async () => {
    const { mirror } = await open();
    const named = (path: string) => note(path, '# T', { project: path.split('/').slice(1, -1).join('/') || 'p' });
    await put(mirror, [
      note('sessions/p/2025/01/20250101T000000000Z-a-0001.md', '# A'),
      note('sessions/p/2026/02/20260201T000000000Z-b-0001.md', '# B'),
      named('sessions/p/sub/2027/20270101T000000000Z-c-0001.md'),
      note('patterns/p/zz.md', '# Z'),
      note('sessions/p2/2027/01/20270101T000000000Z-d-0001.md', '# D'),
    ]);
    const newest = (project: string) => mirror.snapshot((view) => view.newestSession(project));
    expect(await newest('p')).toMatchObject({
      path: 'sessions/p/2026/02/20260201T000000000Z-b-0001.md',
      title: 'B',
    });
    expect(await newest('none')).toBeNull();
  });

  test('the same save is found by its key, or by its body within the time, of that author and project only', async () => {
    const { mirror } = await open();
    const body = 'Same words.\n';
    await put(mirror, [
      note('sessions/p/keyed.md', 'Keyed.', { project: 'p', author: 'ann', key: 'k1', time: '2026-01-02' }),
      note('sessions/p/plain.md', body, { project: 'p', author: 'ann', time: '2026-01-02' }),
      note('sessions/p/plain-with-key.md', 'Twice.', { project: 'p', author: 'ann', key: 'k2', time: '2026-01-02' }),
      note('notes/plain.md', 'Only a note.', { project: 'p', author: 'ann', time: '2026-01-02' }),
      note('checkpoints/p/plain.md', body, { project: 'p', author: 'ann', time: '2026-01-03' }),
    ]);
    const same = async (query: Partial<Parameters<typeof find>[0]>) => (await find(query))?.path ?? null;
    const find = (query: Partial<SameSave>) =>
      mirror.snapshot((view) => view.sameSave({ project: 'p', author: 'ann', ...query }));
    expect(await same({ key: 'k1' })).toBe('sessions/p/keyed.md');
    expect(await same({ key: 'k1', author: 'bob' })).toBeNull();
    expect(await same({ key: 'k1', project: 'q' })).toBeNull();
    expect(await same({ key: 'none' })).toBeNull();
    expect(await same({ bodyHash: bodyHash(body) })).toBe('sessions/p/plain.md');
    expect(await same({ bodyHash: bodyHash(body), kind: 'checkpoint' })).toBe('checkpoints/p/plain.md');
    expect(await same({ bodyHash: bodyHash(body), sinceMs: Date.parse('2026-01-02') })).toBe('sessions/p/plain.md');
    expect(await same({ bodyHash: bodyHash(body), sinceMs: Date.parse('2026-01-02') + 1 })).toBeNull();
    expect(await same({ bodyHash: bodyHash('Twice.') }), 'a key makes its own identity').toBeNull();
    expect(await same({ bodyHash: bodyHash('Only a note.') }), 'only sessions are saved this way').toBeNull();
  });
}

function visibility(open: Open): void {
  test('a caller sees what it may in every query, and nothing else in any', async () => {
    const { mirror } = await open();
    const at = (project: string, name: string, more = {}) =>
      note(`sessions/${project}/${name}.md`, name.startsWith('empty') ? '' : 'shared words', { project, ...more });
    await put(mirror, [
      at('acme', 'a'),
      at('acme/web', 'b'),
      at('acme-secret', 'c'),
      at('other', 'd'),
      at('acme', 'mine', { privacy: 'PRIVATE', author: 'ann' }),
      at('acme', 'theirs', { privacy: 'PRIVATE', author: 'bob' }),
      at('acme', 'unsigned', { privacy: 'PRIVATE', author: '' }),
      note('sessions/other/empty.md', ''),
      note('sessions/acme/empty.md', ''),
    ]);
    const ann: Caller = { ...everybody('ann'), projects: ['acme'] };
    const may = ['sessions/acme/a', 'sessions/acme/empty', 'sessions/acme/mine', 'sessions/acme/web/b'];
    await mirror.snapshot(async (view) => {
      const ids = (documents: { id: string }[]) => documents.map(({ id }) => id).toSorted();
      expect(ids(await view.list(ann, {}, { limit: 100 }))).toEqual(may);
      expect((await view.ids(ann)).toSorted()).toEqual(may);
      expect([...(await view.paths(ann)).keys()].toSorted()).toEqual(may.map((id) => `${id}.md`));
      expect((await view.paths()).size).toBe(9);
      expect(await view.count(ann, {})).toBe(may.length);
      const hits = await hitsOf(view, ann, queryTerms('shared words'), {}, 100);
      expect(ids(hits.map(({ document }) => document))).toEqual(may.filter((id) => !id.endsWith('empty')));
      expect((await view.projects(ann)).map(({ project, documents }) => [project, documents]).toSorted()).toEqual([
        ['acme', 3],
        ['acme/web', 1],
      ]);
      expect(await view.problems(ann, 10)).toEqual([{ path: 'sessions/acme/empty.md', reason: expect.any(String) }]);
      for (const id of await view.ids({ ...everybody('ann'), projects: 'all' }))
        expect((await view.get(ann, id)) !== null, id).toBe(may.includes(id));
      // Asking for a project by name opens no door.
      for (const project of ['other', 'acme-secret']) {
        expect(await view.list(ann, { projects: [project] }, { limit: 10 })).toEqual([]);
        expect(await view.count(ann, { projects: [project] })).toBe(0);
        expect(await hitsOf(view, ann, queryTerms('shared'), { projects: [project] }, 10)).toEqual([]);
      }
      // Somebody with all projects still sees no one else's private notes.
      expect(await view.get(everybody('bob'), 'sessions/acme/mine')).toBeNull();
      expect(await view.get(everybody('bob'), 'sessions/acme/theirs')).not.toBeNull();
      expect(await view.count(everybody('carol'), { privacy: 'PRIVATE' })).toBe(0);
      // One that names nobody is its keeper's.
      const keeper: Caller = { ...everybody('keeper'), scopes: new Set(['read', 'admin']) };
      expect(await view.count(keeper, { privacy: 'PRIVATE' })).toBe(1);
      expect(await view.get(keeper, 'sessions/acme/unsigned')).not.toBeNull();
      // No projects is none, not all; a name is no pattern.
      for (const projects of [[], ['acm%'], ['a_me'], ['']]) {
        expect(await view.ids({ ...ann, projects }), projects.join()).toEqual([]);
      }
    });
  });
}

function past(open: Open): void {
  test('what was superseded can be had by its path and blob, and what is live by its blob', async () => {
    const { mirror } = await open();
    const first = note('a.md', 'one', { project: 'acme' });
    const second = note('a.md', 'two', { project: 'acme' });
    const other = note('b.md', 'theirs', { project: 'other' });
    const gone = note('c.md', 'gone', { project: 'acme/web' });
    await put(mirror, [first, other, gone]);
    const before = await mirror.clock();
    await put(mirror, [second], { gone: ['c.md'], head: head('b') });
    await put(mirror, [note('b.md', 'edited', { project: 'other' })], { head: head('c') });
    const texts = (contents: Map<string, Uint8Array>) =>
      [...contents].map(([blob, bytes]) => [blob, Buffer.from(bytes).toString().split('\n').at(-1)]).toSorted();
    const nowhere = { path: 'a.md', blob: '1'.repeat(40) };
    await mirror.snapshot(async (view) => {
      const versions = await view.versions(everybody());
      expect(versions.map(({ path, blob, untilCommit }) => [path, blob, untilCommit]).toSorted()).toEqual([
        ['a.md', first.blob, head('b').commit],
        ['b.md', other.blob, head('c').commit],
        ['c.md', gone.blob, head('b').commit],
      ]);
      // In the order of their ends, which may fall into one millisecond.
      const ends = versions.map(({ untilMs, path }) => ({ untilMs, path }));
      expect(ends).toEqual(ends.toSorted((a, b) => a.untilMs - b.untilMs || (a.path < b.path ? -1 : 1)));
      for (const { untilMs, timeMs } of versions) expect([untilMs >= before, timeMs]).toEqual([true, 1_000]);
      const all = [first, second, other, gone, nowhere];
      expect(texts(await view.past(everybody(), all))).toEqual(
        [
          [first.blob, 'one'],
          [second.blob, 'two'],
          [other.blob, 'theirs'],
          [gone.blob, 'gone'],
        ].toSorted(),
      );
      // A version is of its path, what is live of any.
      const moved = [first, second].map(({ blob }) => ({ path: 'moved.md', blob }));
      expect(texts(await view.past(everybody(), moved))).toEqual([[second.blob, 'two']]);
      const ann: Caller = { ...everybody('ann'), projects: ['acme'] };
      expect([...(await view.past(ann, all)).keys()].toSorted()).toEqual(
        [first.blob, second.blob, gone.blob].toSorted(),
      );
      expect((await view.versions(ann)).map(({ path }) => path).toSorted()).toEqual(['a.md', 'c.md']);
      expect(await view.versions({ ...ann, projects: [] })).toEqual([]);
      expect(await view.past({ ...ann, projects: [] }, all)).toEqual(new Map());
      expect(await view.past(ann, [])).toEqual(new Map());
    });
  });
}

function searching(open: Open): void {
  test('any of the words finds; more and rarer words rank higher; a title counts more', async () => {
    const { mirror } = await open();
    const filler = Array.from({ length: 20 }, (_, i) => note(`f/${i}.md`, `# Filler\ncommon words number ${i}`));
    await put(mirror, [
      ...filler,
      note('both.md', '# Notes\ncommon words about the quokka and the database'),
      note('one.md', '# Notes\ncommon words about the database and much else besides'),
      note('title.md', '# Narwhal\ncommon words'),
      note('body.md', '# Something\ncommon words and a narwhal'),
    ]);
    expect(await found(mirror, 'quokka database unicorn')).toEqual(['both.md', 'one.md']);
    expect(await found(mirror, 'narwhal')).toEqual(['title.md', 'body.md']);
    expect(await found(mirror, 'unicorn')).toEqual([]);
    const hits = await mirror.snapshot((view) => hitsOf(view, everybody(), queryTerms('common quokka'), {}, 3));
    expect(hits).toHaveLength(3);
    expect(hits[0]?.document.path).toBe('both.md');
    expect(hits.map(({ score }) => score)).toEqual(hits.map(({ score }) => score).toSorted((a, b) => b - a));
    expect(await mirror.snapshot((view) => hitsOf(view, everybody(), [], {}, 3))).toEqual([]);
  });

  test('English and Russian words in any form, and identifiers whole and in parts', async () => {
    const { mirror } = await open();
    await put(mirror, [
      note('en.md', 'We migrated the databases.'),
      note('ru.md', 'Исправили ошибки в платёжной системе'),
      note('id.md', 'The bug was in parseHTTPResponse and retry_count, see src/tiers/mirror-sqlite.ts and E2BIG.'),
      note('cjk.md', '数据库迁移'),
      note('emoji.md', 'shipped 🚀'),
    ]);
    const cases: [string, string][] = [
      ['migrating', 'en.md'],
      ['DATABASE', 'en.md'],
      ['ошибка', 'ru.md'],
      ['платежная', 'ru.md'],
      ['parseHTTPResponse', 'id.md'],
      ['parsehttpresponse', 'id.md'],
      ['response', 'id.md'],
      ['retryCount', 'id.md'],
      ['mirror-sqlite', 'id.md'],
      ['e2big', 'id.md'],
      ['数据库', 'cjk.md'],
      ['🚀', 'emoji.md'],
    ];
    for (const [query, path] of cases) expect(await found(mirror, query), query).toEqual([path]);
  });

  test('many documents are packed, and what is left of old packs is packed again: the same hits before and after', async () => {
    const { mirror } = await open();
    const word = (n: number) => `w${'abcdefghij'[n % 10]}${'klmnopqrst'[Math.floor(n / 10) % 10]}x`;
    const many = Array.from({ length: 700 }, (_, n) =>
      note(`n/${String(n).padStart(3, '0')}.md`, `# Note ${word(n)}\nshared ${word(n * 7)} and ${word(n * 13)} again`),
    );
    for (let at = 0; at < many.length; at += 200) await mirror.stage(many.slice(at, at + 200));
    await mirror.prune(true);
    for (let at = 0; at < many.length; at += 200) await mirror.stage(many.slice(at, at + 200));
    const ask = async () => {
      const answers = [];
      for (const query of ['shared', 'waka', word(7), `${word(3)} ${word(91)} again`, 'nowhere'])
        answers.push(await mirror.snapshot((view) => hitsOf(view, everybody(), queryTerms(query), {}, 20)));
      return answers;
    };
    await put(mirror, [], { live: many });
    const before = await ask();
    expect(before[0]).toHaveLength(20);
    expect(await mirror.unindexed()).toEqual([]);
    await mirror.merge();
    expect(await ask()).toEqual(before);
    expect(await mirror.unindexed()).toEqual([]);
    const vocabulary = [...(await mirror.snapshot((view) => view.vocabulary()))];
    for (const term of queryTerms(`shared again ${word(3)}`)) expect(vocabulary).toContain(term);

    // Most of the pack goes; one that was in it changes.
    const changed = note('n/001.md', '# Other\nan aardvark');
    await put(mirror, [changed], { gone: many.slice(100, 680).map(({ path }) => path) });
    const left = await ask();
    expect(left[0]?.every(({ document }) => document.path < 'n/100.md' || document.path >= 'n/680.md')).toBe(true);
    await mirror.merge();
    expect(await ask()).toEqual(left);
    expect(await found(mirror, 'aardvark')).toEqual(['n/001.md']);
    expect(await mirror.unindexed()).toEqual([]);
  });

  test('no query is an instruction to the search engine', async () => {
    const { mirror } = await open();
    await put(mirror, [note('a.md', 'alpha AND beta OR near'), note('b.md', 'gamma')]);
    for (const query of [
      'alpha" OR "gamma',
      "alpha' ; DROP TABLE documents --",
      'alpha*',
      'title:alpha',
      '(alpha',
      'NEAR(alpha beta)',
      'alpha \\',
      '$1 alpha',
      'alpha & !beta <-> x',
    ])
      expect(await found(mirror, query), query).toContain('a.md');
    // Terms that no analyser of ours makes must not break out either.
    for (const term of ['"', '""', 'a"b', 'x* OR y', '\0', ':*', "'"])
      await expect(mirror.snapshot((view) => hitsOf(view, everybody(), [term], {}, 5))).resolves.toBeInstanceOf(Array);
    expect(await found(mirror, 'gamma')).toEqual(['b.md']);
  });
}

function sharing(open: Open): void {
  test('a snapshot stays what it was while others write', async () => {
    const { mirror, again } = await open();
    if (!again) return;
    const other = again();
    await put(mirror, [note('a.md', 'zebra')]);
    const { generation } = await state(mirror);
    await mirror.snapshot(async (view) => {
      const before = await view.state();
      expect(await put(other, [note('a.md', 'yak'), note('b.md', 'walrus')], { head: head('b') })).toBe(true);
      expect(await put(mirror, [note('c.md', 'lynx')], { head: head('c') })).toBe(true);
      expect({ ...(await view.state()), nowMs: 0 }).toEqual({ ...before, nowMs: 0 });
      expect(await hitsOf(view, everybody(), queryTerms('zebra'), {}, 5)).toHaveLength(1);
      expect(await hitsOf(view, everybody(), queryTerms('yak walrus lynx'), {}, 5)).toEqual([]);
      expect([...(await view.paths()).keys()]).toEqual(['a.md']);
      const content = (await view.get(everybody(), 'a'))?.content;
      expect(Buffer.from(content ?? []).toString()).toBe('zebra');
    });
    expect(await state(other)).toMatchObject({ head: head('c'), generation: generation + 2 });
    expect((await listed(mirror)).toSorted()).toEqual(['a.md', 'b.md', 'c.md']);
  });

  test('of two steps on one generation one applies, whoever makes them', async () => {
    const { mirror, again } = await open();
    const sides = [mirror, again?.() ?? mirror];
    await put(mirror, []);
    for (let round = 0; round < 10; round++) {
      const { generation } = await state(mirror);
      const results = await Promise.all(
        sides.map((side, i) =>
          put(side, [note(`r${round}/${i}.md`, `round ${round} side ${i}`)], { expectedGeneration: generation }),
        ),
      );
      expect(results.toSorted()).toEqual([false, true]);
      expect((await state(sides[1] as Mirror)).generation).toBe(generation + 1);
    }
    expect(await listed(mirror)).toHaveLength(10);
  });

  test('many writers at once, each in its own words: nothing is lost', async () => {
    const { mirror, again } = await open();
    const sides = [mirror, again?.() ?? mirror];
    await put(mirror, []);
    const { generation } = await state(mirror);
    const write = async (side: Mirror, i: number) => {
      for (let attempt = 0; attempt < 200; attempt++) if (await put(side, [note(`w/${i}.md`, `writer ${i}`)])) return;
      throw new Error('never got through');
    };
    await Promise.all(Array.from({ length: 12 }, (_, i) => write(sides[i % 2] as Mirror, i)));
    expect(await found(mirror, 'writer')).toHaveLength(12);
    expect((await state(mirror)).generation).toBe(generation + 12);
  });
}
