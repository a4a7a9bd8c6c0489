import { MemoryError } from '../../core/errors.js';
import { fence, minute } from '../../core/format.js';
import type { OutboxEntry } from '../../core/ports.js';
import type { Command, CommandContext } from './command.js';

/** Saves that wait for the origin: listed, read, and given up where they should never be sent. */
export const outboxCommand: Command = {
  name: 'outbox',
  about:
    'Lists saves that wait for GitHub; `show N` prints one, `drop N` gives it up, `take` takes over those of another origin.',
  positionals: ['what', 'number'],
  options: { origin: { type: 'string', about: 'of this origin, as `outbox` names it; default: the one in force' } },
  examples: ['outbox', 'outbox show 3', 'outbox drop 3', 'outbox take --origin github.com/owner/old@HEAD'],

  async run(context) {
    const { positionals, services, values, out, json } = context;
    const [what = 'list', number, ...more] = positionals;
    const { durable, origin, outbox } = await services();
    const name = typeof values.origin === 'string' ? values.origin : origin.name;
    if (what === 'list' && number === undefined) return list(context, name);
    if (what === 'take' && number === undefined && name !== origin.name) {
      const taken = await outbox.take(name);
      out(json ? JSON.stringify({ taken }) : `${taken} saves wait for ${origin.name} now. Send them with sync.`);
      return 0;
    }
    if (more.length > 0 || (what !== 'show' && what !== 'drop'))
      throw new MemoryError(
        'invalid_input',
        'outbox knows `list`, `show N`, `drop N` and `take --origin NAME`.',
        'See outbox --help.',
      );
    const found = (await durable.queued(name)).find((each) => String(each.entry) === number);
    if (!found)
      throw new MemoryError('not_found', 'No save with that number waits for it.', 'Run outbox for all of them.');
    const entry = what === 'drop' ? await outbox.drop(name, found.entry) : found;
    const text = Buffer.from(entry.content).toString('utf8');
    if (json) out(JSON.stringify({ ...rowOf(entry), text, dropped: what === 'drop' }, null, 2));
    else {
      const maybe = entry.sent ? ' (it was sent before without an answer: it may be at the origin all the same)' : '';
      const head = what === 'drop' ? `Dropped${maybe}; this was its text` : lineOf(entry);
      out(`${head}\n${fence(text, 'the text that waits')}`);
    }
    return 0;
  },
};

async function list({ services, json, out }: CommandContext, name: string): Promise<number> {
  const { durable } = await services();
  const rows = await durable.queued(name);
  const others = (await durable.queues()).filter(({ origin }) => origin !== name);
  if (json) out(JSON.stringify({ origin: name, waiting: rows.map(rowOf), others }, null, 2));
  else
    out(
      [
        rows.length === 0 ? `Nothing waits for ${name}.` : `Waiting for ${name}:`,
        ...rows.map(lineOf),
        ...others.map(
          ({ origin, count }) =>
            `${count} wait for ${origin}: outbox --origin ${origin}, or take them over with outbox take --origin ${origin}`,
        ),
      ].join('\n'),
    );
  return 0;
}

function rowOf({ entry, path, subject, queuedAtMs, sent, attempts, lastError }: OutboxEntry) {
  return { entry, id: path.replace(/\.md$/, ''), subject, queuedAtMs, sent, attempts, lastError };
}

function lineOf(entry: OutboxEntry): string {
  const { id, subject, queuedAtMs, sent, attempts, lastError } = rowOf(entry);
  const state = sent ? 'sent without an answer' : 'queued';
  return `${entry.entry}  ${id}\n   ${state} ${minute(queuedAtMs)} UTC by ${subject}, ${attempts} tries${lastError ? `: ${lastError}` : ''}`;
}
