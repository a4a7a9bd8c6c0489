import { expect, test } from 'vitest';
import { addition, client, commitByGraphQL, githubForTest, graphql } from './github/client.js';

const repository = (fields: string) => `{ repository(owner: "ann", name: "notes") { ${fields} } }`;

test('one commit of everything, on the head that was expected, else nothing at all', async () => {
  const site = await githubForTest();
  await site.commitOutside({ 'old/b.md': 'b', 'run.sh': 'x' });
  const before = site.head();
  const fileChanges = {
    additions: [addition('a.md', 'a\n'), addition('bin', Buffer.from([0, 255]))],
    deletions: [{ path: 'old/b.md' }],
  };
  const { data, status } = await commitByGraphQL(site, {
    fileChanges,
    message: { headline: 'one', body: 'two\n\nthree' },
  });
  const commit = data?.createCommitOnBranch?.commit;
  expect([status, commit?.oid, commit?.parents.nodes]).toEqual([200, site.head(), [{ oid: before }]]);
  expect(data?.createCommitOnBranch?.ref).toEqual({ name: 'main', target: { oid: site.head() } });
  const [made] = await site.history();
  expect(made).toMatchObject({
    message: 'one\n\ntwo\n\nthree',
    files: ['a.md', 'bin', 'old/b.md'],
    author: { name: 'ann' },
    committer: { name: 'GitHub', email: 'noreply@github.com' },
  });
  expect((await site.files()).get('bin')).toEqual(Buffer.from([0, 255]));

  const stale = await commitByGraphQL(site, { expectedHeadOid: before });
  expect(stale).toMatchObject({
    status: 200,
    data: { createCommitOnBranch: null },
    errors: [
      {
        type: 'STALE_DATA',
        path: ['createCommitOnBranch'],
        message: `Expected branch to point to "${before}" but it did not. Pull and try again.`,
      },
    ],
  });
  expect(site.head()).toBe(commit?.oid);
});

test('of many at once on the same head exactly one wins', async () => {
  const site = await githubForTest();
  const expectedHeadOid = site.head();
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, at) =>
      commitByGraphQL(site, { expectedHeadOid, fileChanges: { additions: [addition(`${at}.md`, 'x')] } }),
    ),
  );
  expect(answers.filter(({ errors }) => errors === undefined)).toHaveLength(1);
  expect(answers.flatMap(({ errors }) => errors ?? []).map(({ type }) => type)).toEqual(Array(11).fill('STALE_DATA'));
  expect((await site.files()).size).toBe(2);
});

test('refusals in the shapes of GitHub', async () => {
  const site = await githubForTest();
  const refused = async (input: Record<string, unknown>, token?: string) => {
    const before = site.head();
    const { status, data, errors } = await commitByGraphQL(site, input, token);
    expect([status, data?.createCommitOnBranch, site.head()]).toEqual([200, null, before]);
    return [errors?.[0]?.type, errors?.[0]?.message];
  };
  const named = (repositoryNameWithOwner: string, branchName = 'main') => ({
    branch: { repositoryNameWithOwner, branchName },
  });
  expect(await refused(named('ann/none'))).toEqual([
    'NOT_FOUND',
    "Could not resolve to a Repository with the name 'ann/none'.",
  ]);
  expect(await refused({}, site.tokens.stranger)).toEqual(['NOT_FOUND', expect.stringContaining("'ann/notes'")]);
  expect(await refused(named('ann/notes', 'none'))).toEqual(['NOT_FOUND', 'Branch "none" not found']);
  expect(await refused({ fileChanges: { deletions: [{ path: 'none.md' }] } })).toEqual([
    'NOT_FOUND',
    `A path was requested for deletion which does not exist as of commit oid \`${site.head()}\``,
  ]);
  expect(await refused({}, site.tokens.readOnly)).toEqual([
    'FORBIDDEN',
    'Resource not accessible by personal access token',
  ]);
  expect(await refused({}, site.tokens.sso)).toEqual(['FORBIDDEN', expect.stringContaining('SAML')]);
  await site.protectBranch('main');
  expect(await refused({})).toEqual([
    'BRANCH_PROTECTION_RULE_VIOLATION',
    expect.stringContaining("protected branch 'main'"),
  ]);
  await site.unprotectBranch('main');
  await site.setArchived();
  expect(await refused({})).toEqual(['UNPROCESSABLE', 'Repository was archived so is read-only.']);
  expect((await commitByGraphQL(site, {}, site.tokens.expired)).status).toBe(401);
});

test('reads: the repository, objects by id and by path, texts as far as GitHub gives them', async () => {
  const site = await githubForTest();
  const long = 'x'.repeat(600 * 1024);
  await site.seed({
    'a/b.md': 'b\r\nпривет',
    'long.md': long,
    bin: Buffer.from([1, 0, 2]),
    'latin.md': Buffer.from([0xe9]),
  });
  const blob = '... on Blob { oid byteSize isBinary isTruncated text }';
  const { data, errors } = await graphql<{ repository: Record<string, Record<string, unknown>> }>(
    site,
    `query($owner: String!, $name: String!) {
      repository(owner: $owner, name: $name) {
        nameWithOwner isPrivate visibility isArchived isDisabled isLocked viewerPermission diskUsage
        defaultBranchRef { name target { oid ... on Commit { tree { oid entries { name type oid object { ${blob} } } } } } }
        gone: ref(qualifiedName: "refs/heads/gone") { name }
        path: object(expression: "HEAD:a/b.md") { ${blob} }
        long: object(expression: "main:long.md") { ${blob} }
        bin: object(expression: "main:bin") { ${blob} }
        latin: object(expression: "main:latin.md") { ${blob} }
        none: object(expression: "main:none.md") { ${blob} }
      }
      rateLimit { cost limit remaining resetAt }
      viewer { login }
    }`,
    { owner: 'ann', name: 'notes' },
  );
  expect(errors).toBeUndefined();
  const found = data?.repository;
  expect(found).toMatchObject({
    nameWithOwner: 'ann/notes',
    isPrivate: true,
    visibility: 'PRIVATE',
    viewerPermission: 'ADMIN',
    defaultBranchRef: { name: 'main', target: { oid: site.head() } },
    gone: null,
    none: null,
    path: { text: 'b\r\nпривет', isBinary: false, isTruncated: false, byteSize: 15 },
    bin: { text: null, isBinary: true },
    // Text of another encoding comes as UTF-8: no longer the bytes that its id is of.
    latin: { text: 'é', byteSize: 1, isBinary: false },
  });
  expect(found?.long).toMatchObject({ isTruncated: true, byteSize: long.length, text: long.slice(0, 512 * 1024) });
  expect(data).toMatchObject({ viewer: { login: 'ann' }, rateLimit: { cost: 1, limit: 5000, remaining: 4999 } });
  expect(site.log[0]?.graphql).toEqual({
    operation: 'query',
    fields: ['repository', 'rateLimit', 'viewer'],
    aliases: 6,
  });
});

test('the history of a path, by pages, and the file in a commit', async () => {
  const site = await githubForTest();
  const first = await site.commitOutside({ 'a.md': '1', 'b.md': '1' });
  await site.commitOutside({ 'b.md': '2' });
  const second = await site.commitOutside(
    { 'a.md': '2' },
    { message: 'again', author: { name: 'Bo', email: 'bo@example.com' } },
  );
  type Page = { totalCount: number; nodes: { oid: string }[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
  const page = async (after: string | null) => {
    const query = `query($after: String) ${repository(`ref(qualifiedName: "main") { target { ... on Commit {
      file(path: "a.md") { name path mode type size object { ... on Blob { text } } }
      history(first: 1, path: "a.md", after: $after) {
        totalCount nodes { oid message committedDate author { name email } } pageInfo { hasNextPage endCursor }
      } } } }`)}`;
    const { data } = await graphql<{ repository: { ref: { target: { file: unknown; history: Page } } } }>(site, query, {
      after,
    });
    return data?.repository.ref.target as { file: unknown; history: Page };
  };
  const { file, history } = await page(null);
  expect(file).toEqual({ name: 'a.md', path: 'a.md', mode: 0o100644, type: 'blob', size: 1, object: { text: '2' } });
  expect(history).toMatchObject({ totalCount: 2, nodes: [{ oid: second, message: 'again', author: { name: 'Bo' } }] });
  const last = (await page(history.pageInfo.endCursor)).history;
  expect([last.nodes[0]?.oid, last.pageInfo.hasNextPage]).toEqual([first, false]);
});

test('documents are held to GitHub’s schema and to a size; GraphQL may not be there at all', async () => {
  const site = await githubForTest();
  const wrong = await graphql(site, repository('nope'));
  expect(wrong.errors?.[0]?.message).toContain('"nope"');
  expect((await graphql(site, '{ viewer {')).errors?.[0]?.message).toContain('Syntax Error');
  const many = Array.from({ length: 501 }, (_, at) => `a${at}: object(expression: "HEAD") { oid }`).join(' ');
  expect((await graphql(site, repository(many))).errors?.[0]?.type).toBe('MAX_NODE_LIMIT_EXCEEDED');
  // The client finds GraphQL beside REST by itself.
  const octokit = client(site);
  expect(await octokit.graphql('{ viewer { login } }')).toEqual({ viewer: { login: 'ann' } });
  site.setGraphQL(false);
  await expect(octokit.graphql('{ viewer { login } }')).rejects.toMatchObject({ status: 404 });
});
