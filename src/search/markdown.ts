/** The words of a heading line (`## 🎯 Next steps:`, `**Decisions**`), or null. */
export function headingOf(line: string): string | null {
  if (line.length > 2_000) return null;
  const hashes = /^#{1,6}\s+(?=\S)/.exec(line)?.[0];
  const words = hashes ? withoutClosing(line.slice(hashes.length)) : /^\*\*([^*]{2,80}?):?\*\*:?$/.exec(line)?.[1];
  return words === undefined ? null : plain(words).replace(/:$/, '');
}

/** `Next steps ##` is said without what closes it, `C#` is whole. */
function withoutClosing(words: string): string {
  let end = words.length;
  while (words[end - 1] === '#') end--;
  return end === 0 || /\s/.test(words[end - 1] as string) ? words.slice(0, end).trimEnd() : words;
}

/** One line without Markdown marks, leading emoji or control characters. */
export function plain(text: string): string {
  return text
    .replace(/!?\[([^[\]]*)\]\([^()]*\)/g, '$1')
    .replace(/(\*\*|__|~~|`)/g, '')
    .replace(/^(?:[\s\p{Extended_Pictographic}>]|\u{fe0f}|\u{200d})+/u, '')
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
