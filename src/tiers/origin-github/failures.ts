import { MemoryError } from '../../core/errors.js';

/** What a GitHub answer, or the want of one, means. Neither the token nor GitHub's own words are ever in it. */
export interface FailureContext {
  /** `owner/name`, and the API's host. */
  repository: string;
  host: string;
}

interface Answered {
  status: number;
  message: string;
  headers: Record<string, string | number | undefined>;
}

/** One GraphQL error, as far as it tells us anything. */
export interface GraphqlError {
  type?: string;
  message: string;
  path?: unknown[];
  extensions?: Record<string, unknown>;
}

const TOKEN_HINT =
  'Make a fine-grained token for that repository with the permission Contents: read and write, set it as GITHUB_TOKEN, and restart.';

/** Turns whatever octokit threw into a MemoryError that names the remedy. */
export function githubFailed(error: unknown, context: FailureContext): MemoryError {
  if (error instanceof MemoryError) return error;
  const graphql = graphqlErrors(error);
  if (graphql) return graphqlFailed(graphql, context, error);
  const answered = answeredOf(error);
  return answered ? statusFailed(answered, context, error) : unreachable(context, reasonOf(error), error);
}

/** The status of an answer that octokit threw; null where there was no answer. */
export function statusOf(error: unknown): number | null {
  return answeredOf(error)?.status ?? null;
}

/** It is our own deadline that ended it. */
export function isLate(error: unknown): boolean {
  if (error instanceof MemoryError) return error.code === 'deadline';
  for (let at = error; at instanceof Error; at = at.cause)
    if (at.name === 'AbortError' || at.name === 'TimeoutError') return true;
  return false;
}

/** The errors of a GraphQL answer; null where there was none such. */
export function graphqlErrors(error: unknown): GraphqlError[] | null {
  if (!(error instanceof Error)) return null;
  // The throttling plugin makes an error of its own of a rate limit that came with status 200.
  const isLimit = error.message === 'GraphQL Rate Limit Exceeded' && 'data' in error;
  if (error.name !== 'GraphqlResponseError' && !isLimit) return null;
  const { errors } = (isLimit ? error.data : error) as { errors?: unknown };
  return Array.isArray(errors) ? (errors as GraphqlError[]) : [];
}

export function unreachable({ host }: FailureContext, why: string, cause?: unknown): MemoryError {
  return new MemoryError(
    'origin_unavailable',
    `GitHub (${host}) cannot be reached: ${why}.`,
    'Check the network and githubstatus.com, then call again.',
    cause,
  );
}

function answeredOf(error: unknown): Answered | null {
  if (!(error instanceof Error) || !('response' in error) || typeof error.response !== 'object') return null;
  const response = error.response as { status?: number; headers?: Answered['headers']; data?: unknown } | null;
  if (!response || typeof response.status !== 'number') return null;
  const { data } = response;
  const told = typeof data === 'object' && data !== null && 'message' in data ? String(data.message) : error.message;
  return { status: response.status, message: told, headers: response.headers ?? {} };
}

function reasonOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = 'code' in at ? String(at.code) : '';
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'its name cannot be resolved';
    if (code === 'ECONNREFUSED') return 'it refuses the connection';
    if (/^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/.test(code)) return 'the connection broke';
    if (/TIMEDOUT|TIMEOUT/.test(code)) return 'it does not answer';
    if (/CERT|TLS|SSL/.test(code)) return 'its certificate is not trusted';
    if (at.name === 'AbortError' || at.name === 'TimeoutError') return 'it does not answer in time';
  }
  return 'the connection failed';
}

function refused(what: string, hint: string, cause: unknown): MemoryError {
  return new MemoryError('refused', what, hint, cause);
}

function statusFailed({ status, message, headers }: Answered, context: FailureContext, cause: unknown): MemoryError {
  const { repository } = context;
  if (status === 401)
    return refused('GitHub does not accept the token: it is wrong, expired or revoked.', TOKEN_HINT, cause);
  if (headers['x-github-sso'] !== undefined) return ssoRequired(cause);
  if (status === 403 || status === 429) {
    if (/secondary rate|abuse/i.test(message))
      return slowDown(`asks for a pause of ${Number(headers['retry-after']) || 60} s`, cause);
    if (headers['x-ratelimit-remaining'] === '0') {
      const until = new Date(Number(headers['x-ratelimit-reset']) * 1000);
      return slowDown(
        `gives no more answers until ${Number.isNaN(until.getTime()) ? 'later' : `${until.toISOString().slice(11, 16)} UTC`}: the rate limit is used up`,
        cause,
      );
    }
    if (headers['retry-after'] !== undefined)
      return slowDown(`asks for a pause of ${Number(headers['retry-after']) || 60} s`, cause);
    return forbidden(message, context, cause);
  }
  if (status === 404) return noRepository(repository, cause);
  if (status === 422 || status === 409) return forbidden(message, context, cause);
  if (status >= 500 || status === 408)
    return new MemoryError(
      'origin_unavailable',
      `GitHub has trouble (it answered ${status}).`,
      'Look at githubstatus.com and call again in a moment.',
      cause,
    );
  return new MemoryError(
    'origin_unavailable',
    `GitHub gave an answer that was not expected (${status}).`,
    'Check GITHUB_API_URL; look at the log for more.',
    cause,
  );
}

function slowDown(what: string, cause: unknown): MemoryError {
  return new MemoryError(
    'origin_unavailable',
    `GitHub ${what}.`,
    'Wait until then; nothing else has to be done.',
    cause,
  );
}

function ssoRequired(cause: unknown): MemoryError {
  return refused(
    "The repository's organisation requires single sign-on, and the token is not authorised for it.",
    'Open github.com/settings/tokens, choose the token, "Configure SSO", and authorise it for the organisation.',
    cause,
  );
}

/** GitHub says 404 also for what the token may not see. */
export function noRepository(repository: string, cause?: unknown): MemoryError {
  return refused(
    `There is no repository ${repository} on GitHub that this token can see.`,
    `Check MEMORY_REPO, and that the token was given access to this repository (Contents: read and write).`,
    cause,
  );
}

export function noBranch(branch: string, repository: string): MemoryError {
  return refused(
    `The branch ${branch} is not in ${repository}.`,
    'Set MEMORY_BRANCH to one that is, or leave it unset for the default branch.',
    undefined,
  );
}

export function archived(repository: string, cause?: unknown): MemoryError {
  return refused(
    `${repository} is archived: it can be read, not written. Nothing was saved.`,
    'Unarchive it in its settings on GitHub, or point MEMORY_REPO at another repository.',
    cause,
  );
}

export function locked(repository: string, cause?: unknown): MemoryError {
  return refused(
    `${repository} is locked or disabled on GitHub. Nothing was saved.`,
    'Open it on github.com: the page says why.',
    cause,
  );
}

export function publicRepository(repository: string): MemoryError {
  return refused(
    `${repository} is public: everybody could read these notes.`,
    'Make it private in its settings on GitHub, or allow it with MEMORY_ALLOW_PUBLIC=on.',
    undefined,
  );
}

export function readOnly(repository: string, cause?: unknown): MemoryError {
  return refused(`The token may not write to ${repository}. Nothing was saved.`, TOKEN_HINT, cause);
}

/** What GitHub says no to for good, told apart by its words. */
function forbidden(message: string, { repository }: FailureContext, cause: unknown): MemoryError {
  if (/archived/i.test(message)) return archived(repository, cause);
  if (/SAML|single sign-on|SSO/i.test(message)) return ssoRequired(cause);
  if (/IP allow list/i.test(message))
    return refused(
      "The repository's organisation does not let this machine's address in (IP allow list).",
      "Ask the organisation's owner to add it.",
      cause,
    );
  if (/secret/i.test(message) && /detected|protection|scanning/i.test(message))
    return refused(
      "GitHub's push protection has found a secret in the note. Nothing was saved.",
      'Take the secret out and save again.',
      cause,
    );
  if (
    /protected branch|rule violation|repository rule|required status|must be made through|approving review/i.test(
      message,
    )
  )
    return refused(
      `The branch is protected in ${repository}: GitHub does not let this token commit to it. Nothing was saved.`,
      'Let the token past the protection in the repository’s settings (Rules, Branches), or set MEMORY_BRANCH to a branch of its own.',
      cause,
    );
  if (/quota|size limit|storage|disk|too large|exceeds/i.test(message))
    return refused(
      `${repository} is over a size limit of GitHub. Nothing was saved.`,
      'Free space in the repository or the account, or start a new repository and point MEMORY_REPO at it.',
      cause,
    );
  if (/disabled|blocked|locked|suspended/i.test(message)) return locked(repository, cause);
  return refused(`GitHub does not let the token do that in ${repository}. Nothing was changed.`, TOKEN_HINT, cause);
}

function graphqlFailed(errors: GraphqlError[], context: FailureContext, cause: unknown): MemoryError {
  const { type = '', message = '', extensions } = errors[0] ?? { message: '' };
  if (type === 'RATE_LIMITED' || type === 'RATE_LIMIT') return slowDown('says that the rate limit is used up', cause);
  if (extensions?.saml_failure === true) return ssoRequired(cause);
  if (type === 'NOT_FOUND') return noRepository(context.repository, cause);
  if (type === 'FORBIDDEN' || type === 'INSUFFICIENT_SCOPES' || type === 'UNPROCESSABLE')
    return forbidden(message, context, cause);
  if (/protected|rule violation|archived|secret|quota|SAML|locked|disabled/i.test(message))
    return forbidden(message, context, cause);
  return new MemoryError(
    'origin_unavailable',
    'GitHub could not answer a query.',
    'Look at githubstatus.com and call again in a moment.',
    cause,
  );
}
