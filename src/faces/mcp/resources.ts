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

/** An operation's answer under a name, and what is asked of it besides what the name says. */
interface Resource {
  name: string;
  title: string;
  operation: string;
  input?: Record<string, unknown>;
}

const STATIC: (Resource & { uri: string })[] = [
  { uri: 'memory://context', name: 'Context', title: 'Context of this project', operation: 'load_context' },
  { uri: 'memory://projects', name: 'Projects', title: 'All projects', operation: 'list_projects' },
  { uri: 'memory://review', name: 'Review', title: 'The last seven days', operation: 'weekly_review' },
  {
    ...{ uri: 'memory://checkpoints', name: 'Checkpoints', title: 'Checkpoints, newest first' },
    ...{ operation: 'list_sessions', input: { kind: 'checkpoint' } },
  },
  {
    ...{ uri: 'memory://patterns', name: 'Patterns', title: 'Patterns, newest first' },
    ...{ operation: 'list_sessions', input: { kind: 'pattern' } },
  },
  { uri: 'memory://status', name: 'Status', title: 'Status of the memory', operation: 'memory_status' },
];

const TEMPLATES: (Resource & { prefix: string; argument: 'id' | 'project' })[] = [
  { prefix: 'memory://note/', argument: 'id', operation: 'read_memory', name: 'Note', title: 'One note by its id' },
  {
    ...{ prefix: 'memory://project/', argument: 'project', name: 'Project', title: 'Context of a project' },
    operation: 'load_context',
  },
  {
    ...{ prefix: 'memory://steps/', argument: 'project', name: 'Steps', title: 'Open steps of a project' },
    ...{ operation: 'load_context', input: { section: 'steps' } },
  },
  {
    ...{ prefix: 'memory://review/', argument: 'project', name: 'Project review', title: 'Seven days of a project' },
    operation: 'weekly_review',
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
      ? await run(fixed.operation, { ...fixed.input }, signal)
      : await run(
          template?.operation ?? '',
          { ...template?.input, [template?.argument ?? '']: decode(uri.slice(template?.prefix.length)) },
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
    const brought =
      prompt.brings === '' ? '' : await run(prompt.brings, project === undefined ? {} : { project }, signal);
    return {
      description: prompt.description,
      messages: [{ role: 'user', content: { type: 'text', text: promptText(prompt, project, brought) } }],
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
