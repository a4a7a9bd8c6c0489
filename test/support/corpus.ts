import { analyse } from '../../src/search/analyse.js';
import type { Corpus, Entry, Postings } from '../../src/search/corpus.js';
import { speakersIn } from '../../src/search/speakers.js';

export interface Text {
  title?: string;
  text: string;
  timeMs?: number;
}

/** All texts with all their postings, as a mirror would give them for a query that names every term. */
export function corpusInMemory(texts: readonly Text[]): Corpus {
  const entries: Entry[] = [];
  const building = new Map<string, { docs: number[]; titles: number[]; starts: number[]; places: number[] }>();
  for (const [d, { title = '', text, timeMs = 0 }] of texts.entries()) {
    const [head, body] = [analyse(title), analyse(text)];
    const postingsOf = (term: string) => {
      const postings = building.get(term) ?? { docs: [], titles: [], starts: [], places: [] };
      building.set(term, postings);
      if (postings.docs.at(-1) !== d) {
        postings.docs.push(d);
        postings.titles.push(0);
        postings.starts.push(postings.places.length);
      }
      return postings;
    };
    for (const [i, term] of body.terms.entries()) {
      const { places, starts } = postingsOf(term);
      const place = body.places[i] as number;
      // A word can give the same term twice.
      if (places.length === starts.at(-1) || places.at(-1) !== place) places.push(place);
    }
    for (const term of head.terms) {
      const { titles } = postingsOf(term);
      titles[titles.length - 1] = (titles.at(-1) as number) + 1;
    }
    entries.push({
      words: body.words,
      titleTerms: head.terms.length,
      timeMs,
      speakers: speakersIn(text),
    });
  }
  const postings = new Map<string, Postings>();
  for (const [term, { docs, titles, starts, places }] of building) {
    postings.set(term, {
      docs: Uint32Array.from(docs),
      titles: Uint16Array.from(titles),
      starts: Uint32Array.from([...starts, places.length]),
      places: Uint32Array.from(places),
    });
  }
  return { entries, postings };
}
