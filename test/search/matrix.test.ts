import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bestThree, createMatrix, createNames, locate, packNames, packVector } from '../../src/search/matrix.js';

const nameOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);
const packed = (...texts: string[]) => packNames(texts.map(nameOf));

/** A vector of length 1, another for each number. */
function vectorOf(number: number, dimensions: number): Float32Array {
  const vector = Float32Array.from({ length: dimensions }, (_, at) => Math.sin((number + 1) * (at + 1) * 12.9898));
  const length = Math.hypot(...vector);
  return vector.map((each) => each / length);
}

describe('names of passages', () => {
  test('each has the row in which it was added, however many they are', () => {
    const names = createNames();
    for (let at = 0; at < 20_000; at++) expect(names.add(packed(`passage ${at}`))).toBe(true);
    expect(names.size).toBe(20_000);
    for (let at = 0; at < 20_000; at += 7) {
      expect(names.rowOf(packed('other', `passage ${at}`), 16)).toBe(at);
      expect(names.rowOf(packed(`no passage ${at}`))).toBe(-1);
      expect(names.add(packed(`passage ${at}`))).toBe(false);
    }
    expect(names.size).toBe(20_000);
  });

  test('names that begin alike are told apart', () => {
    const names = createNames();
    const alike = ['00'.repeat(16), `${'00'.repeat(15)}01`, `${'00'.repeat(3)}${'ff'.repeat(13)}`];
    for (const each of alike) names.add(packNames([each]));
    expect(alike.map((each) => names.rowOf(packNames([each])))).toEqual([0, 1, 2]);
  });
});

describe.each([384, 7])('a matrix of %i dimensions', (dimensions) => {
  test('gives the cosines of all rows, closely', () => {
    const matrix = createMatrix(dimensions);
    const rows = 5_000;
    for (let row = 0; row < rows; row++) matrix.add(packed(`${row}`), packVector(vectorOf(row, dimensions)));
    const query = vectorOf(4_321.5, dimensions);
    const cosines = matrix.cosines(query);
    expect(cosines).toHaveLength(rows);
    for (let row = 0; row < rows; row += 11) {
      const exact = vectorOf(row, dimensions).reduce((sum, each, at) => sum + each * (query[at] ?? 0), 0);
      expect(Math.abs((cosines[row] ?? Number.NaN) - exact)).toBeLessThan(0.01);
    }
    expect(matrix.cosines(vectorOf(4_200, dimensions))[4_200]).toBeCloseTo(1, 2);
  });

  test('takes no vector of another size, and none twice', () => {
    const matrix = createMatrix(dimensions);
    matrix.add(packed('a'), packVector(vectorOf(1, dimensions + 1)));
    matrix.add(packed('b'), packVector(vectorOf(2, dimensions)));
    matrix.add(packed('b'), packVector(vectorOf(3, dimensions)));
    expect([matrix.names.size, matrix.names.rowOf(packed('b'))]).toEqual([1, 0]);
    expect(matrix.cosines(vectorOf(2, dimensions))[0]).toBeCloseTo(1, 2);
  });
});

test('a vector of zeros is a vector', () => {
  const matrix = createMatrix(4);
  matrix.add(packed('zero'), packVector(new Float32Array(4)));
  expect(matrix.cosines(Float32Array.of(1, 0, 0, 0))).toEqual(Float32Array.of(0));
});

test('the best three of each document, descending; what is not embedded counts for nothing', () => {
  const names = createNames();
  for (const each of ['a', 'b', 'c', 'd']) names.add(packed(each));
  const cosines = Float32Array.of(0.25, 0.75, -0.5, 0.5);
  const best = bestThree(
    locate(names, [
      { chunks: packed('a', 'b', 'x', 'c', 'd') },
      { chunks: packed('c') },
      { chunks: packed('x') },
      { chunks: packed() },
      { chunks: packed('c', 'd') },
    ]),
    cosines,
  );
  const nothing = Number.NaN;
  expect([...best]).toEqual([
    ...[0.75, 0.5, 0.25],
    ...[-0.5, nothing, nothing],
    ...[nothing, nothing, nothing],
    ...[nothing, nothing, nothing],
    ...[0.5, -0.5, nothing],
  ]);
});
