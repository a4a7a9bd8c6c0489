import type { Caller } from '../../../src/core/caller.js';
import { objectId } from '../../../src/core/hash.js';
import { indexDocument } from '../../../src/core/index-document.js';
import type { Mirror } from '../../../src/core/ports.js';
import { type Semantics, search } from '../../../src/core/searcher.js';
import { chunksOf } from '../../../src/search/chunk.js';
import { readQuery } from '../../../src/search/query.js';
import { meanCosines } from '../../../src/search/rank.js';
import { speakerNames, speakersIn, withoutNames } from '../../../src/search/speakers.js';
import type { Judged, JudgedDocument } from './corpus.js';
import { best, type Engine, SHOWN } from './engine.js';
import { dot, type Vectors } from './vectors.js';

const CALLER: Caller = { subject: 'bench', projects: 'all', scopes: new Set(['read']), client: 'bench' };

/** The search of the product, through one of its mirrors. Without vectors it knows words alone. */
export async function ours(judged: Judged, name: string, mirror: Mirror, meaning: Meaning | null): Promise<Engine> {
  const names = new Set(judged.documents.map(({ project = '' }) => project));
  const projects = new Map([...names].map((project, at) => [project, `bench/${at}`]));
  const ids = new Map(judged.documents.map(({ id }, at) => [pathOf(at), id]));
  await fill(mirror, judged.documents, projects);
  return {
    name: `${name}, ${meaning ? 'hybrid' : 'lexical'}`,
    async ask(query, project) {
      const read = readQuery(query);
      const semantics: Semantics | null = meaning && {
        ready: async () => {},
        compare: async (_text, documents) => {
          const found = documents.map(({ path }) => ids.get(path) ?? '');
          return { best: meaning.nearness(read.text, found), passage: () => Number.NaN };
        },
        state: () => '',
      };
      const filter = project === null ? {} : { project: projects.get(project) };
      const { hits } = await mirror.snapshot((view) => search(view, CALLER, read, filter, { limit: SHOWN, semantics }));
      return hits.map(({ document }) => ids.get(document.path) ?? '');
    },
    close: () => mirror.close(),
  };
}

/** Only what passages mean: what the vectors find without any words. */
export function semantic({ documents }: Judged, meaning: Meaning): Engine {
  return {
    name: 'ours, semantic',
    ask(query, project) {
      const asked = documents.filter((each) => project === null || each.project === project).map(({ id }) => id);
      const cosines = meanCosines(meaning.nearness(query, asked));
      return best(asked.map((id, at) => [id, 1 + (cosines[at] ?? 0)] as const));
    },
  };
}

/** The vectors of all passages and queries, made before anything is measured. */
export class Meaning {
  private readonly passages = new Map<string, (Float32Array | undefined)[]>();
  private readonly names: ReadonlySet<string>;

  private constructor(
    documents: readonly JudgedDocument[],
    private readonly vectors: Vectors,
  ) {
    for (const { id, text } of documents)
      this.passages.set(
        id,
        chunksOf(text).map((chunk) => vectors.get(chunk.text)),
      );
    this.names = namesIn(documents);
  }

  static async of({ documents, queries }: Judged, vectors: Vectors): Promise<Meaning> {
    const names = namesIn(documents);
    await vectors.add(queries.map(({ query }) => withoutNames(readQuery(query).text, names)));
    await vectors.add(documents.flatMap(({ text }) => chunksOf(text).map((chunk) => chunk.text)));
    return new Meaning(documents, vectors);
  }

  /** The three best cosines of each document, as `rank` wants them. */
  nearness(query: string, ids: readonly string[]): Float64Array {
    const asked = this.vectors.get(withoutNames(query, this.names));
    const nearness = new Float64Array(3 * ids.length).fill(Number.NaN);
    if (!asked) return nearness;
    for (const [at, id] of ids.entries()) {
      const cosines = (this.passages.get(id) ?? []).flatMap((vector) => (vector ? [dot(vector, asked)] : []));
      nearness.set(cosines.sort((a, b) => b - a).slice(0, 3), 3 * at);
    }
    return nearness;
  }
}

function namesIn(documents: readonly JudgedDocument[]): ReadonlySet<string> {
  return speakerNames(
    documents.map(({ text }) => ({ words: 0, titleTerms: 0, timeMs: 0, speakers: speakersIn(text) })),
  );
}

async function fill(mirror: Mirror, documents: readonly JudgedDocument[], projects: Map<string, string>) {
  const indexed = documents.map(({ title, text, date, project = '' }, at) => {
    const front = { title, project: projects.get(project), date };
    const lines = Object.entries(front).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}: ${JSON.stringify(value)}`],
    );
    const content = Buffer.from(`---\n${lines.join('\n')}\n---\n${text}\n`);
    const blob = objectId('blob', content, 'sha1');
    return indexDocument({ path: pathOf(at), blob, type: 'file', bytes: content.length, content, changedMs: 0 });
  });
  const applied = await mirror.apply({
    expectedGeneration: 0,
    head: { commit: 'a'.repeat(40), tree: 'b'.repeat(40) },
    documents: indexed,
    live: indexed.map(({ path, blob }) => ({ path, blob })),
    gone: [],
    settles: [],
    confirmedAtMs: null,
  });
  if (!applied) throw new Error('the mirror was not empty');
}

/** A name that no query asks for, in the order of the documents. */
function pathOf(at: number): string {
  const name = [...String(at).padStart(6, '0')].map((digit) => 'qxzjkvwpyf'[Number(digit)]).join('');
  return `sessions/${name}.md`;
}
