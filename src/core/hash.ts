import { createHash } from 'node:crypto';

/**
 * The git object id of some bytes: `sha1("<type> <length>\0" + bytes)`, hex; sha256 in repositories of that format.
 * Source: git's own `Documentation/gitformat-pack` and `hash-object`.
 */
export function objectId(type: 'blob' | 'tree' | 'commit', bytes: Uint8Array, algorithm: HashAlgorithm): string {
  return createHash(algorithm).update(`${type} ${bytes.length}\0`).update(bytes).digest('hex');
}

/** Whether these bytes are the blob of that id; the id's own length tells the algorithm. */
export function isBlob(id: string, bytes: Uint8Array): boolean {
  return objectId('blob', bytes, id.length === 64 ? 'sha256' : 'sha1') === id;
}

/** A short, stable name for something long: the first `length` hex digits of its SHA-256. */
export function shortHash(text: string, length = 16): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}

export type HashAlgorithm = 'sha1' | 'sha256';
