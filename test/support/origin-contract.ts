import { describe, expect, test } from 'vitest';
import { objectId } from '../../src/core/hash.js';
import { LIMITS } from '../../src/core/limits.js';
import { decodePath, encodePath } from '../../src/core/paths.js';
import type { Change, CommitResult, Listing, Origin, Tip } from '../../src/core/ports.js';

/** One file of a commit that somebody else makes; `content` of a submodule is the commit it points to, null removes. */
export interface OutsideFile {
  path: string;
  content: Uint8Array | null;
  mode?: '100644' | '100755' | '120000' | '160000';
}

/** An origin on a repository of its own, and what is at hand beside it. */
export interface OriginUnderTest {
  origin: Origin;
  /** The same repository as another process would open it. */
  again(): Promise<Origin>;
  /** A commit by somebody else; `at` is its time. Returns its id. */
  outside(files: OutsideFile[], at?: string): Promise<string>;
  /** The same with a further parent and no changes. */
  merge(parent: string, at: string): Promise<string>;
  /** Moves the branch to a commit, whatever it was at. */
  force(commit: string): Promise<void>;
  /** Everything at the head, by the path's bytes as text. */
  files(): Promise<Map<string, Uint8Array>>;
  /** The subjects of its commits, newest first. */
  subjects(): Promise<string[]>;
}

export interface ContractOptions {
  algorithm?: 'sha1' | 'sha256';
  /** Whether it can tell when something was last changed, and what changed between two commits. */
  dates?: boolean;
  differences?: boolean;
}

/** Makes an origin without a commit; closed when the test ends. */
export type MakeOrigin = () => Promise<OriginUnderTest>;

export const text = (content: string) => new TextEncoder().encode(content);

/** One commit on the head as it is, or on `expected`. */
export async function commitOn(
  origin: Origin,
  changes: Change[],
  expected?: Tip | null,
  waitMs: number = LIMITS.saveDeadlineMs,
): Promise<CommitResult> {
  const head = expected === undefined ? await origin.head() : expected;
  return origin.commit({
    changes,
    expected: head?.commit ?? null,
    message: 'Save: test\n',
    authorName: 'tester',
    deadlineAt: performance.now() + waitMs,
  });
}

export type Committed = Extract<CommitResult, { outcome: 'committed' }>;

/** The same until it is made: an empty repository may have to be begun first. */
export async function committed(origin: Origin, changes: Change[]): Promise<Committed> {
  for (let attempt = 0; ; attempt++) {
    const result = await commitOn(origin, changes);
    if (result.outcome === 'committed') return result;
    if (result.outcome !== 'stale' || attempt > 1) throw new Error(`was ${result.outcome}`);
  }
}

const byPath = <T extends { path: string }>(entries: T[]) => [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
const plain = ({ tree, entries }: Listing) => ({ tree, entries: byPath(entries) });

/** What every origin keeps to, whatever is behind it. */
export function originContract(name: string, make: MakeOrigin, options: ContractOptions = {}): void {
  const { algorithm = 'sha1', dates = true } = options;
  const idOf = (content: string | Uint8Array) =>
    objectId('blob', typeof content === 'string' ? text(content) : content, algorithm);
  const nowhere = '1'.repeat(idOf('').length);

  describe(`the contract of an origin, ${name}`, () => {
    test('the first commit of an empty repository', async () => {
      const { origin, again, files, subjects } = await make();
      expect(await origin.head()).toBeNull();
      expect((await commitOn(origin, [{ path: 'a.md', content: text('x') }], { commit: nowhere })).outcome).toBe(
        'stale',
      );
      expect(await origin.head()).toBeNull();
      const first = await committed(origin, [
        { path: 'notes/one.md', content: text('one'), expect: null },
        { path: 'notes/two.md', content: text('two'), expect: null },
        { path: 'LATEST.json', content: text('{}') },
      ]);
      expect(Object.fromEntries(first.blobs)).toEqual({
        'notes/one.md': idOf('one'),
        'notes/two.md': idOf('two'),
        'LATEST.json': idOf('{}'),
      });
      expect(first.direct).toBe(true);
      expect((await origin.head())?.commit).toBe(first.head.commit);
      expect((await origin.list(first.head.commit)).tree).toBe(first.head.tree);
      expect((await (await again()).head())?.commit).toBe(first.head.commit);
      const there = await files();
      expect(Buffer.from(there.get('notes/one.md') ?? []).toString()).toBe('one');
      expect((await subjects())[0]).toBe('Save: test');
    });

    test('a commit: stale, conflicts, all or nothing, deletions', async () => {
      const { origin, again, files, subjects } = await make();
      const first = await committed(origin, [
        { path: 'notes/one.md', content: text('one'), expect: null },
        { path: 'notes/two.md', content: text('two'), expect: null },
      ]);
      const commits = (await subjects()).length;
      const one = idOf('one');
      for (const each of [origin, await again()]) {
        expect((await commitOn(each, [{ path: 'b.md', content: text('b') }], { commit: nowhere })).outcome).toBe(
          'stale',
        );
        expect(await commitOn(each, [{ path: 'b.md', content: text('b') }], null)).toEqual({ outcome: 'stale' });
        expect(await commitOn(each, [{ path: 'notes/one.md', content: text('y'), expect: null }])).toEqual({
          outcome: 'conflict',
          path: 'notes/one.md',
          current: one,
        });
        expect(await commitOn(each, [{ path: 'gone.md', content: text('y'), expect: one }])).toEqual({
          outcome: 'conflict',
          path: 'gone.md',
          current: null,
        });
        // A folder in the way.
        expect(await commitOn(each, [{ path: 'notes', content: text('y'), expect: null }])).toMatchObject({
          outcome: 'conflict',
          path: 'notes',
        });
        // All or nothing: the change that could be made was not.
        expect(
          await commitOn(each, [
            { path: 'notes/three.md', content: text('3'), expect: null },
            { path: 'notes/one.md', content: text('1'), expect: nowhere },
          ]),
        ).toEqual({ outcome: 'conflict', path: 'notes/one.md', current: one });
        // A file in the way of a folder.
        await expect(
          commitOn(each, [{ path: 'notes/one.md/under.md', content: text('x'), expect: null }]),
        ).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('one.md') });
      }
      expect((await origin.head())?.commit).toBe(first.head.commit);
      expect((await subjects()).length).toBe(commits);

      const second = await committed(origin, [
        { path: 'notes/one.md', content: text('one, edited'), expect: one },
        { path: 'notes/two.md', content: null, expect: idOf('two') },
        // Was never there: nothing to take away.
        { path: 'notes/never.md', content: null },
      ]);
      expect((await subjects()).length).toBe(commits + 1);
      const listed = await origin.list(second.head.commit);
      expect(listed.tree).toBe(second.head.tree);
      expect(listed.entries.filter(({ path }) => path !== '.strataignore')).toEqual([
        { path: 'notes/one.md', blob: idOf('one, edited'), type: 'file' },
      ]);
      expect(
        (await origin.list(first.head.commit)).entries.map(({ path }) => path).filter((path) => path.endsWith('.md')),
      ).toEqual(['notes/one.md', 'notes/two.md']);
      expect((await files()).has('notes/two.md')).toBe(false);
      // The last file of a folder takes the folder with it, and its name is free then.
      await committed(origin, [{ path: 'notes/one.md', content: null }]);
      const third = await committed(origin, [{ path: 'notes', content: text('a file now'), expect: null }]);
      expect(third.blobs.get('notes')).toBe(idOf('a file now'));
      expect(Buffer.from((await files()).get('notes') ?? []).toString()).toBe('a file now');
    });

    test('of two that commit on the same head one is told to look again', async () => {
      const { origin, again, files } = await make();
      const { head } = await committed(origin, [{ path: 'a.md', content: text('a') }]);
      const other = await again();
      const both = await Promise.all(
        [origin, other].map((each, at) => commitOn(each, [{ path: `r${at}.md`, content: text('r') }], head)),
      );
      expect(both.map(({ outcome }) => outcome).sort()).toEqual(['committed', 'stale']);
      expect([...(await files()).keys()].filter((path) => path.startsWith('r'))).toHaveLength(1);
    });

    test('nothing is sent after the deadline', async () => {
      const { origin, subjects } = await make();
      await committed(origin, [{ path: 'a.md', content: text('a') }]);
      const before = await subjects();
      await expect(commitOn(origin, [{ path: 'b.md', content: text('b') }], undefined, -1)).rejects.toMatchObject({
        code: expect.stringMatching(/deadline|origin_unavailable/),
      });
      expect(await subjects()).toEqual(before);
    });

    test('any bytes are read as they are, and sizes told', async () => {
      const { origin, again, outside } = await make();
      const bytes: Record<string, Uint8Array> = {
        nul: Buffer.from('a\0b\n'),
        invalid: Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x0a, 0xff, 0xfe, 0x80]),
        crlf: Buffer.from('one\r\ntwo\rthree\n'),
        bom: Buffer.from('\uFEFF# With a mark\n'),
        utf16: Buffer.from('\uFEFF# Other\n', 'utf16le'),
        empty: Buffer.alloc(0),
        cyrillic: Buffer.from('Привет, мир. \u2028 e\u0301 \u{1F600}\n'),
        replaced: Buffer.from('already a \uFFFD here\n'),
        half: Buffer.from(`${'é'.repeat(300_000)}\n`),
        over: Buffer.from(`x${'é'.repeat(600_000)}\n`),
        binary: Buffer.from(Uint8Array.from({ length: 1_200_000 }, (_, at) => (at * 31 + (at >> 8)) & 255)),
      };
      const commit = await outside(Object.entries(bytes).map(([key, content]) => ({ path: `${key}.md`, content })));
      for (const each of [origin, await again()]) {
        const listed = await each.list(commit);
        const blobs = new Map(listed.entries.map(({ path, blob }) => [path.replace(/\.md$/, ''), blob]));
        for (const [key, content] of Object.entries(bytes)) expect(blobs.get(key), key).toBe(idOf(content));
        const ids = Object.values(bytes).map(idOf);
        const sizes = await each.sizes([...ids, nowhere]);
        expect(sizes).toEqual(new Map(Object.values(bytes).map((content) => [idOf(content), content.length])));
        const read = await each.read([...ids, nowhere, ids[0] as string]);
        expect(read.size).toBe(ids.length);
        for (const [key, content] of Object.entries(bytes))
          expect(Buffer.from(read.get(idOf(content)) ?? []).equals(content), key).toBe(true);
      }
      // Without the list, whose sizes help.
      const cold = await again();
      const { binary, over, nul } = bytes as { binary: Buffer; over: Buffer; nul: Buffer };
      const read = await cold.read([binary, over, nul].map(idOf));
      for (const each of [binary, over, nul]) expect(Buffer.from(read.get(idOf(each)) ?? []).equals(each)).toBe(true);
      expect((await (await again()).sizes([idOf(over), nowhere])).get(idOf(over))).toBe(over.length);
    });

    test('any bytes are committed as they are', async () => {
      const { origin, files } = await make();
      const contents: Record<string, Uint8Array> = {
        'nul.md': Buffer.from('a\0b'),
        'invalid.md': Buffer.from([0xe9, 0xff, 0x0a]),
        'crlf.md': Buffer.from('one\r\ntwo'),
        'bom.md': Buffer.from('\uFEFFx'),
        'empty.md': Buffer.alloc(0),
        'control.md': Buffer.from('\u0001'.repeat(700_000)),
        'large.md': Buffer.from('ж'.repeat(500_000)),
      };
      const changes = Object.entries(contents).map(([path, content]) => ({ path, content, expect: null }));
      const { blobs, head } = await committed(origin, changes);
      const there = await files();
      for (const [path, content] of Object.entries(contents)) {
        expect(blobs.get(path), path).toBe(idOf(content));
        expect(Buffer.from(there.get(path) ?? []).equals(content), path).toBe(true);
      }
      expect((await origin.find(head.commit, ['nul.md', 'none.md'])).get('nul.md')).toBe(
        idOf(contents['nul.md'] ?? ''),
      );
    });

    const ODD = [
      'with space.md',
      "it's.md",
      'say "hello".md',
      'back\\slash.md',
      'tab\tand\nbreak.md',
      'caf\u00e9.md',
      'cafe\u0301.md',
      'Привет мир.md',
      'a#b.md',
      '100%.md',
      'a%20b.md',
      'why?.md',
      'a&b=c+d.md',
      '.hidden.md',
      '..dots/.x.md',
      '.md',
      `${'long-'.repeat(39)}x.md`,
      `deep/${'f/'.repeat(40)}n.md`,
      '[x]{y}$z.md',
      ':colon*.md',
    ].map((path) => decodePath(Buffer.from(path)));

    test('odd paths are the same everywhere', async () => {
      const { origin, again, outside, files } = await make();
      await outside([{ path: 'plain.md', content: text('plain') }]);
      const before = (await origin.head())?.commit ?? '';
      const { head, blobs } = await committed(
        origin,
        ODD.map((path) => ({ path, content: text(path), expect: null })),
      );
      expect([...(await files()).keys()].sort()).toEqual(
        [...ODD.map((path) => encodePath(path).toString()), 'plain.md'].sort(),
      );
      for (const each of [origin, await again()]) {
        const found = await each.find(head.commit, [...ODD, 'none.md']);
        expect(Object.fromEntries(found)).toEqual(Object.fromEntries(ODD.map((path) => [path, idOf(path)])));
        const listed = await each.list(head.commit);
        expect(listed.entries.map(({ path }) => path).sort()).toEqual([...ODD, 'plain.md'].sort());
        const difference = await each.difference(before, head.commit);
        if (difference !== null && difference !== 'late')
          expect(byPath(difference.entries)).toEqual(byPath(listed.entries).filter(({ path }) => path !== 'plain.md'));
        const held = await each.everHeld(
          head.commit,
          [...blobs].map(([path, blob]) => ({ path, blob })),
        );
        expect([...held].sort()).toEqual([...ODD].sort());
        if (dates) expect([...(await each.times(head.commit, new Set(ODD))).keys()].sort()).toEqual([...ODD].sort());
      }
      const edited = await committed(origin, [
        ...ODD.slice(0, 10).map((path) => ({ path, content: text(`${path}!`), expect: idOf(path) })),
        ...ODD.slice(10).map((path) => ({ path, content: null, expect: idOf(path) })),
      ]);
      const cold = await again();
      const left = await cold.list(edited.head.commit);
      expect(left.entries.map(({ path }) => path).sort()).toEqual([...ODD.slice(0, 10), 'plain.md'].sort());
      const gone = await cold.difference(head.commit, edited.head.commit);
      if (gone !== null && gone !== 'late') expect([...gone.gone].sort()).toEqual(ODD.slice(10).sort());
    });

    test('symbolic links, executables, submodules, the ignore file', async () => {
      const { origin, again, outside, files } = await make();
      const before = await outside([{ path: 'first.md', content: text('1') }]);
      const commit = await outside([
        { path: 'run.md', content: text('#!'), mode: '100755' },
        { path: 'link.md', content: text('first.md'), mode: '120000' },
        { path: 'theirs', content: text(nowhere), mode: '160000' },
        { path: 'deep/theirs.md', content: text(nowhere), mode: '160000' },
        { path: '.strataignore', content: text('drafts/\n') },
        { path: 'deep/.strataignore', content: text('x') },
        { path: 'other.txt', content: text('x') },
        { path: 'UPPER.MD', content: text('x') },
      ]);
      for (const each of [origin, await again()]) {
        const listed = plain(await each.list(commit));
        expect(listed.entries).toEqual(
          byPath([
            { path: '.strataignore', blob: idOf('drafts/\n'), type: 'file' },
            { path: 'deep/theirs.md', blob: nowhere, type: 'submodule' },
            { path: 'first.md', blob: idOf('1'), type: 'file' },
            { path: 'link.md', blob: idOf('first.md'), type: 'symlink' },
            { path: 'run.md', blob: idOf('#!'), type: 'file' },
            { path: 'theirs', blob: nowhere, type: 'submodule' },
          ]),
        );
        const difference = await each.difference(before, commit);
        if (difference !== null && difference !== 'late')
          expect(plain(difference)).toEqual({
            tree: listed.tree,
            entries: listed.entries.filter(({ path }) => path !== 'first.md'),
          });
        expect((await each.find(commit, ['link.md', 'run.md', '.strataignore', 'deep', 'other.txt'])).size).toBe(4);
      }
      // What is written beside them leaves them as they were.
      await committed(origin, [{ path: 'deep/note.md', content: text('n'), expect: null }]);
      const now = await (await again()).list((await origin.head())?.commit ?? '');
      expect(now.entries.find(({ path }) => path === 'link.md')?.type).toBe('symlink');
      expect(now.entries.filter(({ type }) => type === 'submodule')).toHaveLength(2);
      expect((await files()).has('other.txt')).toBe(true);
    });

    test('a difference is what two listings differ by, or nothing is told', async () => {
      const { origin, again, outside, force } = await make();
      const first = await outside([
        { path: 'keep.md', content: text('keep') },
        { path: 'edit.md', content: text('before') },
        { path: 'drop.md', content: text('drop') },
        { path: 'move.md', content: text('moved as it is, with enough text to be seen as the same file\n') },
      ]);
      const second = await outside([
        { path: 'edit.md', content: text('after') },
        { path: 'drop.md', content: null },
        { path: 'move.md', content: null },
        { path: 'new/place.md', content: text('moved as it is, with enough text to be seen as the same file\n') },
        { path: 'other.txt', content: text('no note') },
      ]);
      const third = await outside([{ path: 'edit.md', content: text('before') }]);
      const many = await outside(
        Array.from({ length: 310 }, (_, at) => ({ path: `many/${at}.md`, content: text(`${at}`) })),
      );
      const ends: [string, string][] = [
        [first, second],
        [first, third],
        [second, third],
        [third, many],
        [first, many],
      ];
      for (const each of [origin, await again()]) {
        for (const [from, to] of ends) {
          const told = await each.difference(from, to);
          expect(told).not.toBe('late');
          if (told === null || told === 'late') {
            // It may be too much to tell, but a few files are not.
            if (options.differences) expect(to).toBe(many);
            continue;
          }
          const [was, is] = [await each.list(from), await each.list(to)];
          const before = new Map(was.entries.map(({ path, blob }) => [path, blob]));
          const after = new Set(is.entries.map(({ path }) => path));
          expect(told.tree).toBe(is.tree);
          // A path that changed there and back may be among them.
          const really = is.entries.filter(({ path, blob }) => before.get(path) !== blob);
          expect(byPath(told.entries.filter(({ path, blob }) => before.get(path) !== blob))).toEqual(byPath(really));
          for (const entry of told.entries) expect(is.entries).toContainEqual(entry);
          expect([...told.gone].sort()).toEqual([...before.keys()].filter((path) => !after.has(path)).sort());
        }
        expect(await each.difference(many, first)).toBe(options.differences ? 'late' : null);
        // A commit that is not there any more, or is of another repository.
        expect(await each.difference(nowhere, many)).toBeNull();
      }
      await force(first);
      const aside = await outside([{ path: 'aside.md', content: text('aside') }]);
      expect(await origin.difference(many, aside)).toBeNull();
      expect((await origin.head())?.commit).toBe(aside);
      expect((await origin.list(aside)).entries.map(({ path }) => path).sort()).toEqual(
        ['aside.md', 'drop.md', 'edit.md', 'keep.md', 'move.md'].sort(),
      );
    });

    test('which commit the branch was at', async () => {
      const { origin, again, outside, merge, force } = await make();
      const at = (hour: number) => Date.UTC(2024, 0, 10, hour);
      const iso = (hour: number) => new Date(at(hour)).toISOString();
      const first = await outside([{ path: 'a.md', content: text('1') }], iso(1));
      const twin = await outside([{ path: 'a.md', content: text('2') }], iso(1));
      const second = await outside([{ path: 'a.md', content: text('3') }], iso(3));
      const early = await outside([{ path: 'a.md', content: text('4') }], iso(2));
      const branched = await outside([{ path: 'side.md', content: text('side') }], iso(4));
      await force(early);
      const later = await outside([{ path: 'a.md', content: text('5') }], iso(6));
      const merged = await merge(branched, iso(5));
      const head = await outside([{ path: 'a.md', content: text('6') }], iso(8));
      const lost = await outside([{ path: 'a.md', content: text('lost') }], iso(9));
      await force(head);
      for (const each of [origin, await again()]) {
        const was = async (timeMs: number, from = head) =>
          (await each.asOf(from, { beforeMs: timeMs }))?.commit ?? null;
        expect(await each.asOf(head, { beforeMs: at(8) })).toEqual({ commit: head, timeMs: at(8) });
        expect(await was(at(24))).toBe(head);
        // The newest on the way back that is not later: the merge says less than its first parent, and comes after it.
        expect(await was(at(7))).toBe(merged);
        expect(await was(at(6))).toBe(merged);
        expect(await was(at(6) - 1, later)).toBe(early);
        // Not by way of the second parent.
        expect(await was(at(5) - 1)).toBe(early);
        expect(await was(at(4))).toBe(early);
        expect(await was(at(3))).toBe(early);
        expect(await was(at(3), second)).toBe(second);
        expect(await was(at(3) - 1, second)).toBe(twin);
        // Two in one second: the later one; of a second that has begun, also before its end.
        expect(await was(at(1))).toBe(twin);
        expect(await was(at(1) + 999)).toBe(twin);
        expect(await was(at(1) - 1)).toBeNull();
        expect(await was(-1)).toBeNull();

        expect(await each.asOf(head, { commit: first })).toEqual({ commit: first, timeMs: at(1) });
        expect(await each.asOf(head, { commit: head.slice(0, 12) })).toEqual({ commit: head, timeMs: at(8) });
        expect((await each.asOf(head, { commit: branched }))?.commit).toBe(branched);
        for (const commit of [nowhere, nowhere.slice(0, 10), lost, lost.slice(0, 12), idOf('1'), 'abcdef0'])
          await expect(each.asOf(head, { commit })).rejects.toMatchObject({ code: 'not_found' });
        await expect(each.asOf(early, { commit: head })).rejects.toMatchObject({ code: 'not_found' });
      }
    });

    test('what a path ever held', async () => {
      const { origin, again, outside } = await make();
      await outside([
        { path: 'replaced.md', content: text('old') },
        { path: 'deleted.md', content: text('deleted') },
        { path: 'there.md', content: text('there') },
      ]);
      await outside([
        { path: 'replaced.md', content: text('new') },
        { path: 'deleted.md', content: null },
      ]);
      await outside([{ path: 'deleted.md', content: text('another') }]);
      const commit = await outside([{ path: 'deleted.md', content: null }]);
      const asked = [
        { path: 'replaced.md', blob: idOf('old') },
        { path: 'deleted.md', blob: idOf('deleted') },
        { path: 'there.md', blob: idOf('there') },
        { path: 'never.md', blob: idOf('there') },
      ];
      for (const each of [origin, await again()]) {
        expect([...(await each.everHeld(commit, asked))].sort()).toEqual(['deleted.md', 'replaced.md', 'there.md']);
        expect(
          await each.everHeld(commit, [
            { path: 'replaced.md', blob: idOf('there') },
            { path: 'there.md', blob: nowhere },
            { path: 'deleted.md', blob: idOf('old') },
          ]),
        ).toEqual(new Set());
        expect(await each.everHeld(commit, [])).toEqual(new Set());
      }
    });

    if (dates)
      test('when a path was last changed', async () => {
        const { origin, again, outside } = await make();
        await outside(
          [
            { path: 'old.md', content: text('1') },
            { path: 'new.md', content: text('1') },
          ],
          '2020-01-01T00:00:00Z',
        );
        await outside([{ path: 'new.md', content: text('2') }], '2021-01-01T00:00:00Z');
        const commit = await outside([{ path: 'last.md', content: text('1') }], '2022-01-01T00:00:00Z');
        for (const each of [origin, await again()]) {
          const times = await each.times(commit, new Set(['old.md', 'new.md', 'last.md']));
          expect(Object.fromEntries(times)).toEqual({
            'old.md': Date.UTC(2020, 0),
            'new.md': Date.UTC(2021, 0),
            'last.md': Date.UTC(2022, 0),
          });
        }
      });
  });
}
