import { describe, expect, test } from 'vitest';
import type { Mirror } from '../../src/core/ports.js';
import { chunksOf } from '../../src/search/chunk.js';
import { packNames, packVector } from '../../src/search/matrix.js';
import { type MirrorUnderTest, note, put } from './mirror-contract.js';

const named = (number: number) => ({
  name: packNames([number.toString(16).padStart(32, '0')]),
  vector: packVector(Float32Array.from({ length: 8 }, (_, at) => Math.sin(number + at))),
});
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const names = async (mirror: Mirror, model = 'm', from = 0) =>
  (await mirror.vectorNames(model, from, 100)).map(({ name }) => Number.parseInt(hex(name), 16));

/** What every mirror promises to those who embed, and to those who compare. */
export function vectorsContract(name: string, open: () => Promise<MirrorUnderTest> | MirrorUnderTest): void {
  describe(`vectors in ${name}`, () => {
    test('come back byte for byte, in the order in which they were kept', async () => {
      const { mirror } = await open();
      const many = Array.from({ length: 90 }, (_, at) => named(at));
      await mirror.keepVectors('m', many);
      const got = await mirror.vectors('m', 0, 100);
      expect(got.map(({ name: each, vector }) => [hex(each), hex(vector)])).toEqual(
        many.map(({ name: each, vector }) => [hex(each), hex(vector)]),
      );
      expect(got.map(({ row }) => row)).toEqual(got.map(({ row }) => row).toSorted((a, b) => a - b));
      const later = await mirror.vectors('m', got[40]?.row ?? 0, 10);
      expect(later).toEqual(got.slice(40, 50));
    });

    test('the first of a name stays, each model has its own', async () => {
      const { mirror } = await open();
      await mirror.keepVectors('m', [named(1), named(2)]);
      await mirror.keepVectors('m', [{ ...named(1), vector: named(9).vector }, named(3)]);
      await mirror.keepVectors('other', [named(2)]);
      expect(await names(mirror)).toEqual([1, 2, 3]);
      expect(await names(mirror, 'other')).toEqual([2]);
      expect(hex((await mirror.vectors('m', 0, 1))[0]?.vector ?? new Uint8Array())).toBe(hex(named(1).vector));
      expect(await mirror.dropOtherModels('m', 10)).toBe(1);
      expect(await mirror.dropOtherModels('m', 10)).toBe(0);
      expect([await names(mirror, 'other'), await names(mirror)]).toEqual([[], [1, 2, 3]]);
    });

    test('a row is never given twice, and none is seen below one that was seen', async () => {
      const { mirror, again } = await open();
      const sides = [mirror, again?.() ?? mirror];
      let last = 0;
      const seen: number[] = [];
      const look = async () => {
        for (const { row, name: each } of await mirror.vectorNames('m', last, 1_000)) {
          if (row === last) continue;
          seen.push(Number.parseInt(hex(each), 16));
          last = row;
        }
      };
      const all = Array.from({ length: 40 }, (_, at) => at + 1);
      let writing = true;
      const reading = (async () => {
        // SQLite answers within the turn: the writers need theirs.
        for (; writing; await new Promise(setImmediate)) await look();
      })();
      await Promise.all(all.map((at) => sides[at % 2]?.keepVectors('m', [named(at)])));
      writing = false;
      await reading;
      await look();
      expect(seen.toSorted((a, b) => a - b)).toEqual(all);
      const rows = (await mirror.vectorNames('m', 0, 100)).map(({ row }) => row);
      await mirror.dropVectors(rows.slice(-5));
      expect(await names(mirror)).toHaveLength(35);
      await mirror.keepVectors('m', [named(99)]);
      expect(await names(mirror, 'm', last + 1)).toEqual([99]);
    });

    test('what is to be embedded: everybody’s live documents, newest first, with their bytes', async () => {
      const { mirror } = await open();
      const text = 'The login broke because cookies were kept.';
      await put(mirror, [
        note('a.md', text, { date: '2026-01-01', privacy: 'PRIVATE', author: 'bob' }),
        note('b.md', 'Two.', { date: '2026-03-01' }),
        note('c.md', 'Three.', { date: '2026-02-01' }),
      ]);
      await mirror.stage([note('d.md', 'Not served yet.')]);
      const [b, c] = await mirror.passages(null, 2);
      expect([b?.path, c?.path]).toEqual(['b.md', 'c.md']);
      const rest = await mirror.passages(c ?? null, 2);
      expect(rest.map(({ path }) => path)).toEqual(['a.md']);
      const bytes = await mirror.bytesOf(rest[0]?.doc ?? 0);
      expect(Buffer.from(bytes ?? []).toString()).toMatch(text);
      const expected = chunksOf(Buffer.from(bytes ?? []).toString()).map(({ name: each }) => each);
      expect(hex(rest[0]?.chunks ?? new Uint8Array())).toBe(expected.join(''));
      expect(expected).toHaveLength(1);
      expect(await mirror.bytesOf(999_999)).toBeNull();
    });
  });
}
