import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median, percentile, repeat, start, timed } from './measure.js';
import { generateNote, noteBody, PROJECTS, queries } from './notes.js';
import { PROGRAM, removeFolder } from './ours.js';

const SERVER = fileURLToPath(new URL('../support/github/main.ts', import.meta.url));

/** The test GitHub in a process of its own, so that its work is not in our times. */
async function startRemote() {
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', SERVER, '{"budget":1000000}'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const next = async () => JSON.parse(String((await lines.next()).value));
  const told = (await next()) as { apiUrl: string; tokens: { full: string } };
  return {
    apiUrl: told.apiUrl,
    token: told.tokens.full,
    async call(call: string, ...args: unknown[]): Promise<unknown> {
      child.stdin?.write(`${JSON.stringify({ call, args })}\n`);
      const { result, error } = await next();
      if (error) throw new Error(error);
      return result;
    },
    close: () => child.stdin?.end(),
  };
}

/** What a memory on GitHub costs at several speeds of GitHub, beside one bare round trip there. */
export async function measureGitHub(size: number, latencies: number[], rounds: number): Promise<string> {
  const remote = await startRemote();
  const folder = mkdtempSync(join(tmpdir(), 'strata-bench-github-'));
  const files = Object.fromEntries(
    Array.from({ length: size }, (_, index) => generateNote(index, size)).map(({ path, text }) => [path, text]),
  );
  await remote.call('seed', files);
  const rows = [HEAD];
  try {
    for (const latencyMs of latencies) {
      await remote.call('latency', latencyMs);
      rows.push(await row(remote, join(folder, String(latencyMs)), size, latencyMs, rounds));
    }
  } finally {
    remote.close();
    removeFolder(folder);
  }
  return rows.join('\n');
}

const HEAD =
  'GitHub, ms a request   round trip  first sync  requests   save p50  p95  ratio   load p50  p95   search p95  verified p50';

async function row(
  remote: Awaited<ReturnType<typeof startRemote>>,
  home: string,
  size: number,
  latencyMs: number,
  rounds: number,
): Promise<string> {
  const url = `${remote.apiUrl}/repos/ann/notes/commits/HEAD`;
  const headers = { authorization: `token ${remote.token}`, accept: 'application/vnd.github.sha' };
  const bare = await repeat(rounds, async () => void (await (await fetch(url, { headers })).text()));
  const server = await start(PROGRAM, {
    MEMORY_HOME: home,
    MEMORY_REPO: 'ann/notes',
    GITHUB_TOKEN: remote.token,
    GITHUB_API_URL: remote.apiUrl,
    MEMORY_PROJECT: PROJECTS[0] as string,
    MEMORY_LOG: 'error',
  });
  await remote.call('clearLog');
  const sync = await timed(() => server.call('sync_now'));
  const requests = ((await remote.call('log')) as unknown[]).length;
  const save = (index: number) => {
    const { title, body } = noteBody(latencyMs * 1_000 + index);
    return server.call('save_session', { title, content: body });
  };
  await repeat(2, (index) => save(rounds + index));
  const saves = await repeat(rounds, save);
  const loads = await repeat(rounds, () => server.call('load_context'));
  const asked = queries(rounds);
  const searches = await repeat(rounds, (index) => server.call('search_memory', { query: asked[index] }));
  const fresh = await repeat(Math.min(rounds, 10), () => server.call('list_sessions', { consistency: 'verified' }));
  await server.close();
  const ratio = median(saves) / median(bare);
  return [
    `${String(latencyMs).padEnd(22)} ${ms(median(bare), 10)} ${ms(sync.ms, 11)} ${String(requests).padStart(9)}`,
    `${ms(median(saves), 10)} ${ms(percentile(saves, 0.95), 4)} ${ratio.toFixed(2).padStart(6)}`,
    `${ms(median(loads), 10)} ${ms(percentile(loads, 0.95), 4)} ${ms(percentile(searches, 0.95), 12)} ${ms(median(fresh), 10)}`,
    `  (${size} notes; aims: ratio <= 1.3, first sync of 1,000 < 30,000)`,
  ].join(' ');
}

const ms = (value: number, width: number) =>
  (value >= 100 ? String(Math.round(value)) : value.toFixed(1)).padStart(width);
