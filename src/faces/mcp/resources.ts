import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import {
  CompleteRequestSchema,
  ErrorCode,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  McpError,
  ReadResourceRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { LIMITS } from '../../core/limits.js';
import { PROMPTS, promptText } from './prompts.js';

/** Runs an operation by name and gives its text. */
export type RunText = (name: string, input: Record<string, unknown>, signal: AbortSignal) => Promise<string>;

const STATIC = [
  { uri: 'memory://context', name: 'Context', title: 'Context of this project', operation: 'load_context' },
  { uri: 'memory://projects', name: 'Projects', title: 'All projects', operation: 'list_projects' },
  { uri: 'memory://status', name: 'Status', title: 'Status of the memory', operation: 'memory_status' },
];

const TEMPLATES = [
  { prefix: 'memory://note/', argument: 'id', operation: 'read_memory', name: 'Note', title: 'One note by its id' },
  {
    prefix: 'memory://project/',
    argument: 'project',
    operation: 'load_context',
    name: 'Project',
    title: 'Context of a project',
  },
];

/** Resources, templates with completion, and prompts: all of them answers of operations under another name. */
export function registerResources(
  server: Server,
  run: RunText,
  complete: (what: 'id' | 'project', beginning: string) => Promise<string[]>,
): void {
  const mimeType = 'text/markdown';

  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: STATIC.map(({ uri, name, title }) => ({ uri, name, title, mimeType })),
  }));

  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: TEMPLATES.map(({ prefix, argument, name, title }) => ({
      uriTemplate: `${prefix}{+${argument}}`,
      name,
      title,
      mimeType,
    })),
  }));

  server.setRequestHandler(ReadResourceRequestSchema, async ({ params: { uri } }, { signal }) => {
    const fixed = STATIC.find((each) => each.uri === uri);
    const template = TEMPLATES.find(({ prefix }) => uri.startsWith(prefix) && uri.length > prefix.length);
    if (!fixed && !template)
      throw new McpError(
        ErrorCode.InvalidParams,
        `There is no such resource. Resources: ${[...STATIC.map((each) => each.uri), ...TEMPLATES.map(({ prefix, argument }) => `${prefix}<${argument}>`)].join(', ')}.`,
      );
    const text = fixed
      ? await run(fixed.operation, {}, signal)
      : await run(
          template?.operation ?? '',
          { [template?.argument ?? '']: decode(uri.slice(template?.prefix.length)) },
          signal,
        );
    return { contents: [{ uri, mimeType, text }] };
  });

  server.setRequestHandler(ListPromptsRequestSchema, () => ({
    prompts: PROMPTS.map(({ name, title, description, arguments: args }) => ({
      name,
      title,
      description,
      arguments: args,
    })),
  }));

  server.setRequestHandler(GetPromptRequestSchema, async ({ params }, { signal }) => {
    const prompt = PROMPTS.find(({ name }) => name === params.name);
    if (!prompt)
      throw new McpError(
        ErrorCode.InvalidParams,
        `There is no such prompt. Prompts: ${PROMPTS.map(({ name }) => name).join(', ')}.`,
      );
    const project = params.arguments?.project?.trim() || undefined;
    const context = prompt.context ? await run('load_context', project === undefined ? {} : { project }, signal) : '';
    return {
      description: prompt.description,
      messages: [{ role: 'user', content: { type: 'text', text: promptText(prompt, project, context) } }],
    };
  });

  server.setRequestHandler(CompleteRequestSchema, async ({ params: { ref, argument } }) => {
    const what = argument.name === 'id' ? 'id' : 'project';
    const known =
      ref.type === 'ref/prompt'
        ? PROMPTS.some(({ name }) => name === ref.name)
        : TEMPLATES.some(({ prefix, argument: name }) => ref.uri === `${prefix}{+${name}}`);
    const values = known ? await complete(what, argument.value) : [];
    return {
      completion: {
        values: values.slice(0, LIMITS.listMax),
        total: values.length,
        hasMore: values.length > LIMITS.listMax,
      },
    };
  });
}

/** A client may or may not have escaped the id in its URI. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
