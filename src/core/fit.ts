import { Lru } from './lru.js';
import { firstSentences } from './sentences.js';
import { tokenCounter } from './tokens.js';

/** Lines come again in the next answer: their tokens are counted once. */
const counted = new Lru<string, number>(20_000);

/**
 * As many items, from the first, as stay within the budget once rendered. `textOf` is what an item is rendered as, near
 * enough: then few renderings have to be counted.
 */
export async function fitted<T>(
  mostTokens: number,
  items: T[],
  render: (shown: T[]) => string,
  textOf?: (item: T) => string,
): Promise<string> {
  // A token is at least one byte: short texts need no counting.
  const few = items.length <= 64 ? render(items) : null;
  if (few !== null && Buffer.byteLength(few) <= mostTokens) return few;
  const count = await tokenCounter();
  const left = (shown: number) => mostTokens - count(render(items.slice(0, shown)));
  const shown = textOf
    ? near(items.length, (at) => tokensOf(textOf(items[at] as T), count), left)
    : bisected(items.length, left);
  return shown > 0 || left(0) >= 0 ? render(items.slice(0, shown)) : cut(render([]), mostTokens, count);
}

/** Halving: of what is known nothing about. */
function bisected(items: number, left: (shown: number) => number): number {
  let [low, high] = [0, items];
  for (let at = items; low < high; at = Math.ceil((low + high) / 2)) {
    if (left(at) >= 0) low = at;
    else high = at - 1;
  }
  return low;
}

/** From the sum of the items' own tokens, which is right but for a few, one way or the other. */
function near(items: number, tokens: (at: number) => number, left: (shown: number) => number): number {
  let [low, high] = [0, items];
  let at = 0;
  let room = left(0);
  while (low < high) {
    if (room >= 0) {
      low = at;
      for (let more = room; at < high && more >= tokens(at); at++) more -= tokens(at);
    } else {
      high = at - 1;
      for (let over = -room; at > low && over > 0; at--) over -= tokens(at - 1);
    }
    if (at <= low || at > high) break;
    room = left(at);
  }
  return low;
}

function tokensOf(line: string, count: (text: string) => number): number {
  const known = counted.get(line) ?? count(`${line}\n`);
  counted.set(line, known);
  return known;
}

/** Last resort, where not even the frame fits: its beginning. */
function cut(text: string, mostTokens: number, count: (text: string) => number): string {
  for (let chars = mostTokens * 4; chars > 1; chars = Math.floor(chars * 0.8)) {
    const shorter = firstSentences(text, chars);
    if (count(shorter) <= mostTokens) return shorter;
  }
  return '';
}
