import { MemoryError } from '../../core/errors.js';
import type { Command } from './command.js';
import { reachTarget, TARGET_OPTIONS } from './github.js';

/** Carries a local memory over to GitHub, history and all, and says what to change. */
export const pushOriginCommand: Command = {
  name: 'push-origin',
  about: 'Carries the notes of this machine, with their history, over to a repository on GitHub.',
  positionals: ['owner/name'],
  options: TARGET_OPTIONS,
  examples: ['push-origin owner/memory', 'push-origin owner/memory --create'],

  async run(context) {
    const { positionals, github, out, json, settings, main } = context;
    const given = positionals[0];
    if (given === undefined || positionals.length > 1)
      throw new MemoryError('invalid_input', 'Which repository shall the notes go to?', 'push-origin owner/name');
    if (settings.some(({ name, value }) => name === 'GITHUB_TOKEN' && value !== ''))
      throw new MemoryError(
        'invalid_input',
        'MEMORY_REPO names a repository on GitHub already: there is nothing on this machine to push.',
        'To push the memory of this machine unset MEMORY_REPO (or give --repo its path) and run this again.',
      );
    const { token, repository } = await reachTarget({ ...context, out: json ? () => {} : out }, given);
    const { fullName, branch } = repository;
    const { commit, commits } = await github.push({ fullName, branch, token });
    if (json) out(JSON.stringify({ repository: fullName, branch, commit, commits }, null, 2));
    else
      out(
        [
          `Pushed ${commits} commits to ${fullName}, branch ${branch}: its head is ${commit.slice(0, 12)}, as here.`,
          '',
          'Now let the memory live there. For Claude:',
          `  node ${main} init --github ${fullName}`,
          'elsewhere set MEMORY_REPO and GITHUB_TOKEN:',
          `  MEMORY_REPO=${fullName}`,
          'What is saved before that stays on this machine: run this again to push it too. Nothing here is deleted.',
        ].join('\n'),
      );
    return 0;
  },
};
