import { randomBytes } from 'node:crypto';
import { createEmulator } from 'emulate';
import { keepEmulatorLists } from './emulator-lists.js';

export type Reply = { status: number; headers: Headers; body: Buffer };
export type Call = { login: string; method: string; path: string; body?: unknown; accept?: string };

/** An answer of the emulator that is not a success. */
export class EmulatorRefusal extends Error {
  constructor(readonly reply: Reply) {
    super(`${reply.status} ${reply.body.toString()}`);
  }
}

/** The emulator refuses a token after 5,000 requests; whoever it stands for gets another one before that. */
const PER_TOKEN = 4900;
const TOKENS_EACH = 60;

/**
 * The `emulate` GitHub service with these people and organisations. It believes every token, so what reaches it has
 * been admitted by the proxy and comes with a token of its own.
 */
export async function startEmulator(logins: string[], organisations: string[]) {
  const tokens = new Map(
    logins.map((login) => [login, Array.from({ length: TOKENS_EACH }, () => randomBytes(12).toString('hex'))]),
  );
  const used = new Map<string, number>();
  await keepEmulatorLists();
  const emulator = await createEmulator({
    service: 'github',
    port: 0,
    seed: {
      tokens: Object.fromEntries(
        [...tokens].flatMap(([login, own]) =>
          own.map((token) => [token, { login, scopes: ['repo', 'user', 'admin:org'] }]),
        ),
      ),
      github: {
        users: logins.map((login) => ({ login, name: login, email: `${login}@example.com` })),
        orgs: organisations.map((login) => ({
          login,
          members: logins.slice(0, 1).map((member) => ({ login: member, role: 'admin' })),
        })),
      },
    },
  });
  const address = emulator.url.replace('localhost', '127.0.0.1');

  /** A request as this person, whatever the answer. `path` begins after the API root. */
  async function call({ login, method, path, body, accept }: Call): Promise<Reply> {
    const count = used.get(login) ?? 0;
    used.set(login, count + 1);
    const token = tokens.get(login)?.[Math.floor(count / PER_TOKEN)];
    if (token === undefined) throw new Error(`no token left at the emulator for ${login}`);
    const response = await fetch(address + path, {
      method,
      headers: {
        authorization: `token ${token}`,
        'content-type': 'application/json',
        ...(accept === undefined ? {} : { accept }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
  }

  /** The same for what has to succeed: the answer's JSON. Throws EmulatorRefusal. */
  async function json<T>(request: Call): Promise<T> {
    const reply = await call(request);
    if (reply.status >= 300) throw new EmulatorRefusal(reply);
    return (reply.body.length === 0 ? undefined : JSON.parse(reply.body.toString())) as T;
  }

  return { url: emulator.url, call, json, close: () => emulator.close() };
}

export type Emulator = Awaited<ReturnType<typeof startEmulator>>;
