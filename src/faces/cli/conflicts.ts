import { MemoryError } from '../../core/errors.js';
import { fence, minute } from '../../core/format.js';
import type { Command, CommandContext } from './command.js';

const KEEP = ['theirs', 'mine'] as const;

/** Queued edits that met a newer version and lost: listed, read, resolved. */
export const conflictsCommand: Command = {
  name: 'conflicts',
  about:
    'Lists queued edits that lost to a newer version; `show N` prints one, `resolve N --keep theirs|mine` ends it.',
  positionals: ['what', 'number'],
  options: { keep: { type: 'string', about: 'theirs | mine: which text is to stand', values: [...KEEP] } },
  examples: ['conflicts', 'conflicts show 3', 'conflicts resolve 3 --keep mine', 'conflicts --json'],

  async run(context) {
    const [what = 'list', number, ...more] = context.positionals;
    if (more.length > 0 || (what === 'list' && number !== undefined)) throw unclear();
    if (what === 'list') return list(context);
    if (what === 'show') return show(context, numberOf(number));
    if (what === 'resolve') return resolve(context, numberOf(number));
    throw unclear();
  },
};

async function list({ services, caller, json, out }: CommandContext): Promise<number> {
  const { conflicts } = await services();
  const all = await conflicts.list(caller);
  const ids = [...new Set(all.map(({ document }) => document.id))];
  const now = all.length === 0 ? new Map<string, string>() : await conflicts.standing(caller, ids);
  const rows = all.map(({ conflict, document, foundAtMs, subject, readAtBlob }) => ({
    conflict,
    id: document.id,
    title: document.title,
    foundAtMs,
    subject,
    readAtBlob,
    blobNow: now.get(document.id) ?? null,
  }));
  if (json) out(JSON.stringify(rows, null, 2));
  else if (rows.length === 0) out('No conflicts: every queued edit was taken.');
  else {
    const lines = rows.map(
      (each) =>
        `${each.conflict}  ${each.id}\n   ${minute(each.foundAtMs)} UTC by ${each.subject}, read at ${short(each.readAtBlob)}, there now ${short(each.blobNow)}`,
    );
    out(
      `${lines.join('\n')}\n\nRead one: strata-memory conflicts show N. End it: strata-memory conflicts resolve N --keep theirs|mine.`,
    );
  }
  return 0;
}

async function show({ services, caller, json, out }: CommandContext, number: number): Promise<number> {
  const { conflict, document, content, foundAtMs, subject, readAtBlob, currentBlob } = await (
    await services()
  ).conflicts.get(caller, number);
  const text = Buffer.from(content).toString('utf8');
  const facts = { conflict, id: document.id, foundAtMs, subject, readAtBlob, blobThen: currentBlob };
  if (json) out(JSON.stringify({ ...facts, text }, null, 2));
  else
    out(
      `conflict ${conflict} · ${minute(foundAtMs)} UTC by ${subject} · read at ${short(readAtBlob)}, lost to ${short(currentBlob)}\n${fence(`${document.id}\n\n${text}`, 'the text that lost')}`,
    );
  return 0;
}

async function resolve({ services, caller, values, json, out }: CommandContext, number: number): Promise<number> {
  const keep = KEEP.find((each) => each === values.keep);
  if (keep === undefined)
    throw new MemoryError(
      'invalid_input',
      'Which text is to stand? Nothing was done.',
      '--keep theirs leaves what stands there now; --keep mine saves the text that lost over it.',
    );
  const receipt = await (await services()).conflicts.resolve(caller, number, keep);
  const saved = receipt && { status: receipt.status, id: receipt.id, blob: receipt.blob, commit: receipt.commit };
  if (json) out(JSON.stringify({ conflict: number, keep, saved }, null, 2));
  else if (saved) out(`Conflict ${number}: your text is ${saved.status} as ${saved.id} (blob ${saved.blob}).`);
  else out(`Conflict ${number}: what stands there stays.`);
  return 0;
}

function numberOf(text: string | undefined): number {
  const number = Number(text?.replace(/^conflicts\//, ''));
  if (text !== undefined && Number.isSafeInteger(number) && number > 0) return number;
  throw new MemoryError(
    'invalid_input',
    'Which conflict? It is named by its number.',
    'Run strata-memory conflicts for all of them.',
  );
}

function unclear(): MemoryError {
  return new MemoryError(
    'invalid_input',
    'conflicts knows `list`, `show N` and `resolve N`.',
    'See strata-memory conflicts --help.',
  );
}

function short(blob: string | null): string {
  return blob === null ? 'nothing' : `blob ${blob.slice(0, 12)}`;
}
