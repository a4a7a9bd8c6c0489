import type { Caller } from '../../core/caller.js';
import type { GitHubTools } from '../../core/github.js';
import type { Services } from '../../core/services.js';
import type { Colour } from './terminal.js';

export interface Option {
  type: 'string' | 'boolean';
  /** May be given several times. */
  multiple?: boolean;
  about: string;
  /** What it takes, for completion. */
  values?: string[];
}

/** One row of the configuration in force. */
export interface Setting {
  name: string;
  value: string;
  source: string;
}

export interface CommandContext {
  values: Record<string, string | boolean | string[]>;
  positionals: string[];
  services(): Promise<Services>;
  caller: Caller;
  settings: Setting[];
  home: string;
  project: string | undefined;
  folder: string;
  /** For bringing a memory to GitHub. */
  github: GitHubTools;
  /** The built program's own file, for what starts it. */
  main: string;
  json: boolean;
  out(text: string): void;
  /** Text for `out`, in a colour where that is a terminal. */
  paint(colour: Colour, text: string): string;
  /** For people who wait: on a terminal only. */
  progress(done: number, total: number): void;
  signal: AbortSignal;
}

/** What can be typed after `strata-memory`. `run` gives the exit code. */
export interface Command {
  name: string;
  about: string;
  positionals: string[];
  options: Record<string, Option>;
  examples: string[];
  run(context: CommandContext): Promise<number>;
}
