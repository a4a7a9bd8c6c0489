import { z } from 'zod';
import { LIMITS } from '../core/limits.js';
import { cleanNote, cleanTags, projectToSaveIn } from './note-input.js';
import { defineOperation } from './operation.js';
import { receipt, receiptLine, receiptOf } from './receipt.js';

export const saveCheckpoint = defineOperation({
  name: 'save_checkpoint',
  title: 'Save a checkpoint',
  description:
    'Call when work reaches a point to compare with later (before a risky change, a compaction, a hand-over): a snapshot that never changes.',
  input: z.strictObject({
    title: z.string().min(1).max(LIMITS.titleChars),
    content: z.string().min(1).describe('Markdown'),
    project: z.string().optional(),
    tags: z.array(z.string().min(1).max(LIMITS.tagChars)).max(LIMITS.tags).optional(),
  }),
  output: receipt,
  effect: 'add',
  idempotent: true,
  scope: 'write',
  core: false,
  command: {
    name: 'checkpoint',
    about: 'Saves a snapshot of where the work stands; its text comes from --content or standard input',
    positionals: ['title'],
    examples: ["checkpoint 'Before the migration' --content 'All tests pass; the old table still serves.'"],
  },

  async run(input, context) {
    const { services, caller, signal, parent } = context;
    const { title, body } = cleanNote('title', input.title, input.content);
    const project = await projectToSaveIn(input.project, context);
    const tags = cleanTags(input.tags);
    const fields = { title, project, parent: await parent(project), tags };
    const draft = { fields, body, checkpoint: { automatic: false } };
    return receiptOf(await services.writer.save(caller, draft, signal), context);
  },

  format: (saved) => receiptLine(saved, { project: true, blob: false }),
});
