import { mkdirSync, mkdtempSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureGitHub } from './github.js';
import { coldStart, noOurs, prepareOurs, removeFolder, warmCalls } from './ours.js';
import { coldReference, noReference, prepareReference, warmReference } from './reference.js';
import { printTable, type Result } from './report.js';
import { measureSubmodules } from './submodules.js';
import { measureTiers } from './tiers.js';

const HELP = `npm run bench -- [--quick] [--sizes 100,1000,10000] [--rounds 100] [--starts 9] [--json]
npm run bench -- --tiers [--sizes 10000] [--load 30]     (Postgres and Redis: DATABASE_URL, REDIS_URL or this machine's)
npm run bench -- --submodules [--sizes 10000]
npm run bench -- --github [--sizes 1000] [--latencies 150,500]

Both servers on the same notes in one run, each as a child process with a real MCP client. Starts are interleaved and
their medians reported, since a machine is rarely quiet. Never fails.
`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    sizes: { type: 'string' },
    rounds: { type: 'string' },
    starts: { type: 'string' },
    tiers: { type: 'boolean', default: false },
    load: { type: 'string' },
    submodules: { type: 'boolean', default: false },
    github: { type: 'boolean', default: false },
    latencies: { type: 'string' },
  },
});
const sizes = (values.sizes ?? (values.quick ? '100,1000' : '100,1000,10000')).split(',').map(Number);
const rounds = Number(values.rounds ?? (values.quick ? 40 : 100));
const starts = Number(values.starts ?? (values.quick ? 5 : 9));

async function measure(size: number, folder: string): Promise<Result> {
  const [oursHome, referenceHome] = [join(folder, 'ours'), join(folder, 'reference')];
  for (const home of [oursHome, referenceHome]) mkdirSync(home, { recursive: true });
  const prepared = await prepareOurs(oursHome, size);
  const preparedReference = await prepareReference(referenceHome, size);
  const result: Result = { size, ours: noOurs(prepared.syncMs), reference: noReference() };
  for (let round = 0; round < starts; round++) {
    await coldStart(prepared, result.ours);
    await coldReference(preparedReference, result.reference);
  }
  await warmCalls(prepared, rounds, result.ours);
  // Each of its calls reads its whole file: a few are enough to know.
  await warmReference(preparedReference, Math.max(5, Math.min(rounds, Math.round(30_000 / size))), result.reference);
  return result;
}

if (values.help) process.stdout.write(HELP);
else if (values.tiers) {
  const folder = mkdtempSync(join(tmpdir(), 'strata-bench-tiers-'));
  try {
    const size = Number((values.sizes ?? '10000').split(',')[0]);
    process.stdout.write(`${await measureTiers(folder, size, rounds, Number(values.load ?? 30))}\n`);
  } finally {
    removeFolder(folder);
  }
} else if (values.submodules) {
  const folder = mkdtempSync(join(tmpdir(), 'strata-bench-submodules-'));
  try {
    const size = Number((values.sizes ?? '10000').split(',')[0]);
    process.stdout.write(`${await measureSubmodules(folder, size, rounds)}\n`);
  } finally {
    removeFolder(folder);
  }
} else if (values.github) {
  const latencies = (values.latencies ?? '0,150,500').split(',').map(Number);
  const size = Number((values.sizes ?? '1000').split(',')[0]);
  process.stdout.write(`${await measureGitHub(size, latencies, Number(values.rounds ?? 15))}\n`);
} else {
  for (const size of sizes) {
    const folder = mkdtempSync(join(tmpdir(), 'strata-bench-'));
    try {
      const result = await measure(size, folder);
      if (!values.json)
        process.stdout.write(
          `node ${process.version}, ${cpus().length} cores, load average ${loadavg()[0]?.toFixed(1)}: read what is missed beside it\n`,
        );
      process.stdout.write(`${values.json ? JSON.stringify(result) : printTable(result)}\n\n`);
    } catch (error) {
      process.stdout.write(`${size} sessions: ${error instanceof Error ? error.stack : String(error)}\n`);
    } finally {
      removeFolder(folder);
    }
  }
}
