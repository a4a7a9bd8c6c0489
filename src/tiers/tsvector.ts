/** Postgres refuses a vector of a megabyte; this counts its text, which is longer than what it becomes. */
const VECTOR_BYTES = 512 * 1024;
/** Of one word's places; Postgres keeps no more. */
const PLACES = 255;
/** Postgres counts a word's place no further than this. */
const LAST_PLACE = 16_383;
/** A longer word than this is none for Postgres. */
const LEXEME_BYTES = 2_046;

/**
 * Our analyser's terms (separated by spaces) as pairs of `tsvector` texts for title and body, without Postgres's parser:
 * one pair, or several for a text with more different words than one vector can hold.
 */
export function lexemes(title: string, body: string): [title: string, body: string][] {
  const titles = vectors(title);
  const bodies = vectors(body);
  return Array.from({ length: Math.max(titles.length, bodies.length) }, (_, at) => [
    titles[at] ?? '',
    bodies[at] ?? '',
  ]);
}

function vectors(terms: string): string[] {
  const places = new Map<string, number[]>();
  let place = 0;
  for (const term of terms.split(' ')) {
    if (!fits(term)) continue;
    place = Math.min(place + 1, LAST_PLACE);
    const known = places.get(term);
    if (!known) places.set(term, [place]);
    // Beyond the last place all are the same one.
    else if (known.length < PLACES && known.at(-1) !== place) known.push(place);
  }
  const made: string[] = [];
  let parts: string[] = [];
  let bytes = 0;
  for (const [term, at] of places) {
    const part = `${quoted(term)}:${at.join(',')}`;
    const size = Buffer.byteLength(part) + 8;
    if (bytes + size > VECTOR_BYTES) {
      made.push(parts.join(' '));
      parts = [];
      bytes = 0;
    }
    parts.push(part);
    bytes += size;
  }
  if (parts.length > 0 || made.length === 0) made.push(parts.join(' '));
  return made;
}

/** A `tsquery` that any of the terms fulfils; empty where no term is one. */
export function tsquery(terms: string[]): string {
  return terms.filter(fits).map(quoted).join(' | ');
}

const fits = (term: string) => term !== '' && Buffer.byteLength(term) <= LEXEME_BYTES;

function quoted(term: string): string {
  return `'${term.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
