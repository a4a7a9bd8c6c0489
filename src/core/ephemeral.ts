import { randomUUID } from 'node:crypto';
import type { Caller } from './caller.js';
import type { NoteFields } from './compose.js';
import { digestOf } from './digest.js';
import { bodyHash, type Document } from './documents.js';
import { matches } from './filter.js';
import { objectId } from './hash.js';
import { LIMITS } from './limits.js';
import type { Filter } from './ports.js';

/** EPHEMERAL notes: in this process's memory, seen by the one who saved them, gone when it ends. */
export function createEphemeral() {
  let notes: { document: Document; content: Uint8Array }[] = [];

  const visible = (caller: Caller, filter: Filter) =>
    notes.filter(({ document }) => document.author === caller.subject && matches(document, filter));

  return {
    save(
      caller: Caller,
      note: Pick<
        NoteFields,
        'title' | 'project' | 'summary' | 'tags' | 'decisions' | 'next_steps' | 'priority' | 'status'
      > & { body: string },
    ): Document {
      const content = new TextEncoder().encode(note.body);
      const id = `ephemeral/${randomUUID().slice(0, 8)}`;
      const document: Document = {
        id,
        path: id,
        blob: objectId('blob', content, 'sha1'),
        kind: 'session',
        project: note.project,
        title: note.title,
        timeMs: Date.now(),
        tags: note.tags ?? [],
        digest: digestOf(note.body, {
          summary: note.summary,
          decisions: note.decisions,
          nextSteps: note.next_steps,
        }),
        author: caller.subject,
        client: caller.client,
        privacy: 'EPHEMERAL',
        priority: note.priority ?? '',
        status: note.status ?? '',
        parent: '',
        targetRevenue: null,
        currentRevenue: null,
        bytes: content.length,
        reason: null,
        saveKey: '',
        bodyHash: bodyHash(note.body),
      };
      notes = [{ document, content }, ...notes].slice(0, LIMITS.ephemeralNotes);
      return document;
    },
    get: (caller: Caller, id: string) => visible(caller, {}).find(({ document }) => document.id === id) ?? null,
    list: visible,
  };
}

export type Ephemeral = ReturnType<typeof createEphemeral>;
