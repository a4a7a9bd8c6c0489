import { idOfPath } from '../core/paths.js';
import type { Context } from './operation.js';

/**
 * The sources of patterns that cannot be found, by the pattern's id: gone, or not for the caller to see, which nobody is to
 * tell apart. Patterns that have all of theirs are left out. One question, to the nearest tier: where it cannot be asked
 * nothing is said to be gone, since that must not cost the answer. By hand people name files, so ids may have `.md`.
 */
export async function goneSources(
  patterns: { id: string; evidence: string[] }[],
  { services, caller }: Pick<Context, 'services' | 'caller'>,
): Promise<Map<string, string[]>> {
  const all = [...new Set(patterns.flatMap(({ evidence }) => evidence.map(idOfPath)))];
  if (all.length === 0) return new Map();
  const held = await services.held.list(caller, {});
  const look = services.reader.read(caller, 'fast', 'fast', (reading) => reading.present(caller, all));
  const there = await look.then(({ value }) => new Set(value)).catch(() => new Set(all));
  for (const { document } of held) there.add(document.id);
  return new Map(
    patterns
      .map(({ id, evidence }) => [id, evidence.filter((each) => !there.has(idOfPath(each)))] as const)
      .filter(([, gone]) => gone.length > 0),
  );
}
