import { ambiguousCommit, unknownCommit } from '../../core/commit-id.js';
import type { Moment } from '../../core/moment.js';
import type { Tip } from '../../core/ports.js';
import { gitFailed, runGit } from './git.js';
import type { ObjectReader } from './reader.js';

/** Which commit in the history of `head` a moment names: see `Origin.asOf`. */
export async function commitAsOf(
  gitDir: string,
  objects: Pick<ObjectReader, 'get'>,
  head: string,
  moment: Moment,
): Promise<(Tip & { timeMs: number }) | null> {
  const commit =
    'commit' in moment
      ? await named(gitDir, objects, head, moment.commit)
      : await before(gitDir, head, moment.beforeMs);
  return commit === null ? null : { commit, timeMs: await timeOf(objects, commit) };
}

async function before(gitDir: string, head: string, beforeMs: number): Promise<string | null> {
  // git counts in seconds: a commit of the second that the time lies in is not after it.
  const seconds = Math.floor(beforeMs / 1000);
  if (seconds < 0) return null;
  const args = ['rev-list', '--max-count=1', '--first-parent', `--before=@${seconds} +0000`, head, '--'];
  const result = await runGit(args, { gitDir });
  if (result.code !== 0) throw gitFailed('rev-list', result);
  return result.stdout.toString('utf8').trim() || null;
}

async function named(
  gitDir: string,
  objects: Pick<ObjectReader, 'get'>,
  head: string,
  prefix: string,
): Promise<string> {
  const found = await runGit(['rev-parse', `--disambiguate=${prefix}`], { gitDir });
  if (found.code !== 0) throw gitFailed('rev-parse', found);
  const reachable: string[] = [];
  for (const id of found.stdout.toString('utf8').split('\n').filter(Boolean)) {
    if ((await objects.get(id))?.type !== 'commit') continue;
    if ((await runGit(['merge-base', '--is-ancestor', id, head], { gitDir })).code === 0) reachable.push(id);
  }
  const [only] = reachable;
  if (only === undefined) throw unknownCommit(prefix);
  if (reachable.length > 1) throw ambiguousCommit(prefix, reachable);
  return only;
}

async function timeOf(objects: Pick<ObjectReader, 'get'>, commit: string): Promise<number> {
  const text = (await objects.get(commit))?.bytes.toString('latin1') ?? '';
  return Number(/^committer .* (\d{1,12}) [+-]\d{4}$/m.exec(text)?.[1] ?? 0) * 1000;
}
