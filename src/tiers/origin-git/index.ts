import { existsSync } from 'node:fs';
import { MemoryError, toMemoryError } from '../../core/errors.js';
import { objectId } from '../../core/hash.js';
import { LIMITS } from '../../core/limits.js';
import { decodePath } from '../../core/paths.js';
import type { CommitRequest, CommitResult, Head, Listing, Origin, TreeEntry } from '../../core/ports.js';
import { createBranchWriter } from './branch.js';
import { gitFailed, runGit } from './git.js';
import { heldBlobs, pathTimes, runCollect } from './history.js';
import { chooseBranch, ensureBareRepository, locateRepository, type Repository } from './locate.js';
import { commitAsOf } from './past.js';
import { pushCommit } from './push.js';
import { createObjectReader } from './reader.js';
import { createTrees } from './trees.js';

export interface GitOriginOptions {
  /** A repository of the user's, or the place of our own. */
  path: string;
  /** Our own repository: made when it is missing, collected now and then. */
  own: boolean;
  branch?: string;
}

/**
 * A git repository on this machine as the origin, through the system's git. Objects are named by their id, so reading
 * needs no lock; the branch moves by git's own compare-and-swap (`update-ref <ref> <new> <old>`).
 */
export async function openGitOrigin(options: GitOriginOptions): Promise<Origin> {
  if (options.own) await ensureBareRepository(options.path);
  const repository = await locateRepository(options.path);
  const chosen = await chooseBranch(repository, options.branch);
  const name = options.branch === undefined ? repository.path : `${repository.path}@${chosen.branch}`;
  return createGitOrigin(name, repository, chosen, options.own);
}

/** The whole history of the origin at a path, to a branch of a repository that is reached over HTTPS. */
export async function pushGitOrigin(
  options: GitOriginOptions,
  target: { url: string; branch: string; token: string },
): Promise<{ commit: string; commits: number }> {
  const origin = await openGitOrigin(options);
  try {
    const head = await origin.head();
    if (head === null)
      throw new MemoryError(
        'not_found',
        'This memory has no notes yet: there is nothing to push.',
        'Use GitHub at once.',
      );
    const { gitDir, algorithm } = await locateRepository(options.path);
    if (algorithm !== 'sha1')
      throw new MemoryError(
        'refused',
        'This repository names its objects by SHA-256, which GitHub does not take.',
        'Set MEMORY_REPO to the repository on GitHub, and copy the files there with `export` and git.',
      );
    return { ...head, ...(await pushCommit({ gitDir, commit: head.commit, ...target })) };
  } finally {
    await origin.close();
  }
}

function createGitOrigin(
  name: string,
  repository: Repository,
  chosen: { branch: string; explicit: boolean },
  own: boolean,
): Origin {
  const { gitDir, algorithm } = repository;
  const objects = createObjectReader(gitDir, 'batch');
  const checks = createObjectReader(gitDir, 'batch-check');
  const trees = createTrees(objects, algorithm);
  const writer = createBranchWriter({
    repository,
    ...chosen,
    alwaysOverlay: !repository.bare && !chosen.explicit,
    objects,
    checks,
    trees,
  });
  let saves = 0;
  let collecting: Promise<void> | undefined;
  const stopCollecting = new AbortController();

  function reachable(): void {
    if (!existsSync(gitDir)) {
      throw new MemoryError(
        'origin_unavailable',
        `The memory's repository is gone from ${repository.path}.`,
        'Put it back, or point MEMORY_REPO at where it is now, and restart.',
      );
    }
  }

  /** Now and then our own repository is packed: a save adds about eight small files. Never in the way of a save. */
  function collectSometimes(): void {
    saves++;
    if (!own || collecting || saves % LIMITS.collectAfterSaves !== 0) return;
    collecting = runCollect(gitDir, stopCollecting.signal).finally(() => {
      collecting = undefined;
    });
  }

  /** A commit that failed on the way may have been made all the same: our blobs at the head tell. */
  async function settle({ changes }: CommitRequest, cause: MemoryError): Promise<CommitResult> {
    if (cause.code === 'refused' || cause.code === 'deadline') throw cause;
    try {
      const { commit, tree } = await writer.resolve();
      const files = changes.filter((change) => change.content !== null);
      const blobs = new Map(
        files.map(({ path, content }) => [path, objectId('blob', content as Uint8Array, algorithm)]),
      );
      for (const [path, blob] of blobs) {
        if (tree === null || (await trees.find(tree, path))?.id !== blob) return { outcome: 'unknown', cause };
      }
      return { outcome: 'committed', head: { commit: commit as string, tree: tree as string }, blobs, direct: false };
    } catch {
      return { outcome: 'unknown', cause };
    }
  }

  return {
    name,
    remote: false,
    branch: () => writer.describe(),
    notes: () => [],

    async head(): Promise<Head | null> {
      reachable();
      const resolved = await writer.resolve();
      return resolved.commit === null ? null : { commit: resolved.commit, tree: resolved.tree as string };
    },

    async list(commit: string): Promise<Listing> {
      const result = await runGit(['ls-tree', '-r', '-z', '--full-tree', commit], { gitDir });
      if (result.code !== 0) throw gitFailed('ls-tree', result);
      return { tree: await writer.treeOf(commit), entries: parseListing(result.stdout) };
    },

    // The whole list takes one process and 50 ms for 10,000 notes: nothing to save.
    difference: async () => null,

    async find(commit, paths) {
      const tree = await writer.treeOf(commit);
      const found = new Map<string, string>();
      for (const path of paths) {
        const entry = await trees.find(tree, path);
        if (entry && entry.mode !== '40000') found.set(path, entry.id);
      }
      return found;
    },

    async sizes(blobs) {
      const found = await Promise.all(blobs.map((blob) => checks.get(blob)));
      return new Map(found.filter((each) => each !== null).map((each) => [each.id, each.size]));
    },

    async read(blobs) {
      const found = await Promise.all(blobs.map((blob) => objects.get(blob)));
      return new Map(
        found.filter((each) => each?.type === 'blob').map((each) => [each?.id as string, each?.bytes as Buffer]),
      );
    },

    times: (commit, paths) => pathTimes(gitDir, commit, paths),
    asOf: (head, moment) => commitAsOf(gitDir, objects, head, moment),
    everHeld: (commit, files) => heldBlobs(gitDir, commit, files),

    async commit(request: CommitRequest): Promise<CommitResult> {
      reachable();
      const result = await writer.commit(request).catch((error) => settle(request, toMemoryError(error)));
      if (result.outcome === 'committed') collectSometimes();
      return result;
    },

    async close() {
      stopCollecting.abort();
      await collecting;
      objects.close();
      checks.close();
    },
  };
}

/** `<mode> <type> <id>\t<path>\0`, of which we want notes, submodules and our ignore file. */
function parseListing(listing: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < listing.length; ) {
    const end = listing.indexOf(0, at);
    const tab = listing.indexOf(0x09, at);
    const [mode = '', , id = ''] = listing.toString('latin1', at, tab).split(' ');
    const raw = listing.subarray(tab + 1, end);
    at = end + 1;
    const isNote = raw.length >= 3 && raw.toString('latin1', raw.length - 3) === '.md';
    const type = mode === '160000' ? 'submodule' : mode === '120000' ? 'symlink' : 'file';
    if (isNote || type === 'submodule' || raw.equals(IGNORE_FILE))
      entries.push({ path: decodePath(raw), blob: id, type });
  }
  return entries;
}

const IGNORE_FILE = Buffer.from('.strataignore');
