import { z } from 'zod';
import { unknownCommit } from '../../core/commit-id.js';
import { MemoryError, toMemoryError } from '../../core/errors.js';
import { LIMITS } from '../../core/limits.js';
import type { Moment } from '../../core/moment.js';
import type { Tip } from '../../core/ports.js';
import type { Client } from './client.js';
import { statusOf } from './failures.js';
import type { Repository } from './repository.js';

type Found = Tip & { timeMs: number };

/** A commit as a walk along first parents needs it. */
interface Step {
  timeMs: number;
  parent: string | null;
}

/** Some commits of a history, in GitHub's order: no child after its parents. */
interface Page {
  steps: Map<string, Step>;
  /** Where the next page begins; null: this was the last one. */
  next: string | null;
  /** Told with the first page. */
  first?: { total: number; old: Old };
}

/** Those commits of a history that are not after a time. */
interface Old {
  total: number;
  newest: Found | null;
}

const dated = z.object({ oid: z.string(), committedDate: z.string() });
const old = z.object({ totalCount: z.number(), nodes: z.array(dated) });
const onCommit = <S extends z.ZodRawShape>(shape: S) =>
  z.object({ repository: z.object({ object: z.object(shape).partial().nullable() }).nullable() });
const PAGE = onCommit({
  history: z.object({
    totalCount: z.number(),
    pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
    nodes: z.array(dated.extend({ parents: z.object({ nodes: z.array(z.object({ oid: z.string() })) }) })),
  }),
  old,
});
const COUNTS = onCommit({ history: z.object({ totalCount: z.number() }), old: z.object({ totalCount: z.number() }) });
const NAMED = onCommit(dated.shape);
const IN_REPOSITORY = 'query($owner: String!, $name: String!';

const COMMITS = z.array(
  z.object({
    sha: z.string(),
    commit: z.object({ committer: z.object({ date: z.string() }) }),
    parents: z.array(z.object({ sha: z.string() })),
  }),
);
const COMMIT = COMMITS.element;
const COMPARISON = z.object({ status: z.enum(['ahead', 'behind', 'diverged', 'identical']) });

/** Which commit in the history of `head` a moment names: see `Origin.asOf`. */
export function createPast(client: Client, repository: Repository, mostPages: number = LIMITS.githubPastPages) {
  async function before(head: string, beforeMs: number): Promise<Found | null> {
    if (beforeMs < 0) return null;
    // Whether `until` takes its own second in is not documented: one more does no harm to what is concluded from it.
    const until = new Date((Math.floor(beforeMs / 1000) + 1) * 1000).toISOString();
    const pageAt = repository.hasGraphql() ? pageByGraphql : pageByRest;
    const known = new Map<string, Step>();
    let at: string | null = head;
    let next: string | null = null;
    for (let pages = 0; pages < mostPages; pages++) {
      const page: Page = await pageAt(head, next, until);
      for (const [commit, step] of page.steps) known.set(commit, step);
      for (let step = known.get(at); step; step = known.get(at)) {
        if (step.timeMs <= beforeMs) return { commit: at, timeMs: step.timeMs };
        if (step.parent === null) return null;
        at = step.parent;
      }
      if (page.first) {
        const { total, old: those } = page.first;
        if (those.total === 0) return null;
        if (those.newest && those.newest.timeMs <= beforeMs && (await leadsTo(head, total, those, until)))
          return those.newest;
      }
      next = page.next;
      if (next === null) break;
    }
    throw new MemoryError(
      'refused',
      `More than ${mostPages * PER_PAGE} commits, with merges among them, were made since then: GitHub cannot be asked that far back.`,
      'Give the id of the commit instead of a date: the list of commits on GitHub can be gone through by date.',
    );
  }

  /**
   * Whether the newest of the old commits is the answer. It is, where the way along first parents leads to it, and where
   * all that is old lies behind it: what comes before it on that way is not behind it, so none of that is old.
   */
  async function leadsTo(head: string, total: number, { total: those, newest }: Old, until: string): Promise<boolean> {
    if (newest === null) return false;
    const counts = await client.graphql(
      COUNTS,
      `${IN_REPOSITORY}, $at: GitObjectID!, $until: GitTimestamp!) { repository(owner: $owner, name: $name) { object(oid: $at) {
        ... on Commit { history(first: 1) { totalCount } old: history(first: 1, until: $until) { totalCount } } } } }`,
      { at: newest.commit, until },
    );
    const behind = counts.repository?.object;
    if (!behind?.history || behind.old?.totalCount !== those) return false;
    // So many steps where no merge lies between; with one this leads elsewhere.
    const expression = `${head}~${total - behind.history.totalCount}`;
    return (await named(expression))?.commit === newest.commit;
  }

  async function named(expression: string): Promise<Found | null> {
    const { repository: answer } = await client.graphql(
      NAMED,
      `${IN_REPOSITORY}, $expression: String!) { repository(owner: $owner, name: $name) { object(expression: $expression) {
        ... on Commit { oid committedDate } } } }`,
      { expression },
    );
    const { oid, committedDate } = answer?.object ?? {};
    return oid === undefined || committedDate === undefined ? null : { commit: oid, timeMs: Date.parse(committedDate) };
  }

  async function pageByGraphql(head: string, after: string | null, until: string): Promise<Page> {
    const isFirst = after === null;
    const told = await client.graphql(
      PAGE,
      `${IN_REPOSITORY}, $at: GitObjectID!, $after: String, $until: GitTimestamp!, $isFirst: Boolean!) {
        repository(owner: $owner, name: $name) { object(oid: $at) { ... on Commit {
          history(first: ${PER_PAGE}, after: $after) {
            totalCount pageInfo { hasNextPage endCursor } nodes { oid committedDate parents(first: 1) { nodes { oid } } } }
          old: history(first: 1, until: $until) @include(if: $isFirst) { totalCount nodes { oid committedDate } } } } } }`,
      { at: head, after, until, isFirst },
    );
    const { history, old: those } = told.repository?.object ?? {};
    if (!history) throw gone(head);
    const steps = history.nodes.map(({ oid, committedDate, parents }): [string, Step] => [
      oid,
      { timeMs: Date.parse(committedDate), parent: parents.nodes[0]?.oid ?? null },
    ]);
    const [newest] = those?.nodes ?? [];
    return {
      steps: new Map(steps),
      next: history.pageInfo.hasNextPage ? history.pageInfo.endCursor : null,
      ...(those && {
        first: {
          total: history.totalCount,
          old: {
            total: those.totalCount,
            newest: newest ? { commit: newest.oid, timeMs: Date.parse(newest.committedDate) } : null,
          },
        },
      }),
    };
  }

  /** The same without GraphQL, where nothing counts: how many are old is only told where none is. */
  async function pageByRest(head: string, after: string | null, until: string): Promise<Page> {
    const page = Number(after ?? 1);
    const ask = async (more: Record<string, unknown>) =>
      client.shaped(COMMITS, (await client.rest('GET /repos/{owner}/{repo}/commits', { sha: head, ...more })).data);
    const commits = await ask({ per_page: PER_PAGE, page });
    const more = commits.length === PER_PAGE;
    const anyOld = page > 1 || !more || (await ask({ per_page: 1, until })).length > 0;
    return {
      steps: new Map(
        commits.map(({ sha, commit, parents }) => [
          sha,
          { timeMs: Date.parse(commit.committer.date), parent: parents[0]?.sha ?? null },
        ]),
      ),
      next: more ? String(page + 1) : null,
      ...(anyOld ? {} : { first: { total: 0, old: { total: 0, newest: null } } }),
    };
  }

  async function byId(head: string, id: string): Promise<Found> {
    const found = repository.hasGraphql() ? await named(id) : await namedByRest(id);
    // A branch may have such a name, too.
    if (!found?.commit.startsWith(id)) throw unknownCommit(id);
    // Its second page names no files.
    const asked = { basehead: `${found.commit}...${head}`, per_page: 1, page: 2 };
    const { data } = await absent(client.rest('GET /repos/{owner}/{repo}/compare/{basehead}', asked), id);
    const { status } = client.shaped(COMPARISON, data);
    if (status !== 'ahead' && status !== 'identical') throw unknownCommit(id);
    return found;
  }

  async function namedByRest(id: string): Promise<Found> {
    const { data } = await absent(client.rest('GET /repos/{owner}/{repo}/commits/{ref}', { ref: id }), id);
    const { sha, commit } = client.shaped(COMMIT, data);
    return { commit: sha, timeMs: Date.parse(commit.committer.date) };
  }

  /** GitHub knows no such commit, or several that begin so, or no history that the two share. */
  async function absent<T>(asked: Promise<T>, id: string): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      if ([404, 409, 422].includes(statusOf(toMemoryError(error).cause) ?? 0)) throw unknownCommit(id);
      throw error;
    }
  }

  return {
    async asOf(head: string, moment: Moment): Promise<Found | null> {
      await repository.ready();
      return 'commit' in moment ? byId(head, moment.commit) : before(head, moment.beforeMs);
    },
  };
}

const PER_PAGE = 100;

function gone(commit: string): MemoryError {
  return new MemoryError(
    'origin_unavailable',
    `GitHub does not know the commit ${commit.slice(0, 12)}, which the branch was at.`,
    'Run sync_now, then call again.',
  );
}
