/** What of a model's `config.json` its graph depends on. */
export interface BertConfig {
  num_hidden_layers: number;
  num_attention_heads: number;
  layer_norm_eps: number;
  hidden_act: string;
}

/**
 * A sentence model of BERT's kind as an ONNX graph, from its `model.safetensors`: token numbers and their places in
 * (`ids`, `places`: int64, 1 × n), the mean of what comes out in the last layer, of length 1 (`vector`: 1 × hidden).
 * Throws where the file holds something else.
 */
export function bertGraph(file: Uint8Array, { hidden_act: activation, ...config }: BertConfig): Uint8Array {
  if (activation !== 'gelu') throw new Error(`a model with the activation ${activation}`);
  const tensors = readSafetensors(file);
  const nodes: Parts = [];
  const weights: Parts = [];
  const used = new Set<string>();

  function node(type: string, inputs: string[], output: string, attributes: Parts = [], domain = ''): string {
    const names = [...inputs.flatMap((input) => bytes(1, text(input))), ...bytes(2, text(output))];
    nodes.push(...bytes(1, [...names, ...bytes(4, text(type)), ...attributes, ...bytes(7, text(domain))]));
    return output;
  }

  /** A tensor of the file, as it is there. */
  function stored(name: string): { half: boolean } {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`a model without ${name}`);
    const { shape, half, data } = tensor;
    if (!used.has(name))
      weights.push(
        ...bytes(5, [
          ...shape.flatMap((each) => number(1, each)),
          ...number(2, half ? FLOAT16 : FLOAT),
          ...bytes(8, text(name)),
          ...bytes(9, [data]),
        ]),
      );
    used.add(name);
    return { half };
  }

  /** As floats; what is only made of weights is worked out when the graph is loaded. */
  const weight = (name: string) =>
    stored(name).half ? node('Cast', [name], `${name} float`, integer('to', FLOAT)) : name;
  const turned = (name: string) => node('Transpose', [weight(name)], `${name} turned`, integers('perm', [1, 0]));

  function rows(name: string, at: string): string {
    const found = node('Gather', [name, at], `${name} rows`, integer('axis', 0));
    return stored(name).half ? node('Cast', [found], `${found} float`, integer('to', FLOAT)) : found;
  }

  function normal(name: string, input: string): string {
    const inputs = [input, weight(`${name}.weight`), weight(`${name}.bias`)];
    return node('LayerNormalization', inputs, `${name} out`, [
      ...integer('axis', -1),
      ...float('epsilon', config.layer_norm_eps),
    ]);
  }

  function linear(name: string, input: string): string {
    const product = node('MatMul', [input, turned(`${name}.weight`)], `${name} product`);
    return node('Add', [product, weight(`${name}.bias`)], `${name} out`);
  }

  function attention(name: string, input: string): string {
    const three = ['query', 'key', 'value'].map((each) => `${name}.${each}`);
    const all = node(
      'Concat',
      three.map((each) => turned(`${each}.weight`)),
      `${name} weights`,
      integer('axis', 1),
    );
    const biases = node(
      'Concat',
      three.map((each) => weight(`${each}.bias`)),
      `${name} biases`,
      integer('axis', 0),
    );
    return node(
      'Attention',
      [input, all, biases],
      `${name} out`,
      integer('num_heads', config.num_attention_heads),
      MICROSOFT,
    );
  }

  const add = (one: string, other: string) => node('Add', [one, other], `${one} + ${other}`);
  // Every text is of the first of the two types that BERT knows.
  const type = rows('embeddings.token_type_embeddings.weight', 'none');
  const words = add(
    rows('embeddings.word_embeddings.weight', 'ids'),
    rows('embeddings.position_embeddings.weight', 'places'),
  );
  let last = normal('embeddings.LayerNorm', add(words, type));
  for (let nth = 0; nth < config.num_hidden_layers; nth++) {
    const layer = `encoder.layer.${nth}`;
    const attended = linear(`${layer}.attention.output.dense`, attention(`${layer}.attention.self`, last));
    const seen = normal(`${layer}.attention.output.LayerNorm`, add(attended, last));
    const wide = node('Gelu', [linear(`${layer}.intermediate.dense`, seen)], `${layer} gelu`, [], MICROSOFT);
    last = normal(`${layer}.output.LayerNorm`, add(linear(`${layer}.output.dense`, wide), seen));
  }
  const mean = node('ReduceMean', [last], 'mean', [...integers('axes', [1]), ...integer('keepdims', 0)]);
  node('LpNormalization', [mean], 'vector', [...integer('axis', -1), ...integer('p', 2)]);
  weights.push(
    ...bytes(5, [...number(1, 1), ...number(2, INT64), ...bytes(8, text('none')), ...bytes(9, [new Uint8Array(8)])]),
  );

  const graph = [
    ...nodes,
    ...bytes(2, text('bert')),
    ...weights,
    ...bytes(11, value('ids', INT64)),
    ...bytes(11, value('places', INT64)),
    ...bytes(12, value('vector', FLOAT)),
  ];
  const opset = (domain: string, version: number) => bytes(8, [...bytes(1, text(domain)), ...number(2, version)]);
  return Buffer.concat([...number(1, 8), ...bytes(7, graph), ...opset('', 17), ...opset(MICROSOFT, 1)]);
}

interface Tensor {
  shape: number[];
  half: boolean;
  data: Uint8Array;
}

/** Eight bytes of length, a table in JSON, the numbers as ONNX has them, too: little endian, row after row. */
function readSafetensors(file: Uint8Array): Map<string, Tensor> {
  const start = 8 + Number(Buffer.from(file.buffer, file.byteOffset).readBigUInt64LE());
  const table: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> = JSON.parse(
    Buffer.from(file.subarray(8, start)).toString(),
  );
  return new Map(
    Object.entries(table).flatMap(([name, { dtype, shape, data_offsets: offsets }]) => {
      if (dtype !== 'F16' && dtype !== 'F32') return [];
      const [from, to] = offsets;
      return [[name, { shape, half: dtype === 'F16', data: file.subarray(start + from, start + to) }]];
    }),
  );
}

/** Numbers of types, and of the fields below, are those of onnx.proto. */
const [FLOAT, INT64, FLOAT16] = [1, 7, 10];
const MICROSOFT = 'com.microsoft';

/** Protocol buffers, in parts that are only put together once. */
type Parts = Uint8Array[];

const text = (each: string): Parts => [Buffer.from(each)];

function varint(each: number): Uint8Array {
  const found: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(each));
  for (; rest > 127n; rest >>= 7n) found.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...found, Number(rest)]);
}

const number = (field: number, each: number): Parts => [varint(field << 3), varint(each)];

function bytes(field: number, content: Parts): Parts {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  return [varint((field << 3) | 2), varint(length), ...content];
}

const integer = (name: string, each: number) =>
  bytes(5, [...bytes(1, text(name)), ...number(3, each), ...number(20, 2)]);
const integers = (name: string, all: number[]) =>
  bytes(5, [...bytes(1, text(name)), ...all.flatMap((each) => number(8, each)), ...number(20, 7)]);

function float(name: string, each: number): Parts {
  const four = Buffer.alloc(4);
  four.writeFloatLE(each);
  return bytes(5, [...bytes(1, text(name)), varint((2 << 3) | 5), four, ...number(20, 1)]);
}

/** What goes in or comes out: one text, its length open. */
function value(name: string, type: number): Parts {
  const sizes = [bytes(1, number(1, 1)), bytes(1, bytes(2, text(`${name} size`)))].flat();
  return [...bytes(1, text(name)), ...bytes(2, bytes(1, [...number(1, type), ...bytes(2, sizes)]))];
}
