/**
 * A path as text: as it is where it is plain UTF-8, otherwise as git quotes it (`"caf\351.md"`), so that every path
 * has exactly one name and every name one path.
 */
export function decodePath(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what git quotes.
  if (!/[\u0000-\u001f\u007f"\\]/.test(text) && Buffer.from(text, 'utf8').equals(bytes)) return text;
  let quoted = '"';
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) quoted += `\\${String.fromCharCode(byte)}`;
    else if (byte >= 0x20 && byte < 0x7f) quoted += String.fromCharCode(byte);
    else quoted += `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return `${quoted}"`;
}

/** The bytes of a path that `decodePath` gave, or of a plain one. */
export function encodePath(path: string): Buffer {
  if (!path.startsWith('"')) return Buffer.from(path, 'utf8');
  const bytes: number[] = [];
  const inner = path.slice(1, -1);
  for (let i = 0; i < inner.length; i++) {
    const octal = /^\\([0-7]{3})/.exec(inner.slice(i, i + 4));
    if (octal) {
      bytes.push(Number.parseInt(octal[1] ?? '0', 8));
      i += 3;
    } else if (inner[i] === '\\') bytes.push(inner.charCodeAt(++i));
    else bytes.push(...Buffer.from(inner[i] ?? '', 'utf8'));
  }
  return Buffer.from(bytes);
}

/** A path as people read it: without the quoting, letters that are no UTF-8 as U+FFFD. Not a name: two paths may share it. */
export function readablePath(path: string): string {
  return encodePath(path).toString('utf8');
}

/** The id of a document's path: without `.md`, except where nothing else would be left. */
export function idOfPath(path: string): string {
  if (path === '.md') return path;
  return path.endsWith('.md"') ? `${path.slice(0, -4)}"` : path.replace(/\.md$/, '');
}

/** The path that an id names. */
export function pathOfId(id: string): string {
  if (id === '.md') return id;
  return id.startsWith('"') && id.endsWith('"') ? `${id.slice(0, -1)}.md"` : `${id}.md`;
}

/** The time in a name as `notePath` makes it, ms since 1970; null where there is none. */
export function timeInName(idOrPath: string): number | null {
  const parts = /(?:^|\/)(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z-[^/]*$/
    .exec(idOrPath)
    ?.slice(1)
    .map(Number);
  if (!parts) return null;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, ms = 0] = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second, ms);
}

/** By the dates in their paths, the newest first; before them those without any, such as project records and patterns. */
export function newestFirst<T extends { path: string }>(entries: T[]): T[] {
  const stamp = (path: string) => /\d{4}-?\d{2}-?\d{2}(T?\d{4,9})?/.exec(path)?.[0].replaceAll('-', '') ?? '';
  return entries
    .map((entry) => ({ entry, key: stamp(entry.path) + entry.path }))
    .sort((a, b) => (a.key < b.key ? 1 : -1))
    .map(({ entry }) => entry);
}
