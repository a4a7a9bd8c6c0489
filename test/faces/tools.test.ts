import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { localCaller } from '../../src/core/caller.js';
import { OPERATIONS } from '../../src/operations/index.js';
import { parseInput } from '../../src/operations/operation.js';
import { openApp } from '../support/app.js';
import { tempFolder } from '../support/home.js';
import { startServer } from '../support/server.js';

/** SPEC 7.3. */
const MOST_TOKENS = { all: 2_400, core: 1_100 };

for (const which of ['all', 'core'] as const) {
  test(`tools/list with MEMORY_TOOLS=${which} is what was agreed, and cheap`, async () => {
    const server = await startServer({ MEMORY_HOME: tempFolder(), MEMORY_TOOLS: which });
    try {
      const list = await server.client.listTools();
      const tokens = countTokens(JSON.stringify(list));
      expect(tokens).toBeLessThanOrEqual(MOST_TOKENS[which]);
      await expect(`${JSON.stringify({ tokens, ...list }, null, 2)}\n`).toMatchFileSnapshot(
        `../snapshots/tools-${which}.txt`,
      );
    } finally {
      await server.close();
    }
  });
}

test('core is the six tools of the specification, and a tool left out cannot be called', async () => {
  const server = await startServer({ MEMORY_HOME: tempFolder(), MEMORY_TOOLS: 'core' });
  try {
    const { tools } = await server.client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual(
      ['load_context', 'memory_status', 'read_memory', 'save_session', 'search_memory', 'verify_with_github'].sort(),
    );
    await expect(server.client.callTool({ name: 'sync_now', arguments: {} })).rejects.toThrow(/no tool of that name/);
  } finally {
    await server.close();
  }
});

test('every description says first when to call, and survives a cut at 2 KB', async () => {
  const { client } = await openApp();
  const { tools } = await client.listTools();
  for (const { name, description = '' } of tools) {
    expect(description, name).toMatch(/^Call (when |first,|to )/);
    expect(Buffer.byteLength(description), name).toBeLessThan(2_048);
  }
  const instructions = client.getInstructions() ?? '';
  expect(Buffer.byteLength(instructions)).toBeLessThan(2_048);
  expect(instructions).toMatch(/load_context/);
});

test('annotations say what a tool does: only what never changes a note or the mirror on purpose is read-only', async () => {
  const { client } = await openApp();
  const { tools } = await client.listTools();
  const readOnly = tools.filter(({ annotations }) => annotations?.readOnlyHint).map(({ name }) => name);
  expect(readOnly.sort()).toEqual(
    ['list_projects', 'list_sessions', 'load_context', 'memory_status', 'read_memory', 'search_memory'].sort(),
  );
  for (const { name, annotations } of tools) {
    expect(annotations?.openWorldHint, name).toBe(false);
    if (annotations?.readOnlyHint) continue;
    expect(annotations?.destructiveHint, name).toBe(false);
    expect(annotations?.idempotentHint, name).toBe(true);
  }
});

test('read-only tools leave the repository as it was, and what says it is idempotent is', async () => {
  const { app, call } = await openApp();
  const save = { title: 'One', content: 'Something that happened.' };
  const first = await call('save_session', save);
  const id = /`([^`]+)`/.exec(first)?.[1] as string;
  const before = await app.services.origin.head();
  await call('load_context');
  await call('search_memory', { query: 'happened' });
  await call('read_memory', { id });
  await call('list_sessions');
  await call('memory_status');
  await call('verify_with_github', { repair: true });
  await call('sync_now');
  expect(await call('save_session', save)).toContain(`Already saved: \`${id}\``);
  expect(await app.services.origin.head()).toEqual(before);
});

test('every reading tool takes a consistency, and says in its answer which tier gave it at which commit', async () => {
  const { client, call, app } = await openApp();
  const saved = await call('save_session', { title: 'One', content: 'Something that happened.' });
  const id = /`([^`]+)`/.exec(saved)?.[1] as string;
  const commit = (await app.services.origin.head())?.commit.slice(0, 10) as string;
  const { tools } = await client.listTools();
  for (const [name, args] of [
    ['load_context', {}],
    ['search_memory', { query: 'happened' }],
    ['read_memory', { id }],
    ['list_sessions', {}],
  ] as const) {
    const properties = tools.find((tool) => tool.name === name)?.inputSchema.properties;
    expect(properties?.consistency, name).toMatchObject({ enum: ['fast', 'fresh', 'verified'] });
    for (const consistency of ['fast', 'fresh', 'verified']) {
      const text = await call(name, { ...args, consistency });
      expect(text.split('\n').at(-1), `${name} ${consistency}`).toMatch(
        consistency === 'verified'
          ? new RegExp(`^mirror ${commit}, verified at the origin`)
          : new RegExp(`^mirror ${commit}, confirmed \\d+ s ago`),
      );
    }
  }
});

test('what every operation gives is what its output schema says', async () => {
  const { app } = await openApp();
  const caller = localCaller('tester', 'test 1');
  const run = async (name: string, given: Record<string, unknown>) => {
    const operation = OPERATIONS.find((each) => each.name === name);
    if (!operation) throw new Error(name);
    const output = await operation.run(parseInput(operation, given), {
      services: app.services,
      caller,
      signal: new AbortController().signal,
      progress: () => {},
      project: async (named) => named ?? 'test/project',
      parent: async () => undefined,
    });
    const strict = (operation.output as z.ZodObject).strict();
    expect(strict.parse(output), name).toEqual(output);
    return output as Record<string, unknown>;
  };
  const empty = [
    'load_context',
    'list_sessions',
    'list_projects',
    'weekly_review',
    'memory_status',
    'sync_now',
    'verify_with_github',
  ];
  for (const name of empty) await run(name, {});
  const note = {
    title: 'One',
    content: '# One\n\nSomething happened.\n\n## Next steps\n- more',
    summary: 'short',
    decisions: ['this'],
    next_steps: ['that'],
    tags: ['tag'],
    priority: 'high',
    status: 'open',
    privacy: 'TEAM',
    tokens_used: 12,
    key: 'k',
  };
  const { id, blob } = await run('save_session', note);
  await run('save_session', note);
  await run('save_session', { title: 'One', content: 'edited', id, replaces: blob });
  const { id: held } = await run('save_session', { ...note, content: 'for now only', privacy: 'EPHEMERAL' });
  for (const each of [id, held]) await run('read_memory', { id: each });
  await run('search_memory', { query: 'edited only' });
  await run('search_memory', { query: 'edited only', relatives: true });
  const pattern = { name: 'A lesson', type: 'fix', content: 'Do it so.', evidence: [id], tags: ['tag'] };
  const { id: lesson } = await run('save_pattern', pattern);
  await run('save_pattern', { ...pattern, content: 'And then so.' });
  await run('read_memory', { id: lesson });
  for (const name of empty) await run(name, {});
  await run('load_context', { section: 'steps' });
  await run('verify_with_github', { id, repair: true });
});
