import { latestPointer } from './compose.js';
import { toMemoryError } from './errors.js';
import { timeInName } from './paths.js';
import type { Change, Mirror } from './ports.js';

/** What a commit says of one of its notes. */
export interface Named {
  path: string;
  project: string;
  title: string;
  client: string;
  /** Not an edit. */
  isNew: boolean;
}

/** The commit's message: what was saved, and as trailers for which projects and by which programs. */
export function commitMessage(notes: Named[]): string {
  const titles = notes.map(({ title }) => title);
  const subject = titles.length === 1 ? `Save: ${titles[0]}` : `Save ${titles.length} notes`;
  const list = titles.length === 1 ? [] : [...titles.slice(0, 50).map((title) => `- ${title}`), ''];
  const trailers = new Set([
    ...notes.map(({ project }) => `Project: ${project}`),
    ...notes.map(({ client }) => coAuthor(client)),
  ]);
  return [subject, '', ...list, ...trailers, ''].join('\n');
}

/** Git's own trailer for whoever had a hand in a commit; the address is nobody's. */
function coAuthor(client: string): string {
  const name = client.replace(/[^\p{L}\p{N} ._/()-]+/gu, '').trim() || 'unknown client';
  const local = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return `Co-authored-by: ${name} <${local || 'client'}@strata-memory>`;
}

/**
 * `LATEST.json` of every project that the notes add a session to. Derived: wrong ones are put right here. `mirror` is
 * null where it does not stand at the head; a mirror that fails is no reason not to save.
 */
export async function newestPointers(mirror: Mirror | null, notes: Named[]): Promise<Change[]> {
  const newest = new Map<string, { path: string; title: string; timeMs: number }>();
  for (const { path, project, title } of notes) {
    // An edit may give the newest session another title; what is no session of ours has no pointer.
    if (!isSession(path, project)) continue;
    const known = newest.get(project) ?? (mirror && (await newestIn(mirror, project)));
    const mine = { path, title, timeMs: timeInName(path) ?? 0 };
    newest.set(project, known && known.path > mine.path ? known : mine);
  }
  return [...newest].map(([project, pointer]) => latestPointer(project, pointer));
}

async function newestIn(mirror: Mirror, project: string) {
  try {
    return await mirror.snapshot((view) => view.newestSession(project));
  } catch (error) {
    if (toMemoryError(error).code === 'mirror_unavailable') return null;
    throw error;
  }
}

function isSession(path: string, project: string): boolean {
  return path.startsWith(`sessions/${project}/`) && /\/\d{8}T\d{9}Z-[^/]*\.md$/.test(path);
}
