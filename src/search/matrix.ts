/** A passage's name as bytes: half of a SHA-256. */
export const NAME_BYTES = 16;
/** Rows to a block: the matrix grows without being copied. */
const BLOCK_ROWS = 4_096;

/** Names of passages, one after the other. */
export function packNames(names: string[]): Uint8Array {
  return new Uint8Array(Buffer.from(names.join(''), 'hex'));
}

/**
 * A vector as it is stored: four bytes of scale (a float, little endian), then a signed byte for each dimension. The
 * cosine of two all-MiniLM-L6-v2 vectors moves by less than a hundredth.
 */
export function packVector(vector: Float32Array): Uint8Array {
  const largest = vector.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  const scale = Math.fround(largest / 127) || 1;
  const packed = new Uint8Array(4 + vector.length);
  new DataView(packed.buffer).setFloat32(0, scale, true);
  new Int8Array(packed.buffer, 4).set(vector.map((each) => Math.round(each / scale)));
  return packed;
}

/** A set of names, each with its row: rows are given from 0 in the order of adding. Open addressing; names are hashes. */
export function createNames() {
  let bytes = new Uint8Array(BLOCK_ROWS * NAME_BYTES);
  let slots = new Int32Array(BLOCK_ROWS * 2).fill(-1);
  let size = 0;

  /** The slot of a name, or the free one where it would stand. */
  function slotOf(names: Uint8Array, at: number): number {
    const mask = slots.length - 1;
    const hash = (names[at] as number) | ((names[at + 1] as number) << 8) | ((names[at + 2] as number) << 16);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot] as number;
      if (row < 0) return slot;
      let same = 0;
      while (same < NAME_BYTES && bytes[row * NAME_BYTES + same] === names[at + same]) same++;
      if (same === NAME_BYTES) return slot;
    }
  }

  function grow(): void {
    const more = new Uint8Array(bytes.length * 2);
    more.set(bytes);
    bytes = more;
    slots = new Int32Array(slots.length * 2).fill(-1);
    for (let row = 0; row < size; row++) slots[slotOf(bytes, row * NAME_BYTES)] = row;
  }

  return {
    get size() {
      return size;
    },
    /** The row of the name at `names[at]`; -1 where it is unknown. */
    rowOf: (names: Uint8Array, at = 0): number => slots[slotOf(names, at)] as number,
    /** False where it was there already. */
    add(names: Uint8Array, at = 0): boolean {
      if (slots[slotOf(names, at)] !== -1) return false;
      if ((size + 1) * NAME_BYTES > bytes.length) grow();
      bytes.set(names.subarray(at, at + NAME_BYTES), size * NAME_BYTES);
      slots[slotOf(names, at)] = size++;
      return true;
    },
  };
}

export type Names = ReturnType<typeof createNames>;

/** Names that were packed one after the other, in that order. */
export function namesOf(packed: Uint8Array): Names {
  const names = createNames();
  for (let at = 0; at < packed.length; at += NAME_BYTES) names.add(packed, at);
  return names;
}

/** Vectors in memory, for an exact scan. 60,000 of 384 dimensions take 24 MB and 18 ms. */
export function createMatrix(dimensions: number) {
  const names = createNames();
  const blocks: Int8Array[] = [];
  const scales: Float32Array[] = [];

  return {
    names,

    /** `packed` is what `packVector` made. One whose name is known, or that is of another size, is left out. */
    add(name: Uint8Array, packed: Uint8Array): void {
      if (packed.length !== 4 + dimensions || !names.add(name)) return;
      const row = names.size - 1;
      const at = row % BLOCK_ROWS;
      if (at === 0) {
        blocks.push(new Int8Array(BLOCK_ROWS * dimensions));
        scales.push(new Float32Array(BLOCK_ROWS));
      }
      const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
      (scales.at(-1) as Float32Array)[at] = view.getFloat32(0, true);
      (blocks.at(-1) as Int8Array).set(
        new Int8Array(packed.buffer, packed.byteOffset + 4, dimensions),
        at * dimensions,
      );
    },

    /** The cosine of a query (of length 1) with each row. */
    cosines(query: Float32Array): Float32Array {
      const found = new Float32Array(names.size);
      // As whole numbers, which are multiplied faster: as large as sums of products of bytes can be in 32 bits.
      const unit = Math.floor(2 ** 31 / (128 * dimensions));
      const whole = Int32Array.from(query, (each) => Math.round(each * unit));
      for (const [index, block] of blocks.entries()) {
        const first = index * BLOCK_ROWS;
        const rows = Math.min(BLOCK_ROWS, names.size - first);
        scan(block, whole, found.subarray(first, first + rows));
        const scale = scales[index] as Float32Array;
        for (let row = 0; row < rows; row++)
          found[first + row] = ((found[first + row] as number) / unit) * (scale[row] as number);
      }
      return found;
    },
  };
}

export type Matrix = ReturnType<typeof createMatrix>;

/** The products of a query with each row, four rows at a time (a block has room for them), which is what takes the time of a search. */
function scan(block: Int8Array, query: Int32Array, found: Float32Array): void {
  const dimensions = query.length;
  for (let row = 0; row < found.length; row += 4) {
    const first = row * dimensions;
    const [second, third, fourth] = [first + dimensions, first + 2 * dimensions, first + 3 * dimensions];
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < dimensions; i++) {
      const each = query[i] as number;
      a = (a + Math.imul(each, block[first + i] as number)) | 0;
      b = (b + Math.imul(each, block[second + i] as number)) | 0;
      c = (c + Math.imul(each, block[third + i] as number)) | 0;
      d = (d + Math.imul(each, block[fourth + i] as number)) | 0;
    }
    found[row] = a;
    // Past the last row nothing is kept.
    found[row + 1] = b;
    found[row + 2] = c;
    found[row + 3] = d;
  }
}

/** Where the passages of many documents are: those of the document `d` in `rows[starts[d]]` up to `rows[starts[d + 1]]`, -1 for unknown ones. */
export interface Located {
  starts: Int32Array;
  rows: Int32Array;
}

export function locate(names: Names, documents: readonly { chunks: Uint8Array }[]): Located {
  const starts = new Int32Array(documents.length + 1);
  for (const [d, { chunks }] of documents.entries()) starts[d + 1] = (starts[d] as number) + chunks.length / NAME_BYTES;
  const rows = new Int32Array(starts[documents.length] as number);
  let at = 0;
  for (const { chunks } of documents)
    for (let from = 0; from < chunks.length; from += NAME_BYTES) rows[at++] = names.rowOf(chunks, from);
  return { starts, rows };
}

/** Of each document the three greatest cosines of its passages, descending: three elements a document, NaN where there is none. */
export function bestThree({ starts, rows }: Located, cosines: Float32Array): Float64Array {
  const documents = starts.length - 1;
  const best = new Float64Array(documents * 3);
  for (let d = 0; d < documents; d++) {
    let [first, second, third] = [Number.NaN, Number.NaN, Number.NaN];
    for (let at = starts[d] as number; at < (starts[d + 1] as number); at++) {
      const cosine = cosines[rows[at] as number];
      if (cosine === undefined) continue;
      // Written so that NaN, which nothing is greater than, gives way.
      if (!(cosine <= first)) [first, second, third] = [cosine, first, second];
      else if (!(cosine <= second)) [second, third] = [cosine, second];
      else if (!(cosine <= third)) third = cosine;
    }
    best.set([first, second, third], d * 3);
  }
  return best;
}
