import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import type { TestApp } from './app.js';
import { type FaultKind, type GitHub, type GitHubOptions, startGitHub } from './github.js';
import { tempFolder } from './home.js';

/** A GitHub of the test's own, and the environment of a server that uses it. */
export async function openGitHub(options: GitHubOptions = {}) {
  const github = await startGitHub(options);
  onTestFinished(() => github.close());
  return { github, environment: environmentOf(github, tempFolder()) };
}

/** Deadlines short enough for a test, long enough for a machine under load. */
export function environmentOf(github: GitHub, home: string): Record<string, string> {
  return {
    MEMORY_HOME: home,
    MEMORY_REPO: `${github.owner}/${github.repo}`,
    GITHUB_TOKEN: github.token,
    GITHUB_API_URL: github.apiUrl,
    MEMORY_READ_DEADLINE: '3s',
    MEMORY_SAVE_DEADLINE: '10s',
  };
}

/** Asks again until the answer is the one waited for; fails with the last answer. */
export async function until<T>(ask: () => Promise<T> | T, wanted: (answer: T) => boolean, ms = 20_000): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > end) {
      expect.fail(`waited ${ms} ms in vain; the last answer was ${JSON.stringify(answer)}`);
    }
    await delay(20);
  }
}

interface Receipt {
  status: string;
  id: string;
  blob: string;
}

const STATUS: Record<string, string> = {
  Saved: 'saved',
  'Already saved': 'already saved',
  QUEUED: 'queued',
  UNKNOWN: 'unknown',
};

/** What save_session answered. */
export function receiptOf(text: string): Receipt {
  const [, word = '', id = '', blob = ''] =
    /^(Saved|Already saved|QUEUED|UNKNOWN)[^`]*`([^`]+)`.*? blob ([0-9a-f]{40})/.exec(text) ?? [];
  if (id === '') throw new Error(`no receipt: ${text}`);
  return { status: STATUS[word] as string, id, blob };
}

/** Paths of the notes that each commit added or changed, oldest commit first. */
export async function notesByCommit(github: GitHub): Promise<string[][]> {
  const history = await github.history();
  return history
    .reverse()
    .map(({ files }) => files.filter((path) => path.startsWith('sessions/') && path.endsWith('.md')))
    .filter((files) => files.length > 0);
}

/** Each of these notes came in one commit and in no other, no commit has two parents, and they stand there now. */
export async function expectOnce(github: GitHub, ids: string[]): Promise<void> {
  const history = await github.history();
  expect(history.filter(({ parents }) => parents.length > 1)).toEqual([]);
  const commits = await notesByCommit(github);
  const times = new Map<string, number>();
  for (const path of commits.flat()) times.set(path, (times.get(path) ?? 0) + 1);
  expect(ids.map((id) => [id, times.get(`${id}.md`) ?? 0])).toEqual(ids.map((id) => [id, 1]));
  const files = await github.files();
  expect(ids.filter((id) => !files.has(`${id}.md`))).toEqual([]);
}

/** Every version of every note that ever stood at GitHub, and how many commits have two parents. */
export async function everWritten(github: GitHub) {
  const versions: string[] = [];
  const history = await github.history();
  for (const { sha, files } of history) {
    for (const path of files.filter((each) => each.endsWith('.md'))) {
      const url = `${github.apiUrl}/repos/${github.owner}/${github.repo}/contents/${path}?ref=${sha}`;
      const answer = await fetch(url, { headers: { authorization: `token ${github.token}` } });
      const { content = '' } = (await answer.json()) as { content?: string };
      versions.push(Buffer.from(content, 'base64').toString());
    }
  }
  return { versions, merges: history.filter(({ parents }) => parents.length > 1).length };
}

/** A sync that came through: on a busy machine a short deadline may need a second one. */
export const synced = ({ call }: Pick<TestApp, 'call'>) =>
  until(
    () => call('sync_now').catch(String),
    (answer) => answer.startsWith('Synced'),
  );

/** Nothing waits, and the mirror is what GitHub has. */
export async function settled(app: TestApp): Promise<void> {
  await until(
    () => app.app.services.outbox.unconfirmed(),
    ({ queued, unknown }) => queued + unknown === 0,
  );
  await synced(app);
  expect(await app.call('verify_with_github')).toContain('all equal');
}

/** The next commit meets this fault, and whatever is asked after it is not answered, until the faults are cleared. */
export function lose(github: GitHub, fault: FaultKind): void {
  let sent = false;
  github.fault({
    ...fault,
    times: 1,
    match: ({ graphql }) => {
      const hit = graphql?.operation === 'mutation';
      sent ||= hit;
      return hit;
    },
  });
  github.fault({ kind: 'status', status: 502, match: () => sent });
}
