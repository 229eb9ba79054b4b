/** The model of a run: which weights train and by which optimizer, seed and dropout, and whether PEFT can use its adapter. */
import { InputError } from "../../base/errors";
import type { CausalLM } from "../../models";
import { loraLayers, tensorsTrainedWhole } from "../../nn";
import { AdamW, type Optimizer } from "../../optim";
import { manualSeed } from "../../torch";
import type { TrainingArguments } from "../arguments";

/** A model with weights that train. */
export interface TrainableModel {
  readonly model: CausalLM;
  /** Number of weights that train. */
  readonly trainedWeights: number;
}

/** @throws InputError if all weights are frozen */
export function expectTrainable(model: CausalLM): TrainableModel {
  const trained = [...model.parameters()].filter(({ requiresGrad }) => requiresGrad);
  if (trained.length === 0) throw new InputError("Expected a model with weights that train for 'model' but all are frozen");
  return { model, trainedWeights: trained.reduce((sum, tensor) => sum + tensor.numel(), 0) };
}

/**
 * Seeds the generators and sets the model's dropout. The model is left in evaluation mode: the reference pass, the check
 * of the start and evaluations drop nothing.
 */
export function resetModel(
  model: CausalLM,
  { seed, disableDropout }: Pick<TrainingArguments, "seed" | "disableDropout">,
  warn: (message: string) => void,
): void {
  manualSeed(seed); // loading the model has drawn a fresh adapter already
  model.eval();
  for (const [, { adapter }] of loraLayers(model)) adapter.dropout = disableDropout ? 0 : adapter.config.dropout;
  for (const problem of peftProblems(model))
    warn(`PEFT 0.21 cannot use this adapter, but smaug can, and smaug merge can merge it into the model: ${problem}`);
}

/** Makes AdamW over the weights that train. Norms and biases do not decay, as in Hugging Face's Trainer. */
export function createOptimizer(
  model: CausalLM,
  settings: Pick<TrainingArguments, "learningRate" | "weightDecay" | "adamBeta1" | "adamBeta2" | "adamEpsilon">,
): Optimizer {
  const { learningRate: lr, weightDecay, adamBeta1, adamBeta2, adamEpsilon: eps } = settings;
  const trained = [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad);
  const decays = (name: string) => !/(^|[._])(bias|norm|layernorm)([._]|$)/.test(name);
  const group = (decaying: boolean) => trained.filter(([name]) => decays(name) === decaying).map(([, tensor]) => tensor);
  const groups = [
    { params: group(true), weightDecay },
    { params: group(false), weightDecay: 0 },
  ].filter(({ params }) => params.length > 0);
  return new AdamW(groups, { lr, betas: [adamBeta1, adamBeta2], eps });
}

/** Router and experts of a mixture: linear layers here, plain tensors in transformers. */
const MIXTURE = /\.block_sparse_moe\.(?:gate|experts\.\d+\.(?<weight>w[123]))(?:$|\.)/;

/**
 * Why PEFT 0.21.2 with transformers 5 would fail to load a model's adapter, or would compute something different with it.
 * In transformers, w1 and w3 of all experts form a single tensor, with twice the rank.
 */
export function peftProblems(model: CausalLM): string[] {
  const adapted = loraLayers(model).flatMap(([name, { adapter }]) => {
    const match = MIXTURE.exec(name);
    return match ? [{ weight: match.groups!["weight"], adapter }] : [];
  });
  const problems: string[] = [];
  if (tensorsTrainedWhole(model).some(([name]) => MIXTURE.test(name)))
    problems.push("router or experts trained in full; to avoid this, leave them out of lora_modules_to_save");
  if (adapted.length === 0) return problems;
  const { config, dropout } = adapted[0]!.adapter;
  if (dropout > 0)
    problems.push(`dropout on router or experts (lora_dropout ${dropout}); to avoid this, set disable_dropout: true`);
  if (config.useDora) problems.push("DoRA on router or experts; to avoid this, set use_dora: false");
  const has = (weight: string) => adapted.some((each) => each.weight === weight);
  const isFused = has("w1") || has("w3");
  if (isFused && !(has("w1") && has("w2") && has("w3")))
    problems.push("w1 or w3 of experts adapted without the other two of w1, w2 and w3; to avoid this, name all three");
  if (isFused && config.useRslora)
    problems.push("use_rslora on w1 and w3 of experts, which PEFT scales by another √2; to avoid this, set use_rslora: false");
  return problems;
}
