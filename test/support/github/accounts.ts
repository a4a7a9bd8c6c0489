import { randomBytes } from 'node:crypto';
import { type Answer, refusal } from './answer.js';

/**
 * full: all its owner may do. read: reading alone, whatever its owner may do. expired: nobody. sso: its organisation
 * asks for a sign-on that has not happened.
 */
export type Access = 'full' | 'read' | 'expired' | 'sso';
export type Account = { login: string; access: Access; core: Budget; points: Budget };
/** What GitHub counts by the hour. `resetAt` is in seconds since 1970. */
export type Budget = { limit: number; used: number; resetAt: number };

const HOUR_SECONDS = 3600;

function newBudget(limit: number): Budget {
  return { limit, used: 0, resetAt: Math.floor(Date.now() / 1000) + HOUR_SECONDS };
}

/** The tokens that GitHub knows. They look like GitHub's and are made afresh, so that none stands in a file. */
export function createAccounts(limit: number) {
  const known = new Map<string, Account>();

  function add(login: string, access: Access = 'full'): string {
    const token = `ghp_${randomBytes(18).toString('hex')}`;
    known.set(token, { login, access, core: newBudget(limit), points: newBudget(limit) });
    return token;
  }

  /** The account behind an Authorization header: `Bearer T`, `token T`, or Basic with the token as password. */
  function behind(authorization: string | undefined): Account | undefined {
    const [scheme = '', value = ''] = (authorization ?? '').split(' ');
    if (scheme.toLowerCase() !== 'basic') return known.get(value);
    const [, password = ''] = Buffer.from(value, 'base64').toString().split(':');
    return known.get(password);
  }

  return { add, behind, all: () => [...known.values()], forget: (token: string) => known.delete(token) };
}

export type Accounts = ReturnType<typeof createAccounts>;

/** The headers about a budget that GitHub puts on every answer. */
export function budgetHeaders({ limit, used, resetAt }: Budget, resource: string): Record<string, string> {
  return {
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(Math.max(0, limit - used)),
    'x-ratelimit-used': String(used),
    'x-ratelimit-reset': String(resetAt),
    'x-ratelimit-resource': resource,
  };
}

/** Whether nothing is left of a budget. One whose hour is over starts again. */
export function isSpent(budget: Budget): boolean {
  const now = Math.floor(Date.now() / 1000);
  if (budget.resetAt <= now) Object.assign(budget, { used: 0, resetAt: now + HOUR_SECONDS });
  return budget.used >= budget.limit;
}

export const SSO_MESSAGE =
  'Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.';

export function ssoHeaders(url: string): Record<string, string> {
  return { 'x-github-sso': `required; url=${url}/orgs/acme/sso?authorization_request=A1` };
}

/** Why these credentials are not let in at all. git asks for some only when it is told which kind is wanted. */
export function notAdmitted(account: Account | undefined, isGit: boolean): Answer | undefined {
  if (account !== undefined && account.access !== 'expired') return undefined;
  return refusal(401, 'Bad credentials', isGit ? { 'www-authenticate': 'Basic realm="GitHub"' } : {});
}
