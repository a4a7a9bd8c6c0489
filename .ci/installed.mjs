// Stands before what needs the packages: a clone without them is told what to run, before anything is removed.
import { createRequire } from 'node:module';

try {
  createRequire(import.meta.url).resolve('esbuild');
} catch {
  process.stderr.write('strata-memory: its packages are not installed here. Run `npm ci --include=dev` first.\n');
  process.exitCode = 78;
}
