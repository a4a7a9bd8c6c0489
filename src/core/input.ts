import { MemoryError } from './errors.js';
import { LIMITS } from './limits.js';

/** Refuses text that no file or answer should hold; returns it unchanged otherwise. Throws `invalid_input`. */
export function cleanText(name: string, text: string): string {
  if (!text.isWellFormed()) {
    const at = [...text].findIndex((each) => /^[\ud800-\udfff]$/.test(each));
    throw new MemoryError(
      'invalid_input',
      `\`${name}\` holds half a character (a lone surrogate) at character ${at + 1}. Nothing was done.`,
      'Send the text again with that character whole or left out.',
    );
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.exec(text);
  if (control) {
    const code = control[0].charCodeAt(0).toString(16).padStart(4, '0').toUpperCase();
    throw new MemoryError(
      'invalid_input',
      `\`${name}\` holds the control character U+${code} at character ${control.index + 1}. Nothing was done.`,
      'Send the text again without it; tab and line breaks are allowed.',
    );
  }
  return text;
}

/** As `cleanText`, on one line. */
export function cleanLine(name: string, text: string): string {
  return cleanText(name, text).replace(/\s+/g, ' ').trim().normalize('NFC');
}

/** A document id as a caller may name one: no path tricks. A trailing `.md` is taken off. Throws `invalid_input`. */
export function cleanId(text: string): string {
  // Spaces may be part of a file's name; line breaks around an id are the caller's.
  const id = cleanText('id', text.replace(/^[\r\n\t]+|[\r\n\t]+$/g, ''));
  const problem =
    id.trim() === ''
      ? 'it is empty'
      : id.length > LIMITS.idChars
        ? `it has ${id.length} characters, at most ${LIMITS.idChars} are allowed`
        : /^[\\/]|^[A-Za-z]:[\\/]/.test(id)
          ? 'it is an absolute path'
          : id.split(/[\\/]/).some((part) => part === '..' || part === '.')
            ? 'it climbs out of its folder'
            : /[\n\r\t]/.test(id)
              ? 'it has a line break or tab in it'
              : null;
  if (problem) {
    throw new MemoryError(
      'invalid_input',
      `The id is not usable: ${problem}.`,
      'Use an id as list_sessions and search_memory print it.',
    );
  }
  return id;
}

/** A date or time as ISO 8601, e.g. `2026-11-21` or `2026-11-21T09:30Z`; ms since 1970. Throws `invalid_input`. */
export function cleanTime(name: string, text: string): number {
  const match =
    /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/.exec(
      text.trim(),
    );
  const timeMs = match ? Date.parse(isoOf(text.trim(), match)) : Number.NaN;
  const day = match ? new Date(Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3]))) : null;
  if (!match || Number.isNaN(timeMs) || day?.getUTCDate() !== Number(match[3])) {
    throw new MemoryError(
      'invalid_input',
      `\`${name}\` is not a date that exists.`,
      'Write it as 2026-11-21 or 2026-11-21T09:30:00Z.',
    );
  }
  return timeMs;
}

function isoOf(text: string, match: RegExpExecArray): string {
  if (!match[4]) return `${text}T00:00:00Z`;
  const joined = text.replace(' ', 'T');
  return match[7] ? joined : `${joined}Z`;
}
