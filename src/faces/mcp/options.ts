import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { Caller } from '../../core/caller.js';
import type { Log } from '../../core/log.js';
import type { Services } from '../../core/services.js';
import type { Operation } from '../../operations/operation.js';

export interface McpOptions {
  /** Loaded after `initialize` is answered: a client waits for that at every start. */
  operations(): Promise<readonly Operation[]>;
  services(): Promise<Services>;
  /** Who the connection is; `client` is what the client calls itself. */
  caller(client: string): Caller;
  /** The configured project, before the client's folders are looked at. */
  project: string | undefined;
  /** The folders that the client works in, the likeliest first. */
  folders(server: Server): Promise<string[]>;
  log: Log;
}
