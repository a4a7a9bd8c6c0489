import { MemoryError } from '../../core/errors.js';
import { LIMITS } from '../../core/limits.js';
import { reach } from '../../core/points.js';
import type { CommitRequest, CommitResult } from '../../core/ports.js';
import { carryOver } from './carry.js';
import { runGit } from './git.js';
import { COMMITTER_EMAIL, savedPaths } from './history.js';
import { OVERLAY, type Repository, renamedBranch } from './locate.js';
import { type GitObject, makeObject } from './objects.js';
import type { ObjectReader } from './reader.js';
import { createRefs } from './refs.js';
import { createStore } from './store.js';
import type { Put, Trees } from './trees.js';

/**
 * Where the memory stands. `branch` is the user's; `overlay` is ours beside it, used where moving `branch` would disturb
 * a working clone that has it checked out. The head is then `branch` plus what was saved.
 */
export interface Resolved {
  commit: string | null;
  tree: string | null;
  branch: string | null;
  overlay: string | null;
}

export interface BranchOptions {
  repository: Repository;
  branch: string;
  /** The user named the branch: it is that one and no other. */
  explicit: boolean;
  alwaysOverlay: boolean;
  objects: ObjectReader;
  checks: ObjectReader;
  trees: Trees;
}

interface Commit {
  id: string;
  tree: string;
  text: string;
}

const FOLLOWS = 'Strata-Follows';

export function createBranchWriter(options: BranchOptions) {
  const { objects, checks, trees } = options;
  const { gitDir, bare, algorithm } = options.repository;
  const refNames = createRefs({ gitDir, bare, algorithm, objects });
  const store = createStore({ gitDir, algorithm, checks });
  let target = targetOf(options.branch);
  /** Saves go beside the branch, as was last seen. */
  let beside = options.alwaysOverlay;

  async function commitAt(name: string): Promise<Commit | null> {
    const found = await objects.get(name);
    if (found === null) return null;
    const text = found.bytes.toString('utf8');
    if (found.type !== 'commit')
      throw new MemoryError('origin_unavailable', `${name} is no commit.`, 'Check MEMORY_BRANCH.');
    return { id: found.id, tree: /^tree ([0-9a-f]+)$/m.exec(text)?.[1] ?? '', text };
  }

  async function treeOf(commit: string): Promise<string> {
    const found = await commitAt(commit);
    if (!found)
      throw new MemoryError(
        'origin_unavailable',
        `Commit ${commit.slice(0, 12)} is not in the memory's repository.`,
        'Run sync_now.',
      );
    return found.tree;
  }

  /** Where the memory stands now, after following the user's branch to wherever it went. */
  async function resolve(): Promise<Resolved> {
    for (let attempt = 0; attempt < LIMITS.syncAttempts; attempt++) {
      // Ours first: an older view of it then fails the compare-and-swap, an older view of theirs would go backwards.
      const [ours, theirs] = await Promise.all([commitAt(target.overlayRef), commitAt(target.branchRef)]);
      if (!ours) await mustBeAbsent(target.overlayRef);
      if (!theirs) await mustBeAbsent(target.branchRef);
      if (!theirs && !options.explicit && (await adoptRenamed(ours))) continue;
      const refs = { branch: theirs?.id ?? null, overlay: ours?.id ?? null };
      beside ||= ours !== null;
      if (!ours) {
        if (!theirs) await mustBeEmpty();
        return { ...refs, commit: theirs?.id ?? null, tree: theirs?.tree ?? null };
      }
      const follows = await followed(ours);
      if (!theirs || follows === theirs.id) return { ...refs, commit: ours.id, tree: ours.tree };
      if (await refNames.isAncestor(ours.id, theirs.id)) return { ...refs, commit: theirs.id, tree: theirs.tree };
      // The branch moved on by itself: what was saved is carried over onto it.
      const merged = await follow(ours, theirs, follows);
      if (merged) return { ...refs, overlay: merged.overlay, commit: merged.commit, tree: merged.tree };
    }
    throw new MemoryError(
      'origin_unavailable',
      `The branch ${target.branch} moves faster than it can be followed.`,
      'Call again in a moment.',
    );
  }

  /** A branch that is there and cannot be read is damage to name, never an empty memory. */
  async function mustBeAbsent(ref: string): Promise<void> {
    // Made in this very moment, perhaps: then it can be read by now.
    if (!refNames.isNamed(ref) || (await commitAt(ref))) return;
    throw new MemoryError(
      'origin_unavailable',
      `The branch ${ref.slice('refs/heads/'.length)} of the memory's repository is there but cannot be read: the repository is damaged.`,
      'Run `git fsck` in it, and bring the branch back from a clone or with `git reflog`.',
    );
  }

  /** A missing branch in a repository that has others is a mistake to name, not an empty memory. */
  async function mustBeEmpty(): Promise<void> {
    const refs = await runGit(['for-each-ref', '--count=3', '--format=%(refname:short)', 'refs/heads'], { gitDir });
    const names = refs.stdout.toString('utf8').trim().split('\n').filter(Boolean);
    if (refs.code === 0 && names.length > 0 && !names.includes(target.branch)) {
      throw new MemoryError(
        'origin_unavailable',
        `The branch ${target.branch} is not in the memory's repository.`,
        'Set MEMORY_BRANCH to one that is, or bring the branch back.',
      );
    }
  }

  /** The commit of the user's branch that ours last took in: named in our commits, so that it moves with them. */
  async function followed(ours: Commit): Promise<string | null> {
    let at: Commit | null = ours;
    for (let depth = 0; at && depth < 1_000; depth++) {
      const told = new RegExp(`^${FOLLOWS}: ([0-9a-f]+)$`, 'm').exec(at.text)?.[1];
      if (told) return told;
      const parent: string | undefined = /^parent ([0-9a-f]+)$/m.exec(at.text)?.[1];
      at = parent ? await commitAt(parent) : null;
    }
    return forkOf(target.overlayRef, target.branchRef);
  }

  /**
   * One commit on our side: the user's tree plus what was saved. Null where somebody was faster. While our branch is
   * checked out it stays where it is, and the commit, the same each time, stands beside it.
   */
  async function follow(ours: Commit, theirs: Commit, follows: string | null) {
    const base = follows === null ? null : await commitAt(follows);
    const made: GitObject[] = [];
    const sides = { base: base?.tree ?? null, ours: ours.tree, theirs: theirs.tree };
    const undone = await undoneSaves(ours, theirs, follows);
    const tree = (await carryOver(trees, { ...sides, undone }, made)) ?? emptyTree(made);
    const message = `Follow ${target.branch}\n\n${FOLLOWS}: ${theirs.id}\n`;
    const seconds = Math.max(secondsOf(ours), secondsOf(theirs));
    const commit = makeCommit(tree, [ours.id, theirs.id], message, 'strata-memory', seconds);
    made.push(commit);
    await store.write(made);
    if ((await refNames.checkedOut()).has(target.overlayRef)) return { overlay: ours.id, commit: commit.id, tree };
    if (!(await moveTo(target.overlayRef, made, ours.id, LIMITS.gitCommandMs))) return null;
    await store.protect(made);
    return { overlay: commit.id, commit: commit.id, tree };
  }

  /**
   * Where the user took back what their branch had been (`reset --hard`, a merge undone), notes that it had taken over
   * from ours went with it. They were saved all the same: these are their paths.
   */
  async function undoneSaves(ours: Commit, theirs: Commit, follows: string | null) {
    if (follows === null || (await refNames.isAncestor(follows, theirs.id))) return null;
    const fork = await forkOf(ours.id, theirs.id);
    const base = fork === null ? null : await commitAt(fork);
    return { paths: await savedPaths(gitDir, theirs.id, ours.id), base: base?.tree ?? null };
  }

  async function forkOf(one: string, other: string): Promise<string | null> {
    const found = await runGit(['merge-base', one, other], { gitDir });
    return found.code === 0 ? found.stdout.toString('utf8').trim() : null;
  }

  /**
   * The user's branch goes on under another name (`git branch -m`): its reflog says so, or the HEAD of a bare
   * repository, which git moves along. Our branch is then renamed with it. False where nothing tells of that.
   */
  async function adoptRenamed(ours: Commit | null): Promise<boolean> {
    const renamed = await renamedBranch(options.repository, target.branch);
    if (renamed === null) return false;
    const next = targetOf(renamed);
    if (ours && !(await refNames.checkedOut()).has(target.overlayRef)) {
      const input = `create ${next.overlayRef} ${ours.id}\ndelete ${target.overlayRef} ${ours.id}\n`;
      const moved = await runGit(['update-ref', '-m', 'strata-memory', '--stdin'], {
        gitDir,
        input: Buffer.from(input),
      });
      // Another process of ours may have done it; anything else is found out by the next look.
      if (moved.code !== 0 && !(await commitAt(next.overlayRef))) return false;
    } else if (ours) return false;
    target = next;
    return true;
  }

  /** Moves a branch to the commit that `made` ends with. */
  function moveTo(ref: string, made: GitObject[], old: string | null, timeoutMs: number): Promise<boolean> {
    const to = (made.at(-1) as GitObject).id;
    return refNames.move({ ref, to, old, timeoutMs, rewrite: () => store.write(made) });
  }

  function emptyTree(made: GitObject[]): string {
    const tree = makeObject('tree', Buffer.alloc(0), algorithm);
    made.push(tree);
    return tree.id;
  }

  function makeCommit(tree: string, parents: string[], message: string, author: string, seconds: number): GitObject {
    const name =
      author
        .replace(/[<>\n\r\0]/g, '')
        .trim()
        .slice(0, 100)
        .toWellFormed() || 'strata-memory';
    const lines = [
      `tree ${tree}`,
      ...parents.map((parent) => `parent ${parent}`),
      `author ${name} <${name.replace(/[^\w.-]+/g, '-')}@strata-memory> ${seconds} +0000`,
      `committer strata-memory <${COMMITTER_EMAIL}> ${seconds} +0000`,
      '',
      message,
    ];
    return makeObject('commit', Buffer.from(lines.join('\n'), 'utf8'), algorithm);
  }

  async function commit(request: CommitRequest): Promise<CommitResult> {
    const at = await resolve();
    if (at.commit !== request.expected) return { outcome: 'stale' };
    const made: GitObject[] = [];
    const blobs = new Map<string, string>();
    const puts: Put[] = [];
    for (const change of request.changes) {
      if (change.expect !== undefined) {
        const current = at.tree === null ? null : ((await trees.find(at.tree, change.path))?.id ?? null);
        if (current !== change.expect) return { outcome: 'conflict', path: change.path, current };
      }
      if (change.content === null) {
        puts.push({ path: change.path, id: null });
        continue;
      }
      const blob = makeObject('blob', change.content, algorithm);
      made.push(blob);
      blobs.set(change.path, blob.id);
      puts.push({ path: change.path, id: blob.id });
    }
    const { branchRef, overlayRef } = target;
    const out = await refNames.checkedOut();
    beside = options.alwaysOverlay || at.overlay !== null || out.has(branchRef);
    const ref = beside ? overlayRef : branchRef;
    if (out.has(ref)) {
      throw new MemoryError(
        'refused',
        `The branch ${ref.slice('refs/heads/'.length)} is checked out in a work tree, so nothing can be saved to it without disturbing that work. Nothing was saved.`,
        'Check out another branch there, then save again.',
      );
    }
    const tree = (await trees.write(at.tree, puts, made)) ?? emptyTree(made);
    const message =
      beside && at.branch !== null ? `${request.message.trimEnd()}\n${FOLLOWS}: ${at.branch}\n` : request.message;
    const parents = at.commit === null ? [] : [at.commit];
    const commitObject = makeCommit(tree, parents, message, request.authorName, Math.floor(Date.now() / 1000));
    made.push(commitObject);
    reach('save:before-objects');
    await store.write(made);
    reach('save:before-ref');
    const leftMs = request.deadlineAt - performance.now();
    if (leftMs <= 0)
      throw new MemoryError(
        'deadline',
        'The save ran out of time before anything was sent. Nothing was saved.',
        'Save again.',
      );
    if (!(await moveTo(ref, made, beside ? at.overlay : at.branch, leftMs))) return { outcome: 'stale' };
    await store.protect(made);
    return { outcome: 'committed', head: { commit: commitObject.id, tree }, blobs, direct: true };
  }

  function describe(): { reads: string; saves: string } {
    const overlay = target.overlayRef.slice('refs/heads/'.length);
    return { reads: target.branch, saves: beside ? overlay : target.branch };
  }

  return { resolve, treeOf, commit, describe };
}

function targetOf(branch: string): { branch: string; branchRef: string; overlayRef: string } {
  return { branch, branchRef: `refs/heads/${branch}`, overlayRef: `refs/heads/${OVERLAY}${branch}` };
}

/** When a commit was made, in seconds since 1970. */
function secondsOf({ text }: Commit): number {
  return Number(/^committer .* (\d{1,12}) [+-]\d{4}$/m.exec(text)?.[1] ?? 0);
}
