import { byNote, changeLines, sinceLine } from '../core/change-lines.js';
import { type Changes, changesOf, heldChanges, inSum, isHead, pointOf } from '../core/changes.js';
import { fitted } from '../core/fit.js';
import { fence, many } from '../core/format.js';
import type { Consistency } from '../core/reader.js';
import { type ContextAnswer, NO_CONTEXT, nearFirst } from './context-answer.js';
import type { Context } from './operation.js';
import { checkpointNamed, newerThan, pointOfCheckpoint } from './since.js';
import { nearestProjects } from './unknown-project.js';

/** What changed in a project since a commit or a time. */
export async function changesSince(
  since: string,
  input: { project?: string; consistency?: Consistency },
  context: Context,
): Promise<ContextAnswer> {
  const { services, caller } = context;
  const { consistency } = input;
  const head = await services.reader.read(
    caller,
    consistency,
    'fresh',
    async (reading) => (await reading.state()).head,
  );
  const checkpoint = await checkpointNamed(since, 'fast', context);
  const same = isHead(checkpoint?.commit ?? since, head.value?.commit);
  const then = same
    ? null
    : checkpoint
      ? await pointOfCheckpoint(checkpoint, 'fast', context)
      : await pointOf(services.asOf, caller, since, 'fast');
  // Whoever names a checkpoint and nothing else means its project.
  const project = (input.project === undefined ? checkpoint?.project : null) ?? (await context.project(input.project));
  const filter = { projects: [project] };
  const held = await newerThan(checkpoint, await services.held.list(caller, filter), context);
  const { value, provenance: from } = await services.reader.read(caller, consistency, 'fast', async (reading) => {
    const total = await reading.count(caller, filter);
    const unknown = total + held.length === 0;
    return {
      total,
      changes: then
        ? await changesOf(services.asOf, caller, reading, then, project, checkpoint?.path)
        : { commit: head.value?.commit ?? null, sinceMs: checkpoint?.timeMs ?? null, notes: [], left: 0, note: null },
      others: unknown ? await reading.projects(caller) : [],
      near: unknown ? ((await nearestProjects(reading, caller, project)) ?? []) : [],
    };
  });
  const waiting = heldChanges(held);
  const ids = new Set(waiting.map(({ id }) => id));
  return {
    project,
    total: value.total,
    ...NO_CONTEXT,
    changes: {
      ...value.changes,
      checkpoint: checkpoint?.id ?? null,
      notes: inSum([...waiting, ...value.changes.notes.filter(({ id }) => !ids.has(id))]),
    },
    unconfirmed: await services.outbox.unconfirmed(),
    others: nearFirst(value.others, value.near),
    near: value.near.length,
    provenance: same ? head.provenance : from,
  };
}

/** The same as text, within the budget. */
export function formatChanges(
  project: string,
  changes: Changes,
  chars: number,
  most: number,
  foot: string,
): Promise<string> {
  const { notes, left, note } = changes;
  const more = [left > 0 ? `${left} more changes were not looked at` : '', note ?? ''].filter((part) => part !== '');
  const end = [...more, foot].join('\n');
  if (notes.length === 0) {
    const nothing = left === 0 ? 'nothing changed' : 'no change was found';
    return fitted(most, [], () => `Project \`${project}\`: ${nothing} ${sinceLine(changes)}.\n${end}`);
  }
  const head = `Project \`${project}\`: ${many(notes.length, 'note')} changed ${sinceLine(changes)}.`;
  return fitted(
    most,
    changeLines(changes, chars),
    (shown) => (shown.length === 0 ? `${head}\n${end}` : `${head}\n${fence(byNote(shown))}\n${end}`),
    ({ text }) => text,
  );
}
