import type { Document } from './documents.js';
import type { Sync } from './sync.js';

/**
 * Whether anything of its project was saved since a checkpoint was made, by the tree of the commit that it was made on; by
 * times where nobody can say what was there. Notes may be dated in the future, or before they came.
 * @param notes all of the project that is looked at
 * @param sync null: the origin is not to be asked
 */
export async function movedOn(
  checkpoint: Pick<Document, 'path' | 'timeMs' | 'digest'>,
  notes: readonly Pick<Document, 'path' | 'blob' | 'timeMs'>[],
  sync: Pick<Sync, 'documentsAt'> | null,
): Promise<boolean> {
  const others = notes.filter(({ path }) => path !== checkpoint.path);
  const commit = checkpoint.digest.checkpoint?.commit ?? '';
  const then = commit === '' ? null : await sync?.documentsAt(commit).catch(() => null);
  if (!then) return others.some(({ timeMs }) => timeMs > checkpoint.timeMs);
  const blobs = new Map(then.map(({ path, blob }) => [path, blob]));
  return others.some(({ path, blob }) => blobs.get(path) !== blob);
}
