import { z } from 'zod';
import { type Document, decodeText } from '../core/documents.js';
import { MemoryError } from '../core/errors.js';
import { asOfLine, day, fence, kilobytes, provenanceLine } from '../core/format.js';
import { cleanId } from '../core/input.js';
import { pathOfId } from '../core/paths.js';
import type { Provenance } from '../core/provenance.js';
import type { Consistency } from '../core/reader.js';
import { headingOf } from '../search/markdown.js';
import { goneSources } from './gone-sources.js';
import { asOf, asOfAnswer, type Context, consistency, defineOperation, provenance } from './operation.js';
import { noteNamed, unknownId } from './unknown-id.js';

export const readMemory = defineOperation({
  name: 'read_memory',
  title: 'Read one note',
  description: 'Call to read one note, or one section of it, by the id that other tools print.',
  input: z.strictObject({
    id: z.string().min(1),
    section: z.string().min(1).max(500).optional().describe('a heading in it'),
    as_of: asOf,
    consistency,
  }),
  output: z.object({
    id: z.string(),
    kind: z.string(),
    project: z.string(),
    timeMs: z.number(),
    blob: z.string(),
    bytes: z.number(),
    reason: z.string().nullable(),
    section: z.string().nullable(),
    text: z.string(),
    /** The exact bytes, where they are not UTF-8 text. */
    base64: z.string().nullable(),
    /** Of a pattern: how often it was of use, how many notes it was drawn from, and which of them cannot be found. */
    pattern: z.object({ uses: z.number(), sources: z.number(), gone: z.array(z.string()) }).nullable(),
    asOf: asOfAnswer,
    provenance,
  }),
  effect: 'read',
  idempotent: true,
  scope: 'read',
  core: true,
  command: {
    name: 'read',
    about: 'Prints one note, or one section of it',
    positionals: ['id'],
    examples: [
      'read sessions/owner/repo/2026/11/20261121T120000000Z-login-ab12',
      "read 20261121T120000000Z-login-ab12 --section 'Next steps'",
      'read 20261121T120000000Z-login-ab12 --as-of 2026-12-01',
    ],
  },

  async run(input, context) {
    const id = cleanId(input.id);
    if (input.as_of !== undefined) return runAsOf(id, input.as_of, input, context);
    const { services, caller } = context;
    const lost = /^conflicts\/(\d+)$/.exec(id)?.[1];
    if (lost !== undefined) {
      const { name, document, content } = await services.conflicts.get(caller, Number(lost));
      return { ...answerOf({ ...document, content }, input.section, LOST), id: name };
    }
    const held = await services.held.get(caller, id.replace(/\.md$/, ''));
    if (held) {
      const found = { ...held.document, content: held.content };
      return answerOf(
        found,
        input.section,
        held.queued ? IN_OUTBOX : IN_PROCESS,
        null,
        await patternOf(found, context),
      );
    }
    const { value, provenance: from } = await services.reader.read(
      caller,
      input.consistency,
      'fast',
      async (reading) => {
        const found = await noteNamed(reading, caller, id);
        if (found) return { ...found, content: found.content ?? (await reading.content(found)) };
        throw unknownId(id, await reading.ids(caller));
      },
      { name: 'read_memory', input: id },
    );
    return answerOf(value, input.section, from, null, await patternOf(value, context));
  },

  format(output, input) {
    // Outside the fence stand our own words and the caller's: an id that was given in part is stored text.
    const plain = (id: string) => id.normalize('NFC').trim().replace(/\.md$/, '').trim();
    const named = plain(input.id) === plain(output.id);
    const facts = [
      ...(named ? [`\`${output.id}\``] : []),
      output.kind,
      day(output.timeMs),
      `blob ${output.blob}`,
      kilobytes(output.bytes),
    ];
    if (output.pattern !== null) facts.push(`used ${output.pattern.uses}×`);
    if (output.section !== null) facts.push('one section');
    if (output.reason !== null) facts.push(`doubtful: ${output.reason}`);
    if (output.base64 !== null) facts.push('its exact bytes are attached');
    const whole = named ? '' : `\n${fence(`id: ${output.id}`, 'stored id')}`;
    const { sources, gone } = output.pattern ?? { sources: 0, gone: [] };
    const lost =
      gone.length === 0
        ? ''
        : `\n${gone.length} of its ${sources} sources cannot be found:\n${fence(gone.map((id) => `- \`${id}\``).join('\n'), 'stored ids')}`;
    const { tier } = output.provenance;
    const from = [IN_PROCESS.tier, IN_OUTBOX.tier, LOST.tier].includes(tier) ? tier : provenanceLine(output.provenance);
    const { asOf: then } = output;
    const isNow = then?.commit === output.provenance.commit;
    const as = then === null ? '' : `${asOfLine(then)}${isNow ? '' : ', not now'} · `;
    return `${facts.join(' · ')}\n${fence(output.text, 'stored note')}${whole}${lost}\n${as}${from}`;
  },

  told(_, { id, pattern }, { services }) {
    if (pattern !== null) services.uses.count([id]);
  },

  attachment(output) {
    if (output.base64 === null) return null;
    return { uri: `memory://${encodeURI(output.id)}`, mimeType: 'application/octet-stream', blob: output.base64 };
  },
});

/** What is known of a pattern beside its text: how often it was of use, and which of its sources are gone. */
async function patternOf({ id, kind, digest }: Document, context: Context): Promise<Answer['pattern']> {
  if (kind !== 'pattern') return null;
  const evidence = digest.pattern?.evidence ?? [];
  const uses = (await context.services.uses.of([id])).get(id) ?? 0;
  const gone = (await goneSources([{ id, evidence }], context)).get(id) ?? [];
  return { uses, sources: evidence.length, gone };
}

type Answer = ReturnType<typeof answerOf>;

/** Where an EPHEMERAL note comes from: no tier has it. */
const IN_PROCESS: Provenance = {
  tier: 'memory of this process only',
  commit: null,
  generation: 0,
  ageMs: null,
  verified: false,
  skipped: [],
  notes: [],
};

/** Where the text of an edit comes from that lost to a newer version. */
const LOST: Provenance = {
  ...IN_PROCESS,
  tier: 'conflicts of this machine: a queued edit that lost to a newer version; this text is not in the memory',
};

/** Where a queued note comes from. */
const IN_OUTBOX: Provenance = { ...IN_PROCESS, tier: 'outbox of this machine: queued, not at the origin yet' };

/** The note as it was. What waits for the origin, or is nowhere else, was in no commit. */
async function runAsOf(
  id: string,
  asOfText: string,
  input: { section?: string; consistency?: Consistency },
  { services, caller }: Context,
) {
  const then = await services.asOf.at(caller, asOfText, input.consistency);
  const { value, provenance: from } = await services.reader.read(caller, input.consistency, 'fast', async (reading) => {
    const found = await services.asOf.document(caller, reading, then, id);
    if (found) return { ...found.document, content: found.content };
    const when = asOfLine(then);
    const now = await reading.get(caller, id.replace(/\.md$/, ''));
    if (now)
      throw new MemoryError(
        'not_found',
        `This note was not in the memory ${when}. It is now, dated ${day(now.timeMs)}.`,
        'Ask for a later time, or leave `as_of` out.',
      );
    const known = (await reading.ids(caller)).filter((each) => then.entries.has(pathOfId(each)));
    throw unknownId(id, known, `There was no note with this id ${when}.`);
  });
  const notes = then.note === null ? from.notes : [...from.notes, then.note];
  return answerOf(value, input.section, { ...from, notes }, { commit: then.commit, timeMs: then.timeMs });
}

function answerOf(
  found: Document & { content: Uint8Array },
  section: string | undefined,
  from: Provenance,
  then: z.infer<typeof asOfAnswer> = null,
  pattern: { uses: number; sources: number; gone: string[] } | null = null,
) {
  const { text } = decodeText(found.content);
  const exact = Buffer.from(text, 'utf8').equals(found.content);
  const part = section === undefined ? { text, title: null } : sectionOf(text, section);
  return {
    id: found.id,
    kind: found.kind,
    project: found.project,
    timeMs: found.timeMs,
    blob: found.blob,
    bytes: found.bytes,
    reason: found.reason,
    section: part.title,
    text: part.text,
    base64: exact || section !== undefined ? null : Buffer.from(found.content).toString('base64'),
    pattern,
    asOf: then,
    provenance: from,
  };
}

/** From a heading to the next one of its level or above. Headings inside code blocks are none. Throws `not_found`. */
function sectionOf(text: string, wanted: string): { text: string; title: string } {
  const lines = text.split('\n');
  const headings: { line: number; level: number; title: string }[] = [];
  let fenced = false;
  lines.forEach((raw, line) => {
    const trimmed = raw.trim();
    if (/^(```|~~~)/.test(trimmed)) fenced = !fenced;
    const title = fenced ? null : headingOf(trimmed);
    if (title !== null) headings.push({ line, level: /^#+/.exec(trimmed)?.[0].length ?? 7, title });
  });
  const want = headingOf(`# ${wanted.trim().replace(/^#+\s*/, '')}`)?.toLowerCase() ?? '';
  const at =
    headings.find(({ title }) => title.toLowerCase() === want) ??
    headings.find(({ title }) => title.toLowerCase().startsWith(want)) ??
    headings.find(({ title }) => title.toLowerCase().includes(want));
  if (!at) {
    const known = headings.slice(0, 40).map(({ title }) => `- ${title.slice(0, 100)}`);
    throw new MemoryError(
      'not_found',
      'The note has no such section.',
      known.length === 0
        ? 'It has no headings: read it whole.'
        : `Its sections:\n${fence(known.join('\n'), 'stored headings')}`,
    );
  }
  const next = headings.find(({ line, level }) => line > at.line && level <= at.level);
  return { text: lines.slice(at.line, next?.line).join('\n').trimEnd(), title: at.title };
}
