import { MemoryError } from '../../core/errors.js';
import type { Command } from './command.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** Prints a completion script, made from the commands themselves. */
export function completionCommand(all: () => readonly Command[]): Command {
  return {
    name: 'completion',
    about: 'Prints shell completion: bash, zsh or fish.',
    positionals: ['shell'],
    options: {},
    examples: [
      'completion bash >> ~/.bashrc',
      'completion zsh > ~/.zfunc/_strata-memory',
      'completion fish > ~/.config/fish/completions/strata-memory.fish',
    ],
    async run({ positionals, out }) {
      const shell = SHELLS.find((each) => each === positionals[0]);
      if (shell === undefined)
        throw new MemoryError('invalid_input', 'Which shell is it for?', `One of ${SHELLS.join(', ')}.`);
      out(shell === 'fish' ? fish(all()) : bash(all(), shell));
      return 0;
    },
  };
}

function words({ options }: Command): string {
  return [...Object.keys(options).map((flag) => `--${flag}`), '--json', '--help'].join(' ');
}

function bash(commands: readonly Command[], shell: 'bash' | 'zsh'): string {
  const cases = commands.map((command) => `    ${command.name}) words="${words(command)}" ;;`);
  const script = `_strata_memory() {
  local words="${commands.map(({ name }) => name).join(' ')} --help --version"
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _strata_memory strata-memory`;
  return shell === 'bash' ? script : `#compdef strata-memory\nautoload -Uz bashcompinit && bashcompinit\n${script}`;
}

function fish(commands: readonly Command[]): string {
  const quote = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;
  return commands
    .flatMap(({ name, about, options }) => [
      `complete -c strata-memory -f -n __fish_use_subcommand -a ${name} -d ${quote(about.split('.')[0] ?? '')}`,
      ...Object.entries(options).map(
        ([flag, option]) =>
          `complete -c strata-memory -n ${quote(`__fish_seen_subcommand_from ${name}`)} -l ${flag}${option.type === 'string' ? ' -r' : ''}${option.values ? ` -fa ${quote(option.values.join(' '))}` : ''} -d ${quote(option.about)}`,
      ),
    ])
    .join('\n');
}
