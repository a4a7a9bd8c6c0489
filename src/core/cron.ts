const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const DAYS = 'sun mon tue wed thu fri sat'.split(' ');
const LONGEST = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

interface Field {
  name: string;
  least: number;
  most: number;
  names: string[];
}

const FIELDS: Field[] = [
  { name: 'second', least: 0, most: 59, names: [] },
  { name: 'minute', least: 0, most: 59, names: [] },
  { name: 'hour', least: 0, most: 23, names: [] },
  { name: 'day of the month', least: 1, most: 31, names: [] },
  { name: 'month', least: 1, most: 12, names: MONTHS },
  { name: 'day of the week', least: 0, most: 7, names: DAYS },
];

/**
 * What is wrong with a cron expression of five fields, or six with seconds first; null where nothing is. Takes what every
 * cron takes (`*`, numbers, names, ranges, lists, steps), so that it can be checked before a scheduler is loaded.
 */
export function cronProblem(expression: string): string | null {
  const words = expression.trim().toLowerCase().split(/\s+/);
  if (words.length !== 5 && words.length !== 6) return `has ${words.length} fields, not 5 (or 6, with seconds)`;
  const fields = FIELDS.slice(6 - words.length);
  const values: number[][] = [];
  for (const [at, field] of fields.entries()) {
    const found = (words[at] ?? '').split(',').map((part) => valuesOf(part, field));
    if (found.includes(null)) return `has a ${field.name} that is none`;
    values.push(found.flatMap((each) => each ?? []));
  }
  const [days = [], months = []] = values.slice(-3);
  const longest = Math.max(...months.map((month) => LONGEST[month - 1] ?? 0));
  return Math.min(...days) > longest ? 'names a day that never comes' : null;
}

/**
 * The last time up to `nowMs` that a cron expression names, in the machine's time zone, ms since 1970; null where it named
 * none within four years. All fields have to hold, also the day of the month and that of the week, as node-cron has it.
 */
export function lastTimeOf(expression: string, nowMs: number): number | null {
  const words = expression.trim().toLowerCase().split(/\s+/);
  const numbers = (at: number) => {
    const parts = (words[at + words.length - FIELDS.length] ?? '0').split(',');
    return [...new Set(parts.flatMap((part) => valuesOf(part, FIELDS[at] as Field) ?? []))].sort((a, b) => b - a);
  };
  const [seconds, minutes, hours, days, months] = [0, 1, 2, 3, 4].map(numbers) as [
    number[],
    number[],
    number[],
    number[],
    number[],
  ];
  const weekdays = numbers(5).map((day) => day % 7);
  const now = new Date(nowMs);
  for (let back = 0; back <= YEARS * 366; back++) {
    const day = new Date(now.getFullYear(), now.getMonth(), now.getDate() - back);
    const isNamed = weekdays.includes(day.getDay()) && days.includes(day.getDate());
    if (!isNamed || !months.includes(day.getMonth() + 1)) continue;
    for (const hour of hours)
      for (const minute of minutes)
        for (const second of seconds) {
          const timeMs = new Date(day).setHours(hour, minute, second);
          if (timeMs <= nowMs) return timeMs;
        }
  }
  return null;
}

const YEARS = 4;

function valuesOf(part: string, { least, most, names }: Field): number[] | null {
  const match = /^(?:(\*)|(\d{1,2}|[a-z]{3})(?:-(\d{1,2}|[a-z]{3}))?)(?:\/(\d{1,2}))?$/.exec(part);
  if (!match) return null;
  const [, star, from, to, every] = match;
  const step = every === undefined ? 1 : Number(every);
  // A step needs something to go through.
  if (step < 1 || (every !== undefined && !star && to === undefined)) return null;
  const number = (text: string) =>
    /^\d/.test(text) ? Number(text) : names.indexOf(text) + (names.includes(text) ? least : -99);
  const first = star ? least : number(from ?? '');
  const last = star ? most : to === undefined ? first : number(to);
  if (!(first >= least && last <= most && first <= last)) return null;
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, at) => first + at * step);
}
