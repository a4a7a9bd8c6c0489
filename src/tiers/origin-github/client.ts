import type { Octokit as OctokitType } from '@octokit/rest';
import { z } from 'zod';
import { MemoryError, toMemoryError } from '../../core/errors.js';
import { within } from '../../core/within.js';
import { VERSION } from '../../version.js';
import { type FailureContext, githubFailed, isLate, statusOf, unreachable } from './failures.js';

export interface ClientOptions {
  /** Without the slash at its end, e.g. `https://api.github.com`. */
  apiUrl: string;
  token: string;
  owner: string;
  name: string;
  /** For one question with all its retries. */
  readDeadlineMs: number;
}

export interface CallOptions {
  /** `performance.now()` after which nothing is sent any more; the read deadline unless given. */
  deadlineAt?: number;
  /** A request that must not be made twice without looking first. */
  once?: boolean;
}

/** An answer of the REST API. `status` 304 comes back like any other. */
export interface RestAnswer {
  status: number;
  data: unknown;
}

/**
 * Octokit with its retry and throttling plugins, inside one deadline per call. Throws MemoryErrors only; `statusOf`
 * tells the status of their cause.
 */
export function createClient(options: ClientOptions) {
  const context: FailureContext = {
    repository: `${options.owner}/${options.name}`,
    host: new URL(options.apiUrl).host,
  };
  const budgets = new Map<string, string>();
  let making: Promise<OctokitType> | undefined;
  let clockMs = 0;

  /** Octokit takes a while to load: not on the way to a first answer from the mirror. */
  async function make(): Promise<OctokitType> {
    const [{ Octokit }, { retry }, { throttling }] = await Promise.all([
      import('@octokit/rest'),
      import('@octokit/plugin-retry'),
      import('@octokit/plugin-throttling'),
    ]);
    // Worth waiting for only where the answer can still come in time.
    const inTime = (afterSeconds: number, request: object, count: number) =>
      count < 2 && performance.now() + afterSeconds * 1000 < deadlineOf(request);
    const octokit = new (Octokit.plugin(retry, throttling))({
      auth: options.token,
      baseUrl: options.apiUrl,
      userAgent: `strata-memory/${VERSION}`,
      log: { debug() {}, info() {}, warn() {}, error() {} },
      // The plugin's own list, and what an empty repository answers. Three tries more fit the deadline of a question;
      // each process has a pace of its own, so that those that were cut off together do not come back together.
      retry: {
        doNotRetry: [400, 401, 403, 404, 405, 409, 410, 422, 429, 451, 501],
        retryAfterBaseValue: 250 + Math.random() * 150,
      },
      throttle: {
        onRateLimit: (after: number, request: object, _: unknown, count: number) => inTime(after, request, count),
        onSecondaryRateLimit: (after: number, request: object, _: unknown, count: number) =>
          inTime(after, request, count),
        // The plugin spaces all that is no GET by a second, GraphQL reads too. Our commits come one after the other
        // anyway, each with all that waited; questions come a few at a time.
        ...Object.fromEntries(['global', 'auth', 'search', 'write', 'notifications'].map((name) => [name, AT_ONCE])),
      },
    });
    octokit.hook.after('request', (response) => remember(response.headers));
    octokit.hook.error('request', (error) => {
      if ('response' in error && error.response) remember(error.response.headers);
      throw error;
    });
    return octokit;
  }

  function remember(headers: Record<string, string | number | undefined>): void {
    const { 'x-ratelimit-remaining': left, 'x-ratelimit-limit': limit } = headers;
    if (left === undefined || limit === undefined) return;
    const reset = new Date(Number(headers['x-ratelimit-reset']) * 1000);
    const until = Number.isNaN(reset.getTime()) ? '' : `, renewed ${reset.toISOString().slice(11, 16)} UTC`;
    budgets.set(String(headers['x-ratelimit-resource'] ?? 'core'), `${left} of ${limit} requests left${until}`);
  }

  async function call<T>(
    { deadlineAt = performance.now() + options.readDeadlineMs, once }: CallOptions,
    work: (octokit: OctokitType, request: object) => Promise<T>,
  ): Promise<T> {
    // The plugins plan by the clock: one that is set back would make them wait for as long.
    if (Date.now() < clockMs) making = undefined;
    clockMs = Date.now();
    making ??= make();
    const octokit = await making;
    const leftMs = Math.ceil(deadlineAt - performance.now());
    if (leftMs <= 0) throw unreachable(context, 'it does not answer in time');
    // Given as a number, the retry plugin would repeat every failure, a 304 too; left out, those that may pass.
    let trouble: unknown;
    const fetch = (url: string, how: RequestInit) =>
      fetchWhole(url, how, (what) => {
        trouble = what;
      });
    const request = { signal: AbortSignal.timeout(leftMs), deadlineAt, fetch, ...(once ? { retries: 0 } : {}) };
    try {
      return await within(leftMs, work(octokit, request));
    } catch (error) {
      if (isLate(error))
        // Where it was tried again until time was up, what went wrong says more.
        throw trouble === undefined
          ? unreachable(context, 'it does not answer in time', error)
          : githubFailed(trouble, context);
      throw githubFailed(error, context);
    }
  }

  return {
    context,

    /** One REST request, e.g. `GET /repos/{owner}/{repo}/git/blobs/{sha}`; owner and repo are filled in. */
    rest(route: string, parameters: Record<string, unknown> = {}, how: CallOptions = {}): Promise<RestAnswer> {
      return call(how, async (octokit, request) => {
        const all = { owner: options.owner, repo: options.name, ...parameters, request };
        const { status, data } = await octokit.request(route, all).catch((error) => {
          if (error.status === 304) return { status: 304, data: null };
          throw error;
        });
        return { status, data };
      });
    },

    /** One GraphQL document; `$owner` and `$name` are filled in. Its data is checked against `shape`. */
    graphql<S extends z.ZodType>(
      shape: S,
      document: string,
      variables: Record<string, unknown> = {},
      how: CallOptions = {},
    ): Promise<z.infer<S>> {
      return call(how, async (octokit, request) => {
        const all = { owner: options.owner, name: options.name, ...variables, request };
        return shaped(shape, await octokit.graphql(document, all));
      });
    },

    shaped,

    /** What is left of the rate limits, as the last answers said. */
    budget: (): string | null => budgets.get('core') ?? budgets.values().next().value ?? null,

    /** Nobody serves GraphQL there. */
    lacksGraphql: (error: unknown) => [404, 405, 410, 501].includes(statusOf(toMemoryError(error).cause) ?? 0),
  };

  /** An answer of another shape is no answer: a proxy's page, half a body, another program on that port. */
  function shaped<S extends z.ZodType>(shape: S, data: unknown): z.infer<S> {
    const parsed = shape.safeParse(data);
    if (parsed.success) return parsed.data;
    throw new MemoryError(
      'origin_unavailable',
      `GitHub (${context.host}) gave an answer that makes no sense.`,
      'Check GITHUB_API_URL and any proxy on the way, then call again.',
      new Error(z.prettifyError(parsed.error).slice(0, 500)),
    );
  }
}

export type Client = ReturnType<typeof createClient>;

/** Octokit takes half an answer for a whole one, or for an empty one: here it is a connection that broke. */
async function fetchWhole(url: string, options: RequestInit, onTrouble: (trouble: Error) => void): Promise<Response> {
  try {
    const answer = await fetch(url, options);
    const body = await answer.arrayBuffer();
    const { status, statusText, headers } = answer;
    if (status >= 500) onTrouble(Object.assign(new Error(`status ${status}`), { response: { status } }));
    return new Response(NO_BODY.includes(status) ? null : body, { status, statusText, headers });
  } catch (error) {
    // That our own time is up is no trouble of theirs.
    if (!isLate(error)) onTrouble(error as Error);
    throw error;
  }
}

const SHA = z.string().regex(/^[0-9a-f]{40}$/);

/** The commit's id that `application/vnd.github.sha` answers with, whatever octokit took that for. */
export function commitIdOf(client: Pick<Client, 'shaped'>, data: unknown): string {
  return client.shaped(SHA, data instanceof ArrayBuffer ? Buffer.from(data).toString() : data);
}

/** In the place of a limiter of the plugin's. */
const AT_ONCE = {
  key: () => ({
    schedule: async (_: unknown, work: (...args: unknown[]) => unknown, ...args: unknown[]) => work(...args),
  }),
} as never;

const NO_BODY = [204, 205, 304];

function deadlineOf(request: object): number {
  const inner = 'request' in request ? (request.request as { deadlineAt?: unknown }) : {};
  return typeof inner?.deadlineAt === 'number' ? inner.deadlineAt : 0;
}
