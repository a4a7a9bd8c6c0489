import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MemoryError } from '../../core/errors.js';
import { type Operation, parseInput, projectFinder } from '../../operations/operation.js';
import type { Command, CommandContext, Option } from './command.js';

interface Property {
  type?: string;
  enum?: string[];
  items?: { type?: string };
  description?: string;
}

/** An operation as a command: every argument a flag, the usual ones without. */
export function commandOf(operation: Operation): Command {
  const { name, about: does, positionals, examples } = operation.command;
  const properties = (z.toJSONSchema(operation.input, { io: 'input' }).properties ?? {}) as Record<string, Property>;
  const options: Record<string, Option> = {};
  for (const [key, property] of Object.entries(properties)) {
    const about = property.enum ? property.enum.join(' | ') : (property.description ?? '');
    options[flagOf(key)] = {
      type: property.type === 'boolean' ? 'boolean' : 'string',
      multiple: property.type === 'array',
      about,
      values: property.enum,
    };
  }
  return {
    name,
    about: `${does}.`,
    positionals,
    options,
    examples,
    async run(context) {
      const input = parseInput(operation, inputOf(operation, properties, context));
      const refusal = operation.command.refuse?.(input);
      if (refusal) throw refusal;
      const services = await context.services();
      const found = projectFinder(services, context.project, async () => [context.folder]);
      const { caller, signal, progress } = context;
      const asked = { services, caller, signal, progress, ...found };
      const output = await operation.run(input, asked);
      const text = context.json ? null : await operation.format(output, input);
      context.out(text ?? JSON.stringify(output, null, 2));
      operation.told?.(text, output, asked);
      return 0;
    },
  };
}

/** What was typed, as the operation's input; text that is missing and can be piped in is read from there. */
function inputOf(
  operation: Operation,
  properties: Record<string, Property>,
  { values, positionals }: CommandContext,
): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(properties)) {
    const given = values[flagOf(key)];
    if (given !== undefined) input[key] = typed(property, given);
  }
  const takes = operation.command.positionals;
  // A question need not be quoted.
  const words = takes.length === 1 && positionals.length > 1 ? [positionals.join(' ')] : positionals;
  for (const [index, word] of words.entries()) {
    const key = takes[index];
    if (key === undefined)
      throw new MemoryError(
        'invalid_input',
        `${operation.command.name} takes no argument without a flag.`,
        `See strata-memory ${operation.command.name} --help.`,
      );
    if (key in input)
      throw new MemoryError('invalid_input', `\`${key}\` is given twice: with its flag and without.`, 'Give it once.');
    input[key] = word;
  }
  if ('content' in properties && input.content === undefined && !process.stdin.isTTY)
    input.content = readFileSync(0, 'utf8');
  return input;
}

/** Text that is no number stays text: the operation's own check says what is wrong with it. */
function typed(property: Property, given: string | boolean | string[]): unknown {
  if (property.type !== 'integer' && property.type !== 'number') return given;
  const number = typeof given === 'string' && given.trim() !== '' ? Number(given) : Number.NaN;
  return Number.isNaN(number) ? given : number;
}

function flagOf(key: string): string {
  return key.replaceAll('_', '-');
}
