import { analyse } from '../search/analyse.js';
import { chunksOf } from '../search/chunk.js';
import { packNames } from '../search/matrix.js';
import { pageOf } from '../search/postings.js';
import { speakersIn } from '../search/speakers.js';
import { type IndexedDocument, parseDocument, type SearchRow, type Source } from './documents.js';
import { readablePath } from './paths.js';

/** A file of the origin as the mirror keeps it: fields, bytes and what search keeps of it. */
export function indexDocument(source: Source): IndexedDocument {
  const { document, text } = parseDocument(source);
  const name = readablePath(document.path).replace(/\.md$/, '').split('/').pop() ?? '';
  const title = `${document.title} ${document.tags.join(' ')} ${name}`;
  return { ...document, content: source.content, search: searchRow(title, source.content === null ? '' : text) };
}

function searchRow(title: string, text: string): SearchRow | null {
  const titled = analyse(title);
  const body = analyse(text);
  if (titled.terms.length === 0 && body.terms.length === 0) return null;
  return {
    outline: { words: body.words, titleTerms: titled.terms.length, speakers: speakersIn(text) },
    page: pageOf(titled, body),
    chunks: packNames(chunksOf(text).map(({ name }) => name)),
  };
}
