/** Beginnings of words as numbers of 31 bits, ascending, each once: such sets are compared a million times. */
export type Stems = readonly number[];

/** Words that say how far something is, or nothing at all. */
const EMPTY = `a an the and or of to in on at by for with from as if is it its be we i you that this are was were been has have
  had our their into onto about after before than then done ready live works working closed finished published shipped fixed made
  told
  в во к ко с со у о об и а но на по за из от до не мы я ты вы то же для под над при про без или что как это его она они был
  была было были уже ещё все всё после перед через
  готов готова готово готовы сделан сделана сделано сделали работает работают закрыт закрыта закрыто вышла вышел вышло`;
/** Letters that most endings leave alone, in English and Russian. */
const STEM_LETTERS = 5;

/** `купить`, `купил`: the letter that changes is among the first five. */
const SHORT_VERBS = 'взять задать залить купить нанять начать отдать решить сдать снять убрать узнать'
  .split(' ')
  .map((verb) => `${verb} ${['л', 'ла', 'ло', 'ли'].map((end) => verb.replace(/ть$/, end)).join(' ')}`);
/** Verbs that begin otherwise once they are done: `Write the importer`, `Wrote the importer`. */
const DONE_FORMS = `begin began begun|bring brought|build built|buy bought|choose chose chosen|draw drew drawn|feed fed
  |find found|get got|give gave given|keep kept|meet met|pay paid|rebuild rebuilt|rewrite rewrote rewritten|run ran|sell sold
  |send sent|speak spoke spoken|take took taken|teach taught|tell told|write wrote written
  |найти нашел нашла нашли найден найдена найдено|завести завел завела завели|перевести перевел перевела перевели
  |провести провел провела провели`;

export interface ReadLine {
  all: Stems;
  /** Of words before `headEnd`. */
  head: Stems;
  /** Without words that begin with a digit. */
  letters: Stems;
  /** Runs of digits, as they stand. */
  numbers: Stems;
  /** Of the whole line, the same for the same words in the same order: 52 bits. */
  name: number;
}

let letters: Uint8Array | undefined;
let empty: Set<number> | undefined;
/** The stem of a verb's other forms. */
let forms: Map<number, number> | undefined;

/** @param text in lower case */
export function readLine(text: string, headEnd: number = text.length): ReadLine {
  letters ??= Uint8Array.from({ length: 65_536 }, (_, code) =>
    Number(/[\p{L}\p{N}_]/u.test(String.fromCharCode(code))),
  );
  empty ??= new Set(EMPTY.split(/\s+/).map((word) => hashOf(word, 0, word.length)));
  forms ??= new Map(DONE_FORMS.split('|').concat(SHORT_VERBS).flatMap(formsOf));
  const [all, head, counted, numbers]: number[][] = [[], [], [], []];
  let [one, other] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    if (letters[text.charCodeAt(at)] === 0) continue;
    const from = at;
    let digits = -1;
    for (; letters[text.charCodeAt(at)] === 1; at++) {
      const digit = isDigit(text.charCodeAt(at));
      if (digit && digits < 0) digits = at;
      if (!digit && digits >= 0) {
        insert(numbers as number[], hashOf(text, digits, at));
        digits = -1;
      }
    }
    if (digits >= 0) insert(numbers as number[], hashOf(text, digits, at));
    const word = hashOf(text, from, at);
    one = mixed(one, word);
    other = mixed(other ^ word, 0x2545f491);
    if (empty.has(word)) continue;
    const stem = forms.get(word) ?? hashOf(text, from, Math.min(at, from + STEM_LETTERS));
    insert(all as number[], stem);
    if (from < headEnd) insert(head as number[], stem);
    if (isDigit(text.charCodeAt(from))) insert(counted as number[], stem);
  }
  const stems = all as number[];
  return {
    all: stems,
    head: headEnd === text.length ? stems : (head as number[]),
    letters: counted?.length === 0 ? stems : stems.filter((stem) => !counted?.includes(stem)),
    numbers: numbers as number[],
    name: (one >>> 0) * 2 ** 20 + (other >>> 12),
  };
}

function formsOf(verb: string): [number, number][] {
  const [first = '', ...others] = verb.trim().split(/\s+/);
  const stem = hashOf(first, 0, Math.min(first.length, STEM_LETTERS));
  return others.map((form) => [hashOf(form, 0, form.length), stem]);
}

/** How many are in both. */
export function shared(a: Stems, b: Stems): number {
  let [common, i, j] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    const difference = (a[i] as number) - (b[j] as number);
    if (difference === 0) common++;
    if (difference <= 0) i++;
    if (difference >= 0) j++;
  }
  return common;
}

/** All that are in any of them. */
export function together(some: readonly Stems[]): Stems {
  return [...new Set(some.flat())].sort((a, b) => a - b);
}

/** Whether all of the first are among the second. */
export const within = (some: Stems, all: Stems): boolean => shared(some, all) === some.length;

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** In order, once. */
function insert(ascending: number[], value: number): void {
  let at = ascending.length;
  while (at > 0 && (ascending[at - 1] as number) > value) at--;
  if (ascending[at - 1] === value) return;
  ascending.splice(at, 0, value);
}

function hashOf(text: string, from: number, to: number): number {
  let hash = 0;
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    // `ё` is often written `е`.
    hash = mixed(hash, code === 0x451 ? 0x435 : code);
  }
  return hash >>> 1;
}

/** FNV-1a, 32 bits, with the high bits brought down. */
export function mixed(hash: number, value: number): number {
  const product = Math.imul((hash || 0x811c9dc5) ^ value, 0x01000193);
  return product ^ (product >>> 15);
}
