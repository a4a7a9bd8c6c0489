import { expect, onTestFinished, test, vi } from 'vitest';
import { openApp } from '../support/app.js';
import { startGitHub } from '../support/github.js';

test('a repository that is made public under a running server gets one save more at most', async () => {
  const github = await startGitHub();
  onTestFinished(() => github.close());
  const { call, fail } = await openApp({
    MEMORY_REPO: 'ann/notes',
    GITHUB_TOKEN: github.token,
    GITHUB_API_URL: github.apiUrl,
  });
  expect(await call('save_session', { title: 'One', content: 'while it is private' })).toMatch(/^Saved/);
  await github.setPublic();
  await call('save_session', { title: 'Two', content: 'nobody could know yet' });
  expect(await fail('save_session', { title: 'Three', content: 'for everybody to read' })).toMatch(/is public/);
});

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
