import { toMemoryError } from '../../core/errors.js';
import { LIMITS } from '../../core/limits.js';
import type { Origin, Tip } from '../../core/ports.js';
import { createBlobs } from './blobs.js';
import { type CallOptions, commitIdOf, createClient } from './client.js';
import { createCommitter } from './commit.js';
import { noBranch, noRepository, statusOf } from './failures.js';
import { createPast } from './past.js';
import { createPaths } from './paths.js';
import { createRepository } from './repository.js';
import { createTrees, differenceOf, type Entry, isOurs, listingOf } from './trees.js';

export interface GitHubOriginOptions {
  owner: string;
  name: string;
  /** Undefined: the default branch, whatever its name is at the time. */
  branch: string | undefined;
  token: string;
  /** Without the slash at its end, e.g. `https://api.github.com`. */
  apiUrl: string;
  allowPublic: boolean;
  /** For one question, with all its retries. */
  readDeadlineMs: number;
}

/**
 * A repository on GitHub as the origin. Nothing changed is one conditional request; a save is one write; documents come
 * a hundred to a query. Never asked before it is needed: making one costs nothing.
 */
export function createGitHubOrigin(options: GitHubOriginOptions): Origin {
  const { branch } = options;
  const client = createClient(options);
  const repository = createRepository({
    client,
    branch,
    allowPublic: options.allowPublic,
    readDeadlineMs: options.readDeadlineMs,
    onIgnore: (commit, blob) => paths.remember(commit, '.strataignore', blob),
  });
  const blobs = createBlobs(client, repository);
  const trees = createTrees(client);
  const paths = createPaths(client, repository, blobs, trees);
  const past = createPast(client, repository);
  let last: string | null = null;

  /**
   * The branch's commit. The first time with all that has to be known of the repository; later as GitHub documents it:
   * the commit's own id is its ETag.
   */
  async function head(how: CallOptions = {}): Promise<Tip | null> {
    if (repository.known() === null) {
      const { commit, branch: found } = await repository.learn(how);
      if (repository.hasGraphql()) return found === null ? null : tip(commit);
    }
    try {
      const { status, data } = await client.rest(
        'GET /repos/{owner}/{repo}/commits/{ref}',
        {
          ref: branch === undefined ? 'HEAD' : `heads/${branch}`,
          headers: {
            accept: 'application/vnd.github.sha',
            ...(last === null ? {} : { 'if-none-match': `"${last}"` }),
          },
        },
        how,
      );
      if (status === 304) return tip(last);
      return tip(commitIdOf(client, data));
    } catch (error) {
      const status = statusOf(toMemoryError(error).cause);
      if (status === 409) return null;
      if (status === 404 || status === 422) {
        repository.forget();
        throw status === 404
          ? noRepository(client.context.repository, error)
          : noBranch(branch ?? 'HEAD', client.context.repository);
      }
      throw error;
    }
  }

  function tip(commit: string | null): Tip | null {
    last = commit;
    return commit === null ? null : { commit };
  }

  async function everHeld(commit: string, files: { path: string; blob: string }[]): Promise<Set<string>> {
    const versions = await paths.versions(
      commit,
      files.map(({ path }) => path),
      LIMITS.githubVersions,
    );
    return new Set(
      files
        .filter(({ path, blob }) => versions.get(path)?.some((version) => version.blob === blob))
        .map(({ path }) => path),
    );
  }

  const commit = createCommitter({
    client,
    repository,
    paths,
    head: (deadlineAt) => head({ deadlineAt }),
  });

  return {
    name: `${hostOf(options.apiUrl)}/${options.owner.toLowerCase()}/${options.name.toLowerCase()}@${branch ?? 'HEAD'}`,
    remote: true,

    branch() {
      const name = branch ?? repository.known()?.branch ?? 'HEAD';
      return { reads: name, saves: name };
    },

    notes() {
      const facts = repository.known();
      const moved = facts && facts.fullName.toLowerCase() !== client.context.repository.toLowerCase();
      const budget = client.budget();
      return [
        ...(budget === null ? [] : [budget]),
        ...(moved ? ['the repository has another name on GitHub now: change MEMORY_REPO to it'] : []),
      ];
    },

    head: () => head(),

    // A tree of the past must not push out that of the head, which saves look at.
    list: async (id) => listingOf(await paths.list(id, id === last)),

    async difference(from, to) {
      const changed = await trees.changed(from, to);
      if (changed === null || changed === 'late') return changed;
      const present = changed.present.filter(isOurs);
      // Rules that changed, and submodules, concern paths that did not.
      if (present.some((path) => path === '.strataignore') || changed.gone.includes('.strataignore')) return null;
      if (changed.present.includes('.gitmodules') || changed.gone.includes('.gitmodules')) return null;
      const found = await paths.ask(to, [...present, '.strataignore'], present.length <= LIMITS.githubTimes);
      const entries = new Map<string, Entry>();
      for (const path of present) {
        const entry = found.get(path);
        if (!entry || entry.type === 'tree') return null;
        entries.set(path, entry);
      }
      return differenceOf(changed.tree, entries, changed.gone.filter(isOurs));
    },

    async find(id, wanted) {
      const unknown = wanted.filter((path) => paths.known(id, path) === undefined);
      if (unknown.length > 0) await paths.ask(id, unknown);
      return new Map(
        wanted.flatMap((path) => {
          const blob = paths.known(id, path);
          return blob ? [[path, blob]] : [];
        }),
      );
    },

    sizes: (ids) => blobs.sizes(ids),
    read: (ids) => blobs.read(ids),

    times: (id, wanted) => paths.times(id, [...wanted]),
    asOf: past.asOf,
    everHeld,

    async commit(request) {
      const result = await commit(request);
      if (result.outcome === 'committed') last = result.head.commit;
      return result;
    },

    async close() {},
  };
}

function hostOf(apiUrl: string): string {
  const { host } = new URL(apiUrl);
  return host === 'api.github.com' ? 'github.com' : host;
}
