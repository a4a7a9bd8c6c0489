import { MemoryError } from '../../core/errors.js';
import type { Command, Setting } from './command.js';

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
    async run({ positionals, settings, out }) {
      const shell = SHELLS.find((each) => each === positionals[0]);
      if (shell === undefined)
        throw new MemoryError('invalid_input', 'Which shell is it for?', `One of ${SHELLS.join(', ')}.`);
      out({ bash, zsh, fish }[shell](all(), settings));
      return 0;
    },
  };
}

/** Each command's words, and what its flags take, as `case` branches on the command and the word before the cursor. */
function cases(commands: readonly Command[], take: (words: string[]) => string): string {
  const values = commands.flatMap(({ name, options }) =>
    Object.entries(options).flatMap(([flag, option]) =>
      option.values ? [`    '${name} --${flag}') ${take(option.values)} ;;`] : [],
    ),
  );
  const flags = commands.map(
    ({ name, options }) =>
      `    '${name} '*) ${take([...Object.keys(options).map((flag) => `--${flag}`), '--json', '--help'])} ;;`,
  );
  return [...values, ...flags].join('\n');
}

/** What may stand before the command: the configuration, and the commands themselves. */
function firstWords(commands: readonly Command[], settings: readonly Setting[]): string[] {
  return [...commands.map(({ name }) => name), ...settings.map(flagOf), '--help', '--version'];
}

function flagOf({ name }: Setting): string {
  return `--${name.replace('MEMORY_', '').toLowerCase().replaceAll('_', '-')}`;
}

function bash(commands: readonly Command[], settings: readonly Setting[]): string {
  const names = commands.map(({ name }) => name).join('|');
  return `_strata_memory() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in ${names}) command="$word"; break ;; esac
  done
  case "$command \${COMP_WORDS[COMP_CWORD-1]}" in
${cases(commands, (words) => `words="${words.join(' ')}"`)}
    *) words="${firstWords(commands, settings).join(' ')}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _strata_memory strata-memory`;
}

function zsh(commands: readonly Command[], settings: readonly Setting[]): string {
  const names = commands.map(({ name }) => name).join('|');
  return `#compdef strata-memory
_strata-memory() {
  local command="" word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$word" in ${names}) command="$word"; break ;; esac
  done
  case "$command \${words[CURRENT-1]}" in
${cases(commands, (words) => `compadd -- ${words.join(' ')}`)}
    *) compadd -- ${firstWords(commands, settings).join(' ')} ;;
  esac
  if (( $+functions[_files] )); then _files; fi
}
# Found on fpath it is the function's own body; sourced it has to be named.
if [ "$funcstack[1]" = _strata-memory ]; then _strata-memory "$@"; else compdef _strata-memory strata-memory; fi`;
}

function fish(commands: readonly Command[], settings: readonly Setting[]): string {
  const quote = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;
  // Fish's own `__fish_use_subcommand` takes the value of a flag for a command.
  const none = quote(`not __fish_seen_subcommand_from ${commands.map(({ name }) => name).join(' ')}`);
  const before = settings.map(
    (setting) => `complete -c strata-memory -n ${none} -l ${flagOf(setting).slice(2)} -r -d ${setting.name}`,
  );
  const own = commands.flatMap(({ name, about, options }) => [
    `complete -c strata-memory -f -n ${none} -a ${name} -d ${quote(about.split('.')[0] ?? '')}`,
    ...Object.entries(options).map(
      ([flag, option]) =>
        `complete -c strata-memory -n ${quote(`__fish_seen_subcommand_from ${name}`)} -l ${flag}${option.type === 'string' ? ' -r' : ''}${option.values ? ` -fa ${quote(option.values.join(' '))}` : ''} -d ${quote(option.values ? '' : option.about)}`,
    ),
  ]);
  const everywhere = ['json', 'help'].map((flag) => `complete -c strata-memory -l ${flag}`);
  return [...before, ...everywhere, ...own].join('\n');
}
