import { execFileSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import Database from 'libsql';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createApp } from '../../src/app.js';
import { readConfig } from '../../src/config.js';
import { objectId, shortHash } from '../../src/core/hash.js';
import { createLog } from '../../src/core/log.js';
import { openApp } from '../support/app.js';
import { git, tempFolder } from '../support/home.js';
import { runProgram, startServer, type TestServer } from '../support/server.js';

/** A repository with notes, large enough for its mirror to have many pages. */
function notes(folder: string, count = 60): string {
  const repository = join(folder, 'notes.git');
  execFileSync('git', ['init', '-q', '--bare', '-b', 'main', repository]);
  const lines = ['commit refs/heads/main', 'committer S <s@example.com> 1700000000 +0000', 'data 1', 'n'];
  for (let i = 0; i < count; i++) {
    const text = `# Note ${i}\n\nmarker${i} shared ${'filler words '.repeat(150)}\n`;
    lines.push(`M 100644 inline sessions/test/project/note-${i}.md`, `data ${Buffer.byteLength(text)}`, text);
  }
  execFileSync('git', ['--git-dir', repository, 'fast-import', '--quiet'], { input: `${lines.join('\n')}\n` });
  return repository;
}

interface Place {
  home: string;
  repository: string;
  mirror: string;
  environment: Record<string, string>;
}

/** A MEMORY_HOME beside a repository of notes. */
function place(home = join(tempFolder(), 'home'), folder = tempFolder()): Place {
  const repository = notes(folder);
  return {
    home,
    repository,
    mirror: join(home, 'mirror', `${shortHash(repository)}.db`),
    environment: { MEMORY_HOME: home, MEMORY_REPO: repository },
  };
}

async function server(environment: Record<string, string>): Promise<TestServer> {
  const started = await startServer(environment);
  onTestFinished(() => started.close());
  return started;
}

/** Changes a database behind everybody's back, as a process of its own so that no lock of ours is touched. */
function tamper(path: string, sql: string): void {
  execFileSync(process.execPath, ['-e', TAMPER, path, sql]);
}
const TAMPER = `const Database = require('libsql'); const db = new Database(process.argv[1]);
db.exec('PRAGMA busy_timeout = 5000'); db.exec(process.argv[2]); db.exec('PRAGMA wal_checkpoint(TRUNCATE)');`;

/** The mirror synced, its server gone, and all of it in the one file. */
async function synced(home?: string, folder?: string): Promise<Place> {
  const at = place(home, folder);
  const { config } = readConfig([], at.environment);
  const app = await createApp(
    config,
    createLog('silent', () => {}),
  );
  await app.services.sync.run({ reason: 'test' });
  await app.close();
  tamper(at.mirror, 'SELECT 1');
  return at;
}

let model: Place;
const modelFolder = mkdtempSync(join(tmpdir(), 'strata-model-'));
beforeAll(async () => {
  model = await synced(join(modelFolder, 'home'), modelFolder);
  return () => rmSync(modelFolder, { recursive: true, force: true });
});

/** The same, at a fraction of the time: a copy of one home, beside a repository that the test must not change. */
function copied(): Place {
  const { home, ...rest } = model;
  const copy = join(tempFolder(), 'home');
  cpSync(home, copy, { recursive: true });
  const mirror = join(copy, 'mirror', basename(rest.mirror));
  return { ...rest, home: copy, mirror, environment: { ...rest.environment, MEMORY_HOME: copy } };
}

/** The right answers, each from the mirror. */
async function answersRight(memory: Pick<TestServer, 'call'>, count = 60): Promise<string> {
  const list = await memory.call('list_sessions', { limit: 100, consistency: 'fresh' });
  expect(list).toMatch(new RegExp(`^(${Math.min(count, 100)}|\\d+) of ${count} notes`));
  const read = await memory.call('read_memory', { id: 'sessions/test/project/note-7' });
  expect(read).toContain('marker7 shared');
  expect(read).toMatch(/\nmirror [0-9a-f]{10}, confirmed/);
  expect(await memory.call('search_memory', { query: 'marker9' })).toContain('note-9');
  return list + read;
}

function overwrite(path: string, at: number, bytes: Buffer): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

const garbage = (length: number) => Buffer.alloc(length, 0xa5);
const asideIn = (at: Place) => readdirSync(join(at.home, 'mirror')).filter((name) => name.includes('.corrupt-'));

const DAMAGE: [string, (path: string) => void][] = [
  ['garbage header', (path) => overwrite(path, 0, garbage(100))],
  ['garbage after the header', (path) => overwrite(path, 100, garbage(4_096 * 3))],
  ['garbage in the middle', (path) => overwrite(path, 4_096, garbage(statSync(path).size - 8_192))],
  ['cut off', (path) => truncateSync(path, 4_096 * 5)],
  [
    'a folder in its place',
    (path) => {
      rmSync(path);
      mkdirSync(path);
      writeFileSync(join(path, 'file'), 'somebody put me here');
    },
  ],
  ['a table taken away', (path) => tamper(path, 'DROP TABLE state')],
];

describe('a corrupt mirror', () => {
  test.each(DAMAGE)('%s: set aside with a message, rebuilt, and the answer is right', async (_, damage) => {
    const at = copied();
    const durable = readFileSync(join(at.home, 'durable.db'));
    damage(at.mirror);
    const memory = await openApp(at.environment);
    const answer = await answersRight(memory);
    expect(answer).toMatch(/The mirror was damaged .*set aside as .*rebuilt from the origin/);
    expect(await memory.call('memory_status')).toMatch(/ALERT The mirror was damaged/);
    expect(asideIn(at).length).toBeGreaterThan(0);
    expect(readFileSync(join(at.home, 'durable.db')).subarray(0, 100).equals(durable.subarray(0, 100))).toBe(true);
    expect(await memory.call('verify_with_github')).toMatch(/^60 documents compared .* all equal; 60 hashed/);
  });

  test('zero bytes, or a log of garbage, is simply built again', async () => {
    const at = copied();
    truncateSync(at.mirror, 0);
    writeFileSync(`${at.mirror}-wal`, garbage(50_000));
    await answersRight(await openApp(at.environment));
    const other = copied();
    writeFileSync(`${other.mirror}-wal`, garbage(50_000));
    writeFileSync(`${other.mirror}-shm`, garbage(32_768));
    await answersRight(await openApp(other.environment));
  });

  test('two processes that meet it at once agree on one new mirror', async () => {
    const at = await synced();
    const both = await Promise.all([server(at.environment), server(at.environment)]);
    overwrite(at.mirror, 0, garbage(9_000));
    await Promise.all(both.map((memory) => answersRight(memory)));
    expect(asideIn(at).filter((name) => !/-(wal|shm)$/.test(name))).toHaveLength(1);
    // One mirror: what the one saves, the other reads without asking the origin.
    const receipt = await both[0]?.call('save_session', { title: 'After', content: 'saved after the damage' });
    expect(receipt).toContain('mirror saved');
    const found = await both[1]?.call('search_memory', { query: 'damage', consistency: 'fast' });
    expect(found).toContain('saved after the damage');
  });

  test('met while running, in the middle of reads and saves', async () => {
    const at = await synced();
    const { call } = await openApp(at.environment);
    await answersRight({ call });
    // As another process would: this one's own locks must not be let go of by closing the file here.
    execFileSync(process.execPath, [
      '-e',
      `const fs = require('node:fs'); const f = fs.openSync(process.argv[1], 'r+'); fs.writeSync(f, Buffer.alloc(fs.fstatSync(f).size, 0xa5)); fs.closeSync(f)`,
      at.mirror,
    ]);
    const work = Array.from({ length: 12 }, (_, i) => [
      call('read_memory', { id: `sessions/test/project/note-${i}`, consistency: 'verified' }),
      call('save_session', { title: `Saved ${i}`, content: `while damaged ${i}` }),
    ]).flat();
    for (const answer of await Promise.all(work)) expect(answer).toMatch(/marker\d+ shared|^Saved: /);
    await answersRight({ call }, 72);
    expect(await call('verify_with_github', { repair: true })).toMatch(/^72 documents compared .*(all equal|repaired)/);
  });
});

describe('the mirror is taken away while the server runs', () => {
  test.each([
    ['deleted', (path: string) => rmSync(path)],
    [
      'deleted with its log',
      (path: string) => {
        for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
      },
    ],
    ['its folder deleted', (path: string) => rmSync(join(path, '..'), { recursive: true })],
  ])('%s: the next answers of every process are right', async (_, remove) => {
    const at = await synced();
    const [one, two] = [await server(at.environment), await server(at.environment)];
    await Promise.all([answersRight(one), answersRight(two)]);
    await one.call('save_session', { title: 'Before', content: 'saved before' });
    remove(at.mirror);
    await answersRight(one, 61);
    await answersRight(two, 61);
    const receipt = await two.call('save_session', { title: 'Deleted', content: 'saved after' });
    expect(receipt).toContain('mirror saved');
    expect(await one.call('search_memory', { query: 'saved', consistency: 'fast' })).toContain('saved after');
  });

  test('replaced by an older copy: the next answer catches up', async () => {
    const at = await synced();
    const copy = `${at.mirror}.copy`;
    cpSync(at.mirror, copy);
    const memory = await server(at.environment);
    await memory.call('save_session', { title: 'Newer', content: 'newer than the copy' });
    tamper(at.mirror, 'SELECT 1');
    renameSync(copy, at.mirror);
    await answersRight(memory, 61);
    expect(await memory.call('search_memory', { query: 'newer', consistency: 'fresh' })).toContain(
      'newer than the copy',
    );
  });
});

describe('the durable store', () => {
  test('corrupt: reads and saves go on with a warning, and it stays as it is', async () => {
    const at = await synced();
    const path = join(at.home, 'durable.db');
    // Another file: a handle of this process that is not collected yet would write its log into the old one.
    for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
    const broken = Buffer.from('my precious rows, somewhere in here '.repeat(300));
    writeFileSync(path, broken);
    const memory = await server(at.environment);
    await answersRight(memory);
    const receipt = await memory.call('save_session', { title: 'Kept', content: 'kept all the same' });
    expect(receipt).toMatch(/^Saved: .*mirror saved.*warning: durable store: .*it is damaged/);
    expect(await memory.call('memory_status')).toMatch(/ALERT durable store is down: .*move .* away/);
    expect(await memory.call('sync_now')).not.toMatch(/^$/);
    expect(readFileSync(path).equals(broken)).toBe(true);
    expect(readdirSync(at.home).filter((name) => name.startsWith('durable.db'))).toEqual(['durable.db']);
  });

  test('a newer one, or a newer mirror, is refused with what to do; nothing is written', async () => {
    for (const name of ['durable', 'mirror'] as const) {
      const at = copied();
      const path = name === 'durable' ? join(at.home, 'durable.db') : at.mirror;
      tamper(path, 'PRAGMA user_version = 99');
      const before = readFileSync(path);
      const head = git(at.repository, 'rev-parse', 'main');
      const memory = await openApp(at.environment);
      const refused = await memory.fail('save_session', { title: 'No', content: 'not to be written' });
      expect(refused).toMatch(/newer strata-memory \(schema 99.*Update strata-memory/);
      if (name === 'mirror') expect(await memory.fail('load_context')).toMatch(/Update strata-memory/);
      else await answersRight(memory);
      expect(await memory.call('memory_status')).toMatch(/ALERT .* is down: .*newer strata-memory/);
      expect(git(at.repository, 'rev-parse', 'main')).toBe(head);
      expect(readFileSync(path).equals(before)).toBe(true);
      expect(asideIn(at)).toEqual([]);
    }
  });
});

describe('MEMORY_HOME cannot be written', () => {
  /** Every read tool, from the origin. */
  async function readsFromOrigin(memory: TestServer): Promise<void> {
    const context = await memory.call('load_context');
    expect(context).toMatch(/origin [0-9a-f]{10}, .*skipped mirror: .*could not be used.*degraded/);
    expect(context).toContain('note-');
    expect(await memory.call('list_sessions', { limit: 5 })).toMatch(/^5 of 60 notes[\s\S]*degraded/);
    expect(await memory.call('search_memory', { query: 'marker9' })).toMatch(/note-9[\s\S]*degraded/);
    expect(await memory.call('read_memory', { id: 'sessions/test/project/note-3' })).toMatch(/marker3[\s\S]*degraded/);
    expect(await memory.fail('read_memory', { id: 'sessions/test/project/note-no' })).toMatch(/no note with this id/);
    expect(await memory.call('memory_status')).toMatch(/ALERT mirror is down/);
  }

  test('below a file: reads answer from the origin, saves succeed with a warning, and all heals', async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, 'file'), 'in the way');
    const at = place(join(folder, 'file', 'home'));
    const memory = await server(at.environment);
    await readsFromOrigin(memory);
    const receipt = await memory.call('save_session', { title: 'Anyway', content: 'saved anyway' });
    expect(receipt).toMatch(/^Saved: .*origin saved, mirror behind.*warning: mirror: .*cannot be written/);
    expect(git(at.repository, 'log', '-1', '--format=%s', 'main')).toBe('Save: Anyway');
    expect(await memory.call('search_memory', { query: 'anyway' })).toContain('saved anyway');
    rmSync(join(folder, 'file'));
    await answersRight(memory, 61);
  });

  test('with our own origin in it there is nothing to read: a clear sentence', async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, 'file'), 'in the way');
    const memory = await server({ MEMORY_HOME: join(folder, 'file', 'home') });
    for (const tool of ['load_context', 'memory_status'])
      expect(await memory.fail(tool)).toMatch(/file.*(MEMORY_HOME|permission)/i);
    expect(await memory.fail('save_session', { title: 'No', content: 'no' })).toMatch(
      /file.*(MEMORY_HOME|permission)/i,
    );
    rmSync(join(folder, 'file'));
    expect(await memory.call('save_session', { title: 'Yes', content: 'yes' })).toMatch(/^Saved/);
  });

  describe.skipIf(!mayMount())('on a mount of its own', () => {
    function tmpfs(size: string): string {
      const folder = tempFolder();
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', folder]);
      onTestFinished(() => void execFileSync('umount', ['-l', folder]));
      return folder;
    }

    test('read-only: reads go on, saves succeed with a warning, and all heals', async () => {
      const mount = tmpfs('8m');
      const at = place(join(mount, 'home'));
      const first = await startServer(at.environment);
      await first.call('sync_now');
      await first.close();
      execFileSync('mount', ['-o', 'remount,ro', mount]);
      const memory = await server(at.environment);
      expect(await memory.call('load_context')).toMatch(/60 notes[\s\S]*note-/);
      expect(await runProgram(['doctor'], at.environment)).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/FAULT home +MEMORY_HOME .*cannot be written[\s\S]*set MEMORY_HOME to another/),
      });
      expect(await memory.call('read_memory', { id: 'sessions/test/project/note-3' })).toContain('marker3');
      expect(await memory.call('search_memory', { query: 'marker9' })).toContain('note-9');
      const receipt = await memory.call('save_session', { title: 'Anyway', content: 'saved anyway' });
      expect(receipt).toMatch(/^Saved: .*origin saved, mirror behind.*warning: mirror: .*cannot be written/);
      expect(await memory.call('search_memory', { query: 'anyway', consistency: 'fresh' })).toContain('saved anyway');
      // SQLite's handles stay read-only for as long as the process lives: the next one heals the mirror.
      execFileSync('mount', ['-o', 'remount,rw', mount]);
      expect(await memory.call('search_memory', { query: 'anyway' })).toContain('saved anyway');
      await answersRight(await server(at.environment), 61);
    });

    test('read-only and never synced: reads answer from the origin, and all heals', async () => {
      const mount = tmpfs('8m');
      execFileSync('mount', ['-o', 'remount,ro', mount]);
      const memory = await server(place(join(mount, 'home')).environment);
      await readsFromOrigin(memory);
      execFileSync('mount', ['-o', 'remount,rw', mount]);
      await answersRight(memory);
    });

    test('full from the start: reads answer from the origin, saves succeed with a warning, and all heals', async () => {
      const mount = tmpfs('1m');
      fill(mount);
      const at = place(join(mount, 'home'));
      const memory = await server(at.environment);
      await readsFromOrigin(memory);
      const receipt = await memory.call('save_session', { title: 'Anyway', content: 'saved anyway' });
      expect(receipt).toMatch(/^Saved: .*origin saved, mirror behind.*warning: mirror: .*(full|written)/);
      execFileSync('mount', ['-o', 'remount,size=16m', mount]);
      await answersRight(memory, 61);
    });

    test('full while it runs, with our own origin in it: reads go on, saves say so, and all heals', async () => {
      const mount = tmpfs('12m');
      const memory = await server({ MEMORY_HOME: join(mount, 'home') });
      const kept = await memory.call('save_session', { title: 'Before', content: 'saved before it was full' });
      expect(kept).toMatch(/^Saved/);
      fill(mount);
      const refused = await memory.fail('save_session', { title: 'No room', content: `${'too much '.repeat(20_000)}` });
      expect(refused).toMatch(/disk is full.*Nothing was saved.*Free space/);
      const found = await memory.call('search_memory', { query: 'before full', consistency: 'fresh' });
      expect(found).toContain('saved before it was full');
      expect(await memory.call('load_context')).toContain('Before');
      rmSync(join(mount, 'ballast'));
      expect(await memory.call('save_session', { title: 'Room', content: 'saved after' })).toMatch(
        /^Saved.*mirror saved/,
      );
      expect(await memory.call('list_sessions', { consistency: 'verified' })).toMatch(/^2 of 2 notes/);
      expect(git(join(mount, 'home', 'origin.git'), 'fsck', '--strict')).not.toMatch(/error|missing|corrupt/);
    });
  });
});

/** Takes every byte that is left. */
function fill(mount: string): void {
  const file = openSync(join(mount, 'ballast'), 'w');
  for (const size of [65_536, 4_096, 1]) {
    try {
      for (let i = 0; i < 100_000; i++) writeSync(file, garbage(size));
    } catch {
      // Full, at this size.
    }
  }
  closeSync(file);
}

function mayMount(): boolean {
  const folder = join('/tmp', `strata-mount-${process.pid}`);
  try {
    mkdirSync(folder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn(
      '\nSKIPPED: tests of a full and of a read-only disk. They mount a tmpfs: run them as root on Linux.\n',
    );
    return false;
  } finally {
    if (existsSync(folder)) rmSync(folder, { recursive: true });
  }
}

describe('verify_with_github', () => {
  const ID = 'sessions/test/project/note-7';
  const other = (n: number) => `sessions/test/project/note-${n}.md`;
  const CASES: [string, string, RegExp][] = [
    [
      'content',
      `UPDATE documents SET content = CAST('forged' AS BLOB) WHERE path = '${ID}.md'`,
      /bytes altered: `.*note-7/,
    ],
    [
      'one byte of it',
      `UPDATE documents SET content = CAST(replace(content, 'shared', 'sharee') AS BLOB) WHERE path = '${ID}.md'`,
      /bytes altered: `.*note-7/,
    ],
    ['blob', `UPDATE documents SET blob = '${'a'.repeat(40)}' WHERE path = '${ID}.md'`, /other version: `.*note-7/],
    ['deleted', `DELETE FROM documents WHERE path = '${ID}.md'`, /missing: `.*note-7/],
    ['not live any more', `UPDATE documents SET live = 0 WHERE path = '${ID}.md'`, /missing: `.*note-7/],
    [
      'added',
      `INSERT INTO documents (origin, path, blob, live, id, kind, project, title, time_ms, tags, digest, author, client, privacy, priority,
       status, parent, target_revenue, current_revenue, bytes, reason, save_key, body_hash, indexed,
       touched_day, content)
       SELECT origin, 'sessions/test/project/forged.md', blob, live, 'sessions/test/project/forged', kind, project,
       'Forged', time_ms, tags, digest, author, client, privacy, priority, status, parent, target_revenue,
       current_revenue, bytes, reason, save_key, body_hash, indexed, touched_day, content
       FROM documents WHERE path = '${ID}.md'`,
      /extra: `.*forged/,
    ],
    [
      'contents swapped',
      `CREATE TEMP TABLE s AS SELECT path, content FROM documents; UPDATE documents SET content = (SELECT content FROM s WHERE s.path = CASE documents.path
       WHEN '${ID}.md' THEN '${other(8)}' ELSE '${ID}.md' END) WHERE path IN ('${ID}.md', '${other(8)}')`,
      /(bytes altered: `.*note-[78].*\n?.*){2}/,
    ],
    [
      'whole rows swapped',
      `UPDATE documents SET path = 'x', id = 'x' WHERE path = '${ID}.md'; UPDATE documents SET path = '${ID}.md', id = '${ID}' WHERE path = '${other(8)}';
       UPDATE documents SET path = '${other(8)}', id = '${other(8).slice(0, -3)}' WHERE path = 'x'`,
      /(other version: `.*note-[78].*\n?.*){2}/,
    ],
    ['search rows gone', `DELETE FROM documents_search WHERE rowid > 0`, /not indexed: `/],
  ];

  test.each(CASES)('%s altered behind our back: found, repaired, and only that', async (_, sql, fault) => {
    const at = copied();
    const { call, fail } = await openApp(at.environment);
    expect(await call('verify_with_github')).toMatch(/^60 documents compared .* all equal; 60 hashed/);
    tamper(at.mirror, sql);
    const found = await call('verify_with_github');
    expect(found).toMatch(fault);
    expect(found).toMatch(/differed\. Call again with repair=true/);
    const differed = Number(/: (\d+) differed/.exec(found)?.[1]);
    expect(await call('verify_with_github', { repair: true })).toMatch(
      new RegExp(`: ${differed} differed. ${differed} repaired`),
    );
    expect(await call('verify_with_github')).toMatch(/^60 documents compared .* all equal; 60 hashed/);
    await answersRight({ call });
    expect(await fail('read_memory', { id: 'sessions/test/project/forged' })).toMatch(/no note/);
    expect(await call('search_memory', { query: 'marker8' })).toContain('note-8');
  });

  test('of one document, and of a project, nothing else is said', async () => {
    const at = copied();
    const { call, fail } = await openApp(at.environment);
    tamper(at.mirror, CASES[0]?.[1] ?? '');
    expect(await call('verify_with_github', { id: 'sessions/test/project/note-8' })).toMatch(/^1 document.*all equal/);
    expect(await call('verify_with_github', { id: ID })).toMatch(/bytes altered/);
    expect(await call('verify_with_github', { project: 'other' })).toMatch(/^Project `other` has no notes/);
    expect(await call('verify_with_github', { project: 'test/project', repair: true })).toMatch(/1 repaired/);
    expect(await fail('verify_with_github', { id: 'no/such' })).toMatch(/no such note/);
  });

  test('a wrong commit or another analyser recorded: the mirror comes to the head by itself', async () => {
    const at = copied();
    const { call } = await openApp(at.environment);
    for (const sql of [
      `UPDATE state SET commit_id = '${'b'.repeat(40)}'`,
      `UPDATE state SET commit_id = ''`,
      `UPDATE state SET index_version = 0`,
      `DELETE FROM state`,
    ]) {
      tamper(at.mirror, sql);
      await answersRight({ call });
      expect(await call('verify_with_github')).toMatch(/^60 documents compared .* all equal; 60 hashed/);
    }
    // The right commit over wrong rows: only the comparison tells.
    tamper(at.mirror, `DELETE FROM documents WHERE project = 'test/project'`);
    expect(await call('verify_with_github', { repair: true })).toMatch(/60 differed. 60 repaired/);
    await answersRight({ call });
  });

  test('what does not match its blob id is never served, at any consistency', async () => {
    for (const consistency of ['fast', 'fresh', 'verified']) {
      const at = copied();
      const { call } = await openApp(at.environment);
      tamper(at.mirror, CASES[0]?.[1] ?? '');
      const read = await call('read_memory', { id: ID, consistency });
      expect(read).toContain('marker7 shared');
      expect(read).not.toContain('forged');
      expect(await call('search_memory', { query: 'marker7', consistency })).not.toContain('forged');
      expect(await call('verify_with_github')).toMatch(/all equal; 60 hashed/);
    }
  });

  test('an origin that cannot mend it leaves an error, not the wrong text', async () => {
    const at = await synced();
    const { fail } = await openApp(at.environment);
    await fail('read_memory', { id: 'no' });
    tamper(at.mirror, CASES[0]?.[1] ?? '');
    renameSync(at.repository, `${at.repository}.gone`);
    expect(await fail('read_memory', { id: ID, consistency: 'fast' })).not.toContain('forged');
    renameSync(`${at.repository}.gone`, at.repository);
  });

  test('a verified answer finds a forged version, a forged note and a deleted one', async () => {
    const at = copied();
    const { call, fail } = await openApp(at.environment);
    const database = new Database(at.mirror);
    const forged = Buffer.from('# Forged\nmarker7 forged');
    const blob = objectId('blob', forged, 'sha1');
    database.prepare('UPDATE documents SET content = ?, blob = ? WHERE path = ?').run([forged, blob, `${ID}.md`]);
    database.exec(`DELETE FROM documents WHERE path = '${other(8)}'`);
    database.exec(CASES[5]?.[1].replaceAll('note-7', 'note-9') ?? '');
    database.close();
    const read = await call('read_memory', { id: ID, consistency: 'verified' });
    expect(read).toContain('marker7 shared');
    expect(read).toMatch(/verified at the origin/);
    expect(await call('read_memory', { id: other(8).slice(0, -3), consistency: 'verified' })).toContain('marker8');
    expect(await fail('read_memory', { id: 'sessions/test/project/forged', consistency: 'verified' })).toMatch(
      /no note/,
    );
    const list = await call('list_sessions', { limit: 100, consistency: 'verified' });
    expect(list).not.toContain('forged');
    expect(list).toMatch(/^60 of 60/);
    expect(await call('verify_with_github')).toMatch(/all equal; 60 hashed/);
  });

  test('a verified answer needs the origin', async () => {
    const at = await synced();
    const { call, fail } = await openApp(at.environment);
    await answersRight({ call });
    renameSync(at.repository, `${at.repository}.gone`);
    for (const tool of ['load_context', 'list_sessions'])
      expect(await fail(tool, { consistency: 'verified' })).toMatch(/repository is gone/);
    expect(await fail('verify_with_github')).toMatch(/repository is gone/);
    expect(await call('read_memory', { id: ID })).toContain('marker7');
    renameSync(`${at.repository}.gone`, at.repository);
    expect(await call('list_sessions', { consistency: 'verified' })).toMatch(/verified at the origin/);
  });
});
