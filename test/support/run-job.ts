import { createLog } from '../../src/core/log.js';
import type { Mirror } from '../../src/core/ports.js';
import { createRunner } from '../../src/jobs/run.js';
import { createPostgresMirror } from '../../src/tiers/mirror-postgres.js';
import { createSqliteMirror } from '../../src/tiers/mirror-sqlite.js';

/** A process that runs a job of one mirror: says `began` on stdout, and how it ended. The job lasts until a line comes in. */
const [place = '', leaseMs = '1000'] = process.argv.slice(2);
const mirror: Mirror = place.startsWith('postgres:')
  ? createPostgresMirror({ origin: '/repo', url: place })
  : createSqliteMirror({ origin: '/repo', path: place });
const log = createLog('silent', () => {});
const options = { mirror, holder: `process ${process.pid}`, log, leaseMs: Number(leaseMs), backoffMs: 10 };
const stop = new AbortController();
const ended = await createRunner(options).run(
  {
    name: 'sync',
    restMs: 0,
    failedRestMs: 0,
    async job(signal) {
      process.stdout.write('began\n');
      await new Promise((resolve, reject) => {
        process.stdin.once('data', resolve);
        signal.addEventListener('abort', () => reject(signal.reason));
      });
      return { outcome: 'ok', note: '' };
    },
  },
  stop.signal,
);
process.stdout.write(`${ended}\n`);
await mirror.close();
process.stdin.destroy();
