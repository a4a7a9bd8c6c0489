import { z } from 'zod';
import { MemoryError, toMemoryError } from '../../core/errors.js';
import type { Account, Standing } from '../../core/github.js';
import { type ClientOptions, commitIdOf, createClient } from './client.js';
import { statusOf } from './failures.js';
import { isPublic, REST_FACTS } from './repository.js';

const USER = z.object({ login: z.string() });

/** Looks at a repository, or makes it, before it is a memory. */
export function createAccount(options: ClientOptions): Account {
  const client = createClient(options);
  const { owner, name } = options;

  /** Null where GitHub says that there is no such thing. */
  async function maybe(route: string, missing: number[], headers = {}): Promise<unknown> {
    try {
      return (await client.rest(route, { headers })).data;
    } catch (error) {
      if (missing.includes(statusOf(toMemoryError(error).cause) ?? 0)) return null;
      throw error;
    }
  }

  return {
    async look(): Promise<Standing> {
      const { login } = client.shaped(USER, (await client.rest('GET /user')).data);
      const data = await maybe('GET /repos/{owner}/{repo}', [404]);
      if (data === null) return { login, repository: null };
      const told = client.shaped(REST_FACTS, data);
      const accept = { accept: 'application/vnd.github.sha' };
      const head = await maybe('GET /repos/{owner}/{repo}/commits/HEAD', [409, 422], accept);
      return {
        login,
        repository: {
          fullName: told.full_name,
          isPrivate: !isPublic(told),
          archived: told.archived,
          canWrite: told.permissions?.push !== false,
          commit: head === null ? null : commitIdOf(client, head),
          branch: told.default_branch,
        },
      };
    },

    async create(): Promise<void> {
      const { login } = client.shaped(USER, (await client.rest('GET /user')).data);
      const own = login.toLowerCase() === owner.toLowerCase();
      const body = { name, private: true, description: 'Notes of strata-memory' };
      try {
        await client.rest(own ? 'POST /user/repos' : 'POST /orgs/{org}/repos', { ...body, org: owner }, { once: true });
      } catch (error) {
        const status = statusOf(toMemoryError(error).cause);
        if (status !== 403 && status !== 404 && status !== 422) throw error;
        throw new MemoryError(
          'refused',
          `The token may not make the repository ${owner}/${name}.`,
          `Make it by hand, private and empty (github.com/new), give the token access to it, and run this again.`,
          error,
        );
      }
    },
  };
}
