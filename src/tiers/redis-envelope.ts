import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { LIMITS } from '../core/limits.js';

const MARK = Buffer.from('S1');
const SUM_BYTES = 16;
const HEAD_BYTES = MARK.length + 1 + SUM_BYTES;
const PLAIN = 0;
const PACKED = 1;

const pack = promisify(deflateRaw);
const unpack = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw);

/** Over the key too: what was put under another key is not this one's value. */
function sum(key: string, kind: number, body: Uint8Array): Buffer {
  return createHash('sha256').update(`${key}\0${kind}\0`).update(body).digest().subarray(0, SUM_BYTES);
}

/** A value as it is kept: mark, kind, checksum, bytes (deflated where they are many). Null where it is too large. */
export async function seal(key: string, value: Uint8Array): Promise<Buffer | null> {
  if (value.length > LIMITS.cacheValueBytes) return null;
  const packed = value.length >= LIMITS.cachePackBytes ? await pack(value, { level: 1 }) : null;
  const [kind, body] = packed !== null && packed.length < value.length ? [PACKED, packed] : [PLAIN, value];
  return Buffer.concat([MARK, Buffer.from([kind]), sum(key, kind, body), body]);
}

/** What was sealed under that key; null for garbage, parts, and what others have put there. */
export async function unseal(key: string, kept: unknown): Promise<Uint8Array | null> {
  if (!Buffer.isBuffer(kept) || kept.length < HEAD_BYTES || !kept.subarray(0, MARK.length).equals(MARK)) return null;
  const kind = kept[MARK.length] as number;
  const body = kept.subarray(HEAD_BYTES);
  if (!sum(key, kind, body).equals(kept.subarray(MARK.length + 1, HEAD_BYTES))) return null;
  if (kind === PLAIN) return body;
  if (kind !== PACKED) return null;
  return unpack(body, { maxOutputLength: LIMITS.cacheValueBytes }).catch(() => null);
}
