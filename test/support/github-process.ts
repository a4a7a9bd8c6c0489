import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { GitHub, GitHubOptions } from './github.js';

const MAIN = fileURLToPath(new URL('./github/main.ts', import.meta.url));

/** The test GitHub as a process of its own: it can be paused. Faults go without `match`, history and files as JSON. */
export async function startGitHubProcess(options: GitHubOptions = {}) {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the test GitHub has ended');
    return JSON.parse(value);
  };
  const { apiUrl, tokens } = (await next()) as Pick<GitHub, 'apiUrl' | 'tokens'>;
  let turn: Promise<unknown> = Promise.resolve();

  return {
    apiUrl,
    token: tokens.full,
    port: Number(new URL(apiUrl).port),
    /** One method of the test GitHub, or one of its values. One question at a time: answers come in order. */
    call(name: keyof GitHub, ...args: unknown[]): Promise<unknown> {
      const mine = turn.then(async () => {
        child.stdin.write(`${JSON.stringify({ call: name, args })}\n`);
        const { result, error } = await next();
        if (error !== undefined) throw new Error(error);
        return result;
      });
      turn = mine.catch(() => {});
      return mine;
    },
    pause: () => process.kill(child.pid as number, 'SIGSTOP'),
    resume: () => process.kill(child.pid as number, 'SIGCONT'),
    async close(): Promise<void> {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export type GitHubProcess = Awaited<ReturnType<typeof startGitHubProcess>>;
