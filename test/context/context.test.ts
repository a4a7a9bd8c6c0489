import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { openApp } from '../support/app.js';
import { git, tempFolder } from '../support/home.js';
import { type Marked, SEEN, UNSEEN } from './facts.js';

const NOTES = fileURLToPath(new URL('./notes/', import.meta.url));

const tokens = (text: string) => countTokens(text, { disallowedSpecial: new Set() });

/** The newest note last. */
const rawOf = (project: string) =>
  readdirSync(join(NOTES, project))
    .sort()
    .map((name) => readFileSync(join(NOTES, project, name), 'utf8'));

/** A baseline cut where its budget ends, at a line. */
function within(text: string, budget: number): string {
  const lines = text.split('\n');
  while (tokens(lines.join('\n')) > budget) lines.pop();
  return lines.join('\n');
}

function held(answer: string, facts: string[][]): string[][] {
  const lines = answer.toLowerCase().split('\n');
  return facts.filter((words) => lines.some((line) => words.every((word) => line.includes(word.toLowerCase()))));
}

async function contexts() {
  const folder = tempFolder();
  git(folder, 'init', '-q', '-b', 'main');
  cpSync(NOTES, folder, { recursive: true });
  git(folder, 'add', '-A');
  git(folder, 'commit', '-q', '-m', 'notes');
  const { call } = await openApp({ MEMORY_REPO: folder });
  return (project: string, max_tokens?: number) => call('load_context', { project, max_tokens });
}

interface Score {
  kept: number;
  /** What baselines of the same budget keep. */
  newest: number;
  paragraphs: number;
  saved: number;
}

async function measure(sets: Record<string, Marked>, budget: number): Promise<{ score: Score; missing: string[][] }> {
  const load = await contexts();
  const [all, kept, newest, paragraphs]: [string[][], string[][], string[][], string[][]] = [[], [], [], []];
  let [given, raw] = [0, 0];
  for (const [project, { keep, gone }] of Object.entries(sets)) {
    const facts = Object.values(keep).flat();
    const notes = rawOf(project);
    const answer = await load(project, budget);
    expect(tokens(answer)).toBeLessThanOrEqual(budget);
    const open = /## Open next steps\n([\s\S]*?)\n(?:##|<\/)/.exec(answer)?.[1] ?? '';
    expect(held(open, gone), `closed steps of ${project}`).toEqual([]);
    all.push(...facts);
    kept.push(...held(answer, facts));
    newest.push(...held(within(notes.at(-1) ?? '', budget), facts));
    const first = notes
      .toReversed()
      .flatMap((note) => note.split(/\n\s*\n/).find((each) => /^[^#>|*\-\s]/.test(each)) ?? []);
    paragraphs.push(...held(within(first.join('\n\n'), budget), facts));
    given += tokens(answer);
    raw += tokens(notes.join('\n'));
  }
  const share = (some: string[][]) => some.length / all.length;
  const score = { kept: share(kept), newest: share(newest), paragraphs: share(paragraphs), saved: 1 - given / raw };
  return { score, missing: all.filter((fact) => !kept.includes(fact)) };
}

test('the notes are of the size that people write', () => {
  const sizes = [...Object.keys(SEEN), ...Object.keys(UNSEEN)].flatMap(rawOf).map(tokens);
  expect(sizes.filter((size) => size >= 1_600 && size <= 10_000).length).toBeGreaterThanOrEqual(12);
});

for (const [name, sets] of [
  ['seen', SEEN],
  ['held out', UNSEEN],
] as const) {
  test(`what a person marked as needed is there, of notes ${name}`, async () => {
    const usual = await measure(sets, 1_800);
    const small = await measure(sets, 600);
    for (const [budget, { score, missing }] of [
      [1_800, usual],
      [600, small],
    ] as const) {
      const [kept, newest, paragraphs, saved] = Object.values(score).map((share) => `${(share * 100).toFixed(0)} %`);
      console.info(
        `${name}, ${budget} tokens: ${kept} kept, ${saved} saved (newest file ${newest}, paragraphs ${paragraphs})`,
      );
      if (process.env.CONTEXT_MISSING) console.info(JSON.stringify(missing));
      expect(score.kept).toBeGreaterThan(Math.max(score.newest, score.paragraphs));
    }
    expect(usual.score.kept).toBeGreaterThanOrEqual(0.9);
    expect(small.score.kept).toBeGreaterThanOrEqual(0.7);
    expect(usual.score.saved).toBeGreaterThanOrEqual(0.75);
  });
}
