import { expect, test } from 'vitest';
import { LIMITS } from '../../src/core/limits.js';
import { openApp } from '../support/app.js';
import { openGitHub } from '../support/outbox.js';

/** Nobody listens there. */
const NOWHERE = 'postgres://ann:hunter2secret@127.0.0.1:1/memory';

const day = (at: number) => new Date(Date.UTC(2025, 0, 1) + at * 86_400_000).toISOString().slice(0, 10);

test('without its mirror a memory on GitHub reads the newest notes in few requests, once', async () => {
  const { github, environment } = await openGitHub();
  const count = LIMITS.degradedDocuments + 100;
  const path = (at: number) => `sessions/p/q/${day(at)}-note.md`;
  await github.seed(
    Object.fromEntries(
      Array.from({ length: count }, (_, at) => [
        path(at),
        `# Note ${at}\n\nDate: ${day(at)}\n\nThe ${at === 0 ? 'mammoth' : `walrus${at}`} decided.\n`,
      ]),
    ),
  );
  const app = await openApp({ ...environment, MEMORY_READ_DEADLINE: '20s', DATABASE_URL: NOWHERE });
  const requests = async (tool: string, args: Record<string, unknown>, wanted: RegExp) => {
    github.clearLog();
    expect(await app.call(tool, args)).toMatch(wanted);
    return github.log.length;
  };
  const degraded = /skipped mirror: .*degraded: the newest 500 documents only/;
  const first = await requests('load_context', { project: 'p/q' }, degraded);
  expect(first).toBeLessThanOrEqual(2 + Math.ceil(LIMITS.degradedDocuments / LIMITS.githubBlobs) + 2);
  // One conditional question each: nothing is fetched again.
  const query = { query: `walrus${count - 1}` };
  expect(await requests('search_memory', query, new RegExp(`The walrus${count - 1} decided`))).toBe(1);
  expect(await requests('load_context', { project: 'p/q' }, degraded)).toBe(1);
  expect(github.log.at(-1)).toMatchObject({ conditional: true, status: 304 });
  // An old one is not among them: its text is asked for by its id.
  expect(await requests('search_memory', { query: 'mammoth' }, /Nothing found[\s\S]*degraded/)).toBe(1);
  expect(await requests('read_memory', { id: path(0).replace('.md', '') }, /The mammoth decided/)).toBeLessThanOrEqual(
    3,
  );
  // Somebody else's change is one more note to fetch.
  await github.commitOutside({ [path(count)]: '# New\n\nThe zebra decided.\n' });
  expect(await requests('search_memory', { query: 'zebra' }, /The zebra decided/)).toBeLessThanOrEqual(4);
});
