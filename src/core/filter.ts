import type { Document } from './documents.js';
import type { Filter } from './ports.js';

/** What the mirrors' SQL does for documents that are not in one. */
export function matches(document: Document, filter: Filter): boolean {
  return (
    (filter.projects === undefined || filter.projects.includes(document.project)) &&
    (filter.kinds === undefined || filter.kinds.includes(document.kind)) &&
    (filter.privacy === undefined || filter.privacy === document.privacy) &&
    (filter.tags ?? []).every((tag) => document.tags.includes(tag.toLowerCase())) &&
    document.timeMs >= (filter.afterMs ?? Number.NEGATIVE_INFINITY) &&
    document.timeMs < (filter.beforeMs ?? Number.POSITIVE_INFINITY)
  );
}
