import { type Emulator, EmulatorRefusal } from './emulator.js';
import { type Change, type Commit, createObjects, EMPTY_TREE, objectId, type Person, type TreeEntry } from './git.js';

export type RepositoryFacts = {
  id: number;
  node_id: string;
  name: string;
  full_name: string;
  private: boolean;
  visibility: string;
  archived: boolean;
  disabled: boolean;
  default_branch: string;
  size: number;
};
/** A person may leave out the date: it is then now. */
export type Author = { name: string; email: string; date?: string };
export type CommitOptions = {
  branch: string;
  /** Bytes to put at a path, or null to remove it. */
  changes: Map<string, Buffer | null>;
  message: string;
  author: Author;
  committer?: Author;
  /** The commit to build on; the branch's head where it is left out. */
  parent?: string;
  /** False makes the commit without moving the branch to it. */
  move?: boolean;
  /** Called with the head once nothing can come between it and the commit. Throws to refuse. */
  check?: (head: string) => Promise<void> | void;
};

type GitCommit = {
  sha: string;
  tree: { sha: string };
  parents: { sha: string }[];
  message: string;
  author: Person;
  committer: Person;
};
type Move = { sha: string | undefined; at: number };

function fromEmulator({ sha, tree, parents, message, author, committer }: GitCommit): Commit {
  return { sha, tree: tree.sha, parents: parents.map((parent) => parent.sha), message, author, committer };
}

/**
 * One repository at the emulator, with what is kept beside it: its objects, where its branches were (for reads that
 * lag) and one queue for everything that writes. `login` is who acts at the emulator: somebody who may do all.
 */
export function openRepository(emulator: Emulator, login: string, facts: RepositoryFacts) {
  let current = facts;
  let lagMs = 0;
  let queue: Promise<unknown> = Promise.resolve();
  const flags = { locked: false };
  const branches = new Map<string, Move[]>();
  const api = <T>(method: string, path: string, body?: unknown) =>
    emulator.json<T>({ login, method, path: `/repos/${current.full_name}${path}`, body });
  const orUndefined = async <T>(asked: Promise<T>): Promise<T | undefined> =>
    asked.catch((error) => {
      if (error instanceof EmulatorRefusal && error.reply.status === 404) return undefined;
      throw error;
    });

  const objects = createObjects({
    blob: async (sha) => {
      const found = await orUndefined(api<{ content: string }>('GET', `/git/blobs/${sha}`));
      return found && Buffer.from(found.content, 'base64');
    },
    tree: async (sha) => {
      const found = await orUndefined(
        api<{ sha: string; tree: (Omit<TreeEntry, 'name'> & { path: string })[] }>('GET', `/git/trees/${sha}`),
      );
      // The emulator answers a commit's id with its tree: that is no tree of this id.
      if (found?.sha !== sha) return undefined;
      return found.tree.map(({ path, mode, type, sha: id }) => ({ name: path, mode, type, sha: id }));
    },
    commit: async (sha) => {
      const found = await orUndefined(api<GitCommit>('GET', `/git/commits/${sha}`));
      return found && fromEmulator(found);
    },
  });

  /** Runs writes one after another. */
  function exclusively<T>(write: () => Promise<T>): Promise<T> {
    const done = queue.then(write, write);
    queue = done.catch(() => undefined);
    return done;
  }

  function moved(branch: string, sha: string | undefined): void {
    const moves = branches.get(branch) ?? [];
    if (moves.at(-1)?.sha !== sha) branches.set(branch, [...moves.slice(-200), { sha, at: Date.now() }]);
  }

  /** Where a branch is; its readers may see something older. */
  const head = (branch: string): string | undefined => branches.get(branch)?.at(-1)?.sha;

  /** Where a branch is for readers. */
  function visible(branch: string): string | undefined {
    const moves = branches.get(branch) ?? [];
    const seen = lagMs === 0 ? moves.at(-1) : moves.findLast(({ at }) => at <= Date.now() - lagMs);
    return seen?.sha;
  }

  /** Learns from the emulator where its branches are, after a request that may have moved them. */
  async function reloadBranches(): Promise<void> {
    const refs = await api<{ ref: string; object: { sha: string } }[]>('GET', '/git/matching-refs/heads');
    const found = new Map(refs.map(({ ref, object }) => [ref.slice('refs/heads/'.length), object.sha]));
    for (const name of new Set([...branches.keys(), ...found.keys()])) moved(name, found.get(name));
  }

  /** The commit a name stands for to a reader: a branch, HEAD, or an id of a commit, whole or so much of it that it is the only one; `~N` goes back along first parents. */
  async function resolve(name: string): Promise<string | undefined> {
    const back = /^(.+)~(\d+)$/.exec(name);
    if (back) return ancestor(await resolve(back[1] as string), Number(back[2]));
    const short = name.replace(/^(refs\/)?heads\//, '');
    const branch = visible(short === 'HEAD' ? current.default_branch : short);
    return branch ?? (await objects.commit(name))?.sha ?? (await abbreviated(name));
  }

  async function ancestor(sha: string | undefined, generations: number): Promise<string | undefined> {
    let at = sha;
    for (let left = generations; left > 0 && at !== undefined; left--) at = (await objects.commit(at))?.parents[0];
    return at;
  }

  async function abbreviated(prefix: string): Promise<string | undefined> {
    if (!/^[0-9a-f]{4,39}$/.test(prefix)) return undefined;
    for (const name of branches.keys()) {
      const sha = head(name);
      if (sha !== undefined) await objects.history(sha);
    }
    const found = objects.knownCommits().filter((sha) => sha.startsWith(prefix));
    return found.length === 1 ? found[0] : undefined;
  }

  /**
   * What to ask of the emulator for these changes. It leaves an emptied folder behind as an empty tree, which git
   * never does, so the folder is removed in the place of its files.
   */
  function treeItems(changes: Map<string, Change>, emptied: string[], contents: Map<string, Buffer | null>) {
    const items: Record<string, unknown>[] = [];
    const topmost = emptied.filter((folder) => !emptied.some((other) => folder.startsWith(`${other}/`)));
    for (const path of topmost) items.push({ path, mode: '040000', type: 'tree', sha: null });
    for (const [path, change] of changes) {
      if (change === null) {
        const gone = topmost.some((folder) => path.startsWith(`${folder}/`));
        if (!gone) items.push({ path, mode: '100644', type: 'blob', sha: null });
        continue;
      }
      const bytes = contents.get(path);
      const text = bytes?.toString();
      const inline = text !== undefined && bytes?.equals(Buffer.from(text));
      const blob = inline ? { content: text } : { sha: change.sha };
      items.push({ path, mode: change.mode, type: 'blob', ...blob });
    }
    return items;
  }

  /** Writes the tree that these contents make of another; modes stay as they were unless `given` says otherwise. */
  async function writeTree(base: string | null, contents: Map<string, Buffer | null>, given?: Map<string, Change>) {
    const changes = new Map<string, Change>();
    for (const [path, bytes] of contents) {
      const before = base === null ? undefined : await objects.entryAt(base, path);
      const mode = given?.get(path)?.mode ?? (before?.type === 'blob' ? before.mode : '100644');
      changes.set(path, bytes === null ? null : { sha: objects.keepBlob(bytes), mode });
      if (bytes && !bytes.equals(Buffer.from(bytes.toString()))) {
        await api('POST', '/git/blobs', { content: bytes.toString('base64'), encoding: 'base64' });
      }
    }
    const { sha, emptied } = await objects.changedTree(base, changes);
    if (sha === base) return sha;
    const tree = treeItems(changes, emptied, contents);
    const whole = sha === EMPTY_TREE ? { tree: [] } : { tree, ...(base === null ? {} : { base_tree: base }) };
    const made = await api<{ sha: string }>('POST', '/git/trees', whole);
    if (made.sha !== sha) throw new Error(`the emulator made tree ${made.sha} where git would make ${sha}`);
    return sha;
  }

  /** Makes a commit and moves its branch there, nothing in between. Throws EmulatorRefusal, or what `check` throws. */
  function commit(options: CommitOptions): Promise<Commit> {
    return exclusively(async () => {
      const { branch, changes, message, parent, check, move = true } = options;
      const before = head(branch);
      await check?.(before ?? '');
      const on = parent ?? before;
      const base = on === undefined ? null : ((await objects.commit(on))?.tree ?? null);
      const tree = await writeTree(base, changes);
      const date = new Date(Math.floor(Date.now() / 1000) * 1000).toISOString().replace('.000Z', 'Z');
      const author = { date, ...options.author };
      const committer = { date, ...(options.committer ?? author) };
      const parents = on === undefined ? [] : [on];
      const made = fromEmulator(
        await api<GitCommit>('POST', '/git/commits', { message, tree, parents, author, committer }),
      );
      objects.keepCommit(made);
      if (!move) return made;
      if (before === undefined) await api('POST', '/git/refs', { ref: `refs/heads/${branch}`, sha: made.sha });
      else await api('PATCH', `/git/refs/heads/${branch}`, { sha: made.sha, force: parent !== undefined });
      moved(branch, made.sha);
      return made;
    });
  }

  /** Changes the repository itself (its name, visibility, default branch, archived). */
  async function change(patch: Record<string, unknown>): Promise<void> {
    current = await api<RepositoryFacts>('PATCH', '', patch);
  }

  /** Learns that it has changed; its name may be another. */
  async function reload(described: RepositoryFacts): Promise<void> {
    current = described;
    await reloadBranches();
  }

  return {
    objects,
    flags,
    get facts() {
      return current;
    },
    get isEmpty() {
      return ![...branches.keys()].some((name) => head(name) !== undefined);
    },
    get isLagging() {
      return lagMs > 0;
    },
    branchNames: () => [...branches.keys()].filter((name) => head(name) !== undefined),
    /** Reads show branches as they were until this many milliseconds after a write; from now on. */
    lag(ms: number) {
      lagMs = ms;
      for (const [name, moves] of branches) branches.set(name, [{ sha: moves.at(-1)?.sha, at: 0 }]);
    },
    api,
    exclusively,
    head,
    visible,
    resolve,
    reload,
    reloadBranches,
    treeItems,
    writeTree,
    commit,
    change,
    blobId: (bytes: Buffer) => objectId('blob', bytes),
  };
}

export type Repository = ReturnType<typeof openRepository>;
