import { type Caller, maySee } from './caller.js';
import { parseDocument } from './documents.js';
import { MemoryError, toMemoryError } from './errors.js';
import { isBlob } from './hash.js';
import { LIMITS } from './limits.js';
import { pathOfId } from './paths.js';
import type { Origin, Reading, View } from './ports.js';
import type { LateSave, Question, Shelf, Stand } from './shelf.js';
import { within } from './within.js';

/** What the cache can say while the mirror cannot be reached. */
export interface Found<T> {
  value: T;
  commit: string;
  generation: number;
  /** The origin's head is known to be that commit. */
  confirmed: boolean;
  note: string;
  /** Something newer is known to be missing: only where no other tier answers. */
  lacking: boolean;
}

export interface MeanwhileDependencies {
  origin: Origin;
  shelf: Shelf;
  /** This process knows of a save that the mirror could not be told of. */
  behind?: () => boolean;
}

/** Thrown by a view of few notes when it is asked for something else. */
class Elsewhere extends Error {}

/**
 * Answers from the cache alone, at the commit that its own pointer names. It never claims to be the latest unless the
 * origin has just said so; where it is known to lack something it is the last resort.
 */
export function createMeanwhile({ origin, shelf, behind }: MeanwhileDependencies) {
  async function find<T>(
    caller: Caller,
    /** The origin is not asked. */
    fast: boolean,
    question: Question,
    work: (reading: Reading) => Promise<T>,
  ): Promise<Found<T> | null> {
    const [stand, late] = await Promise.all([shelf.head(), shelf.late()]);
    const asked = fast || (stand === null && late.length === 0) ? null : await askOrigin();
    const newer = late.filter(({ commit }) => commit !== stand?.commit);
    const current = asked?.commit === stand?.commit && newer.length === 0 && behind?.() !== true;
    // The origin has moved on and answers: it is the next tier.
    if (asked?.commit !== undefined && !current) return null;
    if (stand !== null && newer.length === 0 && behind?.() !== true) return kept(caller, question, stand, asked);
    const own = newer.length === 0 ? null : await amongLate(newer, work);
    if (own) return own;
    const old = stand && (await kept<T>(caller, question, stand, asked));
    return old && { ...old, confirmed: false, lacking: true, note: `${old.note}; notes saved since then are missing` };
  }

  async function kept<T>(
    caller: Caller,
    question: Question,
    stand: Stand,
    asked: Asked | null,
  ): Promise<Found<T> | null> {
    const found = await shelf.answer(caller, question, stand);
    if (found === null) return null;
    const confirmed = asked?.commit === stand.commit;
    const why = asked?.why === undefined ? '' : ` (the origin could not be asked: ${asked.why})`;
    const note = confirmed ? 'from the cache' : `from the cache: what the mirror last gave${why}`;
    return { value: found.value as T, ...stand, confirmed, note, lacking: false };
  }

  /** Whether an answer needs nothing but notes that are in the cache as late saves. */
  async function amongLate<T>(late: LateSave[], work: (reading: Reading) => Promise<T>): Promise<Found<T> | null> {
    let used: LateSave | undefined;
    const get: View['get'] = async (asking, id) => {
      used = late.findLast(({ path }) => path === pathOfId(id));
      const content = used && (await shelf.content(used.blob));
      if (!used || !content || !isBlob(used.blob, content)) throw new Elsewhere();
      const { path, blob, atMs } = used;
      const { document } = parseDocument({ path, blob, type: 'file', bytes: content.length, content, changedMs: atMs });
      return maySee(asking, document) ? { ...document, content } : null;
    };
    const value = await work(viewOf(get)).catch((error) => {
      if (error instanceof Elsewhere) return null;
      throw error;
    });
    const note = 'from the cache: saved while the mirror could not be reached';
    return value && used ? { value, commit: used.commit, generation: 0, confirmed: false, note, lacking: false } : null;
  }

  interface Asked {
    /** Undefined where it could not be asked. */
    commit?: string;
    why?: string;
  }

  async function askOrigin(): Promise<Asked> {
    try {
      const tip = await within(LIMITS.headConfirmMs, origin.head());
      return { commit: tip?.commit ?? '' };
    } catch (error) {
      const known = toMemoryError(error);
      if (known.code === 'config') throw known;
      return { why: known.message };
    }
  }

  return { find };
}

/** A view that knows notes by their ids and nothing else. */
function viewOf(get: View['get']): Reading {
  const elsewhere = async () => {
    throw new Elsewhere();
  };
  return {
    state: elsewhere,
    paths: elsewhere,
    get,
    list: elsewhere,
    count: elsewhere,
    corpus: elsewhere,
    vocabulary: elsewhere,
    documents: elsewhere,
    ids: elsewhere,
    // What cannot be looked for is not said to be gone.
    present: async (_, ids) => new Set(ids),
    projects: elsewhere,
    records: elsewhere,
    relatives: elsewhere,
    problems: elsewhere,
    newestSession: elsewhere,
    sameSave: elsewhere,
    past: elsewhere,
    versions: elsewhere,
    contents: elsewhere,
    content: elsewhere,
  };
}

/** Failures after which an answer that lacks something is better than none. */
export function nobodyAnswers(error: unknown): boolean {
  return error instanceof MemoryError && ['mirror_unavailable', 'origin_unavailable', 'deadline'].includes(error.code);
}
