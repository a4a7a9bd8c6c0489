import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Caller } from '../../src/core/caller.js';
import { createLog } from '../../src/core/log.js';
import type { Filter, Mirror, View } from '../../src/core/ports.js';
import { createSync } from '../../src/core/sync.js';
import { createPostgresMirror } from '../../src/tiers/mirror-postgres.js';
import { createSqliteMirror } from '../../src/tiers/mirror-sqlite.js';
import { openGitOrigin } from '../../src/tiers/origin-git/index.js';
import { foreignFiles, importFiles, ordinaryNotes } from '../support/foreign.js';
import { tempFolder } from '../support/home.js';
import { everybody, note, put, queryTerms } from '../support/mirror-contract.js';
import { createDatabase, POSTGRES } from '../support/postgres.js';
import { bareRepository } from '../support/repository.js';
import { hitsOf } from '../support/search.js';

async function both(origin: string): Promise<[Mirror, Mirror]> {
  const { url } = await createDatabase();
  const mirrors: [Mirror, Mirror] = [
    createSqliteMirror({ origin, path: join(tempFolder(), 'mirror.db') }),
    createPostgresMirror({ origin, url }),
  ];
  onTestFinished(async () => {
    for (const each of mirrors) await each.close();
  });
  return mirrors;
}

/** Asks both, expects the same, and gives it. */
async function same<T>([sqlite, postgres]: [Mirror, Mirror], ask: (view: View) => Promise<T>, about = ''): Promise<T> {
  const answer = await sqlite.snapshot(ask);
  expect(await postgres.snapshot(ask), about).toEqual(answer);
  return answer;
}

const plain = <T extends { content: Uint8Array | null }>(row: T | null) =>
  row && { ...row, content: row.content === null ? null : Buffer.from(row.content).toString('hex') };

describe.skipIf(POSTGRES === null)('SQLite and Postgres', () => {
  test('give the same lists and reads, in the same order, of somebody else’s repository', async () => {
    const repository = bareRepository();
    importFiles(repository, [...foreignFiles(), ...ordinaryNotes(120)]);
    const origin = await openGitOrigin({ path: repository, own: false });
    onTestFinished(() => origin.close());
    const mirrors = await both(origin.name);
    for (const mirror of mirrors)
      await createSync({ origin, mirror, log: createLog('silent', () => {}) }).run({ reason: 'test' });

    const callers: Caller[] = [everybody(), everybody('ann'), { ...everybody('bob'), projects: ['acme', 'inbox'] }];
    const ids = await same(mirrors, (view) => view.ids(everybody()));
    expect(ids.length).toBeGreaterThan(150);
    const everything = await same(mirrors, (view) => view.list(everybody(), {}, { limit: 10_000 }));
    const filters: Filter[] = [
      {},
      ...[...new Set(everything.map(({ project }) => project))]
        .slice(0, 12)
        .map((project) => ({ projects: [project] })),
      ...[...new Set(everything.flatMap(({ tags }) => tags))].slice(0, 12).map((tag) => ({ tags: [tag] })),
      { kinds: ['session', 'note'] },
      { privacy: 'PRIVATE' },
      { afterMs: everything[20]?.timeMs, beforeMs: everything[3]?.timeMs },
      { afterMs: 1.5, beforeMs: 1e12 + 0.25 },
    ];
    for (const caller of callers) {
      for (const filter of filters) {
        await same(mirrors, (view) => view.count(caller, filter), JSON.stringify(filter));
        for (let after: { timeMs: number; path: string } | undefined, pages = 0; pages < 5; pages++) {
          const from = after;
          const page = await same(mirrors, (view) => view.list(caller, filter, { limit: 7, after: from }));
          after = page.at(-1);
          if (!after) break;
        }
      }
      await same(mirrors, (view) => view.projects(caller));
      await same(mirrors, (view) => view.records(caller));
      await same(mirrors, (view) => view.problems(caller, 1_000));
    }
    for (const id of ids) await same(mirrors, async (view) => plain(await view.get(everybody(), id)), id);
    await same(mirrors, async (view) => (await view.contents('', 10_000)).map(plain));
    await same(mirrors, async (view) => [...(await view.paths())].toSorted());
    for (const { project } of everything.slice(0, 40)) await same(mirrors, (view) => view.newestSession(project));
    for (const mirror of mirrors) expect(await mirror.unindexed()).toEqual([]);

    // The ranking is each one's own; what is found is not.
    const words = [...everything.map(({ title }) => title), 'the database', 'ошибка', '数据库', 'README', 'a-b c_d'];
    for (const query of words) {
      const found = await same(mirrors, async (view) =>
        (await hitsOf(view, everybody(), queryTerms(query), {}, 10_000))
          .map(({ document }) => document.path)
          .toSorted(),
      );
      if (queryTerms(query).length > 0 && everything.some(({ title }) => title === query))
        expect(found.length, query).toBeGreaterThan(0);
    }
  });

  test('hold text with NUL and lone surrogates alike, and are asked with it', async () => {
    const mirrors = await both('/repo');
    const odd = 'a\0b\ud800c\udc00d';
    const one = {
      ...note('odd.md', `bytes \0 stay`),
      title: odd,
      tags: ['t\0g', 'plain'],
      digest: { summary: odd, decisions: [odd, '"\\u0000'], nextSteps: ['\ud83d'], closed: [odd], facts: [] },
      author: odd,
      client: odd,
      priority: odd,
      status: odd,
      reason: odd,
      saveKey: odd,
      terms: { title: `${odd} word`, body: `\ud800 ${odd} body` },
    };
    for (const mirror of mirrors) {
      expect(await put(mirror, [one])).toBe(true);
      await mirror.doubt([{ saveId: odd, deadlineMs: 1e15 }]);
      await mirror.settle([odd]);
      expect(await mirror.staged([{ path: 'a\0.md', blob: '\ud800' }, one])).toEqual(new Set(['odd.md']));
    }
    const got = await same(mirrors, async (view) => plain(await view.get(everybody(), 'odd')));
    expect(got).toMatchObject({
      title: 'a\ufffdb\ufffdc\ufffdd',
      tags: ['t\ufffdg', 'plain'],
      reason: 'a\ufffdb\ufffdc\ufffdd',
    });
    expect(got?.digest).toEqual({
      summary: 'a\ufffdb\ufffdc\ufffdd',
      decisions: ['a\ufffdb\ufffdc\ufffdd', '"\\u0000'],
      nextSteps: ['\ufffd'],
      closed: ['a\ufffdb\ufffdc\ufffdd'],
      facts: [],
    });
    expect(Buffer.from(got?.content ?? '', 'hex').toString()).toBe('bytes \0 stay');
    await same(mirrors, (view) => view.state().then(({ doubts }) => doubts));
    for (const text of ['\0', '\ud800', odd, 'x\0']) {
      await same(mirrors, (view) => view.get(everybody(), text));
      await same(mirrors, (view) => view.count(everybody(text), { projects: [text], tags: [text], privacy: text }));
      await same(mirrors, (view) => view.count({ ...everybody(), projects: [text] }, {}));
      await same(mirrors, (view) => view.newestSession(text));
      await same(mirrors, (view) => view.relatives(everybody(), text));
      await same(mirrors, (view) => view.sameSave({ project: text, author: text, key: text }));
      for (const mirror of mirrors)
        await expect(mirror.snapshot((view) => hitsOf(view, everybody(), [text], {}, 5))).resolves.toBeInstanceOf(
          Array,
        );
    }
  });

  test('take capital letters in a project’s name for what they are', async () => {
    const mirrors = await both('/repo');
    for (const mirror of mirrors) {
      const named = (path: string, project: string) => ({ ...note(path, 'x'), project });
      await put(mirror, [named('1.md', 'acme/web'), named('2.md', 'ACME/web'), named('3.md', 'acme_x/web')]);
    }
    const acme = { ...everybody(), projects: ['acme'] };
    expect(await same(mirrors, (view) => view.ids(acme))).toEqual(['1']);
  });
});
