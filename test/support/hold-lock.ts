import { createSqliteMutex } from '../../src/tiers/mutex-sqlite.js';

/** A process that takes a lock and says so on stdout; it lets go when a line comes in on stdin. */
const [folder = '', name = '', waitMs = '0'] = process.argv.slice(2);
const mutex = createSqliteMutex(folder);
const release = await mutex.acquire(name, Number(waitMs));
process.stdout.write(release ? 'held\n' : 'none\n');
if (release) {
  await new Promise((resolve) => process.stdin.once('data', resolve));
  release();
}
await mutex.close();
process.stdin.destroy();
