import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { explain, MemoryError } from '../../src/core/errors.js';
import type { Mirror } from '../../src/core/ports.js';
import { createPostgresMirror, type PostgresMirrorOptions } from '../../src/tiers/mirror-postgres.js';
import { tempFolder } from '../support/home.js';
import { everybody, note, put } from '../support/mirror-contract.js';
import { BINARIES, startPostgres } from '../support/private-postgres.js';
import { hitsOf } from '../support/search.js';
import { startTcpProxy } from '../support/tcp-proxy.js';

const LIMIT_MS = 1_000;

function opened(url: string, more: Partial<PostgresMirrorOptions> = {}): Mirror {
  const mirror = createPostgresMirror({ origin: '/repo', url, limitMs: LIMIT_MS, ...more });
  onTestFinished(() => mirror.close());
  return mirror;
}

/** The error that `work` must end in, within the limit and a moment; it holds no password in any corner. */
async function failure(work: Promise<unknown>, password = 'hunter2secret'): Promise<MemoryError> {
  const started = performance.now();
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(performance.now() - started).toBeLessThan(LIMIT_MS * 3);
  expect(error).toBeInstanceOf(MemoryError);
  const known = error as MemoryError;
  expect(known).toMatchObject({ code: 'mirror_unavailable', hint: expect.stringContaining('DATABASE_URL') });
  const everything = `${inspect(known, { showHidden: true, depth: 10 })} ${explain(known)} ${known.hint} ${known.message}`;
  expect(everything).not.toContain(password);
  return known;
}

const paths = (mirror: Mirror) => mirror.snapshot(async (view) => [...(await view.paths()).keys()].toSorted());

describe.skipIf(BINARIES === null)('a Postgres that fails', () => {
  test('a restart between two calls is not noticed', async () => {
    const server = await startPostgres();
    const mirror = opened(server.url());
    await put(mirror, [note('a.md', 'zebra')]);
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
      await server.stop(signal);
      await server.start();
      expect(await paths(mirror)).toEqual(['a.md']);
      await server.stop(signal);
      await server.start();
      expect(await put(mirror, [note('a.md', `zebra ${signal}`)])).toBe(true);
    }
  });

  test('connections that are cut off are not noticed, whenever it happens', async () => {
    const server = await startPostgres();
    const proxy = await startTcpProxy({ path: `${server.folder}/.s.PGSQL.5432` });
    onTestFinished(() => proxy.close());
    const mirror = opened(`postgres://owner:${server.password}@127.0.0.1:${proxy.port}/postgres`);
    await put(mirror, [note('a.md', 'zebra')]);
    for (let turns = 0; turns < 30; turns++) {
      await Promise.all([paths(mirror), paths(mirror)]);
      proxy.cut();
      // The statement is begun before, while and after the end of its connection becomes known.
      for (let turn = 0; turn < turns % 10; turn++) await new Promise((next) => setImmediate(next));
      const started = performance.now();
      expect(await paths(mirror)).toEqual(['a.md']);
      expect(performance.now() - started, `after ${turns % 10} turns`).toBeLessThan(LIMIT_MS * 0.9);
    }
  });

  test('gone, then back: errors meanwhile, answers after', async () => {
    const server = await startPostgres();
    const mirror = opened(server.url());
    await put(mirror, [note('a.md', 'zebra')]);
    await server.stop('SIGQUIT');
    for (const work of [paths(mirror), put(mirror, []), mirror.clock(), mirror.doubt([{ saveId: 's', deadlineMs: 1 }])])
      expect((await failure(work)).message).toMatch(/cannot be reached/);
    await server.start();
    expect(await paths(mirror)).toEqual(['a.md']);
  });

  test('dies in the middle of a transaction: nothing of it stays, and nothing of it runs on another connection', async () => {
    const server = await startPostgres();
    const mirror = opened(server.url());
    await put(mirror, [note('a.md', 'zebra')]);
    const reading = mirror.snapshot(async (view) => {
      await view.state();
      await server.stop('SIGQUIT');
      await server.start();
      return view.paths();
    });
    await expect(reading).rejects.toMatchObject({ code: 'mirror_unavailable' });
    const generation = (await mirror.snapshot((view) => view.state())).generation;
    let killed: Promise<unknown> | undefined;
    const writing = mirror.apply({
      expectedGeneration: generation,
      head: { commit: 'b', tree: 'b' },
      documents: [note('b.md', 'yak')],
      live: [note('b.md', 'yak')],
      gone: ['a.md'],
      settles: [],
      confirmedAtMs: null,
      inside() {
        killed = server.kill();
      },
    });
    await failure(writing);
    await killed;
    await server.start();
    expect(await paths(mirror)).toEqual(['a.md']);
    expect((await mirror.snapshot((view) => view.state())).generation).toBe(generation);
  });

  test('paused: every call fails within its limit, however many; afterwards all is well', async () => {
    const server = await startPostgres();
    const mirror = opened(server.url(), { connections: 3 });
    await put(mirror, [note('a.md', 'zebra')]);
    server.pause();
    const calls = Array.from({ length: 12 }, (_, i) =>
      i % 3 === 0
        ? mirror.clock()
        : i % 3 === 1
          ? paths(mirror)
          : mirror.doubt([{ saveId: `s${i}`, deadlineMs: 1e15 }]),
    );
    for (const error of await Promise.all(calls.map((call) => failure(call))))
      expect(error.message).toMatch(/did not answer in time|in use/);
    // A new connection is taken by the kernel, and nobody reads what it says.
    await failure(opened(server.url()).clock());
    server.resume();
    expect(await paths(mirror)).toEqual(['a.md']);
    expect(await put(mirror, [note('b.md', 'yak')])).toBe(true);
  });

  test('paused in the middle of a step', async () => {
    const server = await startPostgres();
    const mirror = opened(server.url());
    await put(mirror, [note('a.md', 'zebra')]);
    const step = put(mirror, [], { live: [], gone: ['a.md'], head: { commit: 'b', tree: 'b' }, inside: server.pause });
    await failure(step);
    server.resume();
    expect(await paths(mirror)).toEqual(['a.md']);
  });

  test('a lock that somebody holds is waited for no longer than the limit', async () => {
    const server = await startPostgres();
    const mirror = opened(server.url());
    await put(mirror, [note('a.md', 'zebra')]);
    const sql = server.connect();
    await sql.begin(async (holding) => {
      await holding`SELECT * FROM strata_mirror.state FOR UPDATE`;
      expect((await failure(put(mirror, [note('b.md', 'yak')]))).message).toMatch(/did not answer in time/);
      expect(await paths(mirror), 'readers wait for nobody').toEqual(['a.md']);
    });
    expect(await put(mirror, [note('b.md', 'yak')])).toBe(true);
  });

  test('no connection left, wrong password, no such database, nobody there: each says what to do', async () => {
    const server = await startPostgres({ max_connections: '5', superuser_reserved_connections: '0' });
    const full = Array.from({ length: 5 }, () => opened(server.url()));
    await Promise.all(full.map((each) => put(each, []).catch(() => {})));
    const gates: (() => void)[] = [];
    const held = full.map((each) =>
      each
        .snapshot(async (view) => {
          await view.state();
          await new Promise<void>((open) => gates.push(open));
        })
        .catch(() => {}),
    );
    while (gates.length < 5) await new Promise((next) => setImmediate(next));
    expect((await failure(opened(server.url()).clock())).message).toMatch(/no connection left/);
    for (const open of gates) open();
    await Promise.all(held);
    await Promise.all(full.map((each) => each.close()));

    const cases: [string, RegExp][] = [
      [server.url('owner', 'hunter2wrong'), /refuses the role or its password/],
      [server.url('nobody', 'hunter2wrong'), /refuses the role or its password/],
      [server.url('owner', server.password, 'nowhere'), /no such database/],
      ['postgres://owner:hunter2wrong@127.0.0.1:1/postgres', /cannot be reached/],
      ['postgres://owner:hunter2wrong@no-such-host.invalid/postgres', /host name is not known/],
      [server.url().replace(/host=.*/, 'host=%2Fnowhere'), /cannot be reached/],
    ];
    for (const [url, said] of cases) {
      const error = await failure(opened(url).clock(), /:([^:@]*)@/.exec(url)?.[1]);
      expect(error.message).toMatch(said);
    }
  });

  test('a role without superuser is enough; one that may create nothing is told what it lacks', async () => {
    const server = await startPostgres();
    const sql = server.connect();
    for (const statement of [
      "CREATE ROLE plain LOGIN PASSWORD 'plainsecret'",
      "CREATE ROLE poor LOGIN PASSWORD 'plainsecret'",
      'CREATE DATABASE plain OWNER plain',
      'CREATE DATABASE empty OWNER plain',
    ])
      await sql.unsafe(statement);
    const plain = opened(server.url('plain', 'plainsecret', 'plain'));
    await put(plain, [note('a.md', 'zebra')]);
    expect(await plain.snapshot((view) => hitsOf(view, everybody(), ['zebra'], {}, 5))).toHaveLength(1);
    for (const database of ['plain', 'empty']) {
      const poor = opened(server.url('poor', 'plainsecret', database));
      const error = await failure(
        poor.snapshot((view) => view.state()),
        'plainsecret',
      );
      expect(error.message).toMatch(/lacks a privilege/);
      expect(error.hint).toMatch(/GRANT/);
    }
  });

  test('TLS as the URL says: encrypted, and checked where it is to be', async () => {
    const folder = tempFolder();
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    execFileSync(
      'openssl',
      `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout ${key} -out ${cert}`.split(
        ' ',
      ),
      { stdio: 'ignore' },
    );
    const server = await startPostgres({}, { cert: readFileSync(cert), key: readFileSync(key) });
    const at = (mode: string, more = '') => server.tcp(`?sslmode=${mode}${more}`);
    const encrypted = async (url: string) => {
      await opened(url).snapshot((view) => view.state());
      const rows = await server.connect()`
        SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE application_name = 'strata-memory' ORDER BY backend_start DESC LIMIT 1`;
      return rows[0]?.ssl;
    };
    expect(await encrypted(at('disable'))).toBe(false);
    for (const url of [
      at('prefer'),
      at('require'),
      at('verify-ca', `&sslrootcert=${cert}`),
      at('verify-full', `&sslrootcert=${cert}`),
    ])
      expect(await encrypted(url), url).toBe(true);
    for (const mode of ['verify-ca', 'verify-full'])
      expect((await failure(opened(at(mode)).clock())).message).toMatch(/TLS failed/);
    expect((await failure(opened(at('verify-full', '&sslrootcert=/nowhere')).clock())).message).toMatch(
      /file that its URL names/,
    );
  });

  test('closing does not wait for a server that is paused', async () => {
    const server = await startPostgres();
    const mirror = opened(server.url());
    await mirror.clock();
    server.pause();
    const started = performance.now();
    await mirror.close();
    expect(performance.now() - started).toBeLessThan(2_000);
    await failure(mirror.clock());
  });
});

/** What a server that is none may say, after whatever it was sent. */
const LIES: [string, (socket: Socket) => void][] = [
  ['another protocol', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['nothing, and hangs up', (socket) => socket.end()],
  ['nothing, and resets', (socket) => socket.resetAndDestroy()],
  ['nothing', () => {}],
  ['a login’s second step first', (socket) => socket.write('R\0\0\0\x0c\0\0\0\x0babcd')],
  ['a garbled login', (socket) => socket.write('R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\0\0\0\x0e\0\0\0\x0br=x,zz')],
  ['half a message', (socket) => socket.write('R\0\0\0\x08\0\0\0\0S\0\0\0\x20abc')],
  [
    'rows that nobody asked for',
    (socket) => socket.write('R\0\0\0\x08\0\0\0\0Z\0\0\0\x05ID\0\0\0\x06\0\x01D\0\0\0\x06\0\x01'),
  ],
  ['zeros', (socket) => socket.write(Buffer.alloc(100))],
];

test.each(LIES)('a server that says %s', async (_, lie) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => lie(socket));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await failure(opened(`postgres://ann:hunter2secret@127.0.0.1:${port}/memory`).clock());
});
