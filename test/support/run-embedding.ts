import { join } from 'node:path';
import { createEmbedding } from '../../src/core/embedding.js';
import { createLog } from '../../src/core/log.js';
import { createEmbedder } from '../../src/tiers/embedder-minilm.js';
import { createSqliteMirror } from '../../src/tiers/mirror-sqlite.js';
import { createSqliteMutex } from '../../src/tiers/mutex-sqlite.js';

/** A process that embeds what one mirror lacks, and says on stdout how that ended. */
const [folder = ''] = process.argv.slice(2);
const mirror = createSqliteMirror({ origin: '/repo', path: join(folder, 'mirror.db') });
const mutex = createSqliteMutex(join(folder, 'locks'));
const embedder = createEmbedder();
const log = createLog('silent', () => {});
const alive = setInterval(() => {}, 1_000);
process.stdout.write(`${await createEmbedding({ mirror, embedder, mutex, log }).work()}\n`);
clearInterval(alive);
await embedder.close();
await mutex.close();
await mirror.close();
