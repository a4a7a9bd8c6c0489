/** Marks strings that stand for bytes; other strings that begin with it get one more. */
const MARK = '\0';
const BLOB = `${MARK}b`;

/**
 * An answer as JSON, with each run of bytes replaced by the name of the blob that it is. Null where it holds bytes that are
 * nobody's content: such an answer cannot be put together again.
 */
export function packAnswer(value: unknown, blobOf: (bytes: Uint8Array) => string | undefined): Uint8Array | null {
  let whole = true;
  const text = JSON.stringify({ value }, function (this: Record<string, unknown>, name, given: unknown) {
    // As it was before any `toJSON`, which Buffers have.
    const each = this[name];
    if (each instanceof Uint8Array) {
      const blob = blobOf(each);
      if (blob === undefined) whole = false;
      return `${BLOB}${blob}`;
    }
    return typeof each === 'string' && each.startsWith(MARK) ? `${MARK}${each}` : given;
  });
  return whole ? Buffer.from(text) : null;
}

/** The answer again, with the bytes from `contents`; null where some of them are not to be had, or it is no answer. */
export async function unpackAnswer(
  packed: Uint8Array,
  contents: (blob: string) => Promise<Uint8Array | null>,
): Promise<{ value: unknown } | null> {
  const blobs = new Map<string, Uint8Array>();
  const wanted = new Set<string>();
  let parsed: unknown;
  try {
    const text = Buffer.from(packed).toString('utf8');
    parsed = JSON.parse(text, (_, each: unknown) => {
      if (typeof each === 'string' && each.startsWith(BLOB)) wanted.add(each.slice(BLOB.length));
      return each;
    });
    for (const blob of wanted) {
      const bytes = await contents(blob);
      if (bytes === null) return null;
      blobs.set(blob, bytes);
    }
    if (text.includes('\\u0000')) parsed = JSON.parse(text, (_, each: unknown) => restored(each, blobs));
  } catch {
    return null;
  }
  const answer = parsed as { value?: unknown } | null;
  return typeof answer === 'object' && answer !== null && 'value' in answer ? { value: answer.value } : null;
}

function restored(each: unknown, blobs: Map<string, Uint8Array>): unknown {
  if (typeof each !== 'string' || !each.startsWith(MARK)) return each;
  return each.startsWith(BLOB) ? blobs.get(each.slice(BLOB.length)) : each.slice(MARK.length);
}
