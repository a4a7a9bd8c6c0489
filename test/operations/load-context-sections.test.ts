import { expect, test } from 'vitest';
import { openApp } from '../support/app.js';
import { localHistory } from '../support/history.js';

const file = (fields: Record<string, string>, body: string) =>
  `---\n${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('')}---\n${body}\n`;

test('relatives: standing decisions of the parent, of siblings those that fit, each with its project', async () => {
  const history = await localHistory();
  const note = (project: string, body: string, parent = 'acme/app') =>
    file({ project, ...(project === parent ? {} : { parent }), kind: 'session' }, `# Of ${project}\n\n${body}`);
  await history.commit(
    {
      'a.md': note('acme/app', '## Decisions\n- Dates are stored in UTC\n- Logs stay for a month'),
      'b.md': note('acme/pay', '## Decisions\n- Invoices are rounded per line\n- Tea is served at four'),
      'c.md': note('acme/shop', '## Next steps\n- [ ] Show how invoices are rounded'),
      'd.md': note('acme/new', '', 'acme/app').replace('kind: session', 'kind: project'),
      'e.md': file(
        { project: 'acme/pay', kind: 'pattern', parent: 'acme/app' },
        '# Retry\n\nInvoices are rounded late.',
      ),
    },
    '2026-02-01T10:00:00Z',
  );
  await history.commit(
    {
      'a2.md': note('acme/app', '## Decisions\n- Logs stay for a year (supersedes: logs stay for a month)').replace(
        '# Of',
        '**Date:** 2026-02-02\n# Of',
      ),
    },
    '2026-02-02T10:00:00Z',
  );
  const { call } = await history.open();
  const shop = await call('load_context', { project: 'acme/shop' });
  const related = /## Decided in related projects\n([\s\S]*?)\n</.exec(shop)?.[1] ?? '';
  expect(related).toMatch(/\[acme\/app\] Dates are stored in UTC/);
  expect(related).toMatch(/\[acme\/app\] Logs stay for a year/);
  expect(related).toMatch(/\[acme\/pay\] Invoices are rounded per line/);
  expect(related).not.toMatch(/Tea|for a month$/m);
  expect(shop).toMatch(/## Patterns\n.*Retry/);
  // Every line says from when it is.
  for (const line of shop.split('\n').filter((each) => each.startsWith('- ')))
    expect(line).toMatch(/^- (?:\d{4}-)?\d{2}-\d{2} /);
});

test('a step that a later session closes is gone, one that is carried over is told once, with its first day', async () => {
  const { call } = await openApp();
  const save = (title: string, content: string, more: Record<string, unknown> = {}) =>
    call('save_session', { title, content, ...more });
  await save('One', 'Text.', { next_steps: ['Water the ferns', 'Call the vendor', 'Paint the door'] });
  const [, number] = /#(\d{6}) Paint the door/.exec(await call('load_context')) ?? [];
  await save('Two', '## Done\n- Watered the ferns\n\n- [ ] Call the vendor\n');
  await save('Three', `- [x] #${number}\n`);
  const steps = /## Open next steps\n([\s\S]*?)\n(?:##|<\/)/.exec(await call('load_context'))?.[1] ?? '';
  expect(steps).toMatch(/^- \d{2}-\d{2} #\d{6} Call the vendor$/);
});

test('a decision that a later one replaces is marked, not told as standing; nothing is said twice', async () => {
  const { call } = await openApp();
  await call('save_session', { title: 'One', content: 'Text.', decisions: ['Backups stay for 30 days', 'Use libsql'] });
  await call('save_session', { title: 'Two', content: 'Text.', decisions: ['Backups stay for 90 days', 'Use libsql'] });
  const answer = await call('load_context');
  expect(answer).toMatch(/Backups stay for 90 days$/m);
  expect(answer).toMatch(/Backups stay for 30 days \(superseded \d{2}-\d{2}\)$/m);
  expect(answer.split('Use libsql')).toHaveLength(2);
});

test('the record and a summary of the project’s own are told', async () => {
  const { call } = await openApp();
  await call('save_session', { title: 'One', content: 'Text.' });
  await call('update_project', {
    project: 'test/project',
    status: 'active',
    target_revenue: 5_000,
    current_revenue: 1_200,
  });
  expect(await call('load_context')).toMatch(
    /## Project\n- \d{4}-\d{2}-\d{2} status active.*revenue 1200, target 5000/,
  );
});

test('a sentence of the summary that is a figure, too, is said once', async () => {
  const { call } = await openApp();
  const cost = 'The move took **22 minutes** and cost $38.';
  await call('save_session', { title: 'Night move', content: `The database lives elsewhere now. ${cost}\n` });
  for (const max_tokens of [200, 1_800]) {
    const answer = await call('load_context', { max_tokens });
    expect(answer).toContain('The database lives elsewhere now.');
    expect(answer.split('22 minutes'), answer).toHaveLength(2);
  }
});
