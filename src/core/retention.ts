import type { Document } from './documents.js';
import { explain } from './errors.js';
import type { JobResult } from './job.js';
import { LIMITS } from './limits.js';
import type { Log } from './log.js';
import type { Durable, Mirror, Origin } from './ports.js';

export interface RetentionOptions {
  origin: Origin;
  mirror: Mirror;
  durable: Durable;
  /** Contents that nobody has touched for so long stay at the origin only; null: all stay in the mirror. */
  days: number | null;
  log: Log;
}

/** A document that is small enough to be kept and is not: retention took its content. */
export const isShed = (document: Pick<Document, 'bytes'> & { content: Uint8Array | null }) =>
  document.content === null && document.bytes <= LIMITS.indexedBytes;

/**
 * Which contents stay in the mirror. What was read is noted once a day and document, what was fetched again is put back,
 * both behind the answer: a mirror that cannot be written costs the reader nothing.
 */
export function createRetention({ origin, mirror, durable, days, log }: RetentionOptions) {
  let today = 0;
  const touched = new Set<string>();
  const toTouch = new Set<string>();
  const toRestore = new Map<string, { path: string; blob: string; content: Uint8Array }>();
  let restoreBytes = 0;
  let writing: Promise<void> | undefined;
  let closed = false;

  async function write(): Promise<void> {
    while (!closed && (toTouch.size > 0 || toRestore.size > 0)) {
      const paths = [...toTouch];
      const contents = [...toRestore.values()];
      toTouch.clear();
      toRestore.clear();
      restoreBytes = 0;
      try {
        if (paths.length > 0) await mirror.touch(paths);
        if (contents.length > 0) await mirror.restore(contents);
      } catch (error) {
        // The next read of them tries again.
        for (const path of paths) touched.delete(path);
        log.debug('reads not noted', { why: explain(error) });
      }
    }
  }

  function start(): void {
    if (closed) return;
    writing ??= write().finally(() => {
      writing = undefined;
      if (toTouch.size > 0 || toRestore.size > 0) start();
    });
  }

  return {
    /** These documents were read. */
    used(paths: string[]): void {
      if (days === null) return;
      const now = Math.floor(Date.now() / LIMITS.dayMs);
      if (now !== today || touched.size > LIMITS.touchedRemembered) touched.clear();
      today = now;
      for (const path of paths) {
        if (touched.has(path)) continue;
        touched.add(path);
        toTouch.add(path);
      }
      if (toTouch.size > 0) start();
    },

    /** The origin gave a content that the mirror does not keep. */
    fetched({ path, blob }: Pick<Document, 'path' | 'blob'>, content: Uint8Array): void {
      if (content.length > LIMITS.indexedBytes || restoreBytes > LIMITS.stageBytes) return;
      restoreBytes += content.length;
      toRestore.set(path, { path, blob, content });
      start();
    },

    /** Sheds what nobody touched, a portion at a time, and leaves a row in the sync log. */
    async run(signal: AbortSignal): Promise<JobResult> {
      const startedAtMs = Date.now();
      let documents = 0;
      let bytes = 0;
      while (days !== null) {
        signal.throwIfAborted();
        const shed = await mirror.shed(days, LIMITS.shedDocuments);
        documents += shed.documents;
        bytes += shed.bytes;
        if (shed.documents < LIMITS.shedDocuments) break;
      }
      try {
        await durable.syncRan({
          origin: origin.name,
          startedAtMs,
          finishedAtMs: Date.now(),
          reason: 'retention',
          result: documents > 0 ? 'ok' : 'unchanged',
          commit: null,
          details: { shed: documents, bytes },
        });
      } catch (error) {
        log.warn('sync log not written', { why: explain(error) });
      }
      return { outcome: 'ok', note: '' };
    },

    /** Everything that was noted so far is written, or has failed. */
    async settled(): Promise<void> {
      while (writing) await writing;
    },

    async close(): Promise<void> {
      while (writing) await writing;
      closed = true;
    },
  };
}

export type Retention = ReturnType<typeof createRetention>;
