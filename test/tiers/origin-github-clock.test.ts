import { expect, onTestFinished, test, vi } from 'vitest';
import { openApp } from '../support/app.js';
import { startGitHub } from '../support/github.js';

test('a clock that is set back by two hours holds nothing up', async () => {
  const github = await startGitHub();
  onTestFinished(() => github.close());
  const { call } = await openApp({
    MEMORY_REPO: 'ann/notes',
    GITHUB_TOKEN: github.token,
    GITHUB_API_URL: github.apiUrl,
  });
  expect(await call('save_session', { title: 'Before', content: 'before the clock was set' })).toMatch(/^Saved/);
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  vi.setSystemTime(Date.now() - 2 * 3_600_000);
  expect(await call('save_session', { title: 'After', content: 'after the clock was set' })).toMatch(/^Saved/);
  expect(await call('list_sessions', { consistency: 'verified' })).toMatch(/After[\s\S]*verified at the origin/);
  expect(await call('sync_now')).toMatch(/^Synced/);
});
