import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { type Account, type Accounts, budgetHeaders, isSpent, notAdmitted } from './accounts.js';
import { type Answer, type Asked, type GraphQLSummary, json, refusal } from './answer.js';
import { answerUnder, createFaults } from './faults.js';
import { graphqlAnswer, summaryOf } from './graphql.js';
import { rest, type Site } from './rest.js';

/** One request as it was, without its token. `status` is undefined while, or where, none was given. */
export type Logged = {
  method: string;
  /** With the query. */
  path: string;
  graphql?: GraphQLSummary;
  login?: string;
  /** Whether it came with If-None-Match. */
  conditional: boolean;
  status?: number;
  fault?: string;
  /** Milliseconds since 1970. */
  at: number;
  ms?: number;
  bytesIn: number;
  bytesOut: number;
};
export type Switches = { graphql: boolean; latencyMs: number };

/** The HTTP server in front: admission, budgets, conditional answers, faults and the log. Its site comes with `serve`. */
export async function startProxy(accounts: Accounts, switches: Switches) {
  const log: Logged[] = [];
  const faults = createFaults();
  let site: Site | undefined;

  const server = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => {
      // A client that went away is no news; anything else is a fault of this server and shows as one.
      if (response.destroyed) return;
      const text = error instanceof Error ? error.stack : String(error);
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`test server: ${text}`);
    });
  });
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const down = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  const port = await listen(0);

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = Date.now();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked = toAsked(request, Buffer.concat(chunks));
    const account = accounts.behind(asked.headers.authorization);
    const entry: Logged = {
      method: asked.method,
      path: request.url ?? '',
      ...(asked.graphql ? { graphql: asked.graphql } : {}),
      ...(account ? { login: account.login } : {}),
      conditional: asked.headers['if-none-match'] !== undefined,
      at,
      bytesIn: asked.body.length,
      bytesOut: 0,
    };
    log.push(entry);
    if (switches.latencyMs > 0) await wait(switches.latencyMs);
    const fault = faults.take(asked);
    if (fault) entry.fault = fault.kind;
    const answer = await answerUnder(fault, response, () => admitted(account, asked));
    entry.ms = Date.now() - at;
    if (!answer || response.destroyed) return;
    entry.status = answer.status;
    entry.bytesOut = answer.body.length;
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
    response.end(asked.method === 'HEAD' ? undefined : answer.body);
  }

  async function admitted(account: Account | undefined, asked: Asked): Promise<Answer> {
    const isGit = /^\/[^/]+\/[^/]+\.git\//.test(asked.path);
    const refused = notAdmitted(account, isGit);
    if (refused || !account || !site) return refused ?? refusal(503, 'Starting');
    if (asked.path === '/api/graphql') {
      if (!switches.graphql) return refusal(404, 'Not Found');
      if (isSpent(account.points)) return pointsSpent(account);
      account.points.used++;
      return graphqlAnswer(site, account, asked);
    }
    if (isGit) return site.git(account, asked);
    if (!asked.path.startsWith('/api/v3')) return refusal(404, 'Not Found');
    const path = asked.path.slice('/api/v3'.length);
    if (path !== '/rate_limit' && isSpent(account.core)) return overBudget(account.core, 'core');
    const answer = conditional(asked, await rest({ site, account, asked }, path));
    // GitHub counts neither an unchanged answer nor a look at what is left.
    if (answer.status !== 304 && path !== '/rate_limit') account.core.used++;
    return { ...answer, headers: { ...budgetHeaders(account.core, 'core'), ...answer.headers } };
  }

  return {
    url: `http://127.0.0.1:${port}`,
    log,
    faults,
    serve(served: Site) {
      site = served;
    },
    down,
    up: async () => {
      if (!server.listening) await listen(port);
    },
  };
}

function toAsked(request: IncomingMessage, body: Buffer): Asked {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
  const graphql = url.pathname === '/api/graphql' ? summaryOf(body) : undefined;
  const about = { method: request.method ?? 'GET', path: url.pathname, query: url.searchParams };
  return { ...about, headers, body, ...(graphql ? { graphql } : {}) };
}

/** An ETag on what is read, and 304 for who has it already. */
function conditional(asked: Asked, answer: Answer): Answer {
  if (asked.method !== 'GET' || answer.status !== 200) return answer;
  const digest = createHash('sha256').update(answer.headers['content-type'] ?? '');
  const etag = answer.headers.etag ?? `W/"${digest.update(answer.body).digest('hex')}"`;
  const strong = (tag: string) => tag.trim().replace(/^W\//, '');
  const known = (asked.headers['if-none-match'] ?? '').split(',').map(strong);
  if (known.includes(strong(etag))) return { status: 304, headers: { etag }, body: Buffer.alloc(0) };
  return { ...answer, headers: { ...answer.headers, etag } };
}

function overBudget(budget: Account['core'], resource: string): Answer {
  return refusal(403, 'API rate limit exceeded for user ID 1.', budgetHeaders(budget, resource));
}

/** GraphQL says it in a 200. */
function pointsSpent({ points }: Account): Answer {
  const errors = [{ type: 'RATE_LIMITED', message: 'API rate limit exceeded for user ID 1.' }];
  return json(200, { errors }, budgetHeaders(points, 'graphql'));
}
