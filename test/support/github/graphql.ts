import { readFileSync } from 'node:fs';
import {
  buildSchema,
  type DocumentNode,
  execute,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  parse,
  validate,
  validateSchema,
} from 'graphql';
import { type Account, budgetHeaders, SSO_MESSAGE, ssoHeaders } from './accounts.js';
import { type Answer, type Asked, type GraphQLSummary, json } from './answer.js';
import { createCommitOnBranch } from './graphql-commit.js';
import { GitHubError, type GraphQLContext, repositoryNode } from './graphql-nodes.js';
import type { Site } from './rest.js';

/** More fields than this that repeat one field of the schema and GitHub asks for a smaller document. */
const MOST_ALIASES = 500;
const SCHEMA = new URL('../../../node_modules/@octokit/graphql-schema/schema.graphql', import.meta.url);
let schema: GraphQLSchema | undefined;

/** GitHub's own schema, read once in a process: it takes about half a second. */
export function githubSchema(): GraphQLSchema {
  if (schema === undefined) {
    schema = buildSchema(readFileSync(SCHEMA, 'utf8'), { assumeValid: true, noLocation: true });
    validateSchema(schema);
  }
  return schema;
}

/** What a request wants, for the log: no values, no texts. */
export function summaryOf(body: Buffer): GraphQLSummary | undefined {
  try {
    const { query } = JSON.parse(body.toString()) as { query: string };
    return summarize(parse(query, { noLocation: true }));
  } catch {
    return undefined;
  }
}

function summarize(document: DocumentNode): GraphQLSummary {
  const operation = document.definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const fields = (operation?.selectionSet.selections ?? []).filter((selection) => selection.kind === Kind.FIELD);
  const inner = fields.flatMap(({ selectionSet }) => selectionSet?.selections ?? []);
  const aliases = [...fields, ...inner].filter((field) => field.kind === Kind.FIELD && field.alias !== undefined);
  return {
    operation: operation?.operation ?? 'query',
    fields: fields.map(({ name }) => name.value),
    aliases: aliases.length,
  };
}

/** `/api/graphql`: every document is held to GitHub's schema, then executed over what the repositories hold. */
export async function graphqlAnswer(site: Site, account: Account, asked: Asked): Promise<Answer> {
  let document: DocumentNode;
  let variables: Record<string, unknown> | undefined;
  try {
    const body = JSON.parse(asked.body.toString()) as { query: string; variables?: Record<string, unknown> };
    variables = body.variables;
    document = parse(body.query);
  } catch (error) {
    if (!(error instanceof GraphQLError)) return json(400, { message: 'Problems parsing JSON' });
    return answerOf(account, { errors: [{ message: error.message, locations: error.locations }] });
  }
  const wrong = validate(githubSchema(), document);
  if (wrong.length > 0) return answerOf(account, { errors: wrong.map(inGitHubsShape) });
  if (summarize(document).aliases > MOST_ALIASES) {
    const message = 'Query has too many nodes. Please reduce the number of nodes requested and try again.';
    return answerOf(account, { errors: [{ type: 'MAX_NODE_LIMIT_EXCEEDED', message }] });
  }
  const context: GraphQLContext = { site, account };
  const result = await execute({
    schema: githubSchema(),
    document,
    variableValues: variables ?? {},
    contextValue: context,
    rootValue: root(context),
  });
  const errors = result.errors?.map(inGitHubsShape);
  const data = result.data === undefined ? {} : { data: result.data };
  const headers = account.access === 'sso' ? ssoHeaders(site.url) : {};
  return answerOf(account, { ...data, ...(errors ? { errors } : {}) }, headers);
}

function answerOf(account: Account, body: unknown, headers: Record<string, string> = {}): Answer {
  return json(200, body, { ...budgetHeaders(account.points, 'graphql'), ...headers });
}

function root(context: GraphQLContext) {
  const { site, account } = context;
  const { points } = account;
  return {
    viewer: { __typename: 'User', login: account.login, id: `U_${account.login}` },
    rateLimit: () => ({
      cost: 1,
      limit: points.limit,
      used: points.used,
      remaining: points.limit - points.used,
      resetAt: new Date(points.resetAt * 1000).toISOString(),
      nodeCount: 0,
    }),
    async repository({ owner, name }: { owner: string; name: string }) {
      const found = await site.find(account, `${owner}/${name}`);
      const message = `Could not resolve to a Repository with the name '${owner}/${name}'.`;
      if (!found) throw new GitHubError('NOT_FOUND', message);
      if (account.access === 'sso') throw new GitHubError('FORBIDDEN', SSO_MESSAGE, { saml_failure: true });
      return repositoryNode(context, found.repository);
    },
    createCommitOnBranch: (args: { input: never }) => createCommitOnBranch(context, args.input),
  };
}

/** GitHub puts the kind of an error beside its message; a fault of this server is shown for what it is. */
function inGitHubsShape(error: GraphQLError): Record<string, unknown> {
  const { message, locations, path, originalError } = error;
  const where = { ...(path ? { path } : {}), ...(locations ? { locations } : {}) };
  if (originalError instanceof GitHubError) {
    const { type, extensions } = originalError;
    return { type, ...where, ...(extensions ? { extensions } : {}), message };
  }
  return originalError ? { ...where, message: `test server: ${originalError.stack}` } : { ...where, message };
}
