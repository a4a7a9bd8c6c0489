import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** V8 keeps the memory that it once needed until it needs it again: a full collection, while nobody waits, gives it back. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
