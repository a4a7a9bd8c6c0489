import { expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.js';
import { blocksOf } from '../../src/core/note-blocks.js';
import { firstSentences, sentencesOf } from '../../src/core/sentences.js';

test('checklists in all their forms: what is open, what is closed, wherever it stands', () => {
  const { nextSteps, closed } = digestOf(`# Notes

- [ ] open box
- [x] closed box
- [X] closed in capitals
- [-] given up
+ ✅ done by a mark
* ❌ dropped by a mark
- ⏳ waiting
- 🔄 going on
- ☐ an empty square
- TODO: written out
- finished at its end ✅
- ~~struck through~~
- just a remark

1. [ ] numbered
2. [x] numbered and closed
   - [ ] nested and open
   - a detail of it
`);
  expect(nextSteps).toEqual([
    'open box',
    'waiting',
    'going on',
    'an empty square',
    'written out',
    'numbered',
    'nested and open',
  ]);
  expect(closed).toEqual([
    'closed box',
    'closed in capitals',
    'given up',
    'done by a mark',
    'dropped by a mark',
    'finished at its end ✅',
    'struck through',
    'numbered and closed',
  ]);
});

test('what is struck out is dropped, whatever is said of it; what takes its place stands', () => {
  const { nextSteps, closed } = digestOf(`## Next
- ~~Translate the bot~~ — not needed, all clients speak Russian
- [ ] ~~Ask the lawyer~~
- [ ] ~~Buy tochka.app~~ → buy tochka.bot
- [ ] Send the report by ~~20 May~~ 24 May
- **~~Call Ann~~** (she called)
- [x] ~~Pay the bill~~
`);
  expect(nextSteps).toEqual(['buy tochka.bot', 'Send the report by 24 May']);
  expect(closed).toEqual([
    'Translate the bot — not needed, all clients speak Russian',
    'Ask the lawyer',
    'Buy tochka.app',
    'Call Ann (she called)',
    'Pay the bill',
  ]);
  const decided = digestOf('## Решения\n- ~~Redis for queues~~ — too dear\n- ~~Holds of 10 min~~ Holds of 15 min\n');
  expect(decided).toMatchObject({
    decisions: ['Holds of 15 min'],
    closed: ['~~Redis for queues~~', '~~Holds of 10 min~~'],
  });
});

test('a checklist without bullets is one, an explanation of its marks and a cheer are not', () => {
  const { nextSteps, closed, summary, facts } = digestOf(`# Day 3

✅ Adapter for old sessions written
⏳ Shadow traffic: waiting for ops, **7 days**
❌ PayPal: dropped, only 4 % of sales
TODO: ask legal about refunds

✅ done, ⏳ waiting, ❌ dropped

🎉 The pilot is live in all of the four salons, and everybody was there to see it.
`);
  expect(nextSteps).toEqual(['Shadow traffic: waiting for ops, 7 days', 'ask legal about refunds']);
  expect(closed).toEqual(['Adapter for old sessions written', 'PayPal: dropped, only 4 % of sales']);
  expect(summary).toMatch(/^The pilot is live/);
  expect(facts).toEqual([]);
});

test('a decision within the text is one; a solution is what mended something', () => {
  const text = `# Day 3

We looked at the queue.

**Decision:** Postgres instead of Redis streams for order events.

**Решение:** берём один сервер на двоих.

- Договорились: отчёт по понедельникам
`;
  expect(digestOf(text).decisions).toEqual([
    'Postgres instead of Redis streams for order events.',
    'берём один сервер на двоих.',
    'отчёт по понедельникам',
  ]);
  const mended = digestOf('**Проблема:** бот подтвердил обоим\n\n**Решение:** уникальный индекс на слот и мастера\n');
  expect(mended.fixes).toHaveLength(1);
  expect(mended.decisions).toEqual([]);
});

test('a list of 120 boxes has 120 steps', () => {
  const boxes = Array.from({ length: 120 }, (_, at) => `- [ ] plant tree ${at}\n- [x] dig hole ${at}\n`);
  const { nextSteps, closed } = digestOf(boxes.join(''));
  expect([nextSteps.length, closed.length]).toEqual([120, 120]);
});

test('a finding is one in Russian, too; a text that begins with a number is no date', () => {
  expect(digestOf('## Разбор\n- **Причина:** блокировка бралась в другом соединении\n').facts).toEqual([
    'Причина: блокировка бралась в другом соединении',
  ]);
  const text = '200 parallel bookings pass, and the pool of five connections is the bottleneck.';
  expect(
    digestOf(`# Load test\n\n${text}\n\n## Root cause\nPrepared statements are made anew each time.\n`).summary,
  ).toBe(text);
  for (const date of [
    '7 ноября 2026, Лена и Claude, длинный созвон по всем вопросам.',
    '12.11.2026 — with everybody who was there that day.',
  ])
    expect(digestOf(`# T\n\n${date}\n\n${text}\n`).summary, date).toBe(text);
});

test.each([
  ['## Next steps', 'nextSteps'],
  ['### ⏭️ Дальше', 'nextSteps'],
  ['## 7. 📋 Next steps / Следующие шаги', 'nextSteps'],
  ['**Следующие шаги:**', 'nextSteps'],
  ['__TODO__', null],
  ['# 📌 Мелкие хвосты', 'nextSteps'],
  ['## Что осталось', 'nextSteps'],
  ['## Decisions', 'decisions'],
  ['## 🟢 Ключевые решения', 'decisions'],
  ['**Решение**', 'decisions'],
  ['## Решили', 'decisions'],
  ['## What was decided', 'decisions'],
  ['## ✅ Сделано', 'closed'],
  ['## What is done', 'closed'],
  ['## Planets', null],
  ['## Решётка', null],
] as const)('%s heads %s', (heading, list) => {
  const digest = digestOf(`${heading}\n\n- one thing\n- another thing\n`);
  for (const each of ['nextSteps', 'decisions', 'closed'] as const)
    expect(digest[each], each).toEqual(each === list ? ['one thing', 'another thing'] : []);
});

test('a mark below "Decisions" is part of a decision', () => {
  const { decisions, closed } = digestOf('## Решения\n- ✔ берём Astro\n- ❌ WordPress не берём\n- ~~старое~~\n');
  expect(decisions).toEqual(['берём Astro', 'WordPress не берём']);
  expect(closed).toEqual(['~~старое~~']);
});

test('a table of states is steps, a table of money is figures, a total first', () => {
  const { nextSteps, closed, facts } = digestOf(`## План
| # | Что | Кто | Статус |
|---|---|---|---|
| 1 | Backup базы | Ваня | ✅ |
| 2 | Перенос базы | Олег | ⏳ ждём |
| 3 | Новая карта | | ❌ |

## 💰 Revenue
| Product | Plan | Fact |
|---|---:|---:|
| Course | $1,000 | $1,200 |
| **Total** | **$3,000** | **$2,900** |

## Timeline
| When | What |
|---|---|
| 12:02 | began |
| 12:40 | ended |
`);
  expect(nextSteps).toEqual(['Перенос базы — Олег']);
  expect(closed).toEqual(['Backup базы — Ваня', 'Новая карта']);
  expect(facts).toEqual(['Total: Plan $3,000, Fact $2,900', 'Course: Plan $1,000, Fact $1,200']);
});

test('code is left out, also what looks like a step in it; a fence that nothing closes hides nothing', () => {
  const code = '~~~~sh\n- [ ] not a step\n```\n- [ ] neither\n~~~~\n- [ ] a step\n';
  expect(digestOf(code).nextSteps).toEqual(['a step']);
  expect(digestOf('- [ ] before\n```\n- [ ] after\n').nextSteps).toEqual(['before', 'after']);
  expect(
    digestOf('```js\ncode\n```\nThis is the text that says what it is all about, in one sentence.\n').summary,
  ).toMatch(/^This is the text/);
});

test('the summary is what the note calls one, else what happened, else its first words that say something', () => {
  expect(digestOf('2026-01-01, Ann\n\n## TL;DR\nIn short.\n').summary).toBe('In short.');
  expect(digestOf('# T\n\n## Что случилось\nУпало.\n\n## Итог\nПочинили.\n').summary).toBe('Починили.');
  expect(
    digestOf(
      '**Date:** today\n\n2 May, Ann + Ben\n\nThe first paragraph is long enough to be one of its own, it seems.',
    ).summary,
  ).toMatch(/^The first paragraph/);
  expect(digestOf('**Status:** live for everybody but two customers\n').summary).toBe(
    'Status: live for everybody but two customers',
  );
});

test('what a note was saved with stands before what is found in it', () => {
  const body = '## Decisions\n- from the text\n## Next\n- from the text, too\n\n## Summary\nFound.\n';
  const given = { summary: 'Given.', decisions: ['given'], nextSteps: ['given step'] };
  expect(digestOf(body, given)).toMatchObject(given);
  expect(digestOf(body)).toMatchObject({ summary: 'Found.', decisions: ['from the text'] });
});

test('an item goes on in lines below it; a list below a label has no parent to explain', () => {
  const { nextSteps } = digestOf(
    '## Next\n- one that goes\n  on here\n- Backend:\n  - do this\n- other\n  - why it matters\n',
  );
  expect(nextSteps).toEqual(['one that goes on here', 'do this', 'other']);
});

test('4 MiB of anything is read in bounded work, and its end counts', () => {
  const end = '\n\n## Next steps\n- [ ] the last step\n';
  for (const piece of [
    '- [ ] step of many\n',
    '| a | 1 € |\n',
    '`'.repeat(80),
    'слово ',
    '**1** ',
    '[](',
    '# h\n',
    '1. ',
    '~~',
    '\n',
    'e.g. ',
    '("',
  ]) {
    const body = piece.repeat(Math.ceil((4 * 1024 * 1024) / piece.length));
    const { nextSteps, facts, closed, decisions } = digestOf(body + end);
    expect(nextSteps.length + facts.length + closed.length + decisions.length).toBeLessThanOrEqual(400);
    expect(blocksOf(body + end).at(-1), piece).toMatchObject({ text: 'the last step' });
  }
});

test('sentences end where they do', () => {
  expect(sentencesOf('One e.g. here. Two 1.5 times! «Три». Четыре т.е. всё')).toEqual([
    'One e.g. here.',
    'Two 1.5 times!',
    '«Три».',
    'Четыре т.е. всё',
  ]);
  expect(firstSentences('One is here. Two is here.', 15)).toBe('One is here.');
});
