import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { type HashAlgorithm, objectId } from '../../core/hash.js';

export interface GitObject {
  type: 'blob' | 'tree' | 'commit';
  id: string;
  bytes: Buffer;
}

/** One entry of a tree object. `mode` as git writes it: 100644, 100755, 120000, 160000 or 40000. */
export interface Entry {
  mode: string;
  name: Buffer;
  id: string;
}

export function makeObject(type: GitObject['type'], bytes: Uint8Array, algorithm: HashAlgorithm): GitObject {
  return {
    type,
    id: objectId(type, bytes, algorithm),
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  };
}

export function parseTree(bytes: Buffer, algorithm: HashAlgorithm): Entry[] {
  const length = algorithm === 'sha256' ? 32 : 20;
  const entries: Entry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const nul = bytes.indexOf(0, space);
    entries.push({
      mode: bytes.toString('latin1', at, space),
      name: bytes.subarray(space + 1, nul),
      id: bytes.toString('hex', nul + 1, nul + 1 + length),
    });
    at = nul + 1 + length;
  }
  return entries;
}

/** Entries in git's own order: byte-wise, a folder as if its name ended in `/`. Source: `base_name_compare` in git. */
export function serializeTree(entries: Entry[]): Buffer {
  const key = (entry: Entry) => (entry.mode === '40000' ? Buffer.concat([entry.name, Buffer.from('/')]) : entry.name);
  const sorted = entries.map((entry) => ({ entry, key: key(entry) })).sort((a, b) => Buffer.compare(a.key, b.key));
  return Buffer.concat(
    sorted.flatMap(({ entry }) => [
      Buffer.from(`${entry.mode} `),
      entry.name,
      Buffer.from([0]),
      Buffer.from(entry.id, 'hex'),
    ]),
  );
}

const PACK_TYPE = { commit: 1, tree: 2, blob: 3 } as const;

/** A pack of whole objects for `git unpack-objects`. Source: git's `Documentation/gitformat-pack`. */
export function makePack(objects: GitObject[], algorithm: HashAlgorithm): Buffer {
  const header = Buffer.alloc(12);
  header.write('PACK', 0, 'latin1');
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(objects.length, 8);
  const parts = [header];
  for (const { type, bytes } of objects) {
    const head: number[] = [];
    let byte = (PACK_TYPE[type] << 4) | (bytes.length & 15);
    for (let left = Math.floor(bytes.length / 16); left > 0; left = Math.floor(left / 128)) {
      head.push(byte | 128);
      byte = left & 127;
    }
    head.push(byte);
    parts.push(Buffer.from(head), deflateSync(bytes));
  }
  const body = Buffer.concat(parts);
  return Buffer.concat([body, createHash(algorithm).update(body).digest()]);
}
