import { analyse } from '../search/analyse.js';
import { type IndexedDocument, parseDocument, type Source } from './documents.js';
import { readablePath } from './paths.js';

/** A file of the origin as the mirror keeps it: fields, bytes and search terms. */
export function indexDocument(source: Source): IndexedDocument {
  const { document, text } = parseDocument(source);
  const name = readablePath(document.path).replace(/\.md$/, '').split('/').pop() ?? '';
  return {
    ...document,
    content: source.content,
    terms: {
      title: analyse(`${document.title} ${document.tags.join(' ')} ${name}`).terms.join(' '),
      body: source.content === null ? '' : analyse(text).terms.join(' '),
    },
  };
}
