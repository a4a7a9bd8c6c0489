import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import type { Operation } from '../../operations/operation.js';

const tools = new Map<string, Tool>();

/** An operation as `tools/list` shows it. Every word costs tokens at each start of a session. */
export function toolOf(operation: Operation): Tool {
  let tool = tools.get(operation.name);
  if (!tool) {
    tool = {
      name: operation.name,
      title: operation.title,
      description: operation.description,
      inputSchema: slim(z.toJSONSchema(operation.input, { io: 'input' })) as Tool['inputSchema'],
      annotations: {
        readOnlyHint: operation.effect === 'read',
        ...(operation.effect === 'read' ? {} : { destructiveHint: false, idempotentHint: operation.idempotent }),
        openWorldHint: false,
      },
      ...(operation.meta ? { _meta: operation.meta } : {}),
    };
    tools.set(operation.name, tool);
  }
  return tool;
}

/** A schema without what tells a model nothing: bounds are checked, and named when they are broken. */
function slim(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(slim);
  if (schema === null || typeof schema !== 'object') return schema;
  const kept = Object.entries(schema).filter(
    ([name, value]) => !DROPPED.has(name) && !(name === 'properties' && Object.keys(value as object).length === 0),
  );
  return Object.fromEntries(
    kept.map(([name, value]) => [
      name,
      name === 'properties' ? slimProperties(value as Record<string, unknown>) : slim(value),
    ]),
  );
}

function slimProperties(properties: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, slim(value)]));
}

const DROPPED = new Set([
  '$schema',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'additionalProperties',
]);
