import fc from 'fast-check';
import { expect, test } from 'vitest';
import { composeNote, patternPath } from '../../src/core/compose.js';
import { mergedText, sameLesson } from '../../src/core/pattern-text.js';
import { mergedAgain, mergedPattern, type PatternFields, readPattern } from '../../src/core/patterns.js';

const lesson = (text: string) => {
  const [names = '', ...rest] = text.split('\n');
  return { names, text: rest.join('\n') };
};

/** The same lesson in other words. */
const SAME: [string, string][] = [
  [
    'Pin the node version in CI\nBuilds broke when the runner image moved to a newer Node: pin the version in the workflow file.',
    'Pin Node in the CI workflow\nThe runner image moved to a newer Node and broke the builds. Pin its version in the workflow.',
  ],
  [
    'Clear the query cache after a migration\nStale plans made queries slow after a migration; clear the plan cache.',
    'After migrations clear the plan cache\nQueries were slow after a migration because of stale plans in the cache.',
  ],
  [
    'Миграции запускать по одной\nДве миграции одновременно заблокировали таблицу заказов. Запускаем их строго по одной.',
    'Запускать миграции по одной\nОдновременные миграции блокируют таблицу заказов, поэтому запускаем строго по одной.',
  ],
  [
    'Проверять остатки перед выгрузкой\nВыгрузка на маркетплейс без проверки остатков дала 14 отмен. Сначала сверяем остатки.',
    'Перед выгрузкой сверять остатки\nПеред выгрузкой на маркетплейс проверяем остатки: без сверки было 14 отмен.',
  ],
  [
    'Never deploy on Friday\nNobody is there on the weekend to roll back.',
    'Do not deploy on Fridays\nNobody is there to roll back on the weekend.',
  ],
  [
    'Write the changelog entry with the change\nEntries written at release time forget half of what was done.',
    'Changelog entries are written with the change\nWhoever writes them at release time forgets half.',
  ],
  [
    'Give cookies an explicit max-age\nWithout max-age the browser drops the cookie when it likes. Set a day.',
    'Cookies need an explicit max-age\nSet an explicit max-age of a day on cookies; without it the browser drops the cookie when it likes.',
  ],
  [
    'Retry uploads with backoff\nOn a 503 wait, then retry with exponential backoff.',
    'Retry uploads using exponential backoff\nWhen a 503 comes, wait and retry with exponential backoff.',
  ],
  [
    'Нужно сверять остатки перед выгрузкой\nБез сверки было 14 отмен.',
    'Всегда сверяем остатки перед выгрузкой\nБез сверки остатков было 14 отмен.',
  ],
];

/** Alike, and not the same. */
const OTHERS: [string, string][] = [
  [
    'Set the variable of the service\nSet MEMORY_HOME in the unit file of the service before the first start.',
    'Set variables of the service\nSet MEMORY_REPO in the unit file of the service before the first start.',
  ],
  ['Always squash merge requests\nHistory stays readable.', 'Never squash merge requests\nHistory stays readable.'],
  [
    'Use Postgres for the queue\nIt is there already, and one thing less to run.',
    'Use Redis for the queue\nIt is there already, and one thing less to run.',
  ],
  [
    'Timeouts of the payment API\nThe API needs a timeout of 30 seconds.',
    'Timeouts of the search API\nThe API needs a timeout of 2 seconds.',
  ],
  ['Timeout of the API\nIt needs 30 seconds at most.', 'Timeout of the API, measured\nIt needs 90 seconds at most.'],
  [
    'Pin the node version in CI\nBuilds broke when the runner image moved.',
    'Cache the node modules in CI\nBuilds were slow when the runner image was cold.',
  ],
  [
    'Миграции запускать по одной\nДве миграции одновременно заблокировали таблицу заказов.',
    'Миграции проверять на копии\nМиграция без проверки на копии сломала таблицу заказов.',
  ],
  [
    'Проверять остатки перед выгрузкой\nВыгрузка без проверки дала отмены.',
    'Проверять цены перед выгрузкой\nВыгрузка без проверки дала отмены.',
  ],
  [
    'Скидки согласовывать заранее\nКлиент просит скидку в конце месяца.',
    'Скидки не согласовывать заранее\nКлиент просит скидку в конце месяца.',
  ],
];

test('what says the same in other words is one lesson, what only sounds like it is another, whichever comes first', () => {
  for (const [one, other] of SAME)
    expect([one, sameLesson(lesson(one), lesson(other)), sameLesson(lesson(other), lesson(one))]).toEqual([
      one,
      true,
      true,
    ]);
  for (const [one, other] of OTHERS)
    expect([one, sameLesson(lesson(one), lesson(other)), sameLesson(lesson(other), lesson(one))]).toEqual([
      one,
      false,
      false,
    ]);
});

test('a code block without an end swallows nothing', () => {
  expect(mergedText('First.\n\n## Later\nThat.', '```\nls -l')).toBe('First.\n\n```\nls -l\n```\n\n## Later\nThat.');
  expect(mergedText('```\nls -l', 'Then this.')).toBe('```\nls -l\n```\n\nThen this.\n');
  expect(mergedText('```\nls -l', '```\nls -l')).toBe('```\nls -l');
});

test('one name, one path; every name has one that is valid everywhere', () => {
  const slug = (name: string) => patternPath('p', name).slice('patterns/p/'.length, -'.md'.length);
  expect(slug('Retry uploads, with backoff!')).toBe('retry-uploads-with-backoff');
  expect(slug('retry  uploads with BACKOFF')).toBe('retry-uploads-with-backoff');
  expect(slug('Обновить кэш')).toBe('obnovit-kesh');
  expect(slug('../../etc/passwd')).toBe('etc-passwd');
  expect(slug('CON')).toBe('pattern-con');
  const distinct = ['C', 'C++', 'C#', '😀', '😀😀', '!!!', '修复', '部署', '修复 login', '部署 login', 'x'.repeat(200)];
  distinct.push(`${'x'.repeat(199)}y`);
  const slugs = distinct.map(slug);
  expect(new Set(slugs).size).toBe(distinct.length);
  for (const each of slugs) expect(each).toMatch(/^[a-z0-9](?:[a-z0-9-]{0,67}[a-z0-9])?$/);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }), (name) => {
      expect(slug(name)).toMatch(/^[a-z0-9](?:[a-z0-9-]{0,75}[a-z0-9])?$/);
    }),
  );
});

test('newer words for the same take the place of the old ones, what is new is added where it belongs, the rest stays', () => {
  const old =
    '# Uploads\r\n\nWait for the upload to end before you answer the client.\n\n\n## When\n- on a 503 from the storage\n- on a timeout\n\n```sh\nretry   5\n```\n\n## Why\nIt is cheap.\n';
  const added =
    'Before the client is answered wait for the end of the upload.\n\n## When\n- on a dropped socket\n- on a 503 from the storage\n\n## Not\nFor deletes.\n\n```sh\nretry   6\n```';
  expect(mergedText(old, added)).toBe(
    '# Uploads\r\n\nBefore the client is answered wait for the end of the upload.\n\n\n## When\n- on a 503 from the storage\n- on a timeout\n- on a dropped socket\n\n```sh\nretry   5\n```\n\n## Why\nIt is cheap.\n\n## Not\n\nFor deletes.\n\n```sh\nretry   6\n```\n',
  );
  // Numbers, names, what comes first, another word in its place, and a `not`, make it another thing.
  for (const [one, other] of [
    ['Set `MEMORY_HOME` in the service file.', 'Set `MEMORY_REPO` in the service file.'],
    ['Set MEMORY_HOME in the service file.', 'Set MEMORY_REPO in the service file.'],
    ['Call getUserById before saving.', 'Call getUserByName before saving.'],
    ['Import it from server.core.ts at first.', 'Import it from server.cores.ts at first.'],
    ['Before the deploy run the migration.', 'After the deploy run the migration.'],
    ['Перед выгрузкой сверяем остатки.', 'После выгрузки сверяем остатки.'],
    [
      'Deploy the shop to the Berlin region first on days of a release.',
      'Deploy the shop to the Dublin region first on days of a release.',
    ],
    ['Log all transactions at the border.', 'Log all translations at the border.'],
    ['Close the pool without draining it.', 'Close the pool with draining it.'],
    ['The API of the shop takes 30 seconds at most.', 'The API of the shop takes 60 seconds at most.'],
    ['Restart the worker after each deploy of the shop.', 'Do not restart the worker after each deploy of the shop.'],
  ] as const)
    expect(mergedText(one, other)).toBe(`${one}\n\n${other}`);
});

const word = fc.constantFrom(
  ...'cache retry upload deploy миграция таблица остатки timeout 30 60 not не queue'.split(' '),
);
const line = fc.array(word, { minLength: 1, maxLength: 9 }).map((words) => words.join(' '));
const piece = fc.oneof(
  line,
  line.map((each) => `- ${each}\n- ${each} once more`),
  line.map((each) => `## ${each}`),
  line.map((each) => `\`\`\`\n${each}\n\n${each}\n\`\`\``),
);
const text = fc.array(piece, { minLength: 1, maxLength: 7 }).map((pieces) => pieces.join('\n\n'));

test('merging the same text again changes nothing, and a text with itself is itself', () => {
  fc.assert(
    fc.property(text, text, (one, other) => {
      expect(mergedText(one, one)).toBe(one);
      const both = mergedText(one, other);
      expect(mergedText(both, other)).toBe(both);
      for (const code of other.match(/```[\s\S]*?```/g) ?? []) expect(both).toContain(code);
    }),
    { numRuns: 2_000 },
  );
  // Whatever it is made of, a text that nothing is added to stays as it is, letter by letter.
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a b\n', '\n', '- x\n', '  y\n', '```\n', '# h\r\n', ' \n', '1. z')),
      (parts) => {
        expect(mergedText(parts.join(''), parts.join(''))).toBe(parts.join(''));
      },
    ),
    { numRuns: 2_000 },
  );
});

const ids = fc.uniqueArray(fc.stringMatching(/^sessions\/p\/[a-f]{3}$/), { maxLength: 6 });
const given = fc.record({ evidence: ids, tags: fc.uniqueArray(fc.stringMatching(/^[a-f]{2}$/), { maxLength: 4 }) });
const fileOf = (fields: Partial<PatternFields>, body: string) =>
  composeNote(
    { title: 'Name', project: 'p', time: new Date(0), author: 'a', client: 'c', type: 'fix', ...fields },
    body,
  );
const PATH = 'patterns/p/name.md';

/** The file after that save. */
function saved(file: Uint8Array, fields: Partial<PatternFields>, body: string): Uint8Array {
  const pattern = readPattern(PATH, file);
  const merged = mergedPattern(pattern, { title: 'Name', project: 'p', ...fields }, body);
  if (merged === null) return file;
  const { data } = pattern.matter;
  const own = { title: 'Name', project: 'p', time: new Date(0), author: 'a', client: 'c' };
  return composeNote({ ...own, ...merged.fields }, merged.body, data, [pattern.text]);
}

test('two saves in either order leave the same sources, tags, names and paragraphs; the same one again leaves the file', () => {
  const title = fc.constantFrom('Name', 'Second name', 'Третье имя');
  const paragraphs = fc.uniqueArray(fc.stringMatching(/^[a-z]{6} [a-z]{6} [a-z]{6}$/), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(given, given, given, title, title, paragraphs, paragraphs, (first, one, two, a, b, first_, second_) => {
      const start = fileOf(first, 'The beginning.\n');
      const save = (file: Uint8Array, fields: typeof one, name: string, body: string[]) =>
        saved(file, { ...fields, title: name }, body.join('\n\n'));
      const ab = save(save(start, one, a, first_), two, b, second_);
      const ba = save(save(start, two, b, second_), one, a, first_);
      const said = (file: Uint8Array) => {
        const { document, matter } = readPattern(PATH, file);
        const { evidence = [], names = [] } = document.digest.pattern ?? {};
        return [evidence, names, document.tags, matter.body.trim().split('\n\n')].map((each) => each.toSorted());
      };
      expect(said(ab)).toEqual(said(ba));
      expect(said(ab)[0]).toEqual([...new Set([...first.evidence, ...one.evidence, ...two.evidence])].sort());
      // In the order in which they were named.
      expect(readPattern(PATH, ab).document.digest.pattern?.evidence).toEqual([
        ...new Set([...first.evidence, ...one.evidence, ...two.evidence]),
      ]);
      expect(save(ab, one, a, first_)).toEqual(ab);
    }),
  );
});

test('a queued pattern adds to what stands at the origin only what it was queued for', () => {
  const base = fileOf({ evidence: ['a'], tags: ['x'] }, 'One thing is so.\n\nAnother thing will go.\n');
  const ours = saved(base, { evidence: ['b'], tags: ['y'], title: 'Other name' }, 'A third thing came.');
  const theirs = Buffer.from(
    Buffer.from(base).toString().replace('Another thing will go.\n', '').replace('tags:', 'owner: "Ann" # hers\ntags:'),
  );
  const merged = mergedAgain({ path: PATH, content: ours, subject: 's', client: 'c2' }, theirs, base);
  const out = Buffer.from(merged?.content ?? []).toString();
  expect(out).toContain('owner: "Ann" # hers\n');
  expect(out).toContain('One thing is so.\n\nA third thing came.');
  expect(out).not.toContain('Another thing');
  const { document } = readPattern(PATH, Buffer.from(out));
  expect(document.digest.pattern).toEqual({ type: 'fix', evidence: ['a', 'b'], names: ['Other name'] });
  expect(document.tags).toEqual(['x', 'y']);
  // Once it is there nothing is left to add.
  const queued = { path: PATH, content: ours, subject: 's', client: 'c2' };
  expect(mergedAgain(queued, Buffer.from(out), base)).toMatchObject({ same: true });
  // Whoever took something away has edited it.
  const shorter = Buffer.from(Buffer.from(base).toString().replace('One thing is so.\n', ''));
  expect(mergedAgain({ ...queued, content: shorter }, theirs, base)).toBeNull();
});
