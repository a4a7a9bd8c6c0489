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
  expect(resources.map(({ uri }) => uri)).toEqual([
    'memory://context',
    'memory://projects',
    'memory://review',
    'memory://checkpoints',
    'memory://patterns',
    'memory://status',
  ]);
  for (const { uri } of resources) {
    const { contents } = await client.readResource({ uri });
    expect((contents[0] as { text: string }).text).not.toBe('');
  }
  const { resourceTemplates } = await client.listResourceTemplates();
  expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
    'memory://note/{+id}',
    'memory://project/{+project}',
    'memory://steps/{+project}',
    'memory://review/{+project}',
  ]);
  const note = await client.readResource({ uri: `memory://note/${id}` });
  expect((note.contents[0] as { text: string }).text).toContain('High water at noon.');
  const escaped = await client.readResource({ uri: `memory://note/${encodeURIComponent(id)}` });
  expect((escaped.contents[0] as { text: string }).text).toContain('High water at noon.');
  const project = await client.readResource({ uri: 'memory://project/sea/tides' });
  expect((project.contents[0] as { text: string }).text).toContain('Tide tables');
  for (const [name, said] of [
    ['steps', /0 open steps/],
    ['review', /1 note in 1 project/],
  ] as const)
    expect((await client.readResource({ uri: `memory://${name}/sea/tides` })).contents[0]).toMatchObject({
      text: expect.stringMatching(said),
    });
  for (const uri of resourceTemplates
    .map(({ uriTemplate }) => uriTemplate)
    .filter((each) => each.includes('project'))) {
    const argument = { name: 'project', value: 'se' };
    const { completion } = await client.complete({ ref: { type: 'ref/resource', uri }, argument });
    expect(completion.values, uri).toEqual(['sea/tides']);
  }
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
  expect(JSON.stringify((await client.getPrompt({ name: 'close_session' })).messages)).toMatch(/save_session/);
  expect(JSON.stringify((await client.getPrompt({ name: 'weekly_review' })).messages)).toMatch(
    /save_pattern.*Tide tables/,
  );
  for (const { name } of prompts) {
    for (const value of ['', 'SEA', 'Tid']) {
      const argument = { name: 'project', value };
      const { completion } = await client.complete({ ref: { type: 'ref/prompt', name }, argument });
      expect(completion.values, `${name} ${value}`).toEqual(['sea/tides']);
    }
  }
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
