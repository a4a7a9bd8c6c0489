import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../dist/program.js', import.meta.url));

/** Tests that start the real server need it built; `npm test` builds it first. */
export default function setup(): void {
  if (!existsSync(program)) throw new Error('dist/program.js is missing: run `npm run build` first (npm test does).');
}
