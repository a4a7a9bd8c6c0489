import { z } from 'zod';
import { toMemoryError } from '../core/errors.js';
import { fence, many } from '../core/format.js';
import { cleanId, cleanLine } from '../core/input.js';
import { LIMITS } from '../core/limits.js';
import { projectName } from '../core/project.js';
import { goneSources } from './gone-sources.js';
import { defineOperation } from './operation.js';
import { unknownId } from './unknown-id.js';
import { nearestProjects, unknownProject } from './unknown-project.js';

export const verifyWithGithub = defineOperation({
  name: 'verify_with_github',
  title: 'Verify against the origin',
  description:
    'Call to prove that what memory serves is what the repository has: one note, a project or all; repair fetches what differs again.',
  input: z.strictObject({
    id: z.string().min(1).optional(),
    project: z.string().optional(),
    repair: z.boolean().optional(),
  }),
  output: z.object({
    origin: z.string(),
    commit: z.string(),
    tree: z.string(),
    checked: z.number(),
    hashed: z.number(),
    kept: z.number(),
    differences: z.array(z.object({ path: z.string(), fault: z.string() })),
    /** Paths of checkpoints that were changed at the origin. */
    changed: z.array(z.string()),
    repaired: z.number(),
    /** Names like the project's, where it has no notes; null where it has, or none was named. */
    near: z.array(z.string()).nullable(),
    /** Patterns that were drawn from notes which cannot be found. */
    orphaned: z.array(z.object({ id: z.string(), gone: z.array(z.string()) })),
    /** What to know besides. */
    notes: z.array(z.string()),
  }),
  effect: 'change',
  idempotent: true,
  scope: 'read',
  core: true,
  command: {
    name: 'verify',
    about: 'Proves that the mirror is what the repository has',
    positionals: ['id'],
    examples: ['verify', 'verify --repair'],
  },

  async run(input, { services, caller, signal, progress }) {
    const scope = {
      id: input.id === undefined ? undefined : cleanId(input.id).replace(/\.md$/, ''),
      project: input.project === undefined ? undefined : projectName(cleanLine('project', input.project)),
    };
    const verified = services.verify(caller, scope, { repair: input.repair ?? false, signal, progress });
    const { head, ...found } = await verified.catch(async (error) => {
      if (scope.id === undefined || toMemoryError(error).code !== 'not_found') throw error;
      const ids = await services.reader.read(caller, 'fast', 'fast', (reading) => reading.ids(caller));
      throw unknownId(scope.id, ids.value, 'There is no such note, neither at the origin nor in the mirror.');
    });
    const near =
      found.checked > 0 || scope.project === undefined
        ? null
        : (
            await services.reader.read(caller, 'fast', 'fast', (reading) =>
              nearestProjects(reading, caller, scope.project),
            )
          ).value;
    const filter = { kinds: ['pattern' as const], projects: scope.project === undefined ? undefined : [scope.project] };
    const patterns = await services.reader.read(caller, 'fast', 'fast', (reading) =>
      reading.list(caller, filter, { limit: LIMITS.verifiedPatterns }),
    );
    const orphaned = await goneSources(
      patterns.value
        .filter(({ id }) => scope.id === undefined || scope.id === id)
        .map(({ id, digest }) => ({ id, evidence: digest.pattern?.evidence ?? [] })),
      { services, caller },
    );
    return {
      origin: services.origin.name,
      orphaned: [...orphaned].map(([id, gone]) => ({ id, gone })),
      near,
      commit: head?.commit ?? '',
      tree: head?.tree ?? '',
      notes: services.sync.lateNotes(),
      ...found,
    };
  },

  format({ commit, tree, checked, hashed, kept, differences, changed, repaired, near, orphaned, notes }, input) {
    if (near !== null && input.project !== undefined && differences.length === 0)
      return unknownProject(projectName(input.project), near);
    const at = commit === '' ? 'an origin without commits' : `commit ${commit.slice(0, 12)}, tree ${tree.slice(0, 12)}`;
    const also = changedLines(changed) + orphanedLines(orphaned);
    const base = `${many(checked, 'document')} compared with ${at}${notes.map((each) => ` (${each})`).join('')}: `;
    if (differences.length === 0)
      return `${base}all equal; ${hashed} hashed to their blob id${kept > 0 ? `, ${kept} kept at the origin only` : ''}.${also}`;
    const list = differences.slice(0, LIMITS.reportedProblems).map(({ path, fault }) => `- ${fault}: \`${path}\``);
    const more = differences.length > list.length ? `\n…and ${differences.length - list.length} more` : '';
    const done = input.repair ? `${repaired} repaired.` : 'Call again with repair=true to fetch them anew.';
    return `${base}${differences.length} differed. ${done}\n${fence(list.join('\n') + more, 'stored paths')}${also}`;
  },
});

/** The origin has them so: no comparison with it finds them, and nothing that is fetched mends them. */
function changedLines(changed: string[]): string {
  if (changed.length === 0) return '';
  const list = changed.slice(0, LIMITS.reportedProblems).map((path) => `- \`${path}\``);
  const more = changed.length > list.length ? `\n…and ${changed.length - list.length} more` : '';
  const what = changed.length === 1 ? '1 checkpoint was' : `${changed.length} checkpoints were`;
  return `\nCHANGED AT THE ORIGIN: ${what} changed after being made; the seal does not fit. Repair cannot mend that: git history has what was made (read_memory with as_of, or git log).\n${fence(list.join('\n') + more, 'stored paths')}`;
}

/** Empty where every pattern still has its sources. */
function orphanedLines(orphaned: { id: string; gone: string[] }[]): string {
  if (orphaned.length === 0) return '';
  const lines = orphaned
    .slice(0, LIMITS.reportedProblems)
    .map(({ id, gone }) => `- \`${id}\`: ${gone.map((each) => `\`${each}\``).join(', ')}`);
  const more = orphaned.length > lines.length ? `\n…and ${orphaned.length - lines.length} more` : '';
  const which = orphaned.length === 1 ? '1 pattern points' : `${orphaned.length} patterns point`;
  return `\n${which} at notes that cannot be found:\n${fence(lines.join('\n') + more, 'stored ids')}`;
}
