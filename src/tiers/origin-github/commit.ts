import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { MemoryError, toMemoryError } from '../../core/errors.js';
import { objectId } from '../../core/hash.js';
import { reach } from '../../core/points.js';
import type { Change, CommitRequest, CommitResult, Head, Tip } from '../../core/ports.js';
import type { Client } from './client.js';
import { graphqlErrors, unreachable } from './failures.js';
import { createGitData, Moved, oneTry, writablePath } from './git-data.js';
import { foldersOf, type Paths } from './paths.js';
import type { Facts, Repository } from './repository.js';

const COMMITTED = z.object({
  createCommitOnBranch: z.object({
    commit: z.object({
      oid: z.string(),
      tree: z.object({ oid: z.string() }),
      repository: z.object({ visibility: z.string() }),
    }),
  }),
});

const COMMIT_MUTATION = `mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid tree { oid } repository { visibility } } }
}`;

export interface CommitterOptions {
  client: Client;
  repository: Repository;
  paths: Paths;
  head(deadlineAt: number): Promise<Tip | null>;
}

/**
 * A save as one commit: `createCommitOnBranch` with the head that it was prepared on, GitHub's own compare-and-swap.
 * Where the answer is lost our files are looked for, and where they are not there the same commit is sent again on the
 * same head: of two, only one can be taken.
 */
export function createCommitter({ client, repository, paths, head }: CommitterOptions) {
  const gitData = createGitData(client);

  /** Throws `Moved` where the branch is not at `expected`. */
  async function send(request: CommitRequest, facts: Facts, expected: string): Promise<Head> {
    const { deadlineAt } = request;
    if (!repository.hasGraphql()) return gitData.commit(request, facts, expected);
    const [headline = '', ...rest] = request.message.trimEnd().split('\n');
    const input = {
      branch: { repositoryNameWithOwner: facts.fullName, branchName: facts.branch },
      expectedHeadOid: expected,
      message: { headline, body: rest.join('\n').trim() },
      fileChanges: {
        additions: request.changes.flatMap(({ path, content }) =>
          content === null ? [] : [{ path: writablePath(path), contents: Buffer.from(content).toString('base64') }],
        ),
        deletions: request.changes.flatMap(({ path, content }) =>
          content === null ? [{ path: writablePath(path) }] : [],
        ),
      },
    };
    try {
      const bytes = input.fileChanges.additions.reduce((sum, { contents }) => sum + contents.length, 0);
      const how = { deadlineAt: oneTry(deadlineAt, bytes), once: true };
      const done = await client.graphql(COMMITTED, COMMIT_MUTATION, { input }, how);
      const { oid, tree, repository: told } = done.createCommitOnBranch.commit;
      // Made public since it was last looked at: the next save looks again, and is refused.
      if (told.visibility === 'PUBLIC') repository.forget();
      return { commit: oid, tree: tree.oid };
    } catch (error) {
      const told = graphqlErrors(toMemoryError(error).cause)?.[0];
      if (
        told?.type === 'STALE_DATA' ||
        /expected branch to point to|is at \w+ but expected/i.test(told?.message ?? '')
      )
        throw new Moved();
      throw error;
    }
  }

  /** A branch or repository that was renamed meanwhile is found under its new name. */
  async function sendAnywhere(request: CommitRequest, facts: Facts, expected: string): Promise<Head> {
    try {
      return await send(request, facts, expected);
    } catch (error) {
      if (error instanceof Moved || toMemoryError(error).code !== 'refused') throw error;
      const now = await repository.learn({ deadlineAt: request.deadlineAt });
      if (now.branch === null || (now.branch === facts.branch && now.fullName === facts.fullName)) throw error;
      return send(request, now, expected);
    }
  }

  /** The first change whose `expect` does not hold. Throws `refused` where a file is in the way of a folder. */
  async function conflicting(changes: Change[], expected: string) {
    const asked = changes.filter(({ expect, coined }) => expect !== undefined && !coined);
    // What is to be deleted has to be there: GitHub takes it for a mistake otherwise.
    const others = changes.filter(({ expect, content }) => expect === undefined && content === null);
    const folders = new Set(asked.filter(({ content }) => content !== null).flatMap(({ path }) => foldersOf(path)));
    const wanted = [...new Set([...asked, ...others].map(({ path }) => path)), ...folders];
    const unknown = wanted.filter((path) => paths.standing(expected, path) === undefined);
    if (unknown.length > 0) await paths.ask(expected, unknown);
    for (const { path, expect } of asked) {
      // A folder in the way is no file of that blob either.
      const current = paths.standing(expected, path)?.sha ?? null;
      if (current !== expect) return { path, current };
    }
    for (const folder of folders) if (paths.known(expected, folder)) throw inTheWay(folder);
    return null;
  }

  /** The answer was lost: looks, and sends the same again, until it is known what became of it or time is up. */
  async function settle(
    request: CommitRequest,
    facts: Facts,
    expected: string,
    blobs: Map<string, string>,
    cause: MemoryError,
  ): Promise<CommitResult> {
    for (let waitMs = 200; performance.now() + waitMs < request.deadlineAt; waitMs = Math.min(waitMs * 2, 4_000)) {
      await delay(waitMs);
      try {
        const found = await lookFor(request, expected, blobs);
        if (found) return found;
        const made = await send(request, facts, expected);
        return committed(request, expected, made, blobs);
      } catch (error) {
        // It moved on: with ours, which a read that lags does not show yet, or without. The next look tells.
        if (!(error instanceof Moved) && toMemoryError(error).code === 'refused') break;
      }
    }
    return { outcome: 'unknown', cause };
  }

  /**
   * What the branch says of a commit whose answer was lost: of all that can have been made on `expected` only one came
   * to stand in its history, and it is ours where it holds what we sent. Null while the branch still shows `expected`,
   * or something older: it may lag.
   */
  async function lookFor(
    request: CommitRequest,
    expected: string,
    blobs: Map<string, string>,
  ): Promise<CommitResult | null> {
    const tip = await head(request.deadlineAt);
    if (tip === null || tip.commit === expected) return null;
    const { status, child } = await gitData.after(expected, tip.commit);
    if (status === 'behind') return null;
    if (child === null) return { outcome: 'stale' };
    const wanted = request.changes.map(({ path }) => path);
    const there = await paths.ask(child, wanted);
    const isOurs = wanted.every((path) => (there.get(path)?.sha ?? null) === (blobs.get(path) ?? null));
    if (!isOurs) return { outcome: 'stale' };
    return { outcome: 'committed', head: { ...tip, tree: '' }, blobs, direct: false };
  }

  function committed(request: CommitRequest, expected: string, made: Head, blobs: Map<string, string>): CommitResult {
    const changed = new Map(request.changes.map(({ path }) => [path, blobs.get(path) ?? null]));
    paths.carryOver(expected, made, changed);
    return { outcome: 'committed', head: made, blobs, direct: true };
  }

  return async function commit(request: CommitRequest): Promise<CommitResult> {
    const { deadlineAt, expected } = request;
    if (performance.now() >= deadlineAt) throw unreachable(client.context, 'it does not answer in time');
    const facts = await repository.forWriting({ deadlineAt });
    if (expected === null) {
      if (facts.commit === null && (await head(deadlineAt)) === null)
        await gitData.begin(deadlineAt, repository.branch);
      repository.forget();
      // There is a commit to build on now: whoever asked prepares again.
      return { outcome: 'stale' };
    }
    if (facts.branch === null) return { outcome: 'stale' };
    const conflict = await conflicting(request.changes, expected);
    if (conflict) return { outcome: 'conflict', ...conflict };
    const changes = request.changes.filter(
      ({ path, content }) => content !== null || paths.known(expected, path) !== null,
    );
    return make({ ...request, changes }, facts, expected);
  };

  async function make(request: CommitRequest, facts: Facts, expected: string): Promise<CommitResult> {
    const blobs = new Map(
      request.changes.flatMap(({ path, content }) =>
        content === null ? [] : [[path, objectId('blob', content, 'sha1')] as const],
      ),
    );
    reach('save:before-ref');
    try {
      return committed(request, expected, await sendAnywhere(request, facts, expected), blobs);
    } catch (error) {
      if (error instanceof Moved) return { outcome: 'stale' };
      const known = toMemoryError(error);
      if (known.code !== 'origin_unavailable' || neverSent(known.cause)) throw known;
      return settle(request, facts, expected, blobs, known);
    }
  }
}

function inTheWay(path: string): MemoryError {
  return new MemoryError(
    'refused',
    `The repository has a file called ${path} where a folder has to be. Nothing was saved.`,
    'Rename that file, or save under another name.',
  );
}

/** The connection was never made: nothing can have arrived. */
function neverSent(cause: unknown): boolean {
  if (graphqlErrors(cause)?.[0]?.type?.startsWith('RATE_LIMIT')) return true;
  for (let at = cause; at instanceof Error; at = at.cause) {
    if ('code' in at && /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|UND_ERR_CONNECT_TIMEOUT)$/.test(String(at.code)))
      return true;
    // GitHub answered, and what it said was no.
    if ('response' in at && (at.response as { status?: number } | undefined)?.status !== undefined)
      return [403, 429].includes((at.response as { status: number }).status);
  }
  return false;
}
