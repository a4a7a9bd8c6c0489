import type { Corpus } from '../search/corpus.js';
import type { Caller } from './caller.js';
import type { Document, IndexedDocument, Kind, SameSave } from './documents.js';
import type { MemoryError } from './errors.js';
import type { Moment } from './moment.js';
import type { ProjectRecord, Relatives } from './project.js';
import type { Cosines, VectorStore } from './vector-ports.js';
import type { KeptVersions } from './versions.js';

/** The commit a branch points to, and its tree. Object ids are hex. */
export interface Head {
  commit: string;
  tree: string;
}

/** Where a branch points to; its tree takes another question. */
export type Tip = Pick<Head, 'commit'>;

/** One file of a commit's tree that concerns us. */
export interface TreeEntry {
  path: string;
  /** Blob id; for a submodule the commit it points to. */
  blob: string;
  type: 'file' | 'symlink' | 'submodule';
}

/** A commit's tree id, and every `*.md` file, submodule entry and `.strataignore` in it. */
export interface Listing {
  tree: string;
  entries: TreeEntry[];
}

/** What of those entries differs from an earlier commit. */
export interface Difference extends Listing {
  gone: string[];
}

export interface Change {
  path: string;
  /** The file's new bytes; null deletes it. */
  content: Uint8Array | null;
  /** The blob that must stand at `path` now (null: nothing may). Absent: whatever is there. */
  expect?: string | null;
  /** The name was made for this save, at random: an origin that would have to ask may take `expect` for true. */
  coined?: boolean;
}

export interface CommitRequest {
  changes: Change[];
  /** The head this was prepared on; null for a repository without a commit. */
  expected: string | null;
  message: string;
  authorName: string;
  /** `performance.now()` after which nothing may be sent any more. */
  deadlineAt: number;
}

export type CommitResult =
  /** `direct`: the head is the commit itself, on `expected`; otherwise others may lie between. */
  | { outcome: 'committed'; head: Head; blobs: Map<string, string>; direct: boolean }
  /** Somebody was faster. Nothing was changed; prepare again on the new head. */
  | { outcome: 'stale' }
  /** A change's `expect` does not hold. Nothing was changed. */
  | { outcome: 'conflict'; path: string; current: string | null }
  /** Sent, and the answer was lost: nobody can say for now whether it was made. */
  | { outcome: 'unknown'; cause: MemoryError };

/**
 * Where the truth is. Every method throws `origin_unavailable` when it cannot be reached, and may throw `refused`
 * with the remedy where the origin says no for good. A `commit` that throws has changed nothing.
 */
export interface Origin {
  /** Part of every key, row and lock. */
  readonly name: string;
  /** Every question is a request over a network: few are asked, heads are taken on trust for a while and may lag. */
  readonly remote: boolean;
  /** The branch that is read, and the one that saves go to: another one beside a working clone's. */
  branch(): { reads: string; saves: string };
  /** What a person should know besides: the rate budget left, that the repository has another name now. */
  notes(): string[];
  /** Null while the branch has no commit. */
  head(): Promise<Tip | null>;
  list(commit: string): Promise<Listing>;
  /**
   * What changed on the way from one commit to a later one; `late` where `to` is an ancestor of `from`; null where it
   * cannot be told in few questions: then the whole list tells.
   */
  difference(from: string, to: string): Promise<Difference | 'late' | null>;
  /** Blob ids at those paths of a commit; absent where there is nothing. */
  find(commit: string, paths: string[]): Promise<Map<string, string>>;
  /** Sizes in bytes; absent where the origin does not have the blob. */
  sizes(blobs: string[]): Promise<Map<string, number>>;
  /** Bytes under their blob id; absent where the origin does not have the blob. */
  read(blobs: string[]): Promise<Map<string, Uint8Array>>;
  /** When each path was last changed, in ms since 1970; best effort. */
  times(commit: string, paths: Set<string>): Promise<Map<string, number>>;
  /**
   * Which commit the branch was at, and its committer's time in ms since 1970. For a time: the first one on the way from
   * `head` along first parents that is not after it, as `git rev-list --first-parent --before` has it; null where all are.
   * For an id: that commit, where it is in the history of `head`. Throws `not_found` where none there has it,
   * `invalid_input` where several do, `refused` where the way is longer than can be asked for.
   */
  asOf(head: string, moment: Moment): Promise<(Tip & { timeMs: number }) | null>;
  /** The paths at which that blob stands, or ever stood, in the history of a commit. */
  everHeld(commit: string, files: { path: string; blob: string }[]): Promise<Set<string>>;
  /** All changes or none, as one commit on `expected`. */
  commit(request: CommitRequest): Promise<CommitResult>;
  close(): Promise<void>;
}

export interface MirrorState {
  /** Null: never synced. An empty `commit` is an origin without commits. */
  head: Head | null;
  generation: number;
  /** The database's clock before the request that last confirmed the head; null if never. Ms since 1970. */
  confirmedAtMs: number | null;
  /** Saves in flight, or of writers that died: while there is one the head is unconfirmed. */
  doubts: number;
  /** The database's clock now. */
  nowMs: number;
}

export interface Doubt {
  saveId: string;
  deadlineMs: number;
}

export interface Step {
  /** Compare-and-swap: the step applies only where the mirror stands at this generation. */
  expectedGeneration: number;
  head: Head | null;
  /** Documents to stage in the same transaction (small steps), before they go live. */
  documents: IndexedDocument[];
  /** Staged (path, blob) pairs that become what is served. */
  live: { path: string; blob: string }[];
  gone: string[];
  /** Own doubts that this step settles. */
  settles: string[];
  /** The database's clock from before the head was asked for; null leaves the confirmation as it was. */
  confirmedAtMs: number | null;
  /** Called inside the transaction, for the crash tests. */
  inside?: () => void;
}

export interface Filter {
  /** Any of these. */
  projects?: string[];
  kinds?: Kind[];
  tags?: string[];
  privacy?: string;
  afterMs?: number;
  beforeMs?: number;
}

/** What ranking needs of one snapshot, for the documents that a caller may see. */
export interface Found {
  corpus: Corpus;
  /** One element for each entry of the corpus: 1 where the filter takes it. */
  scope: Uint8Array;
  /** The documents of the entries: their numbers in this mirror, and the names of their passages, 16 bytes each. */
  documents: { doc: number; path: string; project: string; chunks: Uint8Array }[];
}

/** One consistent snapshot of the mirror. Every query filters by what the caller may see. */
export interface View extends KeptVersions {
  state(): Promise<MirrorState>;
  /** Live paths and their blobs: those that a caller may see; without one all, for sync and verify. */
  paths(caller?: Caller): Promise<Map<string, string>>;
  get(caller: Caller, id: string): Promise<(Document & { content: Uint8Array | null }) | null>;
  list(
    caller: Caller,
    filter: Filter,
    page: { limit: number; after?: { timeMs: number; path: string } },
  ): Promise<Document[]>;
  count(caller: Caller, filter: Filter): Promise<number>;
  /** The postings of these terms, over everything that the caller may see. */
  corpus(caller: Caller, terms: string[], filter: Filter): Promise<Found>;
  /** Every term of the search index, those of documents that are gone or that the caller may not see included. */
  vocabulary(): Promise<Iterable<string>>;
  /** All of a model's vectors compared with a query (of length 1) by the database; null where it cannot after all. */
  cosines?(model: string, query: Float32Array): Promise<Cosines | null>;
  /** Documents by their numbers, in that order, with their bytes. */
  documents(caller: Caller, docs: number[]): Promise<(Document & { content: Uint8Array | null })[]>;
  ids(caller: Caller): Promise<string[]>;
  /** Those of these ids that name a document. */
  present(caller: Caller, ids: string[]): Promise<Set<string>>;
  projects(caller: Caller): Promise<{ project: string; documents: number; lastMs: number }[]>;
  /** Of every project that has a record or a parent. */
  records(caller: Caller): Promise<ProjectRecord[]>;
  relatives(caller: Caller, project: string): Promise<Relatives>;
  problems(caller: Caller, limit: number): Promise<{ path: string; reason: string }[]>;
  /** The newest session path of a project by name, for `LATEST.json`. */
  newestSession(project: string): Promise<{ path: string; title: string; timeMs: number } | null>;
  /** A document saved under this key, or with this body, by this author in this project. */
  sameSave(query: SameSave): Promise<Document | null>;
  /** Content of live documents in path order, for verification. */
  contents(afterPath: string, limit: number): Promise<(Document & { content: Uint8Array | null; indexed: boolean })[]>;
}

/** What an operation reads through. Documents that are handed out are remembered, so that they can be verified. */
export interface Reading extends View {
  content(document: Pick<Document, 'path' | 'blob'>): Promise<Uint8Array>;
}

/** A tier that can be read from. Throws `mirror_unavailable` when it cannot be reached. */
export interface ReadTier {
  readonly name: string;
  snapshot<T>(work: (view: View) => Promise<T>): Promise<T>;
}

/**
 * The fast copy. Throws `mirror_unavailable` when it cannot be reached within its limit, `newer_schema` where a newer
 * program has written it.
 */
export interface Mirror extends ReadTier, VectorStore {
  clock(): Promise<number>;
  doubt(doubts: Doubt[]): Promise<void>;
  /** Takes own doubts away where nothing was sent. */
  settle(saveIds: string[]): Promise<void>;
  /** Blobs first: rows that nobody sees until a step makes them live. */
  stage(documents: IndexedDocument[]): Promise<void>;
  staged(pairs: { path: string; blob: string }[]): Promise<Set<string>>;
  /** False where the generation had moved on; then nothing was changed. */
  apply(step: Step): Promise<boolean>;
  /** Records a confirmation of `head` and removes the doubts that had expired before `beforeMs`. */
  confirm(head: Tip | null, beforeMs: number): Promise<void>;
  /** Removes live documents that cannot be trusted; the mirror then stands at no commit, so that the next sync fetches them. */
  drop(paths: string[]): Promise<void>;
  /** Throws away what was staged and never went live; all documents unless `keepLive`. */
  prune(keepLive: boolean): Promise<void>;
  /** Paths whose search index is missing. */
  unindexed(): Promise<string[]>;
  /** Packs what search keeps of new documents where they have become many; does nothing where they are few. */
  merge(): Promise<void>;
  /** These documents were read today: a column of each, written at most once a day. */
  touch(paths: string[]): Promise<void>;
  /** Contents that were shed and are wanted again; a document that stands at another blob by now stays as it is. */
  restore(contents: { path: string; blob: string; content: Uint8Array }[]): Promise<void>;
  /**
   * Takes the contents of at most `limit` documents that nobody has touched for so many days, and of versions as old;
   * what else is known of them stays. Project records keep theirs. Gives how many, and their bytes.
   */
  shed(untouchedDays: number, limit: number): Promise<{ documents: number; bytes: number }>;
  /** Takes a lease, or takes it over from a holder that let it expire; null where it is held, or done within its time. */
  acquire(wish: LeaseWish): Promise<{ outcome: Outcome | null } | null>;
  /** False where somebody else has it by now: then stop. */
  renew(name: string, holder: string, ttlMs: number): Promise<boolean>;
  /** Gives back an own lease; `ended` says how the job ended, null that it did not. */
  release(name: string, holder: string, ended: { outcome: Outcome; note: string } | null): Promise<void>;
  leases(): Promise<Lease[]>;
  /** What a person should be told about this mirror, oldest first. */
  notices(): string[];
  describe(): Promise<{ kind: string; place: string; bytes: number }>;
  close(): Promise<void>;
}

/** `repaired`: something was wrong and is mended. */
export type Outcome = 'ok' | 'repaired' | 'failed';

/** All by the database's clock. */
export interface LeaseWish {
  name: string;
  holder: string;
  ttlMs: number;
  /** Not where it ended within this time, by anybody's hand; 0: always. */
  restMs: number;
  /** The same after a failure. */
  failedRestMs: number;
}

/** Who does a job, and how it last ended. Times in ms since 1970, by the database's clock. */
export interface Lease {
  name: string;
  held: boolean;
  endedAtMs: number | null;
  outcome: Outcome | null;
  note: string;
  nowMs: number;
}

/** How the cache does, seen from this process. */
export interface CacheStatus {
  state: 'up' | 'down' | 'connecting';
  /** Where it is, without secrets. */
  place: string;
  /** Of the last command that was answered, in ms; null: none was. */
  latencyMs: number | null;
  /** What went wrong last, and what to do about it. */
  lastFailure: { message: string; hint: string; atMs: number } | null;
}

/**
 * Values under keys, for a while; may be emptied at any time. Nothing here throws, and nothing takes longer than its
 * limit: a cache that fails is a miss, and remembers why. A value that is not what was put there is a miss.
 */
export interface Cache {
  /** False: there is none, and nothing needs to be worked out for it. */
  readonly on: boolean;
  get(key: string): Promise<Uint8Array | null>;
  /** False where it was not kept. */
  set(key: string, value: Uint8Array, ttlSeconds: number): Promise<boolean>;
  /**
   * Puts what `change` makes of the value that stands there, unless somebody else was there in between: then again.
   * False where it was not kept; `change` answering null leaves things as they are, which is true.
   */
  update(key: string, ttlSeconds: number, change: (current: Uint8Array | null) => Uint8Array | null): Promise<boolean>;
  drop(key: string): Promise<boolean>;
  failure(): CacheStatus['lastFailure'];
  /** Waits for the first connection, which may take longer than a command; false where there is none for now. */
  connected(): Promise<boolean>;
  /** Asks it, too: null where there is none. */
  describe(): Promise<CacheStatus | null>;
  close(): Promise<void>;
}

export interface SyncRun {
  origin: string;
  startedAtMs: number;
  finishedAtMs: number;
  reason: string;
  result: 'ok' | 'unchanged' | 'failed';
  commit: string | null;
  details: Record<string, unknown>;
}

/** A save that waits for the origin. */
export interface Queued {
  saveId: string;
  path: string;
  content: Uint8Array;
  /** The blob that it replaces; null: a new document. */
  expect: string | null;
  subject: string;
  client: string;
  queuedAtMs: number;
  /** It may have reached the origin: to be looked for there before it is sent again. */
  sent: boolean;
  /** Why it waits. */
  lastError: string | null;
}

export interface OutboxEntry extends Queued {
  /** Entries are delivered in this order. */
  entry: number;
  attempts: number;
}

/** A queued edit that met a newer origin and lost. */
export interface Conflict {
  conflict: number;
  path: string;
  content: Uint8Array;
  readAtBlob: string | null;
  /** The blob that stood at the origin; null: nothing did. */
  currentBlob: string | null;
  subject: string;
  foundAtMs: number;
}

/** What exists nowhere else. Its failures never stop a read or a save; they are warnings. */
export interface Durable {
  syncRan(run: SyncRun): Promise<void>;
  lastSyncs(origin: string, count: number): Promise<SyncRun[]>;
  /** All or none. A save that is in the outbox already stays as it is. */
  queue(origin: string, saves: Queued[]): Promise<void>;
  /** What waits, in order. */
  queued(origin: string): Promise<OutboxEntry[]>;
  /** How many wait for each origin of this machine. */
  queues(): Promise<{ origin: string; count: number }[]>;
  /** What waited for one origin waits for another from now on, in the order of saving. Returns how many. */
  requeue(from: string, to: string): Promise<number>;
  /** These may reach the origin from now on. */
  sending(entries: number[]): Promise<void>;
  sendingFailed(entries: number[], why: string): Promise<void>;
  /** They did not reach the origin after all. */
  unsent(entries: number[]): Promise<void>;
  /** They are at the origin, or given up: out of the outbox. */
  settled(entries: number[]): Promise<void>;
  /** Out of the outbox, into the conflicts. */
  lost(entry: number, currentBlob: string | null): Promise<void>;
  /** Those that nobody has resolved, oldest first. */
  conflicts(origin: string): Promise<Conflict[]>;
  resolved(conflict: number): Promise<void>;
  /** Each of these documents was of use once more. */
  used(origin: string, ids: string[]): Promise<void>;
  /** How often they were; absent where never. Times in ms since 1970. */
  uses(origin: string, ids: string[]): Promise<Map<string, { uses: number; lastUsedMs: number }>>;
  audit(row: {
    origin: string;
    subject: string;
    client: string;
    action: string;
    target: string;
    reason?: string;
  }): Promise<void>;
  /** `sound` is `ok`, or what is wrong with the file. */
  describe(): Promise<{ place: string; schema: number; sound: string }>;
  close(): Promise<void>;
}

/** One holder at a time per name on this machine; the system releases what a dead process held. */
export interface Mutex {
  /** Null when it could not be had within `waitMs`: then go on without; it is only there to avoid lost races. */
  acquire(name: string, waitMs: number, signal?: AbortSignal): Promise<(() => void) | null>;
  close(): Promise<void>;
}
