#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import type { App } from './app.js';
import { type Config, readConfig, settingsOf, splitCommand, VARIABLES } from './config.js';
import { ERROR_TABLE, explain, toMemoryError } from './core/errors.js';
import { LIMITS } from './core/limits.js';
import { createLog, type Log } from './core/log.js';
import { within } from './core/within.js';
import { paint } from './faces/cli/terminal.js';
import { VERSION } from './version.js';

/** argv to face. Faces are loaded only when they are used: a start is paid at every session. */
async function main(argv: string[]): Promise<number> {
  const { command, args } = splitCommand(argv);
  if (command === null && !args.some((arg) => ['--help', '-h', '--version', '-v'].includes(arg))) return serve(argv);
  if (command === null && !args.some((arg) => ['--help', '-h'].includes(arg))) return print(VERSION);
  return runCommand(command, args);
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

async function runCommand(name: string | null, args: string[]): Promise<number> {
  const { COMMANDS, findCommand, runnable } = await import('./faces/cli/index.js');
  const { commandHelp, generalHelp } = await import('./faces/cli/help.js');
  if (name === null || (name === 'help' && args.length === 0)) return print(generalHelp(COMMANDS, VARIABLES));
  const command = findCommand(name === 'help' ? (args[0] ?? '') : name);
  if (name === 'help' || args.includes('--help') || args.includes('-h')) return print(commandHelp(command));
  const { config, rest, values } = readConfig(args, process.env, { ...command.options, json: { type: 'boolean' } });
  // A person at a shell wants the answer; what goes wrong is in it.
  const log = createLog(config.sources.MEMORY_LOG === 'default' ? 'error' : config.log, (line) =>
    process.stderr.write(line),
  );
  for (const warning of config.warnings) process.stderr.write(`strata-memory: ${warning}\n`);
  const app = opener(config, log);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  try {
    return await runnable(command, {
      values,
      positionals: rest,
      services: app.services,
      config,
      // The front door, which stands beside the built program.
      main: fileURLToPath(new URL('./main.js', import.meta.url)),
      settings: settingsOf(config),
      github: (await import('./app.js')).createGitHubTools(config),
      signal: stop.signal,
    });
  } finally {
    await app.close();
  }
}

async function serve(argv: string[]): Promise<number> {
  serving = true;
  const { config } = readConfig(argv, process.env);
  const log = createLog(config.log, (line) => process.stderr.write(line));
  for (const warning of config.warnings) log.warn('configuration', { warning });
  if (process.stdin.isTTY)
    process.stderr.write(
      'strata-memory: an MCP server on stdin and stdout, for a client to start. --help for commands.\n',
    );
  const { serveStdio } = await import('./faces/mcp/stdio.js');
  const operations = async () => {
    const { OPERATIONS } = await import('./operations/index.js');
    return config.tools === 'core' ? OPERATIONS.filter(({ core }) => core) : OPERATIONS;
  };
  const app = opener(config, log, (made) => made.startJobs());
  // A client that asks nothing still has its memory kept in step.
  let told = '';
  let waiting = setTimeout(function open() {
    app.services().catch((error) => {
      const why = explain(error);
      if (why !== told) log.warn('not opened', { why });
      told = why;
      waiting = setTimeout(open, LIMITS.openAgainMs).unref();
    });
  }, LIMITS.jobsSettleMs).unref();
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  await serveStdio({
    operations,
    services: app.services,
    project: config.project,
    clientFolder: config.clientFolder,
    stopped,
    log,
  });
  clearTimeout(waiting);
  await app.close();
  return 0;
}

/** The app, made on first need; a failure is answered and tried again, so that a mended configuration needs no restart. */
function opener(config: Config, log: Log, onOpen?: (app: App) => void) {
  let app: Promise<App> | undefined;
  return {
    async services() {
      app ??= import('./app.js').then(async ({ createApp }) => {
        const made = await createApp(config, log);
        onOpen?.(made);
        return made;
      });
      try {
        return (await app).services;
      } catch (error) {
        app = undefined;
        throw error;
      }
    },
    async close() {
      const open = await app?.catch(() => undefined);
      await within(LIMITS.closeMs, open?.close() ?? Promise.resolve()).catch((error) =>
        log.warn('close', { why: explain(error) }),
      );
    },
  };
}

let serving = false;

// Whoever reads our output may stop reading (`| head`): that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  // While serving, saves under way are still finished first.
  if (!serving) process.exit(0);
});

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  const known = toMemoryError(error);
  const beneath = known.code === 'internal' ? `\n${explain(error)}` : '';
  process.stderr.write(`${paint(process.stderr, 'red', 'strata-memory:')} ${known.message} ${known.hint}${beneath}\n`);
  process.exit(ERROR_TABLE[known.code].exit);
}
