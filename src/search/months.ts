const SOFT = ['ь', 'я', 'ю', 'е', 'ем'];
const HARD = ['', 'а', 'у', 'е', 'ом'];
const forms = (stem: string, endings: string[]) => endings.map((ending) => stem + ending);

const NAMES = [
  ['january', 'jan', 'янв', ...forms('январ', SOFT)],
  ['february', 'feb', 'фев', ...forms('феврал', SOFT)],
  ['march', 'mar', 'мар', ...forms('март', HARD)],
  ['april', 'apr', 'апр', ...forms('апрел', SOFT)],
  ['may', 'май', 'мая', 'маю', 'мае', 'маем'],
  ['june', 'jun', 'июн', ...forms('июн', SOFT)],
  ['july', 'jul', 'июл', ...forms('июл', SOFT)],
  ['august', 'aug', 'авг', ...forms('август', HARD)],
  ['september', 'sept', 'sep', 'сен', 'сент', ...forms('сентябр', SOFT)],
  ['october', 'oct', 'окт', ...forms('октябр', SOFT)],
  ['november', 'nov', 'ноя', ...forms('ноябр', SOFT)],
  ['december', 'dec', 'дек', ...forms('декабр', SOFT)],
];

const MONTHS = new Map(NAMES.flatMap((names, month) => names.map((name): [string, number] => [name, month + 1])));

/** The month that an English or Russian word names, in any form: 1 to 12; 0 for any other word. */
export function monthOf(word: string): number {
  return word.length > 9 ? 0 : (MONTHS.get(word.toLowerCase().replaceAll('ё', 'е')) ?? 0);
}
