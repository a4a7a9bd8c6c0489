/** One generated session, as this program would have written it. */
export interface GeneratedNote {
  path: string;
  project: string;
  title: string;
  body: string;
  timeMs: number;
  /** The whole file. */
  text: string;
}

export const PROJECTS = ['acme/shop', 'acme/shop/payments', 'lab/notes', 'home/garden', 'студия/сайт', 'acme/infra'];

const ENGLISH =
  `account adapter agent alert archive audit backup balance batch branch bridge browser budget buffer build bundle cache
  campaign cart catalog certificate channel chart checkout client cluster column commit compiler config contract cookie coupon crash
  cursor customer dashboard database deadline delivery deploy design digest discount document domain draft editor email endpoint engine
  error event export failure feature field filter folder footer format function gateway graph handler header heading history hook image
  import index inventory invoice issue job journal kernel key label latency layout ledger library license limit link listener loader
  lock logger login market memory menu merge message metric migration mirror mobile model module monitor mutex network node note number
  object offer order origin outbox owner package page parser partner password patch path payment payroll permission phone pipeline plan
  policy pool price printer privacy process product profile project prompt protocol proxy query queue quota rate reader receipt record
  recovery redirect refund region release render replica report request resolver response restore retry review rollback route rule
  sandbox scanner schedule schema scope script search section secret sensor server session setting shard shipment signal snapshot socket
  source staging statement storage stream string subscription summary supplier support survey switch symbol table tag task tax team
  template tenant terminal test thread throttle ticket timeout timer token tooling topic trace tracker traffic transaction transfer tree
  trigger tunnel update upload user validator vendor version view volume warehouse webhook widget window worker workflow writer zone`.split(
    /\s+/,
  );

const VERBS =
  `added changed checked cleaned closed compared converted copied dropped fixed found generalised grouped measured merged
  moved parsed postponed profiled rebuilt reduced refactored removed renamed replaced reproduced reverted reviewed rewrote shipped
  simplified split stopped tested traced tuned upgraded validated verified`.split(/\s+/);

const RUSSIAN =
  `аккаунт адрес анализ архив база баланс блок ветка версия вопрос выборка выгрузка график данные доставка доступ журнал
  заголовок задача заказ запись запрос заявка значение импорт индекс интерфейс история источник канал каталог клиент ключ кнопка код
  команда конфигурация корзина кэш лимит логин макет маршрут метка миграция модель модуль монитор настройка обработчик объект ошибка
  оплата отчёт очередь ответ пакет память параметр пароль платёж план подписка поиск поле пользователь правило проверка продажа продукт
  проект протокол процесс рассылка релиз ресурс роль сборка сервер сессия скидка склад сообщение список среда ссылка счёт таблица тариф
  текст тест товар транзакция узел установка участник файл форма формат функция хранилище цена шаблон экспорт экран этап`.split(
    /\s+/,
  );

const RUSSIAN_VERBS =
  'добавили исправили проверили перенесли удалили заменили настроили измерили сравнили упростили отложили обновили собрали'.split(
    ' ',
  );

/** A small seeded generator (mulberry32), so that every run measures the same notes. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Words as notes use them: few often, many seldom, and a note keeps to its topic. */
function words(random: () => number) {
  const any = (list: readonly string[]) => list[Math.floor(random() ** 1.3 * list.length)] as string;
  const topics = new Map<readonly string[], string[]>(
    [ENGLISH, RUSSIAN].map((list) => [list, Array.from({ length: 12 }, () => any(list))]),
  );
  const pick = (list: readonly string[]) => {
    const topic = topics.get(list);
    return topic && random() < 0.9 ? (topic[Math.floor(random() * topic.length)] as string) : any(list);
  };
  const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);
  const name = () => {
    const kind = random();
    if (kind < 0.4) return `${pick(ENGLISH)}${capital(pick(ENGLISH))}${random() < 0.4 ? capital(pick(ENGLISH)) : ''}`;
    if (kind < 0.7) return `${pick(ENGLISH)}_${pick(ENGLISH)}_${Math.floor(random() * 400)}`;
    return `${pick(ENGLISH)}-${pick(ENGLISH)}@${Math.floor(random() * 30)}.${Math.floor(random() * 30)}.${Math.floor(random() * 30)}`;
  };
  const english = () =>
    `${capital(pick(VERBS))} the ${pick(ENGLISH)} ${pick(ENGLISH)} of \`${name()}\` because the ${pick(ENGLISH)} ${pick(VERBS)} its ${pick(ENGLISH)} after ${Math.floor(random() * 900)} ms, and the ${pick(ENGLISH)} ${pick(ENGLISH)} needed it.`;
  const russian = () =>
    `${capital(pick(RUSSIAN_VERBS))} ${pick(RUSSIAN)} и ${pick(RUSSIAN)} для ${name()}: ${pick(RUSSIAN)} не сходился с ${pick(RUSSIAN)}, поэтому ${pick(RUSSIAN_VERBS)} ${pick(RUSSIAN)} ${Math.floor(random() * 90)} раз.`;
  const sentence = () => (random() < 0.65 ? english() : russian());
  return { pick, name, sentence, capital };
}

/** Then a body has about 3 KB. */
const TOLD_CHARS = 1_350;

/** A body and its title. `toldChars`: what is told before code, decisions and next steps. */
export function noteBody(seed: number, toldChars = TOLD_CHARS): { title: string; body: string } {
  const random = randomFrom(seed);
  const { pick, name, sentence, capital } = words(random);
  const some = (least: number, most: number, make: () => string) =>
    Array.from({ length: least + Math.floor(random() * (most - least + 1)) }, make);
  const title = `${capital(pick(ENGLISH))} ${pick(ENGLISH)}: ${random() < 0.3 ? pick(RUSSIAN) : pick(VERBS)} ${name()}`;
  const paragraphs: string[] = [];
  const decided = some(2, 4, () => `- ${sentence()}`);
  const next = some(2, 4, () => `- [${random() < 0.3 ? 'x' : ' '}] ${sentence()}`);
  while (paragraphs.join('').length < toldChars) paragraphs.push(some(2, 4, sentence).join(' '));
  const code = ['```ts', `export function ${pick(ENGLISH)}${capital(pick(ENGLISH))}() {`, `  return ${pick(ENGLISH)};`];
  const body = [
    `# ${title}\n\n${sentence()} ${sentence()}`,
    `## ${random() < 0.5 ? 'What happened' : 'Что сделано'}\n\n${paragraphs.join('\n\n')}`,
    [...code, '}', '```'].join('\n'),
    `## ${random() < 0.5 ? 'Decisions' : 'Решения'}\n\n${decided.join('\n')}`,
    `## ${random() < 0.5 ? 'Next steps' : 'Следующие шаги'}\n\n${next.join('\n')}`,
  ].join('\n\n');
  return { title, body: `${body}\n` };
}

/** The n-th of `total` sessions; they end yesterday and are some hours apart. The first projects have more than the last. */
export function generateNote(
  index: number,
  total: number,
  { projects = PROJECTS, parent, toldChars }: { projects?: string[]; parent?: string; toldChars?: number } = {},
): GeneratedNote {
  const { title, body } = noteBody(index + 1, toldChars);
  const random = randomFrom(index + 7_000_003);
  const project = projects[Math.floor(random() ** 1.5 * projects.length)] as string;
  const timeMs = LAST_MS - (total - index) * 3 * 3_600_000 + Math.floor(random() * 3_000_000);
  const iso = new Date(timeMs).toISOString();
  const slug = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
  const suffix = (index % 1_679_616).toString(36).padStart(4, '0');
  const path = `sessions/${project}/${iso.slice(0, 4)}/${iso.slice(5, 7)}/${iso.replace(/[-:.]/g, '')}-${slug}-${suffix}.md`;
  const front = [
    '---',
    `time: ${iso}`,
    `title: ${JSON.stringify(title)}`,
    `project: ${project}`,
    ...(parent === undefined ? [] : [`parent: ${parent}`]),
    'tags:',
    `  - ${ENGLISH[index % 40]}`,
    `  - ${RUSSIAN[index % 30]}`,
    'privacy: TEAM',
    'author: bench',
    'client: bench 1',
    '---',
  ];
  return { path, project, title, body, timeMs, text: `${front.join('\n')}\n${body}` };
}

const LAST_MS = Date.UTC(2026, 9, 31);

/** What somebody would ask: questions of three to eight words, some in Russian, some for an identifier. */
export function queries(count: number): string[] {
  const random = randomFrom(99);
  return Array.from({ length: count }, (_, index) => {
    const { pick, name } = words(random);
    if (index % 4 === 0) return `why did we change the ${pick(ENGLISH)} ${pick(ENGLISH)} of the ${pick(ENGLISH)}`;
    if (index % 4 === 1) return `почему ${pick(RUSSIAN)} и ${pick(RUSSIAN)} ${pick(RUSSIAN_VERBS)}`;
    if (index % 4 === 2) return `${name()} ${pick(VERBS)}`;
    return `${pick(ENGLISH)} ${pick(ENGLISH)} timeout decision ${pick(RUSSIAN)}`;
  });
}
