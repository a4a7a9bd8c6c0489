import { describe, expect, test } from 'vitest';
import type { Caller } from '../../src/core/caller.js';
import type { IndexedDocument } from '../../src/core/documents.js';
import { LIMITS } from '../../src/core/limits.js';
import type { Mirror } from '../../src/core/ports.js';
import type { Relatives } from '../../src/core/project.js';
import { everybody, type MirrorUnderTest, note, put, queryTerms } from './mirror-contract.js';
import { hitsOf } from './search.js';

type Fields = Record<string, unknown>;
const day = (n: number) => new Date(Date.UTC(2026, 0, n)).toISOString();

/** A session of a project; the day it is from is part of its path. */
const session = (project: string, n: number, fields: Fields = {}): IndexedDocument =>
  note(`sessions/${project}/${n}.md`, 'shared words', { project, time: day(n), ...fields });
const record = (project: string, fields: Fields) => note(`projects/${project}.md`, 'A record.', fields);

const relativesOf = (mirror: Mirror, project: string, caller: Caller = everybody()): Promise<Relatives> =>
  mirror.snapshot((view) => view.relatives(caller, project));

/** What every mirror promises of submodules and project records. */
export function registryContract(name: string, open: () => Promise<MirrorUnderTest> | MirrorUnderTest): void {
  describe(`registry of submodules in ${name}`, () => {
    test('parent, siblings and submodules, the last heard of first, each once and never itself', async () => {
      const { mirror } = await open();
      await put(mirror, [
        session('acme/shop', 1),
        session('acme/web', 2, { parent: 'acme/shop' }),
        session('acme/api', 4, { parent: 'Acme/Shop' }),
        session('acme/api', 3, { parent: 'git@github.com:acme/shop.git' }),
        session('acme/lib', 1, { parent: 'acme/shop' }),
        session('acme/deep', 5, { parent: 'acme/lib' }),
        session('acme/alone', 6),
        session('acme/odd', 7, { parent: '../up' }),
      ]);
      const expected: Record<string, Relatives> = {
        'acme/shop': { parent: null, siblings: [], submodules: ['acme/api', 'acme/web', 'acme/lib'] },
        'acme/web': { parent: 'acme/shop', siblings: ['acme/api', 'acme/lib'], submodules: [] },
        'acme/lib': { parent: 'acme/shop', siblings: ['acme/api', 'acme/web'], submodules: ['acme/deep'] },
        'acme/deep': { parent: 'acme/lib', siblings: [], submodules: [] },
        'acme/alone': { parent: null, siblings: [], submodules: [] },
        'acme/odd': { parent: null, siblings: [], submodules: [] },
        'acme/none': { parent: null, siblings: [], submodules: [] },
      };
      for (const [project, relatives] of Object.entries(expected))
        expect(await relativesOf(mirror, project), project).toEqual(relatives);
    });

    test('the newest note has the word, the record before it; a record that names its own project takes it out', async () => {
      const { mirror } = await open();
      const parent = async () => (await relativesOf(mirror, 'acme/lib')).parent;
      await put(mirror, [
        session('acme/lib', 1, { parent: 'acme/shop' }),
        // The repository above was renamed; a clone that is no submodule says nothing.
        session('acme/lib', 2, { parent: 'acme/store' }),
        session('acme/lib', 3),
      ]);
      expect(await parent()).toBe('acme/store');
      expect((await relativesOf(mirror, 'acme/shop')).submodules).toEqual([]);
      await put(mirror, [record('acme/lib', { time: day(0), parent: 'acme/platform' })]);
      expect(await parent()).toBe('acme/platform');
      await put(mirror, [record('acme/lib', { time: day(0), parent: 'acme/lib' })]);
      expect(await relativesOf(mirror, 'acme/lib')).toEqual({ parent: null, siblings: [], submodules: [] });
      await put(mirror, [record('acme/lib', { time: day(0), status: 'active' })]);
      expect(await parent(), 'a record without the word').toBe('acme/store');
      await put(mirror, [], { gone: ['sessions/acme/lib/2.md', 'sessions/acme/lib/1.md'] });
      expect(await parent(), 'forgotten with the notes that said it').toBeNull();
    });

    test('pages of other programs name pages as their parents, which says nothing of projects', async () => {
      const { mirror } = await open();
      await put(mirror, [note('guide/install.md', '# Install', { project: 'acme/lib', parent: 'Home' })]);
      expect((await relativesOf(mirror, 'acme/lib')).parent).toBeNull();
    });

    test('circles end', async () => {
      const { mirror } = await open();
      await put(mirror, [
        session('a', 1, { parent: 'b' }),
        session('b', 2, { parent: 'a' }),
        session('c', 3, { parent: 'c' }),
        session('x', 4, { parent: 'y' }),
        session('y', 5, { parent: 'z' }),
        session('z', 6, { parent: 'x' }),
      ]);
      expect(await relativesOf(mirror, 'a')).toEqual({ parent: 'b', siblings: [], submodules: [] });
      expect(await relativesOf(mirror, 'b')).toEqual({ parent: 'a', siblings: [], submodules: [] });
      expect(await relativesOf(mirror, 'c')).toEqual({ parent: null, siblings: [], submodules: [] });
      expect(await relativesOf(mirror, 'x')).toEqual({ parent: 'y', siblings: [], submodules: ['z'] });
    });

    test('150 submodules are all there, many more are bounded, the last heard of kept', async () => {
      const { mirror } = await open();
      const named = (n: number) => `acme/module-${String(n).padStart(3, '0')}`;
      const modules = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, at) => session(named(from + at), from + at, { parent: 'acme/shop' }));
      await put(mirror, modules(1, 151));
      const newest = Array.from({ length: 150 }, (_, at) => named(150 - at));
      expect((await relativesOf(mirror, 'acme/shop')).submodules).toEqual(newest);
      const { parent, siblings } = await relativesOf(mirror, named(7));
      expect(parent).toBe('acme/shop');
      expect(siblings).toEqual(newest.filter((each) => each !== named(7)));
      const all = [named(7), 'acme/shop', ...siblings];
      expect(await mirror.snapshot((view) => view.count(everybody(), { projects: all }))).toBe(150);
      await put(mirror, modules(151, LIMITS.relatives + 20));
      const bounded = (await relativesOf(mirror, 'acme/shop')).submodules;
      expect(bounded).toHaveLength(LIMITS.relatives);
      expect(bounded[0]).toBe(named(LIMITS.relatives + 19));
    });

    test('a caller learns of no project that it may not see, nor from notes that are private', async () => {
      const { mirror } = await open();
      await put(mirror, [
        session('acme/web', 1, { parent: 'acme/shop' }),
        session('acme/api', 2, { parent: 'acme/shop' }),
        session('secret/tool', 3, { parent: 'acme/shop' }),
        session('acme/lone', 4, { parent: 'secret/super' }),
        session('acme/pair', 5, { parent: 'secret/super' }),
        session('acme/hush', 6, { parent: 'acme/shop', privacy: 'PRIVATE', author: 'bob' }),
      ]);
      const limited: Caller = { ...everybody(), projects: ['acme'] };
      const nobody: Caller = { ...everybody(), projects: [] };
      const none: Relatives = { parent: null, siblings: [], submodules: [] };
      const shop = { parent: null, siblings: [], submodules: ['acme/api', 'acme/web'] };
      expect(await relativesOf(mirror, 'acme/shop', limited)).toEqual(shop);
      expect((await relativesOf(mirror, 'acme/shop')).submodules).toEqual(['secret/tool', 'acme/api', 'acme/web']);
      expect(await relativesOf(mirror, 'acme/lone', limited)).toEqual({ ...none, siblings: ['acme/pair'] });
      expect(await relativesOf(mirror, 'secret/super', limited)).toEqual(none);
      expect(await relativesOf(mirror, 'secret/tool', limited)).toEqual(none);
      for (const project of ['acme/shop', 'acme/web']) expect(await relativesOf(mirror, project, nobody)).toEqual(none);
      const records = await mirror.snapshot((view) => view.records(limited));
      expect(records.map(({ project, parent }) => [project, parent])).toEqual([
        ['acme/api', 'acme/shop'],
        ['acme/web', 'acme/shop'],
      ]);
      expect(await mirror.snapshot((view) => view.records(nobody))).toEqual([]);
    });

    test('records say status, priority, figures and parent; where there are several the newest', async () => {
      const { mirror } = await open();
      await put(mirror, [
        record('acme/lib', { time: day(1), status: 'Active', priority: 'high', target_revenue: 1200.5, parent: 'a/b' }),
        record('acme/odd', { time: day(1), target_revenue: '12 k', current_revenue: true, parent: ['x'] }),
        note('notes/older.md', 'x', { kind: 'project', project: 'acme/lib', time: day(0), status: 'idea' }),
        session('acme/web', 3, { parent: 'acme/shop' }),
      ]);
      const records = await mirror.snapshot((view) => view.records(everybody()));
      expect(records.toSorted((a, b) => (a.project < b.project ? -1 : 1))).toEqual([
        {
          ...{ project: 'acme/lib', status: 'active', priority: 'high' },
          ...{ targetRevenue: 1200.5, currentRevenue: null, parent: 'a/b' },
        },
        {
          ...{ project: 'acme/odd', status: '', priority: '' },
          ...{ targetRevenue: null, currentRevenue: null, parent: '' },
        },
        {
          ...{ project: 'acme/web', status: '', priority: '' },
          ...{ targetRevenue: null, currentRevenue: null, parent: 'acme/shop' },
        },
      ]);
    });

    test('a filter takes several projects, before anything is ranked', async () => {
      const { mirror } = await open();
      await put(mirror, [
        ...Array.from({ length: 30 }, (_, at) =>
          note(`sessions/other/${at}.md`, 'shared words shared words', { project: 'other' }),
        ),
        session('p', 1),
        session('p/sub', 2),
        session('q', 3),
      ]);
      const cases: [string[], string[]][] = [
        [['p'], ['p']],
        [
          ['p', 'q', 'none'],
          ['p', 'q'],
        ],
        [[], []],
      ];
      for (const [projects, expected] of cases)
        await mirror.snapshot(async (view) => {
          const hits = await hitsOf(view, everybody(), queryTerms('shared words'), { projects }, 3);
          expect(hits.map(({ document }) => document.project).toSorted()).toEqual(expected);
          expect(await view.count(everybody(), { projects })).toBe(expected.length);
          const listed = await view.list(everybody(), { projects }, { limit: 10 });
          expect(listed.map(({ project }) => project).toSorted()).toEqual(expected);
        });
    });
  });
}
