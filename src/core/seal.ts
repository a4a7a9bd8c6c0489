import { createHash } from 'node:crypto';
import { readablePath } from './paths.js';

/** What is wrong with a checkpoint that is not what was made; part of its `reason`. */
export const BROKEN_SEAL = 'a checkpoint that was changed after it was made: its seal does not fit';

/** A checkpoint's path as `notePath` makes it: whatever stands there was sealed once. */
const OURS = /^checkpoints\/.+\/\d{4}\/\d{2}\/\d{8}T\d{9}Z-[^/]+-[0-9a-z]{4}\.md$/;
/** Where the front matter ends: before its last line. */
const END = '\n---';
const LINE = /^seal: ([0-9a-f]{64})\r?\n/m;

/** A note with one line more in its front matter, the last: a hash of its bytes without that line. */
export function sealed(note: Uint8Array): Uint8Array {
  const text = latin(note);
  const end = text.indexOf(END) + 1;
  if (!text.startsWith('---\n') || end === 0) throw new Error('a note without front matter cannot be sealed');
  return Buffer.from(`${text.slice(0, end)}seal: ${hashOf(text)}\n${text.slice(end)}`, 'latin1');
}

/**
 * Whether a checkpoint is still what was made: `fits`, `broken`, or `none` where nobody sealed it, as other programs' notes.
 * It tells a slip, an editor or a merge; somebody who computes a new seal is told by git's history alone.
 * @param content null: too large to look at
 */
export function sealOf(path: string, content: Uint8Array | null): 'fits' | 'broken' | 'none' {
  const text = content === null ? '' : latin(content);
  const end = text.slice(0, 6).includes('---') ? text.indexOf(END) + 1 : 0;
  const line = LINE.exec(text.slice(0, end));
  if (!line) return OURS.test(readablePath(path)) ? 'broken' : 'none';
  const rest = text.slice(0, line.index) + text.slice(line.index + line[0].length);
  return hashOf(rest) === line[1] ? 'fits' : 'broken';
}

/** Each byte as one letter, so that none is lost. */
const latin = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

const hashOf = (text: string) => createHash('sha256').update(text, 'latin1').digest('hex');
