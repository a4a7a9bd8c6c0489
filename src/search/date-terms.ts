import { monthOf } from './months.js';

/** A date's terms, the fullest first: `2026-01-15`, its month, its day in any year, its year. */
export function dateTerms(year: number, month: number, day: number): string[] {
  return [`${year}-${two(month)}-${two(day)}`, monthTerm(year, month), dayTerm(month, day), String(year)];
}

export const isDate = (year: number, month: number, day: number) =>
  year >= 1900 && year < 2100 && month >= 1 && month <= 12 && day >= 1 && day <= 31;

const monthTerm = (year: number, month: number) => `${year}-${two(month)}`;
const dayTerm = (month: number, day: number) => `${two(month)}-${two(day)}`;
const two = (number: number) => String(number).padStart(2, '0');

/** What a word may be in a date: a month's name, a day or a year; null for any other word. */
export interface Calendar {
  month: number;
  /** 1–31, or a year from 1900 to 2099. */
  number: number;
}

export function calendarOf(word: string): Calendar | null {
  const month = monthOf(word);
  if (month > 0) return { month, number: 0 };
  const number = word.length <= 4 && /^\d+(?:st|nd|rd|th)?$/i.test(word) ? Number.parseInt(word, 10) : 0;
  return (number > 0 && number <= 31) || (number >= 1900 && number < 2100) ? { month: 0, number } : null;
}

/**
 * Finds dates written in words, one word right after the other: `15 January 2026`, `Jan 15th, 2026`, `January 2026`,
 * «15 января». Called with each word in its turn; gives the terms that this word completes.
 */
export function createDates(): (word: Calendar | null) => string[] {
  let day = 0;
  let month = 0;
  return (word) => {
    if (word === null) {
      day = month = 0;
      return [];
    }
    if (word.month > 0) {
      month = word.month;
      return day > 0 ? [dayTerm(month, day)] : [];
    }
    if (word.number <= 31) {
      if (day > 0) month = 0;
      day = word.number;
      return month > 0 ? [dayTerm(month, day)] : [];
    }
    const terms =
      month === 0 ? [] : day > 0 ? dateTerms(word.number, month, day).slice(0, 2) : [monthTerm(word.number, month)];
    day = month = 0;
    return terms;
  };
}
