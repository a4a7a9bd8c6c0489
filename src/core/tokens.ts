let count: ((text: string) => number) | undefined;

/**
 * Counts tokens as the o200k encoding does. The table takes a quarter of a second and tens of megabytes to load, so it
 * is loaded on first need, never on the way to `initialize`.
 */
export async function tokenCounter(): Promise<(text: string) => number> {
  if (count) return count;
  const encoding = await import('gpt-tokenizer/encoding/o200k_base');
  // Notes may hold the names of special tokens: they are text here.
  const options = { disallowedSpecial: new Set<string>() };
  count = (text) => encoding.countTokens(text, options);
  return count;
}
