import { z } from 'zod';
import type { Caller } from '../core/caller.js';
import { PRIVACY } from '../core/documents.js';
import { MemoryError, toMemoryError } from '../core/errors.js';
import { cleanId, cleanLine, cleanText } from '../core/input.js';
import { LIMITS } from '../core/limits.js';
import { pathOfId, readablePath } from '../core/paths.js';
import type { Services } from '../core/services.js';
import { cleanLines, cleanNote, cleanTags, projectToSaveIn } from './note-input.js';
import { defineOperation } from './operation.js';
import { receipt, receiptLine, receiptOf } from './receipt.js';
import { unknownId } from './unknown-id.js';

const item = z.string().min(1).max(LIMITS.itemChars);

export const saveSession = defineOperation({
  name: 'save_session',
  title: 'Save a session note',
  description:
    'Call when work worth remembering was done or decided, and at the end of a session. One call is one commit; only "saved" means it is safe. To edit a note give its id and replaces (its blob).',
  input: z.strictObject({
    title: z.string().min(1).max(LIMITS.titleChars),
    content: z.string().min(1).describe('Markdown'),
    project: z.string().optional().describe('default: where you work'),
    summary: z.string().max(LIMITS.summaryChars).optional(),
    decisions: z.array(item).max(LIMITS.items).optional(),
    next_steps: z.array(item).max(LIMITS.items).optional(),
    tags: z.array(z.string().min(1).max(LIMITS.tagChars)).max(LIMITS.tags).optional(),
    priority: z.enum(['low', 'normal', 'high', 'critical']).optional(),
    status: z.string().max(40).optional(),
    privacy: z.enum(PRIVACY).optional(),
    tokens_used: z.int().min(0).max(1_000_000_000).optional(),
    key: z.string().min(1).max(LIMITS.keyChars).optional().describe('idempotency key'),
    id: z.string().optional(),
    replaces: z.string().optional().describe('blob id you read'),
  }),
  output: receipt,
  effect: 'add',
  idempotent: true,
  scope: 'write',
  core: true,
  command: {
    name: 'save',
    about: 'Saves a note; its text comes from --content or standard input',
    positionals: ['title'],
    examples: [
      "save 'Fixed the login' --content 'The cookie lived five minutes.' --tags bug",
      "save 'Release notes' < notes.md",
    ],
    refuse: ({ privacy }) =>
      privacy === 'EPHEMERAL'
        ? new MemoryError(
            'refused',
            'An EPHEMERAL note lives in the process that holds it, and this command ends with its answer. Nothing was saved.',
            'Save it with --privacy TEAM, or have Claude save it as EPHEMERAL in its session.',
          )
        : null,
  },

  async run(input, context) {
    const { services, caller, signal, parent } = context;
    const { title, body } = cleanNote('title', input.title, input.content);
    if (input.privacy === 'PRIVATE') {
      throw new MemoryError(
        'refused',
        'PRIVATE notes must be encrypted at the origin, and this server cannot do that yet. Nothing was saved.',
        'Use TEAM, or EPHEMERAL to keep the note in this process only.',
      );
    }
    const edit = editOf(input.id, input.replaces);
    if (edit && input.replaces === undefined) throw await replacesMissing(services, caller, edit.id);
    const named = await projectToSaveIn(input.project, context);
    const fields = {
      title,
      project: named,
      // An edited note keeps its own.
      parent: edit ? undefined : await parent(named),
      summary: input.summary === undefined ? undefined : cleanLine('summary', input.summary),
      tags: cleanTags(input.tags),
      decisions: cleanLines('decisions', input.decisions),
      next_steps: cleanLines('next_steps', input.next_steps),
      priority: input.priority,
      status: input.status === undefined ? undefined : cleanLine('status', input.status),
      privacy: input.privacy,
      tokens_used: input.tokens_used,
      key: input.key === undefined ? undefined : cleanText('key', input.key),
    };
    if (input.privacy === 'EPHEMERAL') {
      if (edit)
        throw new MemoryError(
          'invalid_input',
          'A saved note cannot become EPHEMERAL: its history is at the origin. Nothing was done.',
          'Save without id and replaces.',
        );
      const kept = services.ephemeral.save(caller, { ...fields, body });
      return {
        status: 'kept in memory' as const,
        id: kept.id,
        path: '',
        project: named,
        commit: '',
        blob: kept.blob,
        beside: '',
        redactions: {},
        tiers: { origin: 'none', mirror: 'none' },
        warnings: [],
        tookMs: 0,
      };
    }
    const saved = await services.writer.save(caller, { fields, body, edit }, signal).catch(async (error) => {
      if (!edit || toMemoryError(error).code !== 'not_found') throw error;
      throw await noSuchNote(services, caller, edit.id);
    });
    if (saved.status !== 'already saved') {
      const { decisions = [], next_steps: steps = [], summary = '' } = fields;
      services.uses.cited(caller, [title, body, summary, ...decisions, ...steps]);
    }
    return receiptOf(saved, context);
  },

  format(saved, input) {
    if (saved.status === 'kept in memory')
      return `Kept in this process's memory only, until it ends: \`${saved.id}\` (project ${saved.project}). Not saved anywhere.`;
    // An edited note keeps its own project, which is stored text.
    return receiptLine(saved, { project: input.id === undefined, blob: true });
  },
});

function editOf(
  id: string | undefined,
  replaces: string | undefined,
): { id: string; path: string; replaces: string } | undefined {
  if (id === undefined && replaces === undefined) return undefined;
  if (id === undefined)
    throw new MemoryError(
      'invalid_input',
      '`replaces` needs the `id` of the note to edit. Nothing was saved.',
      'Give both, or neither for a new note.',
    );
  const clean = cleanId(id).replace(/\.md$/, '');
  const path = pathOfId(clean);
  // By what it names, however it is quoted.
  if (readablePath(path).startsWith('checkpoints/'))
    throw new MemoryError('refused', 'Checkpoints are immutable. Nothing was saved.', 'Save a new note or checkpoint.');
  const blob = (replaces ?? '').trim().toLowerCase();
  if (replaces !== undefined && !/^[0-9a-f]{7,64}$/.test(blob))
    throw new MemoryError(
      'invalid_input',
      '`replaces` is no blob id (7 to 64 hex digits). Nothing was saved.',
      'Use the blob that read_memory printed for this note.',
    );
  return { id: clean, path, replaces: blob };
}

/** An edit has to say which version it was made from: the answer carries the one to use. */
async function replacesMissing(services: Services, caller: Caller, id: string): Promise<MemoryError> {
  const held = (await services.held.get(caller, id))?.document;
  const read = () => services.reader.read(caller, 'fresh', 'fresh', (reading) => reading.get(caller, id));
  const value = held ?? (await read()).value;
  if (!value) return noSuchNote(services, caller, id);
  return new MemoryError(
    'invalid_input',
    `To edit a note \`replaces\` must say which version you read; it is now blob ${value.blob}. Nothing was saved.`,
    `Read it, merge your change, then save with replaces=${value.blob}.`,
  );
}

async function noSuchNote(services: Services, caller: Caller, id: string): Promise<MemoryError> {
  const { value } = await services.reader.read(caller, 'fast', 'fast', (reading) => reading.ids(caller));
  return unknownId(id, value, 'There is no note with this id to edit. Nothing was saved.');
}
