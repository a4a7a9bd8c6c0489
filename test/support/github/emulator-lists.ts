import { readdirSync, readFileSync } from 'node:fs';

type Item = { id: number; repo_id?: number };
type Collection = {
  insert(data: object): Item;
  update(id: number, data: object): Item | undefined;
  delete(id: number): boolean;
  clear(): void;
  findBy(field: string, value: unknown): Item[];
};
type Plugin = {
  githubPlugin: { seed(store: unknown, baseUrl: string): void };
  getGitHubStore(store: unknown): Record<'blobs' | 'trees' | 'commits', Collection>;
};

/**
 * Makes the emulator quicker for many files. It finds an object by copying the list of all of its repository's, twice
 * for each file written: 10,000 files took it five seconds. Here the list is kept. It has no door for this, so its
 * own module is looked up in its package (whose version is pinned); where that looks different, it is merely slow.
 */
export async function keepEmulatorLists(): Promise<void> {
  ready ??= patch();
  await ready;
}

let ready: Promise<void> | undefined;

async function patch(): Promise<void> {
  const folder = new URL('../../../node_modules/emulate/dist/', import.meta.url);
  const file = readdirSync(folder).find(
    (name) => /^dist-.*\.js$/.test(name) && readFileSync(new URL(name, folder), 'utf8').includes('getGitHubStore,'),
  );
  if (file === undefined) return;
  const { githubPlugin, getGitHubStore } = (await import(new URL(file, folder).href)) as Plugin;
  const seed = githubPlugin.seed;
  // The seed is where a new emulator shows its store.
  githubPlugin.seed = (store, baseUrl) => {
    const { blobs, trees, commits } = getGitHubStore(store);
    for (const collection of [blobs, trees, commits]) keepLists(collection);
    seed(store, baseUrl);
  };
}

function keepLists(collection: Collection): void {
  const { insert, update, delete: remove, clear, findBy } = collection;
  const lists = new Map<unknown, Item[]>();
  const places = new Map<number, number>();
  collection.findBy = (field, value) => {
    if (field !== 'repo_id') return findBy.call(collection, field, value);
    const list = lists.get(value) ?? findBy.call(collection, field, value);
    if (!lists.has(value)) list.forEach(({ id }, at) => void places.set(id, at));
    lists.set(value, list);
    return list;
  };
  collection.insert = (data) => {
    const item = insert.call(collection, data);
    const list = lists.get(item.repo_id);
    if (list) places.set(item.id, list.push(item) - 1);
    return item;
  };
  collection.update = (id, data) => {
    const item = update.call(collection, id, data);
    const place = places.get(id);
    const list = item && lists.get(item.repo_id);
    if (item && list && place !== undefined) list[place] = item;
    return item;
  };
  collection.delete = (id) => {
    lists.clear();
    return remove.call(collection, id);
  };
  collection.clear = () => {
    lists.clear();
    clear.call(collection);
  };
}
