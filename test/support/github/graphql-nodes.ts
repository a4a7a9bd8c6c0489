import type { Account } from './accounts.js';
import type { Commit, Person, TreeEntry } from './git.js';
import type { Repository } from './repository.js';
import type { Site } from './rest.js';

export type GraphQLContext = { site: Site; account: Account };

/** An error that GitHub names: `type` stands beside its message. */
export class GitHubError extends Error {
  constructor(
    readonly type: string,
    message: string,
    readonly extensions?: Record<string, unknown>,
  ) {
    super(message);
  }
}

/** GitHub gives the text of a larger file only in part. */
const TEXT_BYTES = 512 * 1024;

type Page = { first?: number | null; after?: string | null };

/** Fields are resolved by graphql's default: a property, or a method that is given the arguments. */
export function repositoryNode(context: GraphQLContext, repository: Repository) {
  const { facts, objects, flags } = repository;
  const [owner = '', name = ''] = facts.full_name.split('/');
  const ref = (qualified: string) => {
    const branch = qualified.replace(/^refs\/heads\//, '');
    const sha = repository.visible(branch);
    return sha === undefined ? null : refNode(context, repository, branch, sha);
  };
  return {
    __typename: 'Repository',
    id: facts.node_id,
    databaseId: facts.id,
    name,
    nameWithOwner: facts.full_name,
    owner: { __typename: 'User', login: owner, id: `U_${owner}` },
    url: `${context.site.url}/${facts.full_name}`,
    isPrivate: facts.private,
    visibility: facts.visibility.toUpperCase(),
    isArchived: facts.archived,
    isDisabled: facts.disabled,
    isLocked: flags.locked,
    isEmpty: repository.isEmpty,
    // What the person may do. That their token may do less is not said here, nor by REST.
    viewerPermission: 'ADMIN',
    diskUsage: facts.size,
    defaultBranchRef: () => ref(facts.default_branch),
    ref: ({ qualifiedName }: { qualifiedName: string }) => ref(qualifiedName),
    object: ({ oid, expression }: { oid?: string; expression?: string }) =>
      oid ? objectNode(context, repository, oid) : atExpression(context, repository, expression ?? ''),
  };

  /** `NAME` or `NAME:PATH`, where NAME is whatever stands for a commit. */
  async function atExpression(own: GraphQLContext, of: Repository, expression: string) {
    const [start = '', ...rest] = expression.split(':');
    const commit = await of.resolve(start);
    if (rest.length === 0) return objectNode(own, of, commit ?? start);
    const tree = commit === undefined ? start : (await objects.commit(commit))?.tree;
    const entry = tree === undefined ? undefined : await objects.entryAt(tree, rest.join(':'));
    return entry ? objectNode(own, of, entry.sha) : null;
  }
}

export function refNode(context: GraphQLContext, repository: Repository, branch: string, sha: string) {
  return {
    __typename: 'Ref',
    id: `REF_${Buffer.from(`${repository.facts.id}:refs/heads/${branch}`).toString('base64url')}`,
    name: branch,
    prefix: 'refs/heads/',
    target: () => objectNode(context, repository, sha),
  };
}

/** The repository's number and the branch in a Ref's id. */
export function branchOfRefId(id: string): { repository: number; branch: string } | undefined {
  const text = Buffer.from(id.replace(/^REF_/, ''), 'base64url').toString();
  const found = /^(\d+):refs\/heads\/(.+)$/.exec(text);
  return found ? { repository: Number(found[1]), branch: found[2] as string } : undefined;
}

async function objectNode(context: GraphQLContext, repository: Repository, sha: string) {
  const { objects } = repository;
  switch (await objects.kindOf(sha)) {
    case 'commit':
      return commitNode(context, repository, (await objects.commit(sha)) as Commit);
    case 'tree':
      return treeNode(context, repository, sha, (await objects.tree(sha)) ?? []);
    case 'blob':
      return blobNode(sha, (await objects.blob(sha)) as Buffer);
    default:
      return null;
  }
}

export function commitNode(context: GraphQLContext, repository: Repository, commit: Commit) {
  const { objects, facts } = repository;
  const node = (other: Commit) => commitNode(context, repository, other);
  return {
    __typename: 'Commit',
    id: `C_${commit.sha}`,
    repository: () => repositoryNode(context, repository),
    oid: commit.sha,
    abbreviatedOid: commit.sha.slice(0, 7),
    url: `${context.site.url}/${facts.full_name}/commit/${commit.sha}`,
    message: commit.message,
    messageHeadline: commit.message.split('\n')[0],
    messageBody: commit.message.split('\n').slice(1).join('\n').trim(),
    committedDate: commit.committer.date,
    authoredDate: commit.author.date,
    author: actor(commit.author),
    committer: actor(commit.committer),
    tree: async () => treeNode(context, repository, commit.tree, (await objects.tree(commit.tree)) ?? []),
    parents: async (page: Page) => {
      const parents = await Promise.all(commit.parents.map((sha) => objects.commit(sha)));
      return connection(
        parents.filter((parent) => parent !== undefined),
        page,
        node,
      );
    },
    history: async ({ path, until, ...page }: Page & { path?: string | null; until?: string | null }) => {
      const inTime = ({ committer }: Commit) => until == null || Date.parse(committer.date) <= Date.parse(until);
      const all = (await objects.history(commit.sha)).filter(inTime);
      const wanted =
        path == null ? all.map(() => true) : await Promise.all(all.map((one) => objects.touches(one, path)));
      return connection(
        all.filter((_, at) => wanted[at]),
        page,
        node,
      );
    },
    file: async ({ path }: { path: string }) => {
      const entry = await objects.entryAt(commit.tree, path);
      return entry ? entryNode(context, repository, entry, path) : null;
    },
  };
}

const actor = ({ name, email, date }: Person) => ({ __typename: 'GitActor', name, email, date });

function connection<T, N>(all: T[], { first, after }: Page, node: (item: T) => N) {
  const start = after == null ? 0 : Number(Buffer.from(after, 'base64').toString()) + 1;
  const items = all.slice(start, start + (first ?? all.length));
  const cursor = (at: number) => Buffer.from(String(start + at)).toString('base64');
  const last = items.length - 1;
  return {
    totalCount: all.length,
    nodes: items.map(node),
    edges: items.map((item, at) => ({ cursor: cursor(at), node: node(item) })),
    pageInfo: {
      hasNextPage: start + items.length < all.length,
      hasPreviousPage: start > 0,
      startCursor: items.length === 0 ? null : cursor(0),
      endCursor: items.length === 0 ? null : cursor(last),
    },
  };
}

function treeNode(context: GraphQLContext, repository: Repository, sha: string, entries: TreeEntry[]) {
  return {
    __typename: 'Tree',
    id: `T_${sha}`,
    oid: sha,
    abbreviatedOid: sha.slice(0, 7),
    entries: entries.map((entry) => entryNode(context, repository, entry, entry.name)),
  };
}

function entryNode(context: GraphQLContext, repository: Repository, entry: TreeEntry, path: string) {
  return {
    __typename: 'TreeEntry',
    name: entry.name,
    nameRaw: Buffer.from(entry.name).toString('base64'),
    path,
    pathRaw: Buffer.from(path).toString('base64'),
    extension: /\.[^.]+$/.exec(entry.name)?.[0] ?? '',
    mode: Number.parseInt(entry.mode, 8),
    type: entry.type,
    oid: entry.sha,
    isGenerated: false,
    size: async () => (entry.type === 'blob' ? ((await repository.objects.blob(entry.sha))?.length ?? 0) : 0),
    object: () => objectNode(context, repository, entry.sha),
  };
}

function blobNode(sha: string, bytes: Buffer) {
  const isBinary = bytes.includes(0);
  const isTruncated = bytes.length > TEXT_BYTES;
  return {
    __typename: 'Blob',
    id: `B_${sha}`,
    oid: sha,
    abbreviatedOid: sha.slice(0, 7),
    byteSize: bytes.length,
    isBinary,
    isTruncated,
    text: isBinary ? null : asText(bytes.subarray(0, TEXT_BYTES)),
  };
}

/** GitHub turns text of another encoding into UTF-8, so that its bytes are no longer those of the file. */
function asText(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.includes('\uFFFD') && !bytes.equals(Buffer.from(text)) && bytes.length < TEXT_BYTES
    ? bytes.toString('latin1')
    : text;
}
