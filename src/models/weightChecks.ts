/**
 * Whether the weights of a folder are those that its config asks for. The sizes in the config are compared with the
 * headers of the weights before a model is built: a size that no tensor confirms could ask for any amount of memory or
 * time. The names and shapes of all layers are compared once the model is built; by then no size exceeds what the file
 * holds.
 */

import { dirname } from "node:path";
import { problemLines } from "../base/problems";
import { empty, isFloatingPoint, ops, type Tensor, tidy } from "../torch";
import type { TransformerConfig } from "./architectures/transformer";
import type { HuggingFaceConfig } from "./config";
import { blaming, FolderError } from "./folder";
import type { WeightEntry, Weights } from "./weights";

/** Compares the sizes in the config with the weights, so that none makes the model larger than they are. */
export function checkSizes(
  json: HuggingFaceConfig,
  parse: (json: HuggingFaceConfig) => TransformerConfig,
  weights: Weights,
  configFile: string,
): void {
  refuse(layerCountProblems(json, weights), configFile);
  refuse(
    sizeProblems(
      blaming(configFile, () => parse(json)),
      weights,
    ),
    configFile,
  );
}

/** Compares names, shapes and kinds of what the folder holds with what the model has. */
export function checkFit(
  parameters: ReadonlyMap<string, Tensor>,
  sources: ReadonlyMap<string, string>,
  weights: Weights,
  configFile: string,
  className: string,
): void {
  const problems: string[] = [];
  for (const [name, { shape }] of parameters) {
    const source = sources.get(name);
    if (source === undefined) {
      problems.push(`Expected a tensor '${name}' ${describeShape(name, shape)} but received none`);
      continue;
    }
    const entry = weights.entries.get(source)!;
    if (`${entry.shape}` !== `${shape}`) problems.push(shapeProblem(source, shape, entry.shape));
    else if (!isFloatingPoint(entry.dtype))
      problems.push(
        `Expected floating-point values for '${source}' but received ${entry.dtype}; ` + "quantised weights are not supported",
      );
  }
  for (const name of sources.keys())
    if (!parameters.has(name)) problems.push(`Expected no '${name}': ${className} has no such tensor`);
  refuse(problems, configFile);
}

/** Checks that a tensor that a folder holds twice, under the name of a copy and of its original, is the same. */
export function checkEqual(copy: string, original: Tensor, name: string, weights: Weights): void {
  const { dtype, device } = original;
  const { shape, file } = weights.entries.get(copy)!;
  const equal = tidy(() => {
    if (`${shape}` !== `${original.shape}`) return false;
    const values = empty(shape, { dtype, device });
    weights.copyTo(copy, values);
    return ops.equal(values, original);
  });
  if (!equal)
    throw new FolderError(
      `Expected '${copy}' in ${file} to equal '${name}' but received another tensor; ` + "config.json says tie_word_embeddings",
    );
}

function refuse(problems: readonly string[], configFile: string): void {
  if (problems.length === 0) return;
  const asks = configFile.endsWith(".gguf") ? "its metadata asks" : "its config.json asks";
  const folder = configFile.endsWith(".gguf") ? configFile : dirname(configFile);
  throw new FolderError(`The weights in ${folder} are not those ${asks} for:${problemLines(problems)}`);
}

type Sizes = TransformerConfig & { readonly numLocalExperts?: number };

/** A dimension of a weight, and how it follows from the keys of a config. */
interface Dimension {
  readonly text: string;
  readonly keys: readonly string[];
  readonly of: (config: Sizes) => number;
}

const dimension = (text: string, of: Dimension["of"]): Dimension => ({ text, keys: text.match(/[a-z_]+/g)!, of });

const vocab = dimension("vocab_size", (config) => config.vocabSize);
const hidden = dimension("hidden_size", (config) => config.hiddenSize);
const intermediate = dimension("intermediate_size", (config) => config.intermediateSize);
const gateAndUp = dimension("2 × intermediate_size", (config) => 2 * config.intermediateSize);
const experts = dimension("num_local_experts", (config) => config.numLocalExperts ?? 0);
const queries = dimension("num_attention_heads × head_dim", (config) => config.numAttentionHeads * config.headDim);
const keys = dimension("num_key_value_heads × head_dim", (config) => config.numKeyValueHeads * config.headDim);
const queriesAndKeys = dimension(
  "(num_attention_heads + 2 × num_key_value_heads) × head_dim",
  (config) => (config.numAttentionHeads + 2 * config.numKeyValueHeads) * config.headDim,
);

/** The matrices of all architectures, by the ends of their names. */
const matrices = new Map<string, readonly [rows: Dimension, columns: Dimension]>(
  Object.entries({
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
  }),
);

/** The matrix a weight is, by the end of its name. */
function matrixOf(name: string): readonly [Dimension, Dimension] | undefined {
  const parts = name.split(".");
  if (parts.pop() !== "weight") return undefined;
  return matrices.get(parts.at(-1)!) ?? matrices.get(parts.slice(-2).join("."));
}

/** A shape for a message, with the keys it follows from: `[32, 16] (intermediate_size, hidden_size)`. */
function describeShape(name: string, shape: readonly number[]): string {
  const matrix = shape.length === 2 ? matrixOf(name) : undefined;
  return `[${shape.join(", ")}]${matrix ? ` (${matrix.map(({ text }) => text).join(", ")})` : ""}`;
}

/** Problems with the number of layers in a config that has not been parsed yet. */
function layerCountProblems(json: HuggingFaceConfig, weights: Weights): string[] {
  const { num_hidden_layers: count } = json;
  return typeof count === "number" ? countProblems("num_hidden_layers", count, "model.layers.", weights) : [];
}

const isOwn = (name: string) => name.startsWith("model.") || name.startsWith("lm_head.");

/**
 * The sizes in a config that differ from those of the weights. All layers have the same sizes, so only the first is
 * compared.
 */
function sizeProblems(config: Sizes, weights: Weights): string[] {
  const problems: string[] = [];
  const confirmed = new Set<string>();
  for (const [name, { shape }] of weights.entries) {
    const isLater = name.startsWith("model.layers.") && !name.startsWith("model.layers.0.");
    const matrix = isLater || !isOwn(name) ? undefined : matrixOf(name);
    if (!matrix) continue;
    const expected = matrix.map(({ of }) => of(config));
    for (const { keys } of matrix) for (const key of keys) confirmed.add(key);
    if (`${expected}` !== `${shape}`) problems.push(shapeProblem(name, expected, shape));
  }
  problems.push(...unconfirmedSizes(confirmed, config));
  const { numLocalExperts } = config;
  if (numLocalExperts !== undefined)
    problems.push(...countProblems("num_local_experts", numLocalExperts, "model.layers.0.block_sparse_moe.experts.", weights));
  return problems;
}

/** The sizes that no tensor has confirmed, each with the first matrix that would. */
function unconfirmedSizes(confirmed: ReadonlySet<string>, { numLocalExperts }: Sizes): string[] {
  const seen = new Set(confirmed);
  const problems: string[] = [];
  for (const [end, matrix] of matrices) {
    if (matrix.includes(experts) && numLocalExperts === undefined) continue;
    const missing = matrix.flatMap(({ keys }) => keys).filter((key) => !seen.has(key));
    if (missing.length === 0) continue;
    for (const key of missing) seen.add(key);
    problems.push(`Expected a tensor '….${end}.weight', of the size ${missing.join(" and ")}, but received none`);
  }
  return problems;
}

/** Compares a count with how many numbers follow `prefix` in the names of the weights. */
function countProblems(key: string, count: number, prefix: string, { entries }: Weights): string[] {
  const found = new Set<string>();
  for (const name of entries.keys())
    if (name.startsWith(prefix)) found.add(name.slice(prefix.length, name.indexOf(".", prefix.length)));
  if (found.size === count) return [];
  if (found.size === 0) return [`Expected tensors '${prefix}*' but received none`];
  return [`Expected ${found.size} for '${key}', the number of '${prefix}*' in the weights, but received ${count}`];
}

/** A tensor whose shape is not the expected one, for a message. */
function shapeProblem(name: string, expected: readonly number[], shape: WeightEntry["shape"]): string {
  return `Expected shape ${describeShape(name, expected)} for '${name}' but received [${shape.join(", ")}]`;
}
