import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { MemoryError } from '../../core/errors.js';
import { tokenCounter } from '../../core/tokens.js';

const NOTES = [
  {
    title: 'Login: sessions expire too early',
    content:
      '# Login: sessions expire too early\n\nUsers were logged out after five minutes. The cookie had `Max-Age=300`: seconds were taken for minutes.\n\n## Decisions\n- Sessions live 8 hours, renewed on use.\n\n## Next steps\n- [ ] Add a test for the renewal\n- [ ] Tell support',
    tags: ['login', 'bug'],
  },
  {
    title: 'Отчёт: выбор базы данных',
    content:
      '# Отчёт: выбор базы данных\n\nСравнили три базы на наших данных.\n\n## Решения\n- Берём Postgres: поиск и транзакции в одном месте.\n\n## Следующие шаги\n- Перенести миграции',
    tags: ['database'],
  },
  {
    title: 'Release 1.4 checklist',
    content:
      'Release 1.4 is planned for Friday. The changelog is written; the smoke test on staging passed.\n\n## Next steps\n- Tag v1.4.0 after the smoke test on production',
    tags: ['release'],
  },
];

/**
 * The main job by hand: starts the real server as a child and, as an MCP client, saves, loads, searches, reads and
 * verifies in a fresh memory under `<home>/quickstart`. Prints what Claude would see, and what to paste into Claude.
 */
export async function quickstart(home: string, main: string): Promise<void> {
  const sandbox = join(home, 'quickstart');
  try {
    rmSync(sandbox, { recursive: true, force: true });
  } catch (error) {
    throw new MemoryError(
      'config',
      `MEMORY_HOME (${home}) cannot be written.`,
      'Set MEMORY_HOME to a folder of yours.',
      error,
    );
  }
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [main],
    env: {
      ...(process.env as Record<string, string>),
      MEMORY_HOME: sandbox,
      MEMORY_PROJECT: 'demo/shop',
      MEMORY_REPO: '',
      MEMORY_BRANCH: '',
      MEMORY_TOOLS: '',
      MEMORY_LOG: 'warn',
    },
    stderr: 'inherit',
  });
  const client = new Client({ name: 'quickstart', version: '1' });
  const count = await tokenCounter();
  const started = performance.now();
  await client.connect(transport);
  say(`Server started and answered in ${since(started)}. Its memory: ${sandbox}\n`);
  try {
    const call = async (name: string, args: Record<string, unknown>) => {
      const at = performance.now();
      const result = await client.callTool({ name, arguments: args });
      const took = since(at);
      const text = (result.content as { text?: string }[]).map((part) => part.text ?? '').join('\n');
      say(`── ${name} ${JSON.stringify(args).slice(0, 110)}\n${text}\n   (${took}, ${count(text)} tokens)\n`);
      if (result.isError)
        throw new MemoryError('config', `${name} failed: its answer is above.`, 'Mend that, then run it again.');
      return text;
    };
    let saved = '';
    for (const note of NOTES) saved = await call('save_session', note);
    await call('load_context', {});
    await call('search_memory', { query: 'why were users logged out?' });
    await call('search_memory', { query: 'какую базу выбрали' });
    await call('read_memory', { id: /`([^`]+)`/.exec(saved)?.[1] ?? '' });
    await call('verify_with_github', {});
    await call('memory_status', {});
  } finally {
    await client.close();
  }
  say(pasteLines(main));
}

function pasteLines(main: string): string {
  const entry = { mcpServers: { 'strata-memory': { command: 'node', args: [main] } } };
  return [
    'Everything above lives in a throw-away folder; your own memory starts empty. To use it, paste:',
    '',
    'Claude Desktop (Settings > Developer > Edit Config, claude_desktop_config.json):',
    JSON.stringify(entry, null, 2),
    '',
    'Claude Code:',
    `claude mcp add --scope user strata-memory -- node ${/\s/.test(main) ? JSON.stringify(main) : main}`,
    '',
  ].join('\n');
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function since(started: number): string {
  return `${(performance.now() - started).toFixed(0)} ms`;
}
