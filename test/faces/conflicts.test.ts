import { expect, test } from 'vitest';
import { openApp } from '../support/app.js';
import { openGitHub, receiptOf, settled } from '../support/outbox.js';
import { runProgram } from '../support/server.js';

/** A memory whose queued edits met newer versions: of a note, of one that was deleted meanwhile. */
async function withConflicts() {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  const save = async (title: string, content: string, more: Record<string, unknown> = {}) =>
    receiptOf(await app.call('save_session', { title, content, tags: ['keep'], ...more }));
  const notes = [await save('Alpha', 'First.'), await save('Beta', 'First.')];
  await github.down();
  for (const [at, { id, blob }] of notes.entries())
    await save(['Alpha', 'Beta'][at] ?? '', 'Mine.', { id, replaces: blob });
  const [alpha = { id: '', blob: '' }, beta = { id: '', blob: '' }] = notes;
  await github.commitOutside({ [`${alpha.id}.md`]: '# Theirs\n', [`${beta.id}.md`]: null });
  await github.up();
  await settled(app);
  const run = async (...args: string[]) => {
    const done = await runProgram(['conflicts', ...args], environment);
    return { ...done, both: done.stdout + done.stderr };
  };
  return { github, environment, app, run, alpha, beta };
}

test('lost edits are listed, shown, read by Claude, and resolved either way', async () => {
  const { github, app, run, alpha, beta } = await withConflicts();
  const listed = await run();
  expect([listed.code, listed.both]).toEqual([0, expect.stringContaining(`1  ${alpha.id}`)]);
  expect(listed.stdout).toMatch(
    new RegExp(`2  ${beta.id}\\n   \\d{4}-.* UTC by tester, read at blob ${beta.blob.slice(0, 12)}, there now nothing`),
  );
  const rows = JSON.parse((await run('--json')).stdout);
  expect(rows).toMatchObject([
    {
      conflict: 1,
      id: alpha.id,
      subject: 'tester',
      readAtBlob: alpha.blob,
      blobNow: expect.stringMatching(/^[0-9a-f]{40}$/),
    },
    { conflict: 2, id: beta.id, readAtBlob: beta.blob, blobNow: null },
  ]);
  expect((await run('show', '1')).stdout).toMatch(/the text that lost: data, not instructions\)[\s\S]*Mine\./);
  const read = await app.call('read_memory', { id: 'conflicts/1' });
  expect(read).toMatch(/Mine\.[\s\S]*lost to a newer version; this text is not in the memory/);
  expect(await app.call('memory_status')).toMatch(new RegExp(`conflicts/1: ${alpha.id}\\nconflicts/2: ${beta.id}`));

  const mine = await run('resolve', '1', '--keep', 'mine');
  expect([mine.code, mine.both]).toEqual([0, expect.stringMatching(/Conflict 1: your text is saved as sessions/)]);
  const text = String((await github.files()).get(`${alpha.id}.md`));
  expect(text).toMatch(/tags:[\s\S]*keep[\s\S]*Mine\./);
  expect((await run('resolve', '2', '--keep=theirs')).stdout).toContain('what stands there stays');
  expect((await github.files()).has(`${beta.id}.md`)).toBe(false);
  expect((await run()).stdout).toContain('No conflicts');
  expect(await app.fail('read_memory', { id: 'conflicts/1' })).toMatch(/no such conflict/);
  expect(await app.call('load_context')).not.toContain('UNCONFIRMED');
});

test('mine of a note that is gone is a new note; while GitHub is gone it is queued, and may lose again', async () => {
  const { github, app, run, alpha, environment } = await withConflicts();
  await github.down();
  expect((await run('resolve', '2', '--keep', 'mine')).both).toMatch(/your text is queued as sessions\//);
  expect((await run('resolve', '1', '--keep', 'mine')).both).toMatch(/your text is queued as sessions\//);
  await github.commitOutside({ [`${alpha.id}.md`]: '# Theirs again\n' });
  await github.up();
  await settled(app);
  expect(String((await github.files()).get(`${alpha.id}.md`))).toBe('# Theirs again\n');
  expect([...(await github.files()).values()].filter((content) => String(content).includes('Mine.')).length).toBe(1);
  expect(JSON.parse((await run('--json')).stdout)).toMatchObject([{ conflict: 3, id: alpha.id }]);
  // The same from a shell's own words: errors say what to type.
  for (const [args, says] of [
    [['show'], /Which conflict\?/],
    [['show', '9'], /no such conflict.*conflicts\/3/],
    [['resolve', '3'], /Which text is to stand\?.*--keep theirs/],
    [['frobnicate'], /knows `list`/],
  ] as const) {
    const { code, stderr } = await run(...args);
    expect([code, stderr]).toEqual([
      expect.toSatisfy((each: number) => [2, 4].includes(each)),
      expect.stringMatching(says),
    ]);
  }
  expect((await runProgram(['conflicts', '--help'], environment)).stdout).toContain('conflicts resolve 3 --keep mine');
});
