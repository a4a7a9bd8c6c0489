import { type Caller, maySee } from './caller.js';
import { type Document, decodeText, parseDocument } from './documents.js';
import type { Receipt } from './draft.js';
import { explain, MemoryError } from './errors.js';
import { readFrontMatter } from './frontmatter.js';
import { objectId } from './hash.js';
import type { Held } from './held.js';
import type { Log } from './log.js';
import type { Conflict, Durable, Origin } from './ports.js';
import type { Reader } from './reader.js';
import type { Writer } from './writer.js';

/** A queued edit that lost to a newer version, with the document that it would have been. */
export interface LostEdit extends Conflict {
  /** `conflicts/N`: to read it by. */
  name: string;
  document: Document;
}

export interface ConflictsDependencies {
  origin: Origin;
  durable: Durable;
  held: Held;
  reader: Reader;
  writer: Writer;
  log: Log;
}

/** Queued edits that lost: kept until a person says which text is to stand. */
export function createConflicts({ origin, durable, held, reader, writer, log }: ConflictsDependencies) {
  /** Those that nobody has resolved, oldest first. */
  async function list(caller: Caller): Promise<LostEdit[]> {
    const all = (await durable.conflicts(origin.name)).map(lostEdit);
    return all.filter(({ document }) => maySee(caller, document));
  }

  /** Throws `not_found` where there is no such conflict, or it has been resolved. */
  async function get(caller: Caller, conflict: number): Promise<LostEdit> {
    const all = await list(caller);
    const found = all.find((each) => each.conflict === conflict);
    if (found) return found;
    const known = all.slice(0, 20).map(({ name }) => name);
    throw new MemoryError(
      'not_found',
      'There is no such conflict, or it has been resolved.',
      known.length === 0 ? 'There are none.' : `There are ${known.join(', ')}.`,
    );
  }

  /** The blobs that stand at these ids now, as near to the origin as can be had; absent where nothing does. */
  async function standing(caller: Caller, ids: string[]): Promise<Map<string, string>> {
    const { value } = await reader.read(caller, undefined, 'fresh', async (reading) => {
      const found: [string, string][] = [];
      for (const id of ids) {
        const document = await reading.get(caller, id);
        if (document) found.push([id, document.blob]);
      }
      return new Map(found);
    });
    for (const id of ids) {
      const queued = await held.get(caller, id);
      if (queued) value.set(id, queued.document.blob);
    }
    return value;
  }

  /** The lost text over what stands there now, as an edit like any other: it may be queued, or lose again. */
  async function saveMine(caller: Caller, { document, path, content }: LostEdit): Promise<Receipt> {
    const { id, title, project } = document;
    const text = decodeText(content).text;
    const replaces = (await standing(caller, [id])).get(id);
    if (replaces !== undefined)
      return writer.save(caller, { fields: { title, project }, body: text, edit: { id, path, replaces } });
    const { digest, tags, privacy, priority, status } = document;
    const fields = {
      ...{ title, project, tags, privacy, priority, status },
      summary: digest.summary,
      decisions: digest.decisions,
      next_steps: digest.nextSteps,
    };
    return writer.save(caller, { fields, body: readFrontMatter(text).body });
  }

  return {
    list,
    get,
    standing,

    /** `theirs`: what stands there stays. `mine`: the lost text is saved; its receipt comes back. */
    async resolve(caller: Caller, conflict: number, keep: 'theirs' | 'mine'): Promise<Receipt | null> {
      const lost = await get(caller, conflict);
      const receipt = keep === 'mine' ? await saveMine(caller, lost) : null;
      await durable.resolved(conflict);
      const { subject, client } = caller;
      await durable
        .audit({ origin: origin.name, subject, client, action: 'resolve', target: lost.path, reason: keep })
        .catch((error) => log.warn('audit row not written', { why: explain(error) }));
      return receipt;
    },
  };
}

export type Conflicts = ReturnType<typeof createConflicts>;

function lostEdit(conflict: Conflict): LostEdit {
  const { path, content, foundAtMs } = conflict;
  const blob = objectId('blob', content, 'sha1');
  const source = { path, blob, type: 'file' as const, bytes: content.length, content, changedMs: foundAtMs };
  return { ...conflict, name: `conflicts/${conflict.conflict}`, document: parseDocument(source).document };
}
