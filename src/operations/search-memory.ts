import { z } from 'zod';
import { digestText, firstSentences } from '../core/digest.js';
import { type Document, decodeText, KINDS, PRIVACY } from '../core/documents.js';
import { MemoryError } from '../core/errors.js';
import { fitted } from '../core/fit.js';
import { day, fence, provenanceLine } from '../core/format.js';
import { withoutMatter } from '../core/frontmatter.js';
import { cleanText } from '../core/input.js';
import { LIMITS } from '../core/limits.js';
import { bestPassage } from '../core/passage.js';
import { projectName } from '../core/project.js';
import { search } from '../core/searcher.js';
import { type Query, readQuery } from '../search/query.js';
import { filterOf, filters } from './list-sessions.js';
import { budget, consistency, defineOperation, limitOf, provenance } from './operation.js';
import { nearestProjects, unknownProject } from './unknown-project.js';

export const searchMemory = defineOperation({
  name: 'search_memory',
  title: 'Search notes',
  description:
    'Call when something may have been done, decided or seen before: finds notes by words, in one project or all, best first.',
  input: z.strictObject({
    query: z.string().min(1).max(LIMITS.queryChars),
    ...filters,
    privacy: z.enum(PRIVACY).optional(),
    limit: limitOf(LIMITS.searchMax),
    max_tokens: budget,
    consistency,
  }),
  output: z.object({
    terms: z.array(z.string()),
    searched: z.number(),
    hits: z.array(
      z.object({
        id: z.string(),
        title: z.string(),
        project: z.string(),
        timeMs: z.number(),
        heading: z.string(),
        passage: z.string(),
        matched: z.array(z.string()),
        score: z.number(),
        /** It waits for the origin. */
        queued: z.boolean(),
        /** The mirror does not keep its text: the passage is from its digest. */
        digest: z.boolean(),
      }),
    ),
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

  async run(input, { services, caller }) {
    const query = readQuery(cleanText('query', input.query));
    const filter = filterOf(narrowed(input, query));
    const terms = query.wanted.map(({ term }) => term);
    const narrow = query.project ?? query.tags[0] ?? query.kinds[0];
    if (terms.length === 0 && narrow === undefined)
      throw new MemoryError(
        'invalid_input',
        'The query has no word to look for: only common words, signs or exclusions.',
        'Search for words, names, numbers or identifiers; list_sessions lists notes without a query.',
      );
    const limit = input.limit ?? LIMITS.searchDefault;
    const { value, provenance: from } = await services.reader.read(
      caller,
      input.consistency,
      'fast',
      async (reading) => {
        const found = await search(reading, caller, query, filter, { limit, semantics: null, nearTerms: () => [] });
        return {
          hits: found.hits.map(({ document: { content, ...document }, score, terms }) => ({
            ...showing(document, content, terms),
            score,
            queued: false,
          })),
          searched: found.searched,
          near: await nearestProjects(reading, caller, filter.project),
        };
      },
      { name: 'search_memory', input: { query, filter, limit } },
    );
    const found = await services.held.search(caller, terms, filter);
    const paths = new Set(found.map(({ document }) => document.id));
    const held = found.map(({ document, content, queued }) => ({
      ...showing(document, content, terms),
      score: 0,
      queued,
    }));
    return {
      terms,
      searched: value.searched + held.length,
      // Few, recent and nowhere else: they come first.
      hits: [...held, ...value.hits.filter(({ id }) => !paths.has(id))].slice(0, limit),
      near: value.near,
      provenance: from,
    };
  },

  async format({ terms, searched, hits, near, provenance: from }, input) {
    const foot = provenanceLine(from);
    const most = input.max_tokens ?? LIMITS.searchBudgetTokens;
    if (hits.length === 0 && near !== null && input.project !== undefined) {
      const project = projectName(input.project);
      return fitted(most, near, (shown) => `${unknownProject(project, shown)}\n${foot}`);
    }
    if (hits.length === 0)
      return fitted(
        most,
        terms.slice(0, 20),
        (shown) => `Nothing found: none of ${searched} notes has any of: ${shown.join(', ')}.\n${foot}`,
      );
    const lines = (passageChars: number) =>
      hits.map((hit) => {
        const heading = hit.heading === '' || hit.heading === hit.title ? '' : `${firstSentences(hit.heading, 120)}: `;
        const state = hit.queued ? ' · queued, not at the origin yet' : '';
        const line = `${day(hit.timeMs)} **${hit.title}** · ${hit.project} · \`${hit.id}\`${state}`;
        if (passageChars === 0) return line;
        const by = hit.digest ? 'by title or text; its digest' : 'by title';
        const why = hit.matched.length > 0 ? `has ${hit.matched.slice(0, 8).join(', ')}` : by;
        return `${line} · ${why}\n  ${heading}${firstSentences(hit.passage, passageChars)}`;
      });
    const render = (shown: string[]) => {
      const left = hits.length - shown.length;
      const head = `${shown.length} best of ${searched} notes${left > 0 ? ` (${left} more did not fit ${most} tokens)` : ''}`;
      return shown.length === 0 ? `${head}\n${foot}` : `${head}\n${fence(shown.join('\n'))}\n${foot}`;
    };
    // A hit without its passage is still worth more than none.
    for (const passageChars of [LIMITS.passageChars, 160, 0]) {
      const text = await fitted(most, lines(passageChars), render);
      if (passageChars === 0 || !text.startsWith('0 best')) return text;
    }
    return foot;
  },
});

/** What the query itself says of project, kind and tags holds beside the arguments. */
function narrowed<I extends Parameters<typeof filterOf>[0]>(input: I, { project, kinds, tags }: Query): I {
  const kind = input.kind ?? KINDS.find((each) => each === kinds[0]?.toLowerCase());
  return { ...input, project: input.project ?? project, kind, tags: [...(input.tags ?? []), ...tags] };
}

/** What a hit shows of a document; its digest stands in for a text that is not kept. */
function showing({ id, title, project, timeMs, digest }: Document, content: Uint8Array | null, terms: string[]) {
  const text = content ? withoutMatter(decodeText(content).text) : digestText(digest);
  const { heading, text: passage, matched } = bestPassage(text, terms, LIMITS.passageChars);
  return { id, title, project, timeMs, heading, passage, matched, digest: !content };
}
