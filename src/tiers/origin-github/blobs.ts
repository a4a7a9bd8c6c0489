import { z } from 'zod';
import { batches } from '../../core/batches.js';
import { isBlob } from '../../core/hash.js';
import { LIMITS } from '../../core/limits.js';
import type { Client } from './client.js';
import { statusOf } from './failures.js';
import type { Repository } from './repository.js';

const blob = z.object({
  oid: z.string(),
  byteSize: z.number(),
  isBinary: z.boolean().nullable(),
  isTruncated: z.boolean(),
  text: z.string().nullable(),
});
export type Blob = z.infer<typeof blob>;

/** An id that is no blob's comes as an empty object. */
const BLOBS = z.object({ repository: z.record(z.string(), blob.partial().nullable()).nullable() });
const SINGLE = z.object({ content: z.string(), encoding: z.literal('base64'), size: z.number() });

/** What GraphQL gives of a blob. */
export const BLOB_FIELDS = '... on Blob { oid byteSize isBinary isTruncated text }';

/** Contents by blob id. What GraphQL gives is believed only where it hashes to its id. */
export function createBlobs(client: Client, repository: Repository) {
  const cache = new Map<string, Uint8Array>();
  const sizes = new Map<string, number>();
  let cachedBytes = 0;

  /** A few small ones are kept: what a question has brought along is not asked for again. */
  function keep(id: string, bytes: Uint8Array): void {
    if (bytes.length > LIMITS.githubTextBytes || cache.has(id)) return;
    for (const [oldest, old] of cache) {
      if (cachedBytes + bytes.length <= LIMITS.githubCacheBytes) break;
      cache.delete(oldest);
      cachedBytes -= old.length;
    }
    cache.set(id, bytes);
    cachedBytes += bytes.length;
  }

  /** The bytes of an answer, where it has them whole. */
  function bytesOf(each: Blob): Uint8Array | null {
    sizes.set(each.oid, each.byteSize);
    if (each.text === null || each.isTruncated || each.isBinary) return null;
    const bytes = new TextEncoder().encode(each.text);
    // Broken UTF-8 and byte order marks do not survive being a GraphQL string.
    return isBlob(each.oid, bytes) ? bytes : null;
  }

  async function many(ids: string[]): Promise<Map<string, Uint8Array | null>> {
    const query = `query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { ${ids
      .map((id, at) => `b${at}: object(oid: "${id}") { ${BLOB_FIELDS} }`)
      .join(' ')} } }`;
    const found = new Map<string, Uint8Array | null>();
    const { repository: answer } = await client.graphql(BLOBS, query);
    for (const each of Object.values(answer ?? {})) {
      const whole = blob.safeParse(each).data;
      if (whole) found.set(whole.oid, bytesOf(whole));
    }
    return found;
  }

  async function single(id: string): Promise<Uint8Array | null> {
    try {
      const { data } = await client.rest('GET /repos/{owner}/{repo}/git/blobs/{file_sha}', { file_sha: id });
      const bytes = Buffer.from(client.shaped(SINGLE, data).content, 'base64');
      sizes.set(id, bytes.length);
      return isBlob(id, bytes) ? bytes : null;
    } catch (error) {
      if (statusOf((error as Error).cause) === 404) return null;
      throw error;
    }
  }

  /** Up to so many, and so many bytes, to a query. */
  const queries = (ids: string[]) =>
    batches(ids, (id) => sizes.get(id) ?? 0, { count: LIMITS.githubBlobs, bytes: LIMITS.githubQueryBytes });

  return {
    /** What a question has brought along. */
    take(each: Blob): void {
      const bytes = bytesOf(each);
      if (bytes) keep(each.oid, bytes);
    },
    sized: (id: string, bytes: number) => void sizes.set(id, bytes),

    async sizes(ids: string[]): Promise<Map<string, number>> {
      const unknown = ids.filter((id) => !sizes.has(id));
      if (unknown.length > 0) await this.read(unknown);
      return new Map(ids.flatMap((id) => (sizes.has(id) ? [[id, sizes.get(id) as number]] : [])));
    },

    async read(ids: string[]): Promise<Map<string, Uint8Array>> {
      const found = new Map<string, Uint8Array>();
      const open: string[] = [];
      const alone: string[] = [];
      await repository.ready();
      for (const id of new Set(ids)) {
        const bytes = cache.get(id);
        if (bytes) found.set(id, bytes);
        else if ((sizes.get(id) ?? 0) > LIMITS.githubTextBytes || !repository.hasGraphql()) alone.push(id);
        else open.push(id);
      }
      await inParallel([...queries(open)], async (some) => {
        const answer = await many(some).catch((error) => {
          if (!client.lacksGraphql(error)) throw error;
          return new Map(some.map((id) => [id, null]));
        });
        for (const [id, bytes] of answer) {
          if (bytes) found.set(id, bytes);
          else alone.push(id);
        }
      });
      await inParallel(alone, async (id) => {
        const bytes = await single(id);
        if (bytes) found.set(id, bytes);
      });
      if (found.size <= LIMITS.githubBlobs) for (const [id, bytes] of found) keep(id, bytes);
      return found;
    },
  };
}

export type Blobs = ReturnType<typeof createBlobs>;

/** A few at a time. */
export async function inParallel<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: LIMITS.githubConcurrency }, worker));
}
