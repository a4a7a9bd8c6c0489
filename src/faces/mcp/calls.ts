import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  type CallToolRequest,
  type CallToolResult,
  ErrorCode,
  type ListToolsResult,
  McpError,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js';
import type { Scope } from '../../core/caller.js';
import { explain, MemoryError, toMemoryError } from '../../core/errors.js';
import { nearest } from '../../core/nearest.js';
import { type Context, type Operation, parseInput, projectFinder } from '../../operations/operation.js';
import type { McpOptions } from './options.js';
import { toolOf } from './tools.js';

export async function listTools({ operations }: McpOptions): Promise<ListToolsResult> {
  return { tools: (await tools(operations)).map(toolOf) };
}

async function tools(operations: McpOptions['operations']): Promise<Operation[]> {
  return (await operations()).filter(({ tool }) => tool !== false);
}

/** Runs one tool. An error of ours is a result that says what to do; only an unknown tool is a protocol error. */
export async function callTool(
  server: Server,
  options: McpOptions,
  params: CallToolRequest['params'],
  extra: RequestHandlerExtra<ServerRequest, ServerNotification>,
): Promise<CallToolResult> {
  const byName = new Map((await tools(options.operations)).map((operation) => [operation.name, operation]));
  const operation = byName.get(params.name);
  if (!operation) {
    const near = nearest(params.name.slice(0, 100), byName.keys(), 1);
    throw new McpError(
      ErrorCode.InvalidParams,
      `There is no tool of that name. ${near.length > 0 ? `Did you mean ${near[0]}? ` : ''}Tools: ${[...byName.keys()].join(', ')}.`,
    );
  }
  const token = params._meta?.progressToken;
  const progress = (done: number, total: number, message?: string) => {
    if (token === undefined) return;
    void extra
      .sendNotification({
        method: 'notifications/progress',
        params: { progressToken: token, progress: done, total, message },
      })
      .catch(() => {});
  };
  try {
    return await call(server, options, operation, params.arguments, extra.signal, progress);
  } catch (error) {
    const known = toMemoryError(error);
    options.log[known.code === 'internal' ? 'error' : 'info']('call failed', {
      tool: operation.name,
      why: known.code === 'internal' ? explain(error) : known.code,
    });
    return { content: [{ type: 'text' as const, text: `${known.message} ${known.hint}` }], isError: true };
  }
}

/** What every call needs: who asks, and what answers. */
async function contextOf(
  server: Server,
  options: McpOptions,
  scope: Scope,
  signal: AbortSignal,
  progress: Context['progress'],
): Promise<Context> {
  const client = server.getClientVersion();
  const caller = options.caller(
    client ? `${client.name} ${client.version}`.replace(/[\p{Cc}\s]+/gu, ' ').slice(0, 100) : '',
  );
  if (!caller.scopes.has(scope))
    throw new MemoryError('refused', `This needs the scope ${scope}.`, 'Ask for a token that has it.');
  const services = await options.services();
  return {
    services,
    caller,
    signal,
    progress,
    ...projectFinder(services, options.project, () => options.folders(server)),
  };
}

async function call(
  server: Server,
  options: McpOptions,
  operation: Operation,
  given: unknown,
  signal: AbortSignal,
  progress: Context['progress'],
): Promise<CallToolResult> {
  const input = parseInput(operation, given);
  const context = await contextOf(server, options, operation.scope, signal, progress);
  const output = await operation.run(input, context);
  const text = await operation.format(output, input);
  operation.told?.(text, output, context);
  const attached = operation.attachment?.(output) ?? null;
  return {
    content: [
      { type: 'text' as const, text },
      ...(attached ? [{ type: 'resource' as const, resource: attached }] : []),
    ],
  };
}

/** The text of an operation, for resources and prompts; whatever tools are offered, these read through all of them. */
export async function runText(
  server: Server,
  options: McpOptions,
  name: string,
  input: Record<string, unknown>,
  signal: AbortSignal,
): Promise<string> {
  const { OPERATIONS } = await import('../../operations/index.js');
  const operation = OPERATIONS.find((each) => each.name === name) as Operation;
  try {
    const parsed = parseInput(operation, input);
    const context = await contextOf(server, options, operation.scope, signal, () => {});
    const output = await operation.run(parsed, context);
    const text = await operation.format(output, parsed);
    operation.told?.(text, output, context);
    return text;
  } catch (error) {
    const { message, hint } = toMemoryError(error);
    throw new McpError(ErrorCode.InvalidParams, `${message} ${hint}`);
  }
}

/** Ids or projects that begin with what was typed, otherwise those that hold it. */
export async function complete(
  server: Server,
  options: McpOptions,
  what: 'id' | 'project',
  beginning: string,
): Promise<string[]> {
  const { services, caller } = await contextOf(server, options, 'read', new AbortController().signal, () => {});
  const { value } = await services.reader.read(caller, 'fast', 'fast', async (reading) =>
    what === 'id' ? reading.ids(caller) : (await reading.projects(caller)).map(({ project }) => project),
  );
  // Projects have small letters, ids any.
  const small = beginning.toLowerCase();
  const begun = value.filter((each) => each.toLowerCase().startsWith(small));
  return begun.length > 0 ? begun : value.filter((each) => each.toLowerCase().includes(small));
}
