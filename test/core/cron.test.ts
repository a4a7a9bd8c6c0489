import fc from 'fast-check';
import { createTask, validate } from 'node-cron';
import { afterEach, expect, test, vi } from 'vitest';
import { cronProblem, lastTimeOf } from '../../src/core/cron.js';

test.each([
  '*/15 * * * *',
  '7-59/15 * * * *',
  '* * * * * *',
  '0,30 9-17 * * mon-fri',
  '0 0 29 feb *',
  '0 0 31 1,2 *',
  '0 0 * JAN 7',
])('%s is taken', (expression) => {
  expect(cronProblem(expression)).toBeNull();
  expect(createTask(expression, () => {}).getNextRun()).not.toBeUndefined();
});

test.each([
  ['', /fields/],
  ['* * * *', /4 fields/],
  ['* * * * * * *', /7 fields/],
  ['60 * * * *', /minute/],
  ['* 24 * * *', /hour/],
  ['* * 0 * *', /day of the month/],
  ['* * * 13 *', /month/],
  ['* * * * 8', /day of the week/],
  ['5/15 * * * *', /minute/],
  ['*/0 * * * *', /minute/],
  ['5-1 * * * *', /minute/],
  ['1,,2 * * * *', /minute/],
  ['* * * mon *', /month/],
  ['* * * * xyz', /day of the week/],
  ['-1 * * * *', /minute/],
  ['* * 31 4,6 *', /never comes/],
  ['$(reboot) * * * *', /minute/],
])('%s is refused', (expression, problem) => {
  expect(cronProblem(expression)).toMatch(problem);
});

test('whatever is taken, the scheduler takes too', () => {
  const number = fc.nat({ max: 70 }).map(String);
  const name = fc.constantFrom('jan', 'dec', 'sun', 'SAT', 'xyz');
  const value = fc.oneof({ weight: 5, arbitrary: number }, { weight: 1, arbitrary: name });
  const range = fc.tuple(value, value).map(([a, b]) => `${a}-${b}`);
  const base = fc.oneof(fc.constant('*'), value, range);
  const part = fc.oneof(
    { weight: 3, arbitrary: base },
    fc.tuple(base, number).map(([a, b]) => `${a}/${b}`),
  );
  const field = fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(',')),
  );
  let taken = 0;
  fc.assert(
    fc.property(fc.array(field, { minLength: 5, maxLength: 6 }), (fields) => {
      const expression = fields.join(' ');
      if (cronProblem(expression) !== null) return;
      taken++;
      expect(validate(expression), expression).toBe(true);
    }),
    { numRuns: 3_000 },
  );
  expect(taken).toBeGreaterThan(100);
});

afterEach(() => {
  vi.useRealTimers();
});

test.each([
  '30 4 * * 1',
  '*/15 * * * *',
  '*/7 * * * * *',
  '0 0 29 feb *',
  '59 23 31 * sun,7',
  '0,30 9-17 1-7 * mon-fri',
])('the last time of %s is the one after which node-cron sees the next one', (expression) => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const next = (afterMs: number) => {
    vi.setSystemTime(afterMs);
    return createTask(expression, () => {})
      .getNextRuns(1)[0]
      ?.getTime();
  };
  for (const now of ['2026-11-23T04:30:00', '2026-11-23T04:29:59.999', '2026-03-29T12:00:07', '2028-03-01T00:00']) {
    const nowMs = new Date(now).getTime();
    const last = lastTimeOf(expression, nowMs) as number;
    expect(last).toBeLessThanOrEqual(nowMs);
    expect(next(last - 1_000), `${now}, before`).toBe(last);
    expect(next(Math.max(last, nowMs)), `${now}, after`).toBeGreaterThan(nowMs);
  }
  expect(lastTimeOf('0 0 31 feb *', Date.now())).toBeNull();
});
