import type { Ignore } from 'ignore';
import { explain, MemoryError, toMemoryError } from './errors.js';
import { shortHash } from './hash.js';
import { indexDocument } from './index-document.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import { readablePath } from './paths.js';
import { reach } from './points.js';
import type { Durable, Head, Mirror, Mutex, Origin, TreeEntry } from './ports.js';

export interface SyncReport {
  result: 'ok' | 'unchanged';
  head: Head | null;
  added: number;
  changed: number;
  removed: number;
  /** Documents after the run. */
  total: number;
  /** What was left out or is doubtful, and why. */
  problems: { path: string; reason: string }[];
  problemCount: number;
  tookMs: number;
}

export interface SyncOptions {
  reason: string;
  progress?: (done: number, total: number) => void;
  signal?: AbortSignal;
  /** Only the newest so many, for reading without a mirror. */
  newest?: number;
  /** Compare the trees even where the mirror says that it stands at the head. */
  force?: boolean;
  /** Name what is left out even where nothing is new. */
  explain?: boolean;
}

export interface SyncDependencies {
  origin: Origin;
  mirror: Mirror;
  durable?: Durable;
  mutex?: Mutex;
  log: Log;
}

/**
 * Brings the mirror to the origin's head: the origin's tree against the mirror's paths; what differs is fetched and
 * staged in batches, then swapped in by one compare-and-swap transaction. Ended anywhere and run again it comes to the
 * same result.
 */
export function createSync({ origin, mirror, durable, mutex, log }: SyncDependencies) {
  let running: Promise<SyncReport> | undefined;

  async function run(options: SyncOptions): Promise<SyncReport> {
    const startedAtMs = Date.now();
    const release = mutex
      ? await mutex.acquire(`sync-${shortHash(origin.name)}`, LIMITS.catchUpMs, options.signal)
      : null;
    try {
      const report = await attempts(options);
      await record(options.reason, startedAtMs, report.result, report.head, counts(report));
      return report;
    } catch (error) {
      const known = toMemoryError(error);
      await record(options.reason, startedAtMs, 'failed', null, { error: known.code, message: known.message });
      throw error;
    } finally {
      release?.();
    }
  }

  async function attempts(options: SyncOptions): Promise<SyncReport> {
    for (let attempt = 0; attempt < LIMITS.syncAttempts; attempt++) {
      const report = await once(options);
      if (report) return report;
    }
    throw new MemoryError(
      'mirror_unavailable',
      'The mirror changed under every try to bring it up to date.',
      'Call sync_now again in a moment.',
    );
  }

  /** Null where another process changed the mirror meanwhile: look again. */
  async function once(options: SyncOptions): Promise<SyncReport | null> {
    const started = performance.now();
    // The mirror is looked at before the origin: a step that another process applies after this makes ours fall, so
    // that a head which was asked for earlier never replaces a newer one.
    const [state, have] = await mirror.snapshot(async (view) => [await view.state(), await view.paths()] as const);
    const beforeMs = state.nowMs;
    const head = await origin.head();
    reach('sync:after-head');
    if (!options.force && state.head && state.head.commit === (head?.commit ?? '')) {
      await mirror.confirm(head, beforeMs);
      return {
        result: 'unchanged',
        head,
        added: 0,
        changed: 0,
        removed: 0,
        total: have.size,
        ...(await problems(options.explain && head ? (await listing(head.commit, undefined)).notices : [])),
        tookMs: performance.now() - started,
      };
    }
    // Never synced, or by another analyser: what is there is not to be trusted.
    if (!state.head && have.size > 0) {
      await mirror.prune(false);
      have.clear();
    }
    const { documents, notices } =
      head === null ? { documents: [], notices: [] } : await listing(head.commit, options.newest);
    reach('sync:after-list');
    const wanted = new Map(documents.map((entry) => [entry.path, entry]));
    const gone = [...have.keys()].filter((path) => !wanted.has(path));
    const differing = documents.filter((entry) => have.get(entry.path) !== entry.blob);
    await fetchAndStage(head, differing, options);
    reach('sync:before-apply');
    options.signal?.throwIfAborted();
    const applied = await mirror.apply({
      expectedGeneration: state.generation,
      head,
      documents: [],
      live: differing.map(({ path, blob }) => ({ path, blob })),
      gone,
      settles: [],
      confirmedAtMs: beforeMs,
      inside: () => reach('sync:inside-apply'),
    });
    if (!applied) return null;
    reach('sync:after-apply');
    await mirror.prune(true);
    const changed = differing.filter((entry) => have.has(entry.path)).length;
    return {
      result: 'ok',
      head,
      added: differing.length - changed,
      changed,
      removed: gone.length,
      total: documents.length,
      ...(await problems(notices)),
      tookMs: performance.now() - started,
    };
  }

  /** The documents of a commit, and what is in it that cannot be one. */
  async function listing(commit: string, newest: number | undefined) {
    const entries = await origin.list(commit);
    const notices: { path: string; reason: string }[] = [];
    const ignore = await ignoreRules(entries, notices);
    let documents: TreeEntry[] = [];
    let leftOut = 0;
    for (const entry of entries) {
      if (entry.type === 'submodule')
        notices.push({ path: entry.path, reason: 'a submodule: its notes are in its own repository' });
      else if (entry.path.endsWith('.md') || entry.path.endsWith('.md"')) {
        if (ignore?.ignores(readablePath(entry.path))) leftOut++;
        else documents.push(entry);
      }
    }
    if (leftOut > 0) notices.push({ path: IGNORE_FILE, reason: `leaves out ${leftOut} notes` });
    if (newest !== undefined && documents.length > newest) {
      const stamp = (path: string) => /\d{4}-?\d{2}-?\d{2}(T?\d{4,9})?/.exec(path)?.[0].replaceAll('-', '') ?? '';
      documents = documents
        .map((entry) => ({ entry, key: stamp(entry.path) + entry.path }))
        .sort((a, b) => (a.key < b.key ? 1 : -1))
        .slice(0, newest)
        .map(({ entry }) => entry);
    }
    return { documents, notices };
  }

  async function ignoreRules(
    entries: TreeEntry[],
    notices: { path: string; reason: string }[],
  ): Promise<Ignore | null> {
    const file = entries.find((entry) => entry.path === IGNORE_FILE && entry.type === 'file');
    if (!file) return null;
    const bytes = (await origin.read([file.blob])).get(file.blob);
    if (!bytes || bytes.length > LIMITS.frontMatterChars) {
      notices.push({
        path: IGNORE_FILE,
        reason: `over ${LIMITS.frontMatterChars} bytes: not read, nothing is left out`,
      });
      return null;
    }
    const { default: ignore } = await import('ignore');
    return ignore({ allowRelativePaths: true }).add(new TextDecoder().decode(bytes));
  }

  async function fetchAndStage(
    head: Head | null,
    differing: TreeEntry[],
    { progress, signal }: SyncOptions,
  ): Promise<void> {
    if (head === null || differing.length === 0) return;
    const staged = await mirror.staged(differing);
    const missing = differing.filter((entry) => !staged.has(entry.path));
    let done = differing.length - missing.length;
    // Only notes without a date of their own need the history: asked for at most once, and only then.
    let times: Map<string, number> | undefined;
    const changedAt = async (path: string) => {
      times ??= await origin.times(head.commit, new Set(missing.map((entry) => entry.path)));
      return times.get(path) ?? Date.now();
    };
    const sizes = await origin.sizes(missing.map((entry) => entry.blob));
    for (const batch of batches(missing, (entry) => sizes.get(entry.blob) ?? 0)) {
      signal?.throwIfAborted();
      const small = batch.filter((entry) => (sizes.get(entry.blob) ?? 0) <= LIMITS.indexedBytes);
      const contents = await origin.read(small.map((entry) => entry.blob));
      const documents = [];
      for (const entry of batch) {
        const bytes = sizes.get(entry.blob);
        const content = contents.get(entry.blob) ?? null;
        if (bytes === undefined || (content === null && bytes <= LIMITS.indexedBytes)) {
          throw new MemoryError(
            'origin_unavailable',
            'The origin lists a file that it cannot give.',
            'Run `git fsck` in the repository.',
          );
        }
        const source = {
          path: entry.path,
          blob: entry.blob,
          type: entry.type === 'symlink' ? ('symlink' as const) : ('file' as const),
          bytes,
          content,
          changedMs: UNDATED,
        };
        const document = indexDocument(source);
        if (document.timeMs === UNDATED) document.timeMs = await changedAt(entry.path);
        documents.push(document);
      }
      await mirror.stage(documents);
      reach('sync:after-stage');
      done += batch.length;
      progress?.(done, differing.length);
      // A turn for everybody else: parsing is synchronous.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async function problems(notices: { path: string; reason: string }[]) {
    const stored = await mirror.snapshot((view) => view.problems(EVERYBODY, 100_000));
    const all = [...notices, ...stored];
    return { problems: all, problemCount: all.length };
  }

  async function record(
    reason: string,
    startedAtMs: number,
    result: SyncReport['result'] | 'failed',
    head: Head | null,
    details: Record<string, unknown>,
  ): Promise<void> {
    log[result === 'failed' ? 'warn' : 'debug']('sync', { reason, result, ...details });
    // A confirmation that found nothing new is no event worth a durable row, unless somebody asked for it.
    if (!durable || (result === 'unchanged' && reason === 'read')) return;
    try {
      await durable.syncRan({
        origin: origin.name,
        startedAtMs,
        finishedAtMs: Date.now(),
        reason,
        result,
        commit: head?.commit ?? null,
        details,
      });
    } catch (error) {
      log.warn('sync log not written', { why: explain(error) });
    }
  }

  return {
    /** Whether `.strataignore` of a commit leaves a path out. */
    async leavesOut(commit: string, path: string): Promise<boolean> {
      const blob = (await origin.find(commit, [IGNORE_FILE])).get(IGNORE_FILE);
      const rules = blob === undefined ? null : await ignoreRules([{ path: IGNORE_FILE, blob, type: 'file' }], []);
      return rules?.ignores(readablePath(path)) ?? false;
    },

    /** What the mirror should hold at a head: path to blob id. */
    async expected(head: Head | null): Promise<Map<string, string>> {
      const { documents } = head === null ? { documents: [] } : await listing(head.commit, undefined);
      return new Map(documents.map(({ path, blob }) => [path, blob]));
    },

    /** One run at a time in this process; a call while one runs waits for it and then looks again. */
    async run(options: SyncOptions): Promise<SyncReport> {
      while (running) await running.catch(() => {});
      running = run(options);
      try {
        return await running;
      } finally {
        running = undefined;
      }
    },
  };
}

export type Sync = ReturnType<typeof createSync>;

const IGNORE_FILE = '.strataignore';
const UNDATED = Number.MIN_SAFE_INTEGER;
const EVERYBODY = { subject: '', projects: 'all' as const, scopes: new Set<never>(), client: 'sync' };

function counts(report: SyncReport): Record<string, unknown> {
  const { added, changed, removed, total, problemCount, tookMs } = report;
  return { added, changed, removed, total, problems: problemCount, took_ms: Math.round(tookMs) };
}

function* batches<T>(items: T[], bytesOf: (item: T) => number): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = Math.min(bytesOf(item), LIMITS.indexedBytes);
    if (batch.length > 0 && (batch.length >= LIMITS.stageDocuments || bytes + size > LIMITS.stageBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
