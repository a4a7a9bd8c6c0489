import { expect, onTestFinished, test } from 'vitest';
import { openApp } from '../support/app.js';
import { git, tempFolder } from '../support/home.js';
import { openGitHub, settled, synced } from '../support/outbox.js';
import { bareRepository, fsck } from '../support/repository.js';
import { runProgram, startServer } from '../support/server.js';

const RETRY = 'patterns/test/project/retry-uploads';

test.each(['one machine', 'two machines'])(
  'two servers that save one pattern at once both end in it: %s',
  async (where) => {
    const repository = bareRepository();
    const home = tempFolder();
    const servers = await Promise.all(
      [home, where === 'one machine' ? home : tempFolder()].map((MEMORY_HOME) =>
        startServer({ MEMORY_HOME, MEMORY_REPO: repository }),
      ),
    );
    onTestFinished(async () => {
      await Promise.all(servers.map((each) => each.close()));
    });
    const rounds = 'amber birch cedar delta ember flint grove haven'.split(' ');
    for (const [n, word] of rounds.entries())
      await Promise.all(
        servers.map((server, which) =>
          server.call('save_pattern', {
            name: n % 2 === 0 ? 'Retry uploads' : 'retry UPLOADS!',
            type: 'fix',
            content: `${word} says ${which === 0 ? 'left' : 'right'} of the ${word}.`,
            tags: [`${word}-${which}`],
          }),
        ),
      );
    expect(git(repository, 'ls-tree', '-r', '--name-only', 'main').split('\n')).toEqual([`${RETRY}.md`]);
    const file = git(repository, 'show', `main:${RETRY}.md`);
    for (const word of rounds)
      for (const side of ['left', 'right']) {
        expect(file.split(`${word} says ${side} of the ${word}.`)).toHaveLength(2);
        expect(file).toContain(`- ${word}-${side === 'left' ? 0 : 1}\n`);
      }
    expect(fsck(repository)).toEqual([]);
    for (const server of servers) expect(await server.call('verify_with_github')).toContain('all equal');
  },
);

test('at a shell: a pattern is saved and counted, one process after the other', async () => {
  const environment = { MEMORY_HOME: tempFolder() };
  const saved = await runProgram(['pattern', 'Retry uploads', '--type', 'fix'], environment, 'Wait, then try again.');
  expect(saved.stdout).toMatch(new RegExp(`^Saved: \`${RETRY}\``));
  await runProgram(['context', '--max-tokens', '100'], environment);
  await runProgram(['context'], environment);
  const read = await runProgram(['read', RETRY], environment);
  expect(read.stdout).toMatch(/^`patterns\S+` · pattern · .* · used 1×\n/);
  const data = await runProgram(['context', '--json'], environment);
  expect(JSON.parse(data.stdout).patterns).toMatchObject([{ id: RETRY, type: 'fix', uses: 2 }]);
  expect((await runProgram(['read', RETRY], environment)).stdout).toContain('used 3×');
});

test('without GitHub a pattern waits, is merged with on this machine, and goes into what is there by then', async () => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  const save = (content: string, more: Record<string, unknown> = {}) =>
    app.call('save_pattern', { name: 'Retry uploads', type: 'fix', content, ...more });
  await save('Wait, then try the upload again.\n\nThis sentence goes at the origin.', { tags: ['s3'] });
  await synced(app);
  await github.down();
  expect(await save('Give up after six tries.')).toMatch(new RegExp(`^QUEUED.*merged into \`${RETRY}\``));
  expect(await save('Give up after six tries.')).toMatch(/^QUEUED/);
  expect(await save('Never for deletes.', { type: 'rule', tags: ['uploads'] })).toMatch(/^QUEUED/);
  const fresh = { name: 'Fresh', type: 'fix', content: 'Only here so far.' };
  expect(await app.call('save_pattern', fresh)).toMatch(/^QUEUED.*`patterns\/test\/project\/fresh`/);
  expect(await app.call('load_context')).toMatch(/\*\*Fresh\*\* \(fix, queued\)/);
  const there = String((await github.files()).get(`${RETRY}.md`));
  await github.commitOutside({
    [`${RETRY}.md`]: there
      .replace('This sentence goes at the origin.', 'By hand.')
      .replace('type:', 'owner: Ann # hers\ntype:'),
    'patterns/test/project/fresh.md': '---\ntitle: Fresh\ntype: rule\n---\nFrom elsewhere.\n',
  });
  await github.up();
  await settled(app);
  expect(await app.app.services.outbox.unconfirmed()).toMatchObject({ queued: 0, unknown: 0, conflicts: 0 });
  const files = await github.files();
  const merged = String(files.get(`${RETRY}.md`));
  for (const each of [
    'Wait, then try',
    'By hand.',
    'owner: Ann # hers\n',
    'Give up after six',
    'Never for',
    'type: rule',
    '- uploads',
  ])
    expect(merged).toContain(each);
  expect(merged).not.toContain('This sentence goes');
  expect(merged.split('Give up after six tries.')).toHaveLength(2);
  const other = String(files.get('patterns/test/project/fresh.md'));
  for (const each of ['From elsewhere.', 'Only here so far.']) expect(other).toContain(each);
});

test('two machines behind one GitHub: what another one has just saved is merged with, not found out by a conflict', async () => {
  const { github, environment } = await openGitHub();
  const one = await openApp(environment);
  const two = await openApp({ ...environment, MEMORY_HOME: tempFolder() });
  await synced(one);
  await synced(two);
  const save = (app: typeof one, name: string, content: string) =>
    app.call('save_pattern', { name, type: 'fix', content });
  await save(
    one,
    'Pin the node version in CI',
    'Builds broke when the runner image moved to a newer Node: pin the version in the workflow file.',
  );
  // Under another name, and this machine has not heard of the first one.
  expect(
    await save(
      two,
      'Pin Node in the CI workflow',
      'The runner image moved to a newer Node and broke the builds. Pin its version in the workflow.',
    ),
  ).toMatch(/^Saved: merged into the pattern named below/);
  await Promise.all([save(one, 'Same', 'Said by one.'), save(two, 'Same', 'Told by two.')]);
  const files = [...(await github.files())].filter(([path]) => path.startsWith('patterns/'));
  expect(files.map(([path]) => path).sort()).toEqual([
    'patterns/test/project/pin-the-node-version-in-ci.md',
    'patterns/test/project/same.md',
  ]);
  expect(String(files.find(([path]) => path.endsWith('same.md'))?.[1])).toMatch(
    /Said by one\.[\s\S]*Told by two\.|Told by two\.[\s\S]*Said by one\./,
  );
});

test.each([
  ['a note of somebody else alone', '---\ntitle: Fresh\ntype: fix\nprivacy: PRIVATE\nauthor: ann\n---\nHers alone.\n'],
  ['no pattern', '---\ntitle: Fresh\nkind: note\n---\nA note.\n'],
  ['nothing that can be read', '---\ntitle: [Fresh\n---\nText.\n'],
])('a pattern that waited does not go into what is %s: it is kept as a conflict', async (_, there) => {
  const { github, environment } = await openGitHub();
  const app = await openApp(environment);
  await synced(app);
  await github.down();
  await app.call('save_pattern', { name: 'Fresh', type: 'fix', content: 'Only here so far.' });
  const path = 'patterns/test/project/fresh.md';
  await github.commitOutside({ [path]: there });
  await github.up();
  await settled(app);
  expect(String((await github.files()).get(path))).toBe(there);
  expect(await app.app.services.outbox.unconfirmed()).toMatchObject({ queued: 0, conflicts: 1 });
});
