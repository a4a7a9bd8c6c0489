import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { onTestFinished } from 'vitest';
import { type App, createApp } from '../../src/app.js';
import { readConfig } from '../../src/config.js';
import { localCaller } from '../../src/core/caller.js';
import { createLog } from '../../src/core/log.js';
import { createMcpServer } from '../../src/faces/mcp/server.js';
import { OPERATIONS } from '../../src/operations/index.js';
import { tempFolder } from './home.js';
import { toolCalls } from './server.js';

export interface TestApp extends ReturnType<typeof toolCalls> {
  app: App;
  client: Client;
  home: string;
  logged: string[];
}

/** The whole app in this process, with a real MCP client over an in-memory pair. Closed when the test ends. */
export async function openApp(
  environment: Record<string, string> = {},
  subject = 'tester',
  cacheMs?: number,
): Promise<TestApp> {
  const home = environment.MEMORY_HOME ?? tempFolder();
  const { config } = readConfig([], {
    MEMORY_PROJECT: 'test/project',
    MEMORY_EMBEDDINGS: 'off',
    ...environment,
    MEMORY_HOME: home,
  });
  const logged: string[] = [];
  const log = createLog('debug', (line) => logged.push(line));
  const app = await createApp(config, log, cacheMs);
  const { server } = createMcpServer({
    operations: async () => OPERATIONS,
    services: async () => app.services,
    caller: (client) => localCaller(subject, client),
    project: config.project,
    folders: async () => [],
    log,
  });
  const client = new Client({ name: 'test', version: '1' });
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(theirs), client.connect(ours)]);
  onTestFinished(async () => {
    await client.close();
    await app.close();
  });
  return { app, client, home, logged, ...toolCalls(client) };
}
