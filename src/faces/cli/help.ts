import { VERSION } from '../../version.js';
import type { Command } from './command.js';

export interface VariableHelp {
  name: string;
  flag: string;
  value: string;
  about: string;
}

export function generalHelp(commands: readonly Command[], variables: readonly VariableHelp[]): string {
  return `strata-memory ${VERSION}: long-term memory for Claude, in your own git repository.

Usage: strata-memory [command] [options]

Without a command it serves MCP on stdin and stdout. Commands:
${commands.map(({ name, about }) => `  ${name.padEnd(12)} ${firstSentence(about)}`).join('\n')}

Every command takes --json (the answer for programs) and --help. Configuration, as flag or environment variable:
${variables.map(({ name, flag, value, about }) => `  ${`--${flag} <${value}>`.padEnd(22)} ${name}: ${about}`).join('\n')}

Examples:
  strata-memory init
  strata-memory search 'why were users logged out'
  strata-memory --repo ~/notes status
`;
}

export function commandHelp({ name, about, positionals, options, examples }: Command): string {
  const flags = Object.entries(options).map(([flag, { type, multiple, about: text }]) => {
    const takes = type === 'boolean' ? '' : ` <${flag}>${multiple ? ' …' : ''}`;
    return `  ${`--${flag}${takes}`.padEnd(28)} ${text}`.trimEnd();
  });
  return `Usage: strata-memory ${[name, ...positionals.map((each) => `<${each}>`), '[options]'].join(' ')}

${about}

Options:
${[...flags, `  ${'--json'.padEnd(28)} the answer for programs`, `  ${'--help'.padEnd(28)} this`].join('\n')}

Examples:
${examples.map((example) => `  strata-memory ${example}`).join('\n')}
`;
}

function firstSentence(text: string): string {
  return text.split(/(?<=[.:;])\s/)[0]?.replace(/[.:;]$/, '') ?? text;
}
