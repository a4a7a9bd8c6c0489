/** Edit distance with adjacent swaps (optimal string alignment), given up above `most`: then `most + 1`. */
export function editDistance(a: string, b: string, most = 3): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      row.push(best);
    }
    before = last;
    last = row;
  }
  return Math.min(last[b.length] ?? most + 1, most + 1);
}

/** The candidates most like `wanted`, best first, by shared trigrams; none where nothing is alike. */
export function nearest(wanted: string, candidates: Iterable<string>, count = 3): string[] {
  const own = trigrams(wanted);
  const scored: { candidate: string; score: number }[] = [];
  for (const candidate of candidates) {
    const theirs = trigrams(candidate);
    let shared = 0;
    for (const gram of own) if (theirs.has(gram)) shared++;
    const score = (2 * shared) / (own.size + theirs.size || 1);
    if (score > 0.2) scored.push({ candidate, score });
  }
  scored.sort((a, b) => b.score - a.score || (a.candidate < b.candidate ? 1 : -1));
  return scored.slice(0, count).map((each) => each.candidate);
}

function trigrams(text: string): Set<string> {
  const padded = `  ${text.toLowerCase()} `;
  const grams = new Set<string>();
  for (let i = 0; i + 3 <= padded.length; i++) grams.add(padded.slice(i, i + 3));
  return grams;
}
