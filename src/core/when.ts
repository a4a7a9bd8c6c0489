import { monthOf } from '../search/months.js';

/**
 * The first date in a piece of text that people wrote: ISO and its file-name forms (`2025-11-16T1523`, `20251116`),
 * `16.11.2025`, `November 16, 2025`, `16 ноября 2025`. Ms since 1970, taken as UTC where no zone is given; null where
 * there is none.
 */
export function findTime(text: string): number | null {
  return isoTime(text) ?? compactTime(text) ?? writtenDate(text);
}

function isoTime(text: string): number | null {
  // A zone needs a colon in it or in the time before it: in a file name `T1523-1000-lines` goes on with words.
  const all = text.matchAll(
    /(?<!\d)(\d{4})[-_/.](\d{1,2})[-_/.](\d{1,2})(?!\d)(?:(?:[Tt_ ]|\s*[-–—,]\s*)(\d{2})[:\-.h]?(\d{2})(?:[:\-.]?(\d{2})(?:[.,](\d{1,9}))?)?(?!\d)\s*(Z|[+-]\d{2}:\d{2}|(?<=:\d{2}(?:[.,]\d{1,9})?\s*)[+-]\d{4}(?!\d))?)?/g,
  );
  for (const iso of all) {
    const found =
      utc(iso[1], iso[2], iso[3], iso[4], iso[5], iso[6], iso[7]?.slice(0, 3), iso[8]) ?? utc(iso[1], iso[2], iso[3]);
    if (found !== null) return found;
  }
  return null;
}

function compactTime(text: string): number | null {
  const compact = /(?<!\d)(20\d{2}|19\d{2})(\d{2})(\d{2})(?:[T_-]?(\d{2})(\d{2})(\d{2})?(\d{3})?Z?)?(?!\d)/.exec(text);
  return compact
    ? (utc(compact[1], compact[2], compact[3], compact[4], compact[5], compact[6], compact[7]) ??
        utc(compact[1], compact[2], compact[3]))
    : null;
}

function writtenDate(text: string): number | null {
  const dotted = /(?<!\d)(\d{1,2})\.(\d{1,2})\.(\d{4})(?:\D{1,3}(\d{2}):(\d{2}))?(?!\d)/.exec(text);
  if (dotted) return utc(dotted[3], dotted[2], dotted[1], dotted[4], dotted[5]);
  for (const match of text.matchAll(/(\p{L}{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})/gu)) {
    const month = monthOf(match[1] ?? '');
    if (month) return utc(match[3], String(month), match[2]);
  }
  for (const match of text.matchAll(/(?<!\d)(\d{1,2})(?:st|nd|rd|th)?\s+(\p{L}{3,9})\.?,?\s+(\d{4})/gu)) {
    const month = monthOf(match[2] ?? '');
    if (month) return utc(match[3], String(month), match[1]);
  }
  return null;
}

function utc(...parts: (string | undefined)[]): number | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(0, 6)
    .map((part) => Number(part ?? 0));
  if (
    year < 1970 ||
    year > 2100 ||
    month < 1 ||
    month > 12 ||
    day < 1 ||
    day > 31 ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  )
    return null;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second, Number((parts[6] ?? '0').padEnd(3, '0')));
  if (new Date(ms).getUTCDate() !== day) return null;
  const zone = /^([+-])(\d{2}):?(\d{2})$/.exec(parts[7] ?? '');
  return zone && Number(zone[2]) <= 14 && Number(zone[3]) <= 59
    ? ms - (zone[1] === '-' ? -1 : 1) * (Number(zone[2]) * 60 + Number(zone[3])) * 60_000
    : ms;
}
