import { createHash } from 'node:crypto';
import { z } from 'zod';
import { toMemoryError } from '../../core/errors.js';
import { LIMITS } from '../../core/limits.js';
import { decodePath } from '../../core/paths.js';
import type { Difference, Listing, TreeEntry } from '../../core/ports.js';
import type { Client } from './client.js';
import { statusOf } from './failures.js';

/** One entry of a tree, as GitHub lists it; `size` is a blob's, in bytes. */
export interface Entry {
  path: string;
  mode: string;
  type: 'blob' | 'tree' | 'commit';
  sha: string;
  size?: number;
}

/** A whole commit's tree. */
export interface FullTree {
  tree: string;
  /** Blobs and submodules by path. */
  entries: Map<string, Entry>;
}

const entry = z.object({
  path: z.string(),
  mode: z.string(),
  type: z.enum(['blob', 'tree', 'commit']),
  sha: z.string(),
  size: z.number().optional(),
});
const TREE = z.object({ tree: z.array(entry), truncated: z.boolean() });

const COMPARISON = z.object({
  status: z.enum(['ahead', 'behind', 'diverged', 'identical']),
  total_commits: z.number(),
  commits: z.array(z.object({ sha: z.string(), commit: z.object({ tree: z.object({ sha: z.string() }) }) })),
  files: z
    .array(
      z.object({
        filename: z.string(),
        status: z.string(),
        sha: z.string().nullable(),
        previous_filename: z.string().optional(),
      }),
    )
    .optional(),
});

/** What GitHub tells of the paths that changed between two commits; null where it cannot tell all. */
export interface Changed {
  tree: string;
  present: string[];
  gone: string[];
}

export function createTrees(client: Client) {
  async function get(id: string, recursive: boolean) {
    const parameters = recursive ? { tree_sha: id, recursive: '1' } : { tree_sha: id };
    const { data } = await client.rest('GET /repos/{owner}/{repo}/git/trees/{tree_sha}', parameters);
    return client.shaped(TREE, data);
  }

  /** The whole tree of a commit in one request; where GitHub cuts it short, folder by folder. */
  async function full(commit: string): Promise<FullTree> {
    const first = await get(commit, true);
    const entries = new Map<string, Entry>();
    const put = (prefix: string, each: Entry) => {
      const path = decodePath(Buffer.from(prefix + each.path, 'utf8'));
      if (each.type !== 'tree') entries.set(path, each);
    };
    if (!first.truncated) {
      for (const each of first.tree) put('', each);
      return { tree: rootId(first.tree), entries };
    }
    const root = (await get(commit, false)).tree;
    const folders: { prefix: string; sha: string }[] = [];
    const take = (prefix: string, list: Entry[]) => {
      for (const each of list) {
        if (each.type === 'tree') folders.push({ prefix: `${prefix}${each.path}/`, sha: each.sha });
        else put(prefix, each);
      }
    };
    take('', root);
    while (folders.length > 0) {
      const some = folders.splice(0, LIMITS.githubConcurrency);
      const lists = await Promise.all(some.map(({ sha }) => get(sha, true)));
      for (const [at, list] of lists.entries()) {
        const { prefix, sha } = some[at] as (typeof some)[number];
        if (list.truncated) take(prefix, (await get(sha, false)).tree);
        else for (const each of list.tree) put(prefix, each);
      }
    }
    return { tree: rootId(root), entries };
  }

  /** Null where one of them is not there any more: thrown away after a force push, or of another repository of that name. */
  async function compared(from: string, to: string): Promise<unknown> {
    const asked = { basehead: `${from}...${to}`, per_page: 100 };
    try {
      return (await client.rest('GET /repos/{owner}/{repo}/compare/{basehead}', asked)).data;
    } catch (error) {
      if (statusOf(toMemoryError(error).cause) === 404) return null;
      throw error;
    }
  }

  /** What changed from one commit to a later one. */
  async function changed(from: string, to: string): Promise<Changed | 'late' | null> {
    const data = await compared(from, to);
    if (data === null) return null;
    const { status, total_commits, commits, files } = client.shaped(COMPARISON, data);
    if (status === 'behind') return 'late';
    const last = commits.at(-1);
    // More than GitHub lists: then the whole tree is the shorter way.
    if (status !== 'ahead' || !files || files.length >= 300 || total_commits !== commits.length) return null;
    if (last?.sha !== to) return null;
    const named = (name: string | undefined) => decodePath(Buffer.from(name ?? '', 'utf8'));
    const present = files.filter((file) => file.status !== 'removed').map(({ filename }) => named(filename));
    const gone = files.flatMap((file) =>
      file.status === 'removed'
        ? [named(file.filename)]
        : file.status === 'renamed'
          ? [named(file.previous_filename)]
          : [],
    );
    if (gone.includes('')) return null;
    return { tree: last.commit.tree.sha, present, gone };
  }

  return { full, changed };
}

/** The entries that the product has to do with. */
export function listingOf({ tree, entries }: FullTree): Listing {
  return { tree, entries: [...entries].flatMap(([path, each]) => wanted(path, each)) };
}

export function differenceOf(tree: string, entries: Map<string, Entry>, gone: string[]): Difference {
  return { ...listingOf({ tree, entries }), gone };
}

function wanted(path: string, { sha, mode, type }: Entry): TreeEntry[] {
  if (type === 'commit') return [{ path, blob: sha, type: 'submodule' }];
  if (!isOurs(path)) return [];
  return [{ path, blob: sha, type: mode === '120000' ? 'symlink' : 'file' }];
}

/** A note by its name, or our own file of rules. */
export function isOurs(path: string): boolean {
  return path.endsWith('.md') || path.endsWith('.md"') || path === '.strataignore';
}

/** The id of a tree by the entries at its top: git's own sum, so that half a list does not pass for a whole one. */
function rootId(entries: Entry[]): string {
  const name = (each: Entry) => Buffer.from(each.type === 'tree' ? `${each.path}/` : each.path, 'utf8');
  const body = Buffer.concat(
    entries
      .filter(({ path }) => !path.includes('/'))
      .sort((a, b) => Buffer.compare(name(a), name(b)))
      .map(({ mode, path, sha }) =>
        Buffer.concat([Buffer.from(`${mode.replace(/^0+/, '')} ${path}\0`, 'utf8'), Buffer.from(sha, 'hex')]),
      ),
  );
  return createHash('sha1').update(`tree ${body.length}\0`).update(body).digest('hex');
}
