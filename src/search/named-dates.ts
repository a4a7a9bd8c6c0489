import { monthOf } from './months.js';

/** A time that a query names: a day, a month (of a year or of any) or a year; null where it is not named. */
export interface NamedDate {
  year: number | null;
  /** 0 to 11. */
  month: number | null;
  day: number | null;
}

const YEAR = /^(?:19|20)\d\d$/;
const DAY = /^(\d{1,2})(?:st|nd|rd|th|го|е)?$/;

/** 2023-05-08, 2023/05/08, 08.05.2023, 8/5/2023 (day first, unless that cannot be). */
const NUMERIC =
  /(?<!\d)(?:((?:19|20)\d\d)[-/.](\d{1,2})(?:[-/.](\d{1,2}))?|(\d{1,2})[./](\d{1,2})[./]((?:19|20)\d\d))(?!\d)/g;

/** Every date that a query names, in English or Russian words or in numbers. */
export function namedDates(query: string): NamedDate[] {
  const dates: NamedDate[] = [];
  const rest = query.replace(NUMERIC, (_, y1, m1, d1, first, second, y2) => {
    const [year, a, b] = y1
      ? [Number(y1), Number(m1), d1 ? Number(d1) : null]
      : [Number(y2), Number(second), Number(first)];
    const swapped = !y1 && a > 12;
    const month = swapped ? (b as number) : a;
    const day = swapped ? a : b;
    if (month >= 1 && month <= 12 && (day === null || (day >= 1 && day <= 31)))
      dates.push({ year, month: month - 1, day });
    return ' ';
  });
  const words = rest.match(/[\p{L}\p{N}]+/gu) ?? [];
  const used = new Set<number>();
  for (const [i, word] of words.entries()) {
    const month = monthOf(word) - 1;
    if (month < 0) continue;
    const before = dayIn(words[i - 1]) ?? (words[i - 1] === 'of' ? dayIn(words[i - 2]) : null);
    const after = dayIn(words[i + 1]);
    const yearAt = [i + 1, i + 2].find((at) => YEAR.test(words[at] ?? '') && !used.has(at));
    const day = before ?? after;
    // "may" and "march" are words, too: they need a day or year beside them, or a capital letter within the sentence.
    const doubtful = /^(may|march|mar|dec|sep|oct|jan)$/i.test(word);
    if (doubtful && day === null && yearAt === undefined && (i === 0 || word[0] === word[0]?.toLowerCase())) continue;
    if (yearAt !== undefined) used.add(yearAt);
    dates.push({ year: yearAt === undefined ? null : Number(words[yearAt]), month, day });
  }
  for (const [i, word] of words.entries()) {
    if (YEAR.test(word) && !used.has(i)) dates.push({ year: Number(word), month: null, day: null });
  }
  return dates;
}

function dayIn(word: string | undefined): number | null {
  const day = Number(DAY.exec(word ?? '')?.[1]);
  return day >= 1 && day <= 31 ? day : null;
}

const DAY_MS = 86_400_000;

/**
 * How well a time fits the best of the dates: 1 in the month that is named (and the year, if it is), 0.5 in the year;
 * for a full date exp(−|days| / 7), twice the distance for what was written before it. 0: does not fit.
 */
export function dateFit(timeMs: number, dates: readonly NamedDate[]): number {
  const time = new Date(timeMs);
  let best = 0;
  for (const { year, month, day } of dates) {
    const sameYear = year === null || year === time.getUTCFullYear();
    if (year !== null && month !== null && day !== null) {
      const days = (timeMs - Date.UTC(year, month, day, 12)) / DAY_MS;
      best = Math.max(best, Math.exp(-(days < 0 ? -2 * days : days) / 7));
    } else if (month !== null) best = Math.max(best, sameYear && month === time.getUTCMonth() ? 1 : 0);
    else best = Math.max(best, sameYear ? 0.5 : 0);
  }
  return best;
}
