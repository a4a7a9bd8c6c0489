import { day } from './format.js';
import type { Review } from './review.js';
import { sentences } from './sentences.js';

export interface ReviewLine {
  heading: string;
  text: string;
  /** The greater, the sooner it is shown. */
  worth: number;
}

const IDS = 3;

/** What a review has to say, the most useful first; `chars` is how long a line should be. One project needs no name. */
export function reviewLines(review: Review, chars: number, oneProject: boolean): ReviewLine[] {
  const { notes, decisions, steps, closed, candidates, quiet } = review;
  const lines: ReviewLine[] = [];
  const of = (project: string) => (oneProject ? '' : `[${project}] `);
  const byProject = grouped(notes, ({ project }) => project);
  for (const [nth, [project, own]] of [...byProject].entries())
    for (const [at, { id, title, timeMs, queued }] of own.entries())
      lines.push({
        heading: `Done in ${project}: ${own.length} ${own.length === 1 ? 'note' : 'notes'}`,
        text: `- ${day(timeMs)} **${title}** \`${id}\`${queued ? ' (queued)' : ''}`,
        worth: 100 - at * 4 - Math.min(nth, 20),
      });
  const add = (heading: string, worth: number, less: number, texts: string[]) => {
    for (const [at, text] of texts.entries()) lines.push({ heading, text, worth: worth - at * less });
  };
  const dated = ({ text, timeMs, project }: Review['closed'][number]) =>
    `- ${day(timeMs)} ${of(project)}${sentences(text, chars)}`;
  add('Decided', 97, 3, decisions.map(dated));
  add(
    'Open longest',
    96,
    5,
    steps.map(
      ({ id, text, sinceMs, project }) => `- since ${day(sinceMs)} #${id} ${of(project)}${sentences(text, chars)}`,
    ),
  );
  add('Closed', 90, 5, closed.map(dated));
  add(
    'Candidates for patterns',
    94,
    7,
    candidates.map(({ type, text, times, projects, lastMs, evidence }) => {
      const where = projects.length > 1 ? ` in ${projects.length} projects` : '';
      const often = `${times} ${times === 1 ? 'note' : 'notes'}${where}, last ${day(lastMs)}`;
      const ids = evidence.slice(0, IDS).map((id) => `\`${id}\``);
      const more = evidence.length > IDS ? ` and ${times - IDS} more` : '';
      return `- ${type}, ${often}: ${sentences(text, chars * 2)}\n  evidence: ${ids.join(', ')}${more}`;
    }),
  );
  add(
    'Active, but quiet',
    80,
    5,
    quiet.map(({ project, lastMs }) => `- ${project}: last note ${day(lastMs)}`),
  );
  return lines.sort((a, b) => b.worth - a.worth);
}

/** What is shown, heading by heading: work first, then the rest in a fixed order. */
export function byHeading(shown: readonly ReviewLine[]): string {
  const order = ['Decided', 'Open longest', 'Closed', 'Candidates for patterns', 'Active, but quiet'];
  return [...grouped(shown, ({ heading }) => heading)]
    .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    .flatMap(([heading, lines]) => [`## ${heading}`, ...lines.map(({ text }) => text)])
    .join('\n');
}

/** In the order in which the groups are met. */
function grouped<T>(items: readonly T[], nameOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(nameOf(item), [...(groups.get(nameOf(item)) ?? []), item]);
  return groups;
}
