import { day } from './format.js';

/** What a search shows of a note. */
export interface ShownHit {
  id: string;
  title: string;
  project: string;
  timeMs: number;
  /** The query's words that it has. */
  matched: readonly string[];
  /** Cosine of what comes nearest to the query in meaning; null where only words spoke for it. */
  meaning: number | null;
  /** Notes with nearly the same text. */
  also: readonly string[];
  /** It waits for the origin. */
  queued: boolean;
  /** The mirror does not keep its text: the passages are from its digest. */
  digest: boolean;
  passages: readonly {
    headings: readonly string[];
    text: string;
    rank: number;
    adjoins: boolean;
    continues: boolean;
  }[];
}

/** Words that are named as the reason; the passages show the rest. */
const WORDS = 5;
const ALSO = 5;

/** `2026-01-03 **Title** · project · `id` · has cookie, logout + meaning`; the project is not said twice. */
export function hitHeader({
  id,
  title,
  project,
  timeMs,
  matched,
  meaning,
  also,
  queued,
  digest,
}: Omit<ShownHit, 'passages'>) {
  const words = matched.length > 0 ? `has ${matched.slice(0, WORDS).join(', ')}` : '';
  const near = meaning === null ? '' : words === '' ? 'by meaning' : ' + meaning';
  const more = also.length > ALSO ? ` and ${also.length - ALSO} more` : '';
  return [
    `${day(timeMs)} **${title}**`,
    `/${id}/`.includes(`/${project}/`) ? '' : project,
    `\`${id}\``,
    queued ? 'queued, not at the origin yet' : '',
    words + near,
    digest ? 'its digest' : '',
    also.length > 0
      ? `also in ${also
          .slice(0, ALSO)
          .map((other) => `\`${other}\``)
          .join(', ')}${more}`
      : '',
  ]
    .filter((part) => part !== '')
    .join(' · ');
}

/**
 * Header and passages, in the order of the text: `# heading › path` where it is another than before, `…` where something is
 * left out between.
 * @param mostRank passages that came later in the ranking are left out
 */
export function hitText(hit: ShownHit, mostRank: number): string {
  let text = hitHeader(hit);
  let path = '';
  let before = -1;
  for (const [at, passage] of hit.passages.entries()) {
    if (passage.rank > mostRank) continue;
    const here = passage.headings.join(' › ');
    const joined = passage.adjoins && before === at - 1 && before >= 0;
    if (here !== path && here !== '') text += `\n# ${here}`;
    else if (before >= 0 && !joined) text += '\n…';
    text += `${joined && passage.continues ? ' ' : '\n'}${passage.text}`;
    path = here;
    before = at;
  }
  return text;
}
