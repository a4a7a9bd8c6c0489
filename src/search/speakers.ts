import { analyse } from './analyse.js';
import type { Corpus, Entry, Postings, Speaker } from './corpus.js';

/** Whom a query asks about, and how much less what others say counts. */
export interface Preference {
  /** Lower case; one of them is enough. */
  names: ReadonlySet<string>;
  /** What a word said by anybody else counts. */
  others: number;
}

/** Labels that say what a paragraph is, or which part somebody plays, and name nobody. */
const ROLES = new Set(
  `user human me assistant ai bot system claude chatgpt model tool agent client customer support admin
  пользователь человек я ассистент помощник бот система клиент поддержка`.split(/\s+/),
);
const USER = new Set(['user', 'human', 'me', 'i', 'пользователь', 'человек', 'я']);

const FIRST_PERSON =
  /(?<![\p{L}\p{N}'’])(?:i|my|mine|me|я|мне|меня|мой|моя|мое|моё|мои|моего|моей|моих|моим|мою|мной)(?![\p{L}\p{N}])/iu;
const SECOND_PERSON =
  /(?<![\p{L}\p{N}])(?:you|your|yours|ты|тебе|тебя|твой|твоя|твое|твоё|твои|вы|вам|вас|ваш|ваша|ваше|ваши)(?![\p{L}\p{N}])/iu;

/** `**Anna:** …` or `**Anna**: …` at the start of a line, which may be quoted or an item of a list. */
const LABEL = /^[ \t]*(?:[-*>][ \t]+)?\*\*(\p{L}[^*\n:]{0,40})(?::\*\*|\*\*:)/gmu;

/** Who speaks where in a text, as `Entry.speakers` wants it, in the order of their first words; empty without labels. */
export function speakersIn(text: string): Speaker[] {
  const speakers = new Map<string, number[]>();
  let turns: number[] | undefined;
  let [words, at] = [0, 0];
  const passTo = (index: number) => {
    words += analyse(text.slice(at, index)).words;
    at = index;
    turns?.push(words);
  };
  for (const { 1: label, index } of text.matchAll(LABEL)) {
    passTo(index);
    const name = (label as string).trim().toLowerCase();
    turns = speakers.get(name) ?? [];
    turns.push(words);
    speakers.set(name, turns);
  }
  if (turns) passTo(text.length);
  return [...speakers].map(([name, spans]) => ({ name, turns: spans }));
}

/** A label must come back to be a speaker's: `**Note:**` stands once, and so do `**Cause:**` and `**Fix:**`. */
const LEAST_TURNS = 3;

/** Kept for as long as the documents are: the same ones are searched again and again. */
const known = new WeakMap<readonly Entry[], ReadonlySet<string>>();

/** Names of those who speak in any document; `entries` must not change afterwards. */
export function speakerNames(entries: readonly Entry[]): ReadonlySet<string> {
  const before = known.get(entries);
  if (before) return before;
  const names = new Set<string>();
  known.set(entries, names);
  for (const { speakers } of entries) {
    if (speakers.length < 2) continue;
    for (const { name, turns } of speakers) {
      if (turns.length >= 2 * LEAST_TURNS && !names.has(name) && !ROLES.has(name)) names.add(name);
    }
  }
  return names;
}

/** Whose words the query asks for: a speaker it names, or the user where it says "I" and not "you"; else null. */
export function preferenceOf(query: string, names: ReadonlySet<string>): Preference | null {
  const words = wordsOf(query);
  const named = [...names].filter((name) => words.includes(wordsOf(name)));
  if (named.length > 0) return { names: new Set(named), others: 0.5 };
  return FIRST_PERSON.test(query) && !SECOND_PERSON.test(query) ? { names: USER, others: 0.25 } : null;
}

/**
 * The query as it is to be embedded: without the names of speakers, which would drown what is asked about them.
 * The query itself where nothing else is left.
 */
export function withoutNames(query: string, names: ReadonlySet<string>): string {
  const preference = preferenceOf(query, names);
  if (!preference || preference.names === USER) return query;
  let rest = query;
  for (const name of preference.names) {
    const literal = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    rest = rest.replace(new RegExp(`(?<![\\p{L}\\p{N}])${literal}(?:['’]s)?(?![\\p{L}\\p{N}])`, 'giu'), ' ');
  }
  rest = rest.replace(/\s+/g, ' ').trim();
  return /[\p{L}\p{N}]/u.test(rest) ? rest : query;
}

/** What each place of a term counts under the preference: 1, or less where somebody else speaks. */
export function placeWeights(corpus: Corpus, postings: Postings, { names, others }: Preference): Float32Array {
  const { docs, starts, places } = postings;
  const weights = new Float32Array(places.length).fill(1);
  for (let i = 0; i < docs.length; i++) {
    for (const { name, turns } of (corpus.entries[docs[i] as number] as Entry).speakers) {
      if (names.has(name)) continue;
      let turn = 0;
      for (let p = starts[i] as number; p < (starts[i + 1] as number); p++) {
        const place = places[p] as number;
        while (turn < turns.length && (turns[turn + 1] as number) <= place) turn += 2;
        if (turn >= turns.length) break;
        if ((turns[turn] as number) <= place) weights[p] = others;
      }
    }
  }
  return weights;
}

/** 1 for the documents in which people speak, and none of those who are asked about. */
export function withoutSpeaker(
  entries: readonly Entry[],
  people: ReadonlySet<string>,
  { names }: Preference,
): Uint8Array {
  return Uint8Array.from(entries, ({ speakers }) =>
    speakers.some(({ name }) => people.has(name) || ROLES.has(name)) && !speakers.some(({ name }) => names.has(name))
      ? 1
      : 0,
  );
}

/** Words of a text between single blanks, lower case, so that one text can be looked for in another. */
function wordsOf(text: string): string {
  return ` ${(
    text
      .toLowerCase()
      .replace(/['’]s\b/g, '')
      .match(/[\p{L}\p{N}]+/gu) ?? []
  ).join(' ')} `;
}
