import { onTestFinished } from 'vitest';
import { LIMITS } from '../../src/core/limits.js';
import type { Origin } from '../../src/core/ports.js';
import { createGitHubOrigin, type GitHubOriginOptions } from '../../src/tiers/origin-github/index.js';
import type { GitHub } from './github.js';

/** The origin on a repository of the test GitHub, as a process of its own would open it. Closed when the test ends. */
export function openGitHub(site: GitHub, options: Partial<GitHubOriginOptions> = {}): Origin {
  const origin = createGitHubOrigin({
    owner: site.owner,
    name: site.repo,
    branch: undefined,
    token: site.token,
    apiUrl: site.apiUrl,
    allowPublic: false,
    readDeadlineMs: LIMITS.githubReadMs,
    ...options,
  });
  onTestFinished(() => origin.close());
  return origin;
}

/** What makes the whole program use that GitHub. */
export function environmentOf(site: GitHub, more: Record<string, string> = {}): Record<string, string> {
  return { MEMORY_REPO: `${site.owner}/${site.repo}`, GITHUB_TOKEN: site.token, GITHUB_API_URL: site.apiUrl, ...more };
}
