import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { redact } from '../../src/core/redact.js';
import { openApp } from '../support/app.js';
import { tempFolder } from '../support/home.js';
import { startServer } from '../support/server.js';

/** Letters and digits as a provider draws them: fixed, so that a failure repeats. */
function random(
  length: number,
  letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
  seed = 7,
): string {
  let state = seed * 2_654_435_761 + length;
  return Array.from({ length }, () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 374_761_393) >>> 0;
    return letters[(state >>> 8) % letters.length];
  }).join('');
}

const key = (kind: string, body: string, end = true) =>
  `-----BEGIN ${kind}-----\n${body}\n${end ? `-----END ${kind}-----` : ''}`;
const body64 = Array.from({ length: 6 }, (_, line) => random(64, undefined, line + 1)).join('\n');
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const LOWER = 'abcdef0123456789';

/** What each text must lose, and what stands around it. */
const SECRETS: Record<string, { secret: string; text: (secret: string) => string }> = {
  'AWS id of the documentation': { secret: 'AKIAIOSFODNN7EXAMPLE', text: (s) => `the id is ${s}.` },
  'AWS id': { secret: `AKIA${random(16, UPPER)}`, text: (s) => `export AWS_ACCESS_KEY_ID=${s}` },
  'AWS session id': { secret: `ASIA${random(16, UPPER)}`, text: (s) => `(${s})` },
  'AWS secret of the documentation, named': {
    secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    text: (s) => `aws_secret_access_key = ${s}`,
  },
  'AWS secret of the documentation, alone': {
    secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    text: (s) => `then use ${s} there`,
  },
  'AWS secret in JSON': { secret: random(40), text: (s) => `{"SecretAccessKey": "${s}"}` },
  'GitHub classic token': { secret: `ghp_${random(36)}`, text: (s) => `git clone https://${s}@github.com/a/b` },
  'GitHub fine-grained token': {
    secret: `github_pat_${random(22)}_${random(59)}`,
    text: (s) => `GITHUB_TOKEN: ${s}`,
  },
  'GitHub app token': { secret: `ghs_${random(36)}`, text: (s) => `"${s}"` },
  'GitHub refresh token': { secret: `ghr_${random(76)}`, text: (s) => `<${s}>` },
  'GitLab token': { secret: `glpat-${random(20)}`, text: (s) => `PRIVATE-TOKEN: ${s}` },
  'Slack token': {
    secret: `xoxb-${random(12, '0123456789')}-${random(12, '0123456789')}-${random(24)}`,
    text: (s) => s,
  },
  'Slack app token': {
    secret: `xapp-1-A${random(10)}-${random(13, '0123456789')}-${random(64, LOWER)}`,
    text: (s) => s,
  },
  'Slack webhook': {
    secret: `T${random(8, UPPER)}/B${random(10, UPPER)}/${random(24)}`,
    text: (s) => `https://hooks.slack.com/services/${s}`,
  },
  'Stripe key': { secret: `sk_live_${random(24)}`, text: (s) => `stripe: ${s}` },
  'Stripe restricted key': { secret: `rk_live_${random(24)}`, text: (s) => `stripe: ${s}` },
  'OpenAI key': { secret: `sk-${random(20)}T3BlbkFJ${random(20)}`, text: (s) => `OPENAI_API_KEY=${s}` },
  'OpenAI project key': { secret: `sk-proj-${random(40)}_${random(40)}-${random(30)}`, text: (s) => `key ${s}` },
  'Anthropic key': { secret: `sk-ant-api03-${random(93)}AA`, text: (s) => `x-api-key: ${s}` },
  'Google key': { secret: `AIza${random(35)}`, text: (s) => `?key=${s}` },
  'Google client secret': { secret: `GOCSPX-${random(28)}`, text: (s) => s },
  'npm token': { secret: `npm_${random(36)}`, text: (s) => `//registry.npmjs.org/:_authToken=${s}` },
  JWT: {
    secret: `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${random(43)}`,
    text: (s) => `cookie: session=${s}; path=/`,
  },
  'bearer token': { secret: random(40), text: (s) => `Authorization: Bearer ${s}` },
  'RSA private key': { secret: body64, text: (s) => key('RSA PRIVATE KEY', s) },
  'EC private key': { secret: body64, text: (s) => key('EC PRIVATE KEY', s) },
  'OpenSSH private key': { secret: body64, text: (s) => key('OPENSSH PRIVATE KEY', s) },
  'PKCS8 private key': { secret: body64, text: (s) => key('PRIVATE KEY', s) },
  'PGP private key': { secret: body64, text: (s) => key('PGP PRIVATE KEY BLOCK', s) },
  'private key cut short': { secret: body64, text: (s) => key('RSA PRIVATE KEY', s, false) },
  'private key in JSON': {
    secret: body64.replaceAll('\n', '\\n'),
    text: (s) => `{"private_key": "-----BEGIN PRIVATE KEY-----\\n${s}\\n-----END PRIVATE KEY-----\\n"}`,
  },
  'password in a URL': { secret: 's3cr3t-Pass', text: (s) => `postgres://app:${s}@db.example.com/app` },
  'password with an at sign in a URL': { secret: 'p@ss:word', text: (s) => `redis://:${s}@cache:6379/0` },
  'Vault token': { secret: 'hvs.CAESIJabcdefghijklmnopqrst0123', text: (s) => `vault login ${s}` },
  'DigitalOcean token': { secret: `dop_v1_${'0a1b2c3d'.repeat(8)}`, text: (s) => `doctl -t ${s}` },
  'Groq key': { secret: `gsk_${'aB3dE5gH'.repeat(6)}`, text: (s) => `use ${s} here` },
  'PyPI token': { secret: `pypi-AgEIcHlwaS5vcmc${'aB3dE5gH'.repeat(5)}`, text: (s) => `twine ${s}` },
  'Azure account key': { secret: `${'aB3dE5gH'.repeat(10)}==`, text: (s) => `DefaultEndpoints;AccountKey=${s};x=1` },
  'basic auth header': { secret: 'dXNlcjpwYXNzd29yZA==', text: (s) => `Authorization: Basic ${s}` },
  'password in words': { secret: 'hunter2!', text: (s) => `password: ${s}` },
  'password in a variable': { secret: 'correcthorse', text: (s) => `DB_PASSWORD=${s}` },
  'password in quotes': { secret: 'correcthorse', text: (s) => `{"password": "${s}"}` },
  'password alone on its line': { secret: 'swordfish', text: (s) => `login: admin\nPassword: ${s}\n` },
  'password in bold': { secret: 'Tr0ub4dor&3', text: (s) => `- **Password:** \`${s}\`` },
  'Russian password': { secret: 'qwerty123', text: (s) => `Пароль: ${s}` },
  'API key': { secret: random(32, LOWER), text: (s) => `api_key: "${s}"` },
  token: { secret: random(32), text: (s) => `token = ${s}` },
};

/** Lines of a secret that would each give some of it away. */
const parts = (secret: string) => secret.split(/\\n|\n/);

for (const [name, { secret, text }] of Object.entries(SECRETS)) {
  test(`taken out: ${name}`, async () => {
    const before = text(secret);
    const result = await redact(`Before it.\n\n${before}\n`);
    for (const part of parts(secret)) expect(result.text).not.toContain(part);
    expect(result.text.startsWith('Before it.\n\n')).toBe(true);
    expect(result.text).toMatch(/\[REDACTED [\w -]+\]/);
    expect(Object.values(result.redactions).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
    // What was taken out once is no secret of its own.
    expect(await redact(result.text)).toEqual({ text: result.text, redactions: {} });
  });
}

test('several secrets in one text are counted one by one, and what lies between them stays', async () => {
  const { text, redactions } = await redact(
    `first AKIAIOSFODNN7EXAMPLE then ghp_${random(36)} and ghp_${random(36, undefined, 3)} last`,
  );
  expect(text).toMatch(/^first \[REDACTED [^\]]+\] then \[REDACTED [^\]]+\] and \[REDACTED [^\]]+\] last$/);
  expect(Object.values(redactions).reduce((sum, count) => sum + count, 0)).toBe(3);
});

const HARMLESS = [
  'pwd = os.getcwd()',
  'const password = getPassword();',
  'PWD: /home/me/project1',
  'The password field is required; passwords are hashed with bcrypt. Password: required.',
  'Forgot password? Reset your password: we send a link. password: string; password: true',
  'const password = process.env.DB_PASSWORD; const { password } = body; if (!password) throw new Error("no password");',
  `password=${'$'}{DB_PASSWORD} and password=<yours>`,
  'commit 3f2a91c0d4e5b6a798897766554433221100ffee, tree 6dcc3dfc1307b1971962ee78d20c0d1ff0b934cb',
  `sha256 ${random(64, LOWER)} and sha512 ${random(128, LOWER)}`,
  'uuid 123e4567-e89b-12d3-a456-426614174000, id sessions/test/project/2026/11/20261121T131208320Z-one-tf65',
  '/usr/local/lib/node_modules/strata/dist/tiers/origin-git/index.js:12:34 and C:\\Users\\Anna\\AppData\\Local\\Temp',
  'src/main/java/com/example/Application/service/UserAccountServiceImplementationTest.java',
  'https://example.com/a/b?c=d&e=f#g and http://localhost:4873/@scope/package and ssh://git@host:22/x.git',
  'Tokens used: 48213. The token budget is 1800 tokens; max_tokens: 1800; tokenizer: o200k_base',
  'The secret of good tests: they fail. Key: value. API key rotation is planned; api_key: see the vault',
  'sk-learn and sk-toggleable-content-wrapper-element-inner are class names; task-list-item-with-long-name-here too',
  'Ключевые решения: пароль хранится в виде хэша. Следующие шаги: проверить вход.',
  'e-mail anna@example.com, phone +1 202 555 0143, price 1,234.56, date 2026-11-21T13:12:08.320Z',
  '| a | b |\n|---|---|\n| 1 | 2 |\n\n```ts\nexport async function redact(text: string): Promise<void> {}\n```',
  'A public key is no secret: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH5wJ8Qk anna@laptop',
];

for (const text of HARMLESS)
  test(`left alone: ${text.slice(0, 60)}`, async () => expect(await redact(text)).toEqual({ text, redactions: {} }));

test('an image in base64 is left alone', async () => {
  const bytes = Buffer.from(Array.from({ length: 30_000 }, (_, at) => (Math.imul(at + 1, 2_654_435_761) >>> 13) & 255));
  const text = `![](data:image/png;base64,${bytes.toString('base64')})`;
  expect(await redact(text)).toEqual({ text, redactions: {} });
  const wrapped = (bytes.toString('base64').match(/.{1,76}/g) ?? []).join('\n');
  expect(await redact(wrapped)).toEqual({ text: wrapped, redactions: {} });
});

/** Each would take hours with one unbounded repeat in one pattern. */
const HEAVY = [
  ' ',
  '\n',
  'bearer ',
  'password:',
  'password: a',
  'api_key=',
  'aws secret = ',
  'token=',
  'sk-',
  'eyJaaaaaaaaa.',
  '-----BEGIN ',
  '-----BEGIN PRIVATE KEY-----\n',
  '://a:',
  'https://user:pass',
  'https://a:b@',
  '=',
  ':',
  '_',
  'a',
  'A1b/',
  '123456789:AA',
  '{"private_key":"',
];

test.each(HEAVY)(
  'a megabyte of %j is scanned in one go',
  async (unit) => {
    const text = unit.repeat(Math.ceil(1_000_000 / unit.length));
    expect((await redact(text)).text.length).toBeGreaterThan(0);
  },
  20_000,
);

test('any text around a secret: it goes, and everything else stays', async () => {
  const secret = `ghp_${random(36)}`;
  const around = fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => text.replace(/[\w-]/g, 'x'));
  await fc.assert(
    fc.asyncProperty(around, around, async (before, after) => {
      const { text, redactions } = await redact(`${before} ${secret} ${after}`);
      expect(text).toBe(
        `${before} [REDACTED GitHub token] ${after}`.replace('GitHub token', Object.keys(redactions)[0] ?? ''),
      );
    }),
    { numRuns: 100 },
  );
});

function everyFile(folder: string): Buffer {
  return Buffer.concat(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name))),
  );
}

test('a secret in any field reaches no git object, no database, no log and no answer; the receipt counts it', async () => {
  const home = tempFolder();
  const server = await startServer({ MEMORY_HOME: home, MEMORY_LOG: 'debug' });
  const tokens = Array.from({ length: 9 }, (_, at) => `ghp_${random(36, undefined, at + 20)}`) as [string, ...string[]];
  const pem = key('RSA PRIVATE KEY', body64);
  const answers: string[] = [];
  try {
    answers.push(
      await server.call('save_session', {
        title: `Title ${tokens[0]}`,
        content: `Text ${tokens[1]}\nAKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n${pem}\n`,
        summary: `Summary ${tokens[2]}`,
        decisions: ['Keep it', `Decision ${tokens[3]}`],
        next_steps: [`Step ${tokens[4]}`],
        tags: ['plain', tokens[5] as string],
        status: tokens[6],
        key: tokens[7],
      }),
    );
    expect(answers[0]).toMatch(/10 secrets taken out before saving \(/);
    expect(await server.fail('save_session', { title: 'x', content: 'y', project: tokens[8] })).toMatch(/secret/);
    const id = /`([^`]+)`/.exec(answers[0] as string)?.[1] as string;
    const blob = /blob ([0-9a-f]{40})/.exec(answers[0] as string)?.[1] as string;
    answers.push(
      await server.call('save_session', { title: 'Again', content: `Edited ${tokens[1]}`, id, replaces: blob }),
      await server.call('load_context'),
      await server.call('read_memory', { id }),
      await server.call('list_sessions'),
    );
  } finally {
    await server.close();
  }
  const objects = execFileSync('git', ['-C', join(home, 'origin.git'), 'cat-file', '--batch-all-objects', '--batch'], {
    maxBuffer: 1 << 26,
  });
  const places = { objects, files: everyFile(home), stderr: server.stderr(), answers: answers.join('\n') };
  for (const [place, content] of Object.entries(places)) {
    const lower = content.toString('latin1').toLowerCase();
    for (const secret of [...tokens, 'AKIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI/K7MDENG', ...parts(body64)])
      expect(lower.includes(secret.toLowerCase()), `${secret} in ${place}`).toBe(false);
  }
  expect(objects.toString('utf8')).toContain('[REDACTED');
});

test('an EPHEMERAL note is listed, found and read in its process, and is nowhere on the disk or in the log', async () => {
  const home = tempFolder();
  const server = await startServer({ MEMORY_HOME: home, MEMORY_LOG: 'debug' });
  const word = 'zanzibarquux';
  try {
    await server.call('save_session', { title: 'Kept', content: 'A note that stays.' });
    const receipt = await server.call('save_session', {
      title: `About ${word}`,
      content: `The word is ${word}.`,
      decisions: [`${word} was decided`],
      next_steps: [`look at ${word}`],
      tags: [word],
      privacy: 'EPHEMERAL',
    });
    expect(receipt).toMatch(/memory only, until it ends/);
    const id = /`([^`]+)`/.exec(receipt)?.[1] as string;
    expect(await server.call('read_memory', { id })).toContain(`The word is ${word}.`);
    expect(await server.call('list_sessions', { tags: [word] })).toContain(id);
    expect(await server.call('search_memory', { query: word })).toContain(id);
    const context = await server.call('load_context');
    expect(context).toContain(`${word} was decided`);
    expect(context).toContain(`look at ${word}`);
    expect(await server.call('list_sessions', { privacy: undefined, kind: 'session' })).toMatch(/2 of 2 notes/);
  } finally {
    await server.close();
  }
  expect(everyFile(home).includes(word)).toBe(false);
  expect(server.stderr()).not.toContain(word);
  const next = await startServer({ MEMORY_HOME: home });
  try {
    expect(await next.call('search_memory', { query: word })).toMatch(/Nothing found/);
  } finally {
    await next.close();
  }
});

test('another subject does not see an EPHEMERAL note', async () => {
  const { app, call } = await openApp();
  await call('save_session', { title: 'Mine', content: 'words', privacy: 'EPHEMERAL' });
  const other = { subject: 'other', client: '', projects: 'all' as const, scopes: new Set<never>() };
  expect(app.services.ephemeral.list(other, {})).toEqual([]);
});

test('PRIVATE is refused while it cannot be encrypted, and nothing is written', async () => {
  const { app, fail } = await openApp();
  expect(await fail('save_session', { title: 'x', content: 'y', privacy: 'PRIVATE' })).toMatch(
    /PRIVATE notes must be encrypted.*Nothing was saved.*EPHEMERAL/,
  );
  expect(await app.services.origin.head()).toBeNull();
});

test('a secret in a field that an edit keeps goes too, and is counted', async () => {
  const { app, call } = await openApp();
  const head = await app.services.origin.head();
  const content = new TextEncoder().encode(
    '---\ntitle: old\nfield: ghp_abcdefghijklmnopqrstuvwxyz0123456789\n---\nbody\n',
  );
  const made = await app.services.origin.commit({
    changes: [{ path: 'theirs.md', content }],
    expected: head?.commit ?? null,
    message: 'theirs',
    authorName: 'them',
    deadlineAt: performance.now() + 10_000,
  });
  const blob = made.outcome === 'committed' ? (made.blobs.get('theirs.md') as string) : '';
  const receipt = await call('save_session', { id: 'theirs', replaces: blob, title: 'new', content: 'changed' });
  expect(receipt).toContain('1 secret taken out');
  const text = await call('read_memory', { id: 'theirs' });
  expect(text).toContain('[REDACTED');
  expect(text).not.toContain('ghp_');
});
