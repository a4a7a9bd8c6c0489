import type { Caller } from './caller.js';
import type { NoteFields } from './compose.js';
import { MemoryError, toMemoryError } from './errors.js';
import { fence } from './format.js';
import { shortHash } from './hash.js';
import type { Change, Tip } from './ports.js';
import { addRedactions, type Redactions, redact } from './redact.js';

/** What a caller wants remembered; text fields are validated, not yet redacted. */
export interface Draft {
  fields: Omit<NoteFields, 'time' | 'author' | 'client'>;
  body: string;
  /** A document to edit, and the blob id (or its beginning) it was read at. */
  edit?: { id: string; path: string; replaces: string };
  /**
   * Goes into what stands there when it is committed, or is made. A project's record: fields that are not given stay, the
   * text too where `keepBody`. A pattern: into one that says the same, with what both say.
   */
  merge?: { as: 'record'; keepBody: boolean } | { as: 'pattern' };
  /** A checkpoint instead of a session; `automatic`: by the schedule, which makes it again rather than have it wait. */
  checkpoint?: { automatic: boolean };
}

export interface Receipt {
  /**
   * `queued`: kept on this machine, sent as soon as the origin answers. `unknown`: sent, and the answer was lost; it is
   * kept too, and settled by looking for it at the origin.
   */
  status: 'saved' | 'already saved' | 'queued' | 'unknown';
  id: string;
  path: string;
  project: string;
  /** Empty while it is not known to be at the origin. */
  commit: string;
  blob: string;
  /** It went into a document that stood there. */
  merged: boolean;
  redactions: Redactions;
  /** State of each tier, and what went wrong on the way without costing the save. */
  tiers: { origin: 'saved' | 'queued' | 'unknown'; mirror: 'saved' | 'behind' };
  warnings: string[];
  tookMs: number;
}

export interface Pending {
  saveId: string;
  caller: Caller;
  draft: Draft;
  redactions: Redactions;
  /** Found in fields that an edit keeps. */
  keptRedactions: Redactions;
  /** It goes into a document that stands there. */
  merged: boolean;
  deadlineAt: number;
  signal?: AbortSignal;
  /** Answered: whatever comes later must not commit it. */
  answered: boolean;
  resolve(receipt: Receipt): void;
  reject(error: unknown): void;
}

/** A pending save made ready for one head. */
export interface Prepared {
  pending: Pending;
  change: Change;
}

/** Every text of the draft without its secrets; the client's key is kept only as a hash. */
export async function redactDraft(draft: Draft): Promise<{ clean: Draft; redactions: Redactions }> {
  const redactions: Redactions = {};
  const one = async (text: string) => {
    const result = await redact(text);
    addRedactions(redactions, result.redactions);
    return result.text;
  };
  const many = (texts: string[] | undefined) => (texts === undefined ? undefined : Promise.all(texts.map(one)));
  const { fields } = draft;
  const clean: Draft = {
    ...draft,
    body: await one(draft.body),
    fields: {
      ...fields,
      title: await one(fields.title),
      parent: fields.parent === undefined ? undefined : await one(fields.parent),
      summary: fields.summary === undefined ? undefined : await one(fields.summary),
      type: fields.type === undefined ? undefined : await one(fields.type),
      tags: await many(fields.tags),
      evidence: await many(fields.evidence),
      decisions: await many(fields.decisions),
      next_steps: await many(fields.next_steps),
      priority: fields.priority === undefined ? undefined : await one(fields.priority),
      status: fields.status === undefined ? undefined : await one(fields.status),
      key: fields.key === undefined ? undefined : shortHash(fields.key, 24),
    },
  };
  return { clean, redactions };
}

/** Those of the draft's fields that the caller gave. */
export function givenFields(draft: Draft): Partial<Draft['fields']> {
  return Object.fromEntries(Object.entries(draft.fields).filter(([, value]) => value !== undefined));
}

/** Fields that an edit keeps were never looked at where another program wrote them. */
export async function withoutSecrets(
  pending: Pending,
  kept: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const clean: Record<string, unknown> = {};
  pending.keptRedactions = {};
  const one = async (value: unknown): Promise<unknown> => {
    if (Array.isArray(value)) return Promise.all(value.map(one));
    if (typeof value !== 'string') return value;
    const { text, redactions } = await redact(value);
    addRedactions(pending.keptRedactions, redactions);
    return text;
  };
  for (const [name, value] of Object.entries(kept)) clean[name] = await one(value);
  return clean;
}

function total(...counts: Redactions[]): Redactions {
  const sum: Redactions = {};
  for (const each of counts) addRedactions(sum, each);
  return sum;
}

export function receiptFor(
  pending: Pending,
  path: string,
  blob: string,
  tip: Tip | null,
  status: Receipt['status'],
  mirror: 'saved' | 'behind',
  warnings: string[],
): Receipt {
  return {
    status,
    id: path.replace(/\.md$/, ''),
    path,
    project: pending.draft.fields.project,
    commit: tip?.commit ?? '',
    blob,
    merged: pending.merged,
    redactions: total(pending.redactions, pending.keptRedactions),
    tiers: { origin: status === 'already saved' ? 'saved' : status, mirror },
    warnings,
    tookMs: 0,
  };
}

export function staleEdit(id: string, current: string | null): MemoryError {
  return current === null
    ? new MemoryError(
        'conflict',
        `${id} was removed at the origin since you read it. Nothing was saved.`,
        'Save without `id` to make a new note.',
      )
    : new MemoryError(
        'conflict',
        `${id} has changed since you read it: it is now blob ${current}. Nothing was saved.`,
        `Read it again, merge your change, then save with replaces=${current}.`,
      );
}

export function keyTaken(id: string, blob: string): MemoryError {
  return new MemoryError(
    'conflict',
    // The id is made from a title, so it is stored text.
    `This key already names a note with other content. Nothing was saved.\n${fence(`${id} (blob ${blob})`, 'stored id')}\n`,
    `To change that note save with its id and replaces=${blob}; for a new note use another key.`,
  );
}

/** Sent, and nobody could say what became of it. */
export function unknownOutcome(sent: Prepared[], cause: unknown): MemoryError {
  const ids = sent.map(({ change }) => change.path.replace(/\.md$/, ''));
  return new MemoryError(
    'origin_unavailable',
    `It is unknown whether this was saved: ${toMemoryError(cause).message} It may have been saved as ${ids.slice(0, 3).join(', ')}${ids.length > 3 ? ` and ${ids.length - 3} more` : ''}.`,
    'Save the same again in a moment: what was saved is recognised and not saved twice.',
    cause,
  );
}

export function cancelled(): MemoryError {
  return new MemoryError(
    'cancelled',
    'The save was cancelled before it was sent. Nothing was saved.',
    'Save again when you need it.',
  );
}
