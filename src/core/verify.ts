import { isDeepStrictEqual } from 'node:util';
import type { Caller } from './caller.js';
import { type Document, parseDocument } from './documents.js';
import { MemoryError } from './errors.js';
import { isBlob } from './hash.js';
import { searchRow } from './index-document.js';
import { LIMITS } from './limits.js';
import type { Head, Mirror } from './ports.js';
import { BROKEN_SEAL } from './seal.js';
import type { Sync } from './sync.js';

export type Fault = 'missing' | 'extra' | 'other version' | 'bytes altered' | 'fields altered' | 'not indexed';

export interface Verification {
  head: Head | null;
  /** Documents compared. */
  checked: number;
  /** Of those, how many hold their bytes in the mirror and hash to their blob id. */
  hashed: number;
  /** How many have their bytes at the origin only: too large, or not touched for long. */
  kept: number;
  differences: { path: string; fault: Fault }[];
  /** Checkpoints that are the same as at the origin, where somebody has changed them. */
  changed: string[];
  repaired: number;
}

export interface VerifyScope {
  id?: string;
  project?: string;
}

/**
 * Proves the mirror against the origin: every stored blob id is computed anew from its bytes, and the set of
 * (path, blob) is compared with the tree at the head. What differs is fetched again where `repair` is set.
 * Throws `origin_unavailable`: without the origin there is no proof.
 */
export function createVerify({ mirror, sync }: { mirror: Mirror; sync: Sync }) {
  async function compare(
    caller: Caller,
    scope: VerifyScope,
    options: { signal?: AbortSignal; progress?: (done: number, total: number) => void },
  ) {
    const { head, total } = await sync.run({ reason: 'verify', signal: options.signal });
    const state = await mirror.snapshot((view) => view.state());
    // A step since then: compared again.
    const generation = state.head?.commit === (head?.commit ?? '') ? state.generation : -1;
    const listed = await sync.expected(head);
    const differences: Verification['differences'] = [];
    const changed: string[] = [];
    const seen = new Set<string>();
    const inScope = await scopeOf(caller, scope);
    let checked = 0;
    let hashed = 0;
    let kept = 0;
    for (let after = '', more = true; more; ) {
      options.signal?.throwIfAborted();
      const rows = await mirror.snapshot((view) => view.contents(after, 500));
      more = rows.length > 0;
      for (const row of rows) {
        after = row.path;
        seen.add(row.path);
        if (!inScope(row.path)) continue;
        checked++;
        if (row.reason?.includes(BROKEN_SEAL)) changed.push(row.path);
        const there = listed.get(row.path);
        if (there === undefined) differences.push({ path: row.path, fault: 'extra' });
        else if (there !== row.blob) differences.push({ path: row.path, fault: 'other version' });
        else if (row.content === null) kept++;
        else if (!isBlob(row.blob, row.content)) differences.push({ path: row.path, fault: 'bytes altered' });
        else if (!isParsed(row, row.content)) differences.push({ path: row.path, fault: 'fields altered' });
        else hashed++;
      }
      options.progress?.(seen.size, total);
    }
    for (const path of listed.keys()) {
      if (seen.has(path) || !inScope(path)) continue;
      checked++;
      differences.push({ path, fault: 'missing' });
    }
    const named = new Set(differences.map(({ path }) => path));
    for (const path of await mirror.unindexed()) {
      if (inScope(path) && !named.has(path)) differences.push({ path, fault: 'not indexed' });
    }
    return { head, generation, checked, hashed, kept, differences, changed };
  }

  /** A save that lands meanwhile is no fault: what differs has to differ at one generation, or twice. */
  async function settled(...args: Parameters<typeof compare>) {
    const standing = () => mirror.snapshot(async (view) => (await view.state()).generation);
    for (let attempt = 1, before: Set<string> | null = null; ; attempt++) {
      const { generation, ...found } = await compare(...args);
      if (found.differences.length === 0 || generation === (await standing())) return found;
      const twice = before;
      before = new Set(found.differences.map(({ path }) => path));
      if (twice === null || attempt < LIMITS.verifyAttempts) continue;
      return { ...found, differences: found.differences.filter(({ path }) => twice.has(path)) };
    }
  }

  /** Which paths a scope covers. A project's are those that the mirror or the path itself puts there. */
  async function scopeOf(caller: Caller, { id, project }: VerifyScope): Promise<(path: string) => boolean> {
    if (id !== undefined) {
      // Whoever is limited to some projects learns nothing about documents of others.
      const hidden = caller.projects !== 'all' && (await mirror.snapshot((view) => view.get(caller, id))) === null;
      return (path) => !hidden && (path === `${id}.md` || path === id);
    }
    if (project === undefined && caller.projects === 'all') return () => true;
    const paths = new Set<string>();
    await mirror.snapshot(async (view) => {
      for (const each of await view.list(
        caller,
        { projects: project === undefined ? undefined : [project] },
        { limit: 1_000_000 },
      ))
        paths.add(each.path);
    });
    return (path) =>
      paths.has(path) || (project !== undefined && caller.projects === 'all' && path.includes(`/${project}/`));
  }

  return async (
    caller: Caller,
    scope: VerifyScope,
    options: { repair: boolean; signal?: AbortSignal; progress?: (done: number, total: number) => void },
  ): Promise<Verification> => {
    const found = await settled(caller, scope, options);
    if (scope.id !== undefined && found.checked === 0) {
      throw new MemoryError(
        'not_found',
        'There is no such document, neither at the origin nor in the mirror.',
        'Take an id from list_sessions or search_memory.',
      );
    }
    if (found.differences.length === 0 || !options.repair) return { ...found, repaired: 0 };
    // What cannot be trusted leaves the mirror; a sync that believes nothing fetches exactly that again.
    await mirror.drop(found.differences.map(({ path }) => path));
    await sync.run({ reason: 'repair', signal: options.signal, force: true });
    const after = await settled(caller, scope, options);
    const still = new Set(after.differences.map(({ path }) => path));
    const repaired = found.differences.filter(({ path }) => !still.has(path)).length;
    return { ...after, differences: found.differences.slice(0, LIMITS.stageDocuments * 50), repaired };
  };
}

/** Whether a row says of its document what the document's own bytes say. */
function isParsed(
  { content: _, indexed, ...row }: Document & { content: unknown; indexed: boolean },
  content: Uint8Array,
) {
  const { document, text } = parseDocument({
    path: row.path,
    blob: row.blob,
    type: row.reason?.startsWith('a symbolic link') ? 'symlink' : 'file',
    bytes: content.length,
    content,
    // A note that does not say when it was made is of when it was last changed, which only the origin knows.
    changedMs: row.timeMs,
  });
  // Hardly any note has no word: what search passes over is looked at again.
  if (!indexed && searchRow(document, text) !== null) return false;
  return isDeepStrictEqual(plain({ ...document, timeMs: Math.round(document.timeMs) }), plain(row));
}

/** As databases keep text: without NUL and lone surrogates. */
function plain(document: Document): unknown {
  const text = JSON.stringify(document, (_, value) =>
    typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\ufffd') : value,
  );
  return JSON.parse(text);
}

export type Verify = ReturnType<typeof createVerify>;
