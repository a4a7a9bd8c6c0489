import { EmulatorRefusal } from './emulator.js';
import type { Objects } from './git.js';
import { branchOfRefId, commitNode, GitHubError, type GraphQLContext, refNode } from './graphql-nodes.js';
import type { Repository } from './repository.js';

export type CommitInput = {
  branch: { id?: string | null; repositoryNameWithOwner?: string | null; branchName?: string | null };
  expectedHeadOid: string;
  message: { headline: string; body?: string | null };
  fileChanges?: {
    additions?: { path: string; contents: string }[] | null;
    deletions?: { path: string }[] | null;
  } | null;
  clientMutationId?: string | null;
};

/** One commit of all the changes on a branch that still is where the caller believes it to be; or nothing. */
export async function createCommitOnBranch(context: GraphQLContext, input: CommitInput) {
  const { account, site } = context;
  const { repository, branch } = await target(context, input.branch);
  if (account.access === 'sso')
    throw new GitHubError('FORBIDDEN', 'Resource protected by organization SAML enforcement.');
  if (account.access === 'read') throw new GitHubError('FORBIDDEN', 'Resource not accessible by personal access token');
  if (repository.facts.archived) throw new GitHubError('UNPROCESSABLE', 'Repository was archived so is read-only.');
  const additions = input.fileChanges?.additions ?? [];
  const deletions = input.fileChanges?.deletions ?? [];
  const changes = new Map<string, Buffer | null>([
    ...deletions.map(({ path }) => [path, null] as const),
    ...additions.map(({ path, contents }) => [path, Buffer.from(contents, 'base64')] as const),
  ]);
  const { headline, body } = input.message;
  try {
    const made = await repository.commit({
      branch,
      changes,
      message: body ? `${headline}\n\n${body}` : headline,
      author: { name: account.login, email: `${account.login}@example.com` },
      committer: { name: 'GitHub', email: 'noreply@github.com' },
      check: (head) => mayBuildOn(repository.objects, head, input),
    });
    return {
      clientMutationId: input.clientMutationId,
      commit: commitNode({ site, account }, repository, made),
      ref: refNode(context, repository, branch, made.sha),
    };
  } catch (error) {
    if (error instanceof EmulatorRefusal && error.reply.status === 409) {
      const review = 'At least 1 approving review is required by reviewers with write access.';
      throw new GitHubError(
        'BRANCH_PROTECTION_RULE_VIOLATION',
        `protected branch '${branch}' check failed:\n${review}`,
      );
    }
    throw error;
  }
}

async function target({ site, account }: GraphQLContext, branch: CommitInput['branch']) {
  const byId = branch.id ? branchOfRefId(branch.id) : undefined;
  const name = byId ? site.byId(byId.repository)?.facts.full_name : branch.repositoryNameWithOwner;
  const found = name ? await site.find(account, name) : undefined;
  if (!found) throw new GitHubError('NOT_FOUND', `Could not resolve to a Repository with the name '${name ?? ''}'.`);
  const branchName = (byId?.branch ?? branch.branchName ?? '').replace(/^refs\/heads\//, '');
  return { repository: found.repository as Repository, branch: branchName };
}

async function mayBuildOn(objects: Objects, head: string, { expectedHeadOid, fileChanges, branch }: CommitInput) {
  if (head === '') throw new GitHubError('NOT_FOUND', `Branch "${branch.branchName}" not found`);
  if (head !== expectedHeadOid) {
    throw new GitHubError(
      'STALE_DATA',
      `Expected branch to point to "${expectedHeadOid}" but it did not. Pull and try again.`,
    );
  }
  const tree = (await objects.commit(head))?.tree ?? '';
  for (const { path } of fileChanges?.deletions ?? []) {
    if ((await objects.entryAt(tree, path)) === undefined) {
      const message = `A path was requested for deletion which does not exist as of commit oid \`${head}\``;
      throw new GitHubError('NOT_FOUND', message);
    }
  }
}
