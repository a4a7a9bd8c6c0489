import type { NamedVector, VectorStore } from '../core/vector-ports.js';
import { bytesOf, type Database, type Dialect, packed, portions, type Row } from './rows.js';

const NOTHING = new Uint8Array();
const CHECK_BYTES = 4;

/** Four bytes (FNV-1a) over a passage's name and its vector: what was altered or belongs to another passage is known. */
function checkOf(...parts: Uint8Array[]): Uint8Array {
  let hash = 0x811c9dc5;
  for (const part of parts)
    for (let i = 0; i < part.length; i++) hash = Math.imul(hash ^ (part[i] as number), 0x01000193);
  const check = Buffer.alloc(CHECK_BYTES);
  check.writeUInt32LE(hash >>> 0);
  return check;
}

const sealed = ({ name, vector }: NamedVector) => Buffer.concat([vector, checkOf(name, vector)]);

/** The vector of a row; nothing where it is not what was written. */
function vectorIn(row: Row): Uint8Array {
  const bytes = bytesOf(row.vector) ?? NOTHING;
  const vector = bytes.subarray(0, -CHECK_BYTES);
  return Buffer.compare(bytes.subarray(-CHECK_BYTES), checkOf(nameOf(row).name, vector)) === 0 ? vector : NOTHING;
}

const nameOf = (row: Row) => ({ row: Number(row.row), name: bytesOf(row.chunk) ?? NOTHING });

/** The vectors of every SQL mirror. */
export function vectorStatements(origin: string, dialect: Dialect, database: Database): VectorStore {
  const { compare } = dialect;
  const page = (columns: string, values: [string, number, number]) =>
    database.read((query) =>
      query(
        `SELECT v.row, ${columns} FROM vectors v WHERE v.origin = $1 AND v.model = $2 AND v.row >= $3 ORDER BY v.row LIMIT $4`,
        [origin, ...values],
      ),
    );

  return {
    async vectors(...asked) {
      const rows = await page('v.chunk, v.vector', asked);
      return rows.map((row) => ({ ...nameOf(row), vector: vectorIn(row) }));
    },

    comparable: async (model) =>
      compare === undefined ? null : database.read((query) => compare.lastRow(query, origin, model)),

    vectorNames: async (...asked) => (await page('v.chunk', asked)).map(nameOf),

    keepVectors: (model, vectors) =>
      database.write(async (query) => {
        // One at a time, so that whoever has read up to a row misses none below it.
        await dialect.lock?.(query, origin);
        for (const some of portions(vectors)) {
          const rows = some.map((_, at) => `($1, $2, $${2 * at + 3}, $${2 * at + 4})`);
          await query(
            `INSERT INTO vectors (origin, model, chunk, vector) VALUES ${rows.join(', ')}
             ON CONFLICT (origin, model, chunk) DO NOTHING`,
            [origin, model, ...some.flatMap((each) => [each.name, sealed(each)])],
          );
        }
      }),

    dropVectors: async (rows) => {
      await database.write((query) =>
        query(
          `DELETE FROM vectors WHERE origin = $1 AND row IN (SELECT CAST(e.value->>0 AS bigint) FROM ${dialect.elements('$2')} AS e)`,
          [origin, packed(rows.map((row) => [row]))],
        ),
      );
    },

    dropOtherModels: (model, limit) =>
      database.write(async (query) => {
        const rows = await query(
          `DELETE FROM vectors WHERE row IN (SELECT v.row FROM vectors v WHERE v.origin = $1 AND v.model <> $2 LIMIT $3) RETURNING row`,
          [origin, model, limit],
        );
        return rows.length;
      }),

    passages: (after, limit) =>
      database.read(async (query) => {
        const before = after ? 'AND (d.time_ms < $3 OR (d.time_ms = $3 AND d.path < $4))' : '';
        const rows = await query(
          `SELECT d.doc, d.path, d.time_ms, s.chunks FROM documents d JOIN documents_search s ON s.doc = d.doc
           WHERE d.origin = $1 AND d.live = 1 ${before} ORDER BY d.time_ms DESC, d.path DESC LIMIT $2`,
          [origin, limit, ...(after ? [after.timeMs, after.path] : [])],
        );
        return rows.map((row) => ({
          doc: Number(row.doc),
          path: String(row.path),
          timeMs: Number(row.time_ms),
          chunks: bytesOf(row.chunks) ?? NOTHING,
        }));
      }),

    bytesOf: (doc) =>
      database.read(async (query) => {
        const [row] = await query('SELECT d.content FROM documents d WHERE d.origin = $1 AND d.doc = $2', [
          origin,
          doc,
        ]);
        return bytesOf(row?.content);
      }),
  };
}
