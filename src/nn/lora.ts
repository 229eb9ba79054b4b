/**
 * Low-rank adapters (Hu et al., 2021): W x + s B A dropout(x), with W frozen and s = alpha / r, or alpha / sqrt(r) with
 * rank stabilisation (Kalajdzievski, 2023). Parameter names are PEFT's within each layer (`q_proj.lora_A.weight`); the
 * adapted layer's own weights keep the names they had, so a model's state dict only grows.
 *
 * With DoRA (Liu et al., 2024) each row of W + s B A is also scaled to a learned length m: its direction is adapted by
 * A and B, its length by m. The length it has is a constant to the gradient, as in the paper's section 4.3 and in PEFT.
 */
import { TorchError } from "../native/errors";
import { type Tensor, keep, noGrad, ops, tidy } from "../torch";
import { checkOptions, given } from "../torch/options";
import { synchronously } from "../torch/synchronous";
import { Linear, LinearLayer } from "./linear";
import { Module } from "./module";
import { parameter } from "./parameter";

export interface LoraConfig {
  /** Rank. */
  r: number;
  alpha: number;
  /** Share of the adapter's input dropped in training. */
  dropout: number;
  /** Layers by the last parts of their names, by a pattern for whole names, or `"all-linear"`: all but the head. */
  targetModules: readonly string[] | string;
  useRslora: boolean;
  useDora: boolean;
  /** Other ranks: by a pattern for the end of a layer's name, from a dot or the start on. The first that fits counts. */
  rankPattern: Readonly<Record<string, number>>;
  /** Other alphas, likewise. */
  alphaPattern: Readonly<Record<string, number>>;
}

const defaults: LoraConfig = {
  r: 16,
  alpha: 32,
  dropout: 0.05,
  targetModules: ["q_proj", "v_proj"],
  useRslora: false,
  useDora: false,
  rankPattern: {},
  alphaPattern: {},
};

/**
 * A checked LoRA configuration; what is left out has TRL's value.
 *
 * ```ts
 * const adapted = applyLora(model, lora({ r: 8, targetModules: "all-linear" }));
 * ```
 */
export function lora(options: Partial<LoraConfig> = {}): LoraConfig {
  checkOptions("lora", options, Object.keys(defaults));
  const config = { ...defaults, ...given(options) };
  const { r, alpha, dropout, rankPattern, alphaPattern } = config;
  checkRank("r", r);
  checkAlpha("alpha", alpha);
  for (const [pattern, rank] of Object.entries(rankPattern)) checkRank(`rankPattern["${pattern}"]`, rank);
  for (const [pattern, other] of Object.entries(alphaPattern)) checkAlpha(`alphaPattern["${pattern}"]`, other);
  if (typeof config.targetModules === "string") checkPattern("targetModules", config.targetModules);
  for (const pattern of Object.keys(rankPattern)) checkPattern("rankPattern", pattern);
  for (const pattern of Object.keys(alphaPattern)) checkPattern("alphaPattern", pattern);
  if (!(dropout >= 0 && dropout < 1))
    throw new RangeError(`Expected a number from 0 to below 1 for 'dropout' but received ${dropout}`);
  return config;
}

function checkRank(name: string, rank: number): void {
  if (!(Number.isSafeInteger(rank) && rank > 0))
    throw new RangeError(`Expected a positive integer for '${name}' but received ${rank}`);
}

function checkAlpha(name: string, alpha: number): void {
  if (!(Number.isFinite(alpha) && alpha > 0))
    throw new RangeError(`Expected a positive number for '${name}' but received ${alpha}`);
}

function checkPattern(name: string, pattern: string): void {
  try {
    new RegExp(pattern);
  } catch (error) {
    throw new RangeError(
      `Expected a regular expression for '${name}' but received ${JSON.stringify(pattern)}: ` +
        (error as Error).message,
    );
  }
}

/** A linear layer with an adapter beside it. */
export class LoraLinear extends LinearLayer {
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** `[r, inFeatures]`, uniform at first, so that B alone makes the fresh adapter a zero */
  readonly lora_A: Linear;
  /** `[outFeatures, r]`, zero at first */
  readonly lora_B: Linear;
  /** DoRA's lengths of the rows, `[outFeatures]`, those of W at first */
  readonly lora_magnitude_vector: Tensor | null;
  readonly scaling: number;
  readonly dropout: number;
  /** Set for the length of a reference pass by `withoutAdapters`. */
  disabled = false;
  /** The base weight as it was before merging. */
  #unmerged: Tensor | undefined;

  /** `name` is the layer's in its model, for the patterns. Adapters to 16-bit weights are kept in float32. */
  constructor(
    readonly baseLayer: Linear,
    readonly config: LoraConfig,
    name = "",
  ) {
    super();
    const r = loraRank(config, name);
    const alpha = byPattern(config.alphaPattern, name) ?? config.alpha;
    const { inFeatures, outFeatures } = baseLayer;
    const { device, dtype } = baseLayer.weight;
    const options = { device, dtype: dtype === "float64" ? dtype : "float32", bias: false } as const;
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.lora_A = new Linear(inFeatures, r, options);
    this.lora_B = new Linear(r, outFeatures, { ...options, init: false });
    noGrad(() => this.lora_B.weight.zero_());
    this.scaling = config.useRslora ? alpha / Math.sqrt(r) : alpha / r;
    this.dropout = config.dropout;
    this.lora_magnitude_vector = config.useDora ? parameter(this.rowLengths()) : null;
    this.train(baseLayer.training);
  }

  get merged(): boolean {
    return this.#unmerged !== undefined;
  }

  forward(x: Tensor): Tensor {
    const base = this.baseLayer.forward(x); // [..., outFeatures]
    if (this.disabled || this.merged) return base;
    const input = x.to({ dtype: this.lora_A.weight.dtype });
    const drops = this.training && this.dropout > 0;
    const dropped = drops ? ops.dropout(input, this.dropout, true) : input;
    const update = this.lora_B.forward(this.lora_A.forward(dropped));
    if (!this.lora_magnitude_vector) return base.add(update, { alpha: this.scaling }).to({ dtype: base.dtype });

    const { weight, bias } = this.baseLayer;
    const ratio = this.lora_magnitude_vector.div(this.rowLengths()); // [outFeatures]
    const undropped = bias ? base.sub(bias) : base;
    const product = drops ? ops.linear(dropped, weight.to({ dtype: dropped.dtype })) : undropped; // W dropout(x)
    const change = product.mul(ratio.sub(1)).add(update.mul(ratio), { alpha: this.scaling });
    return base.add(change).to({ dtype: base.dtype });
  }

  /** Adds the adapter into the base weight, rounding once. The weight before is kept until `unmerge()`. */
  merge(): void {
    if (this.merged) return;
    const { weight } = this.baseLayer;
    this.#unmerged = keep(tidy(() => weight.detach().clone()));
    tidy(() =>
      noGrad(() => {
        const adapted = this.adaptedWeight();
        const ratio = this.lora_magnitude_vector?.div(this.rowLengths()).unsqueeze(1); // [outFeatures, 1]
        weight.copy_(ratio ? adapted.mul(ratio) : adapted);
      }),
    );
  }

  /** Puts the very weight back that was there before `merge()`. */
  unmerge(): void {
    if (this.#unmerged === undefined) return;
    const before = this.#unmerged;
    noGrad(() => this.baseLayer.weight.copy_(before));
    this.forgetUnmerged();
  }

  override dispose(): void {
    super.dispose();
    this.forgetUnmerged();
  }

  protected override keyOf(field: string): string {
    return field === "baseLayer" ? "" : super.keyOf(field);
  }

  /** W + s B A, `[outFeatures, inFeatures]`, in the adapter's dtype. */
  private adaptedWeight(): Tensor {
    const delta = this.lora_B.weight.matmul(this.lora_A.weight);
    return this.baseLayer.weight.to({ dtype: delta.dtype }).add(delta, { alpha: this.scaling });
  }

  /** The lengths of its rows, `[outFeatures]`, without a gradient. */
  private rowLengths(): Tensor {
    return tidy(() => noGrad(() => ops.linalgVectorNorm(this.adaptedWeight(), 2, [1])));
  }

  private forgetUnmerged(): void {
    this.#unmerged?.dispose();
    this.#unmerged = undefined;
  }
}

/**
 * Freezes the model and puts an adapter beside every linear layer `config.targetModules` names. Returns their names.
 * A fresh adapter changes nothing: B is zero.
 */
export function applyLora(model: Module, config: LoraConfig): string[] {
  const targets = new Map(loraTargets(model, config));
  model.requiresGrad_(false);
  model.replaceModules((name, module) => (targets.has(name) ? new LoraLinear(module as Linear, config, name) : module));
  return [...targets.keys()];
}

/** The linear layers `config` names, before they are adapted. A model that has adapters is an error. */
export function loraTargets(model: Module, config: LoraConfig): [name: string, layer: Linear][] {
  const adapted = loraLayers(model);
  if (adapted.length > 0) throw new TorchError(`applyLora: the model has adapters already (${adapted[0]![0]})`);
  const isTarget = targetOf(config.targetModules);
  const linear = [...model.namedModules()].filter((entry): entry is [string, Linear] => entry[1] instanceof Linear);
  const targets = linear.filter(([name]) => isTarget(name));
  if (targets.length === 0) {
    const last = [...new Set(linear.map(([name]) => name.split(".").at(-1)))];
    throw new RangeError(
      `Expected names of linear layers for 'targetModules' but received ${JSON.stringify(config.targetModules)}; ` +
        `the model has ${last.join(", ")}`,
    );
  }
  return targets;
}

/** The rank of the layer called `name`. */
export function loraRank(config: LoraConfig, name: string): number {
  return byPattern(config.rankPattern, name) ?? config.r;
}

/** The adapted layers of a model, by name. */
export function loraLayers(model: Module): [name: string, layer: LoraLinear][] {
  return [...model.namedModules()].filter((entry): entry is [string, LoraLinear] => entry[1] instanceof LoraLinear);
}

/**
 * Runs `fn` on the base model, its adapters out of action: a reference pass without a second model.
 *
 * ```ts
 * const reference = withoutAdapters(model, () => noGrad(() => model.forward(ids)));
 * ```
 */
export function withoutAdapters<T>(model: Module, fn: () => T): T {
  const layers = loraLayers(model).filter(([, layer]) => !layer.disabled);
  const merged = layers.find(([, layer]) => layer.merged);
  if (merged)
    throw new TorchError(`withoutAdapters: the adapter of ${merged[0]} is merged into its weight; unmerge() first`);
  for (const [, layer] of layers) layer.disabled = true;
  try {
    return synchronously("withoutAdapters", fn, "the adapters would be back before it goes on. Wrap the synchronous parts instead");
  } finally {
    for (const [, layer] of layers) layer.disabled = false;
  }
}

/** PEFT's rule for `rank_pattern` and `alpha_pattern`. */
function byPattern(patterns: Readonly<Record<string, number>>, name: string): number | undefined {
  return Object.entries(patterns).find(([pattern]) => new RegExp(`^(?:.*\\.)?(?:${pattern})$`).test(name))?.[1];
}

/** PEFT's rule for `target_modules`. */
function targetOf(targets: LoraConfig["targetModules"]): (name: string) => boolean {
  if (targets === "all-linear") return (name) => name !== "lm_head" && !name.endsWith(".lm_head");
  if (typeof targets === "string") {
    const pattern = new RegExp(`^(?:${targets})$`);
    return (name) => pattern.test(name);
  }
  return (name) => targets.some((target) => name === target || name.endsWith(`.${target}`));
}
