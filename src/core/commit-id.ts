import { MemoryError } from './errors.js';

/** No commit of the branch has that id. Ids are hex, so that they may be told. */
export function unknownCommit(id: string): MemoryError {
  return new MemoryError(
    'not_found',
    `No commit in the history of the memory's branch has the id ${id}.`,
    'Commits that a force push took away, and those of other branches, cannot be looked at. Give a date (2026-01-15) instead, or an id that an answer or a receipt named.',
  );
}

/** Several commits begin with that; `known` are some of them. */
export function ambiguousCommit(prefix: string, known: string[]): MemoryError {
  return new MemoryError(
    'invalid_input',
    `Several commits begin with ${prefix}: ${known
      .slice(0, 5)
      .map((id) => id.slice(0, Math.max(12, prefix.length + 4)))
      .join(', ')}.`,
    'Give more digits of the one you mean.',
  );
}
