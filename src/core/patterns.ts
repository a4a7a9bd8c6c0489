import type { Caller } from './caller.js';
import { composeNote, type NoteFields, patternPath } from './compose.js';
import type { PatternLine } from './context.js';
import { type Document, decodeText, linesOf, parseDocument } from './documents.js';
import { type FrontMatter, readFrontMatter } from './frontmatter.js';
import { objectId } from './hash.js';
import { LIMITS } from './limits.js';
import { addedText, type Lesson, mergedText, sameLesson } from './pattern-text.js';
import { shared } from './stems.js';
import { wordsOf } from './words.js';

/** What a save says of a pattern. */
export type PatternFields = Pick<NoteFields, 'title' | 'project' | 'type' | 'tags' | 'evidence' | 'names'>;

/** A pattern as it stands. */
export interface StandingPattern {
  document: Document;
  /** What could be read of its front matter, and the rest. */
  matter: FrontMatter;
  text: string;
}

export function readPattern(path: string, content: Uint8Array): StandingPattern {
  const blob = objectId('blob', content, 'sha1');
  const source = { path, blob, type: 'file' as const, bytes: content.length, content, changedMs: Date.now() };
  const { text } = decodeText(content);
  return { document: parseDocument(source).document, matter: readFrontMatter(text), text };
}

/** Whether a pattern goes by that name, in its path, its title or as another name. */
export function isNamed(document: Document, name: string): boolean {
  const same = (each: string) => each.toLowerCase() === name.toLowerCase();
  return (
    document.path === patternPath(document.project, name) ||
    same(document.title) ||
    (document.digest.pattern?.names ?? []).some(same)
  );
}

/** Whether a lesson of that project may go into it: what is doubtful (broken front matter, not UTF-8) is nobody's to write into. */
export function isOpen({ kind, project, reason }: Document, wanted: string): boolean {
  return kind === 'pattern' && project === wanted && reason === null;
}

/** A pattern as it is compared with others; without its text what its digest says. */
export function lessonOf({ title, digest }: Document, text?: string): Lesson {
  return { names: [title, ...(digest.pattern?.names ?? [])].join('\n'), text: text ?? digest.summary };
}

/** Of these patterns those that may say the same, the likeliest first: their texts have to be looked at. */
export function likeLesson(given: Lesson, patterns: Document[]): Document[] {
  const { all } = wordsOf(`${given.names}\n${given.text}`.slice(0, LIMITS.patternComparedChars));
  return patterns
    .map((document) => {
      const { names, text } = lessonOf(document);
      return { document, common: shared(wordsOf(`${names}\n${text}`).all, all) };
    })
    .filter(({ common }) => common >= 2)
    .sort((a, b) => b.common - a.common)
    .slice(0, LIMITS.patternsCompared)
    .map(({ document }) => document);
}

/**
 * What a pattern becomes when the same lesson is saved once more: the fields that change, and the text. Everything that
 * either of them says is kept, but for wording that newer wording replaces. Null: it says all of it already.
 */
export function mergedPattern(
  { document, matter }: StandingPattern,
  given: PatternFields,
  body: string,
): { fields: Partial<NoteFields>; body: string } | null {
  const { data } = matter;
  const fields: Partial<NoteFields> = {};
  const known = document.digest.pattern ?? { type: '', evidence: [], names: [] };
  const evidence = joined(
    linesOf(data.evidence),
    (given.evidence ?? []).filter((each) => each !== document.id),
  );
  if (evidence) fields.evidence = evidence;
  const tags = joined(document.tags, given.tags ?? []);
  if (tags) fields.tags = tags;
  const names = joined(
    linesOf(data.names),
    [given.title, ...(given.names ?? [])].filter((each) => !isNamed(document, each)),
  );
  if (names) fields.names = names;
  if (given.type !== undefined && given.type !== known.type && isNamed(document, given.title)) fields.type = given.type;
  const text = mergedText(matter.body, body);
  return Object.keys(fields).length === 0 && text === matter.body ? null : { fields, body: text };
}

/** Both, each once; null where there is nothing to add. */
function joined(standing: string[], given: string[]): string[] | null {
  const known = new Set(standing);
  const more = [...new Set(given)].filter((each) => !known.has(each));
  return more.length === 0 ? null : [...standing, ...more];
}

/** What every note of ours says of itself, of one that stands there. */
export function keptFields({ document, matter: { data } }: StandingPattern, by: Saver): NoteFields {
  return {
    title: typeof data.title === 'string' ? data.title : document.title,
    project: document.project,
    time: data.time instanceof Date ? data.time : new Date(document.timeMs),
    author: document.author || by.subject,
    client: by.client,
  };
}

type Saver = Pick<Caller, 'subject' | 'client'>;

/**
 * A queued pattern that finds another state of itself at the origin than it was made on: what it added to `base` (null: there
 * was none) goes into what stands there; `same` where that says all of it. Null: it took something away, so it was no merge, or
 * what stands there is not to be written into.
 */
export function mergedAgain(
  queued: { path: string; content: Uint8Array } & Saver,
  standing: Uint8Array,
  base: Uint8Array | null,
): { content: Uint8Array; same: boolean } | null {
  const { path } = queued;
  const [ours, theirs] = [readPattern(path, queued.content), readPattern(path, standing)];
  const isHidden = theirs.document.privacy === 'PRIVATE' && theirs.document.author !== queued.subject;
  if (isHidden || !isOpen(theirs.document, ours.document.project)) return null;
  const before = base === null ? null : readPattern(path, base);
  if (before && mergedText(ours.matter.body, before.matter.body) !== ours.matter.body) return null;
  const { title, project, tags, digest } = ours.document;
  const had = before?.document.digest.pattern;
  const without = (all: string[] | undefined, known: string[] | undefined) =>
    all?.filter((each) => !known?.includes(each));
  const given = {
    title,
    project,
    type: digest.pattern?.type === had?.type ? undefined : digest.pattern?.type,
    tags: without(tags, before?.document.tags),
    evidence: without(digest.pattern?.evidence, had?.evidence),
    names: without(digest.pattern?.names, had?.names),
  };
  const merged = mergedPattern(theirs, given, addedText(ours.matter.body, before?.matter.body ?? ''));
  if (merged === null) return { content: standing, same: true };
  const fields = { ...keptFields(theirs, queued), ...merged.fields, updated: new Date(), client: queued.client };
  return { content: composeNote(fields, merged.body, theirs.matter.data, [theirs.text]), same: false };
}

/**
 * The few patterns of a context that are offered: those that have the most to do with what is going on, then those that were
 * of use most often, then the newest; of some that say the same the first.
 */
export function offeredPatterns(
  patterns: PatternLine[],
  uses: Map<string, number>,
  most: number = LIMITS.contextOffered,
): PatternLine[] {
  const counted = patterns.map((each) => ({ ...each, uses: uses.get(each.id) ?? 0 }));
  const offered: PatternLine[] = [];
  for (const each of counted.sort((a, b) => b.fits - a.fits || b.uses - a.uses || b.timeMs - a.timeMs)) {
    const lesson = { names: each.title, text: each.summary };
    const again = offered.some(
      ({ title, summary }) =>
        title.toLowerCase() === each.title.toLowerCase() || sameLesson({ names: title, text: summary }, lesson),
    );
    if (again) continue;
    if (offered.push(each) >= most) break;
  }
  return offered;
}

/** `**name** (fix, used 5×, 1 of 2 sources not found) \`id\``: as the context offers it. */
export function patternHead({ title, type, uses, evidence, gone, id, queued }: PatternLine): string {
  const facts = [
    type,
    uses > 0 ? `used ${uses}×` : '',
    gone > 0 ? `${gone} of ${evidence.length} sources not found` : '',
    queued ? 'queued' : '',
  ].filter((each) => each !== '');
  return `**${title}**${facts.length === 0 ? '' : ` (${facts.join(', ')})`} \`${id}\``;
}
