import { maySee } from './caller.js';
import { parseDocument } from './documents.js';
import { LIMITS } from './limits.js';
import { pathOfId } from './paths.js';
import type { Mirror, Origin, ReadTier } from './ports.js';
import type { Sync } from './sync.js';

/**
 * The origin as a tier: recent documents in a mirror in memory, brought to the head before each answer; a document by
 * its id is looked up at the origin itself, however old.
 */
export function originTier(origin: Origin, memory: Mirror, memorySync: Sync): ReadTier {
  return {
    name: 'origin',
    async snapshot(work) {
      const { head } = await memorySync.run({ reason: 'read', newest: LIMITS.degradedDocuments });
      return memory.snapshot((view) =>
        work({
          ...view,
          // What there is at all is not only what is recent.
          paths: async (caller) => (caller ? view.paths(caller) : memorySync.expected(head)),
          async present(caller, ids) {
            const near = await view.present(caller, ids);
            if (head === null || near.size === ids.length) return near;
            const there = await memorySync.expected(head);
            return new Set(ids.filter((id) => near.has(id) || there.has(pathOfId(id))));
          },
          async get(caller, id) {
            const near = await view.get(caller, id);
            if (near || head === null) return near;
            const path = pathOfId(id);
            // As the sync sees it: what `.strataignore` leaves out is no document here either.
            const blob = (await memorySync.expected(head)).get(path);
            const content = blob && (await origin.read([blob])).get(blob);
            if (!blob || !content) return null;
            const { document } = parseDocument({
              path,
              blob,
              type: 'file',
              bytes: content.length,
              content,
              changedMs: (await origin.times(head.commit, new Set([path]))).get(path) ?? Date.now(),
            });
            return maySee(caller, document) ? { ...document, content } : null;
          },
        }),
      );
    },
  };
}
