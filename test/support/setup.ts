import { existsSync } from 'node:fs';
import { distMain } from './server.js';

/** Tests that start the real server need it built; `npm test` builds it first. */
export default function setup(): void {
  if (!existsSync(distMain)) throw new Error('dist/main.js is missing: run `npm run build` first (npm test does).');
}
