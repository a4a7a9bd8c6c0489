import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LIMITS } from '../../../src/core/limits.js';
import { percentile, repeat, residentMegabytes, start } from '../measure.js';
import { queries } from '../notes.js';
import { PROGRAM, removeFolder } from '../ours.js';
import { makeRepository } from '../repository.js';

const MEANING = /^Meaning: (\d+) of (\d+) passages/m;

/**
 * What embedding so many notes costs a server that is used meanwhile: time, how late its event loop is, how long searches
 * take, memory; with `idle` also what memory it has given back after the minutes without a search.
 */
export async function measureEmbedding(size: number, idle: boolean): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'strata-bench-'));
  const loopFile = join(home, 'loop.json');
  const lines: string[] = [];
  try {
    await makeRepository(join(home, 'origin.git'), size);
    const preload = new URL('loop-delay.mjs', import.meta.url).href;
    const environment = { MEMORY_HOME: home, MEMORY_PROJECT: 'bench/bench', MEMORY_LOG: 'error' };
    const filling = await start(PROGRAM, { ...environment, MEMORY_EMBEDDINGS: 'off' });
    await filling.call('sync_now');
    await filling.close();
    const startedAt = performance.now();
    const server = await start(PROGRAM, {
      ...environment,
      NODE_OPTIONS: `--import=${preload}`,
      BENCH_LOOP_FILE: loopFile,
    });
    const asked = queries(200);
    const searches: number[] = [];
    let [peak, done, all] = [0, 0, Number.POSITIVE_INFINITY];
    for (let round = 0; done < all; round++) {
      const query = asked[round % asked.length] as string;
      searches.push(...(await repeat(1, () => server.call('search_memory', { query }))));
      const [, now, whole] = MEANING.exec(await server.call('memory_status')) ?? [];
      [done, all] = [Number(now ?? 0), Number(whole ?? Number.POSITIVE_INFINITY)];
      peak = Math.max(peak, residentMegabytes(server.pid));
      await delay(5_000);
    }
    const seconds = (performance.now() - startedAt) / 1000;
    const loop = JSON.parse(readFileSync(loopFile, 'utf8')) as { p50: number; p99: number; max: number };
    const ms = (values: number[]) => values.map((each) => each.toFixed(1)).join(' / ');
    lines.push(
      `${size} notes, ${all} passages: embedded in ${seconds.toFixed(0)} s, ${(all / seconds).toFixed(1)} passages a second`,
      `event loop meanwhile, p50 / p99 / most: ${ms([loop.p50, loop.p99, loop.max])} ms`,
      `${searches.length} searches meanwhile, p50 / p95: ${ms([percentile(searches, 0.5), percentile(searches, 0.95)])} ms`,
      `memory, most that was seen: ${peak.toFixed(0)} MB`,
    );
    if (idle) {
      await delay(LIMITS.modelIdleMs + 30_000);
      lines.push(
        `after ${LIMITS.modelIdleMs / 60_000} minutes without a search: ${residentMegabytes(server.pid).toFixed(0)} MB`,
      );
    }
    await server.close();
  } finally {
    removeFolder(home);
  }
  return `${lines.join('\n')}\n`;
}
