import { expect } from 'vitest';
import { openApp, type TestApp } from './app.js';

export interface CachedApp extends TestApp {
  /** A call whose answer is split from where it came from; what it left for the cache is there when it ends. */
  ask(name: string, args?: Record<string, unknown>): Promise<{ text: string; from: string }>;
}

/** The whole app with a cache that is connected, as it is from a moment after its first use. */
export async function openCachedApp(environment: Record<string, string>, subject?: string): Promise<CachedApp> {
  const opened = await openApp(environment, subject);
  const { shelf } = opened.app.services;
  if (shelf.on) expect(await shelf.tries(), 'the cache is connected').toBe(true);
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
