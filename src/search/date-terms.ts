const MONTHS = new Map(
  [
    'january jan январь января январе янв',
    'february feb февраль февраля феврале фев',
    'march mar март марта марте мар',
    'april apr апрель апреля апреле апр',
    'may май мая мае',
    'june jun июнь июня июне июн',
    'july jul июль июля июле июл',
    'august aug август августа августе авг',
    'september sep sept сентябрь сентября сентябре сен сент',
    'october oct октябрь октября октябре окт',
    'november nov ноябрь ноября ноябре ноя',
    'december dec декабрь декабря декабре дек',
  ].flatMap((names, month) => names.split(' ').map((name): [string, number] => [name, month + 1])),
);

/** A date's terms, the fullest first: `2026-01-15`, its month, its day in any year, its year. */
export function dateTerms(year: number, month: number, day: number): string[] {
  return [`${year}-${two(month)}-${two(day)}`, monthTerm(year, month), dayTerm(month, day), String(year)];
}

export const isDate = (year: number, month: number, day: number) =>
  year >= 1900 && year < 2100 && month >= 1 && month <= 12 && day >= 1 && day <= 31;

const monthTerm = (year: number, month: number) => `${year}-${two(month)}`;
const dayTerm = (month: number, day: number) => `${two(month)}-${two(day)}`;
const two = (number: number) => String(number).padStart(2, '0');

/**
 * Finds dates written in words, one word after the other: `15 January 2026`, `Jan 15th, 2026`, `January 2026`,
 * «15 января». Called with each word and the place after it; gives the terms that this word completes.
 */
export function createDates(): (raw: string, place: number) => string[] {
  let day = 0;
  let month = 0;
  let last = 0;
  return (raw, place) => {
    const adjacent = place === last + 1;
    last = place;
    if (!adjacent) day = month = 0;
    const number = raw.length <= 4 && /^\d+(?:st|nd|rd|th)?$/i.test(raw) ? Number.parseInt(raw, 10) : 0;
    const named = number === 0 && raw.length <= 9 ? MONTHS.get(raw.toLowerCase()) : undefined;
    if (named !== undefined) {
      month = named;
      return day > 0 ? [dayTerm(month, day)] : [];
    }
    if (number > 0 && number <= 31 && raw.length <= 4) {
      const known = month > 0 && day === 0;
      day = number;
      if (known) return [dayTerm(month, day)];
      month = 0;
      return [];
    }
    const year = number >= 1900 && number < 2100 && month > 0 ? number : 0;
    const terms = year === 0 ? [] : day > 0 ? dateTerms(year, month, day).slice(0, 2) : [monthTerm(year, month)];
    day = month = 0;
    return terms;
  };
}
