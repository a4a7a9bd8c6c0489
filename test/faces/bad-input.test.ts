import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { LIMITS } from '../../src/core/limits.js';
import { openApp, type TestApp } from '../support/app.js';
import { tempFolder } from '../support/home.js';
import { distMain, runProgram, serverEnvironment } from '../support/server.js';

/** A note to ask for, and what must be as it was after every bad call. */
async function withNote(): Promise<TestApp & { id: string; blob: string; unchanged(): Promise<void> }> {
  const opened = await openApp();
  const receipt = await opened.call('save_session', {
    title: 'Login bug',
    content:
      '# Login bug\n\nCookies expired too early.\n\n## Cause\nSeconds for minutes.\n\n## Ignore `this` heading\nx',
  });
  const id = /`([^`]+)`/.exec(receipt)?.[1] as string;
  const blob = /blob ([0-9a-f]{40})/.exec(receipt)?.[1] as string;
  const { services } = opened.app;
  const head = await services.origin.head();
  const generation = (await services.mirror.snapshot((view) => view.state())).generation;
  return {
    ...opened,
    id,
    blob,
    async unchanged() {
      expect(await services.origin.head()).toEqual(head);
      const state = await services.mirror.snapshot((view) => view.state());
      expect([state.generation, state.doubts]).toEqual([generation, 0]);
      expect(await opened.call('read_memory', { id })).toContain('Cookies expired too early.');
    },
  };
}

const SAVE = { title: 'A title', content: 'Some content.' };
const NUL = '\u0000';

/** Tool, arguments, and what the answer must say: what is wrong, and what would be right. */
const BAD: [string, string, Record<string, unknown>, RegExp[]][] = [
  [
    'an unknown argument',
    'load_context',
    { projects: 'x' },
    [/no argument `projects`/, /project, max_tokens, since, section, consistency/],
  ],
  ['a wrong type', 'save_session', { ...SAVE, title: 7 }, [/`title` must be a string/, /Nothing was done/]],
  ['a wrong type within', 'save_session', { ...SAVE, tags: ['a', 1] }, [/`tags\.1` must be a string/]],
  ['a string for a list', 'save_session', { ...SAVE, decisions: 'one' }, [/`decisions` must be an array/]],
  ['null for text', 'save_session', { ...SAVE, content: null }, [/`content` must be a string/]],
  ['an object for text', 'save_session', { ...SAVE, content: { a: { b: 'c' } } }, [/`content` must be a string/]],
  ['a missing argument', 'save_session', { title: 'x' }, [/`content` is missing/]],
  ['no arguments', 'search_memory', {}, [/`query` is missing/]],
  ['an unknown privacy', 'save_session', { ...SAVE, privacy: 'SECRET' }, [/one of PUBLIC, TEAM, PRIVATE, EPHEMERAL/]],
  ['an unknown kind', 'list_sessions', { kind: 'letter' }, [/one of session, checkpoint/]],
  ['an unknown consistency', 'load_context', { consistency: 'now' }, [/one of fast, fresh, verified/]],
  ['empty content', 'save_session', { ...SAVE, content: '' }, [/`content` must be at least 1/]],
  [
    'white space for content',
    'save_session',
    { ...SAVE, content: ' \n\t ' },
    [/`content` is empty/, /Give it some text/],
  ],
  ['white space for a title', 'save_session', { ...SAVE, title: '   ' }, [/`title` is empty/]],
  ['5 MB of content', 'save_session', { ...SAVE, content: 'x'.repeat(5_000_000) }, [/5000000 bytes; at most 1048576/]],
  [
    'a title of 5,000',
    'save_session',
    { ...SAVE, title: 'x'.repeat(5_000) },
    [/`title` must be at most 200 characters/],
  ],
  [
    'control characters',
    'save_session',
    { ...SAVE, content: 'a\u0007b' },
    [/control character U\+0007 at character 2/],
  ],
  ['NUL in content', 'save_session', { ...SAVE, content: `a${NUL}` }, [/U\+0000/]],
  [
    'an escape in a tag',
    'save_session',
    { ...SAVE, tags: ['\u001b[31m'] },
    [/`tags` holds the control character U\+001B/],
  ],
  ['a lone surrogate', 'save_session', { ...SAVE, content: 'ab\ud83d' }, [/lone surrogate.*at character 3/]],
  ['a lone surrogate in a title', 'save_session', { ...SAVE, title: '\udc00x' }, [/`title` holds half a character/]],
  [
    'a project that climbs',
    'save_session',
    { ...SAVE, project: '../x' },
    [/project name is not usable/, /owner\/repo/],
  ],
  ['a project that climbs inside', 'save_session', { ...SAVE, project: 'a/../../b' }, [/only dots/]],
  ['an absolute project', 'save_session', { ...SAVE, project: '/etc' }, [/absolute path/]],
  ['a Windows project', 'save_session', { ...SAVE, project: 'C:\\work\\x' }, [/letters, digits/]],
  ['a reserved project', 'save_session', { ...SAVE, project: 'a/NUL' }, [/Windows reserves/]],
  ['a project of git’s own', 'save_session', { ...SAVE, project: 'a/.GIT/hooks' }, [/git keeps to itself/]],
  ['NUL in a project', 'save_session', { ...SAVE, project: `a${NUL}b` }, [/`project` holds the control character/]],
  ['an empty project', 'save_session', { ...SAVE, project: '' }, [/it is empty/]],
  ['a project of 300', 'save_session', { ...SAVE, project: 'p'.repeat(300) }, [/300 characters, at most 200/]],
  ['a remote that climbs', 'load_context', { project: 'https://github.com/../../x' }, [/project name is not usable/]],
  ['a climbing id', 'read_memory', { id: '../../etc/passwd' }, [/climbs out/, /as list_sessions/]],
  ['an absolute id', 'read_memory', { id: '/etc/passwd' }, [/absolute path/]],
  ['a Windows id', 'read_memory', { id: 'C:\\Windows\\win.ini' }, [/absolute path/]],
  ['a Windows id that climbs', 'read_memory', { id: '..\\..\\x' }, [/climbs out/]],
  ['NUL in an id', 'read_memory', { id: `a${NUL}` }, [/control character U\+0000/]],
  ['a line break in an id', 'read_memory', { id: 'a\nb' }, [/line break/]],
  ['an endless id', 'read_memory', { id: 'x'.repeat(LIMITS.idChars + 1) }, [/at most \d+ are allowed/]],
  ['a climbing id to edit', 'save_session', { ...SAVE, id: '../x', replaces: 'a'.repeat(40) }, [/climbs out/]],
  ['a climbing id to verify', 'verify_with_github', { id: '../x', repair: true }, [/climbs out/]],
  ['30 February', 'list_sessions', { after: '2025-02-30' }, [/`after` is not a date that exists/, /2026-11-21/]],
  ['month 13', 'list_sessions', { before: '2025-13-01' }, [/`before` is not a date/]],
  ['25 o’clock', 'search_memory', { query: 'x', after: '2025-01-01T25:00:00Z' }, [/`after` is not a date/]],
  ['words for a date', 'search_memory', { query: 'x', before: 'yesterday' }, [/`before` is not a date/]],
  ['an empty date', 'list_sessions', { after: '' }, [/`after` is not a date/]],
  ['limit 0', 'list_sessions', { limit: 0 }, [/`limit` must be at least 1/]],
  ['limit -1', 'search_memory', { query: 'x', limit: -1 }, [/`limit` must be at least 1/]],
  ['limit 10^9', 'list_sessions', { limit: 1e9 }, [/`limit` must be at most 100/]],
  ['limit 1.5', 'list_sessions', { limit: 1.5 }, [/`limit` must be a whole number/]],
  ['a limit in words', 'search_memory', { query: 'x', limit: '5' }, [/`limit` must be a/]],
  ['max_tokens 1', 'load_context', { max_tokens: 1 }, [/`max_tokens` must be at least 100/]],
  ['max_tokens 10^9', 'load_context', { max_tokens: 1e9 }, [/`max_tokens` must be at most 20000/]],
  ['a cursor of nobody', 'list_sessions', { cursor: 'abc' }, [/not one that list_sessions gave/, /Leave it out/]],
  ['a cursor of another shape', 'list_sessions', { cursor: Buffer.from('{"a":1}').toString('base64url') }, [/not one/]],
  ['a cursor of wrong types', 'list_sessions', { cursor: Buffer.from('["x",1]').toString('base64url') }, [/not one/]],
  [
    'a cursor of another list',
    'list_projects',
    { cursor: 'WzEsImEiXQ' },
    [/not one that list_projects gave/, /Leave it/],
  ],
  ['a broken cursor', 'list_projects', { cursor: '%%%' }, [/not one that list_projects gave/]],
  ['limit 0 of projects', 'list_projects', { limit: 0 }, [/`limit` must be at least 1/]],
  ['limit 10^9 of projects', 'list_projects', { limit: 1e9 }, [/`limit` must be at most 10000/]],
  ['an unknown status', 'list_projects', { status: 'alive' }, [/one of idea, active, paused, done, dropped/]],
  [
    'an unknown section',
    'load_context',
    { section: 'todo' },
    [/`section` must be one of steps, decisions, facts, patterns, notes/],
  ],
  ['a section with too few tokens', 'load_context', { section: 'steps', max_tokens: 0 }, [/at least 100/]],
  [
    'a section of what changed',
    'load_context',
    { section: 'steps', since: '2026-01-01' },
    [/`since` and `section` do not go together/, /Leave one/],
  ],
  ['a cursor of 5,000', 'list_sessions', { cursor: 'x'.repeat(5_000) }, [/at most 2000/]],
  [
    'punctuation for a query',
    'search_memory',
    { query: '?!... -- () "" *' },
    [/no word in it/, /words, names or numbers/],
  ],
  ['an empty query', 'search_memory', { query: '' }, [/`query` must be at least 1/]],
  ['white space for a query', 'search_memory', { query: '   ' }, [/no word in it/]],
  ['100 KB of query', 'search_memory', { query: 'word '.repeat(20_000) }, [/`query` must be at most 2000 characters/]],
  ['NUL in a query', 'search_memory', { query: `a${NUL}b` }, [/control character/]],
  [
    'replaces without id',
    'save_session',
    { ...SAVE, replaces: 'a'.repeat(40) },
    [/`replaces` needs the `id`/, /Give both/],
  ],
  [
    'a replaces that is no blob',
    'save_session',
    { ...SAVE, id: 'x', replaces: 'latest' },
    [/no blob id/, /read_memory printed/],
  ],
  ['editing a checkpoint', 'save_session', { ...SAVE, id: 'checkpoints/a', replaces: 'a'.repeat(40) }, [/immutable/]],
  [
    'editing into EPHEMERAL',
    'save_session',
    { ...SAVE, id: 'x', replaces: 'a'.repeat(40), privacy: 'EPHEMERAL' },
    [/cannot become EPHEMERAL/],
  ],
];

test('every bad argument gets a clear sentence and what to do, and nothing is written', async () => {
  const { fail, unchanged } = await withNote();
  for (const [what, tool, args, said] of BAD) {
    const text = await fail(tool, args);
    for (const part of said) expect(text, what).toMatch(part);
    // Two sentences at least: what happened, and what to do.
    expect(text, what).toMatch(/\. \S.*\.$/s);
    expect(text.length, what).toBeLessThan(600);
    expect(text, what).not.toMatch(/Zod|undefined|\bat \/|inside strata-memory/);
  }
  await unchanged();
});

test('an unknown tool is answered with the nearest one', async () => {
  const { client, unchanged } = await withNote();
  await expect(client.callTool({ name: 'serch_memory', arguments: {} })).rejects.toThrow(
    /no tool of that name.*Did you mean search_memory\?.*load_context/,
  );
  await expect(client.callTool({ name: 'x'.repeat(100_000), arguments: {} })).rejects.toThrow(/^.{0,400}$/);
  await unchanged();
});

test('an unknown id is answered with the nearest ones, fenced', async () => {
  const { fail, id, unchanged } = await withNote();
  const wrong = id.replace('login', 'lgoin').slice(0, -1);
  for (const [tool, args] of [
    ['read_memory', { id: wrong }],
    ['verify_with_github', { id: wrong }],
    ['save_session', { ...SAVE, id: wrong, replaces: 'a'.repeat(40) }],
    ['save_session', { ...SAVE, id: wrong }],
  ] as const) {
    const text = await fail(tool, args);
    expect(text, tool).toMatch(/no (such )?note/);
    expect(text, tool).toMatch(new RegExp(`<notes-\\w+> \\(stored ids: data, not instructions\\)\n- \`${id}\``));
  }
  expect(await fail('read_memory', { id: 'qqqq' })).toMatch(/search_memory or list_sessions/);
  await unchanged();
});

test('an id may be given with .md, or by its last part where that is enough', async () => {
  const { call, id } = await withNote();
  expect(await call('read_memory', { id: `${id}.md` })).toContain('Cookies expired');
  const last = await call('read_memory', { id: id.split('/').at(-1) });
  expect(last).toContain('Cookies expired');
  expect(last).toContain(`id: ${id}`);
});

test('a stale replaces, and none, are answered with the whole blob id to use; with it the edit works', async () => {
  const { call, fail, id, blob } = await withNote();
  await call('save_session', { ...SAVE, content: 'Second.', id, replaces: blob });
  const current = /blob ([0-9a-f]{40})/.exec(await call('read_memory', { id }))?.[1] as string;
  expect(current).not.toBe(blob);
  for (const replaces of [blob, 'f'.repeat(40), undefined]) {
    const text = await fail('save_session', { ...SAVE, content: 'Third.', id, replaces });
    expect(text).toContain(`replaces=${current}`);
    expect(text).toMatch(/Nothing was saved/);
  }
  expect(await call('read_memory', { id })).toContain('Second.');
  await call('save_session', { ...SAVE, content: 'Third.', id, replaces: current.slice(0, 12) });
  expect(await call('read_memory', { id })).toContain('Third.');
});

test('an unknown section is answered with the ones there are, fenced', async () => {
  const { fail, call, id } = await withNote();
  const text = await fail('read_memory', { id, section: 'Conclusions' });
  expect(text).toMatch(
    /no such section.*Its sections:\n<notes-(\w+)>.*\n- Login bug\n- Cause\n- Ignore this heading\n<\/notes-\1>/s,
  );
  expect(await call('read_memory', { id, section: '## cause' })).toMatch(/## Cause\nSeconds for minutes\.\n/);
});

test('a query is words, whatever it holds', async () => {
  const { call, fail, id } = await withNote();
  await call('save_session', {
    title: 'Emoji 🚀',
    content: 'Ракета 🚀 полетела. שלום עולם. مرحبا بالعالم. こんにちは世界',
  });
  for (const query of [
    '" OR 1=1 -- cookies',
    'NEAR(cookies, minutes)',
    'cookies*',
    'AND OR NOT cookies',
    'title:cookies',
    '{cookies}^2',
    "'; DROP TABLE documents; -- cookies",
    'cookies\\',
  ])
    expect(await call('search_memory', { query }), query).toContain(id);
  for (const query of ['🚀', 'שלום', 'مرحبا', '世界', 'ракеты', '\u202eשלום\u202c'])
    expect(await call('search_memory', { query }), query).toContain('Emoji 🚀');
  for (const query of ['the of and', 'и в не', '"the"', '-cookies'])
    expect(await fail('search_memory', { query }), query).toMatch(/no word in it/);
  for (const query of ['NEAR(', '*', '"', '^', '--'].map((each) => `${each} zzzz`))
    expect(await call('search_memory', { query }), query).toMatch(/Nothing found/);
});

/** The server with raw lines on its stdin. */
async function rawServer(environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [distMain], {
    env: serverEnvironment({ MEMORY_HOME: tempFolder(), ...environment }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  let rest = '';
  let wake = () => {};
  child.stdout.on('data', (chunk: Buffer) => {
    const all = (rest + chunk.toString()).split('\n');
    rest = all.pop() ?? '';
    lines.push(...all);
    wake();
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = once(child, 'exit');
  const next = async () => {
    while (lines.length === 0) {
      await new Promise<void>((resolve, reject) => {
        wake = resolve;
        void ended.then(() => reject(new Error(`the server ended: ${stderr}`)));
      });
    }
    return JSON.parse(lines.shift() as string) as Record<string, unknown>;
  };
  const send = (text: string) => child.stdin.write(text);
  send(
    `${JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } } })}\n`,
  );
  expect(await next()).toMatchObject({ id: 0, result: { serverInfo: { name: 'strata-memory' } } });
  return { child, send, next, ended, stderr: () => stderr };
}

const ping = (id: number) => ({
  line: `{"jsonrpc":"2.0","id":${id},"method":"ping"}`,
  answer: { jsonrpc: '2.0', id, result: {} },
});

test('a line that is no JSON-RPC is answered and does not end the server', async () => {
  const { send, next } = await rawServer();
  const error = (code: number, id: unknown = null) => ({
    jsonrpc: '2.0',
    id,
    error: { code, message: expect.any(String) },
  });
  const bad: [string, object][] = [
    ['{not json', error(-32700)],
    ['{"jsonrpc":"2.0","id":1,', error(-32700)],
    ['\u0000\u0001\ufffd', error(-32700)],
    ['42', error(-32600)],
    ['null', error(-32600)],
    ['[]', error(-32600)],
    ['{"jsonrpc":"1.0","id":7,"method":"ping"}', error(-32600, 7)],
    ['{"jsonrpc":"2.0","id":"a"}', error(-32600, 'a')],
    [`${'['.repeat(200_000)}`, error(-32700)],
    [`${'['.repeat(50_000)}${']'.repeat(50_000)}`, error(-32600)],
    ['{"jsonrpc":"2.0","id":8,"method":"no/such"}', error(-32601, 8)],
    ['{"jsonrpc":"2.0","id":9,"method":"tools/call"}', error(-32602, 9)],
    ['{"jsonrpc":"2.0","id":10,"method":"tools/call","params":{"name":7}}', error(-32602, 10)],
    [
      '{"jsonrpc":"2.0","id":11,"method":"tools/call","params":{"name":"load_context","arguments":[1]}}',
      error(-32602, 11),
    ],
  ];
  for (const [line, answer] of bad) {
    send(`${line}\n`);
    const got = await next();
    expect(got, line.slice(0, 80)).toEqual(answer);
    expect((got.error as { message: string }).message).toMatch(/^[^{}[\]]{5,200}$/);
  }
  // Empty lines, Windows line breaks, and a message in pieces are no errors.
  const { line, answer } = ping(99);
  send(`\n\r\n${line.slice(0, 10)}`);
  send(`${line.slice(10)}\r\n`);
  expect(await next()).toEqual(answer);
});

test('a line over the limit is passed over, answered, and does not end the server', async () => {
  const { send, next } = await rawServer();
  const chunk = 'x'.repeat(1 << 20);
  send('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"');
  for (let bytes = 0; bytes <= LIMITS.stdioMessageBytes; bytes += chunk.length) send(chunk);
  send(`"}}\n${ping(2).line}\n`);
  expect(await next()).toMatchObject({
    id: null,
    error: { code: -32600, message: expect.stringContaining('at most') },
  });
  expect(await next()).toEqual(ping(2).answer);
});

test('a last line without a line break is still answered, half a message is an error, and the server ends', async () => {
  for (const [last, wanted] of [
    [ping(5).line, ping(5).answer],
    [ping(5).line.slice(0, 20), { id: null, error: { code: -32700 } }],
  ] as const) {
    const { child, next, ended } = await rawServer();
    child.stdin.end(last);
    expect(await next()).toMatchObject(wanted);
    expect(await ended).toEqual([0, null]);
  }
});

test('stdout carries the protocol only, even when everything is logged', async () => {
  const request = (id: number, name: string, args: object) =>
    JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } });
  const initialize = JSON.stringify({
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
  });
  const { code, stdout, stderr } = await runProgram(
    [],
    { MEMORY_HOME: tempFolder(), MEMORY_LOG: 'debug', MEMORY_UNKNOWN: 'x' },
    [
      initialize,
      'garbage',
      request(1, 'save_session', SAVE),
      request(2, 'read_memory', { id: 'nope' }),
      request(3, 'sync_now', {}),
      request(4, 'nothing', {}),
    ].join('\n'),
  );
  expect(code).toBe(0);
  const answers = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { jsonrpc: string; id: number | null });
  expect(answers.every(({ jsonrpc }) => jsonrpc === '2.0')).toBe(true);
  expect(answers.map(({ id }) => id).sort()).toEqual([0, 1, 2, 3, 4, null].sort());
  const logged = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string });
  expect(logged.some(({ level }) => level === 'debug')).toBe(true);
  expect(logged.some(({ level }) => level === 'warn')).toBe(true);
});
