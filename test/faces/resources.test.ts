import { expect, test } from 'vitest';
import { openApp } from '../support/app.js';

test('resources, templates and completion give what the tools give', async () => {
  const { client, call } = await openApp();
  const receipt = await call('save_session', {
    title: 'Tide tables',
    content: 'High water at noon.',
    project: 'sea/tides',
  });
  const id = /`([^`]+)`/.exec(receipt)?.[1] ?? '';
  const { resources } = await client.listResources();
  expect(resources.map(({ uri }) => uri)).toEqual(['memory://context', 'memory://projects', 'memory://status']);
  for (const { uri } of resources) {
    const { contents } = await client.readResource({ uri });
    expect((contents[0] as { text: string }).text).not.toBe('');
  }
  const { resourceTemplates } = await client.listResourceTemplates();
  expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
    'memory://note/{+id}',
    'memory://project/{+project}',
  ]);
  const note = await client.readResource({ uri: `memory://note/${id}` });
  expect((note.contents[0] as { text: string }).text).toContain('High water at noon.');
  const escaped = await client.readResource({ uri: `memory://note/${encodeURIComponent(id)}` });
  expect((escaped.contents[0] as { text: string }).text).toContain('High water at noon.');
  const project = await client.readResource({ uri: 'memory://project/sea/tides' });
  expect((project.contents[0] as { text: string }).text).toContain('Tide tables');
  const completed = await client.complete({
    ref: { type: 'ref/resource', uri: 'memory://project/{+project}' },
    argument: { name: 'project', value: 'se' },
  });
  expect(completed.completion.values).toEqual(['sea/tides']);
  const ids = await client.complete({
    ref: { type: 'ref/resource', uri: 'memory://note/{+id}' },
    argument: { name: 'id', value: 'sessions/' },
  });
  expect(ids.completion.values).toEqual([id]);
  await expect(client.readResource({ uri: 'memory://note/none' })).rejects.toThrow(/no note with this id/);
  await expect(client.readResource({ uri: 'memory://nothing' })).rejects.toThrow(/no such resource/);
});

test('prompts name the tools to use, and resume brings the context along', async () => {
  const { client, call } = await openApp();
  await call('save_session', { title: 'Tide tables', content: 'High water at noon.', project: 'sea/tides' });
  const { prompts } = await client.listPrompts();
  expect(prompts.map(({ name }) => name)).toEqual(['resume', 'close_session', 'weekly_review']);
  const resume = await client.getPrompt({ name: 'resume', arguments: { project: 'sea/tides' } });
  expect(JSON.stringify(resume.messages)).toContain('Tide tables');
  for (const name of ['close_session', 'weekly_review'])
    expect(JSON.stringify((await client.getPrompt({ name })).messages)).toMatch(/save_session|list_sessions/);
  const projects = await client.complete({
    ref: { type: 'ref/prompt', name: 'resume' },
    argument: { name: 'project', value: '' },
  });
  expect(projects.completion.values).toEqual(['sea/tides']);
  await expect(client.getPrompt({ name: 'nothing' })).rejects.toThrow(/no such prompt/);
});

test('a project’s record keeps what is not given, in git', async () => {
  const { call, fail } = await openApp();
  await call('update_project', {
    project: 'Sea/Tides',
    status: 'active',
    target_revenue: 1200,
    note: 'Sell the tables.',
  });
  await call('update_project', { project: 'sea/tides', current_revenue: 30 });
  const record = await call('read_memory', { id: 'projects/sea/tides' });
  for (const part of ['status: active', 'target_revenue: 1200', 'current_revenue: 30', 'Sell the tables.'])
    expect(record).toContain(part);
  expect(await call('list_projects', { status: 'active' })).toContain('sea/tides · active · revenue 30 of 1200');
  expect(await call('list_projects', { status: 'done' })).toContain('No projects match');
  expect(await fail('update_project', { project: 'sea/tides', target_revenue: -1 })).toMatch(
    /target_revenue.*at least 0/,
  );
  const both = await Promise.all([
    call('update_project', { project: 'sea/tides', status: 'paused' }),
    call('update_project', { project: 'sea/tides', priority: 'high' }),
  ]);
  expect(both.join()).not.toContain('Already');
  expect(await call('list_projects')).toContain('sea/tides · paused · high');
});
