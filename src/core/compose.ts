import { randomInt } from 'node:crypto';
import slugify from '@sindresorhus/slugify';
import type { Privacy } from './documents.js';
import { readFrontMatter, writeFrontMatter, writtenField } from './frontmatter.js';
import { shortHash } from './hash.js';
import { RESERVED } from './project.js';

/** The fields of a note as its front matter keeps them. Empty ones are left out. */
export interface NoteFields {
  time: Date;
  updated?: Date;
  title: string;
  project: string;
  /** The project that its own is a submodule of. */
  parent?: string;
  summary?: string;
  /** Of a pattern: its type, the ids of the notes it was drawn from, other names it was saved under. */
  type?: string;
  tags?: string[];
  evidence?: string[];
  names?: string[];
  decisions?: string[];
  next_steps?: string[];
  priority?: string;
  status?: string;
  privacy?: Privacy;
  tokens_used?: number;
  target_revenue?: number;
  current_revenue?: number;
  author: string;
  client: string;
  key?: string;
  /** Of a checkpoint: the commit it was made on, and that the schedule made it. */
  commit?: string;
  automatic?: true;
}

const encoder = new TextEncoder();

/**
 * A note's bytes. `kept` are front-matter fields of an edited note that the caller did not give; they are written as they
 * stand in `sources` (the edited texts, the nearest first): YAML that is read and written again loses comments, and makes
 * 1.1 of 1.10.
 */
export function composeNote(
  fields: NoteFields,
  body: string,
  kept: Record<string, unknown> = {},
  sources: string[] = [],
): Uint8Array {
  const { time, title, ...rest } = fields;
  const own = withoutEmpty({ time, title, ...rest });
  const others = withoutEmpty(Object.fromEntries(Object.entries(kept).filter(([name]) => !(name in fields))));
  const plain = writeFrontMatter({ ...own, ...others }, body);
  const text = Object.keys(others).length === 0 ? plain : (verbatim(own, others, body, sources) ?? plain);
  return encoder.encode(text);
}

/** The note with its other fields as they were written; null where that would not read as the same fields. */
function verbatim(
  own: Record<string, unknown>,
  others: Record<string, unknown>,
  body: string,
  sources: string[],
): string | null {
  const lines = Object.keys(others).map((name) =>
    sources.map((source) => writtenField(source, name)).find((each) => each !== null),
  );
  if (lines.includes(undefined)) return null;
  const text = writeFrontMatter(own, body);
  const end = text.indexOf('\n---\n', 4) + 1;
  const whole = `${text.slice(0, end)}${lines.join('')}${text.slice(end)}`;
  const read = readFrontMatter(whole);
  const same =
    read.problem === null &&
    read.body === readFrontMatter(text).body &&
    JSON.stringify(read.data) === JSON.stringify({ ...readFrontMatter(text).data, ...others });
  return same ? whole : null;
}

function withoutEmpty(data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).filter(
      ([, value]) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0),
    ),
  );
}

/**
 * `<folder>/<project>/<YYYY>/<MM>/<YYYYMMDDTHHMMSSmmmZ>-<slug>-<4 random>.md`: valid and distinct on every file system;
 * month folders because a flat folder of 10,000 files makes every save slow.
 */
export function notePath(folder: 'sessions' | 'checkpoints', project: string, timeMs: number, title: string): string {
  const iso = new Date(timeMs).toISOString();
  const stamp = iso.replace(/[-:.]/g, '');
  const slug =
    slugify(title, { decamelize: false })
      .slice(0, 60)
      .replace(/^-+|-+$/g, '') || 'note';
  const random = randomInt(36 ** 4)
    .toString(36)
    .padStart(4, '0');
  return `${folder}/${project}/${iso.slice(0, 4)}/${iso.slice(5, 7)}/${stamp}-${slug}-${random}.md`;
}

/**
 * `patterns/<project>/<slug>.md`: one name, one path. Whatever a slug of at most 60 letters cannot say (signs that are all
 * of a name, other scripts, the end of a long one) is told by a hash of the name.
 */
export function patternPath(project: string, name: string): string {
  const whole = slugify(
    // `C`, `C++` and `C#` are three things.
    name.replace(/(?<=\p{L})\+\+/gu, '-plus-plus').replace(/(?<=\p{L})#(?![\p{L}\p{N}])/gu, '-sharp'),
    { decamelize: false },
  );
  const foreign = name.replace(/[\p{ASCII}\p{Script=Latin}\p{Script=Cyrillic}]/gu, '');
  const lost = whole === '' || whole.length > 60 || [...foreign].some((each) => isLost(each));
  const hash = shortHash(name.normalize('NFC').toLowerCase(), 8);
  const slug = lost ? `${whole.slice(0, 51).replace(/-+$/, '') || 'pattern'}-${hash}` : whole;
  return `patterns/${project}/${RESERVED.test(slug) ? `pattern-${slug}` : slug}.md`;
}

const isLost = (letter: string) => /[\p{L}\p{N}]/u.test(letter) && slugify(letter) === '';

/** Points at a project's newest session, for people and scripts that read the repository without this program. */
export function latestPointer(
  project: string,
  newest: { path: string; title: string; timeMs: number },
): { path: string; content: Uint8Array } {
  const pointer = {
    id: newest.path.replace(/\.md$/, ''),
    path: newest.path,
    title: newest.title,
    time: new Date(newest.timeMs).toISOString(),
  };
  return { path: `sessions/${project}/LATEST.json`, content: encoder.encode(`${JSON.stringify(pointer, null, 2)}\n`) };
}
