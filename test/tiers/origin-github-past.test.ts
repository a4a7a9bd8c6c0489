import { expect, onTestFinished, test } from 'vitest';
import { LIMITS } from '../../src/core/limits.js';
import { createClient } from '../../src/tiers/origin-github/client.js';
import { createPast } from '../../src/tiers/origin-github/past.js';
import { createRepository } from '../../src/tiers/origin-github/repository.js';
import { client } from '../support/github/client.js';
import { type GitHub, startGitHub } from '../support/github.js';
import { openGitHub } from '../support/github-origin.js';

const minute = (at: number) => Date.UTC(2024, 0, 10) + at * 60_000;
const person = (at: number) => ({
  name: 'Somebody',
  email: 'somebody@example.com',
  date: new Date(minute(at)).toISOString(),
});

async function githubForTest(graphql = true): Promise<GitHub> {
  const site = await startGitHub({ graphql, empty: true });
  onTestFinished(() => site.close());
  return site;
}

/** One commit a minute; their ids. */
async function commits(site: GitHub, from: number, to: number): Promise<string[]> {
  const made: string[] = [];
  for (let at = from; at < to; at++) made.push(await site.commitOutside({ 'a.md': `${at}` }, { author: person(at) }));
  return made;
}

/** A commit on the head with a further parent. */
async function merge(site: GitHub, parent: string, at: number): Promise<string> {
  const { rest } = client(site);
  const { owner, repo } = site;
  const { tree } = (await rest.git.getCommit({ owner, repo, commit_sha: site.head() })).data;
  const made = { owner, repo, message: 'merge', tree: tree.sha, parents: [site.head(), parent] };
  const { data } = await rest.git.createCommit({ ...made, author: person(at), committer: person(at) });
  await rest.git.updateRef({ owner, repo, ref: 'heads/main', sha: data.sha });
  return data.sha;
}

test('a long history is gone through in few requests, and never at the price of a wrong answer', async () => {
  const site = await githubForTest();
  const made = await commits(site, 0, 230);
  const origin = openGitHub(site);
  await origin.head();
  const asked = async (timeMs: number, from = site.head()) => {
    site.clearLog();
    return { was: await origin.asOf(from, { beforeMs: timeMs }), requests: site.log.length };
  };
  const linear = site.head();
  expect(await asked(minute(229))).toEqual({ was: { commit: made[229], timeMs: minute(229) }, requests: 1 });
  expect(await asked(minute(200.5))).toEqual({ was: { commit: made[200], timeMs: minute(200) }, requests: 1 });
  expect(await asked(minute(10.5))).toEqual({ was: { commit: made[10], timeMs: minute(10) }, requests: 3 });
  expect(await asked(minute(10))).toMatchObject({ was: { commit: made[10] } });
  expect(await asked(minute(-1))).toEqual({ was: null, requests: 1 });

  // A clock that was wrong: an old time on a late commit. Whatever is older is not found past it.
  const setBack = await site.commitOutside({ 'a.md': 'set back' }, { author: person(20) });
  await commits(site, 231, 340);
  expect((await asked(minute(25))).was).toEqual({ commit: setBack, timeMs: minute(20) });
  expect((await asked(minute(15))).was).toEqual({ commit: made[15], timeMs: minute(15) });
  expect((await asked(minute(15), linear)).was?.commit).toBe(made[15]);

  // What came by a merge, made earlier than it was merged, is no state that the branch was in.
  await site.forcePush('main', made[100] as string);
  const side = await site.commitOutside({ 'side.md': 's' }, { author: person(150) });
  await site.forcePush('main', linear);
  await merge(site, side, 231);
  await commits(site, 232, 340);
  expect((await asked(minute(151))).was).toEqual({ commit: made[151], timeMs: minute(151) });
  expect((await asked(minute(150.5))).was).toEqual({ commit: made[150], timeMs: minute(150) });
  const { was, requests } = await asked(minute(40));
  expect(was).toEqual({ commit: made[40], timeMs: minute(40) });
  // With the merge on the way there is no shorter one; it has an end.
  expect(requests).toBeGreaterThan(4);
  const { token, apiUrl, owner, repo: name } = site;
  const most = { readDeadlineMs: LIMITS.githubReadMs };
  const asking = createClient({ ...most, apiUrl, token, owner, name });
  const repository = createRepository({
    ...most,
    client: asking,
    branch: undefined,
    allowPublic: false,
    onIgnore() {},
  });
  const past = createPast(asking, repository, 2);
  expect((await past.asOf(site.head(), { beforeMs: minute(200) }))?.commit).toBe(made[200]);
  await expect(past.asOf(site.head(), { beforeMs: minute(40) })).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringContaining('More than 200 commits'),
  });
});

test('without GraphQL the same is found page by page', async () => {
  const site = await githubForTest(false);
  const made = await commits(site, 0, 120);
  const origin = openGitHub(site);
  const head = await origin.head();
  site.clearLog();
  expect(await origin.asOf(head?.commit as string, { beforeMs: minute(5.5) })).toEqual({
    commit: made[5],
    timeMs: minute(5),
  });
  expect(site.log.length).toBe(3);
  site.clearLog();
  expect(await origin.asOf(head?.commit as string, { beforeMs: minute(-1) })).toBeNull();
  expect(site.log.length).toBe(2);
});

test('a tree of the past does not push out that of the head', async () => {
  const site = await githubForTest();
  const [first = ''] = await commits(site, 0, 2);
  const origin = openGitHub(site);
  const head = (await origin.head())?.commit as string;
  await origin.list(head);
  const then = await origin.list(first);
  expect(then.entries.map(({ path }) => path)).toContain('a.md');
  site.clearLog();
  await origin.list(head);
  expect(site.log).toEqual([]);
});
