import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Config, readConfig, settingsOf, VARIABLES } from '../src/config.js';
import { ERROR_TABLE, MemoryError } from '../src/core/errors.js';
import { git, tempFolder } from './support/home.js';
import { runProgram, startServer } from './support/server.js';

const HOME = '/somewhere';

/** Values of a database's variable. */
const DATABASES = {
  initial: undefined,
  good: [
    'postgres://localhost/memory',
    'postgresql://ann:p%40ss@db.example:6432/memory?sslmode=verify-full',
    'postgres:///memory?host=/var/run/postgresql&user=ann',
    'postgres://[::1]:5432/memory',
  ].map((url): [string, string] => [url, url]),
  bad: [
    ['memory', /is no URL/],
    ['mysql://ann:hunter2secret@db/memory', /no postgres:/],
    ['postgres://ann:hunter2secret@one,two/memory', /several hosts/],
    ['postgres://ann:hunter2secret@one:1,two:2/memory', /several hosts/],
    ['postgres://ann:hunter2secret@db:99999/memory', /is no URL/],
    ['postgres://ann:hunter2secret@/memory?port=99999', /is no URL|port/],
    ['postgres://ann:hunter2secret%zz@db/memory', /%25/],
    ['postgres://ann:hunter2secret@db/memory?sslmode=hunter2secret', /verify-full/],
  ] as [string, RegExp][],
};

function refusal(argv: string[], environment: Record<string, string> = {}): MemoryError {
  try {
    readConfig(argv, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(MemoryError);
    expect((error as MemoryError).code).toBe('config');
    return error as MemoryError;
  }
  throw new Error(`${argv.join(' ')} ${JSON.stringify(environment)} was expected to be refused`);
}

/** Each variable: values that are taken and what they become, and values that are not. */
const VALUES: Record<
  Exclude<(typeof VARIABLES)[number]['name'], 'GITHUB_TOKEN' | 'GITHUB_API_URL' | 'MEMORY_ALLOW_PUBLIC'>,
  { field: keyof Config; initial: unknown; good: [string, unknown][]; bad: [string, RegExp][] }
> = {
  MEMORY_REPO: {
    field: 'repo',
    initial: null,
    good: [
      ['/srv/notes', '/srv/notes'],
      ['./notes', resolve('notes')],
      ['~/notes', join(homedir(), 'notes')],
      ['~', homedir()],
      ['a/b/c', resolve('a/b/c')],
      ['  /srv/notes ', '/srv/notes'],
    ],
    bad: [
      ['owner/name', /GITHUB_TOKEN is not set/],
      ['https://user:hunter2secret@github.com/owner/name.git', /is a URL/],
      ['https://git.example.com/owner/name', /is a URL/],
      ['git@example.com:owner/name.git', /is a URL/],
    ],
  },
  MEMORY_BRANCH: { field: 'branch', initial: undefined, good: [['notes', 'notes']], bad: [] },
  MEMORY_HOME: {
    field: 'home',
    initial: expect.stringMatching(/strata-memory$/),
    good: [
      [HOME, HOME],
      ['~/memory', join(homedir(), 'memory')],
    ],
    bad: [],
  },
  MEMORY_OUTBOX: {
    field: 'outbox',
    initial: true,
    good: [
      ['off', false],
      ['ON', true],
    ],
    bad: [['maybe', /on, off/]],
  },
  MEMORY_READ_DEADLINE: {
    field: 'readDeadlineMs',
    initial: 8_000,
    good: [['2s', 2_000]],
    bad: ['0s', '11m', 'soon'].map((value) => [value, /is no time between/]),
  },
  MEMORY_SAVE_DEADLINE: {
    field: 'saveDeadlineMs',
    initial: 30_000,
    good: [['500ms', 500]],
    bad: ['10ms', '1h'].map((value) => [value, /is no time between/]),
  },
  DATABASE_URL: { field: 'databaseUrl', ...DATABASES },
  DATABASE_READ_URL: { field: 'databaseReadUrl', ...DATABASES },
  MEMORY_MIRROR_DEADLINE: {
    field: 'mirrorDeadlineMs',
    initial: 5_000,
    good: [['500ms', 500]],
    bad: [['0s', /is no time between/]],
  },
  REDIS_URL: {
    field: 'redisUrl',
    initial: undefined,
    good: [
      'redis://127.0.0.1',
      'redis://ann:hunter2secret@cache.example:6380/3',
      'rediss://:hunter2%25@[::1]?ca=/etc/ca.pem',
      'redis://one:7000,two:7001',
      'redis+cluster://ann:hunter2secret@one:7000',
      'rediss+cluster://one,two',
    ].map((value) => [value, value]),
    bad: [
      ['hunter2secret', /is no redis:/],
      ['http://ann:hunter2secret@h', /is no redis:/],
      ['redis://', /is no URL|has no host/],
      ['redis://h:hunter2secret', /is no URL/],
      ['redis://h:0', /has a port that is none/],
      ['redis://h:70000', /is no URL/],
      ['redis://ann:hunter2secret@h/memory', /has a database that is no number/],
      ['redis://ann:hunter2secret@one,two/1', /names a database/],
      ['redis://:hunter2%@h', /has a % that is no escape/],
      ['redis://:hunter2secret@h?tls=hunter2secret', /has a parameter that is not known/],
      ['redis://:hunter2secret@h?ca=/x', /needs rediss/],
      ['redis://:hunter2secret@h#x', /has a #/],
    ],
  },
  MEMORY_PROJECT: {
    field: 'project',
    initial: undefined,
    good: [
      ['Owner/Repo', 'owner/repo'],
      ['git@github.com:Owner/Repo.git', 'owner/repo'],
    ],
    bad: [
      ['../x', /only dots/],
      ['a:b', /letters, digits/],
      ['p'.repeat(300), /300 characters/],
    ],
  },
  MEMORY_SYNC_CRON: {
    field: 'syncCron',
    initial: '*/15 * * * *',
    good: [
      ['0 3 * * *', '0 3 * * *'],
      ['* * * * * *', '* * * * * *'],
      [' OFF ', null],
    ],
    bad: [
      ['15m', /has 1 fields, not 5/],
      ['60 * * * *', /a minute that is none/],
      ['* * 30 feb *', /a day that never comes/],
    ],
  },
  MEMORY_CHECKPOINTS: {
    field: 'checkpointsCron',
    initial: '30 4 * * 1',
    good: [
      ['0 3 1 * *', '0 3 1 * *'],
      ['off', null],
    ],
    bad: [
      ['weekly', /MEMORY_CHECKPOINTS has 1 fields, not 5/],
      ['* * 30 feb *', /a day that never comes/],
    ],
  },
  MEMORY_RETENTION: {
    field: 'retentionDays',
    initial: null,
    good: [
      ['90d', 90],
      ['off', null],
    ],
    bad: ['0d', '90', '3651d', '1h', 'never'].map((value) => [value, /between 1d and 3650d/]),
  },
  MEMORY_STALE_AFTER: {
    field: 'staleAfterMs',
    initial: 3_600_000,
    good: [
      ['0s', 0],
      ['250ms', 250],
      ['90s', 90_000],
      ['15m', 900_000],
      ['2h', 7_200_000],
      ['30d', 30 * 86_400_000],
    ],
    bad: ['31d', '1', '1 hour', '-1h', '1.5h', 'soon', '999999999d'].map((value) => [value, /between 0s and 30d/]),
  },
  MEMORY_EMBEDDINGS: {
    field: 'embeddings',
    initial: 'minilm',
    good: [
      ['off', null],
      ['MiniLM', 'minilm'],
      ['all-MiniLM-L6-v2', 'minilm'],
      [tmpdir(), { folder: tmpdir() }],
    ],
    bad: [['gpt-9', /names neither a model/]],
  },
  MEMORY_TOOLS: {
    field: 'tools',
    initial: 'all',
    good: [
      ['all', 'all'],
      ['core', 'core'],
      ['CORE', 'core'],
    ],
    bad: [['some', /all, core/]],
  },
  MEMORY_LOG: {
    field: 'log',
    initial: 'info',
    good: ['silent', 'error', 'warn', 'info', 'debug'].map((level) => [level, level]),
    bad: [['verbose', /silent, error, warn, info, debug/]],
  },
};

const GITHUB = { MEMORY_REPO: 'Owner/name', GITHUB_TOKEN: 'ghp_hunter2secret' };

describe('MEMORY_REPO on GitHub', () => {
  test.each([
    'Owner/name',
    'https://github.com/Owner/name.git',
    'git@github.com:Owner/name',
    'ssh://git@github.com/Owner/name.git',
  ])('%s', (repo) => {
    const { config } = readConfig([], { ...GITHUB, MEMORY_REPO: repo });
    expect(config.repo).toBeNull();
    expect(config.github).toEqual({
      owner: 'Owner',
      name: 'name',
      token: 'ghp_hunter2secret',
      apiUrl: 'https://api.github.com',
      allowPublic: false,
    });
    expect(JSON.stringify(settingsOf(config))).not.toContain('hunter2secret');
  });

  test('an Enterprise server, and a public repository that is allowed', () => {
    const more = { GITHUB_API_URL: 'https://git.example.com/api/v3/', MEMORY_ALLOW_PUBLIC: 'on' };
    expect(readConfig([], { ...GITHUB, ...more }).config.github).toMatchObject({
      apiUrl: 'https://git.example.com/api/v3',
      allowPublic: true,
    });
    expect(readConfig(['--allow-public', 'on'], GITHUB).config.github?.allowPublic).toBe(true);
  });

  test.each([
    ['GITHUB_API_URL', 'http://git.example.com'],
    ['GITHUB_API_URL', 'https://u:hunter2secret@git.example.com'],
    ['GITHUB_API_URL', 'nonsense'],
    ['GITHUB_TOKEN', 'two words'],
    ['MEMORY_ALLOW_PUBLIC', 'perhaps'],
  ])('%s=%s is refused', (name, value) => {
    const { message, hint } = refusal([], { ...GITHUB, [name]: value });
    expect(message).toContain(name);
    expect(message + hint).not.toContain('hunter2secret');
  });

  test('a token without such a repository is of no concern', () => {
    const { config } = readConfig([], { GITHUB_TOKEN: 'two words', GITHUB_API_URL: 'nonsense' });
    expect([config.github, config.warnings]).toEqual([null, []]);
  });
});

describe.each(Object.entries(VALUES))('%s', (name, { field, initial, good, bad }) => {
  const flag = VARIABLES.find((each) => each.name === name)?.flag as string;

  test('has its default, and says so', () => {
    const { config } = readConfig([], {});
    expect(config[field]).toEqual(initial);
    expect(config.sources[name]).toBe('default');
    expect(config.warnings).toEqual([]);
  });

  test('is taken from the environment and from its flag, which wins', () => {
    for (const [value, becomes] of good) {
      const environment = readConfig([], { [name]: value }).config;
      expect([environment[field], environment.sources[name]], value).toEqual([becomes, 'environment']);
      for (const argv of [[`--${flag}`, value], [`--${flag}=${value}`]]) {
        const flagged = readConfig(argv, { [name]: good[0]?.[0] }).config;
        expect([flagged[field], flagged.sources[name]], value).toEqual([becomes, 'flag']);
      }
    }
  });

  test('refuses what it cannot mean, names itself and the fix, and does not repeat the value', () => {
    for (const [value, said] of bad) {
      const { message, hint } = refusal([], { [name]: value });
      expect(message).toContain(name);
      expect(`${message} ${hint}`).toMatch(said);
      expect(hint).toMatch(/^[A-Z].*\.$/);
      expect(`${message} ${hint}`).not.toContain('hunter2secret');
    }
  });

  test('unset where it is empty; an empty flag is a mistake', () => {
    for (const value of ['', '  ']) {
      const { config } = readConfig([], { [name]: value });
      expect([config[field], config.sources[name]]).toEqual([initial, 'default']);
      expect(refusal([`--${flag}`, value]).message).toContain(`--${flag} has an empty value`);
    }
  });

  test('a flag given twice is a mistake', () => {
    const value = good[0]?.[0] as string;
    expect(refusal([`--${flag}=${value}`, `--${flag}=${value}`]).message).toContain(
      `--${flag} is given more than once`,
    );
  });

  test('a flag without its value is a mistake', () => {
    expect(refusal([`--${flag}`]).message).toContain(`--${flag}`);
  });
});

// Another program's variables may be named like those that are not MEMORY_.
test.each(VARIABLES.filter(({ name }) => name.startsWith('MEMORY_')))(
  'one slip in $name is an error that names it',
  ({ name }) => {
    const slips = [`${name}S`, name.slice(0, -1), name.replace(/(.)(.)$/, '$2$1'), `${name.slice(0, -1)}0`];
    for (const slip of slips) {
      const { message, hint } = refusal([], { [slip]: 'x' });
      expect(message).toContain(slip);
      expect(hint).toBe(`Did you mean ${name}?`);
    }
  },
);

test('an unknown MEMORY_ name is a warning, without its value', () => {
  const { warnings } = readConfig([], { MEMORY_OF_A_LIFETIME: 'hunter2secret', OTHER: 'x' }).config;
  expect(warnings).toEqual([expect.stringMatching(/^MEMORY_OF_A_LIFETIME is not a variable.*ignored\.$/)]);
});

test('what a later version will know is said to have no effect; encryption is refused rather than left out', () => {
  const later = {
    MEMORY_ALERT_URL: 'hunter2secret',
  };
  const { warnings } = readConfig([], later).config;
  expect(warnings.map((each) => each.split(' ')[0]).sort()).toEqual(Object.keys(later).sort());
  expect(warnings.join()).not.toContain('hunter2secret');
  expect(refusal([], { MEMORY_ENCRYPTION_KEY: 'hunter2secret' }).message).not.toContain('hunter2secret');
});

test('contents leave a Postgres mirror after 90 days unless that is switched off', () => {
  const url = 'postgres://db.example/memory';
  expect(readConfig([], { DATABASE_URL: url }).config.retentionDays).toBe(90);
  expect(readConfig(['--retention', 'off'], { DATABASE_URL: url }).config.retentionDays).toBeNull();
});

test('a database is shown without who asks and how; a replica alone does nothing', () => {
  const url = 'postgres://ann:hunter2secret@db.example:6432/memory?sslmode=require&password=hunter2secret';
  const { config } = readConfig([], { DATABASE_URL: url, DATABASE_READ_URL: url });
  const rows = settingsOf(config).filter(({ name }) => name.startsWith('DATABASE_'));
  expect(rows.map(({ value }) => value)).toEqual(Array(2).fill('postgres://db.example:6432/memory'));
  expect(JSON.stringify(settingsOf(config))).not.toMatch(/hunter2secret|ann/);
  expect(readConfig([], { DATABASE_READ_URL: url }).config.warnings).toEqual([
    'DATABASE_READ_URL has no effect without DATABASE_URL, its primary.',
  ]);
});

test('a cache is shown without who asks', () => {
  const shown = (REDIS_URL: string) =>
    settingsOf(readConfig([], { REDIS_URL }).config).find(({ name }) => name === 'REDIS_URL')?.value;
  expect(shown('redis://ann:hunter2secret@h/3')).toBe('redis://h:6379/3');
  expect(shown('rediss://:hunter2secret@[::1]:7?ca=/x')).toBe('rediss://[::1]:7');
  expect(shown('redis://ann:hunter2secret@one:7000,two')).toBe('redis+cluster://one:7000,two:6379');
});

test('where the client works is taken from CLAUDE_PROJECT_DIR', () => {
  expect(readConfig([], { CLAUDE_PROJECT_DIR: '/work/x' }).config.clientFolder).toBe('/work/x');
  expect(readConfig([], { CLAUDE_PROJECT_DIR: '' }).config.clientFolder).toBeUndefined();
});

test('the program: exit codes, and a sentence on stderr', async () => {
  const home = { MEMORY_HOME: tempFolder() };
  const exit = ERROR_TABLE.config.exit;
  const cases: [string[], Record<string, string>, number, RegExp][] = [
    [['--help'], {}, 0, /^$/],
    [['--version'], {}, 0, /^$/],
    [[], {}, 0, /^$/],
    [['--colour', 'red'], {}, exit, /no flag --colour.*--repo/],
    [['-x'], {}, exit, /no flag -x/],
    [['--log'], {}, exit, /--log/],
    [['--log', 'warn', '--log', 'error'], {}, exit, /--log is given more than once/],
    [['serve-it'], {}, ERROR_TABLE.invalid_input.exit, /There is no such command/],
    [['ghp_hunter2secret'], {}, ERROR_TABLE.invalid_input.exit, /There is no such command/],
    [[], { MEMORY_LOG: 'loud' }, exit, /MEMORY_LOG/],
    [[], { MEMORY_STALE_AFTR: '1h' }, exit, /Did you mean MEMORY_STALE_AFTER/],
    [[], { MEMORY_REPO: 'https://user:hunter2secret@github.com/a/b' }, exit, /MEMORY_REPO is a URL/],
    [[], { MEMORY_REPO: 'owner/name' }, exit, /GITHUB_TOKEN is not set.*init --github/],
  ];
  await Promise.all(
    cases.map(async ([argv, environment, code, said]) => {
      const result = await runProgram(argv, { ...home, ...environment });
      expect([argv, result.code]).toEqual([argv, code]);
      expect(result.stderr).toMatch(said);
      expect(result.stdout + result.stderr).not.toMatch(/hunter2secret|\bat .*\.js:\d/);
    }),
  );
  const { stdout } = await runProgram(['--help'], home);
  for (const { name, flag } of VARIABLES) for (const word of [name, `--${flag} `]) expect(stdout).toContain(word);
});

describe('an origin that cannot be used does not stop the server', () => {
  /** What stands at the path at first, and what the tools say. */
  const cases: [string, (path: string) => void, RegExp][] = [
    ['a path that is missing', () => {}, /does not exist.*git init --bare/],
    ['a file', (path) => writeFileSync(path, 'x'), /is a file, not a git repository/],
    ['a folder that is no repository', (path) => mkdirSync(path), /is no git repository/],
    [
      'a folder inside a repository',
      (path) => {
        git(join(path, '..'), 'init', '-q', '-b', 'main');
        mkdirSync(path);
      },
      /is a folder inside a git repository.*the top of the repository/,
    ],
  ];

  test.each(cases)('%s: the tools say so, and work once it is mended', async (_what, make, said) => {
    const path = join(tempFolder(), 'notes');
    make(path);
    const server = await startServer({ MEMORY_HOME: tempFolder(), MEMORY_REPO: path });
    try {
      expect((await server.client.listTools()).tools.length).toBeGreaterThan(5);
      for (const [name, args] of [
        ['load_context', {}],
        ['save_session', { title: 'A', content: 'b' }],
        ['memory_status', {}],
      ] as const) {
        const text = await server.fail(name, args);
        expect(text, name).toMatch(/^MEMORY_REPO cannot be used: /);
        expect(text, name).toMatch(said);
      }
      rmSync(path, { recursive: true, force: true });
      rmSync(join(path, '../.git'), { recursive: true, force: true });
      mkdirSync(path);
      git(path, 'init', '-q', '--bare', '-b', 'main');
      expect(await server.call('save_session', { title: 'A', content: 'b' })).toMatch(/^Saved/);
      expect(await server.call('load_context')).toContain('**A**');
      expect(git(path, 'log', '--format=%s', 'main')).toBe('Save: A');
    } finally {
      await server.close();
    }
  });

  test('a branch that is missing is told apart from one that cannot be', async () => {
    const path = tempFolder();
    git(path, 'init', '-q', '--bare', '-b', 'main');
    const wrong = await startServer({ MEMORY_HOME: tempFolder(), MEMORY_REPO: path, MEMORY_BRANCH: 'no..good' });
    try {
      expect(await wrong.fail('load_context')).toMatch(/MEMORY_BRANCH is not a valid branch name\. Use the name/);
    } finally {
      await wrong.close();
    }
    const fresh = await startServer({ MEMORY_HOME: tempFolder(), MEMORY_REPO: path, MEMORY_BRANCH: 'notes' });
    try {
      expect(await fresh.call('load_context')).toMatch(/no commits yet/);
      expect(await fresh.call('save_session', { title: 'A', content: 'b' })).toMatch(/^Saved/);
      expect(git(path, 'log', '--format=%s', 'notes')).toBe('Save: A');
    } finally {
      await fresh.close();
    }
  });
});
