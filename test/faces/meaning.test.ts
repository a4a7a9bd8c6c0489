import { expect, onTestFinished, test } from 'vitest';
import { tempFolder } from '../support/home.js';
import { runProgram, startServer } from '../support/server.js';

const NOTES = {
  'Sessions end early': 'Users were thrown out of the web shop after ten minutes because the cookie expired.',
  'Birthday cake': 'The cake needs four eggs, flour and some sugar.',
  'Disk full': 'The database stopped since there was no space left on its volume.',
};

test('a server embeds what it holds in the background; then notes are found by what they mean', async () => {
  const home = tempFolder();
  const server = await startServer({ MEMORY_HOME: home, MEMORY_EMBEDDINGS: 'minilm' });
  onTestFinished(() => server.close());
  for (const [title, content] of Object.entries(NOTES)) await server.call('save_session', { title, content });
  const asked = { query: 'authentication timeout' };
  const all = /^Meaning: (\d+) of \1 passages by all-MiniLM-L6-v2/m;
  await expect.poll(() => server.call('memory_status'), { timeout: 45_000, interval: 300 }).toMatch(all);
  const found = await server.call('search_memory', asked);
  expect(found).toMatch(/by meaning/);
  expect(found.indexOf('Sessions end early')).toBeGreaterThan(0);
  // Another process reads the same vectors; a command embeds nothing by itself.
  const environment = { MEMORY_HOME: home, MEMORY_EMBEDDINGS: 'minilm' };
  const command = await runProgram(['search', asked.query], environment);
  expect(command.stdout).toMatch(/Sessions end early.*by meaning/);
  const words = await runProgram(['search', asked.query], { ...environment, MEMORY_EMBEDDINGS: 'off' });
  expect(words.stdout).toMatch(/Nothing found/);
});
