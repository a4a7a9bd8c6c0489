import { localCaller, localSubject } from '../../core/caller.js';
import { MemoryError } from '../../core/errors.js';
import { nearest } from '../../core/nearest.js';
import { OPERATIONS } from '../../operations/index.js';
import { VERSION } from '../../version.js';
import type { Command, CommandContext } from './command.js';
import { completionCommand } from './completion.js';
import { conflictsCommand } from './conflicts.js';
import { doctorCommand } from './doctor.js';
import { exportCommand } from './export.js';
import { initCommand } from './init.js';
import { commandOf } from './operation-command.js';
import { outboxCommand } from './outbox.js';
import { pushOriginCommand } from './push-origin.js';
import { quickstart } from './quickstart.js';
import { paint, progressBar } from './terminal.js';

const quickstartCommand: Command = {
  name: 'quickstart',
  about: 'Shows the whole thing at work in a throw-away memory.',
  positionals: [],
  options: {},
  examples: ['quickstart'],
  async run({ home, main }) {
    await quickstart(home, main);
    return 0;
  },
};

/** All that can be typed after `strata-memory`. */
export const COMMANDS: readonly Command[] = [
  initCommand,
  ...OPERATIONS.map(commandOf),
  exportCommand,
  conflictsCommand,
  pushOriginCommand,
  outboxCommand,
  doctorCommand,
  quickstartCommand,
  completionCommand(() => COMMANDS),
];

/** A command by its name, or by the name of its tool. Throws `invalid_input` naming the nearest. */
export function findCommand(name: string): Command {
  const operation = OPERATIONS.find((each) => each.name === name.replaceAll('-', '_'));
  const found = COMMANDS.find((each) => each.name === (operation?.command.name ?? name));
  if (found) return found;
  const near = nearest(
    name.slice(0, 60),
    COMMANDS.map((each) => each.name),
    1,
  )[0];
  throw new MemoryError(
    'invalid_input',
    'There is no such command.',
    `${near ? `Did you mean \`strata-memory ${near}\`? ` : ''}Run strata-memory --help for all of them.`,
  );
}

export interface RunOptions
  extends Pick<CommandContext, 'values' | 'positionals' | 'services' | 'settings' | 'github' | 'main' | 'signal'> {
  config: { home: string; project: string | undefined };
}

/** Runs a command for whoever sits at the shell. Colours and progress are for a terminal only. */
export async function runnable(command: Command, { config, ...given }: RunOptions): Promise<number> {
  const json = given.values.json === true;
  const bar = process.stderr.isTTY && !json ? progressBar((text) => void process.stderr.write(text)) : null;
  try {
    return await command.run({
      ...given,
      home: config.home,
      project: config.project,
      json,
      caller: localCaller(localSubject(), `cli ${VERSION}`),
      folder: process.cwd(),
      out: (text) => {
        bar?.end();
        process.stdout.write(`${text}\n`);
      },
      paint: (colour, text) => paint(process.stdout, colour, text),
      progress: (done, total) => bar?.show(done, total),
    });
  } finally {
    bar?.end();
  }
}
