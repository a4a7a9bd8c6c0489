import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openApp } from '../support/app.js';
import { git, tempFolder } from '../support/home.js';
import { openGitHub } from '../support/outbox.js';
import { startServer } from '../support/server.js';

const idOf = (receipt: string) => /`([^`]+)`/.exec(receipt)?.[1] ?? '';
const blobOf = (receipt: string) => /blob ([0-9a-f]{40})/.exec(receipt)?.[1] ?? '';

test.each([
  ['emptied', ''],
  ['garbage', 'no object id at all\n'],
  ['of a commit that is not there', `${'1'.repeat(40)}\n`],
])('a branch that is %s is damage, not an empty memory', async (_what, text) => {
  const { home, call, fail } = await openApp();
  await call('save_session', { title: 'Kept', content: 'A note about kestrels.' });
  const ref = join(home, 'origin.git', 'refs', 'heads', 'main');
  const good = `${git(join(home, 'origin.git'), 'rev-parse', 'refs/heads/main')}\n`;
  writeFileSync(ref, text);
  expect(await call('search_memory', { query: 'kestrels', consistency: 'fresh' })).toMatch(
    /Kept[\s\S]*not confirmed.*damaged/,
  );
  expect(await fail('search_memory', { query: 'kestrels', consistency: 'verified' })).toMatch(/damaged.*git fsck/);
  expect(await fail('verify_with_github')).toMatch(/damaged/);
  expect(await fail('save_session', { title: 'x', content: 'y' })).toMatch(/damaged/);
  const other = await startServer({ MEMORY_HOME: home });
  expect(await other.call('list_sessions', { consistency: 'fast' })).toContain('Kept');
  await other.close();
  writeFileSync(ref, good);
  expect(await call('search_memory', { query: 'kestrels', consistency: 'verified' })).toContain('Kept');
});

test('no save is refused, or called saved already, by what the origin had a while ago', async () => {
  const { github, environment: quick } = await openGitHub();
  // Nothing is down here: a machine under load has its time.
  const environment = { ...quick, MEMORY_READ_DEADLINE: '30s', MEMORY_SAVE_DEADLINE: '60s' };
  const [here, there] = [await openApp(environment), await openApp({ ...environment, MEMORY_HOME: tempFolder() })];
  const note = { title: 'Plan', content: 'First text.' };
  const saved = await here.call('save_session', note);
  const [id, first] = [idOf(saved), blobOf(saved)];
  await there.call('sync_now');
  const second = blobOf(await here.call('save_session', { ...note, content: 'Second text.', id, replaces: first }));
  // By the version that it was told of; its own mirror has the one before.
  const third = await there.call('save_session', { ...note, content: 'Third text.', id, replaces: second });
  expect(third).toMatch(/^Saved/);
  const stale = await here.fail('save_session', { ...note, content: 'Fourth text.', id, replaces: first });
  expect(stale).toContain(`replaces=${blobOf(third)}`);

  const other = { title: 'Other', content: 'Once more.' };
  const path = `${idOf(await here.call('save_session', other))}.md`;
  await github.commitOutside({ [path]: null });
  expect(await here.call('save_session', other)).toMatch(/^Saved/);
  expect([...(await github.files()).values()].map(String).join()).toContain('Once more.');
});

test('the same text with other fields is another note: nothing that was given is dropped', async () => {
  const { call } = await openApp();
  const monday = { title: 'Mon', content: 'See decisions.', decisions: ['Use X'] };
  const first = await call('save_session', monday);
  expect(await call('save_session', { ...monday, decisions: ['Use Y'] })).toMatch(/^Saved/);
  expect(await call('save_session', { ...monday, title: 'Tue' })).toMatch(/^Saved/);
  expect(idOf(await call('save_session', { title: 'Tue', content: 'See decisions.', decisions: ['Use X'] }))).not.toBe(
    idOf(first),
  );
  const context = await call('load_context');
  for (const part of ['Use X', 'Use Y', 'Mon', 'Tue']) expect(context).toContain(part);
});

test('as many decisions and steps as are allowed come back, and survive an edit', async () => {
  const { call } = await openApp();
  const long = (what: string) => Array.from({ length: 50 }, (_, i) => `${what} ${i} ${'word '.repeat(190)}`.trim());
  const receipt = await call('save_session', {
    title: 'Long',
    content: 'body',
    decisions: long('decision'),
    next_steps: long('step'),
    tags: ['big'],
  });
  const list = await call('list_sessions', { tags: ['big'] });
  expect(list).toMatch(/Long/);
  expect(list).not.toContain('doubtful');
  await call('save_session', { id: idOf(receipt), replaces: blobOf(receipt), title: 'Long', content: 'other body' });
  expect(await call('read_memory', { id: idOf(receipt) })).toContain('decision 49');
});

test('a note that .strataignore would hide is refused, not saved and lost', async () => {
  const { app, call, fail } = await openApp();
  await app.services.origin.commit({
    changes: [{ path: '.strataignore', content: new TextEncoder().encode('*secret*\n') }],
    expected: null,
    message: 'rules',
    authorName: 'them',
    deadlineAt: performance.now() + 10_000,
  });
  expect(await fail('save_session', { title: 'Our secret plan', content: 'x' })).toMatch(
    /\.strataignore.*Nothing was saved/,
  );
  expect(await call('save_session', { title: 'Our plan', content: 'x' })).toMatch(/^Saved/);
});

test('a note that is sent back as it was read has one front matter, and what changed in it counts', async () => {
  const { call } = await openApp();
  const receipt = await call('save_session', {
    title: 'Plan',
    content: 'The text.',
    decisions: ['keep X'],
    tags: ['plan'],
  });
  const read = await call('read_memory', { id: idOf(receipt) });
  const text = /---\n[\s\S]*The text\.\n/.exec(read)?.[0] ?? '';
  await call('save_session', {
    id: idOf(receipt),
    replaces: blobOf(receipt),
    title: 'Plan',
    content: text.replace('keep X', 'drop X'),
  });
  const again = await call('read_memory', { id: idOf(receipt) });
  expect(again.match(/^---$/gm)).toHaveLength(2);
  const context = await call('load_context');
  expect(context).toContain('drop X');
  expect(context).not.toContain('keep X');
});

test.each(['PRIVATE', 'EPHEMERAL'])(
  'a text that is sent back cannot make a note %s: only the argument could',
  async (privacy) => {
    const { call } = await openApp();
    const receipt = await call('save_session', { title: 'Plan', content: 'The text.' });
    const content = `---\nprivacy: ${privacy}\nowner: Ann\n---\nThe text, edited.`;
    await call('save_session', { id: idOf(receipt), replaces: blobOf(receipt), title: 'Plan', content });
    const read = await call('read_memory', { id: idOf(receipt) });
    expect(read).toMatch(/privacy: TEAM\n[\s\S]*owner: Ann\n[\s\S]*The text, edited/);
    expect(read).not.toContain(privacy);
  },
);

test('an edit of a note whose bytes the repository has lost builds on the mirror’s, and is refused without', async () => {
  const { home, call, fail } = await openApp();
  const receipt = await call('save_session', { title: 'Old', content: 'text', decisions: ['X'] });
  const blob = blobOf(receipt);
  rmSync(join(home, 'origin.git', 'objects', blob.slice(0, 2), blob.slice(2)));
  const edit = (title: string) => ({ id: idOf(receipt), replaces: blob, title, content: 'text' });
  const mirror = join(home, 'mirror');
  for (const name of readdirSync(mirror)) rmSync(join(mirror, name));
  expect(await fail('save_session', edit('Lost'))).toMatch(/damaged.*Nothing was saved/);
});

test('an edit leaves the fields that it does not give as they were written', async () => {
  const { app, call } = await openApp();
  const fields =
    'version: 1.10\nzip: 01234\n# why it began\nstart: 12:30:45\nbig: 12345678901234567890\nnested:\n  v: 1.20 # of it\nlist:\n- 1.0\n- two\n';
  const made = await app.services.origin.commit({
    changes: [{ path: 'theirs.md', content: new TextEncoder().encode(`---\ntitle: Old\n${fields}---\nbody\n`) }],
    expected: null,
    message: 'theirs',
    authorName: 'them',
    deadlineAt: performance.now() + 10_000,
  });
  const blob = made.outcome === 'committed' ? (made.blobs.get('theirs.md') as string) : '';
  const receipt = await call('save_session', { id: 'theirs', replaces: blob, title: 'New', content: 'changed' });
  expect(await call('read_memory', { id: 'theirs' })).toContain(fields);
  await call('save_session', {
    id: 'theirs',
    replaces: blobOf(receipt),
    title: 'Newer',
    content: 'again',
    tags: ['x'],
  });
  expect(await call('read_memory', { id: 'theirs' })).toContain(fields);
});
