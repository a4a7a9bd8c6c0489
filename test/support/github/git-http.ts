import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gitEnvironmentForTests } from '../home.js';
import type { Account } from './accounts.js';
import { type Answer, type Asked, bytes } from './answer.js';
import { type Change, type Commit, type Person, parseTree } from './git.js';
import type { Repository } from './repository.js';
import type { Site } from './rest.js';

type Output = { stdout: Buffer; code: number };

async function run(args: string[], input: Buffer | string, env: NodeJS.ProcessEnv = {}): Promise<Output> {
  const child = spawn('git', args, {
    env: { ...gitEnvironmentForTests(), ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // Where git ends before it has read everything, its answer says why.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number];
  return { stdout: Buffer.concat(chunks), code };
}

/** `1577836800 +0100` of an ISO date with its zone, as git writes it. */
function stamp(date: string): string {
  const zone = /([+-]\d\d):?(\d\d)$/.exec(date);
  return `${Math.floor(Date.parse(date) / 1000)} ${zone ? `${zone[1]}${zone[2]}` : '+0000'}`;
}

/** The person of a commit's `author` or `committer` line. */
function person(commit: string, role: 'author' | 'committer'): Person {
  const [, name = '', email = '', seconds = '0', zone = '+0000'] =
    new RegExp(`^${role} (.*) <(.*)> (\\d+) ([+-]\\d{4})$`, 'm').exec(commit) ?? [];
  const offsetMinutes = Number(`${zone[0]}1`) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3)));
  const local = new Date((Number(seconds) + offsetMinutes * 60) * 1000).toISOString().slice(0, 19);
  return { name, email, date: `${local}${zone.slice(0, 3)}:${zone.slice(3)}` };
}

/**
 * `git clone`, `fetch` and `push` over HTTP: git's own server over a bare repository beside the emulator's. What the
 * emulator has is put there first, and what was pushed is put into the emulator after, with the ids of git.
 */
export function createGitHttp() {
  let root: string | undefined;
  const copies = new Map<Repository, Promise<{ folder: string; has: Set<string> }>>();

  function copyOf(repository: Repository) {
    root ??= mkdtempSync(join(tmpdir(), 'strata-github-'));
    const folder = join(root, `${repository.facts.id}.git`);
    const opened = copies.get(repository) ?? open(folder);
    copies.set(repository, opened);
    return opened;
  }

  async function open(folder: string) {
    await run(['init', '--quiet', '--bare', folder], '');
    await run(['-C', folder, 'config', 'http.receivepack', 'true'], '');
    return { folder, has: new Set<string>() };
  }

  /** Brings the bare repository to where the emulator is. */
  async function bringOut(repository: Repository): Promise<string> {
    const { folder, has } = await copyOf(repository);
    const heads = new Map(repository.branchNames().map((name) => [name, repository.head(name) as string]));
    const stream: (Buffer | string)[] = [];
    for (const head of heads.values()) {
      for (const commit of (await repository.objects.history(head)).toReversed()) {
        if (!has.has(commit.sha)) stream.push(...(await asStream(repository, commit)));
        has.add(commit.sha);
      }
    }
    if (stream.length > 0) {
      await run(
        ['-C', folder, 'fast-import', '--quiet', '--force'],
        Buffer.concat(stream.map((part) => Buffer.from(part))),
      );
    }
    const old = (await run(['-C', folder, 'for-each-ref', '--format=%(refname)', 'refs/heads'], '')).stdout.toString();
    const gone = old.split('\n').filter((ref) => ref !== '' && !heads.has(ref.slice('refs/heads/'.length)));
    const updates = [...heads].map(([name, sha]) => `update refs/heads/${name} ${sha}\n`);
    const { code } = await run(
      ['-C', folder, 'update-ref', '--stdin'],
      [...updates, ...gone.map((ref) => `delete ${ref}\n`)].join(''),
    );
    if (code !== 0) throw new Error('git has other ids for these commits than the emulator');
    await run(['-C', folder, 'symbolic-ref', 'HEAD', `refs/heads/${repository.facts.default_branch}`], '');
    return folder;
  }

  /** Puts what was pushed into the emulator, oldest first, and moves its branches. */
  async function takeIn(repository: Repository, folder: string): Promise<void> {
    const { has } = await copyOf(repository);
    const refs = (await run(['-C', folder, 'for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads'], ''))
      .stdout;
    const found = new Map(
      refs
        .toString()
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((line) => [line.slice(52), line.slice(0, 40)]),
    );
    for (const commit of await learn(repository, folder, has)) {
      await takeCommit(repository, commit);
      has.add(commit.sha);
    }
    for (const [name, sha] of found) {
      const before = repository.head(name);
      if (before === sha) continue;
      if (before === undefined) await repository.api('POST', '/git/refs', { ref: `refs/heads/${name}`, sha });
      else await repository.api('PATCH', `/git/refs/heads/${name}`, { sha, force: true });
    }
    for (const name of repository.branchNames()) {
      if (!found.has(name)) await repository.api('DELETE', `/git/refs/heads/${name}`);
    }
    await repository.reloadBranches();
  }

  /** One smart HTTP request. `path` is what follows `OWNER/NAME.git`. Nothing else writes meanwhile. */
  function serve(repository: Repository, account: Account, asked: Asked, path: string): Promise<Answer> {
    const isPush = `${path}${asked.query}`.includes('git-receive-pack');
    if (isPush && (account.access !== 'full' || repository.facts.archived)) {
      return Promise.resolve(bytes(403, 'text/plain', 'Write access to repository not granted.'));
    }
    return repository.exclusively(async () => {
      const folder = await bringOut(repository);
      const { stdout } = await run(['http-backend'], asked.body, {
        GIT_PROJECT_ROOT: folder,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: path,
        REQUEST_METHOD: asked.method,
        QUERY_STRING: asked.query.toString(),
        CONTENT_TYPE: asked.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: asked.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: asked.headers['git-protocol'] ?? '',
        REMOTE_USER: account.login,
      });
      if (path === '/git-receive-pack') await takeIn(repository, folder);
      return fromCgi(stdout);
    });
  }

  return {
    serve,
    close() {
      if (root !== undefined) rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** `/OWNER/NAME.git/...` as git asks for it. */
export async function gitAnswer(
  site: Site,
  http: ReturnType<typeof createGitHttp>,
  account: Account,
  asked: Asked,
): Promise<Answer> {
  const [, name = '', path = ''] = /^\/([^/]+\/[^/]+)\.git(\/.*)$/.exec(asked.path) ?? [];
  const found = await site.find(account, name);
  return found ? http.serve(found.repository, account, asked, path) : bytes(404, 'text/plain', 'Repository not found.');
}

function fromCgi(output: Buffer): Answer {
  const end = output.indexOf('\r\n\r\n');
  const lines = output.subarray(0, Math.max(0, end)).toString().split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => line.split(/: (.*)/s).slice(0, 2)).map(([k, v]) => [k?.toLowerCase(), v]),
  );
  const { status = '200', ...rest } = headers as Record<string, string>;
  return { status: Number.parseInt(status, 10), headers: rest, body: output.subarray(end + 4) };
}

/** A commit for `git fast-import`, as what it changes of its first parent. */
async function asStream({ objects }: Repository, commit: Commit): Promise<(Buffer | string)[]> {
  const ref = 'refs/strata/out';
  const [first, ...others] = commit.parents;
  const parentTree = first === undefined ? undefined : (await objects.commit(first))?.tree;
  const message = Buffer.from(commit.message.endsWith('\n') ? commit.message : `${commit.message}\n`);
  const by = ({ name, email, date }: Person) => `${name} <${email}> ${stamp(date)}`;
  const parts: (Buffer | string)[] = [
    `reset ${ref}\n\ncommit ${ref}\nauthor ${by(commit.author)}\ncommitter ${by(commit.committer)}\n`,
    `data ${message.length}\n`,
    message,
    first === undefined ? '\n' : `\nfrom ${first}\n`,
    ...others.map((parent) => `merge ${parent}\n`),
  ];
  const changes = [...(await objects.difference(parentTree, commit.tree))];
  // What goes is said first: a file may make room for a folder of its name.
  for (const [path, { after }] of changes) if (!after) parts.push(`D ${path}\n`);
  for (const [path, { after }] of changes) {
    if (!after) continue;
    const content = (await objects.blob(after.sha)) as Buffer;
    parts.push(`M ${after.mode} inline ${path}\ndata ${content.length}\n`, content, '\n');
  }
  return [...parts, '\n'];
}

/** Puts one commit and its tree, known already, into the emulator. */
async function takeCommit({ objects, api, writeTree }: Repository, commit: Commit): Promise<void> {
  const parent = commit.parents[0] === undefined ? undefined : await objects.commit(commit.parents[0]);
  const changes = new Map<string, Change>();
  const contents = new Map<string, Buffer | null>();
  for (const [path, { after }] of await objects.difference(parent?.tree, commit.tree)) {
    changes.set(path, after ? { sha: after.sha, mode: after.mode } : null);
    contents.set(path, after ? ((await objects.blob(after.sha)) as Buffer) : null);
  }
  await writeTree(parent?.tree ?? null, contents, changes);
  const { message, tree, parents, author, committer } = commit;
  const made = await api<{ sha: string }>('POST', '/git/commits', { message, tree, parents, author, committer });
  if (made.sha !== commit.sha) throw new Error(`the emulator made commit ${made.sha} of ${commit.sha}`);
}

/** Every object that the branches lead to and these commits do not, kept; the commits oldest first. */
async function learn({ objects }: Repository, folder: string, known: Set<string>): Promise<Commit[]> {
  const not = [...known].map((sha) => `^${sha}\n`).join('');
  const args = ['rev-list', '--objects', '--no-object-names', '--reverse', '--topo-order', '--branches', '--stdin'];
  const { stdout: ids } = await run(['-C', folder, ...args], not);
  const { stdout: batch } = await run(['-C', folder, 'cat-file', '--batch'], ids);
  const commits: Commit[] = [];
  for (let at = 0; at < batch.length; ) {
    const line = batch.indexOf('\n', at);
    const [sha = '', type, size] = batch.toString('latin1', at, line).split(' ');
    const content = batch.subarray(line + 1, line + 1 + Number(size));
    at = line + 2 + content.length;
    if (type === 'blob') objects.keepBlob(content);
    if (type === 'tree') objects.keepTree(sha, parseTree(content));
    if (type === 'commit') commits.push(parseCommit(sha, content.toString()));
  }
  for (const commit of commits) objects.keepCommit(commit);
  return commits;
}

function parseCommit(sha: string, raw: string): Commit {
  const end = raw.indexOf('\n\n');
  const parents = [...raw.slice(0, end).matchAll(/^parent ([0-9a-f]{40})$/gm)].map((match) => match[1] as string);
  // The emulator ends a message with a line break if it does not: a commit without one is then refused.
  const message = raw.slice(end + 2);
  return {
    ...{ sha, tree: raw.slice(5, 45), parents, message },
    ...{ author: person(raw, 'author'), committer: person(raw, 'committer') },
  };
}
