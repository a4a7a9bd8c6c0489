import type { Caller } from './caller.js';
import type { Document, IndexedDocument, Kind } from './documents.js';

/** The commit a branch points to, and its tree. Object ids are hex. */
export interface Head {
  commit: string;
  tree: string;
}

/** One file of a commit's tree that concerns us. */
export interface TreeEntry {
  path: string;
  /** Blob id; for a submodule the commit it points to. */
  blob: string;
  type: 'file' | 'symlink' | 'submodule';
}

export interface Change {
  path: string;
  /** The file's new bytes; null deletes it. */
  content: Uint8Array | null;
  /** The blob that must stand at `path` now (null: nothing may). Absent: whatever is there. */
  expect?: string | null;
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
  | { outcome: 'committed'; head: Head; blobs: Map<string, string> }
  /** Somebody was faster. Nothing was changed; prepare again on the new head. */
  | { outcome: 'stale' }
  /** A change's `expect` does not hold. Nothing was changed. */
  | { outcome: 'conflict'; path: string; current: string | null };

/**
 * Where the truth is. Every method throws `origin_unavailable` when it cannot be reached, and may throw `refused`
 * with the remedy where the origin says no for good.
 */
export interface Origin {
  /** Part of every key, row and lock. */
  readonly name: string;
  /** How long a confirmed head may be taken for current by a `fresh` read, in ms. 0 where asking costs nothing. */
  readonly headFreshMs: number;
  /** Which branch is read and where saves go, for a person. */
  branch(): string;
  /** Null while the branch has no commit. */
  head(): Promise<Head | null>;
  /** Every `*.md` file, submodule entry and `.strataignore` of a commit. */
  list(commit: string): Promise<TreeEntry[]>;
  /** Blob ids at those paths of a commit; absent where there is nothing. */
  find(commit: string, paths: string[]): Promise<Map<string, string>>;
  /** Sizes in bytes; absent where the origin does not have the blob. */
  sizes(blobs: string[]): Promise<Map<string, number>>;
  /** Bytes under their blob id; absent where the origin does not have the blob. */
  read(blobs: string[]): Promise<Map<string, Uint8Array>>;
  /** When each path was last changed, in ms since 1970; best effort. */
  times(commit: string, paths: Set<string>): Promise<Map<string, number>>;
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
  project?: string;
  kinds?: Kind[];
  tags?: string[];
  privacy?: string;
  afterMs?: number;
  beforeMs?: number;
}

export interface Hit {
  document: Document;
  score: number;
}

/** One consistent snapshot of the mirror. Every query filters by what the caller may see. */
export interface View {
  state(): Promise<MirrorState>;
  /** Every live path and its blob, unfiltered: for sync and verify. */
  paths(): Promise<Map<string, string>>;
  get(caller: Caller, id: string): Promise<(Document & { content: Uint8Array | null }) | null>;
  list(
    caller: Caller,
    filter: Filter,
    page: { limit: number; after?: { timeMs: number; path: string } },
  ): Promise<Document[]>;
  count(caller: Caller, filter: Filter): Promise<number>;
  search(caller: Caller, terms: string[], filter: Filter, limit: number): Promise<Hit[]>;
  ids(caller: Caller): Promise<string[]>;
  projects(caller: Caller): Promise<{ project: string; documents: number; lastMs: number }[]>;
  problems(caller: Caller, limit: number): Promise<{ path: string; reason: string }[]>;
  /** The newest session path of a project by name, for `LATEST.json`. */
  newestSession(project: string): Promise<{ path: string; title: string; timeMs: number } | null>;
  /** A document saved under this key, or with this body, by this author in this project. */
  sameSave(query: SameSave): Promise<Document | null>;
  /** Content of live documents in path order, for verification. */
  contents(
    afterPath: string,
    limit: number,
  ): Promise<{ path: string; blob: string; content: Uint8Array | null; indexed: boolean }[]>;
}

export interface SameSave {
  project: string;
  author: string;
  key?: string;
  bodyHash?: string;
  title?: string;
  sinceMs?: number;
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
export interface Mirror extends ReadTier {
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
  confirm(head: Head | null, beforeMs: number): Promise<void>;
  /** Removes live documents that cannot be trusted; the mirror then stands at no commit, so that the next sync fetches them. */
  drop(paths: string[]): Promise<void>;
  /** Throws away what was staged and never went live; all documents unless `keepLive`. */
  prune(keepLive: boolean): Promise<void>;
  /** Paths whose search index is missing. */
  unindexed(): Promise<string[]>;
  /** What a person should be told about this mirror, oldest first. */
  notices(): string[];
  describe(): Promise<{ kind: string; place: string; bytes: number }>;
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

/** What exists nowhere else. Its failures never stop a read or a save; they are warnings. */
export interface Durable {
  syncRan(run: SyncRun): Promise<void>;
  lastSyncs(origin: string, count: number): Promise<SyncRun[]>;
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

/** Where a client works. */
export interface Workplace {
  /** The project of a folder, the same from any clone, worktree or machine; null where it is in no repository. */
  projectAt(folder: string): Promise<string | null>;
}
