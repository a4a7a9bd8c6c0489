/**
 * What a person who goes on with the work has to know, marked in the notes before anything was written that reads them.
 * A fact is held where one line of the context has all of its words.
 */
export interface Marked {
  /** Open steps, decisions that stand, and figures, by the note that says them last. */
  keep: Record<string, string[][]>;
  /** Steps that a later note has closed, and decisions that a later one has taken back: not to be told as open or standing. */
  gone: string[][];
}

/** Looked at while the rules were written. */
export const SEEN: Record<string, Marked> = {
  'marina-kursy': {
    keep: {
      '2026-09-12-interviews': [['Собрать отзывы пилота'], ['только в парах'], ['44', '41']],
      '2026-10-05-business-plan': [
        ['GetCourse', 'Стандарт'],
        ['потоками', 'шесть недель'],
        ['Деньги бизнеса в одном файле'],
        ['20 %', 'пилота'],
        ['324 000'],
        ['58 000'],
        ['300 000', 'декабр'],
      ],
      '2026-10-26-weekly-plan': [['Рекламу', 'бесплатный шаблон'], ['23 ноября'], ['3,1 %']],
      '2026-11-18-revenue-review': [
        ['337 000'],
        ['31 400'],
        ['15 местами'],
        ['УСН 6 %'],
        ['7 500', 'Консультации'],
        ['вступления', '21 ноября'],
        ['заявление на ИП', '10 декабря'],
        ['файл импорта'],
        ['welcome letter', '22 November'],
      ],
    },
    gone: [
      ['Подключить приём оплат'],
      ['Переписать лендинг'],
      ['Снять заново уроки'],
      ['Выбрать платформу'],
      ['Сократить третье письмо'],
      ['Собрать страницу предзаписи'],
    ],
  },
  'orbit-api': {
    keep: {
      '2026-08-21-v4-kickoff': [['translation in front of v4'], ['decimal strings'], ['cursor only']],
      '2026-09-14-timeout-hunt': [['SET LOCAL'], ['export', 'replica', 'from now on'], ['37', '$2,960']],
      '2026-10-20-deploy-notes': [
        ['раньше API'],
        ['Rollback right'],
        ['один репозиторий'],
        ['180 ms'],
        ['$1,310'],
        ['0.04 %'],
      ],
      '2026-11-16-rate-limits': [
        ['/v3/orders', '15 December'],
        ['spread over ten minutes'],
        ['per customer', 'never per address'],
        ['600 requests per minute'],
        ['41,000'],
        ['Spread overdue webhooks'],
        ['Kontora', '20 November'],
        ['slow Redis'],
        ['lock waits over 1 s'],
        ['API keys from Vault'],
        ['тестового клиента'],
      ],
    },
    gone: [
      ['Move the export job to the replica'],
      ['lint rule that rejects'],
      ['Write the post-mortem'],
      ['Предупредить Bluefin'],
      ['Record a month of v3 traffic'],
    ],
  },
  'studio-sites': {
    keep: {
      '2026-09-02-retro': [['logo of our own'], ['Photographs are named'], ['31,200']],
      '2026-10-12-agency-plan': [
        ['packages only'],
        ['Тексты', 'по интервью'],
        ['Half of the price up front'],
        ['Astro', 'Decap'],
        ['52,000'],
        ['5,900', 'Practice'],
        ['3,000'],
      ],
      '2026-11-15-dentica-launch': [
        ['19,650'],
        ['2,100'],
        ['7,400'],
        ['87 per hour'],
        ['лимит', '5 МБ'],
        ['bucket (R2)'],
        ['Kovar', '11,200'],
        ['четырьмя сайтами'],
        ['portfolio', '28 November'],
        ['R2 media store'],
        ['Kovar', '19 November'],
        ['20 ноября'],
        ['five clients who have none'],
        ['Hotel Lipa', 'Astro'],
        ['Том пишет историю'],
      ],
    },
    gone: [
      ['Put the three packages'],
      ['Написать договор'],
      ['Open the second bank account'],
      ['new photographs of the Kovar'],
      ['учёт часов (Toggl)'],
    ],
  },
};

/** Held out: not looked at before the rules were finished. */
export const UNSEEN: Record<string, Marked> = {
  'fleet-hub': {
    keep: {
      '2026-08-30-vision': [
        ['смена', 'события только добавляются'],
        ['от 3 до 40'],
        ['Telegram-бот'],
        ['990 ₽'],
        ['435 000'],
        ['120 000'],
        ['350 000'],
      ],
      '2026-10-09-bot-status': [['UTC', 'часовой пояс'], ['вне смены'], ['86 %']],
      '2026-11-02-pilot-start': [['Мониторинг только снаружи'], ['Flutter', '10 платящих'], ['полцены'], ['41']],
      '2026-11-19-pilot-review': [
        ['41 085'],
        ['118 000'],
        ['Смену телефона подтверждает диспетчер'],
        ['10:00', '17:00'],
        ['Yandex Cloud', '14 000'],
        ['Таксопарки'],
        ['Кнопка смены телефона', '26 ноября'],
        ['Казань', '1 декабря'],
        ['Перенос базы', '10 декабря'],
        ['Счета и акты', '20 декабря'],
        ['правами бухгалтера'],
        ['отзыв с цифрами'],
        ['Страница с ценами'],
      ],
    },
    gone: [
      ['Утренняя сводка диспетчеру'],
      ['Договор-оферта: отдать'],
      ['Экспорт журнала недели'],
      ['Журнал недовозов для хлеба: что'],
      ['Почистить диск'],
      ['Ответить человеку из Казани'],
    ],
  },
};
