import type { Judged } from './corpus.js';

/** One way to search the documents of a corpus. */
export interface Engine {
  name: string;
  /** The ten best documents' ids, best first, of one project or (null) of all. */
  ask(query: string, project: string | null): Promise<string[]> | string[];
  close?(): Promise<void>;
}

export type OpenEngine = (judged: Judged) => Promise<Engine> | Engine;

export const SHOWN = 10;

/** The ids of the highest scores above 0; of equals the first one. */
export function best(scored: Iterable<readonly [id: string, score: number]>): string[] {
  return [...scored]
    .filter(([, score]) => score > 0)
    .sort((a, b) => b[1] - a[1])
    .slice(0, SHOWN)
    .map(([id]) => id);
}
