import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { startGitHub } from '../support/github.js';
import { tempFolder } from '../support/home.js';
import { environmentOf, everWritten, receiptOf, synced, until } from '../support/outbox.js';
import { startServer, type TestServer } from '../support/server.js';

const STEPS = [
  'save',
  'save',
  'save two',
  'edit',
  'edit',
  'kill',
  'down',
  'up',
  'lost',
  'outside',
  'outside edit',
  'sync',
] as const;
type Step = (typeof STEPS)[number];

interface Promised {
  /** A line that stands in this text alone. */
  line: string;
  id: string;
  blob: string;
}

async function play(steps: Step[], root: string, number: number): Promise<void> {
  const github = await startGitHub();
  const home = join(root, `run-${number}`);
  const environment = {
    ...environmentOf(github, home),
    MEMORY_SAVE_DEADLINE: '1500ms',
    MEMORY_READ_DEADLINE: '1s',
  };
  let server: TestServer = await startServer(environment);
  const promised: Promised[] = [];
  let count = 0;
  const save = async (more: Record<string, unknown> = {}) => {
    const line = `Line ${number}-${count++}.`;
    const text = await server.call('save_session', { title: 'Note', content: line, ...more }).catch(() => null);
    if (text !== null) promised.push({ line, ...receiptOf(text) });
  };
  try {
    await synced(server);
    for (const step of steps) {
      const last = promised.at(-1);
      if (step === 'save') await save();
      if (step === 'save two') await Promise.all([save(), save()]);
      if (step === 'edit' && last) await save({ id: last.id, replaces: last.blob });
      if (step === 'kill') {
        const dying = save();
        process.kill(server.pid, 'SIGKILL');
        await dying;
        server = await startServer(environment);
      }
      if (step === 'down') await github.down();
      if (step === 'up') await github.up();
      if (step === 'lost')
        github.fault({ kind: 'drop-after', times: 1, match: ({ graphql }) => graphql?.operation === 'mutation' });
      if (step === 'outside') await github.commitOutside({ [`outside/${count++}.md`]: '# Outside\n' });
      if (step === 'outside edit' && last) await github.commitOutside({ [`${last.id}.md`]: `# Theirs ${count++}\n` });
      if (step === 'sync') await server.call('sync_now').catch(() => {});
    }
    github.clearFaults();
    await github.up();
    const status = await until(
      () => server.call('memory_status'),
      (text) => !/waiting for the origin|to be settled/.test(text),
    );
    const lost = [...status.matchAll(/^(conflicts\/\d+): /gm)].map(([, name]) => name as string);
    const texts = await Promise.all(lost.map((id) => server.call('read_memory', { id })));
    const { versions, merges } = await everWritten(github);
    const found = promised.map(({ line }) => ({
      line,
      times: versions.filter((text) => text.includes(line)).length + texts.filter((text) => text.includes(line)).length,
    }));
    expect(found).toEqual(promised.map(({ line }) => ({ line, times: 1 })));
    expect(merges).toBe(0);
    await synced(server);
    expect(await server.call('verify_with_github')).toContain('all equal');
  } finally {
    await server.close();
    await github.close();
  }
}

test('whatever happens, all that was acknowledged is at GitHub once, or kept as a conflict', async () => {
  const root = tempFolder();
  let number = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { minLength: 4, maxLength: 12 }), (steps) =>
      play(steps, root, number++),
    ),
    {
      numRuns: Number(process.env.STRATA_RUNS ?? 8),
      interruptAfterTimeLimit: Number(process.env.STRATA_RUNS_MS ?? 15_000),
      endOnFailure: true,
    },
  );
}, 120_000);
