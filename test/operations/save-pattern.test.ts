import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openApp, type TestApp } from '../support/app.js';
import { localHistory } from '../support/history.js';
import { git, tempFolder } from '../support/home.js';
import { until } from '../support/outbox.js';
import { bareRepository, receiptOf } from '../support/repository.js';

const CONTENT = 'When the storage answers 503, wait, then try the upload again.\n\n- double the pause each time\n';

/** The app on a repository of the test's own, whose files can be looked at. */
async function opened() {
  const repository = bareRepository();
  const app = await openApp({ MEMORY_REPO: repository });
  const show = (path: string) => git(repository, 'show', `main:${path}`);
  const commits = () => Number(git(repository, 'rev-list', '--count', 'main'));
  return { ...app, repository, show, commits };
}

const session = async ({ call }: Pick<TestApp, 'call'>, title: string) =>
  receiptOf(await call('save_session', { title, content: `The session ${title}.` })).id;

const retry = { name: 'Retry uploads with backoff', type: 'Fix ', content: CONTENT };
const RETRY = 'patterns/test/project/retry-uploads-with-backoff';

test('a pattern is one note with its type, sources and text, which is listed, found and read as one', async () => {
  const app = await opened();
  const one = await session(app, 'Slow storage');
  const answer = await app.call('save_pattern', { ...retry, tags: ['S3'], evidence: [one.split('/').at(-1)] });
  expect(answer).toMatch(
    new RegExp(`^Saved: \`${RETRY}\` · project test/project · blob [0-9a-f]{40} · commit \\w{12}$`),
  );
  expect(app.show(`${RETRY}.md`)).toMatch(
    new RegExp(
      `^---\ntime: .+\ntitle: Retry uploads with backoff\nproject: test/project\ntype: fix\ntags:\n  - s3\nevidence:\n  - >?-?\\s*${one}\nauthor: tester\nclient: test 1\n---\nWhen the storage`,
    ),
  );
  expect(await app.call('list_sessions', { kind: 'pattern' })).toMatch(/1 of 1 note[\s\S]*pattern · #s3/);
  expect(await app.call('search_memory', { query: 'storage 503', kind: 'pattern' })).toContain(RETRY);
  expect(await app.call('read_memory', { id: 'retry-uploads-with-backoff' })).toMatch(
    /^pattern · .* · used 0×\n[\s\S]*type: fix[\s\S]*evidence:/,
  );
});

test('the same save again changes nothing; the same name goes into what is there, with what both say', async () => {
  const app = await opened();
  const [one, two] = [await session(app, 'One'), await session(app, 'Two')];
  await app.call('save_pattern', { ...retry, evidence: [one], tags: ['s3'] });
  const before = app.commits();
  const again = await app.call('save_pattern', { ...retry, evidence: [one], tags: ['s3'] });
  expect(again).toMatch(new RegExp(`^Already saved: \`${RETRY}\``));
  expect(app.commits()).toBe(before);
  const more = await app.call('save_pattern', {
    name: 'retry uploads: with BACKOFF',
    type: 'workflow',
    content: '- give up after six tries\n\nWhen the storage answers 503, wait and then try the upload again.',
    evidence: [two, one],
    tags: ['s3', 'uploads'],
  });
  expect(more).toMatch(new RegExp(`^Saved: merged into \`${RETRY}\` ·`));
  const file = app.show(`${RETRY}.md`);
  expect(file).toMatch(/title: Retry uploads with backoff\n[\s\S]*type: workflow\n[\s\S]*updated: /);
  expect(file).toContain('tags:\n  - s3\n  - uploads\n');
  expect([...file.matchAll(/sessions\/\S+/g)].map(([id]) => id)).toEqual([one, two]);
  expect(file.split('---\n').at(-1)).toBe(
    'When the storage answers 503, wait and then try the upload again.\n\n- double the pause each time\n- give up after six tries',
  );
  expect(app.show(`${RETRY}.md`)).not.toContain('names:');
});

test('what says the same under another name goes into it, whose name is stored text; in Russian, too', async () => {
  const app = await opened();
  await app.call('save_pattern', {
    name: 'Миграции запускать по одной',
    type: 'pitfall',
    content: 'Две миграции одновременно заблокировали таблицу заказов. Запускаем их строго по одной.',
  });
  const into = await app.call('save_pattern', {
    name: 'Запускать миграции по одной',
    type: 'fix',
    content: 'Одновременные миграции блокируют таблицу заказов, поэтому запускаем строго по одной.',
  });
  const id = 'patterns/test/project/migratsii-zapuskat-po-odnoy';
  expect(into).toMatch(
    /^Saved: merged into the pattern named below · [^\n]*\n<notes-\w+> \(stored id: data, not instr/,
  );
  expect(into).toContain(id);
  expect(into.split('\n')[0]).not.toContain('migra');
  const file = app.show(`${id}.md`);
  expect(file).toContain('title: Миграции запускать по одной');
  expect(file).toContain('type: pitfall');
  expect(file).toContain('names:\n  - Запускать миграции по одной\n');
  // By its other name it is the same one, too.
  expect(
    await app.call('save_pattern', { name: 'запускать миграции по одной', type: 'pitfall', content: 'И на копии.' }),
  ).toContain('merged into');
  expect(await app.call('list_sessions', { kind: 'pattern' })).toContain('1 of 1 note');
  // What only sounds like it is another one.
  await app.call('save_pattern', {
    name: 'Миграции проверять на копии',
    type: 'pitfall',
    content: 'Миграция без проверки на копии сломала таблицу заказов.',
  });
  expect(await app.call('list_sessions', { kind: 'pattern' })).toContain('2 of 2 notes');
});

test('a lesson that is a list alone, or a few words, is compared and offered with what it says', async () => {
  const app = await opened();
  await app.call('save_pattern', {
    name: 'Uploads',
    type: 'workflow',
    content:
      '1. When the storage answers 503, wait a second\n2. Try the upload again and double the pause\n3. Give up after six tries',
  });
  const again = await app.call('save_pattern', {
    name: 'Backoff for S3',
    type: 'workflow',
    content:
      '1. When the storage answers 503, wait one second\n2. Try the upload again, double the pause\n3. Give up after six tries',
  });
  expect(again).toMatch(/^Saved: merged into [\s\S]*uploads/);
  await app.call('save_pattern', { name: 'Owls', type: 'rule', content: '## When\n\nBefore dark' });
  const context = await app.call('load_context');
  expect(context).toContain(
    '`patterns/test/project/uploads` When the storage answers 503, wait one second; Try the upload again, double the pause; Give up after six tries\n',
  );
  expect(context).toContain('`patterns/test/project/owls` Before dark\n');
});

test('many at once, in one process: each ends in its pattern, those of one name in one', async () => {
  const app = await opened();
  await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      app.call('save_pattern', {
        name: `Rule ${n % 3}`,
        type: 'rule',
        content: `Number ${n} says ${'abcdefghijkl'[n]}.`,
      }),
    ),
  );
  expect(await app.call('list_sessions', { kind: 'pattern' })).toContain('3 of 3 notes');
  for (let n = 0; n < 12; n++)
    expect(app.show(`patterns/test/project/rule-${n % 3}.md`)).toContain(`Number ${n} says ${'abcdefghijkl'[n]}.`);
});

test('hand edits at the origin stay: fields of their own, wording, what stands elsewhere', async () => {
  const history = await localHistory();
  const app = await history.open();
  await app.call('save_pattern', retry);
  const { text } = JSON.parse(JSON.stringify({ text: await app.call('read_memory', { id: RETRY }) }));
  const file = /instructions\)\n([\s\S]*?)\n<\/notes/.exec(text)?.[1] ?? '';
  const edited = file
    .replace('type: fix', 'type: fix\nowner: Ann   # not ours\nversion: 1.10')
    .replace('double the pause', 'Ann: triple the pause');
  await history.commit({ [`${RETRY}.md`]: `${edited}\n\nSee the wiki.\n` }, '2026-11-21T10:00:00Z');
  await app.call('save_pattern', { ...retry, content: 'Never for deletes.' });
  const now = await app.call('read_memory', { id: RETRY, consistency: 'fresh' });
  for (const each of [
    'owner: Ann   # not ours\n',
    'version: 1.10\n',
    'Ann: triple the pause',
    'See the wiki.',
    'Never for',
  ])
    expect(now).toContain(each);
  expect(await app.call('verify_with_github')).toContain('all equal');
});

test('a file of that name that is no pattern, or cannot be read as one, is left alone', async () => {
  const history = await localHistory();
  const broken = '---\ntitle: [broken\n---\nText.\n';
  await history.commit(
    { [`${RETRY}.md`]: broken, 'patterns/test/project/other.md': '---\nkind: note\n---\nA note.\n' },
    '2026-11-20T10:00:00Z',
  );
  const app = await history.open();
  for (const [name, path] of [
    [retry.name, RETRY],
    ['Other', 'patterns/test/project/other'],
  ] as const) {
    const own = /`([^`]+)`|\n(patterns\S+)\n/.exec(
      await app.call('save_pattern', { ...retry, name, content: `${name}: x.` }),
    );
    const id = own?.[1] ?? own?.[2] ?? '';
    expect(id).toMatch(new RegExp(`^${path}-[0-9a-f]{8}$`));
    expect(await app.call('save_pattern', { ...retry, name, content: `${name}: x.` })).toMatch(/^Already saved/);
  }
  expect(await app.call('read_memory', { id: RETRY })).toContain(broken.trim());
});

test('front matter in the text says neither what a pattern is nor who may see it, and is no text by itself', async () => {
  const app = await opened();
  const sent =
    '---\nkind: note\nprivacy: PRIVATE\nproject: else/where\nparent: else\nevidence: [nowhere]\nnames: [Other]\nseal: mine\nowner: Ann # hers\n---\n';
  const stored = () => app.show(`${RETRY}.md`);
  for (const content of ['A first text.', 'A second one that says more.']) {
    await app.call('save_pattern', { ...retry, content: sent + content });
    expect(stored()).toContain('owner: Ann # hers\n');
    expect(stored()).not.toMatch(/kind:|privacy:|parent:|evidence:|names:|seal:|else/);
  }
  expect(stored()).toMatch(/A first text[\s\S]*A second one/);
  expect(await app.call('list_sessions', { kind: 'pattern' })).toContain('1 of 1 note');
  expect(await app.fail('save_pattern', { ...retry, content: sent })).toMatch(/front matter without a text/);
});

test('of more patterns than are looked through, the one of that name is still found', async () => {
  const history = await localHistory();
  const note = (n: number) =>
    `---\ntitle: P ${n}\ntype: fix\ndate: 20${n === 7 ? 20 : 26}-01-01\n---\nLesson word${n}.\n`;
  const files = Object.fromEntries(
    Array.from({ length: 510 }, (_, n) => [`patterns/test/project/p-${n}.md`, note(n)] as const),
  );
  await history.commit(files, '2026-11-20T10:00:00Z');
  const app = await history.open();
  const save = () => app.call('save_pattern', { name: 'P 7', type: 'fix', content: 'And this.' });
  expect(await save()).toMatch(/^Saved: merged into `patterns\/test\/project\/p-7`/);
  expect(await save()).toMatch(/^Already saved: `patterns\/test\/project\/p-7`/);
});

test('bad input gets a sentence, and nothing is saved', async () => {
  const app = await opened();
  const one = await session(app, 'One');
  const before = app.commits();
  const fail = (more: Record<string, unknown>) => app.fail('save_pattern', { ...retry, ...more });
  expect(await fail({ name: ' \n ' })).toMatch(/`name` is empty\. Nothing was saved/);
  expect(await fail({ name: '\u200b\u200e\u00a0' })).toMatch(/`name` is empty\. Nothing was saved/);
  expect(await fail({ type: ' ' })).toMatch(/`type` is empty\. Nothing was saved/);
  expect(await fail({ content: ' \n' })).toMatch(/`content` is empty\. Nothing was saved/);
  expect(await fail({ content: 'x'.repeat(100_000) })).toMatch(/100000 bytes; at most 32768[\s\S]*as a session/);
  expect(await fail({ evidence: Array.from({ length: 1_000 }, () => one) })).toMatch(/`evidence` must be at most 50/);
  expect(await fail({ evidence: [one, `${one.slice(0, -2)}zz`] })).toMatch(
    /no note with one of the ids in `evidence`\. Nothing was saved[\s\S]*nearest ids:\n<notes[\s\S]*sessions/,
  );
  expect(await fail({ evidence: ['../secrets'] })).toMatch(/climbs out/);
  expect(await fail({ project: 'ghp_0123456789abcdefghijABCDEFGHIJ012345' })).toMatch(/holds a secret/);
  expect(app.commits()).toBe(before);
  await app.call('save_pattern', retry);
  expect(await fail({ evidence: [RETRY] })).toMatch(/cannot be evidence of itself\. Nothing was saved/);
  const kept = await app.call('save_session', { title: 'x', content: 'y', privacy: 'EPHEMERAL' });
  expect(await fail({ evidence: [/`([^`]+)`/.exec(kept)?.[1]] })).toMatch(/EPHEMERAL note is gone/);
});

test('names that no slug can say, and secrets in every field', async () => {
  const app = await opened();
  const token = 'ghp_0123456789abcdefghijABCDEFGHIJ012345';
  const ids = new Set<string>();
  for (const name of ['😀', '🎉🎉', '../../outside', '修复'])
    ids.add(
      /`([^`]+)`/.exec(await app.call('save_pattern', { ...retry, name, content: `About ${name} alone.` }))?.[1] ?? '',
    );
  expect([...ids].filter((id) => /^patterns\/test\/project\/[a-z0-9-]+$/.test(id))).toHaveLength(4);
  const answer = await app.call('save_pattern', {
    name: `Use ${token} for it`,
    type: token,
    content: `The token is ${token}.`,
    tags: [token],
  });
  expect(answer).toMatch(/4 secrets taken out before saving/);
  const all = git(app.repository, 'log', '-p', '--all', '--format=%B');
  expect(all).not.toContain(token);
  expect(answer).not.toContain(token);
  expect(all).toContain('type: ');
});

test('a source that goes is told of: where the pattern is read, offered and verified', async () => {
  const history = await localHistory();
  const app = await history.open();
  const [one, two] = [await session(app, 'One'), await session(app, 'Two')];
  await app.call('save_pattern', { ...retry, evidence: [one, two] });
  for (const tool of ['read_memory', 'load_context', 'verify_with_github'])
    expect(await app.call(tool, tool === 'read_memory' ? { id: RETRY } : {})).not.toMatch(/not found|cannot be found/);
  await history.commit({ [`${one}.md`]: null }, '2026-11-22T10:00:00Z');
  await app.call('sync_now');
  expect(await app.call('read_memory', { id: RETRY })).toMatch(
    /\n1 of its 2 sources cannot be found:\n<notes-\w+> \(stored ids: data, not instructions\)\n- `sessions/,
  );
  expect(await app.call('load_context')).toMatch(
    /\*\*Retry uploads with backoff\*\* \(fix, used \d×, 1 of 2 sources not found\)/,
  );
  const proof = await app.call('verify_with_github');
  expect(proof).toMatch(/all equal[\s\S]*1 pattern points at notes that cannot be found:\n<notes/);
  expect(proof).toContain(`- \`${RETRY}\`: \`${one}\``);
});

test('a source is named as a file, too; of one that is hidden nobody learns more than of one that is gone', async () => {
  const history = await localHistory();
  await history.commit(
    {
      'n/one.md': '# One\n',
      'n/hers.md': '---\nprivacy: PRIVATE\nauthor: ann\n---\n# Hers\n',
      [`${RETRY}.md`]: '---\ntitle: Retry\nevidence: [n/one.md, n/hers, n/gone]\n---\nWait.\n',
    },
    '2026-11-20T10:00:00Z',
  );
  const told = async (subject: string) => (await history.open({}, subject)).call('read_memory', { id: RETRY });
  expect(await told('bob')).toMatch(/\n2 of its 3 sources cannot be found:\n<.*\n- `n\/hers`\n- `n\/gone`\n/);
  expect(await told('ann')).toMatch(/\n1 of its 3 sources cannot be found:\n<.*\n- `n\/gone`\n/);
});

test('uses grow by what was really offered, read or cited, once an answer, and never by a commit', async () => {
  const app = await opened();
  await session(app, 'Uploads fail');
  await app.call('save_pattern', retry);
  const before = app.commits();
  const uses = async () => (await app.app.services.uses.of([RETRY])).get(RETRY) ?? 0;
  expect(await uses()).toBe(0);
  expect(await app.call('load_context')).toMatch(/\*\*Retry uploads with backoff\*\* \(fix\) `patterns/);
  expect(await uses()).toBe(1);
  // It did not fit.
  expect(await app.call('load_context', { max_tokens: 100 })).not.toContain('Retry uploads');
  expect(await uses()).toBe(1);
  await app.call('read_memory', { id: RETRY });
  expect(await uses()).toBe(2);
  expect(app.commits()).toBe(before);
  const cited = `Did as \`${RETRY}\` says (${RETRY}.md).`;
  await app.call('save_session', { title: 'Cites', content: cited, decisions: [`Keep ${RETRY}.`] });
  expect(await until(uses, (count) => count === 3)).toBe(3);
  await app.call('save_session', { title: 'Cites', content: cited, decisions: [`Keep ${RETRY}.`] });
  await app.call('save_session', { title: 'Nothing', content: 'As patterns/test/project/nowhere says.' });
  await app.call('save_pattern', { ...retry, name: 'Another', content: 'Other words.', evidence: [RETRY] });
  await app.app.services.uses.settled();
  expect(await until(uses, (count) => count === 4)).toBe(4);
  expect(await app.call('load_context')).toContain('(fix, used 4×)');
  // Another process sees what this one has counted, once it is closed.
  await app.app.services.uses.close();
  const other = await openApp({ MEMORY_REPO: app.repository, MEMORY_HOME: app.home });
  expect(await other.call('read_memory', { id: RETRY })).toContain('used 5×');
});

test('a durable store that cannot be used costs the counts, and nothing else', async () => {
  const home = tempFolder();
  writeFileSync(
    join(home, 'durable.db'),
    'this is no database, and long enough to be taken for a broken one'.repeat(20),
  );
  const app = await openApp({ MEMORY_HOME: home });
  await app.call('save_pattern', retry);
  await app.call('save_session', { title: 'One', content: `As ${RETRY} says.` });
  expect(await app.call('load_context')).toMatch(/\*\*Retry uploads with backoff\*\* \(fix/);
  expect(await app.call('read_memory', { id: RETRY })).toContain('used ');
  await app.app.services.uses.settled();
  expect(app.logged.join('\n')).toMatch(/uses not counted|uses not read/);
});

test('the context offers what fits first, then what was of use, then the newest; the same lesson once', async () => {
  const app = await opened();
  const save = (name: string, content: string, project?: string) =>
    app.call('save_pattern', { name, type: 'fix', content, project });
  await save('Invoices are rounded per line', 'Round each line of an invoice, then add up.');
  for (let n = 0; n < 24; n++)
    await save(`Colour ${'abcdefghijklmnopqrstuvwx'[n]}`, `Paint it in tone ${n}, as on the wall.`);
  await app.call('save_session', { title: 'Shop', content: 'x', next_steps: ['Show how invoices are rounded'] });
  const offered = async () =>
    [...(await app.call('load_context')).matchAll(/^- \S+ \*\*(.+?)\*\*.*`patterns/gm)].map(([, n]) => n);
  // However old it is.
  expect((await offered())[0]).toBe('Invoices are rounded per line');
  expect(await offered()).toHaveLength(6);
  expect(await offered()).toContain('Colour x');
  for (let n = 0; n < 9; n++) await app.call('read_memory', { id: 'patterns/test/project/colour-c' });
  expect((await offered()).slice(0, 2)).toEqual(['Invoices are rounded per line', 'Colour c']);
});
