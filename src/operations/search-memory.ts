import { z } from 'zod';
import type { Caller } from '../core/caller.js';
import { digestText } from '../core/digest.js';
import { type Document, decodeText, KINDS, PRIVACY } from '../core/documents.js';
import { MemoryError } from '../core/errors.js';
import { fitted } from '../core/fit.js';
import { asOfLine, fence, many, provenanceLine } from '../core/format.js';
import { withoutMatter } from '../core/frontmatter.js';
import { hitHeader, hitText } from '../core/hits.js';
import { cleanText } from '../core/input.js';
import { LIMITS } from '../core/limits.js';
import { pastView } from '../core/past-view.js';
import type { Filter, View } from '../core/ports.js';
import { projectName } from '../core/project.js';
import type { Provenance } from '../core/provenance.js';
import type { Consistency } from '../core/reader.js';
import { type Meaning, search } from '../core/searcher.js';
import { tokenCounter } from '../core/tokens.js';
import { analyse } from '../search/analyse.js';
import { chunksOf } from '../search/chunk.js';
import { packPassages } from '../search/passages.js';
import { type Query, readQuery } from '../search/query.js';
import { filterOf, filters } from './list-sessions.js';
import {
  asOf,
  asOfAnswer,
  budget,
  type Context,
  consistency,
  defineOperation,
  limitOf,
  provenance,
} from './operation.js';
import { nearestProjects, unknownProject } from './unknown-project.js';

export const searchMemory = defineOperation({
  name: 'search_memory',
  title: 'Search notes',
  description:
    'Call when something may have been done, decided or seen before: finds notes by words, in one project or all, best first.',
  input: z.strictObject({
    query: z.string().min(1).max(LIMITS.queryChars),
    ...filters,
    relatives: z.boolean().optional().describe('its parent and submodules too'),
    privacy: z.enum(PRIVACY).optional(),
    as_of: asOf,
    limit: limitOf(LIMITS.searchMax),
    max_tokens: budget,
    consistency,
  }),
  output: z.object({
    terms: z.array(z.string()),
    searched: z.number(),
    /** The project and its relatives that were searched; null where relatives were not asked for. */
    projects: z.array(z.string()).nullable(),
    hits: z.array(
      z.object({
        id: z.string(),
        title: z.string(),
        project: z.string(),
        timeMs: z.number(),
        /** In the order of the text; empty where there was room for the title alone. */
        passages: z.array(
          z.object({
            headings: z.array(z.string()),
            text: z.string(),
            /** 0: the best of the answer. */
            rank: z.number(),
            /** It follows the one before without a gap; in the same paragraph. */
            adjoins: z.boolean(),
            continues: z.boolean(),
          }),
        ),
        /** The query's words that stand in it. */
        matched: z.array(z.string()),
        /** How near its best passages are in meaning (cosine), where that spoke for it. */
        meaning: z.number().nullable(),
        score: z.number(),
        /** Notes with nearly the same text. */
        also: z.array(z.string()),
        /** It waits for the origin. */
        queued: z.boolean(),
        /** The mirror does not keep its text: the passages are from its digest. */
        digest: z.boolean(),
      }),
    ),
    /** Words that no note has, and terms of notes that are like them. */
    unknown: z.array(z.object({ word: z.string(), near: z.array(z.string()) })),
    asOf: asOfAnswer,
    /** Whether meaning was compared, too. */
    semantic: z.boolean(),
    /** Names like the project's, where it has no notes; null where it has, or none was named. */
    near: z.array(z.string()).nullable(),
    provenance,
  }),
  effect: 'read',
  idempotent: true,
  scope: 'read',
  core: true,
  command: {
    name: 'search',
    about: 'Finds notes by words',
    positionals: ['query'],
    examples: ["search 'why were users logged out'", 'search migration --project owner/repo --after 2026-01-01 --json'],
  },

  async run(input, context) {
    const { services, caller, project } = context;
    const query = readQuery(cleanText('query', input.query));
    const own = input.relatives === true ? await project(input.project ?? query.project) : undefined;
    const filter = filterOf(narrowed({ ...input, project: own ?? input.project }, query));
    const terms = query.wanted.map(({ term }) => term);
    if (terms.length === 0 && query.project === undefined && query.tags.length + query.kinds.length === 0)
      throw new MemoryError(
        'invalid_input',
        'The query has no word in it to look for, only common words, signs or exclusions.',
        'Search for words, names or numbers; list_sessions lists notes without a query.',
      );
    const limit = input.limit ?? LIMITS.searchDefault;
    const home = await project(undefined);
    const { past, value, from } = await found(context, input, query, { filter, limit, own, home });
    const waiting = past ? [] : await services.held.search(caller, query, within(filter, value.projects));
    const held = waiting.map(({ document, content, queued, terms }) => ({
      ...showing(document, content),
      chunks: [],
      score: Math.max(0, ...value.documents.map(({ score }) => score)),
      meaning: null,
      terms,
      queued,
    }));
    const paths = new Set(held.map(({ id }) => id));
    // Few, recent and nowhere else: they come first.
    const documents = [
      ...held,
      ...value.documents
        .filter(({ document }) => !paths.has(document.id))
        .map((hit) => ({ ...hit, ...showing(hit.document, hit.document.content), queued: false })),
    ].slice(0, limit);
    const words = wordsOf(query.text);
    const unknown = value.unknown.map(({ term, near }) => ({
      word: words.find(({ terms: own }) => own.includes(term))?.word ?? term,
      near,
    }));
    const matchedBy = (standing: ReadonlySet<string>) => [
      ...words.filter(({ terms: own }) => own.some((term) => standing.has(term))).map(({ word }) => word),
      ...unknown.filter(({ near }) => near.some((term) => standing.has(term))).map(({ word }) => `~${word}`),
    ];
    const then = past && { commit: past.commit, timeMs: past.timeMs };
    const provenance = past ? { ...from, notes: [...from.notes, ...past.notes] } : from;
    const searched = value.searched + held.length;
    const count = await tokenCounter();
    const frame = framed(
      headOf(documents.length, searchedIn(searched, value.projects), unknown),
      '',
      footOf(then, provenance),
    );
    const shown = packPassages(
      documents.map((each) => {
        const header = hitHeader({ ...each, matched: matchedBy(new Set(each.terms)), also: [] });
        return { ...each, headerTokens: count(`${header}\n\n`) };
      }),
      {
        wanted: new Map(value.weights),
        budgetTokens: (input.max_tokens ?? LIMITS.searchBudgetTokens) - count(frame),
        count,
      },
    );
    // Where there is no room for passages there may be some for titles.
    if (shown.length === 0) for (const at of documents.keys()) shown.push({ at, passages: [], matched: [], also: [] });
    return {
      terms,
      searched,
      projects: value.projects,
      hits: shown.flatMap(({ at, passages, matched, also }) => {
        const each = documents[at];
        if (!each) return [];
        const { id, title, project, timeMs, digest, queued, score, meaning } = each;
        const standing = new Set([...matched, ...each.terms]);
        return {
          ...{ id, title, project, timeMs, digest, queued, score, meaning },
          passages: passages.map((passage) => ({ ...passage, headings: [...passage.headings] })),
          matched: matchedBy(standing),
          also: also.flatMap((other) => documents[other]?.id ?? []),
        };
      }),
      unknown,
      asOf: then,
      semantic: value.semantic,
      near: value.near,
      provenance,
    };
  },

  async format({ terms, searched, projects, hits, unknown, asOf: then, semantic, near, provenance: from }, input) {
    const foot = footOf(then, from);
    const most = input.max_tokens ?? LIMITS.searchBudgetTokens;
    const notes = searchedIn(searched, projects);
    const named = input.project ?? readQuery(input.query).project;
    if (hits.length === 0 && near !== null && named !== undefined && (projects?.length ?? 1) === 1) {
      const project = projectName(named);
      return fitted(most, near, (shown) => `${unknownProject(project, shown)}\n${foot}`);
    }
    if (hits.length === 0 && searched === 0 && projects === null && !hasConditions(input))
      return `Nothing found: this memory ${then === null ? 'has no notes yet' : 'had no notes then'}.\n${foot}`;
    if (hits.length === 0 && searched === 0 && projects === null)
      return `Nothing found: no note meets the query's conditions (phrases, exclusions, project, kind, tags, times).\n${foot}`;
    if (hits.length === 0) {
      const meant = semantic ? ', or means the like' : '';
      const like = unknown.length > 0 ? ` (${unknown.map(guessOf).join('; ')})` : '';
      return fitted(
        most,
        askedWords(input.query, terms).slice(0, 20),
        (shown) => `Nothing found: none of ${notes} has any of: ${shown.join(', ')}${meant}.${like}\n${foot}`,
      );
    }
    const render = (mostRank: number) => {
      const texts = hits.map((hit) => hitText(hit, mostRank));
      return framed(headOf(hits.length, notes, unknown), texts.join('\n\n'), foot);
    };
    const ranks = hits.flatMap(({ passages }) => passages.map(({ rank }) => rank));
    const count = await tokenCounter();
    for (let rank = Math.max(-1, ...ranks); rank >= 0; rank--) {
      const text = render(rank);
      if (Buffer.byteLength(text) <= most || count(text) <= most) return text;
    }
    const titles = hits.map((hit) => hitHeader(hit));
    return fitted(most, titles, (shown) => {
      const left = titles.length - shown.length;
      const head = `${shown.length} best of ${notes}${left > 0 ? ` (${left} more did not fit ${most} tokens)` : ''}`;
      if (shown.length === 0) return `${many(left, 'note')} found, none fits ${most} tokens: ask for more.\n${foot}`;
      return framed(head, shown.join('\n'), foot);
    });
  },
});

interface Unknown {
  word: string;
  near: string[];
}

/** `8 best of 120 notes; no note has "postgers", like it: postgres`. */
function headOf(shown: number, notes: string, unknown: Unknown[]): string {
  return [`${shown} best of ${notes}`, ...unknown.map(guessOf)].join('; ');
}

/** `120 notes in owner/repo (2 relatives)`. */
function searchedIn(searched: number, projects: string[] | null): string {
  if (projects === null) return many(searched, 'note');
  const others = projects.length - 1;
  const relatives = others === 0 ? 'no relatives known' : many(others, 'relative');
  return `${many(searched, 'note')} in ${projects[0]} (${relatives})`;
}

function guessOf({ word, near }: Unknown): string {
  return near.length > 0 ? `no note has "${word}", like it: ${near.join(', ')}` : `no note has "${word}"`;
}

function footOf(then: Parameters<typeof asOfLine>[0] | null, from: Provenance): string {
  return `${then === null ? '' : `${asOfLine(then)}, not now · `}${provenanceLine(from)}`;
}

function framed(head: string, hits: string, foot: string): string {
  return `${head}\n${fence(hits)}\n${foot}`;
}

function within(filter: Filter, projects: string[] | null): Filter {
  return projects === null ? filter : { ...filter, projects };
}

async function withRelatives(reading: View, caller: Caller, project: string): Promise<string[]> {
  const { parent, siblings, submodules } = await reading.relatives(caller, project);
  return [...new Set([project, ...(parent === null ? [] : [parent]), ...siblings, ...submodules])];
}

/** What the tiers have, now or as of a time; with `own`, in that project and its relatives of now. */
async function found(
  { services, caller }: Context,
  { as_of, consistency }: { as_of?: string; consistency?: Consistency },
  query: Query,
  { filter, limit, own, home }: { filter: Filter; limit: number; own: string | undefined; home: string },
) {
  const { semantics, reader } = services;
  // Not within the snapshot, which holds a connection that this one would wait for.
  await semantics?.ready();
  for (let attempt = 0; attempt < LIMITS.verifyAttempts; attempt++) {
    const past = as_of === undefined ? null : await services.asOf.past(caller, as_of, consistency);
    const { value, provenance: from } = await reader.read(
      caller,
      consistency,
      'fast',
      async (reading) => {
        // What was the same as now is not known of this now.
        if (past && (await reading.state()).generation !== past.generation) return null;
        const view = past ? pastView(reading, past) : reading;
        const projects = own === undefined ? null : await withRelatives(reading, caller, own);
        const result = await search(view, caller, query, within(filter, projects), { limit, semantics, home });
        return {
          documents: result.hits.map((hit) => ({ ...hit, chunks: cosinesOf(hit.document, result.meaning) })),
          projects,
          searched: result.searched,
          unknown: [...result.near].map(([term, near]) => ({ term, near })),
          weights: [...result.weights],
          semantic: result.meaning !== null,
          near: await nearestProjects(reading, caller, filter.projects?.[0]),
        };
      },
      // What there was at a time is a question to the origin, too.
      past
        ? undefined
        : {
            name: 'search_memory',
            input: { query, filter, own, home, limit, vectors: semantics?.state() ?? null },
            // Where meaning could not be asked this once, the next one asks again.
            keep: (answer) => answer !== null && (answer.semantic || semantics === null),
          },
    );
    if (value !== null) return { past, value, from };
  }
  throw new MemoryError(
    'mirror_unavailable',
    'The memory changes faster than its past can be compared with it.',
    'Search again in a moment.',
  );
}

/** The words of a query with the terms that each gives. */
function wordsOf(text: string): { word: string; terms: string[] }[] {
  const words = text.split(/\s+/).map((word) => word.replace(/^[\p{P}\p{S}]+|[\p{P}\p{S}]+$/gu, '') || word);
  return [...new Set(words)].slice(0, 64).map((word) => ({ word, terms: analyse(word, 50).terms }));
}

/** The words that a query looks for, as they were written; identifiers whole. */
function askedWords(query: string, terms: string[]): string[] {
  const words = wordsOf(readQuery(query).text).filter(({ terms: own }) => own.some((term) => terms.includes(term)));
  return words.length > 0 ? words.map(({ word }) => word) : terms;
}

/** Whether notes are left out that have its words. */
function hasConditions(input: Parameters<typeof filterOf>[0] & { query: string }): boolean {
  const { phrases, without, project, kinds, tags } = readQuery(input.query);
  const said = phrases.length + without.length + kinds.length + tags.length > 0 || project !== undefined;
  return said || Object.values(filterOf(input)).some((value) => value !== undefined);
}

/** What the query itself says of project, kind and tags holds beside the arguments. */
function narrowed<I extends Parameters<typeof filterOf>[0]>(input: I, { project, kinds, tags }: Query): I {
  const named = input.kind ?? (kinds.length === 0 ? undefined : kindOf(kinds));
  return { ...input, project: input.project ?? project, kind: named, tags: [...(input.tags ?? []), ...tags] };
}

/** A note has one kind: whoever asks for another, or for two, is told. */
function kindOf(named: string[]): (typeof KINDS)[number] {
  const kind = KINDS.find((each) => each === named[0]?.toLowerCase());
  if (kind !== undefined && named.length === 1) return kind;
  throw new MemoryError(
    'invalid_input',
    `\`kind:\` in the query takes one of ${KINDS.join(', ')}.`,
    'Search for one kind at a time, or without it; quote the words to look for them.',
  );
}

/** What can be shown of a document; its digest stands in for a text that is not kept. */
function showing({ id, title, project, timeMs, digest }: Document, content: Uint8Array | null) {
  const text = content ? withoutMatter(decodeText(content).text) : digestText(digest);
  return { id, title, project, timeMs, text, digest: !content };
}

/** How near the parts of a note come to the query, by where they are in what is shown of it. */
function cosinesOf({ content }: { content: Uint8Array | null }, meaning: Meaning | null) {
  if (meaning === null || !content) return [];
  const { text } = decodeText(content);
  // Front matter is embedded, and not shown.
  const matter = text.length - withoutMatter(text).length;
  return chunksOf(text).flatMap(({ name, from, to }) => {
    const cosine = meaning.passage(name);
    return Number.isNaN(cosine) || to <= matter ? [] : { from: Math.max(0, from - matter), to: to - matter, cosine };
  });
}
