import { type Account, SSO_MESSAGE, ssoHeaders } from './accounts.js';
import { type Answer, type Asked, bytes, json, refusal } from './answer.js';
import type { Emulator, Reply } from './emulator.js';
import type { Change } from './git.js';
import type { Repository } from './repository.js';

/** What the routes work on. `apiUrl` and `url` are without a slash at the end. */
export type Site = {
  url: string;
  apiUrl: string;
  emulator: Emulator;
  /** More entries than this and a recursive tree is cut off there and says `truncated`. */
  treeLimit: number;
  /** The repository of this name or, for a name it once had, the same and `moved`. Undefined where the caller may not know of it. */
  find(account: Account, fullName: string): Promise<{ repository: Repository; moved: boolean } | undefined>;
  byId(id: number): Repository | undefined;
  git(account: Account, asked: Asked): Promise<Answer>;
  adopt(facts: unknown): Promise<void>;
};
type Context = { site: Site; account: Account; asked: Asked };

const MANY_BYTES = 1_000_000;
const EMPTY = refusal(409, 'Git Repository is empty.');

/** The REST API below `/api/v3`. `path` begins after it. */
export async function rest(context: Context, path: string): Promise<Answer> {
  const { site, account, asked } = context;
  if (account.access === 'sso') return refusal(403, SSO_MESSAGE, ssoHeaders(site.url));
  if (asked.method !== 'GET' && account.access === 'read') return forbidden();
  const byId = /^\/repositories\/(\d+)(\/.*)?$/.exec(path);
  const named = byId ? site.byId(Number(byId[1]))?.facts.full_name : /^\/repos\/([^/]+\/[^/]+)/.exec(path)?.[1];
  if (named === undefined) return byId ? refusal(404, 'Not Found') : ofAccount(context, path);
  const found = await site.find(account, decodeURIComponent(named));
  if (!found) return refusal(404, 'Not Found');
  const rest = byId ? (byId[2] ?? '') : path.slice(`/repos/${named}`.length);
  if (found.moved) return movedTo(context, found.repository, rest);
  return asked.method === 'GET' ? read(context, found.repository, rest) : write(context, found.repository, rest);
}

const forbidden = () => refusal(403, 'Resource not accessible by personal access token');

/** GitHub sends readers of an old name on to the repository's number, and asks writers to repeat themselves there. */
function movedTo({ site, asked }: Context, repository: Repository, rest: string): Answer {
  const search = asked.query.size === 0 ? '' : `?${asked.query}`;
  const url = `${site.apiUrl}/repositories/${repository.facts.id}${rest}${search}`;
  const [status, message] = asked.method === 'GET' ? [301, 'Moved Permanently'] : [307, 'Temporary Redirect'];
  return json(status as number, { message, url }, { location: url });
}

/** What is about no repository: the emulator's own. */
async function ofAccount(context: Context, path: string): Promise<Answer> {
  const { site, account, asked } = context;
  // The emulator counts requests for itself, over another limit than ours.
  if (path === '/rate_limit') {
    const shape = ({ limit, used, resetAt: reset }: Account['core']) => ({
      limit,
      used,
      remaining: limit - used,
      reset,
    });
    const resources = { core: shape(account.core), graphql: shape(account.points) };
    return json(200, { resources, rate: resources.core });
  }
  const answer = await forward(context, path);
  if (answer.status === 201 && asked.method === 'POST' && /^\/(user|orgs\/[^/]+)\/repos$/.test(path)) {
    await site.adopt(JSON.parse(answer.body.toString()));
  }
  return answer;
}

/** Lets the emulator answer, its address in the answer replaced by ours. */
async function forward({ site, account, asked }: Context, path: string, body?: unknown): Promise<Answer> {
  const reply = await site.emulator.call({
    login: account.login,
    method: asked.method,
    path,
    ...(asked.method === 'GET' ? {} : { body: body ?? asked.body.toString() }),
    ...(asked.headers.accept === undefined ? {} : { accept: asked.headers.accept }),
  });
  return fromReply(site, reply);
}

function fromReply(site: Site, { status, headers, body }: Reply): Answer {
  const type = headers.get('content-type') ?? 'application/json; charset=utf-8';
  const link = headers.get('link');
  const ours = (text: string) => text.replaceAll(site.emulator.url, site.apiUrl);
  const text = type.includes('json')
    ? ours(body.toString()).replaceAll(`"html_url":"${site.apiUrl}/`, `"html_url":"${site.url}/`)
    : undefined;
  const kept = { 'content-type': type, ...(link === null ? {} : { link: ours(link) }) };
  return { status, headers: kept, body: text === undefined ? body : Buffer.from(text) };
}

async function read(context: Context, repository: Repository, path: string): Promise<Answer> {
  const { asked } = context;
  const rest = decodeURIComponent(path);
  const tree = /^\/git\/trees\/(.+)$/.exec(rest)?.[1];
  const blob = /^\/git\/blobs\/(.+)$/.exec(rest)?.[1];
  const commit = /^\/commits\/([^/]+(?:\/[^/]+)*)$/.exec(rest)?.[1];
  const basehead = /^\/compare\/(.+?)\.\.\.(.+)$/.exec(rest);
  // GitHub refuses all of the git data API while a repository is empty; the emulator does not.
  if (repository.isEmpty && /^\/(git|commits|compare)(\/|$)/.test(rest)) return EMPTY;
  if (tree !== undefined) return readTree(context, repository, tree);
  if (blob !== undefined) return readBlob(context, repository, blob);
  if (commit !== undefined && !/\/(comments|check-suites|check-runs|status|statuses|pulls)$/.test(commit)) {
    return readCommit(context, repository, commit);
  }
  const base = `/repos/${repository.facts.full_name}`;
  if (basehead) {
    // Names become ids here, since only this side knows what a reader may see of a branch.
    const [from, to] = [await repository.resolve(basehead[1] ?? ''), await repository.resolve(basehead[2] ?? '')];
    if (from === undefined || to === undefined) return refusal(404, 'Not Found');
    return forward(context, `${base}/compare/${from}...${to}${search(asked.query)}`);
  }
  if (rest === '/commits' || rest.startsWith('/contents')) return readAtRef(context, repository, path);
  const answer = await forward(context, `${base}${path}${search(asked.query)}`);
  return repository.isLagging ? asReaderSees(repository, answer) : answer;
}

const search = (query: URLSearchParams) => (query.size === 0 ? '' : `?${query}`);

/** Reads of the emulator that begin at a branch are given the id that the branch has for readers. */
async function readAtRef(context: Context, repository: Repository, path: string): Promise<Answer> {
  const { asked } = context;
  const key = path.startsWith('/contents') ? 'ref' : 'sha';
  const sha = await repository.resolve(asked.query.get(key) ?? 'HEAD');
  if (sha === undefined) return refusal(404, 'Not Found');
  const query = new URLSearchParams(asked.query);
  query.set(key, sha);
  const answer = await forward(context, `/repos/${repository.facts.full_name}${path}?${query}`);
  if (key === 'sha' || answer.status !== 200 || !answer.headers['content-type']?.includes('json')) return answer;
  const file = JSON.parse(answer.body.toString()) as { content?: string; size: number };
  if (typeof file.content !== 'string') return answer;
  // GitHub breaks base64 into lines, and leaves out what is above a megabyte.
  const content =
    file.size > MANY_BYTES ? { content: '', encoding: 'none' } : { content: inLines(file.content), encoding: 'base64' };
  return json(200, { ...file, ...content });
}

/** Branches at the emulator are where they are: a reader who lags gets their older ids in the same answer. */
function asReaderSees(repository: Repository, answer: Answer): Answer {
  let text = answer.body.toString();
  for (const name of repository.branchNames()) {
    const [head, seen] = [repository.head(name), repository.visible(name)];
    if (head === undefined || head === seen) continue;
    if (seen === undefined) return text.includes(head) ? refusal(404, 'Not Found') : answer;
    text = text.replaceAll(head, seen);
  }
  return { ...answer, body: Buffer.from(text) };
}

/** The emulator has neither the media type that answers the bare id, nor GitHub's errors for an unknown name. */
async function readCommit(context: Context, repository: Repository, name: string): Promise<Answer> {
  const sha = await repository.resolve(name);
  if (sha === undefined) return refusal(422, `No commit found for SHA: ${name}`);
  const accept = context.asked.headers.accept ?? '';
  if (/application\/vnd\.github\.(v3\.)?sha/.test(accept)) {
    return bytes(200, 'application/vnd.github.sha; charset=utf-8', sha, { etag: `"${sha}"` });
  }
  return forward(context, `/repos/${repository.facts.full_name}/commits/${sha}${search(context.asked.query)}`);
}

/** The emulator sorts in another order than git, leaves sizes out, never truncates, and is slow over many blobs. */
async function readTree({ site, asked }: Context, repository: Repository, name: string): Promise<Answer> {
  const { objects, facts } = repository;
  const commit = await repository.resolve(name);
  const sha = commit === undefined ? name : ((await objects.commit(commit))?.tree ?? name);
  const top = await objects.tree(sha);
  if (top === undefined) return refusal(404, 'Not Found');
  const url = `${site.apiUrl}/repos/${facts.full_name}/git`;
  // Any value counts, even "0": GitHub's documentation says so.
  const recursive = asked.query.has('recursive');
  const all = recursive ? await objects.walk(sha) : top.map((entry) => ({ ...entry, path: entry.name }));
  const listed = recursive ? all.slice(0, site.treeLimit) : all;
  const tree = await Promise.all(
    listed.map(async ({ path, mode, type, sha: id }) => ({
      path,
      mode,
      type,
      sha: id,
      ...(type === 'blob' ? { size: (await objects.blob(id))?.length ?? 0 } : {}),
      url: `${url}/${type}s/${id}`,
    })),
  );
  return json(200, { sha, url: `${url}/trees/${sha}`, tree, truncated: listed.length < all.length });
}

/** The emulator knows no raw blobs and does not break base64 into lines. */
async function readBlob({ site, asked }: Context, repository: Repository, sha: string): Promise<Answer> {
  const content = await repository.objects.blob(sha);
  if (content === undefined) return refusal(404, 'Not Found');
  if (/application\/vnd\.github\.(v3\.)?raw/.test(asked.headers.accept ?? '')) {
    return bytes(200, 'application/vnd.github.raw; charset=utf-8', content);
  }
  const url = `${site.apiUrl}/repos/${repository.facts.full_name}/git/blobs/${sha}`;
  const node_id = Buffer.from(`Blob:${sha}`).toString('base64');
  const encoded = inLines(content.toString('base64'));
  return json(200, { sha, node_id, size: content.length, url, content: encoded, encoding: 'base64' });
}

function inLines(base64: string): string {
  return base64.replace(/(.{60})/g, '$1\n').replace(/([^\n])$/, '$1\n');
}

/** Writes are the emulator's, one after another, with GitHub's words where it has others. */
async function write(context: Context, repository: Repository, path: string): Promise<Answer> {
  const { site, asked } = context;
  if (repository.isEmpty && path.startsWith('/git/')) return EMPTY;
  return repository.exclusively(async () => {
    const body = path === '/git/trees' ? await treeRequest(repository, asked.body) : undefined;
    const answer = await forward(context, `/repos/${repository.facts.full_name}${path}`, body);
    if (answer.status >= 400) return inGitHubsWords(answer, path);
    if (/^\/(git\/refs|contents|merges)/.test(path)) await repository.reloadBranches();
    if (path === '' && asked.method === 'PATCH') await site.adopt(JSON.parse(answer.body.toString()));
    return answer;
  });
}

/**
 * The emulator keeps emptied folders as empty trees: where files are removed, it is asked to remove the folder. And it
 * wants a tree to begin with where GitHub takes a commit as well.
 */
async function treeRequest(repository: Repository, body: Buffer): Promise<unknown> {
  type Item = { path: string; mode: string; sha?: string | null; content?: string };
  const asked = JSON.parse(body.toString()) as { base_tree?: string; tree: Item[] };
  const { base_tree: given, tree } = asked;
  const base = given === undefined ? undefined : ((await repository.objects.commit(given))?.tree ?? given);
  if (base === undefined || (await repository.objects.tree(base)) === undefined) return undefined;
  if (!tree.some(({ sha }) => sha === null)) return { ...asked, base_tree: base };
  const contents = new Map<string, Buffer | null>();
  const changes = new Map<string, Change>();
  for (const { path, mode, sha, content } of tree) {
    if (content !== undefined) contents.set(path, Buffer.from(content));
    const id = content === undefined ? sha : repository.blobId(Buffer.from(content));
    changes.set(path, id == null ? null : { sha: id, mode });
  }
  const { emptied } = await repository.objects.changedTree(base, changes);
  return { base_tree: base, tree: repository.treeItems(changes, emptied, contents) };
}

function inGitHubsWords(answer: Answer, path: string): Answer {
  const { message = '' } = JSON.parse(answer.body.toString()) as { message?: string };
  if (/not a fast-forward/i.test(message)) return refusal(422, 'Update is not a fast forward');
  if (path.startsWith('/git/refs/') && answer.status === 404) return refusal(422, 'Reference does not exist');
  if (/"sha" wasn't supplied/.test(message)) return refusal(422, 'Invalid request.\n\n"sha" wasn\'t supplied.');
  if (/^Protected branch update failed/.test(message)) {
    const review = 'At least 1 approving review is required by reviewers with write access.';
    return path.startsWith('/contents')
      ? refusal(409, `Could not create file: ${review}`)
      : refusal(422, review.trim());
  }
  return answer;
}
