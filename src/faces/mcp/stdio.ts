import { fileURLToPath } from 'node:url';
import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { localCaller, localSubject } from '../../core/caller.js';
import { explain } from '../../core/errors.js';
import { LIMITS } from '../../core/limits.js';
import type { Log } from '../../core/log.js';
import type { Services } from '../../core/services.js';
import { within } from '../../core/within.js';
import type { Operation } from '../../operations/operation.js';
import { createLineTransport } from './lines.js';
import { createMcpServer } from './server.js';

export interface StdioOptions {
  operations(): Promise<readonly Operation[]>;
  services(): Promise<Services>;
  project: string | undefined;
  /** Where the client says that it works, where its protocol has no word for it. */
  clientFolder: string | undefined;
  /** Settles when the process is asked to end. */
  stopped: Promise<void>;
  log: Log;
}

/** Serves one client on stdin and stdout, until it has gone or `stopped` settles. Resolves with every answer written. */
export async function serveStdio({
  operations,
  services,
  project,
  clientFolder,
  stopped,
  log,
}: StdioOptions): Promise<void> {
  const subject = localSubject();
  const folders = async (server: Server) => [
    ...(await rootFolders(server)),
    ...(clientFolder ? [clientFolder] : []),
    process.cwd(),
  ];
  const { server, idle } = createMcpServer({
    operations,
    services,
    project,
    log,
    caller: (client) => localCaller(subject, client),
    folders,
  });
  const transport = createLineTransport(process.stdin, process.stdout, LIMITS.stdioMessageBytes);
  server.onerror = (error) => log.warn('protocol', { why: explain(error) });
  const gone = new Promise<void>((resolve) => {
    process.stdin.once('end', resolve);
    process.stdin.once('close', resolve);
    // A client that is gone cannot be written to.
    process.stdout.once('error', () => resolve());
    server.onclose = resolve;
  });
  await server.connect(transport);
  await Promise.race([gone, stopped]);
  process.stdin.pause();
  // What was asked before the end is still answered: `printf '…' | strata-memory` works.
  const finished = idle();
  await Promise.race([
    within(LIMITS.saveDeadlineMs, finished),
    stopped.then(() => within(LIMITS.closeMs, finished)),
  ]).catch(() => {});
}

/** The folders that the client names as its roots. */
async function rootFolders(server: Server): Promise<string[]> {
  const folders: string[] = [];
  if (server.getClientCapabilities()?.roots) {
    try {
      const { roots } = await within(LIMITS.rootsMs, server.listRoots());
      for (const { uri } of roots) if (uri.startsWith('file://')) folders.push(fileURLToPath(uri));
    } catch {
      // A client that does not answer is one without roots.
    }
  }
  return folders;
}
