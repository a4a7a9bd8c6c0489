import { describe, expect, onTestFinished, test } from 'vitest';
import { tempFolder } from '../support/home.js';
import { until } from '../support/outbox.js';
import { connectTo, PASSWORD, PROGRAMS, startRedis } from '../support/redis.js';
import { bareRepository } from '../support/repository.js';
import { runProgram, startServer } from '../support/server.js';

test.each([
  ['no URL at all', PASSWORD],
  ['another protocol', `http://:${PASSWORD}@localhost:6379`],
  ['a port that is none', `redis://:${PASSWORD}@localhost:99999`],
  ['a database that is no number', `redis://:${PASSWORD}@localhost/memory`],
  ['a parameter that is not known', `redis://:${PASSWORD}@localhost?password=${PASSWORD}`],
])('REDIS_URL with %s: named at the start, never shown', async (_, url) => {
  const environment = { MEMORY_HOME: tempFolder(), REDIS_URL: url };
  for (const args of [['doctor'], ['status'], []]) {
    const { code, stdout, stderr } = await runProgram(args, environment);
    expect(code).toBe(78);
    expect(stderr).toMatch(/REDIS_URL .*redis:\/\//s);
    expect(stdout + stderr).not.toMatch(/hunter2/);
  }
});

/** It saves and reads as without a cache, and says what is wrong with it and what to do. */
async function goesOn(url: string, why: RegExp, remedy: RegExp): Promise<void> {
  const environment = { MEMORY_HOME: tempFolder(), MEMORY_REPO: bareRepository(), REDIS_URL: url };
  const server = await startServer({ ...environment, MEMORY_LOG: 'debug' });
  onTestFinished(() => server.close());
  const texts = [await server.call('save_session', { title: 'A walrus', content: 'The walrus decided.' })];
  expect(texts[0]).toMatch(/^Saved.*mirror saved/);
  texts.push(
    await until(
      async () => {
        for (const [tool, args] of [
          ['load_context', {}],
          ['search_memory', { query: 'walrus' }],
        ] as const) {
          const text = await server.call(tool, args);
          expect(text).toContain('The walrus decided.');
          texts.push(text);
        }
        return server.call('memory_status');
      },
      (status) => why.test(status) && remedy.test(status),
    ),
  );
  const doctor = await runProgram(['doctor'], environment);
  expect(doctor.stdout).toMatch(why);
  expect(doctor.stdout).toMatch(remedy);
  for (const text of [...texts, doctor.stdout, doctor.stderr, server.stderr()]) expect(text).not.toMatch(/hunter2/);
}

describe.skipIf(!PROGRAMS)('a Redis that says no', () => {
  test('asks for a password, or for another one', async () => {
    const { port } = await startRedis({ requirepass: PASSWORD });
    await goesOn(`redis://127.0.0.1:${port}`, /asks for a password/, /Write it in REDIS_URL/);
    await goesOn(`redis://:hunter2wrong@127.0.0.1:${port}`, /refuses the user or the password/, /in REDIS_URL/);
  });

  test('is full', async () => {
    const redis = await startRedis({ requirepass: PASSWORD, maxmemory: '100kb', 'maxmemory-policy': 'noeviction' });
    await goesOn(redis.url(`:${PASSWORD}@`), /is full and takes nothing more/, /maxmemory-policy/);
  });

  test('is a replica that takes no writes', async () => {
    const primary = await startRedis({ requirepass: PASSWORD });
    const replica = await startRedis({
      requirepass: PASSWORD,
      masterauth: PASSWORD,
      replicaof: `127.0.0.1 ${primary.port}`,
    });
    await goesOn(replica.url(`:${PASSWORD}@`), /is a replica that takes no writes/, /Name the primary in REDIS_URL/);
  });

  test('has no such database: none of the others is used', async () => {
    const redis = await startRedis({ requirepass: PASSWORD });
    const url = `${redis.url(`:${PASSWORD}@`)}/99`;
    await goesOn(url, /has no database of that number/, /Mend the number that REDIS_URL ends with/);
    expect(await connectTo(redis.url(`:${PASSWORD}@`)).dbsize()).toBe(0);
  });

  test('nobody is there', async () => {
    await goesOn(
      `redis://:${PASSWORD}@127.0.0.1:1`,
      /cannot be reached: nobody listens there/,
      /Start it, or mend REDIS_URL/,
    );
  });
});
