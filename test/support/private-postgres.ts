import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { onTestFinished } from 'vitest';

const PASSWORD = 'hunter2secret';

/** The folder of `initdb` and `postgres` on this machine; null where there is none. */
function findBinaries(): string | null {
  const folders = ['/usr/lib/postgresql', '/usr/local/opt', '/opt/homebrew/opt'].flatMap((root) => {
    try {
      return readdirSync(root).toSorted().reverse();
    } catch {
      return [];
    }
  });
  const places = [
    ...folders.map((each) => `/usr/lib/postgresql/${each}/bin`),
    ...(process.env.PATH ?? '').split(':').filter((each) => each !== ''),
  ];
  const found = places.find((place) => {
    try {
      execFileSync(join(place, 'initdb'), ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
  if (found) return found;
  const remedy = 'No Postgres programs (initdb, postgres) found: install them, e.g. `apt-get install postgresql`.';
  if (process.env.CI === 'true') throw new Error(remedy);
  console.warn(`\nSKIPPED: tests with a Postgres of their own. ${remedy}\n`);
  return null;
}

export const BINARIES = findBinaries();

/** Postgres refuses to run as root. */
function user(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (which: string) => Number(execFileSync('id', [which, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Processes whose parent is `pid`. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Who is told what to do when a test ends. */
type AtEnd = (work: () => Promise<void>) => void;

/** A server of the test's own, on a socket in a folder: to be stopped, killed and paused. Gone when the test ends. */
export async function startPostgres(
  settings: Record<string, string> = {},
  tls?: { cert: Buffer; key: Buffer },
  atEnd: AtEnd = onTestFinished,
) {
  const { binaries, as, folder } = ownFolder();
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, PASSWORD);
  if (as) chownSync(passwordFile, as.uid, as.gid);
  const data = join(folder, 'data');
  execFileSync(
    join(binaries, 'initdb'),
    ['-D', data, '-U', 'owner', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C', '-N'],
    { ...as, stdio: ['ignore', 'ignore', 'pipe'], cwd: folder },
  );
  if (!tls) return runServer({ binaries, as, folder }, settings, atEnd);
  for (const [name, bytes] of [
    ['server.crt', tls.cert],
    ['server.key', tls.key],
  ] as const) {
    writeFileSync(join(data, name), bytes, { mode: 0o600 });
    if (as) chownSync(join(data, name), as.uid, as.gid);
  }
  return runServer(
    { binaries, as, folder },
    { ...settings, ssl: 'on', listen_addresses: 'localhost', port: String(await freePort()) },
    atEnd,
  );
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** A streaming replica of a server of the test's own. */
export async function startReplica(primary: Awaited<ReturnType<typeof startPostgres>>) {
  const { binaries, as, folder } = ownFolder();
  execFileSync(
    join(binaries, 'pg_basebackup'),
    ['-D', join(folder, 'data'), '-R', '-c', 'fast', '-h', primary.folder, '-U', 'owner'],
    {
      ...as,
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: folder,
      env: { PATH: process.env.PATH, PGPASSWORD: PASSWORD },
    },
  );
  return runServer({ binaries, as, folder }, {}, onTestFinished);
}

function ownFolder() {
  if (BINARIES === null) throw new Error('There are no Postgres programs: skip this test.');
  const as = user();
  const folder = mkdtempSync(join(tmpdir(), 'pg-'));
  if (as) chownSync(folder, as.uid, as.gid);
  return { binaries: BINARIES, as, folder };
}

async function runServer(
  { binaries, as, folder }: ReturnType<typeof ownFolder>,
  settings: Record<string, string>,
  atEnd: AtEnd,
) {
  const data = join(folder, 'data');
  let server: ChildProcess;

  async function start(): Promise<void> {
    const options = { listen_addresses: '', fsync: 'off', unix_socket_directories: folder, ...settings };
    server = spawn(
      join(binaries, 'postgres'),
      ['-D', data, ...Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...as, stdio: ['ignore', 'ignore', 'pipe'], cwd: folder },
    );
    await new Promise<void>((resolve, reject) => {
      server.stderr?.on('data', (chunk: Buffer) => {
        if (/ready to accept (read-only )?connections/.test(chunk.toString())) resolve();
      });
      server.once('exit', () => reject(new Error('Postgres did not start')));
    });
  }

  /** SIGINT: says goodbye to everybody. SIGQUIT: dies at once, as after a crash. */
  async function stop(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    resume();
    server.kill(signal);
    await ended;
  }

  const everyone = () => [server.pid as number, ...childrenOf(server.pid as number)];
  function signalAll(pids: number[], signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // One that ended meanwhile.
      }
    }
  }
  /** Its sockets stay open, and nobody answers. */
  function pause(): void {
    signalAll([server.pid as number], 'SIGSTOP');
    signalAll(everyone(), 'SIGSTOP');
  }
  function resume(): void {
    signalAll(everyone(), 'SIGCONT');
  }
  /** Nothing that was sent to it before this returns is answered any more. */
  function kill(): Promise<unknown> {
    const ended = once(server, 'exit');
    pause();
    signalAll(everyone(), 'SIGKILL');
    return ended;
  }

  atEnd(async () => {
    await stop('SIGQUIT');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  });
  await start();
  const url = (user = 'owner', password = PASSWORD, database = 'postgres') =>
    `postgres://${user}:${password}@localhost/${database}?host=${encodeURIComponent(folder)}`;
  /** As its superuser; ended when the test ends. */
  function connect(database = 'postgres'): postgres.Sql {
    const sql = postgres({
      host: folder,
      port: Number(settings.port ?? 5432),
      user: 'owner',
      password: PASSWORD,
      database,
      max: 2,
      onnotice() {},
    });
    atEnd(() => sql.end({ timeout: 1 }));
    return sql;
  }
  /** Over TCP, where it was given a certificate. */
  const tcp = (query: string) => `postgres://owner:${PASSWORD}@localhost:${settings.port}/postgres${query}`;
  return { url, tcp, folder, connect, start, stop, pause, resume, kill, password: PASSWORD };
}
