import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** An empty folder that goes when the test ends. */
export function tempFolder(prefix = 'strata-'): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }));
  return folder;
}

const IDENTITY = {
  GIT_AUTHOR_NAME: 'Somebody',
  GIT_AUTHOR_EMAIL: 'somebody@example.com',
  GIT_COMMITTER_NAME: 'Somebody',
  GIT_COMMITTER_EMAIL: 'somebody@example.com',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
};

/** Nothing of the machine's own git configuration. */
export function gitEnvironmentForTests(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, ...IDENTITY };
}

/** Real git, with an identity of its own; returns stdout without its last line break. */
export function git(folder: string, ...args: string[]): string {
  return execFileSync(
    'git',
    ['-C', folder, '-c', 'init.defaultBranch=main', '-c', 'protocol.file.allow=always', ...args],
    {
      env: gitEnvironmentForTests(),
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  ).replace(/\n$/, '');
}
