import { MemoryError } from '../../core/errors.js';
import { LIMITS } from '../../core/limits.js';
import { runGit } from './git.js';

/**
 * Pushes a commit and all before it to a branch of a repository over HTTPS. Never by force. Throws `conflict` where the
 * branch has commits that are not in this history.
 */
export async function pushCommit(options: {
  gitDir: string;
  commit: string;
  url: string;
  branch: string;
  token: string;
}): Promise<{ commits: number }> {
  const { gitDir, commit, url, branch, token } = options;
  const counted = await runGit(['rev-list', '--count', commit], { gitDir });
  const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
  const result = await runGit(['push', '--porcelain', '--no-verify', url, `${commit}:refs/heads/${branch}`], {
    gitDir,
    timeoutMs: LIMITS.pushMs,
    // In the environment, which only this user can read: arguments are for everybody to see.
    environment: {
      GIT_CONFIG_COUNT: '2',
      GIT_CONFIG_KEY_0: `http.${new URL(url).origin}/.extraHeader`,
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
      GIT_CONFIG_KEY_1: 'credential.helper',
      GIT_CONFIG_VALUE_1: '',
    },
  });
  if (result.code === 0) return { commits: Number(counted.stdout.toString('utf8').trim()) };
  const said = result.stdout.toString('utf8') + result.stderr;
  if (/\[rejected\]|non-fast-forward|fetch first/.test(said))
    throw new MemoryError(
      'conflict',
      `The branch ${branch} there has commits that are not in this memory. Nothing was pushed.`,
      'Push to an empty repository; what is in the other one can be used as it is with MEMORY_REPO.',
    );
  if (/Authentication failed|403|401|denied|not found/i.test(said))
    throw new MemoryError(
      'refused',
      'GitHub did not let the token push. Nothing was pushed.',
      'Give it Contents: read and write for that repository (Workflows too where the notes’ repository has any), and run this again.',
    );
  throw new MemoryError(
    'origin_unavailable',
    result.timedOut ? 'The push took too long.' : 'git could not push.',
    'Check the network, then run this again: what has arrived is not sent twice.',
    new Error(said.replaceAll(token, '(hidden)').replaceAll(basic, '(hidden)').slice(0, 500)),
  );
}
