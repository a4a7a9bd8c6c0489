#!/usr/bin/env node
// The front door is kept in git, so that a clone which was never built says what to do; all else in dist/ is built from src/.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('./program.js', import.meta.url);
const folder = fileURLToPath(new URL('..', import.meta.url));
if (Number.parseInt(process.versions.node, 10) < 20) {
  end(`it needs Node 20 or newer, and this is ${process.versions.node} (${process.execPath}). Name a newer node as the command.`);
} else if (existsSync(program)) {
  await import(program.href);
} else {
  end(`it is not built yet. Run \`npm run quickstart\` in ${folder} (it installs, builds and shows it at work), then start it again.`);
}

function end(why) {
  process.stderr.write(`strata-memory: ${why}\n`);
  // Configuration, as in src/core/errors.ts.
  process.exitCode = 78;
}
