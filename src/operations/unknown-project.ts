import type { Caller } from '../core/caller.js';
import { fence } from '../core/format.js';
import { nearest } from '../core/nearest.js';
import type { View } from '../core/ports.js';

/** Where a project has no notes: at most three known names like it, best first. Null: it has notes, or none is named. */
export async function nearestProjects(
  reading: Pick<View, 'count' | 'projects'>,
  caller: Caller,
  project: string | undefined,
): Promise<string[] | null> {
  if (project === undefined || (await reading.count(caller, { projects: [project] })) > 0) return null;
  return nearest(
    project,
    (await reading.projects(caller)).map((known) => known.project),
  );
}

/** Says that a project has no notes, with the nearest names. */
export function unknownProject(project: string, near: string[]): string {
  return `Project \`${project}\` has no notes.${nearestNames(near)}`;
}

/** Fenced: what notes call their project is anybody's text. */
export function nearestNames(near: string[]): string {
  const names = near.map((name) => `- ${name}`).join('\n');
  return near.length === 0 ? '' : ` The nearest names:\n${fence(names, 'stored names')}`;
}
