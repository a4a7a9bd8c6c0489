import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LIMITS } from '../../src/core/limits.js';
import { openApp, type TestApp } from '../support/app.js';
import { tempFolder } from '../support/home.js';
import { expectOnce, lose, notesByCommit, openGitHub, receiptOf, settled, synced, until } from '../support/outbox.js';

const save = async (app: TestApp, title: string, more: Record<string, unknown> = {}) =>
  receiptOf(await app.call('save_session', { title, content: `The body of ${title}.`, ...more }));

const unconfirmed = (app: TestApp) => app.app.services.outbox.unconfirmed();

test('the same save again is the same document: while it is queued and after, with a key and without', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await synced(app);
  await github.down();
  const plain = await save(app, 'Plain');
  const keyed = await save(app, 'Keyed', { key: 'k1' });
  expect(await save(app, 'Plain')).toEqual(plain);
  expect(await save(app, 'Keyed', { key: 'k1' })).toEqual(keyed);
  expect(await app.fail('save_session', { title: 'Keyed', content: 'Other.', key: 'k1' })).toMatch(/key already names/);
  expect((await unconfirmed(app)).queued).toBe(2);
  await github.up();
  await settled(app);
  expect(await save(app, 'Plain')).toEqual({ ...plain, status: 'already saved' });
  expect(await save(app, 'Keyed', { key: 'k1' })).toEqual({ ...keyed, status: 'already saved' });
  await expectOnce(github, [plain.id, keyed.id]);
});

test('edits while GitHub is gone: of a mirrored note, of a queued one, of one that is not at hand', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  const first = await save(app, 'First');
  await github.down();
  const edited = await save(app, 'First', { id: first.id, replaces: first.blob, content: 'Second text.' });
  expect([edited.status, edited.id]).toEqual(['queued', first.id]);
  expect(await app.call('read_memory', { id: first.id })).toContain('Second text.');
  expect(
    await app.fail('save_session', { title: 'First', content: 'x', id: first.id, replaces: first.blob }),
  ).toContain(`replaces=${edited.blob}`);
  const again = await save(app, 'First', { id: first.id, replaces: edited.blob, content: 'Third text.' });
  const fresh = await save(app, 'Fresh');
  const freshEdited = await save(app, 'Fresh', { id: fresh.id, replaces: fresh.blob, content: 'Fresher.' });
  expect([again.status, freshEdited.status]).toEqual(['queued', 'queued']);
  const nowhere = { title: 'x', content: 'x', id: 'sessions/not/here', replaces: 'a'.repeat(40) };
  expect(await app.fail('save_session', nowhere)).toMatch(/not at hand\. Nothing was saved.*Save it as a new note/s);
  await github.up();
  await settled(app);
  const files = await github.files();
  expect(String(files.get(`${first.id}.md`))).toContain('Third text.');
  expect(String(files.get(`${fresh.id}.md`))).toContain('Fresher.');
  expect((await notesByCommit(github)).flat().toSorted()).toEqual(
    [first.id, first.id, first.id, fresh.id, fresh.id].map((id) => `${id}.md`).toSorted(),
  );
  expect((await unconfirmed(app)).conflicts).toBe(0);
});

test('a queued edit that meets a newer origin loses and is kept, with those made on top of it', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  const first = await save(app, 'First');
  await github.down();
  const edited = await save(app, 'First', { id: first.id, replaces: first.blob, content: 'Mine.' });
  await save(app, 'First', { id: first.id, replaces: edited.blob, content: 'Mine, once more.' });
  const other = await save(app, 'Other');
  await github.commitOutside({ [`${first.id}.md`]: '# Theirs\n' });
  await github.up();
  await settled(app);
  expect(await unconfirmed(app)).toMatchObject({ queued: 0, unknown: 0, conflicts: 2 });
  for (const tool of ['load_context', 'memory_status']) {
    expect(await app.call(tool)).toMatch(/UNCONFIRMED: 2 queued edits lost to a newer version/);
  }
  expect(await app.call('read_memory', { id: first.id })).toContain('# Theirs');
  const kept = await app.app.services.durable.conflicts(app.app.services.origin.name);
  expect(kept.map(({ path, content, readAtBlob }) => [path, Buffer.from(content).toString(), readAtBlob])).toEqual([
    [`${first.id}.md`, expect.stringContaining('Mine.'), first.blob],
    [`${first.id}.md`, expect.stringContaining('Mine, once more.'), edited.blob],
  ]);
  expect(String((await github.files()).get(`${first.id}.md`))).toBe('# Theirs\n');
  await expectOnce(github, [other.id]);
});

test('150 queued saves go in few commits, and over 100 there is an alert', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await synced(app);
  await github.down();
  const ids = [(await save(app, 'First')).id];
  const many = await Promise.all(Array.from({ length: 149 }, (_, n) => save(app, `Note ${n}`)));
  ids.push(...many.map(({ id }) => id));
  expect(await app.call('memory_status')).toMatch(/ALERT over 100 saves wait for the origin\. GitHub/);
  await github.up();
  await settled(app);
  await expectOnce(github, ids);
  expect((await notesByCommit(github)).length).toBeLessThanOrEqual(2);
  expect(await app.call('memory_status')).toContain('No alerts.');
});

test('more than may wait is refused with the way out', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await github.down();
  await save(app, 'First');
  const { durable, origin } = app.app.services;
  const [entry] = await durable.queued(origin.name);
  if (!entry) throw new Error('nothing waits');
  const fill = Array.from({ length: LIMITS.outboxEntries - 2 }, (_, n) => ({
    ...entry,
    saveId: `fill-${n}`,
    path: `sessions/fill/${n}.md`,
  }));
  await durable.queue(origin.name, fill);
  expect((await save(app, 'Last')).status).toBe('queued');
  expect(await app.fail('save_session', { title: 'One more', content: 'x' })).toMatch(
    /could not be kept on this machine: .* 2000 saves wait.* Nothing was saved.*Bring the connection back/s,
  );
  expect((await durable.queued(origin.name)).length).toBe(LIMITS.outboxEntries);
});

test('more bytes than may wait are refused', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await github.down();
  await save(app, 'First');
  const { durable, origin } = app.app.services;
  const [entry] = await durable.queued(origin.name);
  if (!entry) throw new Error('nothing waits');
  const content = Buffer.alloc(LIMITS.outboxBytes / 8, 'x');
  const fill = Array.from({ length: 7 }, (_, n) => ({
    ...entry,
    saveId: `f${n}`,
    path: `sessions/f/${n}.md`,
    content,
  }));
  await durable.queue(origin.name, fill);
  await durable.queue(origin.name, [
    { ...entry, saveId: 'g', path: 'sessions/f/g.md', content: content.subarray(2_000) },
  ]);
  expect(await app.fail('save_session', { title: 'One more', content: 'x'.repeat(5_000) })).toMatch(/no more are kept/);
});

test('the outbox turned off: a clear error, nothing kept; a lost answer names what may have been saved', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp({ ...environment, MEMORY_OUTBOX: 'off', MEMORY_SAVE_DEADLINE: '2s' });
  await synced(app);
  await github.down();
  expect(await app.fail('save_session', { title: 'Away', content: 'x' })).toMatch(/GitHub .* cannot be reached/);
  await github.up();
  lose(github, { kind: 'drop-after' });
  const told = await app.fail('save_session', { title: 'Lost', content: 'x' });
  const id = /may have been saved as (sessions\/\S+?)\.? /.exec(`${told} `)?.[1]?.replace(/\.$/, '');
  expect(told).toMatch(/^It is unknown whether this was saved/);
  expect(await app.app.services.durable.queued(app.app.services.origin.name)).toEqual([]);
  github.clearFaults();
  expect(await app.call('sync_now')).toContain('1 added');
  expect(receiptOf(await app.call('save_session', { title: 'Lost', content: 'x' }))).toMatchObject({
    status: 'already saved',
    id,
  });
  expect((await notesByCommit(github)).flat()).toEqual([`${id}.md`]);
});

test('a durable store that is broken while GitHub is gone: a clear error, nothing acknowledged; no matter when it is there', async () => {
  const { github, environment } = await openGitHub();
  const home = tempFolder();
  writeFileSync(join(home, 'durable.db'), 'This is no database.'.repeat(500));
  chmodSync(join(home, 'durable.db'), 0o600);
  const app = await openApp({ ...environment, MEMORY_HOME: home });
  expect((await save(app, 'There')).status).toBe('saved');
  await github.down();
  const told = await app.fail('save_session', { title: 'Away', content: 'x' });
  expect(told).toMatch(/cannot be reached.* could not be kept on this machine either: .*Nothing was saved/s);
  await github.up();
  expect((await save(app, 'Back')).status).toBe('saved');
  expect((await notesByCommit(github)).flat().length).toBe(2);
  rmSync(home, { recursive: true, force: true });
});

test('a refusal for good is an error; what waits keeps waiting with that reason, and goes out when it is mended', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await synced(app);
  await github.down();
  const queued = [await save(app, 'One'), await save(app, 'Two')];
  await github.up();
  await github.protectBranch('main');
  expect(await app.call('sync_now')).toMatch(/Queued saves still wait: The branch is protected/);
  github.clearLog();
  expect(await app.fail('save_session', { title: 'New', content: 'x' })).toMatch(/The branch is protected/);
  expect(await app.call('load_context')).toMatch(/UNCONFIRMED: 2 saved only on this machine.* The branch is protected/);
  for (let n = 0; n < 20; n++) await app.call('list_sessions', { consistency: 'verified' });
  // Reads that reach GitHub do not make it be asked to commit again and again.
  expect(github.log.filter(({ graphql }) => graphql?.operation === 'mutation').length).toBeLessThan(25);
  await github.unprotectBranch('main');
  const saved = await until(
    async () => receiptOf(await app.call('save_session', { title: 'New', content: 'x' })),
    ({ status }) => status.endsWith('saved'),
  );
  await settled(app);
  await expectOnce(
    github,
    [...queued, saved].map(({ id }) => id),
  );
});

test('a token that is refused: an error, and those that wait are told of and wait', async () => {
  const { github, environment } = await openGitHub();
  const token = github.addToken('ann');
  const app = await openApp({ ...environment, GITHUB_TOKEN: token });
  await synced(app);
  await github.down();
  const queued = await save(app, 'One');
  await github.up();
  github.revokeToken(token);
  expect(await app.call('sync_now').catch(String)).toMatch(/GitHub does not accept the token/);
  expect(await app.fail('save_session', { title: 'New', content: 'x' })).toMatch(/GitHub does not accept the token/);
  expect(await app.call('memory_status')).toMatch(/UNCONFIRMED: 1 saved only .* GitHub does not accept the token/);
  const mended = await openApp(environment);
  await settled(mended);
  await expectOnce(github, [queued.id]);
});

test('one that GitHub refuses for what is in it does not hold up the others', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await synced(app);
  await github.down();
  const queued: Awaited<ReturnType<typeof save>>[] = [];
  for (let n = 0; n < 24; n++) queued.push(await save(app, `Note ${n}`));
  const refused = queued[11] as (typeof queued)[number];
  github.fault({
    kind: 'status',
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: {
      data: { createCommitOnBranch: null },
      errors: [
        {
          type: 'UNPROCESSABLE',
          path: ['createCommitOnBranch'],
          message: 'Repository rule violations found\n\nSecret detected in content: push protection',
        },
      ],
    },
    match: ({ graphql, body }) =>
      graphql?.operation === 'mutation' && contentsOf(body).includes('The body of Note 11.'),
  });
  await github.up();
  github.clearLog();
  await until(
    () => unconfirmed(app),
    (left) => left.queued + left.unknown === 1,
  );
  expect(github.log.filter(({ graphql }) => graphql?.operation === 'mutation').length).toBeLessThan(9);
  expect(await app.call('memory_status')).toMatch(/UNCONFIRMED: 1 saved only .* push protection has found a secret/);
  const others = queued.filter(({ id }) => id !== refused.id).map(({ id }) => id);
  await expectOnce(github, others);
  expect((await notesByCommit(github)).flat()).toEqual(others.map((id) => `${id}.md`));
  expect(await app.fail('save_session', { title: 'x', content: 'x', id: refused.id, replaces: refused.blob })).toMatch(
    /waits on this machine.*refuses it.*as a new note/s,
  );
  // Nor does it cost those that are saved from now on anything, once it was tried again.
  github.clearLog();
  expect((await save(app, 'Later')).status).toBe('saved');
  expect((await save(app, 'Later still')).status).toBe('saved');
  expect(github.log.filter(({ graphql }) => graphql?.operation === 'mutation').length).toBeLessThanOrEqual(3);
  github.clearFaults();
  expect(await app.call('sync_now')).toContain('Delivered 1 queued save');
  await expectOnce(github, [refused.id]);
});

/** What a commit would write. */
function contentsOf(body: Buffer): string {
  const { variables } = JSON.parse(body.toString()) as {
    variables: { input: { fileChanges: { additions: { contents: string }[] } } };
  };
  return variables.input.fileChanges.additions
    .map(({ contents }) => Buffer.from(contents, 'base64').toString())
    .join('\n');
}
