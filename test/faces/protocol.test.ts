import * as schemas from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { tempFolder } from '../support/home.js';
import { startServer } from '../support/server.js';

/**
 * What a strict client (the inspector, with --strict) complains of: an answer that is not what the protocol's schema says
 * to the last property, and tool schemas that not every model provider takes.
 */

/** A call of each tool that has to succeed, in this order. */
const CALLS: [string, Record<string, unknown>][] = [
  ['save_session', { title: 'Tide tables', content: 'High water at noon.', tags: ['sea'] }],
  ['load_context', {}],
  ['search_memory', { query: 'water' }],
  ['list_sessions', {}],
  ['verify_with_github', {}],
  ['memory_status', {}],
  ['sync_now', {}],
  ['save_pattern', { name: 'Sail at high water', type: 'rule', content: 'Wait for noon.' }],
  ['update_project', { project: 'test/project', status: 'active', target_revenue: 10 }],
  ['save_checkpoint', { title: 'Ebb', content: 'The harbour is empty.' }],
  ['list_projects', {}],
  ['read_memory', { id: 'projects/test/project' }],
];

/** The paths at which what was sent holds more than the schema keeps of it. */
function unknownProperties(sent: unknown, kept: unknown, path = ''): string[] {
  if (Array.isArray(sent))
    return sent.flatMap((each, index) => unknownProperties(each, (kept as unknown[])[index], `${path}[${index}]`));
  if (sent === null || typeof sent !== 'object') return [];
  return Object.entries(sent).flatMap(([name, value]) => {
    const own = (kept as Record<string, unknown> | undefined)?.[name];
    return own === undefined ? [`${path}.${name}`] : unknownProperties(value, own, `${path}.${name}`);
  });
}

/** What a provider with a narrow dialect of JSON Schema cannot take. */
function unportable(schema: unknown, path: string): string[] {
  if (schema === null || typeof schema !== 'object' || Array.isArray(schema)) return [`${path} is no schema object`];
  const node = schema as Record<string, unknown>;
  const odd = Object.keys(node).filter(
    (name) => !['type', 'title', 'description', 'properties', 'required', 'items', 'enum'].includes(name),
  );
  return [
    ...odd.map((name) => `${path} uses ${name}`),
    ...(typeof node.type === 'string' ? [] : [`${path} has no single type`]),
    ...(node.type === 'array' && node.items === undefined ? [`${path} does not say of what`] : []),
    ...(node.items === undefined ? [] : unportable(node.items, `${path}.items`)),
    ...Object.entries(node.properties ?? {}).flatMap(([name, each]) => unportable(each, `${path}.${name}`)),
  ];
}

test('every answer is what the protocol’s own schema says, to the last property', async () => {
  const server = await startServer({ MEMORY_HOME: tempFolder() });
  try {
    const { client } = server;
    /** The answer as it came over the wire; throws where the protocol's schema refuses it. */
    const ask = async <S extends z.ZodType>(method: string, params: Record<string, unknown>, schema: S) => {
      const sent = await client.request({ method, params } as schemas.ClientRequest, z.looseObject({}));
      const kept = schema.parse(sent);
      expect(unknownProperties(sent, kept), method).toEqual([]);
      return kept;
    };
    const { tools } = await ask('tools/list', {}, schemas.ListToolsResultSchema);
    expect(CALLS.map(([name]) => name).sort()).toEqual(tools.map(({ name }) => name).sort());
    for (const [name, args] of CALLS) {
      const answer = await ask('tools/call', { name, arguments: args }, schemas.CallToolResultSchema);
      expect(answer.isError, name).not.toBe(true);
    }
    const failed = await ask(
      'tools/call',
      { name: 'read_memory', arguments: { id: 'x' } },
      schemas.CallToolResultSchema,
    );
    expect(failed.isError).toBe(true);
    const { resources } = await ask('resources/list', {}, schemas.ListResourcesResultSchema);
    const { resourceTemplates } = await ask('resources/templates/list', {}, schemas.ListResourceTemplatesResultSchema);
    const ofProject = ['project', 'steps', 'review'].map((name) => `memory://${name}/test/project`);
    const filled = [...ofProject, 'memory://note/projects/test/project'];
    expect(resourceTemplates).toHaveLength(filled.length);
    for (const uri of [...resources.map((each) => each.uri), ...filled]) {
      const { contents } = await ask('resources/read', { uri }, schemas.ReadResourceResultSchema);
      expect(contents.map((each) => each.uri)).toEqual([uri]);
    }
    const { prompts } = await ask('prompts/list', {}, schemas.ListPromptsResultSchema);
    for (const { name } of prompts) await ask('prompts/get', { name }, schemas.GetPromptResultSchema);
    const completed = await ask(
      'completion/complete',
      { ref: { type: 'ref/prompt', name: 'resume' }, argument: { name: 'project', value: 'te' } },
      schemas.CompleteResultSchema,
    );
    expect(completed.completion.values).toEqual(['test/project']);
    await ask('ping', {}, schemas.EmptyResultSchema);
  } finally {
    await server.close();
  }
});

test('tool schemas are JSON Schema that every provider takes', async () => {
  const server = await startServer({ MEMORY_HOME: tempFolder() });
  try {
    for (const { name, inputSchema } of (await server.client.listTools()).tools) {
      expect(unportable(inputSchema, name)).toEqual([]);
      const validate = new AjvJsonSchemaValidator().getValidator(
        inputSchema as Parameters<AjvJsonSchemaValidator['getValidator']>[0],
      );
      const example = CALLS.find(([tool]) => tool === name)?.[1] ?? {};
      expect(validate(example), name).toMatchObject({ valid: true });
    }
  } finally {
    await server.close();
  }
});

test('these checks see what is wrong', () => {
  const tool = { name: 'x', inputSchema: { type: 'object' as const }, colour: 'red' };
  const kept = schemas.ListToolsResultSchema.parse({ tools: [tool] });
  expect(unknownProperties({ tools: [tool] }, kept)).toEqual(['.tools[0].colour']);
  const schema = { type: 'object', properties: { a: true, b: { type: ['string', 'null'] }, c: { type: 'array' } } };
  expect(unportable(schema, 'x')).toEqual([
    'x.a is no schema object',
    'x.b has no single type',
    'x.c does not say of what',
  ]);
  expect(unportable({ type: 'object', anyOf: [] }, 'x')).toEqual(['x uses anyOf']);
});
