/** How well one answer meets what is relevant: ranks from 0, best first. */
export interface Quality {
  recall1: number;
  recall5: number;
  recall10: number;
  mrr: number;
  ndcg10: number;
}

/** Recall counts which of the relevant documents are among the first n. */
export function quality(ranked: readonly string[], relevant: readonly string[]): Quality {
  const wanted = new Set(relevant);
  const recall = (n: number) => ranked.slice(0, n).filter((id) => wanted.has(id)).length / wanted.size;
  const gain = (place: number) => 1 / Math.log2(place + 2);
  let [dcg, ideal] = [0, 0];
  for (const [i, id] of ranked.slice(0, 10).entries()) if (wanted.has(id)) dcg += gain(i);
  for (let i = 0; i < Math.min(10, wanted.size); i++) ideal += gain(i);
  const first = ranked.findIndex((id) => wanted.has(id));
  return {
    recall1: recall(1),
    recall5: recall(5),
    recall10: recall(10),
    mrr: first < 0 ? 0 : 1 / (first + 1),
    ndcg10: dcg / ideal,
  };
}

export function mean(qualities: readonly Quality[]): Quality {
  const sum: Quality = { recall1: 0, recall5: 0, recall10: 0, mrr: 0, ndcg10: 0 };
  for (const each of qualities) for (const key of Object.keys(sum) as (keyof Quality)[]) sum[key] += each[key];
  for (const key of Object.keys(sum) as (keyof Quality)[]) sum[key] /= qualities.length || 1;
  return sum;
}
