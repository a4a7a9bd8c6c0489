import { firstSentences } from './sentences.js';
import { tokenCounter } from './tokens.js';

/** As many items, from the first, as stay within the budget once rendered. */
export async function fitted<T>(mostTokens: number, items: T[], render: (shown: T[]) => string): Promise<string> {
  const whole = render(items);
  // A token is at least one byte: short texts need no counting.
  if (Buffer.byteLength(whole) <= mostTokens) return whole;
  const count = await tokenCounter();
  if (count(whole) <= mostTokens) return whole;
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (count(render(items.slice(0, middle))) <= mostTokens) low = middle;
    else high = middle - 1;
  }
  return low > 0 || count(render([])) <= mostTokens ? render(items.slice(0, low)) : cut(render([]), mostTokens, count);
}

/** Last resort, where not even the frame fits: its beginning. */
function cut(text: string, mostTokens: number, count: (text: string) => number): string {
  for (let chars = mostTokens * 4; chars > 1; chars = Math.floor(chars * 0.8)) {
    const shorter = firstSentences(text, chars);
    if (count(shorter) <= mostTokens) return shorter;
  }
  return '';
}
