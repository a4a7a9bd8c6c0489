import { plain } from '../search/markdown.js';
import type { Block } from './note-blocks.js';
import { firstSentences, sentencesOf } from './sentences.js';

/** A figure or a finding, and how plainly the note itself says that it matters. */
export interface Fact {
  text: string;
  weight: number;
}

/** An amount that means something by itself: money, shares, times, sizes. */
const AMOUNT =
  /[€$£₽¥]\s?\d|\d[\d\s.,]*\s?(?:[€$£₽¥%]|(?:usd|eur|rub|руб|тыс|млн|k|ms|мс|с|s|sec|min|мин|h|hours?|час\p{L}*|days?|дн\p{L}*|kb|mb|gb|кб|мб|гб)(?![\p{L}]))/iu;
const MONEY_HEADING =
  /(?:money|revenue|budget|pric|cost|profit|financ|figures|numbers|metrics|kpi|results?|moneti|деньги|выручк|бюджет|цен[аы]|доход|расход|финанс|цифр|метрик|показател|итоги|монетизац|тариф|продаж)/iu;
const TOTAL = /^(?:\*\*)?\s*(?:итого|всего|total|sum|grand total|subtotal)/iu;
const GOAL =
  /^(?:goal|target|budget|limit|deadline|break.?even|цел[ьи]|бюджет|лимит|дедлайн|срок|точка безубыточности|тариф|price|цена)/iu;
/** What somebody looks for when he comes back to a failure. */
const FINDING =
  /^(?:root cause|cause|impact|result|conclusion|blocker|risk|причина|корень|вывод|результат|блокер|влияние)(?!\p{L})/iu;
const LABEL = /^([^:.!?]{2,60}):\s+\S/u;
/** Longer tables are lists to look things up in. */
const MOST_ROWS = 8;
const FACT_CHARS = 240;

/** The facts of one piece of a note, below the heading that it stands under. */
export function factsOf(block: Block, heading: string): Fact[] {
  const money = MONEY_HEADING.test(heading);
  if (block.kind === 'table') return rowFacts(block, money);
  if (block.kind === 'item') return block.mark === null ? lineFacts(block.text, block.raw, money, true) : [];
  return block.kind === 'paragraph' ? lineFacts(block.text, block.raw, money, false) : [];
}

function lineFacts(text: string, raw: string, money: boolean, item: boolean): Fact[] {
  const label = LABEL.exec(text)?.[1] ?? '';
  const labelled = label !== '' && /^[\s>]*(?:\*\*|__)/.test(raw);
  if (labelled && FINDING.test(label)) return [{ text: firstSentences(text, FACT_CHARS), weight: 2.5 }];
  const strong = [...raw.matchAll(/\*\*([^*]{1,80})\*\*/g)].some(([, words = '']) => /\d/.test(words));
  return sentencesOf(text)
    .filter((sentence) => /\d/.test(sentence))
    .map((sentence, at) => {
      const amount = AMOUNT.test(sentence);
      const weight =
        (amount ? 1 : 0) +
        (money && (item || label !== '') ? 1 : 0) +
        (strong ? 1 : 0) +
        (at === 0 && label !== '' ? 0.5 : 0) +
        (GOAL.test(label) ? 1 : 0);
      return { text: firstSentences(sentence, FACT_CHARS), weight };
    })
    .filter(({ weight }) => weight >= 1.5);
}

function rowFacts({ header, rows }: Extract<Block, { kind: 'table' }>, money: boolean): Fact[] {
  const counted = rows.filter((row) =>
    row.slice(1).some((cell) => AMOUNT.test(cell) || (money && /^\W*\d/.test(cell))),
  );
  if (counted.length === 0 || counted.length * 2 < rows.length) return [];
  const totals = counted.filter((row) => TOTAL.test(row[0] ?? ''));
  const few = rows.length <= MOST_ROWS;
  return (few ? counted : totals).map((row) => {
    const [label = '', ...cells] = row.map(plain);
    const values = cells.flatMap((cell, at) =>
      cell === '' || cell === '—' ? [] : [named(header[at + 1] ?? '', cell)],
    );
    const weight = (totals.includes(row) ? 3 : totals.length > 0 ? 1 : 2) + (money ? 0.5 : 0);
    return { text: `${label}: ${values.join(', ')}`.slice(0, FACT_CHARS), weight };
  });
}

/** A value with its column's name, where the value does not say it. */
function named(column: string, value: string): string {
  return column === '' || value.toLowerCase().includes(column.toLowerCase()) ? value : `${column} ${value}`;
}
