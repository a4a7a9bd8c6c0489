/** Where a sentence ends: not within `e.g.`, `г.`, `1.5` or an initial. */
const END =
  /(?<!(?:^|[\s(])(?:\p{L}|e\.g|i\.e|etc|vs|approx|т\.е|т\.д|т\.п|др|руб|тыс|млн|г|гг|см|стр|ул))[.!?…]+["»”)]*(?=\s|$)/giu;

export function sentencesOf(text: string): string[] {
  const sentences: string[] = [];
  let from = 0;
  for (const match of text.matchAll(END)) {
    const to = match.index + match[0].length;
    sentences.push(text.slice(from, to).trim());
    from = to;
  }
  sentences.push(text.slice(from).trim());
  return sentences.filter((sentence) => sentence !== '');
}

/** Whole sentences up to `most` characters; the first one alone may be cut, at a word, with an ellipsis. */
export function firstSentences(text: string, most: number): string {
  if (text.length <= most) return text;
  let end = 0;
  for (const match of text.slice(0, most + 1).matchAll(END)) {
    const to = match.index + match[0].length;
    if (to <= most) end = to;
  }
  if (end > 0) return text.slice(0, end);
  const word = text.lastIndexOf(' ', most - 1);
  return `${text.slice(0, word > most / 2 ? word : most - 1).toWellFormed()}…`;
}

/** A sentence without an end would leave no room for others. */
const ENDLESS_CHARS = 320;

/** Whole sentences up to so many characters, at least the first; one that does not end is cut at a word. */
export function sentences(text: string, chars: number): string {
  const all = sentencesOf(text);
  let whole = all[0] ?? '';
  for (const each of all.slice(1)) {
    if (whole.length + 1 + each.length > chars) break;
    whole += ` ${each}`;
  }
  if (whole.length <= ENDLESS_CHARS) return whole;
  const word = whole.lastIndexOf(' ', ENDLESS_CHARS - 1);
  return `${whole.slice(0, word > ENDLESS_CHARS / 2 ? word : ENDLESS_CHARS - 1).toWellFormed()}…`;
}
