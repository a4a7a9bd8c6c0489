import { type Caller, maySee } from './caller.js';
import { type Document, parseDocument } from './documents.js';
import { MemoryError, toMemoryError } from './errors.js';
import { isBlob } from './hash.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import { Lru } from './lru.js';
import { nobodyAnswers } from './meanwhile.js';
import { type Moment, momentOf } from './moment.js';
import { idOfPath, newestFirst, pathOfId } from './paths.js';
import type { Origin, Reading, TreeEntry } from './ports.js';
import type { Consistency, Reader } from './reader.js';
import type { Sync } from './sync.js';

/** Which documents there were at a time. */
export interface Then {
  /** Null: pieced together from what the mirror has kept; `note` says so. */
  commit: string | null;
  /** The commit's time, or the one that was asked for. Ms since 1970. */
  timeMs: number;
  entries: Map<string, TreeEntry>;
  note: string | null;
}

export interface PastDocument {
  document: Document;
  content: Uint8Array;
}

/** All that a caller may see of a time. */
export interface Past extends Pick<Then, 'commit' | 'timeMs'> {
  /** The mirror's, when it was compared with now. */
  generation: number;
  /** Path and blob of documents that the mirror still serves as they were. */
  same: Map<string, string>;
  /** Those that were changed, moved or deleted since. */
  others: PastDocument[];
  /** What an answer has to say: that something is missing, that the origin could not be asked. */
  notes: string[];
}

export interface AsOfDependencies {
  origin: Origin;
  reader: Reader;
  sync: Sync;
  log: Log;
  /**
   * Whether a document was erased (a privacy request, not a deletion): git history may still hold it, answers never do.
   * Every listing of the past goes through this one question, by id.
   */
  erased?: (id: string) => boolean;
}

type Wanted = Pick<TreeEntry, 'path' | 'blob' | 'type'>;

/**
 * What memory said at an earlier time. Which documents there were is the origin's word (a commit's tree); their contents
 * are taken from wherever that blob still is: what the mirror serves, the versions that it keeps, the origin. A caller sees
 * what it could have seen then and may see now.
 */
export function createAsOf({ origin, reader, sync, log, erased = () => false }: AsOfDependencies) {
  const moments = new Lru<string, { commit: string; timeMs: number }>(LIMITS.pastMoments);
  const listings = new Lru<string, Map<string, TreeEntry>>(LIMITS.pastListings);
  /** Parsed, for whoever asks: `maySee` is asked when they are handed out. */
  const parsed = new Lru<string, PastDocument>(LIMITS.pastBytes, ({ content }) => content.length + 2_000);
  const keyOf = ({ path, blob }: Pick<Wanted, 'path' | 'blob'>) => `${blob} ${path}`;

  /**
   * Which documents there were, all of them: a caller's view is cut out by `document` and `past`. Throws `invalid_input`
   * where `asOf` names no time and no commit, `not_found` where there is nothing that old.
   */
  async function at(caller: Caller, asOf: string, consistency?: Consistency): Promise<Then> {
    const moment = momentOf(asOf, Date.now());
    const { value: head } = await reader.read(
      caller,
      consistency,
      'fast',
      async (reading) => (await reading.state()).head?.commit ?? null,
    );
    if (head === null)
      throw new MemoryError('not_found', 'This memory was never read here.', 'Call sync_now, then ask again.');
    if (head === '') throw nothingYet('This memory has no notes at all yet.');
    try {
      return await fromOrigin(head, moment);
    } catch (error) {
      const known = toMemoryError(error);
      if (consistency === 'verified' || !nobodyAnswers(known)) throw known;
      log.warn('as_of without the origin', { why: known.message });
      const { value } = await reader.read(caller, 'fast', 'fast', (reading) => fromMirror(caller, reading, moment));
      if (value === null) throw known;
      return { ...value, note: `${value.note} (the origin cannot be asked: ${known.message})` };
    }
  }

  async function fromOrigin(head: string, moment: Moment): Promise<Then> {
    const key = `${head} ${JSON.stringify(moment)}`;
    const found = moments.get(key) ?? (await origin.asOf(head, moment));
    if (found === null) throw nothingYet('The history of this memory begins after that: it had no notes then.');
    moments.set(key, found);
    const { commit, timeMs } = found;
    const listed = listings.get(commit) ?? new Map((await sync.documentsAt(commit)).map((each) => [each.path, each]));
    listings.set(commit, listed);
    return { commit, timeMs, entries: withoutErased(listed), note: null };
  }

  /**
   * Without the origin: what the mirror was told of, at the times when it was told. Null where it cannot know: a commit at
   * which nothing it keeps came to an end.
   */
  async function fromMirror(caller: Caller, reading: Reading, moment: Moment): Promise<Then | null> {
    const versions = await reading.versions(caller);
    const commit = 'commit' in moment ? moment.commit : null;
    const ends = versions.filter((each) => commit !== null && each.untilCommit.startsWith(commit));
    const isHead = commit !== null && (await reading.state()).head?.commit.startsWith(commit) === true;
    if (commit !== null && !isHead && ends.length === 0) return null;
    const timeMs =
      'beforeMs' in moment ? moment.beforeMs : isHead ? Date.now() : Math.max(...ends.map(({ untilMs }) => untilMs));
    const entries = new Map<string, TreeEntry>();
    const put = ({ path, blob }: Pick<Wanted, 'path' | 'blob'>) => entries.set(path, { path, blob, type: 'file' });
    const ended = new Set<string>();
    for (const version of versions) {
      // In the order of their ends: the first that had not ended is the one that stood there.
      if (
        version.untilMs > timeMs &&
        !entries.has(version.path) &&
        (ended.has(version.path) || version.timeMs <= timeMs)
      )
        put(version);
      if (version.untilMs <= timeMs) ended.add(version.path);
    }
    const later = new Set(versions.filter(({ untilMs }) => untilMs > timeMs).map(({ path }) => path));
    for (const document of await reading.list(caller, {}, { limit: Number.MAX_SAFE_INTEGER }))
      if (!later.has(document.path) && (ended.has(document.path) || document.timeMs <= timeMs)) put(document);
    return {
      commit: null,
      timeMs,
      entries: withoutErased(entries),
      note: 'pieced together from what this mirror keeps',
    };
  }

  function withoutErased(entries: Map<string, TreeEntry>): Map<string, TreeEntry> {
    return new Map([...entries].filter(([path]) => !erased(idOfPath(path))));
  }

  /** A document as it was, within a snapshot of now; null where the caller sees none of that id. */
  async function document(caller: Caller, reading: Reading, then: Then, id: string): Promise<PastDocument | null> {
    const entry = entryOf(then, id);
    if (!entry) return null;
    const live = await reading.get(caller, idOfPath(entry.path));
    // It is there now, and not for this caller.
    if (live === null && (await reading.paths()).has(entry.path)) return null;
    if (live?.blob === entry.blob) return { document: live, content: live.content ?? (await reading.content(live)) };
    const found = parsed.get(keyOf(entry)) ?? (await opened(caller, reading, then, entry));
    return found && maySee(caller, found.document) ? found : null;
  }

  async function opened(caller: Caller, reading: Reading, then: Then, entry: TreeEntry): Promise<PastDocument | null> {
    const kept = (await contentsKept(caller, reading, [entry])).get(entry.blob);
    const content = kept ?? (await reading.content(entry));
    return (await keep(then, [{ entry, content }])).get(entry.path) ?? null;
  }

  /** All that a caller may see of a time. */
  async function past(caller: Caller, asOf: string, consistency?: Consistency): Promise<Past> {
    const then = await at(caller, asOf, consistency);
    const found = new Map<string, PastDocument>();
    const { value: now } = await reader.read(caller, 'fast', 'fast', async (reading) => {
      const [all, seen] = [await reading.paths(), await reading.paths(caller)];
      const same = new Map<string, string>();
      const differing: Wanted[] = [];
      for (const entry of then.entries.values()) {
        if (seen.get(entry.path) === entry.blob) same.set(entry.path, entry.blob);
        // What is there now and not for this caller was not for it then either.
        else if (seen.has(entry.path) || !all.has(entry.path)) differing.push(entry);
      }
      const wanted = newestFirst(differing);
      await take(then, wanted, LIMITS.pastRows, found, async (some) => contentsKept(caller, reading, some));
      return { generation: (await reading.state()).generation, same, wanted };
    });
    const notes = then.note === null ? [] : [then.note];
    try {
      await take(then, now.wanted, LIMITS.pastBlobs, found, contentsAtOrigin);
    } catch (error) {
      if (consistency === 'verified' || !nobodyAnswers(error)) throw error;
      if (then.note === null) notes.push(`the origin cannot be asked: ${toMemoryError(error).message}`);
    }
    const left = now.wanted.length - found.size;
    if (left > 0)
      notes.push(
        `${left} notes of that time, changed or deleted since, are left out: too many, too large, or out of reach`,
      );
    const others = now.wanted.flatMap(({ path }) => found.get(path) ?? []);
    return {
      commit: then.commit,
      timeMs: then.timeMs,
      generation: now.generation,
      same: now.same,
      others: others.filter((each) => maySee(caller, each.document)),
      notes,
    };
  }

  /** Adds documents to `found`, in their order, until there are too many; `contentsOf` gives those that it can. */
  async function take(
    then: Then,
    wanted: Wanted[],
    batch: number,
    found: Map<string, PastDocument>,
    contentsOf: (some: Wanted[]) => Promise<Map<string, Uint8Array>>,
  ): Promise<void> {
    let bytes = [...found.values()].reduce((sum, { content }) => sum + content.length, 0);
    const open = wanted.filter(({ path }) => !found.has(path));
    for (let from = 0; from < open.length; from += batch) {
      if (bytes > LIMITS.pastBytes || found.size >= LIMITS.pastDocuments) return;
      const some = open.slice(from, from + batch);
      const known = new Map(some.map((entry) => [entry.path, parsed.get(keyOf(entry))]));
      const contents = await contentsOf(some.filter(({ path }) => known.get(path) === undefined));
      const made = await keep(
        then,
        some.flatMap((entry) => {
          const content = known.get(entry.path) ? undefined : contents.get(entry.blob);
          return content === undefined ? [] : [{ entry, content }];
        }),
      );
      for (const entry of some) {
        const each = known.get(entry.path) ?? made.get(entry.path);
        if (!each || bytes + each.content.length > LIMITS.pastBytes || found.size >= LIMITS.pastDocuments) continue;
        found.set(entry.path, each);
        bytes += each.content.length;
      }
    }
  }

  /** What the mirror still has, where it is what it says. */
  async function contentsKept(caller: Caller, reading: Reading, some: Wanted[]): Promise<Map<string, Uint8Array>> {
    const kept = await reading.past(caller, some);
    return new Map([...kept].filter(([blob, bytes]) => isBlob(blob, bytes)));
  }

  async function contentsAtOrigin(some: Wanted[]): Promise<Map<string, Uint8Array>> {
    if (some.length === 0) return new Map();
    const sizes = await origin.sizes(some.map(({ blob }) => blob));
    let bytes = 0;
    const small = some.filter(({ blob }) => {
      const size = sizes.get(blob) ?? 0;
      if (size <= LIMITS.indexedBytes) bytes += size;
      return size <= LIMITS.indexedBytes && bytes <= LIMITS.pastBytes;
    });
    const read = await origin.read(small.map(({ blob }) => blob));
    return new Map([...read].filter(([blob, bytes]) => isBlob(blob, bytes)));
  }

  /** Reads bytes into documents and remembers them. Those that say no time are of their last change, as then. */
  async function keep(then: Then, all: { entry: Wanted; content: Uint8Array }[]): Promise<Map<string, PastDocument>> {
    const made = new Map<string, PastDocument>();
    const undated: Document[] = [];
    for (const [count, { entry, content }] of all.entries()) {
      const { path, blob, type } = entry;
      const source = {
        path,
        blob,
        type: type === 'symlink' ? type : ('file' as const),
        bytes: content.length,
        content,
      };
      const { document: each } = parseDocument({ ...source, changedMs: Number.NaN });
      if (Number.isNaN(each.timeMs)) undated.push(each);
      made.set(path, { document: each, content });
      // A turn for everybody else: parsing is synchronous.
      if (count % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
    }
    if (undated.length > 0) {
      const paths = new Set(undated.map(({ path }) => path));
      const times = then.commit === null ? new Map() : await origin.times(then.commit, paths).catch(() => new Map());
      for (const each of undated) each.timeMs = times.get(each.path) ?? then.timeMs;
    }
    for (const each of made.values()) parsed.set(keyOf(each.document), each);
    return made;
  }

  return { at, document, past };
}

export type AsOf = ReturnType<typeof createAsOf>;

/** By its id as callers name it: with `.md`, with white space around it, composed otherwise, or only its last parts. */
function entryOf({ entries }: Then, id: string): TreeEntry | undefined {
  for (const each of [id, id.replace(/\.md$/, ''), id.trim()]) {
    const entry = entries.get(pathOfId(each));
    if (entry) return entry;
  }
  const wanted = id.replace(/\.md$/, '').normalize('NFC');
  const same = [...entries.values()].filter(({ path }) => {
    const each = idOfPath(path);
    return each.normalize('NFC') === wanted || each.endsWith(`/${wanted}`);
  });
  return same.length === 1 ? same[0] : undefined;
}

function nothingYet(what: string): MemoryError {
  return new MemoryError('not_found', what, 'Ask for a later time, or leave `as_of` out for what memory says now.');
}
