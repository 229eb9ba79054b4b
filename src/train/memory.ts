/**
 * How a run fits into memory: how many tokens go through the model at once, and whether each layer's activations are kept
 * or recomputed. The plan follows from the free memory and an estimate of what each linear layer keeps for its gradient.
 * Where the estimate was too low, batches are halved.
 */
import type { TokenizedPair } from "../data/tokenize/tokenizedPair";
import type { CausalLM } from "../models";
import { OutOfMemoryError } from "../native/errors";
import { Linear, linearLayers } from "../nn";
import { type MicroBatchOptions, microBatches, type Packing } from "../preference";
import { type Device, deviceProperties, memory } from "../torch";

export interface MemoryPlan {
  readonly maxTokens: number;
  readonly checkpoint: boolean;
  /** Why, in words for the user. */
  readonly reason: string;
}

/** Share of free memory that activations may take; the rest is for gradients, chunks of logits and what the estimate misses. */
const SHARE = 0.5;

export interface PlanOptions {
  readonly device: Device;
  /** Tokens of the longest pair: a batch cannot be smaller. */
  readonly longestPair: number;
  /** What the user has settled. */
  readonly maxTokens: number | null;
  readonly checkpoint: boolean | null;
  /** Bytes; asked of the device when left out. */
  readonly free?: number;
}

export function planMemory(model: CausalLM, options: PlanOptions): MemoryPlan {
  const { device, longestPair, free = memory(device).free } = options;
  const most = deviceProperties(device).limits.trainingRows;
  const kept = bytesPerToken(model);
  const usable = SHARE * Math.max(0, free - scratchBytes(model));
  const fitting = (checkpoint: boolean) => Math.floor(usable / (checkpoint ? kept.checkpointed : kept.plain));
  const wanted = options.maxTokens ?? longestPair;
  const checkpoint = options.checkpoint ?? fitting(false) < wanted;
  const fits = fitting(checkpoint);
  const maxTokens = options.maxTokens ?? Math.max(longestPair, Math.min(most, fits));
  const tight = maxTokens > fits ? `, more than the ${fits} that seem to fit` : "";
  const reason =
    `up to ${maxTokens} tokens at once${tight}, activations ${checkpoint ? "computed again" : "kept"} ` +
    `(${gib(free)} GiB free, about ${gib(maxTokens * (checkpoint ? kept.checkpointed : kept.plain))} GiB needed)`;
  return { maxTokens, checkpoint, reason };
}

/** Bytes a token's activations take over all layers, and with only each layer's input kept. */
function bytesPerToken(model: CausalLM): { plain: number; checkpointed: number } {
  const { hiddenSize } = model.config;
  const { layers } = model.model;
  const size = model.dtype === "float64" ? 8 : 4; // 16-bit layers keep float32 copies for LoRA
  const byLayer = layers.map((layer) => {
    let elements = 6 * hiddenSize; // norms and residuals
    for (const [, { inFeatures, outFeatures }] of linearLayers(layer)) elements += inFeatures + outFeatures;
    return size * elements;
  });
  const sum = byLayer.reduce((a, b) => a + b, 0);
  return { plain: sum, checkpointed: size * hiddenSize * layers.length + Math.max(...byLayer) };
}

/** Bytes that a product with one weight allocates and frees again; 0 unless a weight is quantised. */
function scratchBytes(model: CausalLM): number {
  return Math.max(
    0,
    ...Array.from(model.linearLayers(), ([, layer]) => (layer instanceof Linear ? layer.matrix.scratchBytes : 0)),
  );
}

function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}

/** The next thing to try where memory has run out: half the tokens, then activations computed again; undefined at the end. */
export function smallerPlan(
  plan: MemoryPlan,
  batches: readonly { readonly ids: Int32Array; readonly pairs: readonly unknown[] }[],
): MemoryPlan | undefined {
  const most = Math.max(...batches.map(({ ids }) => ids.length));
  if (batches.some(({ pairs }) => pairs.length > 1)) {
    const maxTokens = Math.max(1, Math.floor(Math.min(plan.maxTokens, most) / 2));
    return { ...plan, maxTokens, reason: `up to ${maxTokens} tokens at once, as memory ran out with ${most}` };
  }
  if (plan.checkpoint) return undefined;
  return { ...plan, checkpoint: true, reason: "activations are computed again, as memory ran out with a single pair" };
}

/** Runs a pass without gradient over the batches of `pairs`. A batch that does not fit is run in halves; a single pair has to fit. */
export async function inBatchesThatFit(
  pairs: readonly TokenizedPair[],
  options: MicroBatchOptions,
  pass: (packing: Packing) => Promise<void> | void,
): Promise<void> {
  for (const packing of microBatches(pairs, options)) {
    try {
      await pass(packing);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError) || packing.pairs.length === 1) throw error;
      await inBatchesThatFit(packing.pairs, { ...options, maxTokens: Math.ceil(packing.ids.length / 2) }, pass);
    }
  }
}
