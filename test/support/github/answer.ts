/** What a client sent, as the routes and the fault rules see it. `path` is without the query. */
export type Asked = {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string | undefined>;
  body: Buffer;
  graphql?: GraphQLSummary;
};
/** What a GraphQL request wants: `mutation createCommitOnBranch`, and how many fields of its own name it repeats. */
export type GraphQLSummary = { operation: string; fields: string[]; aliases: number };
export type Answer = { status: number; headers: Record<string, string>; body: Buffer };

const DOCUMENTATION = 'https://docs.github.com/rest';

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: Buffer.from(JSON.stringify(body)),
  };
}

export function bytes(status: number, type: string, body: Buffer | string, headers: Record<string, string> = {}) {
  return { status, headers: { 'content-type': type, ...headers }, body: Buffer.from(body) };
}

/** An error as GitHub's REST API words it. */
export function refusal(status: number, message: string, headers: Record<string, string> = {}): Answer {
  return json(status, { message, documentation_url: DOCUMENTATION, status: String(status) }, headers);
}
