/**
 * A text as search sees it: its terms in order and, for each, the number of the word where it stands (from 0, never
 * falling). Several terms may stand at one word (an identifier and its parts); a stop word counts and gives no term.
 */
export interface Terms {
  terms: string[];
  places: number[];
  /** Words in all. */
  words: number;
}
