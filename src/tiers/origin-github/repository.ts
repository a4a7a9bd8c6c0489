import { z } from 'zod';
import { LIMITS } from '../../core/limits.js';
import type { CallOptions, Client } from './client.js';
import { archived, locked, noBranch, noRepository, publicRepository, readOnly } from './failures.js';

/** What has to be known of the repository beside its commits. */
export interface Facts {
  /** `owner/name` as GitHub writes it now: another one where the repository was renamed or moved. */
  fullName: string;
  /** The branch that is read and written; null while the repository is empty. */
  branch: string | null;
  /** Its head when the facts were asked for. */
  commit: string | null;
}

const target = z.object({ name: z.string(), target: z.object({ oid: z.string() }).nullable() }).nullable();

const FACTS = z.object({
  repository: z
    .object({
      nameWithOwner: z.string(),
      visibility: z.string(),
      isArchived: z.boolean(),
      isDisabled: z.boolean(),
      isLocked: z.boolean(),
      viewerPermission: z.string().nullable(),
      defaultBranchRef: target,
      ref: target.optional(),
      ignore: z.object({ oid: z.string() }).nullable(),
    })
    .nullable(),
});

const FACTS_QUERY = `query($owner: String!, $name: String!, $ref: String!, $named: Boolean!, $ignore: String!) {
  repository(owner: $owner, name: $name) {
    nameWithOwner visibility isArchived isDisabled isLocked viewerPermission
    defaultBranchRef { name target { oid } }
    ref(qualifiedName: $ref) @include(if: $named) { name target { oid } }
    ignore: object(expression: $ignore) { oid }
  }
}`;

/** `GET /repos/{owner}/{repo}`, as far as it concerns us. */
export const REST_FACTS = z.object({
  full_name: z.string(),
  private: z.boolean(),
  visibility: z.string().optional(),
  archived: z.boolean(),
  disabled: z.boolean().optional(),
  default_branch: z.string(),
  permissions: z.object({ push: z.boolean() }).optional(),
});

/** Everybody can read it; an internal one is its organisation's. */
export function isPublic(told: z.infer<typeof REST_FACTS>): boolean {
  return (told.visibility === 'public' || !told.private) && told.visibility !== 'internal';
}

export interface RepositoryOptions {
  client: Client;
  /** Undefined: the repository's default branch, whatever its name is at the time. */
  branch: string | undefined;
  allowPublic: boolean;
  /** For one question with all its retries. */
  readDeadlineMs: number;
  /** What was learnt on the way: the blob of `.strataignore` at a commit. */
  onIgnore(commit: string, blob: string | null): void;
}

/** Which repository and branch this is, and whether it may be used: asked once, and again before a save now and then. */
export function createRepository({ client, branch, allowPublic, readDeadlineMs, onIgnore }: RepositoryOptions) {
  const configured = client.context.repository;
  let known: { facts: Facts; canWrite: boolean; isArchived: boolean; isLocked: boolean; at: number } | undefined;
  let graphql = true;
  let asking: Promise<NonNullable<typeof known>> | undefined;

  /** Those who ask at the same time share the answer. */
  async function learn(how: CallOptions): Promise<NonNullable<typeof known>> {
    // Shared, so it has the time of a question, however long the first who asks could wait.
    const deadlineAt = Math.min(how.deadlineAt ?? Number.POSITIVE_INFINITY, performance.now() + readDeadlineMs);
    asking ??= ask({ ...how, deadlineAt }).finally(() => {
      asking = undefined;
    });
    known = await asking;
    return known;
  }

  async function ask(how: CallOptions): Promise<NonNullable<typeof known>> {
    if (graphql) {
      try {
        return await askGraphql(how);
      } catch (error) {
        if (!client.lacksGraphql(error)) throw error;
        // An Enterprise server without GraphQL: REST does the same in more requests.
        graphql = false;
      }
    }
    return askRest(how);
  }

  async function askGraphql(how: CallOptions): Promise<NonNullable<typeof known>> {
    const variables = {
      ref: `refs/heads/${branch ?? ''}`,
      named: branch !== undefined,
      ignore: `${branch ?? 'HEAD'}:.strataignore`,
    };
    const { repository } = await client.graphql(FACTS, FACTS_QUERY, variables, how);
    if (repository === null) throw noRepository(configured);
    if (repository.visibility === 'PUBLIC' && !allowPublic) throw publicRepository(configured);
    const ref = branch === undefined ? repository.defaultBranchRef : (repository.ref ?? null);
    // An empty repository has no branch at all; where there are others the name is a mistake.
    if (ref === null && branch !== undefined && repository.defaultBranchRef !== null)
      throw noBranch(branch, configured);
    const commit = ref?.target?.oid ?? null;
    if (commit !== null) onIgnore(commit, repository.ignore?.oid ?? null);
    return {
      facts: { fullName: repository.nameWithOwner, branch: ref?.name ?? null, commit },
      canWrite: !['READ', 'TRIAGE'].includes(repository.viewerPermission ?? 'WRITE'),
      isArchived: repository.isArchived,
      isLocked: repository.isLocked || repository.isDisabled,
      at: performance.now(),
    };
  }

  async function askRest(how: CallOptions): Promise<NonNullable<typeof known>> {
    const { data } = await client.rest('GET /repos/{owner}/{repo}', {}, how);
    const told = client.shaped(REST_FACTS, data);
    if (isPublic(told) && !allowPublic) throw publicRepository(configured);
    return {
      facts: { fullName: told.full_name, branch: branch ?? told.default_branch, commit: null },
      canWrite: told.permissions?.push !== false,
      isArchived: told.archived,
      isLocked: told.disabled === true,
      at: performance.now(),
    };
  }

  return {
    configured,
    branch,
    hasGraphql: () => graphql,

    /** Null until it was asked for. */
    known: (): Facts | null => known?.facts ?? null,

    /** Asked anew. Throws `refused` where the repository may not be used. */
    async learn(how: CallOptions = {}): Promise<Facts> {
      return (await learn(how)).facts;
    },

    /** Learnt where it was not yet: whether there is GraphQL, before it is used. */
    async ready(): Promise<void> {
      if (!known) await learn({});
    },

    /** For a save. Throws `refused` where it may not be written. */
    async forWriting(how: CallOptions): Promise<Facts> {
      const recent = known && performance.now() - known.at < LIMITS.factsMs ? known : await learn(how);
      const { facts, canWrite, isArchived, isLocked } = recent;
      if (!canWrite || isArchived || isLocked) known = undefined;
      if (isArchived) throw archived(configured);
      if (isLocked) throw locked(configured);
      if (!canWrite) throw readOnly(configured);
      return facts;
    },

    /** Somebody else has moved things: the next question is asked anew. */
    forget(): void {
      known = undefined;
    },
  };
}

export type Repository = ReturnType<typeof createRepository>;
