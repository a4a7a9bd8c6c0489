import type { Changes, NoteChange } from './changes.js';
import { day, minute } from './format.js';
import { sentences, sentencesOf } from './sentences.js';
import { folded } from './words.js';

/** A line about a changed note, below the line that names it. */
export interface ChangeLine {
  /** Which of the notes. */
  note: number;
  text: string;
  /** The greater, the sooner it is shown. */
  worth: number;
}

/** What has changed, the most useful first: which notes, by whom, and what they say that is new. */
export function changeLines({ notes }: Changes, chars: number): ChangeLine[] {
  const lines: ChangeLine[] = [];
  for (const [note, change] of notes.entries()) {
    const worth = 100 - note * 2;
    lines.push({ note, worth, text: named(change, chars) });
    const said = new Set(sentencesOf(sentences(change.summary, chars)).map(folded));
    const below: [string, number, string[]][] = [
      ['open', 1, change.steps.map(({ id, text }) => `#${id} ${sentences(text, chars)}`)],
      ['decided', 1, change.decisions.map((text) => sentences(text, chars))],
      ['done', 8, change.closed.map((text) => sentences(text, chars))],
      ['figure', 12, change.facts.filter((text) => !said.has(folded(text))).map((text) => sentences(text, chars))],
    ];
    for (const [what, less, texts] of below)
      for (const [at, text] of texts.entries())
        lines.push({ note, worth: worth - less - at, text: `  - ${what}: ${text}` });
  }
  return lines.sort((a, b) => b.worth - a.worth);
}

function named({ what, id, title, timeMs, author, client, summary, queued }: NoteChange, chars: number): string {
  const who = [author, client].filter((each) => each !== '').join(', ');
  const mark = queued ? ' (queued)' : '';
  const short = summary === '' ? '' : `\n  ${sentences(summary, chars)}`;
  return `- ${day(timeMs)} ${what} **${title}** \`${id}\`${mark}${who === '' ? '' : ` by ${who}`}${short}`;
}

/** Note by note, as they are read. */
export function byNote(shown: ChangeLine[]): string {
  return shown
    .toSorted((a, b) => a.note - b.note)
    .map(({ text }) => text)
    .join('\n');
}

/** `since commit 3f2a91c04d (2026-11-18 09:30 UTC)`, `since checkpoint …k3x9 (2026-11-18 09:30 UTC)`. */
export function sinceLine({ commit, sinceMs, checkpoint }: Changes): string {
  const time = sinceMs === null ? '' : `${minute(sinceMs)} UTC`;
  // Its whole name is stored text, and whoever asks has it: the end tells which.
  const mark = /-([0-9a-z]{4})$/.exec(checkpoint ?? '')?.[1];
  if (checkpoint !== null) return `since checkpoint${mark === undefined ? '' : ` …${mark}`} (${time})`;
  if (commit === null) return `since ${time}`;
  return `since commit ${commit.slice(0, 10)}${time === '' ? '' : ` (${time})`}`;
}
