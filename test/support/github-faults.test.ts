import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { addition, client, commitByGraphQL, githubForTest, graphql, refusal } from './github/client.js';

const NOTES = { owner: 'ann', repo: 'notes' };

test('answers that are not GitHub’s own: a status, a limit, a page of HTML', async () => {
  const site = await githubForTest();
  const get = () => client(site).rest.repos.get(NOTES);
  site.fault({
    kind: 'status',
    status: 502,
    body: 'bad gateway',
    times: 1,
    match: ({ path }) => path.endsWith('/notes'),
  });
  expect((await client(site).rest.users.getAuthenticated()).status).toBe(200);
  expect((await refusal(get()))[0]).toBe(502);
  expect((await get()).status).toBe(200);
  site.secondaryLimit(7);
  await expect(get()).rejects.toMatchObject({
    status: 403,
    message: expect.stringContaining('secondary rate limit'),
    response: { headers: { 'retry-after': '7' } },
  });
  site.primaryLimit(30);
  await expect(get()).rejects.toMatchObject({ status: 403, response: { headers: { 'x-ratelimit-remaining': '0' } } });
  site.fault({ kind: 'garbage', times: 1 });
  expect((await get()).headers['content-type']).toBe('text/html');
  expect(site.log.map(({ fault }) => fault)).toEqual([undefined, 'status', undefined, 'status', 'status', 'garbage']);
});

test('a budget that is used up, for REST and for GraphQL', async () => {
  const site = await githubForTest();
  site.leave(site.token, 1, 60);
  const get = () => client(site).rest.repos.get(NOTES);
  expect((await get()).headers['x-ratelimit-remaining']).toBe('0');
  await expect(get()).rejects.toMatchObject({ status: 403, response: { headers: { 'x-ratelimit-remaining': '0' } } });
  expect((await graphql(site, '{ viewer { login } }')).errors).toBeUndefined();
  expect((await graphql(site, '{ viewer { login } }')).errors?.[0]).toMatchObject({ type: 'RATE_LIMITED' });
});

test('a connection lost before the commit, and after it', async () => {
  const site = await githubForTest();
  const before = site.head();
  site.fault({ kind: 'drop-before', times: 1 });
  await expect(commitByGraphQL(site)).rejects.toThrow();
  expect(site.head()).toBe(before);
  site.fault({ kind: 'drop-after', times: 1, match: ({ graphql: asked }) => asked?.operation === 'mutation' });
  await expect(commitByGraphQL(site)).rejects.toThrow();
  const after = site.head();
  expect(after).not.toBe(before);
  site.fault({ kind: 'half', times: 1 });
  await expect(commitByGraphQL(site, { fileChanges: { additions: [addition('b.md', 'b')] } })).rejects.toThrow();
  expect((await site.files()).has('b.md')).toBe(true);
  expect(site.log.map(({ status }) => status)).toEqual([undefined, undefined, undefined]);
});

test('a server that hangs, is slow, is gone and comes back', async () => {
  const site = await githubForTest();
  const get = (timeoutMs = 5000) =>
    client(site).rest.repos.get({ ...NOTES, request: { signal: AbortSignal.timeout(timeoutMs) } });
  site.fault({ kind: 'hang', times: 1 });
  await expect(get(100)).rejects.toThrow();
  site.latency(60);
  const started = performance.now();
  await get();
  expect(performance.now() - started).toBeGreaterThanOrEqual(55);
  site.latency(0);
  site.fault({ kind: 'delay', ms: 60, times: 1 });
  await get();
  expect(site.log.at(-1)?.ms).toBeGreaterThanOrEqual(55);
  await site.down();
  await expect(get()).rejects.toThrow();
  const [refused] = (await once(connect(Number(new URL(site.url).port), '127.0.0.1'), 'error').catch((error) => [
    error,
  ])) as [unknown];
  expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
  await site.commitOutside({ 'meanwhile.md': 'x' });
  await site.up();
  expect((await get()).status).toBe(200);
});

test('reads that lag behind writes, which know the true head', async () => {
  const site = await githubForTest();
  const before = site.head();
  site.lag(60_000);
  const { data } = await commitByGraphQL(site);
  const made = data?.createCommitOnBranch?.commit.oid as string;
  const { rest } = client(site);
  const seen = async () => [
    (await rest.repos.getCommit({ ...NOTES, ref: 'main', mediaType: { format: 'sha' } })).data as unknown,
    (await rest.git.getRef({ ...NOTES, ref: 'heads/main' })).data.object.sha,
    (await rest.repos.getBranch({ ...NOTES, branch: 'main' })).data.commit.sha,
    (await rest.repos.listCommits(NOTES)).data[0]?.sha,
    (
      await graphql<{ repository: { object: { oid: string } } }>(
        site,
        '{ repository(owner: "ann", name: "notes") { object(expression: "HEAD") { oid } } }',
      )
    ).data?.repository.object.oid,
  ];
  expect(await seen()).toEqual(Array(5).fill(before));
  expect((await rest.git.getTree({ ...NOTES, tree_sha: 'main' })).data.tree.map(({ path }) => path)).toEqual([
    'README.md',
  ]);
  expect((await rest.git.getCommit({ ...NOTES, commit_sha: made })).status).toBe(200);
  expect((await commitByGraphQL(site, { expectedHeadOid: before })).errors?.[0]?.type).toBe('STALE_DATA');
  expect((await commitByGraphQL(site, { expectedHeadOid: made })).errors).toBeUndefined();
  site.lag(0);
  expect(await seen()).toEqual(Array(5).fill(site.head()));
});

test('what an owner does to branches', async () => {
  const site = await githubForTest();
  const first = site.head();
  const second = await site.commitOutside({ 'a.md': 'a' });
  await site.forcePush('main', first);
  expect((await site.history()).map(({ sha }) => sha)).toEqual([first]);
  // What was pushed away can still be read by its id.
  expect((await client(site).rest.repos.getCommit({ ...NOTES, ref: second })).data.sha).toBe(second);
  await site.renameBranch('main', 'trunk');
  expect((await client(site).rest.repos.get(NOTES)).data.default_branch).toBe('trunk');
  expect(await refusal(client(site).rest.repos.getCommit({ ...NOTES, ref: 'main' }))).toEqual([
    422,
    'No commit found for SHA: main',
  ]);
  expect((await client(site).rest.repos.getCommit({ ...NOTES, ref: 'HEAD' })).data.sha).toBe(first);
});

test('10,000 files are listed, read and added to without waiting', async () => {
  const site = await githubForTest();
  await site.seed(new Map(Array.from({ length: 10_000 }, (_, at) => [`sessions/${at % 40}/${at}.md`, `note ${at}\n`])));
  const { data } = await client(site).rest.git.getTree({ ...NOTES, tree_sha: 'main', recursive: '1' });
  expect(data.tree.filter(({ type }) => type === 'blob')).toHaveLength(10_001);
  const objects = data.tree.filter(({ type }) => type === 'blob').slice(0, 100);
  const fields = objects.map(({ sha }, at) => `b${at}: object(oid: "${sha}") { ... on Blob { text } }`).join(' ');
  const texts = await graphql<{ repository: Record<string, { text: string }> }>(
    site,
    `{ repository(owner: "ann", name: "notes") { ${fields} } }`,
  );
  expect(Object.values(texts.data?.repository ?? {}).every(({ text }) => text.length > 0)).toBe(true);
  expect((await commitByGraphQL(site)).errors).toBeUndefined();
  const [list, read, save] = site.log.map(({ ms }) => ms ?? Number.POSITIVE_INFINITY) as [number, number, number];
  // Far above what they take (some tens of milliseconds), far below the seconds of looking through everything.
  expect(Math.max(list, read, save)).toBeLessThan(2000);
});
