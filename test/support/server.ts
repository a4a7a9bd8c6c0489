import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

export const distMain = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** A clean environment: nothing of the machine's own configuration reaches the server under test. */
export function serverEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: extra.MEMORY_HOME ?? '/nonexistent',
    MEMORY_LOG: 'error',
    // A model in each of many servers at once is more than a machine has.
    MEMORY_EMBEDDINGS: 'off',
    MEMORY_PROJECT: 'test/project',
    ...extra,
  };
}

export interface TestServer {
  client: Client;
  pid: number;
  /** Calls a tool and returns its text; throws on a tool error. */
  call(name: string, args?: Record<string, unknown>): Promise<string>;
  /** Calls a tool that must fail and returns the error's text. */
  fail(name: string, args?: Record<string, unknown>): Promise<string>;
  stderr(): string;
  close(): Promise<void>;
}

/** The real server as a child process, with a real MCP client on its stdin and stdout. */
export async function startServer(
  environment: Record<string, string>,
  options: { args?: string[]; nodeArgs?: string[]; cwd?: string; clientName?: string } = {},
): Promise<TestServer> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [...(options.nodeArgs ?? []), distMain, ...(options.args ?? [])],
    env: serverEnvironment(environment),
    cwd: options.cwd,
    stderr: 'pipe',
  });
  let stderr = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const client = new Client({ name: options.clientName ?? 'test', version: '1' });
  await client.connect(transport);
  return {
    client,
    pid: transport.pid as number,
    ...toolCalls(client),
    stderr: () => stderr,
    close: () => client.close(),
  };
}

export function toolCalls(client: Client): Pick<TestServer, 'call' | 'fail'> {
  const run = async (name: string, args: Record<string, unknown>) => {
    const result = await client.callTool({ name, arguments: args }, undefined, { timeout: 120_000 });
    const text = (result.content as { type: string; text?: string }[]).map((part) => part.text ?? '').join('');
    return { text, isError: result.isError === true };
  };
  return {
    async call(name, args = {}) {
      const { text, isError } = await run(name, args);
      if (isError) throw new Error(`${name} failed: ${text}`);
      return text;
    },
    async fail(name, args = {}) {
      const { text, isError } = await run(name, args);
      if (!isError) throw new Error(`${name} was expected to fail and said: ${text}`);
      return text;
    },
  };
}

/** Runs the program to its end, with `input` on stdin. */
export function runProgram(
  args: string[],
  environment: Record<string, string>,
  input = '',
  cwd?: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [distMain, ...args], {
      env: serverEnvironment(environment),
      cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdin.on('error', () => {});
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}
