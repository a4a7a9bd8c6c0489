import type { Context } from './operation.js';

/**
 * The sources of patterns that are not there any more, by the pattern's id; patterns that have all of theirs are left out. One
 * question, to the nearest tier: where it cannot be asked nothing is said to be gone, since that must not cost the answer.
 */
export async function goneSources(
  patterns: { id: string; evidence: string[] }[],
  { services, caller }: Pick<Context, 'services' | 'caller'>,
): Promise<Map<string, string[]>> {
  const all = [...new Set(patterns.flatMap(({ evidence }) => evidence))];
  if (all.length === 0) return new Map();
  const held = await services.held.list(caller, {});
  const look = services.reader.read(caller, 'fast', 'fast', (reading) => reading.present(caller, all));
  const there = await look.then(({ value }) => new Set(value)).catch(() => new Set(all));
  for (const { document } of held) there.add(document.id);
  return new Map(
    patterns
      .map(({ id, evidence }) => [id, evidence.filter((each) => !there.has(each))] as const)
      .filter(([, gone]) => gone.length > 0),
  );
}
