/**
 * The sizes in a config, compared with the headers of the weights before a model is built. A size that no tensor
 * confirms would be memory, or a loop, of any length. What remains after that, which names and shapes the model has in
 * all its layers, is compared once it is built: by then no size is larger than what the file holds.
 */
import type { HuggingFaceConfig } from "./config";
import type { TransformerConfig } from "./transformer";
import type { WeightEntry, Weights } from "./weights";

type Sizes = TransformerConfig & { readonly numLocalExperts?: number };

/** A dimension of a weight: how it follows from the keys of a config. */
interface Dimension {
  readonly text: string;
  readonly of: (config: Sizes) => number;
}

const vocab: Dimension = { text: "vocab_size", of: (config) => config.vocabSize };
const hidden: Dimension = { text: "hidden_size", of: (config) => config.hiddenSize };
const intermediate: Dimension = { text: "intermediate_size", of: (config) => config.intermediateSize };
const gateAndUp: Dimension = { text: "2 × intermediate_size", of: (config) => 2 * config.intermediateSize };
const experts: Dimension = { text: "num_local_experts", of: (config) => config.numLocalExperts ?? 0 };
const queries: Dimension = {
  text: "num_attention_heads × head_dim",
  of: (config) => config.numAttentionHeads * config.headDim,
};
const keys: Dimension = {
  text: "num_key_value_heads × head_dim",
  of: (config) => config.numKeyValueHeads * config.headDim,
};
const queriesAndKeys: Dimension = {
  text: "(num_attention_heads + 2 × num_key_value_heads) × head_dim",
  of: (config) => (config.numAttentionHeads + 2 * config.numKeyValueHeads) * config.headDim,
};

/** The matrices of all architectures, by the ends of their names. */
const matrices: Readonly<Record<string, readonly [rows: Dimension, columns: Dimension]>> = {
  embed_tokens: [vocab, hidden],
  lm_head: [vocab, hidden],
  q_proj: [queries, hidden],
  k_proj: [keys, hidden],
  v_proj: [keys, hidden],
  qkv_proj: [queriesAndKeys, hidden],
  o_proj: [hidden, queries],
  gate_proj: [intermediate, hidden],
  up_proj: [intermediate, hidden],
  gate_up_proj: [gateAndUp, hidden],
  down_proj: [hidden, intermediate],
  w1: [intermediate, hidden],
  w2: [hidden, intermediate],
  w3: [intermediate, hidden],
  "block_sparse_moe.gate": [experts, hidden],
};

/** The matrix a weight is, by the end of its name. */
function matrixOf(name: string): readonly [Dimension, Dimension] | undefined {
  const parts = name.split(".");
  if (parts.pop() !== "weight") return undefined;
  for (const end of [parts.slice(-1), parts.slice(-2)].map((each) => each.join(".")))
    if (Object.hasOwn(matrices, end)) return matrices[end];
  return undefined;
}

/** A shape for a message, with the keys it follows from: `[32, 16] (intermediate_size, hidden_size)`. */
export function describeShape(name: string, shape: readonly number[]): string {
  const matrix = shape.length === 2 ? matrixOf(name) : undefined;
  return `[${shape.join(", ")}]${matrix ? ` (${matrix.map(({ text }) => text).join(", ")})` : ""}`;
}

/** What is wrong with the number of layers in a config that has not been checked yet. */
export function layerMiscount(json: HuggingFaceConfig, weights: Weights): string[] {
  const { num_hidden_layers: count } = json;
  return typeof count === "number" ? miscount("num_hidden_layers", count, "model.layers.", weights) : [];
}

/** The sizes in a config that are not those of the weights. All layers have the same; the first one is looked at. */
export function missizes(config: Sizes, weights: Weights): string[] {
  const problems: string[] = [];
  const confirmed = new Set<string>();
  for (const [name, { shape }] of weights.entries) {
    const matrix = /^(?:model\.(?:layers\.0|embed_tokens)|lm_head)\./.test(name) ? matrixOf(name) : undefined;
    if (!matrix) continue;
    const expected = matrix.map(({ of }) => of(config));
    for (const { text } of matrix) for (const key of keysIn(text)) confirmed.add(key);
    if (`${expected}` !== `${shape}`) problems.push(misfit(name, expected, shape));
  }
  for (const [end, matrix] of Object.entries(matrices)) {
    if (matrix.includes(experts) && config.numLocalExperts === undefined) continue;
    const missing = keysIn(matrix.map(({ text }) => text).join(" ")).filter((key) => !confirmed.has(key));
    if (missing.length === 0) continue;
    for (const key of missing) confirmed.add(key);
    problems.push(`Expected a tensor '….${end}.weight', of the size ${missing.join(" and ")}, but received none`);
  }
  const { numLocalExperts } = config;
  if (numLocalExperts !== undefined)
    problems.push(...miscount("num_local_experts", numLocalExperts, "model.layers.0.block_sparse_moe.experts.", weights));
  return problems;
}

/** Compares a count with how many numbers follow `prefix` in the names of the weights. */
function miscount(key: string, count: number, prefix: string, { entries }: Weights): string[] {
  const found = new Set<string>();
  for (const name of entries.keys()) if (name.startsWith(prefix)) found.add(name.slice(prefix.length).split(".", 1)[0]!);
  if (found.size === count) return [];
  if (found.size === 0) return [`Expected tensors '${prefix}*' but received none`];
  return [`Expected ${found.size} for '${key}', the number of '${prefix}*' in the weights, but received ${count}`];
}

/** A tensor whose shape is not the expected one, for a message. */
export function misfit(name: string, expected: readonly number[], shape: WeightEntry["shape"]): string {
  return `Expected shape ${describeShape(name, expected)} for '${name}' but received [${shape.join(", ")}]`;
}

function keysIn(text: string): string[] {
  return text.match(/[a-z_]{2,}/g) ?? [];
}
