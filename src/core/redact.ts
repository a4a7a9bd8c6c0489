import type { SecretLintCoreConfig } from '@secretlint/types';

/** How many secrets of each kind were taken out. */
export type Redactions = Record<string, number>;

const PASSWORD = '(?:password|passwd|passphrase|pwd|_pass|пароль)';
/** Quotes and Markdown around a name or a value. */
const MARKS = '["\'`*_]{0,3}';
/** Between a name and its value, on one line or the next. */
const IS = `${MARKS}\\s{0,3}(?:[:=]|=>)${MARKS}\\s{0,3}`;

/**
 * What secretlint's recommended rules leave alone, because they are made for code review: identifiers that are no secret
 * alone, documentation examples, and providers they do not know. Before a commit, over-redacting costs a word and
 * under-redacting costs a key.
 */
const MORE: { kind: string; pattern: RegExp; only?: (found: string) => boolean }[] = [
  {
    kind: 'private key',
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----[\s\S]*?(-----END [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----|$(?![\s\S]))/g,
  },
  { kind: 'AWS key', pattern: /(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}(?![A-Za-z0-9])/g },
  // An AWS secret has no mark of its own: 40 characters that no word, path or hash looks like.
  { kind: 'AWS key', pattern: /(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])/g, only: looksRandom },
  {
    kind: 'AWS key',
    pattern: /(?<=aws.{0,40}(?:secret|session|key|token).{0,20}["'\s:=]{1,4})[A-Za-z0-9/+=]{40,}(?![A-Za-z0-9/+=])/gis,
  },
  { kind: 'GitHub token', pattern: /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9_]{20,}|github_pat_[A-Za-z0-9_]{20,})/g },
  { kind: 'GitLab token', pattern: /(?<![A-Za-z0-9])gl(?:pat|dt|rt|ptt|oas)-[A-Za-z0-9_-]{16,}/g },
  { kind: 'Anthropic key', pattern: /(?<![A-Za-z0-9])sk-ant-[A-Za-z0-9_-]{20,}/g },
  {
    kind: 'OpenAI key',
    pattern: /(?<![A-Za-z0-9-])sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}/g,
    // `sk-` begins class names and slugs too: those have words only.
    only: (found) => /\d/.test(found) && /[A-Z]/.test(found),
  },
  { kind: 'OpenAI key', pattern: /(?<![A-Za-z0-9-])sk-[a-z0-9]{48}(?![A-Za-z0-9_-])/g },
  {
    kind: 'Stripe key',
    pattern: /(?<![A-Za-z0-9])(?:sk|rk|pk|whsec)_(?:live_|test_)?(?=[A-Za-z]{0,64}\d)[A-Za-z0-9]{16,}/g,
  },
  {
    kind: 'Google key',
    pattern: /(?<![A-Za-z0-9])(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})/g,
  },
  { kind: 'Slack token', pattern: /(?<![A-Za-z0-9])(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}/g },
  { kind: 'Slack webhook', pattern: /(?<=hooks\.slack\.com\/services\/)[A-Za-z0-9/]{20,}/g },
  { kind: 'npm token', pattern: /(?<![A-Za-z0-9])npm_[A-Za-z0-9]{30,}/g },
  { kind: 'Telegram token', pattern: /(?<![A-Za-z0-9])\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])/g },
  {
    kind: 'provider token',
    pattern:
      /(?<![A-Za-z0-9])(?:(?:hvs|hvb)\.[A-Za-z0-9_-]{20,}|do[op]_v1_[a-f0-9]{32,}|gsk_[A-Za-z0-9]{32,}|sbp_[a-f0-9]{32,}|pypi-[A-Za-z0-9_-]{32,}|dckr_pat_[A-Za-z0-9_-]{20,}|dapi[a-f0-9]{32}|AGE-SECRET-KEY-1[A-Z0-9]{40,}|xai-[A-Za-z0-9]{32,}|glsa_[A-Za-z0-9_]{32,}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})/g,
  },
  { kind: 'Azure key', pattern: /(?<=(?:AccountKey|SharedAccessKey)=)[A-Za-z0-9+/=]{20,}/gi },
  { kind: 'basic auth', pattern: /(?<=\bauthorization["']?\s{0,3}[:=]\s{0,3}["']?basic\s{1,4})[A-Za-z0-9+/=]{8,}/gi },
  { kind: 'Hugging Face token', pattern: /(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}/g },
  { kind: 'JWT', pattern: /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/g },
  { kind: 'bearer token', pattern: /(?<=\bbearer\s{1,4})[A-Za-z0-9_\-.=+/]{20,}/gi },
  { kind: 'password', pattern: /(?<=:\/\/[^\s:@/]{0,100}:)[^\s/]{1,100}(?=@)/g },
  // After its name: anything with a digit or a sign in it; a plain word only in quotes, after `=`, or alone on its line.
  {
    kind: 'password',
    pattern: new RegExp(
      `(?<=${PASSWORD}${IS}${MARKS})(?=[^\\s"'\`]{0,200}[\\d!@#$%^&*?+~])[^\\s"'\`,;<>[\\]]{4,200}`,
      'gi',
    ),
    only: notPlaceholder,
  },
  {
    kind: 'password',
    pattern: new RegExp(`(?<=${PASSWORD}(?:=|${IS}["'\`]))[^\\s"'\`,;<>[\\]]{6,200}`, 'gi'),
    only: notPlaceholder,
  },
  {
    kind: 'password',
    pattern: new RegExp(`(?<=${PASSWORD}${IS})[^\\s"'\`,;<>[\\]]{6,200}(?=[ \\t]{0,8}$)`, 'gim'),
    only: notPlaceholder,
  },
  {
    kind: 'token',
    pattern:
      /(?<=(?:api[_-]?key|api[_-]?token|access[_-]?token|auth[_-]?token|secret[_-]?key|client[_-]?secret)["'`*_]{0,3}\s{0,3}(?:[:=]|=>)\s{0,3}["'`]{0,1})(?=[A-Za-z_\-.+/=]{0,200}\d)[A-Za-z0-9_\-.+/=]{16,}/gi,
  },
  {
    kind: 'token',
    pattern: /(?<=(?:token|secret)["'`*_]{0,3}\s{0,3}[:=]\s{0,3}["'`]{0,1})(?=[A-Za-z_-]{0,200}\d)[A-Za-z0-9_-]{20,}/gi,
  },
];

/** Letters of both cases and digits that change as often as chance would have it: no path, word or hash does. */
function looksRandom(text: string): boolean {
  const kinds = [...text].map((each) => (/[a-z]/.test(each) ? 'a' : /[A-Z]/.test(each) ? 'A' : '0'));
  const changes = kinds.filter((kind, index) => index > 0 && kind !== kinds[index - 1]).length;
  const many = (kind: string) => kinds.filter((each) => each === kind).length >= 6;
  return changes >= 14 && many('a') && many('A') && /\d/.test(text);
}

/** Words that stand where a password would in documentation and code. */
function notPlaceholder(text: string): boolean {
  // A call or a path is code, not a password.
  if (/^[\w.]+\(.*\)?$/.test(text) || /^(?:~|\.{1,2})?\/[\w./-]+$/.test(text)) return false;
  return !/^(?:required|optional|string|secret|hidden|undefined|null|false|true|password|changed|expired|incorrect|invalid|missing|redacted|[$%{].*|\*+|x+|process\.env.*|os\.environ.*)[.)}:]*$/i.test(
    text,
  );
}

let scanner: ((text: string) => Promise<{ kind: string; range: readonly [number, number] }[]>) | undefined;

/** secretlint with its recommended rules; loaded on first need. */
async function secretlint(text: string): Promise<{ kind: string; range: readonly [number, number] }[]> {
  if (!scanner) {
    const [{ lintSource }, { secretLintProfiler }, preset] = await Promise.all([
      import('@secretlint/core'),
      import('@secretlint/profiler'),
      import('@secretlint/secretlint-rule-preset-recommend'),
    ]);
    // It keeps every mark for ever and looks through all of them at each: a server would grow slow and large.
    secretLintProfiler.mark = () => {};
    const config: SecretLintCoreConfig = {
      rules: [{ id: '@secretlint/secretlint-rule-preset-recommend', rule: preset.creator, options: {} }],
    };
    scanner = async (content) => {
      const source = { content, filePath: 'note.md', ext: '.md', contentType: 'text' as const };
      const result = await lintSource({ source, options: { config, noPhysicFilePath: true } });
      return result.messages.map((message) => ({
        kind: kindOf(message.messageId),
        range: message.range as readonly [number, number],
      }));
    };
  }
  return scanner(text);
}

/**
 * Takes provider keys, tokens, private keys and passwords out of text that is about to be committed; each is replaced by
 * `[REDACTED <kind>]`. Deterministic: the same text gives the same result.
 */
export async function redact(text: string): Promise<{ text: string; redactions: Redactions }> {
  if (text.length < 8) return { text, redactions: {} };
  const found = await secretlint(text);
  for (const { kind, pattern, only } of MORE) {
    for (const match of text.matchAll(pattern)) {
      if (only?.(match[0]) !== false && !match[0].startsWith('[REDACTED'))
        found.push({ kind, range: [match.index, match.index + match[0].length] });
    }
  }
  // Overlapping finds are one secret: the widest range, named by whoever found it first.
  found.sort((a, b) => a.range[0] - b.range[0] || b.range[1] - a.range[1]);
  const merged: { kind: string; start: number; end: number }[] = [];
  for (const { kind, range } of found) {
    const last = merged.at(-1);
    if (last && range[0] < last.end) last.end = Math.max(last.end, range[1]);
    else merged.push({ kind, start: range[0], end: range[1] });
  }
  const redactions: Redactions = {};
  let out = '';
  let at = 0;
  for (const { kind, start, end } of merged) {
    out += `${text.slice(at, start)}[REDACTED ${kind}]`;
    at = end;
    redactions[kind] = (redactions[kind] ?? 0) + 1;
  }
  return { text: out + text.slice(at), redactions };
}

export function addRedactions(into: Redactions, more: Redactions): void {
  for (const [kind, count] of Object.entries(more)) into[kind] = (into[kind] ?? 0) + count;
}

function kindOf(messageId: string): string {
  const words = messageId
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
  return /private ?key/.test(words) ? 'private key' : /basic ?auth|connection/.test(words) ? 'password' : words;
}
