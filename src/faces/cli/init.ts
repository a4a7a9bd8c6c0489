import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { applyEdits, modify, type Node, type ParseError, parseTree } from 'jsonc-parser';
import { MemoryError } from '../../core/errors.js';
import { type ClientConfig, clientConfigs } from './clients.js';
import type { Command, CommandContext } from './command.js';
import { reachTarget, TARGET_OPTIONS } from './github.js';

interface Entry {
  command: string;
  args: string[];
  env?: Record<string, string>;
}

/**
 * Puts this server into the clients' configuration, or takes it out again. Only its own entry is touched; the file as it
 * was is kept beside it and comes back byte for byte while nobody else has changed it.
 */
export const initCommand: Command = {
  name: 'init',
  about: 'Puts this server into the configuration of Claude Desktop and Claude Code; --undo takes it out again.',
  positionals: [],
  options: {
    client: { type: 'string', about: 'desktop | code; default: those that are here', values: ['desktop', 'code'] },
    config: { type: 'string', about: 'this configuration file instead' },
    name: { type: 'string', about: 'name of the entry; default strata-memory' },
    github: { type: 'string', about: 'owner/name: the memory lives in this repository on GitHub' },
    ...TARGET_OPTIONS,
    'dry-run': { type: 'boolean', about: 'only show what would change' },
    undo: { type: 'boolean', about: 'take the entry out, or put the file back as it was' },
  },
  examples: [
    'init',
    'init --github owner/memory --create',
    'init --dry-run',
    'init --client desktop --repo ~/notes',
    'init --undo',
  ],

  async run(context) {
    const { values, out } = context;
    const name = typeof values.name === 'string' ? values.name.trim() : 'strata-memory';
    if (!/^[\w.-]{1,60}$/.test(name))
      throw new MemoryError('invalid_input', 'The name is not usable.', 'Use letters, digits, . _ and -.');
    const targets = targetsOf(context);
    if (!values.undo) checkPlace(context.main);
    const entry = values.undo ? null : await entryOf(context);
    if (targets.length === 0) {
      out(
        `Neither Claude Desktop nor Claude Code is here. ${entry === null ? 'There is nothing to undo.' : `Paste this into your client's configuration${entry.env?.GITHUB_TOKEN ? ', with your token' : ''}:\n${shownOf({ mcpServers: { [name]: entry } })}`}`,
      );
      return 0;
    }
    let failed = 0;
    for (const target of targets) {
      try {
        out(
          entry === null
            ? undo(target, name, values['dry-run'] === true)
            : install(target, name, entry, values['dry-run'] === true),
        );
      } catch (error) {
        const known = knownFault(error);
        if (known === null) throw error;
        failed++;
        out(`${context.paint('red', target.client)} (${target.file}): ${known.message} ${known.hint}`);
      }
    }
    if (!values.undo && !values['dry-run'] && failed < targets.length) {
      const where = typeof values.config === 'string' ? ` --config ${values.config}` : '';
      out(`Restart the client to use it. \`node ${context.main} init --undo${where}\` takes this back.`);
    }
    return failed === 0 ? 0 : 1;
  },
};

/** npm empties the cache that npx runs from when it likes: an entry that names it would stop working one day. */
function checkPlace(main: string): void {
  if (/[\\/]_npx[\\/]/.test(main))
    throw new MemoryError(
      'refused',
      'This runs from npx’s cache, which does not last. Nothing was changed.',
      'Clone the repository, or install it with `npm install --global`, and run init from there.',
    );
}

function targetsOf({ values }: CommandContext): ClientConfig[] {
  const wanted = values.client;
  if (wanted !== undefined && wanted !== 'desktop' && wanted !== 'code')
    throw new MemoryError('invalid_input', 'There is no such client.', 'Use --client desktop or --client code.');
  const client = wanted === 'code' ? 'Claude Code' : 'Claude Desktop';
  if (typeof values.config === 'string') {
    const file = resolve(values.config);
    if (!existsSync(dirname(file)))
      throw new MemoryError(
        'invalid_input',
        `There is no folder ${dirname(file)}. Nothing was changed.`,
        'Name a configuration file in a folder that is there.',
      );
    return [{ client, file, found: true }];
  }
  return clientConfigs().filter((each) => (wanted === undefined ? each.found : each.client === client));
}

/**
 * What starts this program with the configuration that is in force now. A repository that cannot be used would be
 * written down and fail in the client, out of sight: it is looked at first.
 */
async function entryOf(context: CommandContext): Promise<Entry> {
  const { main, settings, values, services } = context;
  const env = Object.fromEntries(
    settings
      .filter(({ source, name }) => source !== 'default' && name.startsWith('MEMORY_'))
      .map(({ name, value }) => [name, value]),
  );
  const inForce = settings.some(({ name, value }) => name === 'GITHUB_TOKEN' && value !== '');
  const given = typeof values.github === 'string' ? values.github : inForce ? env.MEMORY_REPO : undefined;
  if (given !== undefined) Object.assign(env, await githubEntry(context, given));
  else if (env.MEMORY_REPO !== undefined) await services();
  return { command: process.execPath, args: [main], ...(Object.keys(env).length > 0 ? { env } : {}) };
}

/** The variables of a memory on GitHub. The client starts the server with nothing else: the token has to be among them. */
async function githubEntry(context: CommandContext, given: string): Promise<Record<string, string>> {
  const { owner, name, token, repository } = await reachTarget(context, given);
  const { apiUrl } = context.github;
  return {
    MEMORY_REPO: `${owner}/${name}`,
    GITHUB_TOKEN: token,
    ...(apiUrl === 'https://api.github.com' ? {} : { GITHUB_API_URL: apiUrl }),
    ...(repository.isPrivate ? {} : { MEMORY_ALLOW_PUBLIC: 'on' }),
  };
}

/** As it is written, but for the token. */
function shownOf(value: unknown): string {
  return JSON.stringify(value, (key, each) => (key === 'GITHUB_TOKEN' ? '(your token)' : each), 2);
}

/** What keeps one file from being changed and is no fault of ours, or null: the system's own refusals are answered too. */
function knownFault(error: unknown): MemoryError | null {
  if (error instanceof MemoryError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/^(EISDIR|ENOTDIR|ENOENT|EACCES|EPERM|EROFS|ENOSPC)$/.test(code)) return null;
  return new MemoryError(
    'config',
    `it cannot be read and written here (${code}): left as it is.`,
    'Name a file in a folder that is there and yours to write, or mend its permissions.',
    error,
  );
}

function install({ client, file }: ClientConfig, name: string, entry: Entry, dryRun: boolean): string {
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const present = entriesOf(before)[name];
  if (present !== undefined && JSON.stringify(present) === JSON.stringify(entry))
    return `${client} (${file}): already there, nothing to change.`;
  if (present !== undefined && !isOurs(present)) {
    throw new MemoryError(
      'conflict',
      `it already has another server called ${name}: left as it is.`,
      'Choose another name with --name.',
    );
  }
  // Where nobody else changed the file since, the new entry is written as a first one would be: undo stays byte for byte.
  const backup = existsSync(backupOf(file)) ? readFileSync(backupOf(file), 'utf8') : null;
  const ours = backup !== null && present !== undefined && withEntry(backup, name, present) === before;
  const after = withEntry(ours ? backup : before, name, entry);
  const shown = `${client} (${file}): ${present === undefined ? 'adds' : 'changes'}\n${shownOf({ [name]: entry })}`;
  if (dryRun) return `${shown}\nNothing was changed (--dry-run).`;
  makeFolder(dirname(file));
  // The first backup is the one worth keeping: it is the file without us.
  if (!existsSync(backupOf(file))) {
    // No file is kept as an empty backup.
    if (existsSync(file)) copyFileSync(file, backupOf(file));
    else writeFileSync(backupOf(file), '', { mode: 0o600 });
  }
  replace(file, after, entry.env?.GITHUB_TOKEN !== undefined);
  return `${shown}\nDone.${before === '' ? '' : ` The file as it was: ${backupOf(file)}`}`;
}

function undo({ client, file }: ClientConfig, name: string, dryRun: boolean): string {
  if (!existsSync(file)) return `${client} (${file}): not there, nothing to undo.`;
  const now = readFileSync(file, 'utf8');
  const present = entriesOf(now)[name];
  if (present === undefined) return `${client} (${file}): has no entry ${name}, nothing to undo.`;
  if (!isOurs(present))
    throw new MemoryError(
      'conflict',
      `its entry ${name} is not this server: left as it is.`,
      'Take it out by hand if you want to.',
    );
  if (dryRun) return `${client} (${file}): would lose its entry ${name}. Nothing was changed (--dry-run).`;
  const backup = existsSync(backupOf(file)) ? readFileSync(backupOf(file), 'utf8') : '';
  // Byte for byte, where the backup with our entry is what stands there now.
  const untouched = withEntry(backup, name, present) === now;
  if (untouched && backup === '') rmSync(file);
  else replace(file, untouched ? backup : withEntry(now, name, undefined));
  rmSync(backupOf(file), { force: true });
  return `${client} (${file}): ${untouched ? 'as it was before, byte for byte' : `the entry ${name} is out; what else changed since is kept`}.`;
}

/** The servers of a configuration. Throws where it is no JSON, or names one server twice: such a file is left alone. */
function entriesOf(text: string): Record<string, unknown> {
  if (text.trim() === '') return {};
  const errors: ParseError[] = [];
  const root = parseTree(text.replace(/^\ufeff/, ''), errors, { allowTrailingComma: false, disallowComments: true });
  if (errors.length > 0)
    throw new MemoryError(
      'invalid_input',
      `it is not valid JSON (line ${lineAt(text, errors[0]?.offset ?? 0)}): left as it is.`,
      'Mend it there, then run init again.',
    );
  if (root?.type !== 'object')
    throw new MemoryError(
      'invalid_input',
      'it is not a JSON object: left as it is.',
      'It has to begin with { and end with }; mend it, then run init again.',
    );
  refuseTwice(text, root, 'mcpServers');
  const servers = child(root, 'mcpServers');
  if (servers === undefined) return {};
  if (servers.type !== 'object')
    throw new MemoryError(
      'invalid_input',
      `its mcpServers is no object (line ${lineAt(text, servers.offset)}): left as it is.`,
      'Mend it first, then run init again.',
    );
  refuseTwice(text, servers);
  return (JSON.parse(text.replace(/^\ufeff/, '')) as { mcpServers?: Record<string, unknown> }).mcpServers ?? {};
}

/** Of two properties of one name a reader takes the last and we would change the first: a person has to choose. */
function refuseTwice(text: string, { children = [] }: Node, only?: string): void {
  const names = children.map((property) => String(property.children?.[0]?.value));
  const at = names.findIndex((each, index) => names.indexOf(each) !== index && (only === undefined || each === only));
  if (at === -1) return;
  const lines = [names.indexOf(names[at] ?? ''), at].map((index) => lineAt(text, children[index]?.offset ?? 0));
  throw new MemoryError(
    'invalid_input',
    `it names ${only ?? 'one server'} twice (lines ${lines.join(' and ')}): left as it is.`,
    'Take one of the two out, then run init again.',
  );
}

/** The line, from 1, of a character. */
function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split(/\r\n|\r|\n/).length;
}

function child(node: Node, name: string): Node | undefined {
  return node.children?.find((property) => property.children?.[0]?.value === name)?.children?.[1];
}

/** The text with that entry, or without it; everything else stays as it is written, to the byte. */
function withEntry(text: string, name: string, entry: unknown): string {
  const base = text.trim() === '' ? '{}\n' : text;
  const tabs = /^\t/m.test(base);
  const unit = tabs ? '\t' : ' '.repeat(/^( +)\S/m.exec(base)?.[1]?.length ?? 2);
  const eol = base.includes('\r\n') ? '\r\n' : '\n';
  const depth = child(parseTree(base) as Node, 'mcpServers') === undefined ? 1 : 2;
  const edits = modify(base, ['mcpServers', name], entry, {}).map((edit) => {
    // An insertion is `,"name":{…}` or `"name":{…}`: written out as the rest of the file is.
    const added = /^(,?)("[\s\S]*)$/.exec(edit.content);
    if (edit.length > 0 || !added) return edit;
    const lines = JSON.stringify(JSON.parse(`{${added[2]}}`), null, unit)
      .split('\n')
      .slice(1, -1);
    const body = lines.map((line) => eol + unit.repeat(depth - 1) + line).join('');
    const closes = added[1] === '' ? eol + unit.repeat(depth - 1) : '';
    return { ...edit, content: added[1] + body + closes };
  });
  return applyEdits(base, edits);
}

function isOurs(entry: unknown): boolean {
  return /strata-memory|[\\/]dist[\\/]main\.js/.test(JSON.stringify(entry));
}

function backupOf(file: string): string {
  return `${file}.before-strata-memory`;
}

/** One level: a client's own folder. A path of which more is missing is a slip, and Node tries for ever below /proc. */
function makeFolder(folder: string): void {
  if (!existsSync(folder)) mkdirSync(folder);
}

/** Whole or not at all, with the file's own mode: these files hold other servers' secrets. */
function replace(file: string, text: string, isSecret = false): void {
  const mode = (existsSync(file) ? statSync(file).mode & 0o777 : 0o600) & (isSecret ? 0o700 : 0o777);
  const made = `${file}.new-${process.pid}`;
  writeFileSync(made, text, { mode });
  renameSync(made, file);
}
