import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../src/app.js';
import { readConfig } from '../../src/config.js';
import { localCaller } from '../../src/core/caller.js';
import { createLog } from '../../src/core/log.js';
import { hitsOf } from '../support/search.js';
import { makeRepository } from './repository.js';

const ROUNDS = 300;
const caller = localCaller('bench', 'bench');

/**
 * What an answer takes with and without the cache, at 10,000 notes: p50 and p95 in ms, warm.
 * `REDIS_URL=… [DATABASE_URL=…] npx tsx test/bench/cache.ts`; the database should be an empty one.
 */
async function main(): Promise<void> {
  const { REDIS_URL = '', DATABASE_URL = '' } = process.env;
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const MEMORY_REPO = join(folder, 'notes.git');
  await makeRepository(MEMORY_REPO, 10_000);
  for (const database of DATABASE_URL === '' ? [''] : ['', DATABASE_URL])
    for (const redis of ['', REDIS_URL]) {
      const home = mkdtempSync(join(tmpdir(), 'bench-'));
      const { config } = readConfig([], { MEMORY_HOME: home, MEMORY_REPO, DATABASE_URL: database, REDIS_URL: redis });
      const app = await createApp(
        config,
        createLog('silent', () => {}),
      );
      const { reader, sync, shelf } = app.services;
      await sync.run({ reason: 'bench' });
      await shelf.tries();
      const [first] = (await reader.read(caller, 'fast', 'fast', (view) => view.list(caller, {}, { limit: 1 }))).value;
      const id = first?.id ?? '';
      const questions: Record<string, () => Promise<unknown>> = {
        read: () => reader.read(caller, 'fast', 'fast', (view) => view.get(caller, id), { name: 'read', input: id }),
        list: () =>
          reader.read(caller, 'fast', 'fast', (view) => view.list(caller, {}, { limit: 30 }), {
            name: 'list',
            input: 0,
          }),
        search: () =>
          reader.read(caller, 'fast', 'fast', (view) => hitsOf(view, caller, ['migrat', 'login'], {}, 8), {
            name: 'search',
            input: 0,
          }),
      };
      for (const [name, ask] of Object.entries(questions)) {
        for (let i = 0; i < 20; i++) await ask();
        await shelf.idle();
        const times: number[] = [];
        for (let i = 0; i < ROUNDS; i++) {
          const started = performance.now();
          await ask();
          times.push(performance.now() - started);
        }
        times.sort((a, b) => a - b);
        const at = (part: number) => (times[Math.floor(part * ROUNDS)] ?? 0).toFixed(2);
        const where = `${database === '' ? 'SQLite' : 'Postgres'}${redis === '' ? '' : ' + Redis'}`;
        process.stdout.write(`${where.padEnd(18)} ${name.padEnd(7)} p50 ${at(0.5)} p95 ${at(0.95)}\n`);
      }
      await app.close();
      rmSync(home, { recursive: true, force: true });
    }
  rmSync(folder, { recursive: true, force: true });
}

await main();
process.exit(0);
