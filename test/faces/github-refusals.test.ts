import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApp } from '../support/app.js';
import { type Fault, type GitHub, startGitHub } from '../support/github.js';
import { environmentOf } from '../support/github-origin.js';
import { tempFolder } from '../support/home.js';
import { runProgram } from '../support/server.js';

// Every no of GitHub is its own sentence with its own remedy; nothing is saved, and no token is in any of it.

interface Refusal {
  name: string;
  /** Makes the repository so, and says what else is configured. */
  given(site: GitHub, repository: string): Promise<Record<string, string>> | Record<string, string>;
  says: RegExp;
  remedy: RegExp;
  /** Reading goes on: only saving is refused. */
  readable?: boolean;
  /** It is the answer to a mutation that is made up here. */
  graphqlOnly?: boolean;
}

const mutation = (body: unknown): Fault => ({
  ...{ kind: 'status', status: 200, body },
  match: ({ graphql }) => graphql?.operation === 'mutation',
  times: 1,
});
const error = (type: string | undefined, message: string) => mutation({ data: null, errors: [{ type, message }] });

const REFUSALS: Refusal[] = [
  {
    name: 'a wrong token',
    given: () => ({ GITHUB_TOKEN: 'ghp_0000000000000000000000000000000000ff' }),
    says: /does not accept the token: it is wrong, expired or revoked/,
    remedy: /Contents: read and write.*GITHUB_TOKEN/,
  },
  {
    name: 'an expired token',
    given: (site) => ({ GITHUB_TOKEN: site.tokens.expired }),
    says: /does not accept the token: it is wrong, expired or revoked/,
    remedy: /fine-grained token/,
  },
  {
    name: 'a token that may only read',
    given: (site) => ({ GITHUB_TOKEN: site.tokens.readOnly }),
    says: /does not let the token do that in ann\/\S+\. Nothing was changed\./,
    remedy: /Contents: read and write/,
    readable: true,
  },
  {
    name: 'the token of somebody who cannot see the repository',
    given: (site) => ({ GITHUB_TOKEN: site.tokens.stranger }),
    says: /There is no repository ann\/\S+ on GitHub that this token can see/,
    remedy: /Check MEMORY_REPO, and that the token was given access/,
  },
  {
    name: 'a repository that is not there',
    given: () => ({ MEMORY_REPO: 'ann/nowhere' }),
    says: /There is no repository ann\/nowhere on GitHub that this token can see/,
    remedy: /Check MEMORY_REPO/,
  },
  {
    name: 'a branch that is not there',
    given: () => ({ MEMORY_BRANCH: 'nowhere' }),
    says: /The branch nowhere is not in ann\//,
    remedy: /Set MEMORY_BRANCH to one that is, or leave it unset/,
  },
  {
    name: 'a protected branch',
    given: async (site, repository) => {
      await site.protectBranch('main', repository);
      return {};
    },
    says: /The branch is protected in ann\/\S+: .*Nothing was saved/,
    remedy: /past the protection.*MEMORY_BRANCH/,
    readable: true,
  },
  {
    name: 'an archived repository',
    given: async (site, repository) => {
      await site.setArchived(true, repository);
      return {};
    },
    says: /is archived: it can be read, not written\. Nothing was saved/,
    remedy: /Unarchive it/,
    readable: true,
  },
  {
    name: 'a locked repository',
    given: (site, repository) => {
      site.setLocked(true, repository);
      return {};
    },
    says: /is locked or disabled on GitHub\. Nothing was saved/,
    remedy: /Open it on github\.com/,
    readable: true,
    graphqlOnly: true,
  },
  {
    name: 'a disabled repository',
    given: async (site, repository) => {
      await site.setDisabled(true, repository);
      return {};
    },
    says: /is locked or disabled on GitHub/,
    remedy: /Open it on github\.com/,
    readable: true,
  },
  {
    name: 'single sign-on',
    given: (site) => ({ GITHUB_TOKEN: site.tokens.sso }),
    says: /requires single sign-on, and the token is not authorised/,
    remedy: /Configure SSO/,
  },
  {
    name: 'a public repository',
    given: async (site, repository) => {
      await site.setPublic(true, repository);
      return {};
    },
    says: /is public: everybody could read these notes/,
    remedy: /Make it private.*MEMORY_ALLOW_PUBLIC=on/,
  },
  {
    name: 'a repository over quota',
    given: (site) => {
      site.fault(error('UNPROCESSABLE', 'Repository has exceeded its disk quota. Delete some data to push again.'));
      return {};
    },
    says: /is over a size limit of GitHub\. Nothing was saved/,
    remedy: /Free space/,
    readable: true,
    graphqlOnly: true,
  },
  {
    name: 'push protection',
    given: (site) => {
      const words = 'Repository rule violations found\n\nSecret detected in content: push protection';
      site.fault(error('UNPROCESSABLE', words));
      return {};
    },
    says: /push protection has found a secret in the note\. Nothing was saved/,
    remedy: /Take the secret out/,
    readable: true,
    graphqlOnly: true,
  },
  {
    name: 'a rule of the repository',
    given: (site) => {
      site.fault(error(undefined, 'Repository rule violations found\n\nChanges must be made through a pull request.'));
      return {};
    },
    says: /The branch is protected in/,
    remedy: /Rules, Branches/,
    readable: true,
    graphqlOnly: true,
  },
  {
    name: 'an address that is not let in',
    given: (site) => {
      site.fault(
        error(
          'FORBIDDEN',
          'Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled',
        ),
      );
      return {};
    },
    says: /does not let this machine's address in/,
    remedy: /owner to add it/,
    readable: true,
    graphqlOnly: true,
  },
];

describe('refusals', () => {
  let site: GitHub;
  let made = 0;
  beforeAll(async () => {
    site = await startGitHub();
  });
  afterAll(() => site.close());

  test.each(REFUSALS)('$name', async ({ given, says, remedy, readable }) => {
    const repository = await site.createRepo({ name: `refused-${made++}` });
    await site.commitOutside({ 'sessions/a.md': '# Earlier\n\nStood there before.\n' }, { repository });
    const before = site.head('main', repository);
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    try {
      const environment: Record<string, string> = {
        ...environmentOf(site, { MEMORY_REPO: repository }),
        ...(await given(site, repository)),
      };
      const { call, fail, logged } = await openApp(environment);
      const told = await fail('save_session', { title: 'Refused', content: 'Must not be saved.' });
      expect(told).toMatch(says);
      expect(told).toMatch(remedy);
      const read = readable ? await call('load_context', {}) : await fail('load_context', {});
      if (!readable) expect(read).toMatch(says);
      const status = await call('memory_status');
      if (!readable) expect(status).toMatch(says);
      expect(status).not.toContain('queued');
      const doctor = await runProgram(['doctor'], { ...environment, MEMORY_HOME: tempFolder() });
      expect(doctor.code).toBe(readable ? 0 : 1);
      if (!readable) {
        expect(doctor.stdout).toMatch(says);
        expect(doctor.stdout).toMatch(remedy);
      }
      site.clearFaults();
      expect(site.head('main', repository)).toBe(before);
      const everything = [told, read, status, doctor.stdout, doctor.stderr, ...logged].join('\n');
      for (const token of [site.token, ...Object.values(site.tokens), environment.GITHUB_TOKEN ?? ''])
        expect(everything).not.toContain(token);
      expect(everything).not.toMatch(/ghp_|authorization:|bearer /i);
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
      site.clearFaults();
    }
  });

  // Where there is no GraphQL, GitHub says no in other words.
  test.each(REFUSALS.filter(({ graphqlOnly }) => !graphqlOnly))(
    '$name, without GraphQL',
    async ({ given, says, remedy }) => {
      const repository = await site.createRepo({ name: `refused-${made++}` });
      const before = site.head('main', repository);
      site.setGraphQL(false);
      try {
        const environment = { ...environmentOf(site), MEMORY_REPO: repository, ...(await given(site, repository)) };
        const { fail, logged } = await openApp(environment);
        const told = await fail('save_session', { title: 'Refused', content: 'Must not be saved.' });
        expect(told).toMatch(says);
        expect(told).toMatch(remedy);
        expect(site.head('main', repository)).toBe(before);
        expect([told, ...logged].join('\n')).not.toMatch(/ghp_/);
      } finally {
        site.setGraphQL(true);
      }
    },
  );

  test('a public repository is used where that is allowed', async () => {
    const repository = await site.createRepo({ name: 'shown', private: false });
    const { call } = await openApp({ ...environmentOf(site), MEMORY_REPO: repository, MEMORY_ALLOW_PUBLIC: 'on' });
    expect(await call('save_session', { title: 'Shown', content: 'To all.' })).toMatch(/^Saved: /);
  });

  test('no token', async () => {
    const answer = await runProgram(['status'], { MEMORY_HOME: tempFolder(), MEMORY_REPO: 'ann/notes' });
    expect(answer.code).toBe(78);
    expect(answer.stderr).toMatch(/GITHUB_TOKEN is not set.*Contents: read and write/);
  });

  test('a token that is revoked meanwhile: reading goes on, marked, saves are refused', async () => {
    const repository = await site.createRepo({ name: 'revoked' });
    const token = site.addToken('ann');
    const home = tempFolder();
    const environment: Record<string, string> = {
      ...environmentOf(site),
      MEMORY_HOME: home,
      MEMORY_REPO: repository,
      GITHUB_TOKEN: token,
    };
    const first = await openApp(environment);
    await first.call('save_session', { title: 'While it held', content: 'The token was good.' });
    site.revokeToken(token);
    const later = await openApp({ ...environment, MEMORY_STALE_AFTER: '0s' });
    for (const tool of ['search_memory', 'list_sessions'] as const) {
      const text = await later.call(
        tool,
        tool === 'search_memory' ? { query: 'token held', consistency: 'fresh' } : { consistency: 'fresh' },
      );
      expect(text).toContain('While it held');
    }
    const listed = await later.call('list_sessions', {});
    expect(listed).toContain('While it held');
    expect(await later.fail('save_session', { title: 'x', content: 'y' })).toContain('does not accept the token');
    expect(await later.call('memory_status')).toContain('does not accept the token');
    expect(await later.fail('list_sessions', { consistency: 'verified' })).toContain('does not accept the token');
    expect([...later.logged, listed].join('\n')).not.toContain(token);
  });
});
