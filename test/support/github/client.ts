import { Octokit } from '@octokit/rest';
import { expect, onTestFinished } from 'vitest';
import { type GitHub, type GitHubOptions, startGitHub } from '../github.js';

/** A GitHub until the test ends. */
export async function githubForTest(options?: GitHubOptions): Promise<GitHub> {
  const started = await startGitHub(options);
  onTestFinished(() => started.close());
  return started;
}

/** A client that retries nothing and says nothing on stderr: it is GitHub's answers that are looked at. */
export function client(site: GitHub, token = site.token): Octokit {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  return new Octokit({ auth: token, baseUrl: site.apiUrl, log: silent });
}

/** The status and message of a request that must be refused. */
export async function refusal(asked: Promise<unknown>): Promise<[number, string]> {
  const error = (await asked.then(
    () => expect.fail('it was not refused'),
    (reason: unknown) => reason,
  )) as { status: number; response?: { data: { message?: string } } };
  if (error.response === undefined) throw error;
  return [error.status, error.response.data.message ?? ''];
}

type GraphQLAnswer<T> = {
  status: number;
  data?: T;
  errors?: { type?: string; message: string; path?: (string | number)[] }[];
};

/** A GraphQL answer as it is, errors and all. */
export async function graphql<T>(
  site: GitHub,
  query: string,
  variables: Record<string, unknown> = {},
  token = site.token,
): Promise<GraphQLAnswer<T>> {
  const response = await fetch(site.graphqlUrl, {
    method: 'POST',
    headers: { authorization: `bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  return { ...((await response.json()) as object), status: response.status };
}

const COMMIT = `mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) {
    commit { oid url tree { oid } parents(first: 2) { nodes { oid } } }
    ref { name target { oid } }
  }
}`;

type Committed = {
  createCommitOnBranch: {
    commit: { oid: string; url: string; tree: { oid: string }; parents: { nodes: { oid: string }[] } };
    ref: { name: string; target: { oid: string } };
  } | null;
};

/** createCommitOnBranch on `main` of the first repository; `input` is over what is sent by itself. */
export function commitByGraphQL(site: GitHub, input: Record<string, unknown> = {}, token = site.token) {
  return graphql<Committed>(
    site,
    COMMIT,
    {
      input: {
        branch: { repositoryNameWithOwner: `${site.owner}/${site.repo}`, branchName: 'main' },
        message: { headline: 'a save' },
        ...('expectedHeadOid' in input ? {} : { expectedHeadOid: site.head() }),
        fileChanges: { additions: [addition('a.md', 'a\n')] },
        ...input,
      },
    },
    token,
  );
}

export function addition(path: string, content: string | Buffer) {
  return { path, contents: Buffer.from(content).toString('base64') };
}
