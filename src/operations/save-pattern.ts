import { z } from 'zod';
import { patternPath } from '../core/compose.js';
import { MemoryError } from '../core/errors.js';
import { fence, redactionsLine } from '../core/format.js';
import { readFrontMatter } from '../core/frontmatter.js';
import { cleanId, cleanLine } from '../core/input.js';
import { LIMITS } from '../core/limits.js';
import { idOfPath } from '../core/paths.js';
import { cleanNote, cleanTags, HEADINGS, projectToSaveIn } from './note-input.js';
import { type Context, defineOperation } from './operation.js';
import { meantId, unknownId } from './unknown-id.js';

export const savePattern = defineOperation({
  name: 'save_pattern',
  title: 'Save a pattern',
  description:
    'Call when a lesson is worth applying again: what to do when, and why. One that says the same is extended, not doubled.',
  input: z.strictObject({
    name: z.string().min(1).max(LIMITS.titleChars),
    type: z.string().min(1).max(LIMITS.tagChars).describe('decision, fix, pitfall, workflow…'),
    content: z.string().min(1).describe('Markdown'),
    project: z.string().optional(),
    evidence: z.array(z.string().min(1)).max(LIMITS.items).optional().describe('ids of the notes it comes from'),
    tags: z.array(z.string().min(1).max(LIMITS.tagChars)).max(LIMITS.tags).optional(),
  }),
  output: z.object({
    status: z.enum(['saved', 'already saved', 'queued', 'unknown']),
    id: z.string(),
    path: z.string(),
    project: z.string(),
    /** It went into a pattern that was there. */
    merged: z.boolean(),
    /** It stands under its own name, not under that of another one that says the same. */
    own: z.boolean(),
    commit: z.string(),
    blob: z.string(),
    redactions: z.record(z.string(), z.number()),
    warnings: z.array(z.string()),
  }),
  effect: 'add',
  idempotent: true,
  scope: 'write',
  core: false,
  command: {
    name: 'pattern',
    about: 'Saves a lesson to apply again; its text comes from --content or standard input',
    positionals: ['name'],
    examples: ["pattern 'Retry uploads with backoff' --type fix --content 'On a 503 wait, then try again.'"],
  },

  async run(input, context) {
    const { services, caller, signal } = context;
    const { title, body } = cleanNote(
      'name',
      input.name,
      input.content,
      LIMITS.patternBytes,
      'Save the whole as a session, the lesson as the pattern, and name the session as its evidence.',
    );
    if (readFrontMatter(body).body.trim() === '')
      throw new MemoryError(
        'invalid_input',
        '`content` is front matter without a text. Nothing was saved.',
        'Write the lesson below it.',
      );
    const type = cleanLine('type', input.type).toLowerCase();
    if (type === '')
      throw new MemoryError(
        'invalid_input',
        '`type` is empty. Nothing was saved.',
        'Give a word, like fix or pitfall.',
      );
    const project = await projectToSaveIn(input.project, context);
    const fields = {
      title,
      project,
      parent: await context.parent(project),
      type,
      tags: cleanTags(input.tags),
      evidence: await evidenceOf(input.evidence, idOfPath(patternPath(project, title)), context),
    };
    const receipt = await services.writer.save(caller, { fields, body, merge: { as: 'pattern' } }, signal);
    const { status, id, path, merged, commit, blob, redactions, warnings } = receipt;
    if (status !== 'already saved') services.uses.cited(caller, [body, ...(fields.evidence ?? [])]);
    const own = Object.keys(redactions).length === 0 && path === patternPath(project, title);
    return { status, id, path, project, merged, own, commit, blob, redactions, warnings };
  },

  format({ status, id, project, merged, own, commit, blob, redactions, warnings }) {
    const into = merged && status !== 'already saved' ? 'merged into ' : '';
    const parts = [
      `${HEADINGS[status]}: ${into}${own ? `\`${id}\`` : 'the pattern named below'}`,
      `project ${project}`,
      `blob ${blob}`,
      commit === '' ? '' : `commit ${commit.slice(0, 12)}`,
      redactionsLine(redactions),
      ...warnings.map((each) => `warning: ${each}`),
    ];
    const receipt = parts.filter((part) => part !== '').join(' · ');
    // Another one's name is stored text.
    return own ? receipt : `${receipt}\n${fence(id, 'stored id')}`;
  },
});

/** The notes that a pattern comes from, by their whole ids. Throws `not_found`, with the nearest ones. */
async function evidenceOf(given: string[] | undefined, own: string, { services, caller }: Context) {
  if (given === undefined || given.length === 0) return undefined;
  const plain = given.map((each) => cleanId(each).replace(/\.md$/, ''));
  const held = await services.held.list(caller, {});
  const waiting = held.filter(({ queued }) => queued).map(({ document }) => document.id);
  const { value } = await services.reader.read(caller, 'fast', 'fast', async (reading) => {
    const present = await reading.present(caller, plain);
    for (const id of waiting) present.add(id);
    return { present, ids: plain.every((id) => present.has(id)) ? [] : [...(await reading.ids(caller)), ...waiting] };
  });
  const found: string[] = [];
  for (const each of plain) {
    const id = value.present.has(each) ? each : meantId(each, value.ids);
    if (id === own)
      throw new MemoryError(
        'invalid_input',
        'A pattern cannot be evidence of itself. Nothing was saved.',
        'Name the notes it comes from, or leave `evidence` out.',
      );
    if (id === null && held.some(({ document }) => document.id === each))
      throw new MemoryError(
        'refused',
        'An EPHEMERAL note is gone when its process ends, so nothing can point at it. Nothing was saved.',
        'Leave it out, or save it as TEAM first.',
      );
    if (id === null)
      throw unknownId(each, value.ids, 'There is no note with one of the ids in `evidence`. Nothing was saved.');
    found.push(id);
  }
  return [...new Set(found)];
}
