import { analyse } from '../search/analyse.js';
import { chunksOf } from '../search/chunk.js';
import { packNames } from '../search/matrix.js';
import { pageOf } from '../search/postings.js';
import { speakersIn } from '../search/speakers.js';
import {
  type Document,
  type IndexedDocument,
  isAutomatic,
  parseDocument,
  type SearchRow,
  type Source,
} from './documents.js';
import { withoutFacts } from './frontmatter.js';
import { readablePath } from './paths.js';

/** A file of the origin as the mirror keeps it: fields, bytes and what search keeps of it. */
export function indexDocument(source: Source): IndexedDocument {
  const { document, text } = parseDocument(source);
  return { ...document, content: source.content, search: searchRow(document, source.content === null ? '' : text) };
}

/**
 * What search keeps of a document; null where there is no word in it, and for checkpoints of the schedule: all they say
 * stands in the notes that they repeat, which they would push aside.
 */
export function searchRow(document: Document, text: string): SearchRow | null {
  if (isAutomatic(document)) return null;
  const { path, title, tags } = document;
  const name = readablePath(path).replace(/\.md$/, '').split('/').pop() ?? '';
  const titled = analyse(`${title} ${tags.join(' ')} ${name}`);
  const read = withoutFacts(text, document.kind === 'checkpoint' ? ['commit', 'seal'] : []);
  const body = analyse(read);
  if (titled.terms.length === 0 && body.terms.length === 0) return null;
  return {
    outline: { words: body.words, titleTerms: titled.terms.length, speakers: speakersIn(read) },
    page: pageOf(titled, body),
    chunks: packNames(chunksOf(text).map((each) => each.name)),
  };
}
