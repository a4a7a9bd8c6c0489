import type { AsOf } from './as-of.js';
import type { Conflicts } from './conflicts.js';
import type { Embedding } from './embedding.js';
import type { Ephemeral } from './ephemeral.js';
import type { Held } from './held.js';
import type { Jobs } from './job.js';
import type { Outbox } from './outbox.js';
import type { Durable, Mirror, Origin } from './ports.js';
import type { Reader } from './reader.js';
import type { Semantics } from './searcher.js';
import type { Shelf } from './shelf.js';
import type { Sync } from './sync.js';
import type { Uses } from './uses.js';
import type { Verify } from './verify.js';
import type { Workplace } from './workplace.js';
import type { Writer } from './writer.js';

/** What operations work with. */
export interface Services {
  origin: Origin;
  mirror: Mirror;
  durable: Durable;
  reader: Reader;
  asOf: AsOf;
  writer: Writer;
  sync: Sync;
  verify: Verify;
  ephemeral: Ephemeral;
  outbox: Outbox;
  held: Held;
  conflicts: Conflicts;
  /** The cache. */
  shelf: Shelf;
  /** Null where meaning is not compared. */
  semantics: Semantics | null;
  /** How far embedding is; null where it is switched off. */
  embedding: Pick<Embedding, 'describe'> | null;
  /** How often patterns were of use. */
  uses: Uses;
  workplace: Workplace;
  jobs: Jobs;
}
