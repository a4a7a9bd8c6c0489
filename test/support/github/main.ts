import { createInterface } from 'node:readline';
import { type GitHub, startGitHub } from '../github.js';

/**
 * The test GitHub in a process of its own, so that it can be killed: `node --import tsx main.ts '{"owner":"ann"}'`.
 * Its first line on stdout is JSON: url, apiUrl, graphqlUrl and tokens. Then each line `{"call":NAME,"args":[...]}` on stdin is
 * answered by one line `{"result":...}` or `{"error":...}`. It ends with its stdin.
 */
const site = await startGitHub(JSON.parse(process.argv[2] ?? '{}'));
const { url, apiUrl, graphqlUrl, tokens } = site;
const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line, plain)}\n`);

/** Maps as objects, bytes as text. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [key, String(inner)]));
  return value;
}

say({ url, apiUrl, graphqlUrl, tokens });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const { call, args = [] } = JSON.parse(line) as { call: keyof GitHub; args?: unknown[] };
    const member: unknown = site[call];
    const result = typeof member === 'function' ? await member(...args) : member;
    say({ result: result ?? null });
  } catch (error) {
    say({ error: String(error) });
  }
}
await site.close();
