import { LIMITS } from '../../core/limits.js';
import { decodePath, readablePath } from '../../core/paths.js';
import { gitFailed, runGit, spawnGit } from './git.js';

/** In every commit of ours, and so how they are known. */
export const COMMITTER_EMAIL = 'strata-memory@localhost';

/** When each path was last changed, from one walk of the history, ended as soon as every path was met. Ms since 1970. */
export async function pathTimes(gitDir: string, commit: string, wanted: Set<string>): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  if (wanted.size === 0) return times;
  let rest: Buffer = Buffer.alloc(0);
  let timeMs = 0;
  const take = (record: Buffer) => {
    // `-z` separates records by NUL: a commit's own begins with \1, its first path with the line break after it.
    const mark = record[0] === 0x01 ? 0 : record[0] === 0x0a && record[1] === 0x01 ? 1 : -1;
    if (mark >= 0) {
      const line = record.toString('latin1', mark + 1);
      timeMs = Number(line.trim()) * 1000;
      return;
    }
    const path = decodePath(record[0] === 0x0a ? record.subarray(1) : record);
    if (wanted.has(path) && !times.has(path)) times.set(path, timeMs);
  };
  const args = [
    'log',
    '-z',
    '--name-only',
    '--no-renames',
    // A user's own `log.showSignature` would write between the records.
    '--no-show-signature',
    '--diff-filter=AMT',
    '-m',
    '--first-parent',
    '--format=%x01%ct',
    `--max-count=${LIMITS.historyCommits}`,
    commit,
    '--',
  ];
  await runGit(args, {
    gitDir,
    onOutput(chunk) {
      rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      let at = 0;
      for (let end = rest.indexOf(0, at); end !== -1; end = rest.indexOf(0, at)) {
        if (end > at) take(rest.subarray(at, end));
        at = end + 1;
      }
      rest = rest.subarray(at);
      return times.size < wanted.size;
    },
  });
  return times;
}

/** The paths that saves of ours changed which `to` has and `from` has not. */
export async function savedPaths(gitDir: string, from: string, to: string): Promise<Set<string>> {
  const log = ['log', '-z', '--root', '--name-only', '--no-renames', '--no-merges', '--no-show-signature', '--format='];
  const result = await runGit([...log, `--committer=<${COMMITTER_EMAIL}>`, `${from}..${to}`, '--'], { gitDir });
  if (result.code !== 0) throw gitFailed('log', result);
  const paths = new Set<string>();
  for (let at = 0; at < result.stdout.length; ) {
    const end = result.stdout.indexOf(0, at);
    const stop = end === -1 ? result.stdout.length : end;
    const name = result.stdout.subarray(result.stdout[at] === 0x0a ? at + 1 : at, stop);
    if (name.length > 0) paths.add(decodePath(name));
    at = stop + 1;
  }
  return paths;
}

/** Those of the paths where that blob ever stood, by the history of a commit. */
export async function heldBlobs(
  gitDir: string,
  commit: string,
  files: { path: string; blob: string }[],
): Promise<Set<string>> {
  const held = new Set<string>();
  for (const { path, blob } of files) {
    const log = ['log', '--raw', '-z', '--no-abbrev', '--no-renames', '-m', '--no-show-signature', '--format='];
    const args = [...log, `--find-object=${blob}`, commit, '--', `:(literal,top)${readablePath(path)}`];
    const result = await runGit(args, { gitDir });
    // A blob that the repository does not have never stood anywhere in it.
    if (result.code === 0 && result.stdout.length > 0) held.add(path);
  }
  return held;
}

/** `git gc --auto` in our own repository; killed when we close, which git survives. */
export function runCollect(gitDir: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // Later settings win: our processes switch automatic collection off, this one is it.
    const child = spawnGit(['-c', 'gc.auto=6700', '-c', 'gc.autoDetach=false', 'gc', '--auto', '--quiet'], gitDir);
    child.stdin.end();
    child.stdout.resume();
    child.stderr.resume();
    const stop = () => child.kill();
    signal.addEventListener('abort', stop, { once: true });
    child.once('error', () => resolve());
    child.once('close', () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
  });
}
