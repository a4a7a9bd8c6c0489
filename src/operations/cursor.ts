import { MemoryError } from '../core/errors.js';

/** Where a page ended, by what the list is ordered by. */
export function encodeCursor(parts: readonly (number | string)[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** The same again; `like` shows how many parts there are, and of which type. Throws `invalid_input`. */
export function decodeCursor<T extends (number | string)[]>(tool: string, cursor: string, like: T): T {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    const alike = (part: unknown, at: number) =>
      typeof part === typeof like[at] && (typeof part === 'string' || Number.isFinite(part));
    if (Array.isArray(parts) && parts.length === like.length && parts.every(alike)) return parts as T;
  } catch {
    // Said below.
  }
  throw new MemoryError(
    'invalid_input',
    `The cursor is not one that ${tool} gave.`,
    'Leave it out to start from the first page.',
  );
}
