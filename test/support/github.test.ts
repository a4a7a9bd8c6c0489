import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { addition, client, commitByGraphQL, githubForTest, refusal } from './github/client.js';
import { gitEnvironmentForTests } from './home.js';
import { bareRepository, fsck } from './repository.js';

const NOTES = { owner: 'ann', repo: 'notes' };
const SHA_ONLY = { mediaType: { format: 'sha' } };

test('ids are those of git: what is read back makes a repository that git finds whole', async () => {
  const site = await githubForTest();
  await site.seed({
    'a.md': 'a\n',
    'a/b/привет.md': 'да\n',
    'a-b.md': 'sorted before a/',
    'deep/er/gone.md': 'x',
    'blob.bin': Buffer.from([0, 255, 254, 1]),
  });
  await commitByGraphQL(site, {
    message: { headline: 'head', body: 'body\n\nCo-authored-by: Bo <bo@example.com>' },
    fileChanges: { additions: [addition('a/c.md', 'c')], deletions: [{ path: 'deep/er/gone.md' }] },
  });
  const { rest } = client(site);
  const folder = bareRepository();
  const run = (input: Buffer | string, ...args: string[]) =>
    execFileSync('git', ['-C', folder, ...args], { input, encoding: 'utf8', env: gitEnvironmentForTests() }).trim();

  for (const { sha } of (await site.history()).toReversed()) {
    const { data: commit } = await rest.git.getCommit({ ...NOTES, commit_sha: sha });
    const { data: root } = await rest.git.getTree({ ...NOTES, tree_sha: sha, recursive: '1' });
    const trees = [root.sha, ...root.tree.filter(({ type }) => type === 'tree').map((entry) => entry.sha)];
    for (const { type, sha: id } of root.tree) {
      if (type !== 'blob') continue;
      const { data } = await rest.git.getBlob({ ...NOTES, file_sha: id });
      expect(run(Buffer.from(data.content, 'base64'), 'hash-object', '-w', '--stdin')).toBe(id);
    }
    for (const id of trees) {
      const { data } = await rest.git.getTree({ ...NOTES, tree_sha: id });
      const lines = data.tree.map((entry) => `${entry.mode} ${entry.type} ${entry.sha}\t${entry.path}\n`);
      // mktree would put them in order: it is the id that shows whether they were.
      expect(run(lines.join(''), 'mktree', '--missing')).toBe(id);
    }
    const by = ({ name, email, date }: typeof commit.author) => `${name} <${email}> ${Date.parse(date) / 1000} +0000`;
    const parents = commit.parents.map((parent) => `parent ${parent.sha}\n`).join('');
    const raw = `tree ${root.sha}\n${parents}author ${by(commit.author)}\ncommitter ${by(commit.committer)}\n\n${commit.message}\n`;
    expect(run(raw, 'hash-object', '-w', '-t', 'commit', '--stdin')).toBe(sha);
  }
  run('', 'update-ref', 'refs/heads/main', site.head());
  expect(fsck(folder).filter((line) => !line.startsWith('dangling'))).toEqual([]);
  const paths = execFileSync('git', ['-C', folder, 'ls-tree', '-r', '-t', '-z', '--name-only', 'main'], {
    encoding: 'utf8',
  });
  const { data } = await rest.git.getTree({ ...NOTES, tree_sha: 'main', recursive: '1' });
  expect(data.tree.map(({ path }) => `${path}\0`).join('')).toBe(paths);
  expect(paths).not.toContain('deep');
});

test('a head is its bare id, and unchanged is a 304 that costs nothing', async () => {
  const site = await githubForTest();
  const { rest } = client(site);
  const head = () => rest.repos.getCommit({ ...NOTES, ref: 'HEAD', ...SHA_ONLY });
  const first = await head();
  expect(first.data).toBe(site.head());
  expect(first.headers.etag).toBe(`"${site.head()}"`);
  expect(first.headers['x-ratelimit-remaining']).toBe('4999');
  const since = { headers: { 'if-none-match': `"${site.head()}"` } };
  await expect(rest.repos.getCommit({ ...NOTES, ref: 'main', ...SHA_ONLY, ...since })).rejects.toMatchObject({
    status: 304,
    response: { headers: { 'x-ratelimit-remaining': '4999' } },
  });
  const { data, headers } = await rest.repos.get({ ...NOTES });
  expect(data).toMatchObject({ full_name: 'ann/notes', private: true, default_branch: 'main' });
  await expect(rest.repos.get({ ...NOTES, headers: { 'if-none-match': headers.etag } })).rejects.toMatchObject({
    status: 304,
  });
  const left = (await rest.rateLimit.get()).data.resources.core;
  expect(left).toMatchObject({ limit: 5000, used: 2, remaining: 4998 });
  await site.commitOutside({ 'a.md': 'a' });
  expect((await rest.repos.getCommit({ ...NOTES, ref: 'main', ...SHA_ONLY, ...since })).data).toBe(site.head());
  expect(site.log.map(({ path, status, conditional }) => [path.split('/').at(-1), status, conditional])).toEqual([
    ['HEAD', 200, false],
    ['main', 304, true],
    ['notes', 200, false],
    ['notes', 304, true],
    ['rate_limit', 200, false],
    ['main', 200, true],
  ]);
  expect(JSON.stringify(site.log)).not.toContain(site.token);
});

test('unknown names, unknown tokens, repositories that one may not see', async () => {
  const site = await githubForTest();
  const get = (token: string, repo = 'notes') => client(site, token).rest.repos.get({ owner: 'ann', repo });
  expect(await refusal(get('nonsense'))).toEqual([401, 'Bad credentials']);
  expect(await refusal(get(site.tokens.expired))).toEqual([401, 'Bad credentials']);
  expect((await fetch(`${site.apiUrl}/user`)).status).toBe(401);
  expect(await refusal(get(site.tokens.stranger))).toEqual([404, 'Not Found']);
  expect(await refusal(get(site.token, 'other'))).toEqual([404, 'Not Found']);
  const sso = await client(site, site.tokens.sso)
    .rest.repos.get(NOTES)
    .catch((error) => error);
  expect([sso.status, sso.response.headers['x-github-sso']]).toEqual([403, expect.stringMatching(/^required; url=/)]);
  expect((await client(site).rest.users.getAuthenticated()).data.login).toBe('ann');

  const commit = (ref: string) => client(site).rest.repos.getCommit({ ...NOTES, ref });
  expect(await refusal(commit('nowhere'))).toEqual([422, 'No commit found for SHA: nowhere']);
  await site.setPublic();
  expect((await get(site.tokens.stranger)).data).toMatchObject({ private: false, visibility: 'public' });
});

test('an empty repository gets its first commit through its contents', async () => {
  const site = await githubForTest({ empty: true });
  const { rest } = client(site);
  const empty = [409, 'Git Repository is empty.'];
  expect(await refusal(rest.repos.getCommit({ ...NOTES, ref: 'HEAD', ...SHA_ONLY }))).toEqual(empty);
  expect(await refusal(rest.git.getTree({ ...NOTES, tree_sha: 'main' }))).toEqual(empty);
  expect(await refusal(rest.git.createBlob({ ...NOTES, content: 'a' }))).toEqual(empty);
  const put = (sha?: string) =>
    rest.repos.createOrUpdateFileContents({
      ...NOTES,
      path: 'notes/a b.md',
      message: 'first',
      content: Buffer.from('a').toString('base64'),
      ...(sha ? { sha } : {}),
    });
  const first = await put();
  expect(first.status).toBe(201);
  expect(first.data.commit.sha).toBe(site.head());
  expect(await refusal(put())).toEqual([422, 'Invalid request.\n\n"sha" wasn\'t supplied.']);
  expect([...(await site.files()).keys()]).toEqual(['notes/a b.md']);
});

test('trees: sizes, truncation that has to be walked around, blobs in base64 and raw', async () => {
  const site = await githubForTest({ treeLimit: 3 });
  await site.seed({ 'one/a.md': 'aaaa', 'one/b.md': 'bb', 'two/c.md': 'c' });
  const { rest } = client(site);
  const recursive = (await rest.git.getTree({ ...NOTES, tree_sha: 'HEAD', recursive: '1' })).data;
  expect([recursive.truncated, recursive.tree.length]).toEqual([true, 3]);
  const top = (await rest.git.getTree({ ...NOTES, tree_sha: recursive.sha })).data;
  expect([top.truncated, top.tree.map(({ path }) => path)]).toEqual([false, ['README.md', 'one', 'two']]);
  const one = (await rest.git.getTree({ ...NOTES, tree_sha: top.tree[1]?.sha as string, recursive: '1' })).data;
  expect(one.tree.map(({ path, size }) => [path, size])).toEqual([
    ['a.md', 4],
    ['b.md', 2],
  ]);
  expect(one.truncated).toBe(false);
  const raw = await rest.git.getBlob({ ...NOTES, file_sha: one.tree[0]?.sha as string, mediaType: { format: 'raw' } });
  expect(Buffer.from(raw.data as never).toString()).toBe('aaaa');
});

test('compare: where two commits stand to each other, and what differs', async () => {
  const site = await githubForTest();
  const base = await site.commitOutside({ 'a.md': 'a', 'b.md': 'bbb', 'c.md': 'c' });
  const ahead = await site.commitOutside({ 'a.md': 'A', 'b.md': null, 'renamed.md': 'bbb', 'c.md': null, 'd.md': 'd' });
  const aside = await site.commitOutside({ 'x.md': 'x' }, { parent: base, move: false });
  const compare = async (from: string, to: string) =>
    (await client(site).rest.repos.compareCommitsWithBasehead({ ...NOTES, basehead: `${from}...${to}` })).data;
  const forward = await compare(base, 'main');
  expect([forward.status, forward.ahead_by, forward.behind_by]).toEqual(['ahead', 1, 0]);
  expect(forward.commits[0]?.commit.tree.sha).toMatch(/^[0-9a-f]{40}$/);
  expect(forward.files?.map((file) => [file.filename, file.status, file.previous_filename])).toEqual([
    ['a.md', 'modified', undefined],
    ['c.md', 'removed', undefined],
    ['d.md', 'added', undefined],
    ['renamed.md', 'renamed', 'b.md'],
  ]);
  expect([(await compare(ahead, base)).status, (await compare(ahead, ahead)).status]).toEqual(['behind', 'identical']);
  const both = await compare(ahead, aside);
  expect([both.status, both.ahead_by, both.behind_by]).toEqual(['diverged', 1, 1]);
  await site.seed(Object.fromEntries(Array.from({ length: 320 }, (_, at) => [`many/${at}.md`, `${at}`])));
  expect((await compare(ahead, 'main')).files).toHaveLength(300);
});

test('the git data path: blobs, a tree, a commit, a branch that only moves forward', async () => {
  const site = await githubForTest();
  await site.commitOutside({ 'old/a.md': 'a' });
  const { rest } = client(site);
  const parent = site.head();
  const content = Buffer.from([0, 1, 2]).toString('base64');
  const { data: blob } = await rest.git.createBlob({ ...NOTES, content, encoding: 'base64' });
  const file = (path: string, sha: string | null) => ({ path, sha, mode: '100644' as const, type: 'blob' as const });
  const tree = [file('new/b.bin', blob.sha), file('old/a.md', null)];
  const { data: made } = await rest.git.createTree({ ...NOTES, base_tree: parent, tree });
  const author = { name: 'Ann', email: 'ann@example.com' };
  const commit = async (message: string) =>
    (await rest.git.createCommit({ ...NOTES, message, tree: made.sha, parents: [parent], author })).data.sha;
  const [mine, theirs] = [await commit('mine'), await commit('theirs')];
  const move = (sha: string) => rest.git.updateRef({ ...NOTES, ref: 'heads/main', sha, force: false });
  await move(theirs);
  expect(await refusal(move(mine))).toEqual([422, 'Update is not a fast forward']);
  expect(site.head()).toBe(theirs);
  expect([...(await site.files()).keys()]).toEqual(['README.md', 'new/b.bin']);
  const { data: ref } = await rest.git.createRef({ ...NOTES, ref: 'refs/heads/side', sha: mine });
  expect([ref.object.sha, site.head('side')]).toEqual([mine, mine]);
  expect((await rest.git.getRef({ ...NOTES, ref: 'heads/side' })).data.object.sha).toBe(mine);
});

test('a renamed repository answers at its old name, readers and writers alike', async () => {
  const site = await githubForTest();
  await site.renameRepo('memory');
  const old = await fetch(`${site.apiUrl}/repos/ann/notes/commits/HEAD?x=1`, {
    headers: { authorization: `token ${site.token}` },
    redirect: 'manual',
  });
  expect([old.status, old.headers.get('location')]).toEqual([
    301,
    expect.stringMatching(/\/repositories\/\d+\/commits\/HEAD\?x=1$/),
  ]);
  const { rest } = client(site);
  expect((await rest.repos.get(NOTES)).data.full_name).toBe('ann/memory');
  const { status } = await rest.git.createBlob({ ...NOTES, content: 'a' });
  expect(status).toBe(201);
  expect(site.log.map((entry) => entry.status)).toEqual([301, 301, 200, 307, 201]);
  const { data } = await commitByGraphQL(site);
  expect(data?.createCommitOnBranch?.commit.oid).toBe(site.head());
});

test('what may not be written: reading tokens, archives, protected branches', async () => {
  const site = await githubForTest();
  const put = (token = site.token) =>
    client(site, token).rest.repos.createOrUpdateFileContents({
      ...NOTES,
      path: 'a.md',
      message: 'a',
      content: 'YQ==',
    });
  expect(await refusal(put(site.tokens.readOnly))).toEqual([403, 'Resource not accessible by personal access token']);
  expect((await client(site, site.tokens.readOnly).rest.repos.get(NOTES)).status).toBe(200);
  await site.protectBranch('main');
  expect(await refusal(put())).toEqual([409, expect.stringContaining('approving review')]);
  await site.unprotectBranch('main');
  await site.setArchived();
  expect(await refusal(put())).toEqual([403, 'Repository was archived so is read-only.']);
  await site.setArchived(false);
  expect((await put()).status).toBe(201);
});

test('repositories are made through the API, for a person and for an organisation', async () => {
  const site = await githubForTest();
  const { rest } = client(site);
  expect((await rest.repos.createForAuthenticatedUser({ name: 'fresh', private: true })).data.full_name).toBe(
    'ann/fresh',
  );
  expect((await rest.repos.createInOrg({ org: 'acme', name: 'shared', private: true })).data.full_name).toBe(
    'acme/shared',
  );
  const where = { owner: 'ann', repo: 'fresh' };
  expect(await refusal(rest.repos.getCommit({ ...where, ref: 'HEAD' }))).toEqual([409, 'Git Repository is empty.']);
  expect(await site.createRepo({ name: 'third', defaultBranch: 'trunk' })).toBe('ann/third');
  expect((await rest.repos.getCommit({ owner: 'ann', repo: 'third', ref: 'HEAD' })).data.sha).toBe(
    site.head('trunk', 'ann/third'),
  );
});
