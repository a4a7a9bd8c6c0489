import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { generateNote } from './notes.js';

/** A bare repository at `path` that holds `count` sessions in 30 commits or so, written by `git fast-import`. */
export async function makeRepository(
  path: string,
  count: number,
  note = (index: number) => generateNote(index, count),
): Promise<void> {
  execFileSync('git', ['init', '--quiet', '--bare', '--template=', '--initial-branch=main', path]);
  const child = spawn('git', ['-C', path, 'fast-import', '--quiet', '--done'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(child, 'close') as Promise<[number]>;
  const perCommit = Math.ceil(count / 30);
  for (let first = 0; first < count; first += perCommit) {
    const notes = Array.from({ length: Math.min(perCommit, count - first) }, (_, each) => note(first + each));
    const seconds = Math.floor((notes.at(-1)?.timeMs ?? 0) / 1000);
    const text = [
      'commit refs/heads/main',
      `committer Bench <bench@example.com> ${seconds} +0000`,
      data(`Sessions to ${first + notes.length}`),
      ...notes.map((note) => `M 100644 inline ${note.path}\n${data(note.text)}`),
      '',
    ].join('\n');
    if (!child.stdin.write(text)) await once(child.stdin, 'drain');
  }
  child.stdin.end('done\n');
  const [code] = await ended;
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}`;
}
