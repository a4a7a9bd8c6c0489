import { expect, test } from 'vitest';
import { openApp, type TestApp } from '../support/app.js';
import type { FaultKind } from '../support/github.js';
import { expectOnce, lose, notesByCommit, openGitHub, receiptOf, settled, synced, until } from '../support/outbox.js';

const save = async (app: TestApp, title: string) =>
  receiptOf(await app.call('save_session', { title, content: `The body of ${title}.` }));

const LOST: [string, FaultKind][] = [
  ['the connection dropped after the commit', { kind: 'drop-after' }],
  ['half an answer', { kind: 'half' }],
  ['no answer, ever', { kind: 'hang' }],
  ['a bad gateway', { kind: 'status', status: 502 }],
];

test.each(LOST)('an answer lost (%s) is settled by looking', async (_, fault) => {
  const { github, environment } = await openGitHub();
  const app = await openApp({ ...environment, MEMORY_SAVE_DEADLINE: '2s' });
  await synced(app);
  lose(github, fault);
  const sent = await save(app, 'Lost');
  expect(sent.status).toBe('unknown');
  expect(await app.call('read_memory', { id: sent.id })).toContain('The body of Lost.');
  expect(await app.call('load_context')).toMatch(/UNCONFIRMED: 1 sent without an answer, to be settled\. \S/);
  // The same again is the same document; others go after it.
  expect(await save(app, 'Lost')).toEqual(sent);
  const next = await save(app, 'Next');
  expect(next.status).toBe('queued');
  github.clearFaults();
  await settled(app);
  await expectOnce(github, [sent.id, next.id]);
  expect((await notesByCommit(github)).flat()).toEqual([`${sent.id}.md`, `${next.id}.md`]);
  expect(await save(app, 'Lost')).toEqual({ ...sent, status: 'already saved' });
});

const SINCE: [string, string | null][] = [
  ['edited', '# Edited by hand\n'],
  ['deleted', null],
];

test.each(SINCE)('a lost answer is recognised in the history where the note was %s since', async (_, content) => {
  const { github, environment } = await openGitHub();
  const app = await openApp({ ...environment, MEMORY_SAVE_DEADLINE: '2s' });
  await synced(app);
  lose(github, { kind: 'drop-after' });
  const sent = await save(app, 'Lost');
  expect(sent.status).toBe('unknown');
  await github.commitOutside({ [`${sent.id}.md`]: content });
  for (let n = 0; n < 3; n++) await github.commitOutside({ [`other/${n}.md`]: `# ${n}\n` });
  github.clearFaults();
  await settled(app);
  expect((await github.files()).get(`${sent.id}.md`)?.toString() ?? null).toBe(content);
  expect((await notesByCommit(github)).flat()).toEqual([`${sent.id}.md`, `${sent.id}.md`]);
  expect((await app.call('memory_status')).includes('lost to a newer')).toBe(false);
});

test('a head that lags its own writes: what was delivered stays in answers, and is delivered once', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await synced(app);
  await github.down();
  const queued = [await save(app, 'One'), await save(app, 'Two')];
  await github.up();
  github.lag(1_500);
  await github.commitOutside({ 'outside.md': '# Outside\n' });
  const ids = queued.map(({ id }) => id);
  let shown = 0;
  await until(
    async () => {
      const listed = await app.call('list_sessions', { limit: 100 });
      expect(ids.filter((id) => !listed.includes(id))).toEqual([]);
      shown++;
      return app.app.services.outbox.unconfirmed();
    },
    (left) => left.queued + left.unknown === 0,
  );
  for (let more = 0; more < 20; more++) {
    const listed = await app.call('list_sessions', { limit: 100 });
    expect(ids.filter((id) => !listed.includes(id))).toEqual([]);
  }
  expect(shown).toBeGreaterThan(0);
  github.lag(0);
  await settled(app);
  await expectOnce(github, ids);
});

test('two processes on one home while GitHub comes and goes: each queued save is delivered once', async () => {
  const { github, environment } = await openGitHub();
  const apps = [await openApp(environment), await openApp(environment)];
  await Promise.all(apps.map(synced));
  const ids: string[] = [];
  for (let round = 0; round < 4; round++) {
    await github.down();
    const receipts = apps.map((app, at) => save(app, `Round ${round} of ${at}`));
    ids.push(...(await Promise.all(receipts)).map(({ id }) => id));
    await github.up();
    if (round % 2 === 0)
      github.fault({ kind: 'drop-after', times: 1, match: ({ graphql }) => graphql?.operation === 'mutation' });
    await Promise.all(apps.map((app) => app.call('sync_now').catch(() => {})));
  }
  github.clearFaults();
  for (const app of apps) await settled(app);
  await expectOnce(github, ids);
  expect((await apps[1]?.app.services.outbox.unconfirmed())?.conflicts).toBe(0);
});
