import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { MemoryError, toMemoryError } from '../../core/errors.js';

import { branchLine, cacheLine, jobAlerts, jobsLine, kilobytes, unconfirmedLine } from '../../core/format.js';

import { VERSION } from '../../version.js';
import type { Command, CommandContext } from './command.js';

interface Check {
  name: string;
  ok: boolean;
  detail: string;
  /** What to do about it; empty where nothing is wrong. */
  fix: string;
  tookMs: number;
}

/** Looks at everything that can be wrong, and says what to do about each fault. Exit code 1 where there is one. */
export const doctorCommand: Command = {
  name: 'doctor',
  about: 'Checks configuration, tiers, mirror, durable store, disk and versions, and says what to do.',
  positionals: [],
  options: {},
  examples: ['doctor', 'doctor --json'],

  async run(context) {
    const checks = await examine(context);
    const { settings, json, out, paint } = context;
    const faults = checks.filter(({ ok }) => !ok);
    if (json) out(JSON.stringify({ version: VERSION, settings, checks }, null, 2));
    else {
      out(
        [
          `strata-memory ${VERSION}`,
          '',
          'Configuration in force',
          ...settings.map(
            ({ name, value, source }) => `  ${name.padEnd(20)} ${value === '' ? '–' : value} (${source})`,
          ),
          '',
          'Checks',
          ...checks.map(
            ({ name, ok, detail, tookMs, fix }) =>
              `  ${ok ? paint('green', 'ok   ') : paint('red', 'FAULT')} ${name.padEnd(14)} ${detail} (${tookMs.toFixed(0)} ms)${fix === '' ? '' : `\n        ${fix}`}`,
          ),
          '',
          faults.length === 0 ? 'Nothing is wrong.' : `${faults.length} to mend: see above.`,
        ].join('\n'),
      );
    }
    return faults.length === 0 ? 0 : 1;
  },
};

async function examine({ services, caller, home }: CommandContext): Promise<Check[]> {
  const checks: Check[] = [];
  const check = async (name: string, work: () => Promise<string> | string) => {
    const started = performance.now();
    try {
      checks.push({ name, ok: true, detail: await work(), fix: '', tookMs: performance.now() - started });
    } catch (error) {
      const { message, hint } = toMemoryError(error);
      checks.push({ name, ok: false, detail: message, fix: hint, tookMs: performance.now() - started });
    }
  };
  await check(
    'versions',
    () =>
      `node ${process.versions.node}, ${execFileSync('git', ['--version'], { encoding: 'utf8' }).trim()}, ${process.platform} ${process.arch}`,
  );
  await check('home', () => diskOf(home));
  await check('origin', async () => {
    const { origin } = await services();
    const head = await origin.head();
    return `${origin.name}, ${branchLine(origin.branch())}, ${head ? `head ${head.commit.slice(0, 12)}` : 'no commits yet'}`;
  });
  // Without any origin there is nothing behind it to look at: one mistake is one fault.
  const opened = await services().catch(() => null);
  if (opened === null) return checks;
  const reached = checks.every(({ name, ok }) => name !== 'origin' || ok);
  let changed = 0;
  await check('mirror', async () => {
    const { verify, mirror } = opened;
    if (!reached) {
      const { head } = await mirror.snapshot((view) => view.state());
      return `${head === null ? 'never synced' : `at ${head.commit.slice(0, 12)}`}, not compared: the origin cannot be asked`;
    }
    const found = await verify(caller, {}, { repair: false });
    const { bytes } = await mirror.describe();
    changed = found.changed.length;
    if (found.differences.length > 0)
      throw new MemoryError(
        'corrupt',
        `${found.differences.length} of ${found.checked} documents differ from the origin.`,
        'Run strata-memory verify --repair.',
      );
    return `${found.checked} documents, all equal to the origin's, ${found.hashed} hashed, ${kilobytes(bytes)}`;
  });
  if (changed > 0)
    await check('checkpoints', async () => {
      throw new MemoryError(
        'corrupt',
        `${changed} changed after being made: the seal does not fit.`,
        "Run strata-memory verify to see which; take what was made from git's history, or delete the file.",
      );
    });
  const { shelf } = await services();
  if (shelf.on)
    await check('cache', async () => {
      // A value there and back: one that answers and takes nothing is of no use.
      const kept = await shelf.tries();
      const status = await shelf.describe();
      if (status === null || (kept && status.state === 'up')) return status === null ? 'none' : cacheLine(status);
      const { message, hint } = status.lastFailure ?? {
        message: `The cache at ${status.place} is not connected yet.`,
        hint: 'Run doctor again.',
      };
      throw new MemoryError('config', message, hint);
    });
  await check('durable store', async () => {
    const { durable } = opened;
    const { place, schema, sound } = await durable.describe();
    if (sound !== 'ok')
      throw new MemoryError(
        'corrupt',
        `${place} is damaged: ${sound}.`,
        'Copy the file away, then look at the disk; it holds the audit log and is never rebuilt by itself.',
      );
    return `${place}, schema ${schema}, sound`;
  });
  await check('outbox', async () => {
    const line = unconfirmedLine(await opened.outbox.unconfirmed());
    if (line !== '')
      throw new MemoryError('origin_unavailable', line, 'Run strata-memory sync; see strata-memory outbox.');
    return 'nothing waits for the origin';
  });
  await check('jobs', async () => {
    const states = await opened.jobs.states();
    const failing = jobAlerts(states.filter(({ outcome }) => outcome === 'failed'));
    if (failing.length > 0)
      throw new MemoryError(
        'origin_unavailable',
        failing.join(' '),
        'Mend what it names; a running server tries again within 15 minutes.',
      );
    return jobsLine(states);
  });
  return checks;
}

function diskOf(home: string): string {
  let folder = home;
  while (!existsSync(folder)) folder = dirname(folder);
  try {
    if (!statSync(folder).isDirectory()) throw new Error('it is a file');
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new MemoryError(
      'config',
      `MEMORY_HOME (${home}) cannot be written: see ${folder}.`,
      'Mend its permissions, or set MEMORY_HOME to another folder.',
      error,
    );
  }
  const { bavail, bsize } = statfsSync(folder);
  return `${home}, ${kilobytes(bavail * bsize)} free`;
}
