import { readFileSync } from 'node:fs';
import type { EngineData, EngineMessage } from './engines.js';
import { bertGraph } from './onnx-bert.js';

/** What is used of `onnxruntime-node` and of `@huggingface/tokenizers`, which need not be there. */
interface Onnx {
  InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
  Tensor: new (type: 'int64', data: BigInt64Array, dims: number[]) => unknown;
}
interface Session {
  run(inputs: Record<string, unknown>): Promise<{ vector: { data: Float32Array } }>;
}
interface Tokenizers {
  Tokenizer: new (tokenizer: object, config: object) => { encode(text: string): { ids: number[] } };
}

/**
 * The faster engine, with the messages of the built-in one: `ready` when it is loaded, then a text in and its vector out.
 * It ends with an error where one of its packages cannot be used, or where the model is of a kind that it does not know.
 */
const { weightsPath, tokenizerPath, configPath, maxTokens }: EngineData = JSON.parse(process.argv[2] ?? '');
const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const load = (name: string) => import(name);

const onnx: Onnx = (await load('onnxruntime-node')).default;
const { Tokenizer }: Tokenizers = await load('@huggingface/tokenizers');
const tokenizer = new Tokenizer(json(tokenizerPath), {});
const session = await onnx.InferenceSession.create(bertGraph(readFileSync(weightsPath), json(configPath)), {
  // The other cores are other people's.
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});

async function vectorOf(text: string): Promise<number[]> {
  const { ids } = tokenizer.encode(text);
  // The last one closes the text.
  const cut = ids.length > maxTokens ? [...ids.slice(0, maxTokens - 1), ids.at(-1) as number] : ids;
  const tensor = (all: bigint[]) => new onnx.Tensor('int64', BigInt64Array.from(all), [1, all.length]);
  const inputs = { ids: tensor(cut.map(BigInt)), places: tensor(cut.map((_, at) => BigInt(at))) };
  return Array.from((await session.run(inputs)).vector.data);
}

const answer = (message: EngineMessage) => process.send?.(message);
process.on('message', async ({ texts: [text] }: { texts: [string] }) => answer({ vectors: [await vectorOf(text)] }));
answer({ ready: true });
