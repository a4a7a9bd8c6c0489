/** One way to search the documents of a corpus. */
export interface Engine {
  name: string;
  /** The ten best documents' ids, best first, of one project or (null) of all. */
  ask(query: string, project: string | null): Promise<string[]> | string[];
  /** Where it answers with passages and not with documents: its answer in at most so many tokens. */
  answer?: Answerer;
  close?(): Promise<void>;
}

export type Answerer = (query: string, project: string | null, budget: number) => Promise<string>;

export const SHOWN = 10;

/** The ids of the highest scores above 0; of equals the first one. */
export function best(scored: Iterable<readonly [id: string, score: number]>): string[] {
  return [...scored]
    .filter(([, score]) => score > 0)
    .sort((a, b) => b[1] - a[1])
    .slice(0, SHOWN)
    .map(([id]) => id);
}
