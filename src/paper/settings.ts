/**
 * Every number of the experiment. `quick` shows the paper's effect on a laptop in about a minute; `large` has a model 20
 * times as large; `smoke` runs the same path in a few seconds, too short for any effect.
 */
import { dpop } from "../preference/losses";
import { trainingArguments } from "../train/arguments";

export interface PaperSettings {
  readonly task: {
    /** Generated training problems. */
    readonly problems: number;
    /** The first training problems, of which preference pairs are made; one a problem, of multiple choice three. */
    readonly pairs: number;
    /** Problems for accuracy; their prompts are in no training row. */
    readonly heldOut: number;
    /** Longest prompt and answer together, in tokens. */
    readonly maxTokens: number;
  };
  /** The shape of the Llama model. */
  readonly model: {
    readonly hiddenSize: number;
    readonly layers: number;
    readonly heads: number;
    readonly intermediateSize: number;
    readonly ropeTheta: number;
    /** Standard deviation of the initial weights. */
    readonly initializerRange: number;
  };
  /** Supervised fine-tuning from random weights, on the answers only; it makes the reference. */
  readonly sft: {
    readonly batchSize: number;
    readonly learningRate: number;
    readonly warmupSteps: number;
    /** The rate is constant until the mean of the last `goalWindow` losses (nats a token) is below this … */
    readonly goalLoss: number;
    readonly goalWindow: number;
    /** … or this many steps were taken; then it falls to 0 over `decaySteps`. */
    readonly maxSteps: number;
    readonly decaySteps: number;
  };
  /** The three runs from the reference: DPO, DPOP, and SFT on the chosen answers as the control. */
  readonly preference: {
    readonly steps: number;
    /** Pairs in a step. */
    readonly batchSize: number;
    readonly learningRate: number;
    readonly warmupSteps: number;
    readonly beta: number;
    readonly lambda: number;
    /** Nats the chosen answer may fall without penalty: rounding, of sums taken in batches of another shape. */
    readonly tolerance: number;
    /** Steps between two points of the curves, and how many pairs they are measured on. */
    readonly curveEvery: number;
    readonly curvePairs: number;
  };
  /** Of both stages: AdamW, and the largest gradient norm. */
  readonly optimizer: {
    readonly betas: readonly [number, number];
    readonly weightDecay: number;
    readonly maxGradNorm: number;
  };
}

const paper = dpop.declaration.options;

const quick: PaperSettings = {
  task: { problems: 8000, pairs: 600, heldOut: 200, maxTokens: 512 },
  model: { hiddenSize: 64, layers: 3, heads: 4, intermediateSize: 192, ropeTheta: 100, initializerRange: 0.05 },
  // Stopped by loss, not by steps: accuracy jumps late, and a fixed count leaves it anywhere between 13% and 98%.
  sft: {
    batchSize: 32,
    learningRate: 4e-3,
    warmupSteps: 50,
    goalLoss: 0.14,
    goalWindow: 20,
    maxSteps: 2000,
    decaySteps: 60,
  },
  preference: {
    steps: 60,
    batchSize: 16,
    learningRate: 5e-4,
    warmupSteps: 5,
    beta: paper.beta.fallback,
    lambda: paper.lambda.fallback,
    tolerance: 1e-4,
    curveEvery: 5,
    curvePairs: 64,
  },
  optimizer: { betas: [0.9, 0.98], weightDecay: 0.01, maxGradNorm: 1 },
};

/** Rates fall as width grows, as in Yang et al.'s maximal update parametrization (arXiv 2203.03466). */
const large: PaperSettings = {
  ...quick,
  model: { ...quick.model, hiddenSize: 256, layers: 4, heads: 8, intermediateSize: 768, initializerRange: 0.025 },
  sft: { ...quick.sft, learningRate: 1e-3 },
  preference: { ...quick.preference, learningRate: 1.25e-4 },
};

const smoke: PaperSettings = {
  ...quick,
  task: { ...quick.task, problems: 200, pairs: 24, heldOut: 8 },
  model: { ...quick.model, hiddenSize: 32, layers: 1, heads: 2, intermediateSize: 64 },
  sft: { ...quick.sft, batchSize: 8, warmupSteps: 2, maxSteps: 12, decaySteps: 4 },
  preference: { ...quick.preference, steps: 4, batchSize: 4, warmupSteps: 1, curveEvery: 2, curvePairs: 8 },
};

export const presets = { quick, large, smoke };
export type Preset = keyof typeof presets;

/** For tables of settings. */
export function describeModel(model: PaperSettings["model"]): string {
  const { hiddenSize, layers, heads, intermediateSize, ropeTheta } = model;
  return (
    `Llama shape: hidden size ${hiddenSize}, ${layers} layers, ${heads} heads, MLP ${intermediateSize}, ` +
    `RoPE theta ${ropeTheta}, tied embeddings`
  );
}

/** For tables of settings. */
export function describeOptimizer({ betas, weightDecay, maxGradNorm }: PaperSettings["optimizer"]): string {
  return `AdamW, betas ${betas.join(" and ")}, weight decay ${weightDecay}, gradient norm at most ${maxGradNorm}`;
}

/** How adapters are trained on a user's model (study/ownModel.ts). */
export interface OwnSettings {
  /** Optimizer steps of a cell. */
  readonly steps: number;
  /** Pairs in a step. */
  readonly batchSize: number;
  readonly learningRate: number;
  /** The most prompts that are held out. */
  readonly heldOut: number;
  /** Rank of the adapter, which is on all linear layers. */
  readonly rank: number;
}

export const ownDefaults: OwnSettings = {
  steps: 1000,
  batchSize: 8,
  learningRate: trainingArguments.learningRate.fallback,
  heldOut: 100,
  rank: 16,
};
