import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/core/limits.js';
import type { Cache } from '../../src/core/ports.js';

export interface CacheUnderTest {
  cache: Cache;
  /** The same one, as another process would open it. */
  again(): Promise<Cache>;
  /** What really stands under a key of the cache, and puts something else there. */
  raw(key: string): Promise<Buffer | null>;
  put(key: string, value: Buffer | string): Promise<unknown>;
  /** Seconds until it is gone. */
  ttl(key: string): Promise<number>;
}

const bytes = (text: string) => Buffer.from(text);
const text = (value: Uint8Array | null) => (value === null ? null : Buffer.from(value).toString());

/** What every cache promises. */
export function cacheContract(name: string, open: () => Promise<CacheUnderTest>): void {
  describe(`cache in ${name}`, () => {
    test('any bytes come back as they were, to every process, for as long as was said', async () => {
      const { cache, again, ttl } = await open();
      const other = await again();
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 9_000 }), fc.string({ minLength: 1 }), async (value, key) => {
          expect(await cache.set(key, value, 77)).toBe(true);
          expect(Buffer.from((await other.get(key)) ?? 'nothing').equals(value)).toBe(true);
          expect(await ttl(key)).toBeGreaterThan(70);
          expect(await ttl(key)).toBeLessThanOrEqual(77);
        }),
        { numRuns: 50 },
      );
      expect(await cache.get('never put there')).toBeNull();
      expect((await cache.describe())?.lastFailure).toBeNull();
    });

    test('what is large is compressed; what is too large is not kept', async () => {
      const { cache, raw } = await open();
      const large = bytes('zebra '.repeat(100_000));
      expect(await cache.set('large', large, 60)).toBe(true);
      expect((await raw('large'))?.length).toBeLessThan(large.length / 20);
      expect(text(await cache.get('large'))).toBe(large.toString());
      const noise = randomBytes(5_000);
      expect(await cache.set('noise', noise, 60)).toBe(true);
      expect((await cache.get('noise')) ?? []).toEqual(noise);
      expect(await cache.set('huge', Buffer.alloc(LIMITS.cacheValueBytes + 1), 60)).toBe(false);
      expect(await cache.get('huge')).toBeNull();
    });

    test('a value that is another’s, a part of one, or nobody’s is a miss, and is taken away', async () => {
      const { cache, raw, put } = await open();
      for (const size of [10, 50_000]) {
        const key = `key ${size}`;
        await cache.set('other', randomBytes(size), 60);
        await cache.set(key, randomBytes(size), 60);
        const whole = (await raw(key)) as Buffer;
        const flipped = (at: number) => {
          const copy = Buffer.from(whole);
          copy[at] = (copy[at] as number) ^ 1;
          return copy;
        };
        const bad: [string, Buffer | string][] = [
          ['nothing', ''],
          ['another key’s', (await raw('other')) as Buffer],
          ['words', 'hello'],
          ['JSON', '{"value":1}'],
          ['noise', randomBytes(size)],
          ['one byte more', Buffer.concat([whole, Buffer.from([0])])],
          ...[1, 3, 10, 19, whole.length - 1].map((at): [string, Buffer] => [`${at} bytes`, whole.subarray(0, at)]),
          ...[0, 2, 5, 19, whole.length - 1].map((at): [string, Buffer] => [`byte ${at} changed`, flipped(at)]),
        ];
        for (const [what, value] of bad) {
          await put(key, value);
          expect(await cache.get(key), what).toBeNull();
          await expect.poll(() => raw(key), { message: what }).toBeNull();
        }
        await put(key, whole);
        expect(await cache.get(key)).not.toBeNull();
      }
    });

    test('a change sees what stands there, and none of many at once is lost', async () => {
      const { cache, again, put, ttl } = await open();
      const other = await again();
      const add = (to: Cache, word: string): Promise<boolean> =>
        to.update('words', 60, (current) => bytes(`${text(current) ?? ''} ${word}`.trim()));
      expect(await add(cache, 'one')).toBe(true);
      expect(await add(other, 'two')).toBe(true);
      expect(text(await cache.get('words'))).toBe('one two');
      expect(await cache.update('words', 60, () => null)).toBe(true);
      expect(text(await cache.get('words'))).toBe('one two');
      expect(await ttl('words')).toBeGreaterThan(50);
      // Whoever lost too often is told so: what was acknowledged is there.
      const kept = await Promise.all(
        Array.from({ length: 8 }, async (_, i) => ((await add(i % 2 === 0 ? cache : other, `w${i}`)) ? [`w${i}`] : [])),
      );
      const words = (text(await cache.get('words')) ?? '').split(' ');
      expect(kept.flat().length).toBeGreaterThan(0);
      expect(words.toSorted()).toEqual(['one', 'two', ...kept.flat()].toSorted());
      await put('words', 'garbage');
      expect(await add(cache, 'anew')).toBe(true);
      expect(text(await cache.get('words'))).toBe('anew');
    });

    test('what is dropped is gone', async () => {
      const { cache, again } = await open();
      await cache.set('key', bytes('x'), 60);
      expect(await (await again()).drop('key')).toBe(true);
      expect(await cache.get('key')).toBeNull();
    });

    test('says where and how it is', async () => {
      const { cache } = await open();
      const status = await cache.describe();
      expect(status).toMatchObject({ state: 'up', lastFailure: null, place: expect.stringMatching(/^rediss?/) });
      expect(status?.latencyMs).toBeGreaterThan(0);
    });
  });
}
