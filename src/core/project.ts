import { MemoryError } from './errors.js';
import { LIMITS } from './limits.js';

export const INBOX = 'inbox';

const KIND_FOLDERS = new Set(['sessions', 'checkpoints', 'patterns', 'projects']);
/** Names that Windows keeps to itself. */
export const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/;

/** What is known of a project beside its notes. */
export interface ProjectRecord {
  project: string;
  status: string;
  priority: string;
  targetRevenue: number | null;
  currentRevenue: number | null;
  /** The project that it is a submodule of, or empty. */
  parent: string;
}

/** Projects near one in the registry of submodules, each once and never itself; those last heard of first. */
export interface Relatives {
  parent: string | null;
  /** Of the same parent. */
  siblings: string[];
  submodules: string[];
}

/**
 * A project's name as everything stores it: lower case, NFC, `/` between its parts, valid as folders on every file
 * system. Takes `owner/repo`, a git remote URL, or any name. Throws `invalid_input`.
 */
export function projectName(text: string): string {
  const name = (projectFromRemote(text) ?? text.normalize('NFC').toLowerCase()).trim().replace(/\/+$/, '');
  const problem = projectProblem(name);
  if (problem) {
    throw new MemoryError(
      'invalid_input',
      `The project name is not usable: ${problem}.`,
      'Use a name like owner/repo: letters, digits, and . _ - between slashes.',
    );
  }
  return name;
}

function projectProblem(name: string): string | null {
  if (name === '') return 'it is empty';
  if (name.length > LIMITS.projectChars)
    return `it has ${name.length} characters, at most ${LIMITS.projectChars} are allowed`;
  if (name.startsWith('/')) return 'it is an absolute path';
  for (const part of name.split('/')) {
    if (part === '') return 'it has an empty part';
    if (part === '.' || part === '..') return 'it has a part that is only dots';
    if (!/^[\p{L}\p{N}\p{M}._\- ]+$/u.test(part))
      return 'it has a character other than letters, digits, space, . _ and -';
    if (/[. ]$/.test(part) || part.startsWith(' ')) return 'a part begins or ends with a space, or ends with a dot';
    // git keeps these names to itself: `git fsck` and every checkout refuse folders of that name. `.github` is nobody's.
    if (/^\.git(modules|attributes|ignore)?$/.test(part)) return `a part is ${part}, which git keeps to itself`;
    if (RESERVED.test(part)) return 'a part is a name that Windows reserves';
    if (Buffer.byteLength(part) > 200) return 'a part is longer than 200 bytes';
  }
  return null;
}

/**
 * The project that a git remote URL names: `owner/repo`, lower case; host first when it is not github.com. Null where
 * the text is no remote URL. Source: the URL forms of `git help fetch`.
 */
export function projectFromRemote(remote: string): string | null {
  const text = remote.trim();
  let host: string;
  let path: string;
  const url = /^(?:https?|ssh|git|git\+ssh):\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^/:]+)(?::\d+)?\/(.+)$/i.exec(text);
  const scp = url ? null : /^(?:[\w.-]+@)?([\w.-]+\.[\w.-]+|[\w-]+(?=:[^/\\]))(?::)(?!\/\/)(.+)$/.exec(text);
  if (url) [host, path] = [url[1] ?? '', url[2] ?? ''];
  else if (scp && (text.includes('@') || (scp[1] ?? '').includes('.'))) [host, path] = [scp[1] ?? '', scp[2] ?? ''];
  else return null;
  const clean = path
    .replace(/[?#].*$/, '')
    .replace(/\/+$/, '')
    .replace(/\.git$/i, '')
    .replace(/^\/+/, '')
    .replace(/\/{2,}/g, '/');
  if (clean === '') return null;
  const name = /^(www\.|ssh\.)?github\.com$/i.test(host) ? clean : `${host}/${clean}`;
  return name.normalize('NFC').toLowerCase();
}

/**
 * The project of a path that names none itself: its folder, without the kind and date folders of our own layout. Always
 * a name that `projectName` takes, since callers give back what they were told.
 */
export function projectFromPath(path: string): string {
  const parts = path.split('/');
  const file = parts.pop() ?? '';
  if (KIND_FOLDERS.has(parts[0] ?? '')) {
    const kind = parts.shift();
    if (kind === 'projects') return usableName([...parts, file.replace(/\.md$/, '')]);
  }
  while (parts.length > 0 && /^(\d{4}|\d{2}|\d{4}-\d{2}(-\d{2})?)$/.test(parts.at(-1) ?? '')) parts.pop();
  return usableName(parts);
}

/** Folders as a project's name: what no name may have becomes a dash, what is too deep is left off. */
function usableName(folders: string[]): string {
  let name = '';
  for (const folder of folders) {
    const part = folder
      .normalize('NFC')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}._\- ]+/gu, '-')
      .replace(/^[ -]+(?=[\p{L}\p{N}_.])/u, '')
      .replace(/[. ]+$/, '');
    if (projectProblem(part) !== null || !/[\p{L}\p{N}_]/u.test(part)) continue;
    const longer = name === '' ? part : `${name}/${part}`;
    if (projectProblem(longer) !== null) break;
    name = longer;
  }
  return name || INBOX;
}
