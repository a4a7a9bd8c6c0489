import { z } from 'zod';
import { MemoryError, toMemoryError } from '../../core/errors.js';
import { LIMITS } from '../../core/limits.js';
import { encodePath } from '../../core/paths.js';
import type { CommitRequest, Head } from '../../core/ports.js';
import { inParallel } from './blobs.js';
import type { Client } from './client.js';
import { statusOf } from './failures.js';
import type { Facts } from './repository.js';

const MADE = z.object({ sha: z.string() });
const BEGUN = z.object({ commit: MADE });
const REF = z.object({ object: MADE });
const COMMIT = z.object({ sha: z.string(), tree: z.object({ sha: z.string() }) });
const RELATION = z.object({
  status: z.enum(['ahead', 'behind', 'diverged', 'identical']),
  commits: z.array(z.object({ sha: z.string(), parents: z.array(z.object({ sha: z.string() })) })),
});
type Relation = z.infer<typeof RELATION>['status'];

/** The branch is not at the head that a commit was prepared on. */
export class Moved extends Error {}

interface TreeItem {
  path: string;
  mode: '100644';
  type: 'blob';
  sha?: string | null;
  content?: string;
}

/** The git data API: a commit from its parts, where GraphQL is not to be had, and the first one of a repository. */
export function createGitData(client: Client) {
  /** Text goes into the tree itself; what is no UTF-8, or large, as a blob of its own. */
  async function itemsOf({ changes, deadlineAt }: CommitRequest): Promise<TreeItem[]> {
    const items: TreeItem[] = [];
    await inParallel(changes, async ({ path, content }) => {
      const item = { path: writablePath(path), mode: '100644', type: 'blob' } as const;
      if (content === null) {
        items.push({ ...item, sha: null });
        return;
      }
      const text = asText(content);
      // JSON writes some characters as six.
      if (text !== null && sizeOf({ ...item, content: text }) < LIMITS.githubRequestBytes / 4) {
        items.push({ ...item, content: text });
        return;
      }
      const body = { content: Buffer.from(content).toString('base64'), encoding: 'base64' };
      const { data } = await client.rest('POST /repos/{owner}/{repo}/git/blobs', body, { deadlineAt });
      items.push({ ...item, sha: client.shaped(MADE, data).sha });
    });
    return items;
  }

  /** Each request stays under its limit: a large tree is made in several steps, each on the one before. */
  async function treeOf(base: string, items: TreeItem[], deadlineAt: number): Promise<string> {
    let tree = base;
    for (let rest = items; rest.length > 0; ) {
      let bytes = 0;
      const some = rest.filter((item, at) => {
        bytes += sizeOf(item);
        return at === 0 || bytes <= LIMITS.githubRequestBytes;
      });
      rest = rest.slice(some.length);
      const body = { base_tree: tree, tree: some };
      const { data } = await client.rest('POST /repos/{owner}/{repo}/git/trees', body, { deadlineAt });
      tree = client.shaped(MADE, data).sha;
    }
    return tree;
  }

  return {
    /** How a head lies to a commit, and the first commit that was made on it on the way there. */
    async after(base: string, head: string): Promise<{ status: Relation; child: string | null }> {
      const { data } = await client.rest('GET /repos/{owner}/{repo}/compare/{basehead}', {
        basehead: `${base}...${head}`,
        per_page: 100,
      });
      const { status, commits } = client.shaped(RELATION, data);
      const child = commits.find(({ parents }) => parents[0]?.sha === base);
      return { status, child: child?.sha ?? null };
    },

    /** Objects first, which nobody sees; then the branch, forward only: the compare-and-swap. */
    async commit(request: CommitRequest, { branch }: Facts, expected: string): Promise<Head> {
      const { deadlineAt, message } = request;
      const asked = { commit_sha: expected };
      const parent = await client
        .rest('GET /repos/{owner}/{repo}/git/commits/{commit_sha}', asked, { deadlineAt })
        .catch((error) => {
          // No such commit: then the branch is not there either.
          if ([404, 409].includes(statusOf(toMemoryError(error).cause) ?? 0)) throw new Moved();
          throw error;
        });
      const base = client.shaped(COMMIT, parent.data).tree.sha;
      const tree = await treeOf(base, await itemsOf(request), deadlineAt);
      const made = await client.rest(
        'POST /repos/{owner}/{repo}/git/commits',
        { message, tree, parents: [expected] },
        { deadlineAt },
      );
      const { sha } = client.shaped(MADE, made.data);
      try {
        const moved = await client.rest(
          'PATCH /repos/{owner}/{repo}/git/refs/{ref}',
          { ref: `heads/${branch}`, sha, force: false },
          { deadlineAt: oneTry(deadlineAt), once: true },
        );
        client.shaped(REF, moved.data);
      } catch (error) {
        const { cause } = toMemoryError(error);
        if (statusOf(cause) === 422 && /fast.forward/i.test(cause instanceof Error ? cause.message : ''))
          throw new Moved();
        throw error;
      }
      return { commit: sha, tree };
    },

    /**
     * The first commit of an empty repository: only the contents API can make it. Whoever comes second finds the file
     * there and builds on it. It stands on the default branch; another one that is wanted begins there too.
     */
    async begin(deadlineAt: number, branch: string | undefined): Promise<void> {
      const body = {
        path: '.strataignore',
        message: 'Begin a memory',
        content: Buffer.from(FIRST_FILE).toString('base64'),
      };
      try {
        const how = { deadlineAt, once: true };
        const { data } = await client.rest('PUT /repos/{owner}/{repo}/contents/{path}', body, how);
        if (branch === undefined) return;
        const { sha } = client.shaped(BEGUN, data).commit;
        await client.rest('POST /repos/{owner}/{repo}/git/refs', { ref: `refs/heads/${branch}`, sha }, how);
      } catch (error) {
        if (![409, 422].includes(statusOf(toMemoryError(error).cause) ?? 0)) throw error;
      }
    },
  };
}

const FIRST_FILE = '# Notes that strata-memory leaves out, one pattern per line, as in .gitignore.\n';

/** Until when one try to commit may take: one that hangs must leave time to look for what became of it. */
export function oneTry(deadlineAt: number, bytes = 0): number {
  const now = performance.now();
  const patienceMs = Math.min(LIMITS.githubWriteMs, (deadlineAt - now) / 2);
  return Math.min(deadlineAt, now + patienceMs + bytes / LIMITS.githubBytesPerMs);
}

/** A path as GitHub takes it. Throws `refused` for one that is no UTF-8: there it would be another file's. */
export function writablePath(path: string): string {
  const bytes = encodePath(path);
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return text;
  throw new MemoryError(
    'refused',
    "The file's name is no UTF-8, and GitHub's API cannot write it. Nothing was saved.",
    'Rename the file with git, or save a new note.',
  );
}

function asText(content: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return null;
  }
}

/** What an item adds to a request, about: JSON writes a line break as two characters. */
function sizeOf({ path, content }: TreeItem): number {
  return 200 + path.length + (content === undefined ? 0 : Buffer.byteLength(JSON.stringify(content)));
}
