import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import envPaths from 'env-paths';
import { cronProblem } from './core/cron.js';
import { readDatabaseUrl } from './core/database-url.js';
import { MemoryError } from './core/errors.js';
import { LIMITS } from './core/limits.js';
import { LOG_LEVELS, type LogLevel } from './core/log.js';
import { editDistance, nearest } from './core/nearest.js';
import { projectName } from './core/project.js';
import { readRedisUrl } from './core/redis-url.js';
import { LATER, VARIABLES } from './core/variables.js';

export interface Config {
  home: string;
  /** A path on this machine; null: a repository of our own under `home`, or GitHub. */
  repo: string | null;
  github: GitHubConfig | null;
  /** As set, for commands that bring a memory to GitHub. Secret. */
  githubToken: string | undefined;
  githubApiUrl: string;
  /** Saves that GitHub cannot take for now are kept and sent later. */
  outbox: boolean;
  /** One question to GitHub with its retries, and a save as a whole. */
  readDeadlineMs: number;
  saveDeadlineMs: number;
  /** A database that does not answer for so long is gone past. */
  mirrorDeadlineMs: number;
  branch: string | undefined;
  /** The mirror's Postgres, with its secrets; undefined: SQLite. */
  databaseUrl: string | undefined;
  databaseReadUrl: string | undefined;
  /** The cache's Redis, with its secrets; undefined: no cache. */
  redisUrl: string | undefined;
  project: string | undefined;
  /** What Claude Code says of where it works. */
  clientFolder: string | undefined;
  staleAfterMs: number;
  /** When servers sync by themselves; null: never. */
  syncCron: string | null;
  /** When servers make checkpoints by themselves; null: never. */
  checkpointsCron: string | null;
  /** Contents that nobody touched for so long leave the mirror; null: none does. */
  retentionDays: number | null;
  /** The model that embeds: the built-in one, or a folder's; null: none does. */
  embeddings: 'minilm' | { folder: string } | null;
  tools: 'all' | 'core';
  log: LogLevel;
  /** Where each value comes from: `default`, `environment` or `flag`. */
  sources: Record<string, string>;
  warnings: string[];
}

/** A repository on GitHub. The token is secret. */
export interface GitHubConfig {
  owner: string;
  name: string;
  token: string;
  /** Without the slash at its end. */
  apiUrl: string;
  allowPublic: boolean;
}

export { VARIABLES };

const POSTGRES_LIKE = 'postgres://user:password@host:5432/database?sslmode=require';

type Values = Partial<Record<(typeof VARIABLES)[number]['name'], { value: string; source: string }>>;

/** What a command takes beside the configuration's own flags, in the words of `util.parseArgs`. */
export type CommandOptions = Record<string, { type: 'string' | 'boolean'; multiple?: boolean }>;

/**
 * The configuration in force, from the environment and the flags (which win), with the command's own flags as `values`.
 * A command's flag hides the configuration's of the same name. Throws `config` or `invalid_input` naming the variable
 * or flag and the fix.
 */
export function readConfig(
  argv: string[],
  environment: NodeJS.ProcessEnv,
  own: CommandOptions = {},
): { config: Config; rest: string[]; values: Record<string, string | boolean | string[]> } {
  const warnings: string[] = [];
  const settings = fromEnvironment(environment, warnings);
  const { flags, rest, values } = fromFlags(argv, own);
  Object.assign(settings, flags);
  const config = { ...check(settings, warnings), clientFolder: environment.CLAUDE_PROJECT_DIR || undefined };
  return { config, rest, values };
}

/** A database's URL without who asks and how. */
const shown = (url: string | undefined) => (url === undefined ? '' : `postgres://${readDatabaseUrl(url).label}`);

/** The configuration as rows to show; secrets are hidden. */
export function settingsOf(config: Config): { name: string; value: string; source: string }[] {
  const values: Record<(typeof VARIABLES)[number]['name'], string> = {
    MEMORY_REPO: config.github ? `${config.github.owner}/${config.github.name}` : (config.repo ?? ''),
    GITHUB_TOKEN: config.github ? '(hidden)' : '',
    GITHUB_API_URL: config.github?.apiUrl ?? '',
    MEMORY_ALLOW_PUBLIC: config.github?.allowPublic ? 'on' : 'off',
    MEMORY_OUTBOX: config.outbox ? 'on' : 'off',
    MEMORY_READ_DEADLINE: inWords(config.readDeadlineMs),
    MEMORY_SAVE_DEADLINE: inWords(config.saveDeadlineMs),
    MEMORY_MIRROR_DEADLINE: inWords(config.mirrorDeadlineMs),
    MEMORY_BRANCH: config.branch ?? '',
    MEMORY_HOME: config.home,
    DATABASE_URL: shown(config.databaseUrl),
    DATABASE_READ_URL: shown(config.databaseReadUrl),
    REDIS_URL: config.redisUrl === undefined ? '' : readRedisUrl(config.redisUrl).label,
    MEMORY_PROJECT: config.project ?? '',
    MEMORY_STALE_AFTER: inWords(config.staleAfterMs),
    MEMORY_SYNC_CRON: config.syncCron ?? 'off',
    MEMORY_CHECKPOINTS: config.checkpointsCron ?? 'off',
    MEMORY_RETENTION: config.retentionDays === null ? 'off' : `${config.retentionDays}d`,
    MEMORY_EMBEDDINGS: typeof config.embeddings === 'object' ? (config.embeddings?.folder ?? 'off') : config.embeddings,
    MEMORY_TOOLS: config.tools,
    MEMORY_LOG: config.log,
  };
  return VARIABLES.map(({ name }) => ({ name, value: values[name], source: config.sources[name] ?? 'default' }));
}

/** The command that an argument list names, and the list without it; null where it names none. */
export function splitCommand(argv: string[]): { command: string | null; args: string[] } {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] as string;
    if (VARIABLES.some(({ flag }) => word === `--${flag}`)) at++;
    // A flag that is not known has to be named first: what follows it may be its value.
    else if (word.startsWith('-') && !word.includes('=') && !['--json', '--help', '-h'].includes(word)) break;
    else if (!word.startsWith('-')) return { command: word, args: argv.toSpliced(at, 1) };
  }
  return { command: null, args: argv };
}

function fromEnvironment(environment: NodeJS.ProcessEnv, warnings: string[]): Values {
  const values: Values = {};
  const names: string[] = VARIABLES.map(({ name }) => name);
  for (const [name, value] of Object.entries(environment)) {
    const known = VARIABLES.find((variable) => variable.name === name);
    if (value === undefined) continue;
    if (!name.startsWith('MEMORY_') && !known) {
      // Others have names of their own: only a slip in one of ours, where that one is missing, is worth a word.
      const near = VARIABLES.find((each) => !environment[each.name] && editDistance(each.name, name, 1) === 1);
      if (near) warnings.push(`${name} is not a variable of strata-memory: did you mean ${near.name}?`);
      continue;
    }
    // An empty variable is the usual way to unset one.
    if (known) {
      if (value.trim() !== '') values[known.name] = { value: value.trim(), source: 'environment' };
    } else if (name === 'MEMORY_ENCRYPTION_KEY') {
      throw bad(name, 'asks for encryption, which this version cannot do', 'Unset it; notes would be stored readable.');
    } else if (LATER.includes(name)) warnings.push(`${name} has no effect in this version.`);
    else {
      const slip = [...names, ...LATER].find((each) => editDistance(each, name, 1) <= 1);
      if (slip) throw bad(name, 'is not a variable of strata-memory', `Did you mean ${slip}?`);
      warnings.push(`${name} is not a variable of strata-memory: ignored.`);
    }
  }
  return values;
}

function fromFlags(argv: string[], own: CommandOptions) {
  const ours = VARIABLES.filter(({ flag }) => !(flag in own));
  // Every flag may be repeated as far as the parser goes, so that a second one is an error and not the one that wins.
  const options = Object.fromEntries([
    ...ours.map(({ flag }) => [flag, { type: 'string' as const, multiple: true as const }]),
    ...Object.entries(own).map(([flag, { type }]) => [flag, { type, multiple: true as const }]),
  ]);
  let parsed: { values: Record<string, (string | boolean)[] | undefined>; positionals: string[] };
  try {
    parsed = parseArgs({ args: argv, options, allowPositionals: true, strict: true }) as typeof parsed;
  } catch (error) {
    throw unknownFlag(error, Object.keys(options), Object.keys(own).length === 0 ? 'config' : 'invalid_input');
  }
  const once = (flag: string) => {
    const given = parsed.values[flag];
    if (given !== undefined && given.length > 1) throw bad(`--${flag}`, 'is given more than once', 'Give it once.');
    const value = given?.[0];
    if (typeof value === 'string' && value.trim() === '') {
      throw bad(`--${flag}`, 'has an empty value', 'Give it one, or leave the flag out.');
    }
    return typeof value === 'string' && !(flag in own) ? value.trim() : value;
  };
  const flags: Values = {};
  for (const { name, flag } of ours) {
    const value = once(flag);
    if (value !== undefined) flags[name] = { value: String(value), source: 'flag' };
  }
  const values: Record<string, string | boolean | string[]> = {};
  for (const [flag, { multiple }] of Object.entries(own)) {
    const value = multiple ? (parsed.values[flag] as string[] | undefined) : once(flag);
    if (value !== undefined) values[flag] = value;
  }
  return { flags, rest: parsed.positionals, values };
}

function unknownFlag(error: unknown, known: string[], code: 'config' | 'invalid_input'): MemoryError {
  const text = error instanceof Error ? error.message : '';
  const flag = /'(--?[\w-]+)/.exec(text)?.[1] ?? '';
  const lacks = /argument missing|does not take/.test(text);
  const near = nearest(flag.replace(/^-+/, ''), known, 1)[0];
  return new MemoryError(
    code,
    lacks ? `The flag ${flag} is used wrongly: it lacks its value, or takes none.` : `There is no flag ${flag}.`,
    `${!lacks && near ? `Did you mean --${near}? ` : ''}Flags: ${known.map((each) => `--${each}`).join(', ')}.`,
    error,
  );
}

function check(values: Values, warnings: string[]): Omit<Config, 'clientFolder'> {
  const text = (name: keyof Values) => values[name]?.value;
  if (text('DATABASE_READ_URL') !== undefined && text('DATABASE_URL') === undefined)
    warnings.push('DATABASE_READ_URL has no effect without DATABASE_URL, its primary.');
  return {
    home: pathOf(text('MEMORY_HOME')) ?? envPaths('strata-memory', { suffix: '' }).data,
    ...repoOf(text),
    githubToken: text('GITHUB_TOKEN'),
    githubApiUrl: text('GITHUB_API_URL') ?? 'https://api.github.com',
    outbox: oneOf('MEMORY_OUTBOX', text('MEMORY_OUTBOX') ?? 'on', ['on', 'off'] as const) === 'on',
    readDeadlineMs: waitOf('MEMORY_READ_DEADLINE', text('MEMORY_READ_DEADLINE'), LIMITS.githubReadMs),
    saveDeadlineMs: waitOf('MEMORY_SAVE_DEADLINE', text('MEMORY_SAVE_DEADLINE'), LIMITS.saveDeadlineMs),
    mirrorDeadlineMs: waitOf('MEMORY_MIRROR_DEADLINE', text('MEMORY_MIRROR_DEADLINE'), LIMITS.mirrorWriteMs),
    branch: text('MEMORY_BRANCH'),
    databaseUrl: urlOf('DATABASE_URL', text('DATABASE_URL'), readDatabaseUrl, POSTGRES_LIKE),
    databaseReadUrl: urlOf('DATABASE_READ_URL', text('DATABASE_READ_URL'), readDatabaseUrl, POSTGRES_LIKE),
    redisUrl: urlOf('REDIS_URL', text('REDIS_URL'), readRedisUrl, 'redis://user:password@host:6379, rediss:// for TLS'),
    project: projectOf(text('MEMORY_PROJECT')),
    staleAfterMs: durationOf('MEMORY_STALE_AFTER', text('MEMORY_STALE_AFTER') ?? '1h'),
    syncCron: cronOf('MEMORY_SYNC_CRON', text('MEMORY_SYNC_CRON') ?? '*/15 * * * *'),
    checkpointsCron: cronOf('MEMORY_CHECKPOINTS', text('MEMORY_CHECKPOINTS') ?? '30 4 * * 1'),
    retentionDays: daysOf('MEMORY_RETENTION', text('MEMORY_RETENTION') ?? (text('DATABASE_URL') ? '90d' : 'off')),
    embeddings: embeddingsOf(text('MEMORY_EMBEDDINGS') ?? 'minilm'),
    tools: oneOf('MEMORY_TOOLS', text('MEMORY_TOOLS') ?? 'all', ['all', 'core'] as const),
    log: oneOf('MEMORY_LOG', text('MEMORY_LOG') ?? 'info', LOG_LEVELS),
    sources: Object.fromEntries(VARIABLES.map(({ name }) => [name, values[name]?.source ?? 'default'])),
    warnings,
  };
}

function pathOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  return resolve(text === '~' || text.startsWith('~/') ? homedir() + text.slice(1) : text);
}

type Text = (name: keyof Values) => string | undefined;

/** `owner/name`, or a github.com URL, means GitHub unless a folder of that name is here; anything else is a path. */
function repoOf(text: Text): Pick<Config, 'repo' | 'github'> {
  const given = text('MEMORY_REPO');
  const path = pathOf(given);
  if (given === undefined || path === null) return { repo: null, github: null };
  const named =
    /^(?:https:\/\/github\.com\/|git@github\.com:|ssh:\/\/git@github\.com\/)([\w.-]+)\/([\w.-]+?)(?:\.git)?\/?$/i.exec(
      given,
    ) ?? (given.startsWith('.') || existsSync(path) ? null : /^([\w-][\w.-]*)\/([\w.-]+)$/.exec(given));
  if (named) return { repo: null, github: githubOf(named[1] as string, named[2] as string, text) };
  if (/^[a-z+]+:\/\/|^[\w.-]+@[\w.-]+:/i.test(given)) {
    throw bad(
      'MEMORY_REPO',
      'is a URL',
      'Give owner/name for GitHub (with GITHUB_API_URL for an Enterprise server), or clone it and give the path.',
    );
  }
  return { repo: path, github: null };
}

function githubOf(owner: string, name: string, text: Text): GitHubConfig {
  const token = text('GITHUB_TOKEN');
  if (token === undefined)
    throw bad(
      'GITHUB_TOKEN',
      'is not set, and MEMORY_REPO names a repository on GitHub',
      'Run `strata-memory init --github owner/name`, or make a fine-grained token with Contents: read and write for that repository (github.com/settings/personal-access-tokens/new) and set it. For a folder on this machine write ./owner/name.',
    );
  if (!/^[\x21-\x7e]+$/.test(token)) throw bad('GITHUB_TOKEN', 'holds characters that no token has', 'Copy it again.');
  const allowPublic =
    oneOf('MEMORY_ALLOW_PUBLIC', text('MEMORY_ALLOW_PUBLIC') ?? 'off', ['on', 'off'] as const) === 'on';
  return { owner, name, token, apiUrl: apiUrlOf(text('GITHUB_API_URL') ?? 'https://api.github.com'), allowPublic };
}

function apiUrlOf(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : null;
  const local = url !== null && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (!url || (url.protocol !== 'https:' && !(url.protocol === 'http:' && local)) || url.username || url.password)
    throw bad('GITHUB_API_URL', 'is no https URL', 'Write it like https://github.example.com/api/v3.');
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

function waitOf(name: string, given: string | undefined, usualMs: number): number {
  const ms = given === undefined ? usualMs : durationOf(name, given);
  if (ms < 100 || ms > 600_000) throw bad(name, 'is no time between 100ms and 10m', 'Write it as 8s.');
  return ms;
}

function urlOf(
  name: string,
  text: string | undefined,
  read: (text: string) => unknown,
  like: string,
): string | undefined {
  try {
    if (text !== undefined) read(text);
    return text;
  } catch (error) {
    throw bad(name, error instanceof Error ? error.message : 'cannot be read', `Write it as ${like}.`);
  }
}

function projectOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return projectName(text);
  } catch (error) {
    throw bad(
      'MEMORY_PROJECT',
      error instanceof MemoryError ? error.message : 'is not usable',
      'Use a name like owner/repo.',
    );
  }
}

function durationOf(name: string, text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text.trim());
  const ms = match
    ? Number(match[1]) *
      { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as 'ms' | 's' | 'm' | 'h' | 'd']
    : Number.NaN;
  if (!(ms <= 30 * 86_400_000)) throw bad(name, 'is no time between 0s and 30d', 'Write it as 90s, 15m, 1h or 2d.');
  return ms;
}

/** Null: `off`. */
function cronOf(name: string, text: string): string | null {
  if (text.toLowerCase() === 'off') return null;
  const problem = cronProblem(text);
  if (problem !== null)
    throw bad(name, problem, 'Write it as cron does, e.g. `*/15 * * * *` for every 15 minutes, or off.');
  return text;
}

/** A model's name, or the folder of one; null: `off`. */
function embeddingsOf(text: string): Config['embeddings'] {
  const name = text.toLowerCase();
  if (name === 'off') return null;
  if (['minilm', 'all-minilm-l6-v2'].includes(name)) return 'minilm';
  const folder = pathOf(text) as string;
  if (!existsSync(folder))
    throw bad(
      'MEMORY_EMBEDDINGS',
      'names neither a model that is known nor a folder that is there',
      'Use minilm, off, or the path of a folder with config.json, tokenizer.json and model.safetensors.',
    );
  return { folder };
}

/** Whole days; null: `off`. */
function daysOf(name: string, text: string): number | null {
  if (text.toLowerCase() === 'off') return null;
  const days = Number(/^(\d{1,4})d$/i.exec(text)?.[1] ?? 0);
  if (days < 1 || days > 3_650) throw bad(name, 'is no time between 1d and 3650d', 'Write it as 90d, or off.');
  return days;
}

/** As `durationOf` reads it: `1h`, `90s`, `250ms`. */
function inWords(ms: number): string {
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const)
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  return `${ms}ms`;
}

function oneOf<T extends string>(name: string, text: string, among: readonly T[]): T {
  const found = among.find((each) => each === text.trim().toLowerCase());
  if (found === undefined) throw bad(name, 'has a value that is not known', `Use one of ${among.join(', ')}.`);
  return found;
}

function bad(name: string, what: string, hint: string): MemoryError {
  return new MemoryError('config', `${name} ${what}.`, hint);
}
