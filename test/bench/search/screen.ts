/**
 * Which pieces of evidence can be read in an answer: of each, whether at least half of its runs of four words (all of its words
 * where it is shorter) stand there. Case and punctuation do not count.
 */
export function evidenceOnScreen(answer: string, evidence: readonly string[]): boolean[] {
  const shown = wordsOf(answer);
  return evidence.map((each) => {
    const words = wordsOf(each);
    const length = Math.min(4, words.length);
    const wanted = runsOf(words, length);
    const there = runsOf(shown, length);
    return 2 * [...wanted].filter((run) => there.has(run)).length >= wanted.size;
  });
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}'’]+/gu) ?? [];
}

function runsOf(words: string[], length: number): Set<string> {
  const runs = new Set<string>();
  for (let at = 0; length > 0 && at + length <= words.length; at++) runs.add(words.slice(at, at + length).join(' '));
  return runs;
}
