import type { Cosines } from '../core/vector-ports.js';
import { namesOf } from '../search/matrix.js';
import { bytesOf, type Dialect } from './rows.js';

/** Comparing in the database, by what schema.sql makes where it has pgvector. */
export const pgvector: NonNullable<Dialect['compare']> = {
  async lastRow(query, origin, model) {
    const [row] = await query(
      `SELECT to_regproc('strata_mirror.products') IS NOT NULL AS can,
         (SELECT max(v.row) FROM vectors v WHERE v.origin = $1 AND v.model = $2) AS last`,
      [origin, model],
    );
    return row?.can === true ? Number(row.last) : null;
  },

  async cosines(query, origin, model, asked) {
    // What fails here must not take the snapshot with it: the extension may be dropped at any time.
    await query('SAVEPOINT products');
    try {
      const { coarse, fine } = inParts(asked);
      const [row] = await query('SELECT last, names, products FROM products($1, $2, $3, $4)', [
        origin,
        model,
        coarse,
        fine,
      ]);
      await query('RELEASE products');
      return read(Number(row?.last), bytesOf(row?.names), bytesOf(row?.products));
    } catch {
      await query('ROLLBACK TO products');
      return null;
    }
  },
};

/** A vector of length 1 times 1024, as whole numbers and 4096ths of one: none is over 2048, so halves hold them exactly. */
function inParts(vector: Float32Array): { coarse: string; fine: string } {
  const whole = Array.from(vector, (each) => Math.round(each * 1024));
  const rest = whole.map((each, at) => Math.round(((vector[at] as number) * 1024 - each) * 4096));
  return { coarse: JSON.stringify(whole), fine: JSON.stringify(rest) };
}

/** A product is the stored vector's scale as it is stored (little endian) and Postgres' own (big endian), negative. */
function read(row: number, names: Uint8Array | null, products: Uint8Array | null): Cosines | null {
  if (names === null || products === null) return null;
  const view = new DataView(products.buffer, products.byteOffset, products.length);
  const cosines = Float32Array.from(
    { length: products.length / 8 },
    (_, at) => (-view.getFloat32(8 * at, true) * view.getFloat32(8 * at + 4)) / 1024,
  );
  return { names: namesOf(names), cosines, row };
}
