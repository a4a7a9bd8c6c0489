import { MemoryError } from '../../core/errors.js';
import type { HashAlgorithm } from '../../core/hash.js';
import { decodePath, encodePath } from '../../core/paths.js';
import { type Entry, type GitObject, makeObject, parseTree, serializeTree } from './objects.js';
import type { ObjectReader } from './reader.js';

/** What a path becomes: an existing or new blob, or nothing. */
export interface Put {
  path: string;
  /** Null removes the path. */
  id: string | null;
  mode?: string;
}

interface Node {
  leaf?: Put;
  children: Map<string, Node>;
}

export function createTrees(objects: ObjectReader, algorithm: HashAlgorithm) {
  // Trees never change under their id. A bounded few are kept: a save walks the same ones as the last.
  const cache = new Map<string, Entry[]>();

  async function read(id: string): Promise<Entry[]> {
    const known = cache.get(id);
    if (known) return known;
    const found = await objects.get(id);
    if (found?.type !== 'tree') {
      throw new MemoryError(
        'origin_unavailable',
        `A folder (tree ${id.slice(0, 12)}) is missing from the memory's repository.`,
        'Run `git fsck` there.',
      );
    }
    const entries = parseTree(found.bytes, algorithm);
    if (cache.size > 200) cache.clear();
    if (entries.length < 2_000) cache.set(id, entries);
    return entries;
  }

  /** The entry at a path of a tree, or null. */
  async function find(tree: string, path: string): Promise<Entry | null> {
    const parts = splitPath(path);
    let id = tree;
    for (const [index, part] of parts.entries()) {
      const entry = (await read(id)).find((each) => each.name.equals(part));
      if (!entry) return null;
      if (index === parts.length - 1) return entry;
      if (entry.mode !== '40000') return null;
      id = entry.id;
    }
    return null;
  }

  /** The tree that `base` becomes with those paths put; new tree objects are added to `made`. Null: it became empty. */
  async function write(base: string | null, puts: Put[], made: GitObject[]): Promise<string | null> {
    const root: Node = { children: new Map() };
    for (const put of puts) {
      let node = root;
      for (const part of splitPath(put.path)) {
        if (!isName(part)) throw notAPath();
        const key = part.toString('latin1');
        let child = node.children.get(key);
        if (!child) {
          child = { children: new Map() };
          node.children.set(key, child);
        }
        node = child;
      }
      node.leaf = put;
    }
    return writeNode(base, root, made);
  }

  async function writeNode(base: string | null, node: Node, made: GitObject[]): Promise<string | null> {
    const entries = new Map(
      (base === null ? [] : await read(base)).map((entry) => [entry.name.toString('latin1'), entry]),
    );
    for (const [key, child] of node.children) {
      const name = Buffer.from(key, 'latin1');
      const now = entries.get(key);
      if (child.children.size > 0) {
        if (now && now.mode !== '40000' && !child.leaf) throw inTheWay(decodePath(name));
        const id = await writeNode(now?.mode === '40000' ? now.id : null, child, made);
        if (id !== null && child.leaf?.id) throw inTheWay(decodePath(name));
        if (id !== null) entries.set(key, { mode: '40000', name, id });
        else if (child.leaf?.id) entries.set(key, { mode: child.leaf.mode ?? '100644', name, id: child.leaf.id });
        else entries.delete(key);
      } else if (child.leaf?.id) {
        if (now?.mode === '40000') throw inTheWay(decodePath(name));
        entries.set(key, {
          // What is written is a file, also where a symbolic link stood; its executable bit is the user's.
          mode: child.leaf.mode ?? (now?.mode === '100755' ? now.mode : '100644'),
          name,
          id: child.leaf.id,
        });
      } else if (now?.mode !== '40000') entries.delete(key);
    }
    if (entries.size === 0) return null;
    const tree = makeObject('tree', serializeTree([...entries.values()]), algorithm);
    if (tree.id !== base) made.push(tree);
    return tree.id;
  }

  /** The paths that differ from tree `a` to tree `b`; equal folders are never opened. */
  async function diff(
    a: string | null,
    b: string | null,
    prefix: Buffer = Buffer.alloc(0),
    out: Required<Put>[] = [],
  ): Promise<Required<Put>[]> {
    if (a === b) return out;
    const before = new Map((a === null ? [] : await read(a)).map((entry) => [entry.name.toString('latin1'), entry]));
    const after = new Map((b === null ? [] : await read(b)).map((entry) => [entry.name.toString('latin1'), entry]));
    for (const key of new Set([...before.keys(), ...after.keys()])) {
      const [was, is] = [before.get(key), after.get(key)];
      if (was?.id === is?.id && was?.mode === is?.mode) continue;
      const path = Buffer.concat([prefix, Buffer.from(key, 'latin1')]);
      const folder = Buffer.concat([path, Buffer.from('/')]);
      const wasTree = was?.mode === '40000' ? was.id : null;
      const isTree = is?.mode === '40000' ? is.id : null;
      if (wasTree || isTree) await diff(wasTree, isTree, folder, out);
      if (is && !isTree) out.push({ path: decodePath(path), id: is.id, mode: is.mode });
      else if (was && !wasTree) out.push({ path: decodePath(path), id: null, mode: was.mode });
    }
    return out;
  }

  return { find, write, diff };
}

export type Trees = ReturnType<typeof createTrees>;

function splitPath(path: string): Buffer[] {
  const bytes = encodePath(path);
  const parts: Buffer[] = [];
  for (let at = 0; at <= bytes.length; ) {
    const slash = bytes.indexOf(0x2f, at);
    const end = slash === -1 ? bytes.length : slash;
    parts.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return parts;
}

/** git refuses to check out what is called otherwise, and `git fsck` calls it an error. */
function isName(part: Buffer): boolean {
  const name = part.toString('latin1');
  return !/^(\.{0,2}|\.git)$/i.test(name) && !part.includes(0);
}

function notAPath(): MemoryError {
  return new MemoryError(
    'refused',
    'The path of the note is none that git takes. Nothing was saved.',
    'Use another project name: no empty parts, no `.`, `..` or `.git`.',
  );
}

function inTheWay(name: string): MemoryError {
  return new MemoryError(
    'refused',
    `The repository has a file or folder called ${name} where the note would go.`,
    'Use another project name, or move that file away in the repository.',
  );
}
