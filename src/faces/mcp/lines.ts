import type { Readable, Writable } from 'node:stream';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ErrorCode, type JSONRPCMessage, JSONRPCMessageSchema } from '@modelcontextprotocol/sdk/types.js';

/**
 * JSON-RPC messages as lines. Stands in for the SDK's transport, which tells the sender nothing of a line that it could
 * not read, ends at a line over its limit, and never reads a last line without a line break.
 */
export function createLineTransport(input: Readable, output: Writable, mostBytes: number): Transport {
  let parts: Buffer[] = [];
  let bytes = 0;
  /** Inside a line that was too long: its rest is passed over. */
  let skipping = false;
  let closed = false;

  const transport: Transport = {
    async start() {
      input.on('data', take);
      // The end of the input is not the end of the connection: what was asked is still answered.
      input.once('end', line);
      input.once('error', () => void transport.close());
    },
    send: (message) => write(message),
    async close() {
      if (closed) return;
      closed = true;
      input.off('data', take);
      input.pause();
      transport.onclose?.();
    },
  };

  function write(message: unknown): Promise<void> {
    return new Promise((resolve) => {
      if (output.write(`${JSON.stringify(message)}\n`) || output.destroyed) resolve();
      else output.once('drain', resolve);
    });
  }

  function take(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      keep(chunk.subarray(from, at));
      line();
      from = at + 1;
    }
    keep(chunk.subarray(from));
  }

  function keep(part: Buffer): void {
    if (skipping || part.length === 0) return;
    bytes += part.length;
    parts.push(part);
    if (bytes <= mostBytes) return;
    skipping = true;
    parts = [];
    refuse(ErrorCode.InvalidRequest, `A message may have at most ${mostBytes} bytes; this one was not read.`, null);
  }

  /** A whole line has arrived. */
  function line(): void {
    const text = Buffer.concat(parts).toString('utf8').trim();
    parts = [];
    bytes = 0;
    skipping = false;
    if (text === '' || closed) return;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      refuse(ErrorCode.ParseError, 'Parse error: a message is one line of JSON.', null);
      return;
    }
    const parsed = JSONRPCMessageSchema.safeParse(message);
    if (parsed.success) transport.onmessage?.(parsed.data as JSONRPCMessage);
    else refuse(ErrorCode.InvalidRequest, 'Invalid request: not a JSON-RPC 2.0 message.', idOf(message));
  }

  function refuse(code: number, message: string, id: string | number | null): void {
    transport.onerror?.(new Error(message));
    void write({ jsonrpc: '2.0', id, error: { code, message } });
  }

  return transport;
}

function idOf(message: unknown): string | number | null {
  const id = message !== null && typeof message === 'object' && 'id' in message ? message.id : null;
  return typeof id === 'string' || (typeof id === 'number' && Number.isSafeInteger(id)) ? id : null;
}
