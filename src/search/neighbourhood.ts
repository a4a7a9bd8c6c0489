import type { Range } from './units.js';

/** Texts up to here are looked at whole; of longer ones about as much is. In characters. */
const WHOLE_CHARS = 100_000;
const BLOCK_CHARS = 1_024;
const BLOCKS = 48;

/**
 * Where in a text its best passages may be: all of it, or of a long one the beginning, the blocks that hold most of the
 * wanted terms, and those around the closest chunks. Terms are looked for by their beginnings, since what the analyser made
 * of a word is not what stands there: a guess that only has to be near.
 */
export function neighbourhoods(text: string, wanted: ReadonlyMap<string, number>, closest: readonly Range[]): Range[] {
  if (text.length <= WHOLE_CHARS) return [[0, text.length]];
  const scores = new Float64Array(Math.ceil(text.length / BLOCK_CHARS));
  // The only capital letter whose small form is longer.
  const small = text.replaceAll('İ', 'I').toLowerCase().replaceAll('ё', 'е');
  for (const [term, idf] of wanted) {
    const beginning = term.length > 4 ? term.slice(0, -1) : term;
    for (let at = small.indexOf(beginning); at >= 0; ) {
      const block = Math.floor(at / BLOCK_CHARS);
      scores[block] = (scores[block] as number) + idf;
      at = small.indexOf(beginning, (block + 1) * BLOCK_CHARS);
    }
  }
  const most = Math.max(...scores);
  for (const [from] of closest) scores[Math.floor(from / BLOCK_CHARS)] = 2 * most + 1;
  scores[0] = (scores[0] as number) + 1e-9;
  const best = [...scores.keys()]
    .filter((block) => (scores[block] as number) > 0)
    .sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b)
    .slice(0, BLOCKS)
    .sort((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (const block of best) {
    // What surrounds a match belongs to it.
    const from = Math.max(0, block * BLOCK_CHARS - BLOCK_CHARS / 2);
    const to = Math.min(text.length, (block + 1) * BLOCK_CHARS + BLOCK_CHARS / 2);
    const last = ranges.at(-1);
    if (last && last[1] >= from) last[1] = to;
    else ranges.push([from, to]);
  }
  return ranges;
}
