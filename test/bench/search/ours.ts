import type { Caller } from '../../../src/core/caller.js';
import { decodeText, type IndexedDocument } from '../../../src/core/documents.js';
import { objectId } from '../../../src/core/hash.js';
import { indexDocument } from '../../../src/core/index-document.js';
import type { Mirror, View } from '../../../src/core/ports.js';
import { type Semantics, search } from '../../../src/core/searcher.js';
import type { Services } from '../../../src/core/services.js';
import { searchMemory } from '../../../src/operations/search-memory.js';
import { chunksOf } from '../../../src/search/chunk.js';
import { readQuery } from '../../../src/search/query.js';
import { meanCosines } from '../../../src/search/rank.js';
import { speakerNames, withoutNames } from '../../../src/search/speakers.js';
import type { Judged } from './corpus.js';
import { best, type Engine, SHOWN } from './engine.js';
import { dot, type Vectors } from './vectors.js';

const CALLER: Caller = { subject: 'bench', projects: 'all', scopes: new Set(['read']), client: 'bench' };

/** A corpus as notes of the product. */
export class Notes {
  readonly indexed: IndexedDocument[];
  /** Ids in the corpus by path. */
  readonly ids: Map<string, string>;
  readonly projects: Map<string, string>;
  private readonly people: ReadonlySet<string>;

  constructor(readonly judged: Judged) {
    const names = new Set(judged.documents.map(({ project = '' }) => project));
    this.projects = new Map([...names].map((project, at) => [project, `bench/${at}`]));
    this.ids = new Map(judged.documents.map(({ id }, at) => [pathOf(at), id]));
    this.indexed = judged.documents.map(({ title, text, date, project = '' }, at) => {
      const front = Object.entries({ title, project: this.projects.get(project), date });
      const lines = front.flatMap(([key, value]) => (value === undefined ? [] : [`${key}: ${JSON.stringify(value)}`]));
      const content = Buffer.from(`---\n${lines.join('\n')}\n---\n${text}\n`);
      const blob = objectId('blob', content, 'sha1');
      return indexDocument({ path: pathOf(at), blob, type: 'file', bytes: content.length, content, changedMs: 0 });
    });
    const entries = this.indexed.flatMap(({ search: row, timeMs }) => (row ? [{ ...row.outline, timeMs }] : []));
    this.people = speakerNames(entries);
  }

  /** What is embedded of a query. */
  asked(query: string): string {
    return withoutNames(readQuery(query).text, this.people);
  }
}

/** The search of the product, through one of its mirrors. Without vectors it knows words alone. */
export async function ours(notes: Notes, name: string, mirror: Mirror, meaning: Semantics | null): Promise<Engine> {
  const applied = await mirror.apply({
    expectedGeneration: 0,
    head: { commit: 'a'.repeat(40), tree: 'b'.repeat(40) },
    documents: notes.indexed,
    live: notes.indexed.map(({ path, blob }) => ({ path, blob })),
    gone: [],
    settles: [],
    confirmedAtMs: null,
  });
  if (!applied) throw new Error('the mirror was not empty');
  return {
    name: `${name}, ${meaning ? 'hybrid' : 'lexical'}`,
    async ask(query, project) {
      const filter = project === null ? {} : { projects: [notes.projects.get(project) ?? ''] };
      const options = { limit: SHOWN, semantics: meaning };
      const { hits } = await mirror.snapshot((view) => search(view, CALLER, readQuery(query), filter, options));
      return hits.map(({ document }) => notes.ids.get(document.path) ?? '');
    },
    async answer(query, project, budget) {
      const input = {
        query,
        max_tokens: budget,
        ...(project === null ? {} : { project: notes.projects.get(project) }),
      };
      return searchMemory.format(await searchMemory.run(input, contextOver(mirror, meaning)), input);
    },
    close: () => mirror.close(),
  };
}

type Context = Parameters<typeof searchMemory.run>[1];

/** What the operation needs of a memory that nothing else reads or writes. */
export function contextOver(mirror: Mirror, semantics: Semantics | null): Context {
  const project = async () => 'bench';
  return { services: servicesOver(mirror, semantics), caller: CALLER, project } as unknown as Context;
}

function servicesOver(mirror: Mirror, semantics: Semantics | null): Services {
  const provenance = { tier: 'mirror', commit: '', generation: 1, ageMs: 0, verified: false, skipped: [], notes: [] };
  const read = async (
    _caller: Caller,
    _consistency: unknown,
    _speed: unknown,
    ask: (view: View) => Promise<unknown>,
  ) => ({
    value: await mirror.snapshot(ask),
    provenance,
  });
  return { semantics, reader: { read }, held: { search: async () => [] } } as unknown as Services;
}

/** Only what passages mean: what the vectors find without any words. */
export function semantic(notes: Notes, meaning: Semantics): Engine {
  return {
    name: 'ours, semantic',
    async ask(query, project) {
      const asked = notes.judged.documents.flatMap(({ id, project: of }, doc) => {
        const chunks = notes.indexed[doc]?.search?.chunks ?? new Uint8Array();
        return project === null || of === project ? [{ id, doc, path: pathOf(doc), chunks }] : [];
      });
      const compared = await meaning.compare(notes.asked(query), asked);
      const cosines = meanCosines(compared?.best ?? new Float64Array());
      return best(asked.map(({ id }, at) => [id, 1 + (cosines[at] ?? 0)] as const));
    },
  };
}

/** What passages mean, by vectors that are all made before anything is measured. */
export async function meaningOf(notes: Notes, vectors: Vectors): Promise<Semantics> {
  const chunks = notes.indexed.flatMap(({ content }) => chunksOf(decodeText(content ?? new Uint8Array()).text));
  await vectors.add([
    ...notes.judged.queries.map(({ query }) => notes.asked(query)),
    ...chunks.map(({ text }) => text),
  ]);
  const byName = new Map(chunks.map(({ name, text }) => [name, vectors.get(text)]));
  return {
    ready: async () => {},
    async compare(text, documents) {
      const query = vectors.get(text);
      if (!query) return null;
      const passage = (name: string) => {
        const vector = byName.get(name);
        return vector ? dot(vector, query) : Number.NaN;
      };
      const nearest = new Float64Array(3 * documents.length).fill(Number.NaN);
      for (const [at, { chunks: names }] of documents.entries()) {
        const cosines = [];
        for (let i = 0; i < names.length; i += 16)
          cosines.push(passage(Buffer.from(names.subarray(i, i + 16)).toString('hex')));
        nearest.set(cosines.sort((a, b) => b - a).slice(0, 3), 3 * at);
      }
      return { best: nearest, passage };
    },
    state: () => '',
  };
}

/** A name that no query asks for, in the order of the documents. */
function pathOf(at: number): string {
  const name = [...String(at).padStart(6, '0')].map((digit) => 'qxzjkvwpyf'[Number(digit)]).join('');
  return `sessions/${name}.md`;
}
