import { spawn } from 'node:child_process';
import { MemoryError } from '../../core/errors.js';
import { LIMITS } from '../../core/limits.js';
import { gitEnvironment } from '../git-environment.js';

/** Settings for every git process: no hooks of the repository run, and what is written is on the disk before it counts. */
const SETTINGS = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsync', 'committed,loose-object,reference'],
  ['core.quotePath', 'false'],
  ['core.filesRefLockTimeout', '1000'],
  ['core.packedRefsTimeout', '3000'],
  ['core.fsmonitor', 'false'],
  ['gc.auto', '0'],
].flatMap(([name, value]) => ['-c', `${name}=${value}`]);

export function spawnGit(args: string[], gitDir?: string, environment: Record<string, string> = {}) {
  const where = gitDir === undefined ? [] : [`--git-dir=${gitDir}`];
  return spawn('git', [...SETTINGS, ...where, ...args], {
    env: { ...gitEnvironment(), ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  });
}

export interface GitResult {
  code: number;
  stdout: Buffer;
  stderr: string;
  /** True where it ran into `timeoutMs` and was killed. */
  timedOut: boolean;
}

/** Runs git to its end. Throws `origin_unavailable` only where git cannot be started. */
export function runGit(
  args: string[],
  options: {
    gitDir?: string;
    input?: Uint8Array;
    timeoutMs?: number;
    onOutput?: (chunk: Buffer) => boolean;
    /** For what others must not see among the arguments. */
    environment?: Record<string, string>;
  } = {},
): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const child = spawnGit(args, options.gitDir, options.environment);
    const out: Buffer[] = [];
    let stderr = '';
    let timedOut = false;
    const timer = setTimeout(
      () => {
        timedOut = true;
        child.kill('SIGKILL');
      },
      Math.max(1, options.timeoutMs ?? LIMITS.gitCommandMs),
    );
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(gitMissing(error));
    });
    child.stdout.on('data', (chunk: Buffer) => {
      // A reader that has seen enough ends the process.
      if (options.onOutput) {
        if (!options.onOutput(chunk)) child.kill();
      } else out.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < 4_000) stderr += chunk.toString('utf8');
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, stdout: Buffer.concat(out), stderr: stderr.trim(), timedOut });
    });
    // git may end before it has read everything: its exit code tells.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
  });
}

export function gitMissing(error: unknown): MemoryError {
  return new MemoryError(
    'origin_unavailable',
    'git could not be started.',
    'Install git 2.30 or newer and make sure it is on the PATH.',
    error,
  );
}

export function gitFailed(what: string, result: GitResult): MemoryError {
  const why = result.timedOut ? 'took too long' : 'failed';
  return new MemoryError(
    'origin_unavailable',
    `git ${what} ${why} in the memory's repository.`,
    'Run `git fsck` there; check the disk space and the permissions.',
    new Error(result.stderr || `exit code ${result.code}`),
  );
}
