import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { git, tempFolder } from './home.js';

/** An empty bare repository to be an origin. */
export function bareRepository(within = tempFolder()): string {
  const folder = join(within, 'notes.git');
  git(tmpdir(), 'init', '--quiet', '--bare', folder);
  return folder;
}

/** Commits files into a bare repository from outside, as a person with git would: clone, commit, push. */
export function pushFiles(repository: string, files: Record<string, string | null>, message = 'by hand'): string {
  const clone = mkdtempSync(join(tmpdir(), 'strata-clone-'));
  try {
    git(tmpdir(), 'clone', '--quiet', repository, clone);
    for (let attempt = 0; attempt < 20; attempt++) {
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(dirname(join(clone, path)), { recursive: true });
        if (content === null) rmSync(join(clone, path), { force: true });
        else writeFileSync(join(clone, path), content);
      }
      git(clone, 'add', '--all');
      git(clone, 'commit', '--quiet', '-m', message);
      try {
        git(clone, 'push', '--quiet', 'origin', 'HEAD:main');
        return git(clone, 'rev-parse', 'HEAD');
      } catch {
        // Somebody was faster: start again from their commit.
        git(clone, 'fetch', '--quiet', 'origin');
        git(clone, 'reset', '--quiet', '--hard', 'origin/main');
      }
    }
    throw new Error('the branch moved before every push');
  } finally {
    rmSync(clone, { recursive: true, force: true });
  }
}

/** The same in one process, straight into the repository (`git fast-import`): for loops. Null where it lost a race. */
export function commitFiles(repository: string, files: Record<string, string | null>): string | null {
  const parent = git(repository, 'for-each-ref', '--format=%(objectname)', 'refs/heads/main');
  const seconds = Math.floor(Date.now() / 1000);
  const lines = [
    'commit refs/heads/main',
    `committer Somebody <somebody@example.com> ${seconds} +0000`,
    data('by hand'),
    ...(parent === '' ? [] : [`from ${parent}`]),
    ...Object.entries(files).flatMap(([path, content]) =>
      content === null ? [`D ${path}`] : [`M 100644 inline ${path}`, data(content)],
    ),
    '',
  ];
  try {
    execFileSync('git', ['-C', repository, 'fast-import', '--quiet'], {
      input: lines.join('\n'),
      stdio: ['pipe', 'ignore', 'pipe'],
    });
  } catch {
    return null;
  }
  return git(repository, 'rev-parse', 'refs/heads/main');
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}`;
}

/** What `git fsck --strict` has to say but dangling objects, which an interrupted save may leave. */
export function fsck(repository: string): string[] {
  let output: string;
  try {
    output = execFileSync('git', ['-C', repository, 'fsck', '--strict', '--full'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    output = `failed\n${stdout}\n${stderr}`;
  }
  return output.split('\n').filter((line) => line !== '' && !/^dangling |^notice: HEAD points to an unborn/.test(line));
}

/** Every Markdown note at the head: path to blob id. */
export function notesAt(repository: string, branch = 'main'): Map<string, string> {
  // A repository without a commit has no such branch.
  if (git(repository, 'for-each-ref', `refs/heads/${branch}`) === '') return new Map();
  const lines = git(repository, '-c', 'core.quotePath=false', 'ls-tree', '-r', branch).split('\n');
  const rows = lines.map((line) => /^\d+ blob ([0-9a-f]+)\t(.+\.md)$/.exec(line));
  return new Map(rows.filter((row) => row !== null).map((row) => [row[2] as string, row[1] as string]));
}

/** Commits with more than one parent, and how many there are in all. */
export function historyOf(repository: string, branch = 'main'): { commits: number; merges: number } {
  const count = (...args: string[]) => Number(git(repository, 'rev-list', '--count', ...args, branch));
  return { commits: count(), merges: count('--min-parents=2') };
}

/** The id and blob that a receipt names. */
export function receiptOf(text: string): { id: string; blob: string; saved: boolean } {
  const id = /^(?:Saved|Already saved): `([^`]+)`/.exec(text)?.[1];
  const blob = / blob ([0-9a-f]{40})/.exec(text)?.[1];
  if (!id || !blob) throw new Error(`no receipt: ${text}`);
  return { id, blob, saved: text.startsWith('Saved') };
}
