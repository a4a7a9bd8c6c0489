import type { Names } from '../search/matrix.js';

/** A language model that turns texts into vectors of length 1. Throws `config` with the remedy where it cannot be had. */
export interface Embedder {
  /** Names the model in what is stored: vectors of two models are never compared. */
  readonly model: string;
  readonly dimensions: number;
  /** Goes before all passages that wait. */
  query(text: string): Promise<Float32Array>;
  /** One after the other. Throws `cancelled` where the signal comes first. */
  passage(text: string, signal?: AbortSignal): Promise<Float32Array>;
  state(): EmbedderState;
  close(): Promise<void>;
}

/** `idle`: not in memory, and loaded when it is needed. */
export type EmbedderState = 'idle' | 'loading' | 'ready' | 'failed';

/** Bytes are as `src/search/matrix.ts` packs them. */
export interface NamedVector {
  name: Uint8Array;
  vector: Uint8Array;
}

/** Of every vector of a model: its passage's name and, at that name's row, its cosine with a query. */
export interface Cosines {
  names: Names;
  cosines: Float32Array;
  /** The last one's. */
  row: number;
}

/** A live document and the names of its passages. */
export interface Passages {
  doc: number;
  path: string;
  timeMs: number;
  chunks: Uint8Array;
}

/**
 * Vectors in the mirror, by model and passage. Rows are numbers that grow in the order in which vectors become visible,
 * and are never given twice.
 */
export interface VectorStore {
  /** Of a model, in their order, from a row on (that one included). What was altered since it was kept is empty. */
  vectors(model: string, fromRow: number, limit: number): Promise<(NamedVector & { row: number })[]>;
  /** The same without the vectors. */
  vectorNames(model: string, fromRow: number, limit: number): Promise<{ row: number; name: Uint8Array }[]>;
  /** The last row of a model where the database can compare by itself (`View.cosines`); null where it cannot. */
  comparable(model: string): Promise<number | null>;
  /** One that is there already stays as it is. */
  keepVectors(model: string, vectors: NamedVector[]): Promise<void>;
  dropVectors(rows: number[]): Promise<void>;
  /** Takes those of every other model away, at most so many; gives how many. */
  dropOtherModels(model: string, limit: number): Promise<number>;
  /** What is to be embedded, newest first, from everybody's documents. */
  passages(after: Pick<Passages, 'timeMs' | 'path'> | null, limit: number): Promise<Passages[]>;
  /** A document's bytes; null where they are not in the mirror. */
  bytesOf(doc: number): Promise<Uint8Array | null>;
}
