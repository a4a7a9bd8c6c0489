import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type MemoryError, toMemoryError } from '../../core/errors.js';
import { objectId } from '../../core/hash.js';
import { LIMITS } from '../../core/limits.js';
import { reach } from '../../core/points.js';
import type { Change, CommitRequest, CommitResult, Head, Tip } from '../../core/ports.js';
import type { Client } from './client.js';
import { graphqlErrors, unreachable } from './failures.js';
import { createGitData, Moved } from './git-data.js';
import type { Paths } from './paths.js';
import type { Facts, Repository } from './repository.js';

const COMMITTED = z.object({
  createCommitOnBranch: z.object({ commit: z.object({ oid: z.string(), tree: z.object({ oid: z.string() }) }) }),
});

const COMMIT_MUTATION = `mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid tree { oid } } }
}`;

export interface CommitterOptions {
  client: Client;
  repository: Repository;
  paths: Paths;
  head(deadlineAt: number): Promise<Tip | null>;
  everHeld(commit: string, files: { path: string; blob: string }[]): Promise<Set<string>>;
}

/**
 * A save as one commit: `createCommitOnBranch` with the head that it was prepared on, GitHub's own compare-and-swap.
 * Where the answer is lost our files are looked for, and where they are not there the same commit is sent again on the
 * same head: of two, only one can be taken.
 */
export function createCommitter({ client, repository, paths, head, everHeld }: CommitterOptions) {
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
          content === null ? [] : [{ path, contents: Buffer.from(content).toString('base64') }],
        ),
        deletions: request.changes.flatMap(({ path, content }) => (content === null ? [{ path }] : [])),
      },
    };
    try {
      const bytes = input.fileChanges.additions.reduce((sum, { contents }) => sum + contents.length, 0);
      // One try that hangs must leave time to look for what became of it.
      const patienceMs = LIMITS.githubWriteMs + bytes / LIMITS.githubBytesPerMs;
      const how = { deadlineAt: Math.min(deadlineAt, performance.now() + patienceMs), once: true };
      const done = await client.graphql(COMMITTED, COMMIT_MUTATION, { input }, how);
      const { oid, tree } = done.createCommitOnBranch.commit;
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

  /** The first change whose `expect` does not hold. */
  async function conflicting(changes: Change[], expected: string) {
    const asked = changes.filter(({ expect, coined }) => expect !== undefined && !coined);
    const unknown = asked.filter(({ path }) => paths.known(expected, path) === undefined);
    if (unknown.length > 0) {
      const found = await paths.ask(
        expected,
        unknown.map(({ path }) => path),
      );
      for (const { path, expect } of unknown) {
        const entry = found.get(path);
        // A folder in the way is no file of that blob either.
        if (entry && entry.type !== 'blob' && entry.sha !== expect) return { path, current: entry.sha };
      }
    }
    for (const { path, expect } of asked) {
      const current = paths.known(expected, path) ?? null;
      if (current !== expect) return { path, current };
    }
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
    const files = [...blobs].map(([path, blob]) => ({ path, blob }));
    for (let waitMs = 200; performance.now() + waitMs < request.deadlineAt; waitMs = Math.min(waitMs * 2, 4_000)) {
      await delay(waitMs);
      try {
        const tip = await head(request.deadlineAt);
        const held = tip === null ? new Set() : await everHeld(tip.commit, files);
        if (tip !== null && held.size === files.length)
          return { outcome: 'committed', head: { ...tip, tree: '' }, blobs, direct: false };
        const made = await send(request, facts, expected);
        return committed(request, expected, made, blobs);
      } catch (error) {
        // It moved on: with ours, which a read that lags does not show yet, or without. The next look tells.
        if (error instanceof Moved) {
          const tip = await head(request.deadlineAt).catch(() => null);
          if (tip === null || tip.commit === expected) continue;
          const held = await everHeld(tip.commit, files).catch(() => null);
          if (held?.size === files.length)
            return { outcome: 'committed', head: { ...tip, tree: '' }, blobs, direct: false };
          if (held && (await isAfter(expected, tip.commit))) return { outcome: 'stale' };
        } else if (toMemoryError(error).code === 'refused') throw error;
      }
    }
    return { outcome: 'unknown', cause };
  }

  /** Whether a head has left `expected` behind; one that lags has not. */
  async function isAfter(expected: string, tip: string): Promise<boolean> {
    const changed = await gitData.relation(expected, tip).catch(() => null);
    return changed === 'ahead' || changed === 'diverged';
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
      if (facts.commit === null && (await head(deadlineAt)) === null) await gitData.begin(deadlineAt);
      repository.forget();
      // There is a commit to build on now: whoever asked prepares again.
      return { outcome: 'stale' };
    }
    if (facts.branch === null) return { outcome: 'stale' };
    const conflict = await conflicting(request.changes, expected);
    if (conflict) return { outcome: 'conflict', ...conflict };
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
  };
}

/** The connection was never made: nothing can have arrived. */
function neverSent(cause: unknown): boolean {
  for (let at = cause; at instanceof Error; at = at.cause) {
    if ('code' in at && /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|UND_ERR_CONNECT_TIMEOUT)$/.test(String(at.code)))
      return true;
    // GitHub answered, and what it said was no.
    if ('response' in at && (at.response as { status?: number } | undefined)?.status !== undefined)
      return [403, 429].includes((at.response as { status: number }).status);
  }
  return false;
}
