import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openApp } from '../support/app.js';
import type { Fault } from '../support/github.js';
import { type GitHub, startGitHub } from '../support/github.js';
import { environmentOf, openGitHub } from '../support/github-origin.js';
import { commitOn, text } from '../support/origin-contract.js';

// An answer to a save that is lost: one commit all the same, and the receipt says so.

type Match = NonNullable<Fault['match']>;
const isMutation: Match = ({ graphql }) => graphql?.operation === 'mutation';
const movesBranch: Match = ({ method, path }) => method === 'PATCH' && path.includes('/git/refs/');

const bad502 = { kind: 'status', status: 502, body: { message: 'Bad Gateway' } } as const;

for (const graphql of [true, false]) {
  describe(graphql ? 'by GraphQL' : 'by the git data API', () => {
    let site: GitHub;
    let made = 0;
    const match = graphql ? isMutation : movesBranch;
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    beforeAll(async () => {
      site = await startGitHub({ graphql });
      process.on('unhandledRejection', note);
    });
    afterAll(async () => {
      process.off('unhandledRejection', note);
      expect(unhandled).toEqual([]);
      await site.close();
    });
    afterEach(() => site.clearFaults());

    /** A repository of its own and an app on it, warm. */
    async function start(more: Record<string, string> = {}) {
      const name = `lost-${made++}`;
      const repository = await site.createRepo({ name });
      const app = await openApp({ ...environmentOf(site), MEMORY_REPO: repository, ...more });
      await app.call('save_session', { title: 'Before', content: 'First of all.' });
      site.clearLog();
      const notes = async () =>
        [...(await site.files(undefined, repository)).keys()].filter(
          (path) => path.startsWith('sessions/') && path.endsWith('.md'),
        );
      const saves = async () =>
        (await site.history(undefined, repository)).filter(({ files }) =>
          files.some((file) => file.endsWith('.md') && file !== 'README.md'),
        );
      return { ...app, repository, notes, saves };
    }

    const faults: [string, Fault[]][] = [
      ['the socket is closed after it took effect', [{ kind: 'drop-after', match, times: 1 }]],
      ['half an answer', [{ kind: 'half', match, times: 1 }]],
      ['the socket is closed before', [{ kind: 'drop-before', match, times: 1 }]],
      ['a bad gateway before', [{ ...bad502, match, times: 1 }]],
      ['a page of HTML', [{ kind: 'garbage', match, times: 1 }]],
      [
        'three in a row',
        [
          { kind: 'drop-before', match, times: 1 },
          { kind: 'drop-after', match, times: 1 },
          { ...bad502, match, times: 1 },
        ],
      ],
    ];
    test.each(faults)('%s: one commit, saved', async (_name, wrong) => {
      const { call, notes, saves } = await start();
      for (const fault of wrong) site.fault(fault);
      const receipt = await call('save_session', { title: 'Lost', content: 'The answer to this was lost.' });
      expect(receipt).toMatch(/^Saved: /);
      expect(site.log.filter(({ fault }) => fault !== undefined).length).toBeGreaterThan(0);
      expect(await notes()).toHaveLength(2);
      expect(await saves()).toHaveLength(2);
      const id = /`([^`]+)`/.exec(receipt)?.[1] ?? '';
      expect(await call('read_memory', { id })).toContain('The answer to this was lost.');
      expect(await call('save_session', { title: 'After', content: 'And on.' })).toMatch(/^Saved: /);
      expect(await saves()).toHaveLength(3);
    });

    test.each(['drop-after', 'drop-before'] as const)('%s while reads lag: one commit, saved', async (kind) => {
      const { call, notes, saves, repository } = await start();
      site.lag(1_500, repository);
      site.fault({ kind, match, times: 1 });
      expect(await call('save_session', { title: 'Lost', content: 'Late as well.' })).toMatch(/^Saved: /);
      expect(await notes()).toHaveLength(2);
      expect(await saves()).toHaveLength(2);
      site.lag(0, repository);
    });

    test('somebody else commits on top while the answer is lost', async () => {
      const { call, notes, saves, repository } = await start();
      const seen: Match = (asked) => {
        if (!match(asked)) return false;
        // Comes behind ours in the queue of the test GitHub's writes.
        setImmediate(() => void site.commitOutside({ 'theirs.txt': 'x' }, { repository }));
        return true;
      };
      site.fault({ kind: 'drop-after', match: seen, times: 1 });
      expect(await call('save_session', { title: 'Lost', content: 'Under another one.' })).toMatch(/^Saved: /);
      expect(await notes()).toHaveLength(2);
      expect(await saves()).toHaveLength(2);
    });

    test('a server that hangs: looked after, one commit', async () => {
      const { repository } = await start();
      const [, name = ''] = repository.split('/');
      const origin = openGitHub(site, { name });
      const head = await origin.head();
      site.fault({ kind: 'hang', match, times: 1 });
      const result = await commitOn(origin, [{ path: 'a.md', content: text('a') }], head, 4_000);
      expect(result.outcome).toBe('committed');
      expect((await site.history(undefined, repository)).filter(({ files }) => files.includes('a.md'))).toHaveLength(1);
    });

    test('only deletions, and an edit back to what once stood there', async () => {
      const { repository } = await start();
      const [, name = ''] = repository.split('/');
      await site.commitOutside({ 'a.md': 'one', 'b.md': 'b' }, { repository });
      await site.commitOutside({ 'a.md': 'two' }, { repository });
      const origin = openGitHub(site, { name });
      for (const kind of ['drop-before', 'drop-after'] as const) {
        await site.commitOutside({ 'a.md': 'two', 'b.md': `b ${kind}` }, { repository });
        site.fault({ kind, match, times: 1 });
        const back = await commitOn(origin, [{ path: 'a.md', content: text('one') }]);
        expect(back.outcome).toBe('committed');
        expect((await site.files(undefined, repository)).get('a.md')?.toString()).toBe('one');
        site.fault({ kind, match, times: 1 });
        expect((await commitOn(origin, [{ path: 'b.md', content: null }])).outcome).toBe('committed');
        expect((await site.files(undefined, repository)).has('b.md')).toBe(false);
      }
    });

    test('nobody can say: told so, and nothing is sent any more', async () => {
      const { repository } = await start();
      const [, name = ''] = repository.split('/');
      const origin = openGitHub(site, { name, readDeadlineMs: 500 });
      const head = await origin.head();
      site.fault({ kind: 'drop-after', match, times: 1 });
      site.fault({ kind: 'drop-before', match: () => site.log.some(({ fault }) => fault === 'drop-after') });
      site.clearLog();
      const started = performance.now();
      const result = await commitOn(origin, [{ path: 'a.md', content: text('a') }], head, 2_500);
      expect(result).toMatchObject({ outcome: 'unknown', cause: { code: 'origin_unavailable' } });
      expect(performance.now() - started).toBeLessThan(4_000);
    });
  });
}
