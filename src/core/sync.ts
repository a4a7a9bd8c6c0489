import type { Ignore } from 'ignore';
import { batches } from './batches.js';
import type { IndexedDocument } from './documents.js';
import { explain, MemoryError, toMemoryError } from './errors.js';
import { shortHash } from './hash.js';
import { indexDocument } from './index-document.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import { newestFirst, readablePath } from './paths.js';
import { reach } from './points.js';
import type { Durable, Head, Listing, Mirror, Mutex, Origin, Tip, TreeEntry } from './ports.js';

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
  /** The origin's head, asked for when the mirror stood at this generation, at `beforeMs` by the database's clock. */
  seen?: { tip: Tip | null; generation: number; beforeMs: number };
}

export interface SyncDependencies {
  origin: Origin;
  mirror: Mirror;
  durable?: Durable;
  mutex?: Mutex;
  log: Log;
  /** How long an older head is taken for a read that lags. */
  lateHeadMs?: number;
}

/**
 * Brings the mirror to the origin's head: the origin's tree against the mirror's paths; what differs is fetched and
 * staged in batches, then swapped in by one compare-and-swap transaction. Ended anywhere and run again it comes to the
 * same result.
 */
export function createSync({ origin, mirror, durable, mutex, log, lateHeadMs }: SyncDependencies) {
  let running: Promise<SyncReport> | undefined;
  /** The rules of `.strataignore`, by its blob; what the last whole list told, by its commit. */
  let rules: { blob: string; ignore: Ignore | null } | undefined;
  let told: { commit: string; notices: Notice[] } | undefined;
  /** A head older than ours, and when it was first seen. */
  let late: { commit: string; sinceMs: number } | undefined;

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
    const seen = options.seen?.generation === state.generation ? options.seen : null;
    const beforeMs = seen?.beforeMs ?? state.nowMs;
    const tip = seen ? seen.tip : await origin.head();
    reach('sync:after-head');
    const unchanged = async (notices: Notice[]): Promise<SyncReport> => ({
      result: 'unchanged',
      head: state.head,
      added: 0,
      changed: 0,
      removed: 0,
      total: have.size,
      ...(await problems(notices)),
      tookMs: performance.now() - started,
    });
    if (!options.force && state.head && state.head.commit === (tip?.commit ?? '')) {
      late = undefined;
      await mirror.confirm(tip, beforeMs);
      return unchanged(options.explain && tip ? await noticesAt(tip.commit) : []);
    }
    // Never synced, or by another analyser: what is there is not to be trusted.
    if (!state.head && have.size > 0) {
      await mirror.prune(false);
      have.clear();
    }
    const target = await compare(tip, state.head, have, options);
    if (target === 'late') return unchanged([]);
    const { head, documents, gone, notices } = target;
    reach('sync:after-list');
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
    const added = differing.length - changed;
    return {
      result: 'ok',
      head,
      added,
      changed,
      removed: gone.length,
      total: have.size + added - gone.length,
      ...(await problems(notices)),
      tookMs: performance.now() - started,
    };
  }

  /** What the mirror has to become: from what changed since its head where the origin can tell, else from the whole list. */
  async function compare(
    tip: Tip | null,
    from: Head | null,
    have: Map<string, string>,
    options: SyncOptions,
  ): Promise<Target | 'late'> {
    if (tip === null) return { head: null, documents: [], gone: [...have.keys()], notices: [] };
    if (from?.commit && !options.force && options.newest === undefined) {
      const difference = await origin.difference(from.commit, tip.commit);
      if (difference === 'late') {
        // Reads lag behind writes: an older head is a force push only when it is still there a while later.
        if (late?.commit !== tip.commit) late = { commit: tip.commit, sinceMs: performance.now() };
        if (performance.now() - late.sinceMs < (lateHeadMs ?? LIMITS.lateHeadMs)) return 'late';
      } else if (difference !== null) {
        const { documents, gone, notices } = documentsOf(difference, await ignoreAt(tip.commit));
        const unwanted = new Set([...difference.gone, ...gone]);
        return {
          head: { ...tip, tree: difference.tree },
          documents,
          gone: [...unwanted].filter((path) => have.has(path)),
          notices: [...(told?.commit === from.commit ? told.notices : []), ...notices],
        };
      }
    }
    late = undefined;
    const { tree, documents, notices } = await listing(tip.commit, options.newest);
    const wanted = new Set(documents.map(({ path }) => path));
    const gone = [...have.keys()].filter((path) => !wanted.has(path));
    return { head: { ...tip, tree }, documents, gone, notices };
  }

  /** The documents of a commit, and what is in it that cannot be one. */
  async function listing(commit: string, newest: number | undefined) {
    const listed = await origin.list(commit);
    const found = documentsOf(listed, await ignoreOf(listed.entries));
    told = { commit, notices: found.notices };
    if (newest === undefined || found.documents.length <= newest) return { ...found, tree: listed.tree };
    return { documents: newestFirst(found.documents).slice(0, newest), notices: found.notices, tree: listed.tree };
  }

  /** What was left out when this commit was last listed; an origin far away is not asked again only for that. */
  async function noticesAt(commit: string): Promise<Notice[]> {
    if (told?.commit === commit) return told.notices;
    return origin.remote ? [] : (await listing(commit, undefined)).notices;
  }

  /** Which entries are documents; `gone` are those that cannot be any. */
  function documentsOf({ entries }: Pick<Listing, 'entries'>, { ignore, problem }: Rules) {
    const notices: Notice[] = problem ? [problem] : [];
    const documents: TreeEntry[] = [];
    const gone: string[] = [];
    let leftOut = 0;
    for (const entry of entries) {
      const isNote = entry.path.endsWith('.md') || entry.path.endsWith('.md"');
      if (entry.type === 'submodule')
        notices.push({ path: entry.path, reason: 'a submodule: its notes are in its own repository' });
      if (entry.type === 'submodule' || !isNote) gone.push(entry.path);
      else if (ignore?.ignores(readablePath(entry.path))) {
        leftOut++;
        gone.push(entry.path);
      } else documents.push(entry);
    }
    if (leftOut > 0) notices.push({ path: IGNORE_FILE, reason: `leaves out ${leftOut} notes` });
    return { documents, gone, notices };
  }

  async function ignoreAt(commit: string): Promise<Rules> {
    const blob = (await origin.find(commit, [IGNORE_FILE])).get(IGNORE_FILE);
    return ignoreOf(blob === undefined ? [] : [{ path: IGNORE_FILE, blob, type: 'file' }]);
  }

  async function ignoreOf(entries: TreeEntry[]): Promise<Rules> {
    const file = entries.find((entry) => entry.path === IGNORE_FILE && entry.type === 'file');
    if (!file) return { ignore: null };
    if (rules?.blob !== file.blob) {
      const bytes = (await origin.read([file.blob])).get(file.blob);
      const { default: ignore } = await import('ignore');
      const usable = bytes !== undefined && bytes.length <= LIMITS.frontMatterChars;
      rules = {
        blob: file.blob,
        ignore: usable ? ignore({ allowRelativePaths: true }).add(new TextDecoder().decode(bytes)) : null,
      };
    }
    if (rules.ignore) return { ignore: rules.ignore };
    const reason = `over ${LIMITS.frontMatterChars} bytes: not read, nothing is left out`;
    return { ignore: null, problem: { path: IGNORE_FILE, reason } };
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
    // Only notes without a date of their own need the history: asked for at most once where it is one walk for all.
    let times = new Map<string, number>();
    const date = async (undated: IndexedDocument[]) => {
      if (undated.length === 0) return;
      if (origin.remote || times.size === 0) {
        const wanted = origin.remote ? undated : missing;
        times = await origin.times(head.commit, new Set(wanted.map(({ path }) => path)));
      }
      for (const each of undated) each.timeMs = times.get(each.path) ?? Date.now();
    };
    const sizes = await origin.sizes(missing.map((entry) => entry.blob));
    // What is larger than this is not fetched.
    const bytesOf = (entry: TreeEntry) => Math.min(sizes.get(entry.blob) ?? 0, LIMITS.indexedBytes);
    const most = { count: LIMITS.stageDocuments, bytes: LIMITS.stageBytes };
    for (const batch of batches(missing, bytesOf, most)) {
      signal?.throwIfAborted();
      const small = batch.filter((entry) => (sizes.get(entry.blob) ?? 0) <= LIMITS.indexedBytes);
      const contents = await origin.read(small.map((entry) => entry.blob));
      const documents: IndexedDocument[] = [];
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
        documents.push(indexDocument(source));
      }
      await date(documents.filter(({ timeMs }) => timeMs === UNDATED));
      await mirror.stage(documents);
      reach('sync:after-stage');
      done += batch.length;
      progress?.(done, differing.length);
      // A turn for everybody else: parsing is synchronous.
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Before they are served: nobody searches thousands one by one. Not worth failing for.
    await mirror.merge().catch((error) => log.warn('search index not merged', { why: explain(error) }));
  }

  async function problems(notices: Notice[]) {
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
    /** Said while the origin shows an older head than was seen already. */
    lateNotes: (): string[] =>
      late === undefined
        ? []
        : [
            `the origin's branch shows the older commit ${late.commit.slice(0, 10)}: a read that lags, or a force push, which is followed when it is still there a minute later`,
          ],

    /** Whether `.strataignore` of a commit leaves a path out. */
    async leavesOut(commit: string, path: string): Promise<boolean> {
      return (await ignoreAt(commit)).ignore?.ignores(readablePath(path)) ?? false;
    },

    /** The documents of any commit, by its own `.strataignore`. */
    async documentsAt(commit: string): Promise<TreeEntry[]> {
      const listed = await origin.list(commit);
      return documentsOf(listed, await ignoreOf(listed.entries)).documents;
    },

    /** What the mirror should hold at a head: path to blob id. */
    async expected(head: Tip | null): Promise<Map<string, string>> {
      // An origin without commits may stand in the mirror as an empty commit, which git has no tree for.
      const { documents } =
        head === null || head.commit === '' ? { documents: [] } : await listing(head.commit, undefined);
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

interface Notice {
  path: string;
  reason: string;
}

interface Rules {
  ignore: Ignore | null;
  problem?: Notice;
}

interface Target {
  head: Head | null;
  documents: TreeEntry[];
  gone: string[];
  notices: Notice[];
}

const IGNORE_FILE = '.strataignore';
const UNDATED = Number.MIN_SAFE_INTEGER;
const EVERYBODY = { subject: '', projects: 'all' as const, scopes: new Set<never>(), client: 'sync' };

function counts(report: SyncReport): Record<string, unknown> {
  const { added, changed, removed, total, problemCount, tookMs } = report;
  return { added, changed, removed, total, problems: problemCount, took_ms: Math.round(tookMs) };
}
