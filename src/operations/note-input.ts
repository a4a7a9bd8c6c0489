import { MemoryError } from '../core/errors.js';
import { cleanLine, cleanText } from '../core/input.js';
import { LIMITS } from '../core/limits.js';
import { redact } from '../core/redact.js';
import type { Context } from './operation.js';

/** White space, and marks of no width, alone are nothing that anybody could read. */
const VISIBLE = /[^\p{Cc}\p{Cf}\p{Z}]/u;

/**
 * What every save checks: the name of the note (the argument `named`) and its text. Throws `invalid_input`; `instead` says what
 * to do with a text that is longer than `mostBytes`.
 */
export function cleanNote(
  named: string,
  name: string,
  content: string,
  mostBytes: number = LIMITS.contentBytes,
  instead = 'Save the essence, or several notes.',
): { title: string; body: string } {
  const title = cleanLine(named, name);
  const body = cleanText('content', content);
  const empty = [title, body].findIndex((text) => !VISIBLE.test(text));
  if (empty >= 0)
    throw new MemoryError(
      'invalid_input',
      `\`${empty === 0 ? named : 'content'}\` is empty. Nothing was saved.`,
      'Give it some text.',
    );
  const bytes = Buffer.byteLength(body);
  if (bytes > mostBytes)
    throw new MemoryError(
      'invalid_input',
      `\`content\` has ${bytes} bytes; at most ${mostBytes} can be saved in one note. Nothing was saved.`,
      instead,
    );
  return { title, body };
}

/** The project to save in: it becomes a folder's name, out of which a secret cannot be taken. Throws `refused`. */
export async function projectToSaveIn(named: string | undefined, { project }: Context): Promise<string> {
  const found = await project(named);
  if (named !== undefined && Object.keys((await redact(named)).redactions).length > 0)
    throw new MemoryError(
      'refused',
      'The project name holds a secret. Nothing was saved.',
      'Give a name without it, like owner/repo.',
    );
  return found;
}

/** Lines without those that are empty. */
export function cleanLines(name: string, items: string[] | undefined): string[] | undefined {
  return items?.map((each) => cleanLine(name, each)).filter((each) => each !== '');
}

/** Tags as they are kept. */
export function cleanTags(tags: string[] | undefined): string[] | undefined {
  return cleanLines('tags', tags)?.map((tag) => tag.toLowerCase());
}

/** How a receipt begins. */
export const HEADINGS = {
  saved: 'Saved',
  'already saved': 'Already saved',
  queued: 'QUEUED, not saved yet: kept on this machine, sent when the origin answers',
  unknown: 'UNKNOWN whether it was saved: sent, the answer was lost; kept on this machine until that is settled',
} as const;
