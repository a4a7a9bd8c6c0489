import { expect } from 'vitest';
import { openApp, type TestApp } from './app.js';

export interface CachedApp extends TestApp {
  /** A call whose answer is split from where it came from; what it left for the cache is there when it ends. */
  ask(name: string, args?: Record<string, unknown>): Promise<{ text: string; from: string }>;
}

/**
 * The whole app with a cache that is connected, as it is from a moment after its first use. It is waited for longer than
 * usual: machines that run tests stop for moments, and a miss is no wrong answer.
 */
export async function openCachedApp(
  environment: Record<string, string>,
  subject?: string,
  cacheMs = 3_000,
): Promise<CachedApp> {
  const opened = await openApp(environment, subject, cacheMs);
  const { shelf } = opened.app.services;
  if (shelf.on)
    await expect.poll(() => shelf.tries(), { message: 'the cache is connected', timeout: 20_000 }).toBe(true);
  return {
    ...opened,
    async ask(name, args = {}) {
      const lines = (await opened.call(name, args)).split('\n');
      await shelf.idle();
      return { text: lines.slice(0, -1).join('\n'), from: lines.at(-1) ?? '' };
    },
  };
}

export const draft = (title: string, content: string) => ({ title, content, project: 'test/project' });
