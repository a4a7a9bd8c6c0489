import { analyse } from '../search/analyse.js';
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

    /** Those that have one of the terms. */
    async search(caller: Caller, terms: string[], filter: Filter): Promise<HeldNote[]> {
      const wanted = new Set(terms);
      return (await list(caller, filter)).filter(({ document, content }) =>
        analyse(`${document.title} ${decodeText(content).text}`).terms.some((term) => wanted.has(term)),
      );
    },
  };
}

export type Held = ReturnType<typeof createHeld>;
