/**
 * The reference of a run and its log-probs for every pair, which are read from the cache, or computed and cached.
 *
 * The reference is the model as it is at the start, or a second, frozen adapter named "reference" on the same base weights.
 */
import { setImmediate } from "node:timers/promises";
import type { TokenizedPair } from "../data/tokenize/tokenizedPair";
import { adapterTensors, type CausalLM } from "../models";
import { hasAdapter, loraLayers, tensorsTrainedWhole, withAdapter } from "../nn";
import {
  answerLogProbs,
  fingerprint,
  ldWeights,
  packOptionsOf,
  ReferenceCache,
  type ReferenceLogProbs,
  scorePairs,
  upload,
} from "../preference";
import { sumOf } from "../preference/packed/step";
import { type Device, fromTypedArray, type Tensor, tidy } from "../torch";
import { inBatchesThatFit } from "./memory";

/** The name of a second adapter that is the reference. */
export const REFERENCE_ADAPTER = "reference";

/** Reference values by pair. */
export type ReferenceValues = ReadonlyMap<TokenizedPair, ReferenceLogProbs>;

export interface ReferencePass {
  readonly values: ReferenceValues;
  readonly fingerprint: string;
  /** Pairs whose values were not in the cache. */
  readonly computed: number;
}

export interface ReferenceOptions {
  readonly maxTokens: number;
  /** Folder of the cache; the user's when null. */
  readonly cacheFolder: string | null;
  onProgress?(done: number, total: number): void;
  /** Reports damage in the cache, one line per file. */
  onWarning?(message: string): void;
  /** Called between batches. If it throws, the pass ends; what was computed stays in the cache. */
  checkInterrupted?(): void;
}

/**
 * Looks every pair up in the cache and computes the missing ones. Each batch is cached as soon as it is computed. The
 * model must be as it is at the start of training.
 */
export async function referencePass(
  model: CausalLM,
  pairs: readonly TokenizedPair[],
  options: ReferenceOptions,
): Promise<ReferencePass> {
  const { maxTokens, cacheFolder, onProgress, onWarning, checkInterrupted } = options;
  const id = await referenceFingerprint(model);
  const cache = await ReferenceCache.open(cacheFolder ?? undefined);
  try {
    const values = new Map<TokenizedPair, ReferenceLogProbs>();
    const missing: TokenizedPair[] = [];
    for (const pair of pairs) {
      const known = cache.get(id, pair);
      if (known) values.set(pair, known);
      else missing.push(pair);
    }
    for (const problem of cache.takeProblems())
      onWarning?.(`the reference cache: ${problem}; rows that are missing for it are computed again`);
    let done = 0;
    await inBatchesThatFit(missing, { maxTokens, ...packOptionsOf(model) }, async (packing) => {
      checkInterrupted?.();
      const scored = tidy(() => {
        const batch = upload(packing, model.device);
        return asReference(model, () => answerLogProbs(batch, scorePairs(model, batch).logProbs));
      });
      const entries = packing.pairs.map((pair, i) => [pair, scored[i]!] as const);
      for (const [pair, logProbs] of entries) {
        expectFinite(pair, logProbs);
        values.set(pair, logProbs);
      }
      await cache.put(id, entries);
      onProgress?.((done += packing.pairs.length), missing.length);
      await setImmediate(); // yield, so that stop() can run
    });
    return { values, fingerprint: id, computed: missing.length };
  } finally {
    await cache.close();
  }
}

/** Never cache a NaN. */
function expectFinite({ index }: TokenizedPair, { chosen, rejected }: ReferenceLogProbs): void {
  if ([...chosen, ...rejected].every(Number.isFinite)) return;
  throw new Error(
    `Expected finite log-probs under the reference but received some that are not in row ${index}: the model's weights ` +
      "hold NaN or infinity, or overflow in their dtype (bfloat16 has float32's range, float16 has not)",
  );
}

/** Runs `fn` on the reference while the model is at its start. */
function asReference<T>(model: CausalLM, fn: () => T): T {
  return hasAdapter(model, REFERENCE_ADAPTER) ? withAdapter(model, REFERENCE_ADAPTER, fn) : fn();
}

/** Identifies what the reference computes. A fresh adapter, whose output is 0, does not count. */
async function referenceFingerprint(model: CausalLM): Promise<string> {
  return startFingerprint(model, hasAdapter(model, REFERENCE_ADAPTER) ? REFERENCE_ADAPTER : undefined);
}

/** Identifies what the model computes as it is now, with the adapter that trains or with the named one. */
export async function startFingerprint(model: CausalLM, adapter?: string): Promise<string> {
  const state = model.stateDict();
  try {
    const tensors = new Map(Object.entries(state));
    const scalings: Record<string, number> = {};
    if (hasAdapter(model, adapter)) {
      for (const name of Object.keys(adapterTensors(model))) tensors.delete(name.replace(/^base_model\.model\./, ""));
      for (const [name, tensor] of tensorsTrainedWhole(model, adapter)) tensors.set(name, tensor);
      for (const [name, { adapters }] of loraLayers(model, adapter)) {
        const { lora_A, lora_B, lora_magnitude_vector: lengths, scaling } = adapters.get(adapter ?? "default")!;
        if (lengths) tensors.set(`${name}.lora_magnitude_vector`, lengths);
        if (tidy(() => lora_B.weight.detach().countNonzero().item()) === 0) continue; // B is 0, so A has no effect
        tensors.set(`${name}.lora_A`, lora_A.weight).set(`${name}.lora_B`, lora_B.weight);
        scalings[name] = scaling;
      }
    }
    return await fingerprint({ architecture: model.constructor.name, config: model.config, scalings }, tensors);
  } finally {
    for (const tensor of Object.values(state)) tensor.dispose();
  }
}

/** The reference sums of some pairs, `[pairs]` float64 each, with `ld_alpha`'s weights when it is set. */
export function referenceSums(
  pairs: readonly TokenizedPair[],
  values: ReferenceValues,
  device: Device,
  ldAlpha: number | null,
): { referenceChosen: Tensor; referenceRejected: Tensor } {
  const sums = { chosen: new Float64Array(pairs.length), rejected: new Float64Array(pairs.length) };
  for (const [i, pair] of pairs.entries()) {
    const { chosen, rejected } = values.get(pair)!;
    const weights = ldAlpha === null ? undefined : ldWeights(chosen.length, rejected.length, ldAlpha);
    sums.chosen[i] = sumOf(chosen, weights?.chosen);
    sums.rejected[i] = sumOf(rejected, weights?.rejected);
  }
  return {
    referenceChosen: fromTypedArray(sums.chosen, [pairs.length], { device }),
    referenceRejected: fromTypedArray(sums.rejected, [pairs.length], { device }),
  };
}
