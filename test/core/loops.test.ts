import { expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.js';
import { decisionsOf, openLoops } from '../../src/core/loops.js';

const note = (id: string, body: string) => ({ id, timeMs: Date.parse(`${id}T00:00:00Z`), digest: digestOf(body) });
const open = (...bodies: string[]) =>
  openLoops(bodies.map((body, at) => note(`2026-01-${String(at + 10)}`, body))).map(({ text }) => text);

test('a step stays open until a later note closes it: the same words, a box, another ending', () => {
  const first = '- [ ] Настроить бэкап базы\n- [ ] Write the invoice for Bluefin\n- [ ] Call Ann\n';
  expect(open(first, 'Nothing about it.')).toHaveLength(3);
  expect(open(first, '- [x] Настроили бэкап базы, работает\n')).toEqual(['Write the invoice for Bluefin', 'Call Ann']);
  expect(open(first, '## Done\n- Wrote the invoice for Bluefin\n- Called Bob\n')).toEqual([
    'Настроить бэкап базы',
    'Call Ann',
  ]);
  // Before it was opened, and opened anew.
  expect(open('- [x] Call Ann\n', '- [ ] Call Ann\n')).toEqual(['Call Ann']);
  expect(open('- [ ] Call Ann\n', '- [x] Call Ann\n', '- [ ] Call Ann\n')).toEqual(['Call Ann']);
});

test.each([
  ['Write the importer', 'Wrote the importer'],
  ['Send invoice 7', 'Invoice 7 sent'],
  ['Buy the domain', 'Bought the domain'],
  ['Купить домен', 'Купила домен'],
  ['Найти юриста', 'Нашли юриста'],
  ['Убрать баннер', 'Баннер убрали'],
  ['Deploy the shop to Berlin first', 'Deployed the shop to Berlin'],
  ['Send the contract to Anna on Monday', 'Sent the contract to Anna, Tuesday'],
  ['Set `MEMORY_HOME` in the service file', 'Set MEMORY_HOME in the service file of staging'],
  ['Проверить остатки перед выгрузкой', 'Проверили остатки перед выгрузкой'],
  ['Fix flaky test in checkout', 'Fixed the flaky checkout test'],
  ['Find out why the worker leaks', 'Found why the worker leaks, and fixed it'],
  ['Move the cart service to Go', 'Cart service moved to Go'],
  ['Pay the March invoice', 'Paid the March invoice'],
  ['Prepare the deck for Monday', 'Prepared the deck for Tuesday'],
  ['Close ticket OPS-114', 'OPS-114 closed'],
  ['Fix the form that does not save', 'Fixed the form that does not save'],
  [
    'Предупредить Bluefin и Kontora про отключение /v3/orders',
    'Bluefin and Kontora were told about the end of /v3/orders',
  ],
  ['Проверить базу перед выгрузкой', 'База перед выгрузкой проверена'],
  ['Обсудить цены с Анной', 'Цены с Анной обсудили'],
])('%s is closed by %s', (step, done) => {
  expect(open(`- [ ] ${step}\n`, `## Done\n- ${done}\n`)).toEqual([]);
});

test.each([
  ['Купить домен', 'Продлила домен'],
  ['Write the importer', 'Wrote the exporter'],
  ['Убрать баннер', 'Баннер оплатили'],
  ['Set `MEMORY_HOME` in the service file', 'Set `MEMORY_REPO` in the service file'],
  ['Rename getUserById in the client', 'Rename getUserByName in the client'],
  ['Deploy the shop to Berlin first', 'Deployed the shop to Dublin'],
  ['Check the prices before the export', 'Checked the stock before the export'],
  ['Проверить остатки перед выгрузкой', 'Проверили цены перед выгрузкой'],
  ['Отправить договор Анне в Казань', 'Отправили договор Борису в Казань'],
  ['Fix flaky test in checkout', 'Fixed flaky test in login'],
  ['Pay the March invoice', 'Paid the April invoice'],
  ['Prepare the report for Q2', 'Prepared the report for Q3'],
  ['Close ticket OPS-114', 'Closed ticket OPS-115'],
  ['Fix issue #1287 in the parser', 'Fixed issue #1288 in the parser'],
  ['Write the importer', 'Did not write the importer'],
  ['Написать импортёр заказов', 'Импортёр заказов пока не написали'],
  ['Выкатить релиз 2.3 на прод', 'Релиз 2.3 выкатили на стейдж'],
  ['Задеплоить payment-service на staging', 'auth-service задеплоен на staging'],
])('%s is not closed by %s', (step, done) => {
  expect(open(`- [ ] ${step}\n`, `## Done\n- ${done}\n`)).toEqual([step.replaceAll('`', '')]);
});

test('a step is closed by its number, in a box or in a sentence', () => {
  const first = '- [ ] Water the ferns\n';
  const [loop] = openLoops([note('2026-01-10', first)]);
  expect(loop?.id).toMatch(/^\d{6}$/);
  for (const body of [`- [x] #${loop?.id}\n`, `This closes #${loop?.id}.\n`, `Закрыто: #${loop?.id}\n`])
    expect(open(first, body), body).toEqual([]);
  expect(open(first, `- [x] #${Number(loop?.id) - 1}\n`)).toEqual(['Water the ferns']);
});

test('steps that differ in a number or a word are two, one that is carried over is one, with its first day', () => {
  expect(open('- [ ] Send report 1 to the board\n', '- [x] Send report 2 to the board\n')).toEqual([
    'Send report 1 to the board',
  ]);
  expect(open('- [ ] Add tests for the parser\n- [ ] Add tests for the printer\n')).toHaveLength(2);
  const loops = openLoops([
    note('2026-01-10', '- [ ] Move the export job to the replica\n'),
    note('2026-01-20', '- [ ] Move the export job to the replica, at last\n'),
  ]);
  expect(loops).toMatchObject([{ from: '2026-01-20', sinceMs: Date.UTC(2026, 0, 10) }]);
});

test('a decision that a later note strikes out stands no more, a step that is done with leaves its decision alone', () => {
  const notes = [
    note('2026-01-10', '## Decisions\n- Queues live in Redis streams\n- Backups run every night at two\n'),
    note(
      '2026-01-20',
      '## Decisions\n- ~~Queues live in Redis streams~~\n\n## Done\n- Backups run every night at two\n',
    ),
  ];
  expect(decisionsOf(notes).map(({ text, supersededMs }) => [text, supersededMs !== null])).toEqual([
    ['Queues live in Redis streams', true],
    ['Backups run every night at two', false],
  ]);
});

test('a step that is said again in more words is one, however often it was said before, and every number it had closes it', () => {
  const notes = [
    note('2026-01-10', '- [ ] Write the privacy policy\n'),
    note('2026-01-12', '- [ ] Policy page: write the privacy policy (the lawyer asks for it)\n'),
    note('2026-01-14', '- [ ] Write the privacy policy, the lawyer asks for it by Friday\n'),
  ];
  const shown = notes.map((_, at) => openLoops(notes.slice(0, at + 1)).map(({ id }) => id));
  expect(openLoops(notes)).toMatchObject([{ from: '2026-01-14', sinceMs: Date.UTC(2026, 0, 10) }]);
  for (const id of shown.flat()) expect(openLoops([...notes, note('2026-01-16', `- [x] #${id}\n`)]), id).toEqual([]);
});
