import { expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.js';

/** What a note says, and what went wrong and what mended it as read from it. */
const NOTES: [string, string, [string, string][]][] = [
  [
    'labelled lines of their own',
    '## Issue 1: Login loop\n**Error:** Users were logged out each hour\n**Root cause:** maxAge in seconds\n**Fix:** Use milliseconds everywhere',
    [['Login loop: Users were logged out each hour — maxAge in seconds', 'Use milliseconds everywhere']],
  ],
  [
    'labelled lines that run together',
    'Problem: the tests hang on CI\nCause: no free port\nFix: ask the system for port 0',
    [['the tests hang on CI — no free port', 'ask the system for port 0']],
  ],
  [
    'items in Russian',
    '- **Ошибка:** ENOSPC при сборке\n- **Решение:** чистить кэш npm перед сборкой',
    [['ENOSPC при сборке', 'чистить кэш npm перед сборкой']],
  ],
  [
    'headings next to each other',
    '## Проблема\nКэш не сбрасывался после деплоя.\n\n## Решение\n- Версия в ключе\n- TTL час\n\n## Дальше\n- Отдохнуть',
    [['Кэш не сбрасывался после деплоя', 'Версия в ключе; TTL час']],
  ],
  [
    'headings with the cause between them',
    '## Bug: totals are off\nBy one cent.\n\n### Root cause\nFloats were used for money.\n\n### Solution\nStore cents as integers.',
    [['totals are off: By one cent — Floats were used for money', 'Store cents as integers.']],
  ],
  [
    'a bold word with a full stop, and a sentence that tells how',
    '## 🐞 Что случилось: пустая сводка\n\n**Симптом.** В 7:00 пришло «Смен нет».\n\nИскали долго. Исправили по-честному: у компании есть часовой пояс.',
    [['пустая сводка: В 7:00 пришло «Смен нет»', 'Исправили по-честному: у компании есть часовой пояс.']],
  ],
  [
    'one line with emoji',
    '❌ Error: ECONNREFUSED at start ✅ Fix: wait for postgres to be healthy',
    [['ECONNREFUSED at start', 'wait for postgres to be healthy']],
  ],
  [
    'a step below what it mends',
    '- Build fails on Windows\n  - Cause: unquoted path\n  - Fix: quote the path\n- Another thing',
    [['Build fails on Windows — unquoted path', 'quote the path']],
  ],
  [
    'one sentence, or two',
    'The build failed on Windows. Fixed by quoting the path.\n\n- Форма отправляла письмо дважды (починили, кнопка гаснет)',
    [
      ['The build failed on Windows', 'quoting the path'],
      ['Форма отправляла письмо дважды', 'кнопка гаснет'],
    ],
  ],
  [
    'what follows in a list',
    '**Issue:** "Webhook failed" error\n**Fix:** Make sure:\n- the secret is set\n- the port is open\n\nText.',
    [['"Webhook failed" error', 'Make sure: the secret is set; the port is open']],
  ],
  [
    'a table',
    '| Error | Cause | Fix |\n|---|---|---|\n| 504 on checkout | lock timeout 0 | set it per session |',
    [['504 on checkout — lock timeout 0', 'set it per session']],
  ],
  [
    'several in one section',
    '### Ошибки и решения\n\n**Ошибка 1:** таймаут при деплое\n**Решение:** лимит 300 секунд\n\n**Ошибка 2:** пустой ответ API\n**Решение:** проверять статус',
    [
      ['таймаут при деплое', 'лимит 300 секунд'],
      ['пустой ответ API', 'проверять статус'],
    ],
  ],
];

test.each(NOTES)('what went wrong and what mended it: %s', (_, body, fixes) => {
  expect(digestOf(body).fixes).toEqual(fixes.map(([problem, fix]) => ({ problem, fix })));
});

test.each([
  [
    'a failure that nothing mended',
    '## Incident: bot silent\n**Root cause:** certificate expired.\n\n## Decided\n- Watch it',
  ],
  ['a decision', '## Решение\n\nБерём Postgres.\n\nРешение: без ORM.'],
  [
    'work that was done',
    '## What happened\n\nFixed the cache because it was slow. Added a test.\n\n## Decisions\n- Use X',
  ],
  ['a fix of nothing', 'Fix: typo in the readme\n\nFixed by Anna.'],
  ['who mended it', 'The form took no comma. Fixed by the support within an evening, to their honour.'],
  ['what a product is for', 'The problem: Claude forgets. The solution: a memory.'],
  ['a template', '**Problem:** [what went wrong?]\n\n**Solution:** [how it was mended]'],
  ['a list that is not there', '**Error:** it failed again\n**Fix:** make sure:'],
  ['what is spoken of', 'We had a problem with the fix: it was late.'],
  ['code', '```\nError: boom happened here\nFix: none of this is prose\n```'],
])('nothing is made of %s', (_, body) => {
  expect(digestOf(body).fixes).toBeUndefined();
});
