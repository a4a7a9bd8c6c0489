import { execFile } from 'node:child_process';
import { createInterface } from 'node:readline/promises';
import { promisify } from 'node:util';
import { MemoryError } from '../../core/errors.js';
import type { Standing } from '../../core/github.js';
import type { CommandContext } from './command.js';

/** A repository on GitHub that is there, private and writable, with the token that opens it. */
export interface Target {
  owner: string;
  name: string;
  token: string;
  repository: NonNullable<Standing['repository']>;
}

/**
 * Finds the token (`GITHUB_TOKEN`, else `gh auth token`), looks at the repository, and makes it, private, where it is
 * missing and the person wants that (`--create`, or yes at the prompt).
 */
export async function reachTarget(context: CommandContext, given: string): Promise<Target> {
  const named = /^(?:https:\/\/[^/]+\/)?([\w-][\w.-]*)\/([\w.-]+?)(?:\.git)?\/?$/.exec(given.trim());
  if (!named) throw new MemoryError('invalid_input', 'That is no repository.', 'Write it as owner/name.');
  const [, owner = '', name = ''] = named;
  const { github, out } = context;
  const token = github.token ?? (await ghToken(github.apiUrl));
  if (token === null)
    throw new MemoryError(
      'config',
      'There is no token for GitHub.',
      'Run `gh auth login`, or make a fine-grained token with Contents: read and write (github.com/settings/personal-access-tokens/new), set GITHUB_TOKEN, and run this again.',
    );
  const account = github.account(owner, name, token);
  let { login, repository } = await account.look();
  out(`The token (${github.token === undefined ? 'from gh' : 'GITHUB_TOKEN'}) is ${login}'s.`);
  if (repository === null) {
    if (!(await wanted(context, `${owner}/${name} is not there, or not for this token. Make it, private?`)))
      throw new MemoryError(
        'refused',
        `There is no repository ${owner}/${name} that this token can see. Nothing was changed.`,
        'Run this again with --create to make it, private; or check its name and the access of the token.',
      );
    await account.create();
    ({ repository } = await account.look());
    if (repository === null)
      throw new MemoryError('origin_unavailable', 'The new repository is not to be seen yet.', 'Run this again.');
    out(`Made ${repository.fullName}, private.`);
  }
  if (repository.archived) throw unusable(repository.fullName, 'is archived', 'Unarchive it in its settings.');
  if (!repository.canWrite)
    throw unusable(repository.fullName, 'cannot be written with this token', 'Give it Contents: read and write.');
  if (!repository.isPrivate && context.values['allow-public'] !== true)
    throw unusable(
      repository.fullName,
      'is public: everybody could read the notes',
      'Make it private in its settings, or run this again with --allow-public.',
    );
  return { owner, name, token, repository };
}

function unusable(fullName: string, what: string, hint: string): MemoryError {
  return new MemoryError('refused', `${fullName} ${what}. Nothing was changed.`, hint);
}

/** GitHub's own command line keeps a token for those who use it. */
async function ghToken(apiUrl: string): Promise<string | null> {
  const { host } = new URL(apiUrl);
  const args = ['auth', 'token', '--hostname', host === 'api.github.com' ? 'github.com' : host];
  const { stdout } = await promisify(execFile)('gh', args, { timeout: 10_000 }).catch(() => ({ stdout: '' }));
  return stdout.trim() === '' ? null : stdout.trim();
}

async function wanted({ values, json }: CommandContext, question: string): Promise<boolean> {
  if (values.create === true) return true;
  if (json || !process.stdin.isTTY || !process.stderr.isTTY) return false;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^(y|yes|д|да)$/i.test((await prompt.question(`${question} [y/N] `)).trim());
  } finally {
    prompt.close();
  }
}

/** Flags of every command that ends with a repository on GitHub. */
export const TARGET_OPTIONS = {
  create: { type: 'boolean', about: 'make the repository, private, where it is not there' },
  'allow-public': { type: 'boolean', about: 'take a public repository too' },
} as const;
