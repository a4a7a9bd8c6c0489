import { toMemoryError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import type { MirrorState, View } from '../core/ports.js';
import type { mirrorStatements } from './mirror.js';
import { createPostgres, Outdated, type Postgres } from './postgres.js';
import type { PostgresSchema } from './postgres-schema.js';

export interface ReplicaOptions {
  url: string;
  primary: Postgres;
  schema: PostgresSchema;
  statements: ReturnType<typeof mirrorStatements>;
  limitMs: number;
  connections: number;
  onNotice(text: string): void;
}

/** The replica is not where the primary is. */
class Behind extends Error {}

/**
 * Snapshots from a replica, for as long as it is at the primary's generation. Where the mirror stands and what is in doubt
 * is the primary's word alone; a replica that lags or fails costs a moment, never an answer.
 */
export function createReplica(options: ReplicaOptions) {
  const { primary, statements } = options;
  const replica = createPostgres({
    url: options.url,
    variable: 'DATABASE_READ_URL',
    schema: options.schema,
    follows: true,
    limitMs: Math.min(options.limitMs, LIMITS.replicaMs),
    connections: options.connections,
  });
  let restUntil = 0;
  let told = false;

  /** `there` answers from the primary. */
  async function snapshot<T>(work: (view: View) => Promise<T>, there: () => Promise<T>): Promise<T> {
    if (performance.now() < restUntil) return there();
    const standing = primary.read((query) => statements.state(query));
    // Waited for below; a failure of it meanwhile is no unhandled one.
    standing.catch(() => {});
    try {
      const answer = await replica.read(async (query) => {
        // The replica's snapshot is taken here, while the primary is asked.
        const here = await statements.state(query);
        const state = await standing;
        if (!same(here, state)) throw new Behind();
        return work({ ...statements.view(query), state: async () => state });
      });
      told = false;
      return answer;
    } catch (error) {
      if (error instanceof Behind || error instanceof Outdated) return there();
      await standing;
      const { code, message } = toMemoryError(error);
      if (code !== 'mirror_unavailable') throw error;
      restUntil = performance.now() + LIMITS.replicaRestMs;
      if (!told) options.onNotice(`Reads go to the primary for now. ${message}`);
      told = true;
      return there();
    }
  }

  return { snapshot, close: () => replica.close() };
}

function same(one: MirrorState, other: MirrorState): boolean {
  return one.generation === other.generation && one.head?.commit === other.head?.commit;
}
