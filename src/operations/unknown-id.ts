import type { Caller } from '../core/caller.js';
import { MemoryError } from '../core/errors.js';
import { fence } from '../core/format.js';
import { nearest } from '../core/nearest.js';
import type { Reading } from '../core/ports.js';

/** The answer to an id that names nothing: `not_found` with the nearest ones, fenced, since file names are anybody's. */
export function unknownId(id: string, ids: Iterable<string>, what = 'There is no note with this id.'): MemoryError {
  const near = nearest(id.slice(0, 200), ids);
  return new MemoryError(
    'not_found',
    what,
    near.length > 0
      ? `The nearest ids:\n${fence(near.map((each) => `- \`${each}\``).join('\n'), 'stored ids')}`
      : 'Find ids with search_memory or list_sessions.',
  );
}

/** The note that an id names, also by its last parts or composed otherwise; null where none or several have it. */
export async function noteNamed(reading: Reading, caller: Caller, id: string): ReturnType<Reading['get']> {
  const found =
    (await reading.get(caller, id)) ??
    (await reading.get(caller, id.replace(/\.md$/, ''))) ??
    (await reading.get(caller, id.trim()));
  if (found) return found;
  const meant = meantId(id, await reading.ids(caller));
  return meant === null ? null : reading.get(caller, meant);
}

/** The id that is meant: in full, in other Unicode (a Mac writes names decomposed; nobody types them so), or its last part where only one has that. */
export function meantId(id: string, ids: string[]): string | null {
  const wanted = id.normalize('NFC');
  const same = ids.filter((each) => each.normalize('NFC') === wanted || each.endsWith(`/${id}`));
  return same.length === 1 ? (same[0] ?? null) : null;
}
