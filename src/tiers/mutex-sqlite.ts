import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'libsql';
import type { Mutex } from '../core/ports.js';
import { makeFolder } from './folder.js';

/**
 * A mutex per name that every process on this machine shares: the write lock of an empty SQLite file. The system
 * releases it however its holder ends, so that no lock ever needs a hand.
 */
export function createSqliteMutex(folder: string): Mutex {
  const turns = new Map<string, Promise<void>>();
  const files = new Map<string, InstanceType<typeof Database>>();

  function open(name: string): InstanceType<typeof Database> {
    let file = files.get(name);
    if (!file) {
      makeFolder(folder);
      file = new Database(join(folder, `${name}.lock.db`), { timeout: 0 });
      files.set(name, file);
    }
    return file;
  }

  async function acquireFile(
    name: string,
    until: number,
    signal?: AbortSignal,
  ): Promise<InstanceType<typeof Database> | null> {
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 1.5, 15)) {
      signal?.throwIfAborted();
      try {
        const file = open(name);
        file.exec('BEGIN IMMEDIATE');
        return file;
      } catch (error) {
        // Not to be had at all (read-only or full disk): go on without.
        if (!/BUSY|LOCKED/.test(String((error as { code?: string }).code))) return null;
      }
      // Tried at least once: a free lock is given even to who has no time to wait.
      if (performance.now() >= until) return null;
      await delay(waitMs * (0.5 + Math.random()));
    }
  }

  /** Whether the turn came before `until`. Throws where the caller gave up. */
  async function turnCame(before: Promise<void>, until: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const stop = new AbortController();
    const giveUp = () => stop.abort();
    signal?.addEventListener('abort', giveUp, { once: true });
    const late = delay(Math.max(0, until - performance.now()), false, { signal: stop.signal }).catch(() => false);
    try {
      const came = await Promise.race([before.then(() => true), late]);
      signal?.throwIfAborted();
      return came;
    } finally {
      signal?.removeEventListener('abort', giveUp);
      stop.abort();
    }
  }

  return {
    async acquire(name, waitMs, signal) {
      const until = performance.now() + waitMs;
      const before = turns.get(name) ?? Promise.resolve();
      let free = () => {};
      const mine = new Promise<void>((resolve) => {
        free = resolve;
      });
      turns.set(
        name,
        before.then(() => mine),
      );
      let file: InstanceType<typeof Database> | null = null;
      try {
        if (await turnCame(before, until, signal)) file = await acquireFile(name, until, signal);
      } finally {
        if (!file) free();
      }
      if (!file) return null;
      const held = file;
      let released = false;
      return () => {
        if (released) return;
        released = true;
        try {
          held.exec('ROLLBACK');
        } catch {
          // A connection that was closed meanwhile has let go of its lock.
        }
        free();
      };
    },
    async close() {
      for (const file of files.values()) file.close();
      files.clear();
    },
  };
}
