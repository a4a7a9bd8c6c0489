import { MemoryError } from '../../core/errors.js';
import { idOfPath, pathOfId } from '../../core/paths.js';
import type { GitObject } from './objects.js';
import type { Put, Trees } from './trees.js';

export interface Sides {
  /** The user's tree that ours last took in. */
  base: string | null;
  ours: string;
  theirs: string;
  /** Saved paths that the user's branch had taken over and no longer has, and the tree where the two parted. */
  undone: { paths: Set<string>; base: string | null } | null;
}

/**
 * The user's tree plus what was saved on our side, as a tree; new objects are added to `made`. Where both changed a file
 * the user's stays in place and the saved one is kept beside it.
 */
export async function carryOver(trees: Trees, sides: Sides, made: GitObject[]): Promise<string | null> {
  const { base, ours, theirs, undone } = sides;
  const puts: Put[] = [];
  const carry = async (put: Put, since: string | null) => {
    const theirEntry = await trees.find(theirs, put.path);
    const baseEntry = since === null ? null : await trees.find(since, put.path);
    if (theirEntry?.id === (put.id ?? undefined)) return;
    if (theirEntry?.id === baseEntry?.id || put.path.endsWith('/LATEST.json')) puts.push(put);
    else if (put.id !== null) puts.push({ ...put, path: besideOf(put.path, put.id) });
  };
  const saved = await trees.diff(base, ours);
  for (const put of saved) await carry(put, base);
  const known = new Set(saved.map(({ path }) => path));
  for (const path of undone?.paths ?? []) {
    const entry = known.has(path) ? null : await trees.find(ours, path);
    if (entry && entry.mode !== '40000') await carry({ path, id: entry.id, mode: entry.mode }, undone?.base ?? null);
  }
  try {
    return await trees.write(theirs, puts, made);
  } catch (error) {
    if (!isInTheWay(error)) throw error;
  }
  // The user has put a file where a saved note needs a folder, or the other way round: those notes move out of the way.
  const placed: Put[] = [];
  for (const put of puts) placed.push(await fitting(trees, theirs, put));
  return trees.write(theirs, placed, made);
}

/** `notes/plan.md` of blob 3f2a91c… kept as `notes/plan-kept-3f2a91c.md`. */
function besideOf(path: string, blob: string): string {
  const id = idOfPath(path);
  const kept = `-kept-${blob.slice(0, 7)}`;
  return pathOfId(id.startsWith('"') ? `${id.slice(0, -1)}${kept}"` : `${id}${kept}`);
}

async function fitting(trees: Trees, tree: string, put: Put): Promise<Put> {
  try {
    await trees.write(tree, [put], []);
    return put;
  } catch (error) {
    if (!isInTheWay(error)) throw error;
    // Quoted paths begin with the quote.
    const path = put.path.startsWith('"')
      ? `"strata-memory-kept/${put.path.slice(1)}`
      : `strata-memory-kept/${put.path}`;
    return { ...put, path };
  }
}

function isInTheWay(error: unknown): boolean {
  return error instanceof MemoryError && error.code === 'refused';
}
