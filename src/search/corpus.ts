/** What ranking knows of a document besides where its terms stand. */
export interface Entry {
  /** Words of its text. */
  words: number;
  /** Terms of its title (with tags and file name). */
  titleTerms: number;
  timeMs: number;
  /** Who speaks where lines are labelled (`**Anna:** …`); empty without labels. */
  speakers: Speaker[];
}

export interface Speaker {
  /** Lower case. */
  name: string;
  /** From which word on and up to which (without it), turn by turn: from, to, from, to…; ascending. */
  turns: number[];
}

/** Where one term stands in all documents: arrays side by side, one element for each document that has it. */
export interface Postings {
  /** Indexes of documents in `Corpus.entries`, ascending. */
  docs: Uint32Array;
  /** How often it stands in each one's title. */
  titles: Uint16Array;
  /** The places in the text of `docs[i]` are `places[starts[i]]` up to and without `places[starts[i + 1]]`, ascending. */
  starts: Uint32Array;
  places: Uint32Array;
}

/** All documents that a caller may see, and the postings of the terms that a query asks for. */
export interface Corpus {
  /** In the order of their paths, so that every mirror adds numbers up in the same order. */
  entries: Entry[];
  postings: Map<string, Postings>;
}
