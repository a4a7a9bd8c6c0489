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
