import { createHash } from 'node:crypto';

/** One line of a tree. `size` is known for blobs alone. */
export type TreeEntry = { mode: string; name: string; type: 'blob' | 'tree' | 'commit'; sha: string };
export type Person = { name: string; email: string; date: string };
export type Commit = {
  sha: string;
  tree: string;
  parents: string[];
  message: string;
  author: Person;
  committer: Person;
};
/** What a commit does to a path: put this blob there, or (null) remove it. */
export type Change = { sha: string; mode: string } | null;
/** Where objects come from that are not known here yet: the emulator. */
export type Source = {
  blob(sha: string): Promise<Buffer | undefined>;
  tree(sha: string): Promise<TreeEntry[] | undefined>;
  commit(sha: string): Promise<Commit | undefined>;
};

export const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/** The id git itself gives to these bytes. */
export function objectId(kind: 'blob' | 'tree' | 'commit', content: Buffer): string {
  return createHash('sha1').update(`${kind} ${content.length}\0`).update(content).digest('hex');
}

/** git sorts a folder as if its name ended with a slash, by bytes. */
function sortEntries(entries: Iterable<TreeEntry>): TreeEntry[] {
  const keyed = [...entries].map((entry) => ({
    entry,
    key: Buffer.from(entry.type === 'tree' ? `${entry.name}/` : entry.name),
  }));
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ entry }) => entry);
}

/** The entries of a tree as git stores it. */
export function parseTree(content: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < content.length; ) {
    const [space, end] = [content.indexOf(0x20, at), content.indexOf(0, at)];
    const mode = content.toString('latin1', at, space).padStart(6, '0');
    const type = mode === '040000' ? 'tree' : mode === '160000' ? 'commit' : 'blob';
    const name = content.toString('utf8', space + 1, end);
    entries.push({ mode, name, type, sha: content.toString('hex', end + 1, end + 21) });
    at = end + 21;
  }
  return entries;
}

function treeId(sorted: TreeEntry[]): string {
  const lines = sorted.flatMap(({ mode, name, sha }) => [
    Buffer.from(`${mode.replace(/^0+/, '')} ${name}\0`),
    Buffer.from(sha, 'hex'),
  ]);
  return objectId('tree', Buffer.concat(lines));
}

/**
 * The objects of one repository, by id. They never change, so whatever was read or written once is kept: the emulator
 * looks every object up by going through all of them, which takes seconds for a query of many files.
 */
export function createObjects(source: Source) {
  const blobs = new Map<string, Buffer>();
  const trees = new Map<string, TreeEntry[]>([[EMPTY_TREE, []]]);
  const commits = new Map<string, Commit>();

  const remember = <T>(known: Map<string, T>, load: (sha: string) => Promise<T | undefined>) =>
    async function get(sha: string): Promise<T | undefined> {
      const found = known.get(sha) ?? (/^[0-9a-f]{40}$/.test(sha) ? await load(sha) : undefined);
      if (found !== undefined) known.set(sha, found);
      return found;
    };

  const blob = remember(blobs, source.blob);
  const tree = remember(trees, async (sha) => {
    const entries = await source.tree(sha);
    return entries && sortEntries(entries);
  });
  const commit = remember(commits, source.commit);

  /** What an id stands for; what is known here first, since asking for what is not there costs a request each. */
  async function kindOf(sha: string): Promise<'blob' | 'tree' | 'commit' | undefined> {
    if (blobs.has(sha)) return 'blob';
    if (trees.has(sha)) return 'tree';
    if (commits.has(sha) || (await commit(sha))) return 'commit';
    if (await tree(sha)) return 'tree';
    return (await blob(sha)) ? 'blob' : undefined;
  }

  function keepBlob(content: Buffer): string {
    const sha = objectId('blob', content);
    if (!blobs.has(sha)) blobs.set(sha, content);
    return sha;
  }

  /**
   * The tree that results from the changes, kept here, and the folders they emptied: git has no empty folders.
   * `changes` are by path within `base`.
   */
  async function changedTree(base: string | null, changes: Map<string, Change>) {
    const emptied: string[] = [];
    const write = async (prefix: string, sha: string | null, inner: Map<string, Change>): Promise<string | null> => {
      const before = sha === null ? [] : await tree(sha);
      if (before === undefined) throw new Error(`no tree ${sha}`);
      const entries = new Map(before.map((entry) => [entry.name, entry]));
      const below = new Map<string, Map<string, Change>>();
      for (const [path, change] of inner) {
        const slash = path.indexOf('/');
        if (slash < 0) {
          if (change === null) entries.delete(path);
          else entries.set(path, { ...change, name: path, type: 'blob' });
          continue;
        }
        const folder = path.slice(0, slash);
        below.set(folder, (below.get(folder) ?? new Map()).set(path.slice(slash + 1), change));
      }
      for (const [name, deeper] of below) {
        const old = entries.get(name);
        const changed = await write(`${prefix}${name}/`, old?.type === 'tree' ? old.sha : null, deeper);
        if (changed !== null) entries.set(name, { mode: '040000', name, type: 'tree', sha: changed });
        else if (entries.delete(name)) emptied.push(`${prefix}${name}`);
      }
      if (entries.size === 0) return null;
      const sorted = sortEntries(entries.values());
      const id = treeId(sorted);
      trees.set(id, sorted);
      return id;
    };
    const sha = (await write('', base, changes)) ?? EMPTY_TREE;
    return { sha, emptied };
  }

  /** Every entry below a tree with its path, folders before what is in them, as GitHub lists them. */
  async function walk(sha: string, prefix = ''): Promise<(TreeEntry & { path: string })[]> {
    const found: (TreeEntry & { path: string })[] = [];
    for (const entry of (await tree(sha)) ?? []) {
      const path = prefix + entry.name;
      found.push({ ...entry, path });
      if (entry.type === 'tree') for (const inner of await walk(entry.sha, `${path}/`)) found.push(inner);
    }
    return found;
  }

  /** What two trees have at each path where they differ, folders left out. Equal folders are not looked into. */
  async function difference(before: string | undefined, after: string | undefined, prefix = '') {
    const found = new Map<string, { before?: TreeEntry; after?: TreeEntry }>();
    if (before === after) return found;
    const entries = async (sha?: string) =>
      new Map(((sha && (await tree(sha))) || []).map((entry) => [entry.name, entry] as const));
    const [old, now] = [await entries(before), await entries(after)];
    for (const name of new Set([...old.keys(), ...now.keys()])) {
      const [was, is] = [old.get(name), now.get(name)];
      if (was?.sha === is?.sha && was?.mode === is?.mode) continue;
      const [oldFile, file] = [was, is].map((entry) => (entry?.type === 'tree' ? undefined : entry));
      if (oldFile || file) {
        found.set(prefix + name, { ...(oldFile ? { before: oldFile } : {}), ...(file ? { after: file } : {}) });
      }
      const [oldFolder, folder] = [was, is].map((entry) => (entry?.type === 'tree' ? entry.sha : undefined));
      for (const [path, both] of await difference(oldFolder, folder, `${prefix}${name}/`)) found.set(path, both);
    }
    return found;
  }

  /** The entry at a path below a tree. */
  async function entryAt(sha: string, path: string): Promise<TreeEntry | undefined> {
    let at: TreeEntry = { mode: '040000', name: '', type: 'tree', sha };
    for (const part of path.split('/').filter((name) => name !== '')) {
      if (at.type !== 'tree') return undefined;
      const next = (await tree(at.sha))?.find(({ name }) => name === part);
      if (!next) return undefined;
      at = next;
    }
    return at;
  }

  /** Commits reachable from one, newest first, a child always before its parents. */
  async function history(from: string): Promise<Commit[]> {
    const reachable = new Map<string, Commit>();
    const children = new Map<string, number>();
    const pending = [from];
    for (let sha = pending.pop(); sha !== undefined; sha = pending.pop()) {
      if (reachable.has(sha)) continue;
      const found = await commit(sha);
      if (!found) continue;
      reachable.set(sha, found);
      for (const parent of found.parents) {
        children.set(parent, (children.get(parent) ?? 0) + 1);
        pending.push(parent);
      }
    }
    const ready = reachable.has(from) ? [reachable.get(from) as Commit] : [];
    const ordered: Commit[] = [];
    for (let next = ready.shift(); next; next = ready.shift()) {
      ordered.push(next);
      for (const parent of next.parents) {
        const left = (children.get(parent) ?? 0) - 1;
        children.set(parent, left);
        if (left === 0 && reachable.has(parent)) ready.push(reachable.get(parent) as Commit);
      }
      if (ready.length > 1) ready.sort((a, b) => Date.parse(b.committer.date) - Date.parse(a.committer.date));
    }
    return ordered;
  }

  /** Whether a commit changed what is at a path, compared with its first parent. */
  async function touches({ tree: sha, parents }: Commit, path: string): Promise<boolean> {
    const parent = parents[0] === undefined ? undefined : await commit(parents[0]);
    const before = parent && (await entryAt(parent.tree, path));
    const after = await entryAt(sha, path);
    return before?.sha !== after?.sha || before?.mode !== after?.mode;
  }

  return {
    blob,
    tree,
    commit,
    kindOf,
    keepBlob,
    keepTree: (sha: string, entries: TreeEntry[]) => void trees.set(sha, entries),
    keepCommit: (kept: Commit) => void commits.set(kept.sha, kept),
    knownCommits: () => [...commits.keys()],
    changedTree,
    walk,
    difference,
    entryAt,
    history,
    touches,
  };
}

export type Objects = ReturnType<typeof createObjects>;
