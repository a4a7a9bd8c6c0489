import { z } from 'zod';
import { LIMITS } from '../../core/limits.js';
import { decodePath, readablePath } from '../../core/paths.js';
import { BLOB_FIELDS, type Blobs, inParallel } from './blobs.js';
import type { Client } from './client.js';
import type { Repository } from './repository.js';
import type { createTrees, Entry, FullTree } from './trees.js';

const blobFields = {
  oid: z.string(),
  byteSize: z.number().optional(),
  isBinary: z.boolean().nullable().optional(),
  isTruncated: z.boolean().optional(),
  text: z.string().nullable().optional(),
};
const ENTRIES = z.object({
  repository: z
    .object({
      object: z
        .record(
          z.string(),
          z
            .object({
              mode: z.number(),
              type: z.string(),
              oid: z.string(),
              object: z.object(blobFields).partial().nullable(),
            })
            .partial()
            .extend({ nodes: z.array(z.object({ committedDate: z.string() })).optional() })
            .nullable(),
        )
        .nullable(),
    })
    .nullable(),
});
const HISTORIES = z.object({
  repository: z
    .object({
      object: z
        .record(
          z.string(),
          z.object({
            nodes: z.array(z.object({ committedDate: z.string(), file: z.object({ oid: z.string() }).nullable() })),
          }),
        )
        .nullable(),
    })
    .nullable(),
});
const DATED = z.object({
  repository: z
    .object({
      object: z
        .looseObject({ committedDate: z.string() })
        .catchall(z.union([z.string(), z.object({ nodes: z.array(z.object({ committedDate: z.string() })) })]))
        .nullable(),
    })
    .nullable(),
});
const COMMITS = z.array(z.object({ sha: z.string(), commit: z.object({ committer: z.object({ date: z.string() }) }) }));
const CONTENT = z.object({ sha: z.string() });

/** What is known of when paths of a commit were last changed, when it was made, and how many paths may still be asked for. */
interface Dated {
  commit: string;
  found: Map<string, number>;
  left: number;
  commitMs?: number;
}

/** What is at a path; null: nothing. The id of a folder may be left out. */
type Standing = Pick<Entry, 'type' | 'sha'> | null;

interface Version {
  timeMs: number;
  /** The blob at the path in that commit; null: none. */
  blob: string | null;
}

/** What stands, or stood, at paths of a commit. Whole trees and single answers are remembered for the last few commits. */
export function createPaths(
  client: Client,
  repository: Repository,
  blobs: Blobs,
  trees: ReturnType<typeof createTrees>,
) {
  const whole = new Map<string, FullTree>();
  const single = new Map<string, Map<string, Standing>>();
  let dated: Dated = { commit: '', found: new Map(), left: 0 };

  /** When paths of a commit were last changed, as far as it is known, and how many more may be asked for. */
  function datedAt(commit: string) {
    if (dated.commit !== commit) dated = { commit, found: new Map(), left: LIMITS.githubTimes };
    return dated;
  }

  function remember(commit: string, path: string, standing: Standing): void {
    let known = single.get(commit);
    if (!known) {
      known = new Map();
      single.set(commit, known);
      for (const oldest of single.keys()) if (single.size > LIMITS.githubCommits) single.delete(oldest);
    }
    known.set(path, standing);
  }

  async function list(commit: string, isKept = true): Promise<FullTree> {
    const known = whole.get(commit);
    if (known) return known;
    const tree = await trees.full(commit);
    for (const { sha, size } of tree.entries.values()) if (size !== undefined) blobs.sized(sha, size);
    if (isKept) keepWhole(commit, tree);
    return tree;
  }

  function keepWhole(commit: string, tree: FullTree): void {
    whole.clear();
    whole.set(commit, tree);
  }

  /** What stands at a path as far as it is known here: undefined where it has to be asked for. */
  function standing(commit: string, path: string): Standing | undefined {
    const tree = whole.get(commit);
    if (!tree) return single.get(commit)?.get(path);
    const entry = tree.entries.get(path);
    if (entry) return entry;
    const inside = `${readablePath(path)}/`;
    const isFolder = [...tree.entries.keys()].some((each) => readablePath(each).startsWith(inside));
    return isFolder ? { type: 'tree', sha: '' } : null;
  }

  /** The blob at a path: null where none is, undefined where it has to be asked for. */
  function known(commit: string, path: string): string | null | undefined {
    const tree = whole.get(commit);
    const there = tree ? (tree.entries.get(path) ?? null) : single.get(commit)?.get(path);
    return there?.type === 'blob' ? there.sha : there && null;
  }

  /** The entries at those paths of a commit, with their contents where they are text. Null: none there. */
  async function ask(commit: string, paths: string[], withTimes = false): Promise<Map<string, Entry | null>> {
    const found = new Map<string, Entry | null>();
    await repository.ready();
    if (!repository.hasGraphql()) {
      const { entries } = await list(commit);
      for (const path of paths) found.set(path, entries.get(path) ?? null);
      return found;
    }
    await inParallel(chunks(paths, LIMITS.githubBlobs), async (some) => {
      const names = some.map((_, at) => `$p${at}: String!`).join(', ');
      const fields = some.map((_, at) => `f${at}: file(path: $p${at}) { mode type oid object { ${BLOB_FIELDS} } }`);
      const times = withTimes
        ? some.map((_, at) => `h${at}: history(first: 1, path: $p${at}) { nodes { committedDate } }`)
        : [];
      const query = `query($owner: String!, $name: String!, $at: GitObjectID!, ${names}) {
        repository(owner: $owner, name: $name) { object(oid: $at) { ... on Commit { ${[...fields, ...times].join(' ')} } } } }`;
      const variables = Object.fromEntries(some.map((path, at) => [`p${at}`, readablePath(path)]));
      const { repository: answer } = await client.graphql(ENTRIES, query, { at: commit, ...variables });
      some.forEach((path, at) => {
        const told = answer?.object?.[`f${at}`] ?? null;
        const date = answer?.object?.[`h${at}`]?.nodes?.[0]?.committedDate;
        if (date !== undefined) datedAt(commit).found.set(path, Date.parse(date));
        const entry =
          told?.oid === undefined || told.mode === undefined ? null : { ...told, mode: told.mode, oid: told.oid };
        const { text, byteSize, isBinary, isTruncated } = entry?.object ?? {};
        if (entry && text !== undefined && byteSize !== undefined)
          blobs.take({ oid: entry.oid, byteSize, isBinary: isBinary ?? null, isTruncated: isTruncated ?? false, text });
        const type = entry?.type === 'tree' || entry?.type === 'commit' ? entry.type : 'blob';
        found.set(path, entry && { path, mode: entry.mode.toString(8).padStart(6, '0'), type, sha: entry.oid });
        remember(commit, path, entry && { type, sha: entry.oid });
      });
    });
    return found;
  }

  /** The last commits that touched each path, newest first. */
  async function versions(commit: string, paths: string[], count: number): Promise<Map<string, Version[]>> {
    const found = new Map<string, Version[]>();
    await repository.ready();
    if (!repository.hasGraphql()) {
      await inParallel(paths, async (path) => void found.set(path, await versionsByRest(commit, path, count)));
      return found;
    }
    await inParallel(chunks(paths, LIMITS.githubHistories), async (some) => {
      const names = some.map((_, at) => `$p${at}: String!`).join(', ');
      const fields = some.map(
        (_, at) =>
          `h${at}: history(first: ${count}, path: $p${at}) { nodes { committedDate file(path: $p${at}) { oid } } }`,
      );
      const query = `query($owner: String!, $name: String!, $at: GitObjectID!, ${names}) {
        repository(owner: $owner, name: $name) { object(oid: $at) { ... on Commit { ${fields.join(' ')} } } } }`;
      const variables = Object.fromEntries(some.map((path, at) => [`p${at}`, readablePath(path)]));
      const { repository: answer } = await client.graphql(HISTORIES, query, { at: commit, ...variables });
      some.forEach((path, at) => {
        const nodes = answer?.object?.[`h${at}`]?.nodes ?? [];
        found.set(
          path,
          nodes.map(({ committedDate, file }) => ({ timeMs: Date.parse(committedDate), blob: file?.oid ?? null })),
        );
      });
    });
    return found;
  }

  /**
   * When each path was last changed: of a few by their history, which is a walk through all commits for GitHub; of the
   * others no more than that it was not after the commit.
   */
  async function times(commit: string, wanted: string[]): Promise<Map<string, number>> {
    await repository.ready();
    if (!repository.hasGraphql()) return new Map();
    const told = datedAt(commit);
    const found = new Map(told.found);
    const open = wanted.filter((path) => !found.has(path));
    if (open.length === 0) return found;
    const fill = (commitMs: number) => {
      for (const path of open) if (!found.has(path)) found.set(path, commitMs);
      told.commitMs = commitMs;
    };
    const some = open.slice(0, told.left);
    told.left -= some.length;
    if (some.length === 0 && told.commitMs !== undefined) {
      fill(told.commitMs);
      return found;
    }
    await inParallel(some.length > 0 ? chunks(some, LIMITS.githubHistories) : [[]], async (part) => {
      const names = part.map((_, at) => `, $p${at}: String!`).join('');
      const fields = part.map((_, at) => `h${at}: history(first: 1, path: $p${at}) { nodes { committedDate } }`);
      const query = `query($owner: String!, $name: String!, $at: GitObjectID!${names}) {
        repository(owner: $owner, name: $name) { object(oid: $at) { ... on Commit { committedDate ${fields.join(' ')} } } } }`;
      const variables = Object.fromEntries(part.map((path, at) => [`p${at}`, readablePath(path)]));
      const object = (await client.graphql(DATED, query, { at: commit, ...variables })).repository?.object;
      if (!object) return;
      fill(Date.parse(object.committedDate));
      part.forEach((path, at) => {
        const history = object[`h${at}`];
        const date = typeof history === 'object' ? history.nodes[0]?.committedDate : undefined;
        if (date !== undefined) found.set(path, Date.parse(date));
      });
    });
    return found;
  }

  async function versionsByRest(commit: string, path: string, count: number): Promise<Version[]> {
    const plain = readablePath(path);
    const asked = { sha: commit, path: plain, per_page: count };
    const listed = await client.rest('GET /repos/{owner}/{repo}/commits', asked);
    const versions: Version[] = [];
    for (const { sha, commit: told } of client.shaped(COMMITS, listed.data)) {
      const at = { path: plain, ref: sha };
      // A commit that took the file away has none at its path.
      const answer = await client.rest('GET /repos/{owner}/{repo}/contents/{path}', at).catch(() => null);
      const blob = answer && CONTENT.safeParse(answer.data).data?.sha;
      versions.push({ timeMs: Date.parse(told.committer.date), blob: blob ?? null });
    }
    return versions;
  }

  return {
    list,
    known,
    standing,
    ask,
    versions,
    times,
    remember: (commit: string, path: string, blob: string | null) =>
      remember(commit, path, blob === null ? null : { type: 'blob', sha: blob }),

    /** After a commit of ours: what was known of its parent, and what it changed. */
    carryOver(parent: string, child: { commit: string; tree: string }, changed: Map<string, string | null>): void {
      const before = whole.get(parent);
      if (before) {
        const entries = new Map(before.entries);
        for (const [path, sha] of changed) {
          if (sha === null) entries.delete(path);
          else entries.set(path, { path, mode: '100644', type: 'blob', sha });
        }
        keepWhole(child.commit, { tree: child.tree, entries });
      }
      for (const [path, there] of single.get(parent) ?? []) remember(child.commit, path, there);
      const known = single.get(child.commit);
      for (const [path, blob] of changed) {
        // Folders come with their first file and go with their last one.
        for (const folder of foldersOf(path)) {
          if (blob !== null) remember(child.commit, folder, { type: 'tree', sha: '' });
          else known?.delete(folder);
        }
      }
      for (const [path, sha] of changed) remember(child.commit, path, sha === null ? null : { type: 'blob', sha });
    },
  };
}

export type Paths = ReturnType<typeof createPaths>;

/** The folders that a path is in, outermost first. */
export function foldersOf(path: string): string[] {
  const parts = readablePath(path).split('/');
  return parts.slice(1).map((_, at) => decodePath(Buffer.from(parts.slice(0, at + 1).join('/'))));
}

function chunks<T>(items: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));
}
