/** How well one answer, best document first, meets what is relevant. */
export interface Quality {
  /** How many of the relevant documents are among the first n. */
  recall1: number;
  recall5: number;
  recall10: number;
  /** 1 / the rank of the first relevant document. */
  mrr: number;
  ndcg10: number;
}

export function qualityOf(ranked: readonly string[], relevant: readonly string[]): Quality {
  const wanted = new Set(relevant);
  const recall = (n: number) => ranked.slice(0, n).filter((id) => wanted.has(id)).length / wanted.size;
  const gain = (place: number) => 1 / Math.log2(place + 2);
  let [found, ideal] = [0, 0];
  for (const [i, id] of ranked.slice(0, 10).entries()) if (wanted.has(id)) found += gain(i);
  for (let i = 0; i < Math.min(10, wanted.size); i++) ideal += gain(i);
  const first = ranked.findIndex((id) => wanted.has(id));
  return {
    recall1: recall(1),
    recall5: recall(5),
    recall10: recall(10),
    mrr: first < 0 ? 0 : 1 / (first + 1),
    ndcg10: found / ideal,
  };
}

export function meanQuality(qualities: readonly Quality[]): Quality {
  const mean = (name: keyof Quality) => qualities.reduce((sum, each) => sum + each[name], 0) / (qualities.length || 1);
  return {
    recall1: mean('recall1'),
    recall5: mean('recall5'),
    recall10: mean('recall10'),
    mrr: mean('mrr'),
    ndcg10: mean('ndcg10'),
  };
}
