import { median, percentile } from './measure.js';
import type { Ours } from './ours.js';
import type { Reference } from './reference.js';

export interface Result {
  size: number;
  ours: Ours;
  reference: Reference;
}

/** What to aim at with 10,000 sessions. */
const AIMS: Record<string, number> = {
  'cold start to first answer': 1_000,
  'load p95': 20,
  'search p95': 50,
  'save p95': 50,
  'RSS idle, MB': 120,
};

const LARGEST = 10_000;

interface Row {
  name: string;
  ours: number;
  theirs?: number;
  /** What ours is held against; at any size where it is the reference itself. */
  aim?: number;
}

export function rowsOf({ size, ours, reference }: Result): Row[] {
  const calls = (['load', 'search', 'read', 'save', 'list'] as const).flatMap((name) => {
    const theirs = name === 'list' ? [] : reference[name];
    return ([0.5, 0.95] as const).map((share) => ({
      name: `${name} p${share * 100}`,
      ours: percentile(ours[name], share),
      theirs: theirs.length > 0 ? percentile(theirs, share) : undefined,
    }));
  });
  const rows: Row[] = [
    {
      name: 'start to initialize',
      ours: median(ours.starts),
      theirs: median(reference.starts),
      aim: median(reference.starts),
    },
    { name: 'first load_context', ours: median(ours.firstLoads) },
    {
      name: 'cold start to first answer',
      ours: median(ours.firstAnswers),
      theirs: median(reference.firstAnswers),
    },
    ...calls,
    { name: 'RSS idle, MB', ours: ours.idleMegabytes, theirs: reference.idleMegabytes },
    { name: 'RSS after the calls, MB', ours: ours.warmMegabytes, theirs: reference.warmMegabytes },
    { name: `sync of ${size} from nothing`, ours: ours.syncMs },
  ];
  return rows.map((row) => ({ ...row, aim: row.aim ?? (size >= LARGEST ? AIMS[row.name] : undefined) }));
}

/** A table of one size: ours, the reference, how many times slower it is, the aim and whether it is met. */
export function printTable(result: Result): string {
  const lines = rowsOf(result).map(({ name, ours, theirs, aim }) =>
    [
      name.padEnd(28),
      number(ours).padStart(9),
      (theirs === undefined ? '' : number(theirs)).padStart(15),
      (theirs === undefined ? '' : `${number(theirs / ours)}x`).padStart(9),
      aim === undefined ? '' : `  ${ours <= aim ? 'met   ' : 'MISSED'} (<= ${number(aim)})`,
    ]
      .join(' ')
      .trimEnd(),
  );
  const head = `${`${result.size} sessions, ms`.padEnd(28)} ${'strata'.padStart(9)} ${'server-memory'.padStart(15)} ${'ratio'.padStart(9)}  aim`;
  return [head, ...lines].join('\n');
}

function number(value: number): string {
  if (Number.isNaN(value)) return '-';
  return value >= 100 ? Math.round(value).toString() : value.toFixed(value >= 10 ? 1 : 2);
}
