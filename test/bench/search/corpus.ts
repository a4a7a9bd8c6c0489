import { readFileSync } from 'node:fs';
import { z } from 'zod';

const Document = z.object({
  id: z.string(),
  title: z.string(),
  text: z.string(),
  /** When it was written (ISO 8601). */
  date: z.string().optional(),
  /** Queries of the same project are also asked within it alone. */
  project: z.string().optional(),
});

const Query = z.object({
  query: z.string(),
  /** Ids of the documents that answer it. */
  relevant: z.array(z.string()).min(1),
  project: z.string().optional(),
  /** Results are also given for each kind. */
  kind: z.string().optional(),
  /** What the answer must show, word by word: counted in the text returned. */
  evidence: z.array(z.string()).optional(),
});

/** Documents and queries with the ids of what answers them; docs/search.md describes it. */
export const Judged = z.object({ documents: z.array(Document), queries: z.array(Query) });

export type Judged = z.infer<typeof Judged>;
export type JudgedDocument = Judged['documents'][number];
export type JudgedQuery = Judged['queries'][number];

export function readJudged(path: string | URL): Judged {
  return Judged.parse(JSON.parse(readFileSync(path, 'utf8')));
}
