import { expect } from 'vitest';
import { deadlinesOf, hasCache, lacksMirror, OPERATIONS, type OperationName, type Outcome, type Row } from './row.js';
import type { ComponentName, Deadlines, Told } from './world.js';

/** A `fresh` read waits for the head no longer than this. */
const HEAD_MS = 700;
type Wait = 'head' | keyof Deadlines;

/** For a machine under load. How fast an answer is where nothing is waited for is no matter of this. */
const SLACK_MS = 10_000;

const HEADINGS: Record<OperationName, string> = {
  context: 'load_context',
  search: 'search_memory',
  recent: 'read_memory, lately read',
  unread: 'read_memory, never read',
  save: 'save_session',
  own: 'read_memory of that',
  sync: 'sync_now',
};

/** The configured deadlines that an operation may have to wait for, in words: their sum bounds it. */
export function waitsOf(row: Row, operation: OperationName, save: string): Wait[] {
  const { troubles, when } = row;
  const of = (name: ComponentName) =>
    when === 'over' ? undefined : troubles.find(({ component }) => component === name)?.trouble;
  const [github, postgres] = [of('GitHub'), of('Postgres')];
  const silent: Wait[] = postgres === 'hangs' || postgres === 'garbage' ? ['mirror'] : [];
  if (operation === 'own' && (save === 'queued' || save === 'unknown')) return [];
  if (operation === 'save') return github ? [...silent, 'save'] : silent;
  if (operation === 'sync') return github ? [...silent, 'read'] : silent;
  if (lacksMirror(row)) return github ? [...silent, 'read'] : silent;
  return github && operation === 'context' && when === 'in use' ? ['head'] : [];
}

/** What each operation of each row came to, as a table; errors are named by their number in `errors`. */
export function table(rows: Row[], outcomes: Map<string, Outcome>, errors: string[]): string {
  const head = ['', ...OPERATIONS.map((name) => `\`${HEADINGS[name].replace(/, | of /, '`$&')}`), '`memory_status`'];
  const closed = head.map((cell) => (cell.split('`').length % 2 === 0 ? `${cell}\`` : cell));
  const lines = rows.map((row) => {
    const { told, status } = outcomes.get(row.name) as Outcome;
    const save = wordOf(told.save, row);
    const limits = { head: HEAD_MS, ...deadlinesOf(row) };
    const cells = OPERATIONS.map((operation) => {
      const usual = waitsOf(row, operation, save);
      // It is asked for its head all the same, and no longer.
      const waits = wordOf(told[operation], row).startsWith('cache')
        ? usual.map((wait) => (wait === 'read' ? 'head' : wait))
        : usual;
      const mostMs = waits.reduce((sum, wait) => sum + limits[wait], 0) + SLACK_MS;
      expect(told[operation].tookMs, `${row.name}: ${operation}, ${told[operation].text}`).toBeLessThan(mostMs);
      return [cellOf(told[operation], row, errors), ...(waits.length > 0 ? [`≤ ${waits.join(' + ')}`] : [])].join(', ');
    });
    return [row.name, ...cells, statusOf(status, row)];
  });
  return [closed, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function cellOf(told: Told, row: Row, errors: string[]): string {
  if (!told.isError) return wordOf(told, row);
  const what = whatHappened(told.text);
  if (!errors.includes(what)) errors.push(what);
  return `error ${errors.indexOf(what) + 1}`;
}

/** An answer in a few words: what was done, or which tier gave it, and how it is marked. */
function wordOf({ text, isError }: Told, row: Row): string {
  if (isError) return 'error';
  if (text.startsWith('Synced')) return 'synced';
  const receipt = /^(Saved|QUEUED|UNKNOWN)\b/.exec(text)?.[1];
  if (receipt === 'Saved') return /mirror behind/.test(text) ? '**saved**, mirror behind' : '**saved**';
  if (receipt) return receipt.toLowerCase();
  const last = text.split('\n').at(-1) ?? '';
  if (last.startsWith('outbox of this machine')) return 'outbox, *queued*';
  const tier = /^(\w+) (?:[0-9a-f]{10}|never synced|no commits yet), /.exec(last)?.[1];
  if (!tier) throw new Error(`no provenance: ${text}`);
  const marks = [
    ...(/, not confirmed/.test(last) ? ['*not confirmed*'] : []),
    ...(/behind:/.test(last) ? ['*behind*'] : []),
    ...(/degraded:/.test(last) ? ['*degraded*'] : []),
  ];
  // A cache that answers in time is a matter of luck on a machine under load, and never of what is answered.
  const either = hasCache(row) && !lacksMirror(row) && (tier === 'mirror' || tier === 'cache');
  const named = either ? 'mirror or cache' : tier;
  return [named === 'origin' ? 'GitHub' : named, ...marks].join(', ');
}

function statusOf({ text }: Told, row: Row): string {
  const slowCache = row.troubles.some(({ component, trouble }) => component === 'Redis' && trouble === 'slow');
  const down = [...text.matchAll(/^- (.+?) (\w+) \(/gm)]
    .filter(([, name, state]) => state !== 'up' && !(slowCache && name === 'cache'))
    .map(([, name]) => `${name} down`);
  const waiting = /UNCONFIRMED: (\d+) (saved only|sent without)/.exec(text);
  const waits = waiting ? [`${waiting[1]} ${waiting[2] === 'saved only' ? 'queued' : 'unknown'}`] : [];
  return [...down, ...waits].join(', ') || 'all up';
}

/** What happened, without what to do, and without what differs from run to run. */
function whatHappened(text: string): string {
  const plain = text.replace(/127\.0\.0\.1:\d+(\/postgres)?/g, 'HOST').replace(/\b[0-9a-f]{10,40}\b/g, 'ID');
  const [first = '', ...others] = plain.split(/(?<=[.]) /);
  const about = others.findIndex((sentence) => !/^(GitHub|The database|The cache|One save|\d+ saves)\b/.test(sentence));
  return [first, ...others.slice(0, about)].join(' ');
}
