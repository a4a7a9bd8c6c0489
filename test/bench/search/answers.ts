import { tokenCounter } from '../../../src/core/tokens.js';
import type { JudgedQuery } from './corpus.js';
import type { Answerer } from './engine.js';

export interface Answers {
  budget: number;
  /** Mean tokens of an answer. */
  tokens: number;
  /** In how many of the answers, of those to queries with evidence, any of it can be read; null without such queries. */
  evident: number | null;
}

/** What is on the screen, within each budget. */
export async function measureAnswers(
  answer: Answerer,
  queries: readonly JudgedQuery[],
  own: boolean,
  budgets: readonly number[],
): Promise<Answers[]> {
  const count = await tokenCounter();
  const measured: Answers[] = [];
  for (const budget of budgets) {
    let [tokens, asked, evident] = [0, 0, 0];
    for (const { query, project, evidence = [] } of queries) {
      const text = await answer(query, own ? (project ?? null) : null, budget);
      tokens += count(text);
      if (evidence.length === 0) continue;
      asked++;
      const shown = new Set(fours(text));
      if (evidence.some((each) => readable(each, shown))) evident++;
    }
    measured.push({ budget, tokens: tokens / queries.length, evident: asked > 0 ? evident / asked : null });
  }
  return measured;
}

/** Half of its runs of four words stand in the answer. */
function readable(evidence: string, shown: ReadonlySet<string>): boolean {
  const runs = fours(evidence);
  return runs.filter((run) => shown.has(run)).length * 2 >= runs.length;
}

/** Every four words in a row; all words of what is shorter. */
function fours(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  if (words.length < 4) return [words.join(' ')];
  return words.slice(3).map((_, i) => words.slice(i, i + 4).join(' '));
}
