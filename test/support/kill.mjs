// Preloaded into a server child (`node --import`): ends or holds it at a named point of a save or a sync.
//   STRATA_TEST_KILL="save:after-commit#3"   SIGKILL at the third time that point is reached
//   STRATA_TEST_PAUSE="save:after-commit#1"  stands still there until STRATA_TEST_FOLDER/go exists; says so by /paused
// With STRATA_TEST_FOLDER, nothing is counted before the file `armed` exists there. Publishing is synchronous, so the
// process stops exactly there.
import { subscribe } from 'node:diagnostics_channel';
import { existsSync, writeFileSync } from 'node:fs';

const folder = process.env.STRATA_TEST_FOLDER;
const [name, count] = (process.env.STRATA_TEST_KILL ?? process.env.STRATA_TEST_PAUSE ?? '').split('#');
const still = new Int32Array(new SharedArrayBuffer(4));
let left = Number(count ?? 1);

subscribe('strata-memory:point', (point) => {
  if (point !== name || left <= 0) return;
  if (folder && !existsSync(`${folder}/armed`)) return;
  left--;
  if (left > 0) return;
  if (process.env.STRATA_TEST_KILL) process.kill(process.pid, 'SIGKILL');
  writeFileSync(`${folder}/paused`, '');
  for (let tries = 0; tries < 6_000 && !existsSync(`${folder}/go`); tries++) Atomics.wait(still, 0, 0, 10);
});
