import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

/** A server as a child process with a real MCP client on its stdin and stdout. */
export interface Running {
  /** From the start of the process to the answer to `initialize`. */
  startMs: number;
  pid: number;
  call(name: string, args?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

export async function start(program: string, environment: Record<string, string>): Promise<Running> {
  const startedAt = performance.now();
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [program],
    env: { PATH: process.env.PATH ?? '', ...environment },
    stderr: 'ignore',
    // The reference server answers with its whole graph.
    maxBufferSize: 1024 * 1024 * 1024,
  });
  const client = new Client({ name: 'bench', version: '1' });
  await client.connect(transport);
  const startMs = performance.now() - startedAt;
  return {
    startMs,
    pid: transport.pid as number,
    async call(name, args = {}) {
      const result = await client.callTool({ name, arguments: args }, undefined, { timeout: 600_000 });
      const text = (result.content as { text?: string }[]).map((part) => part.text ?? '').join('');
      if (result.isError) throw new Error(`${name}: ${text}`);
      return text;
    },
    close: () => client.close(),
  };
}

export async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const startedAt = performance.now();
  const value = await work();
  return { ms: performance.now() - startedAt, value };
}

/** How long each of `count` calls takes, one after the other. */
export async function repeat(count: number, work: (index: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) times.push((await timed(() => work(index))).ms);
  return times;
}

/** The value that `share` of the sorted values do not exceed (nearest rank). */
export function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export const median = (values: number[]) => percentile(values, 0.5);

/** Resident memory of a process in MB: what the system says, not what V8 thinks. */
export function residentMegabytes(pid: number): number {
  if (process.platform === 'linux') {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes) / 1024;
  }
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024;
}
