import { analyse } from '../search/analyse.js';
import type { Query } from '../search/query.js';
import type { Terms } from '../search/terms.js';
import type { Caller } from './caller.js';
import { type Document, decodeText } from './documents.js';
import type { Ephemeral } from './ephemeral.js';
import type { Outbox } from './outbox.js';
import type { Filter } from './ports.js';

/** A note that no tier has: in this process only, or waiting for the origin. */
export interface HeldNote {
  document: Document;
  content: Uint8Array;
  /** It waits for the origin; what a tier says of the same path is older. */
  queued: boolean;
}

/** Whether a phrase's terms stand in a text as far from each other as in the phrase. */
function stands(text: Terms, phrase: Terms): boolean {
  const at = new Set(text.terms.map((term, n) => `${text.places[n]} ${term}`));
  return text.terms.some(
    (first, n) =>
      first === phrase.terms[0] &&
      phrase.terms.every((term, m) => at.has(`${(text.places[n] ?? 0) + (phrase.places[m] ?? 0)} ${term}`)),
  );
}

/** What is to be answered beside what the tiers give. */
export function createHeld({ ephemeral, outbox }: { ephemeral: Ephemeral; outbox: Outbox }) {
  async function list(caller: Caller, filter: Filter): Promise<HeldNote[]> {
    const waiting = await outbox.documents(caller, filter);
    return [
      ...ephemeral.list(caller, filter).map((note) => ({ ...note, queued: false })),
      ...waiting.map(({ document, entry }) => ({ document, content: entry.content, queued: true })),
    ];
  }

  return {
    /** Newest first. */
    list,

    async get(caller: Caller, id: string): Promise<HeldNote | null> {
      const kept = ephemeral.get(caller, id);
      if (kept) return { ...kept, queued: false };
      const waiting = await outbox.get(caller, id);
      return waiting && { document: waiting.document, content: waiting.entry.content, queued: true };
    },

    /** Those that have one of the query's terms, all of its phrases and none of what it excludes; with their terms. */
    async search(
      caller: Caller,
      { wanted, phrases, without }: Pick<Query, 'wanted' | 'phrases' | 'without'>,
      filter: Filter,
    ): Promise<(HeldNote & { terms: string[] })[]> {
      return (await list(caller, filter)).flatMap((note) => {
        const read = analyse(`${note.document.title} ${decodeText(note.content).text}`);
        const has = (phrase: Terms) => stands(read, phrase);
        const own = new Set(read.terms);
        const terms = wanted.map(({ term }) => term).filter((term) => own.has(term));
        if (wanted.length > 0 && terms.length === 0) return [];
        return phrases.every(has) && !without.some(has) ? [{ ...note, terms }] : [];
      });
    },
  };
}

export type Held = ReturnType<typeof createHeld>;
