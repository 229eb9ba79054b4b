/**
 * The adapters of a whole model: putting them on, choosing which acts, copying, merging. A model trains at most one,
 * called "default"; others are frozen and act only inside `withAdapter`, as the reference of a preference loss.
 */
import { OptionError } from "../../base/errors";
import { received } from "../../base/values";
import { TorchError } from "../../native/errors";
import { noGrad, type Tensor } from "../../torch";
import { synchronously } from "../../torch/scope";
import { Embedding } from "../embedding";
import { Linear, LinearLayer } from "../linear";
import { Module } from "../module";
import { roleOf } from "../parameter";
import { DEFAULT_ADAPTER, LoraAdapter, LoraLinear } from "./lora";
import { expectLoraConfig, findingLayers, isSavedWhole, isTarget, type LoraConfig, loraScaling } from "./loraConfig";
import { type WeightPlace, WholeTensors } from "./wholeTensors";

/** A model that may have tied weights: copy to original, such as the head to the embedding. */
type Model = Module & { readonly tiedWeights?: Readonly<Record<string, string>> };

/** What an adapter is put on. */
export interface LoraPlan {
  readonly layers: readonly [name: string, layer: LinearLayer][];
  /** Weights trained whole. */
  readonly whole: readonly WeightPlace[];
}

/**
 * Freezes the model and adds an adapter to every linear layer that `config.targetModules` names. Returns their names.
 * A fresh adapter changes nothing: B is zero.
 */
export function applyLora(model: Model, config: LoraConfig): string[] {
  expectLoraConfig(config);
  return addAdapter(model, config, DEFAULT_ADAPTER);
}

/** Puts an adapter on: the one to train, or under another name a frozen one, whose values are then to be filled in. */
export function addAdapter(model: Model, config: LoraConfig, adapter: string): string[] {
  const { layers, whole } = planLora(model, config, adapter);
  const frozen = adapter !== DEFAULT_ADAPTER;
  if (!frozen) model.requiresGrad_(false);
  const names = new Map<Module, string>(layers.map(([name, layer]) => [layer, name]));
  model.replaceModules((_, module) => (names.has(module) ? adapted(module as LinearLayer) : module));
  for (const [name, layer] of loraLayers(model, null)) {
    if (!names.has(layer) && !names.has(layer.baseLayer)) continue;
    layer.adapters.set(adapter, new LoraAdapter(layer.baseLayer, config, name, { frozen }));
  }
  if (whole.length > 0) wholeTensors(model, { make: true })!.add(adapter, whole);
  return layers.map(([name]) => name);
}

function adapted(layer: LinearLayer): LoraLinear {
  return layer instanceof LoraLinear ? layer : new LoraLinear(layer);
}

/** What `addAdapter` will adapt. A config that names nothing, or what cannot be adapted, is an error. */
export function planLora(model: Model, config: LoraConfig, adapter: string): LoraPlan {
  const [taken] = loraLayers(model, adapter);
  if (taken) throw new TorchError(`applyLora: the model has adapters already (${taken[0]}) under the name "${adapter}"`);
  const modules = modulesBesideAdapters(model);
  const tied = Object.entries(model.tiedWeights ?? {}).map((pair) => pair.map(parentOf) as [string, string]);
  const targets = findingLayers(() => modules.filter(([name]) => name !== "" && isTarget(config, name)));
  const layers = targets.filter((entry): entry is [string, LinearLayer] => entry[1] instanceof LinearLayer);
  if (config.targetModules !== "all-linear") {
    const embedding = targets.find(([, module]) => module instanceof Embedding);
    const head = tied.find(([copy]) => isTarget(config, copy));
    if (embedding || head)
      throw new OptionError(
        "targetModules",
        (spell) =>
          `Expected names of linear layers for '${spell("targetModules")}' but '${embedding ? embedding[0] : head![0]}' is ` +
          `${embedding ? "an embedding" : "the embedding"}; '${spell("modulesToSave")}' trains it whole`,
      );
  }
  if (layers.length === 0) {
    const linear = modules.filter(([, module]) => module instanceof LinearLayer);
    const last = [...new Set(linear.map(([name]) => name.split(".").at(-1)))];
    throw new OptionError(
      "targetModules",
      (spell) =>
        `Expected names of linear layers for '${spell("targetModules")}' but received ` +
        `${JSON.stringify(config.targetModules)}; the model has ${last.join(", ")}`,
    );
  }
  findingLayers(() => layers.forEach(([name]) => loraScaling(config, name))); // reports errors before work begins
  return { layers, whole: placesTrainedWhole(modules, layers, tied, config) };
}

function placesTrainedWhole(
  modules: readonly [string, Module][],
  layers: readonly [string, LinearLayer][],
  tied: readonly [copy: string, original: string][],
  config: LoraConfig,
): WeightPlace[] {
  const named = new Set(modules.filter(([name]) => isSavedWhole(config, name)).map(([name]) => name));
  for (const [copy, original] of tied) {
    if (!isSavedWhole(config, copy) && !named.has(original)) continue;
    if (!config.ensureWeightTying)
      throw new OptionError(
        "ensureWeightTying",
        (spell) =>
          `Expected true for '${spell("ensureWeightTying")}' but received false: '${spell("modulesToSave")}' names ${copy} or ` +
          `${original}, which are one weight in this model; training them apart is not supported`,
      );
    named.add(original);
  }
  const names = [...modules.map(([name]) => name), ...tied.map(([copy]) => copy)];
  const lost = config.modulesToSave.filter((each) => !names.some((name) => name.endsWith(each)));
  if (lost.length > 0) {
    const last = [...new Set(names.map((name) => name.split(".").at(-1)!))].filter((name) => !/^\d*$/.test(name));
    throw new OptionError(
      "modulesToSave",
      (spell) =>
        `Expected names of modules for '${spell("modulesToSave")}' but received ${JSON.stringify(lost)}; ` +
        `the model has ${last.join(", ")}`,
    );
  }

  const places = new Map<Tensor, WeightPlace>();
  for (const [name, module] of modules) {
    const isNamed = [...named].some((each) => name === each || name.startsWith(`${each}.`));
    const isAdapted = layers.some(([each]) => each === name);
    const withBias = config.bias === "all" || (config.bias === "lora_only" && isAdapted);
    for (const [field, key, tensor] of parametersOf(module))
      if (isNamed || (withBias && key === "bias"))
        places.set(tensor, { name: `${name}.${key}`, slot: ownerOf(module).parameterSlot(field) });
  }
  return [...places.values()];
}

/** A module's own parameters, and the weight of a linear layer in whatever form. */
function* parametersOf(module: Module): Generator<[field: string, key: string, tensor: Tensor]> {
  const owner = ownerOf(module);
  for (const [field, key, child] of owner.children()) {
    if (child instanceof Module) continue;
    if (roleOf(child) === "parameter" || (owner instanceof Linear && field === "weight")) yield [field, key, child];
  }
}

function ownerOf(module: Module): Module {
  return module instanceof LoraLinear ? module.baseLayer : module;
}

/** The model's own modules: an adapted layer counts as one, without what is inside it. */
function modulesBesideAdapters(model: Module): [name: string, module: Module][] {
  const inner = new Set<Module>();
  for (const module of model.modules())
    if (module instanceof LoraLinear || module instanceof WholeTensors)
      for (const each of module.modules()) if (each !== module || module instanceof WholeTensors) inner.add(each);
  return [...model.namedModules()].filter(([, module]) => !inner.has(module));
}

function parentOf(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
}

/** The layers of a model that have an adapter, the one to train unless another is named (null: any), by name. */
export function loraLayers(model: Module, adapter: string | null = DEFAULT_ADAPTER): [name: string, layer: LoraLinear][] {
  if (!(model instanceof Module)) throw new TypeError(`Expected a model for 'model' but received ${received(model)}`);
  return [...model.namedModules()].filter(
    (entry): entry is [string, LoraLinear] =>
      entry[1] instanceof LoraLinear && (adapter === null || entry[1].adapters.has(adapter)),
  );
}

/** The weights an adapter trains whole, by their names in the model. */
export function tensorsTrainedWhole(model: Module, adapter = DEFAULT_ADAPTER): [name: string, tensor: Tensor][] {
  return wholeTensors(model)?.of(adapter) ?? [];
}

/** Whether the model has an adapter of this name. */
export function hasAdapter(model: Module, adapter = DEFAULT_ADAPTER): boolean {
  return loraLayers(model, adapter).length > 0;
}

/**
 * Runs `fn` on the base model, its adapters out of action: a reference pass without a second model.
 *
 * ```ts
 * const reference = withoutAdapters(model, () => noGrad(() => model.forward(ids)));
 * ```
 */
export function withoutAdapters<T>(model: Module, fn: () => T): T {
  return withActive("withoutAdapters", model, null, fn);
}

/**
 * Runs `fn` with another adapter in action, such as a reference that was loaded or copied under that name.
 *
 * ```ts
 * copyAdapter(model, "default", "reference");
 * const reference = withAdapter(model, "reference", () => noGrad(() => model.forward(ids)));
 * ```
 */
export function withAdapter<T>(model: Module, adapter: string, fn: () => T): T {
  expectAdapter(model, adapter);
  return withActive("withAdapter", model, adapter, fn);
}

function withActive<T>(caller: string, model: Module, adapter: string | null, fn: () => T): T {
  const layers = loraLayers(model, null);
  const merged = layers.find(([, layer]) => layer.merged);
  if (merged) throw new TorchError(`${caller}: the adapter of ${merged[0]} is merged into its weight; unmerge() first`);
  const before = layers[0]?.[1].active ?? null;
  const whole = wholeTensors(model);
  const show = (name: string | null) => {
    for (const [, layer] of layers) layer.active = name;
    whole?.show(name);
  };
  show(adapter);
  try {
    const why = "the adapters would be back before it goes on. Wrap the synchronous parts instead";
    return synchronously(caller, fn, why);
  } finally {
    show(before);
  }
}

/** Adds a frozen adapter `to` with the values that the adapter `from` has now. */
export function copyAdapter(model: Module, from: string, to: string): void {
  expectAdapter(model, from);
  if (to === DEFAULT_ADAPTER || hasAdapter(model, to))
    throw new TypeError(`Expected a name that no adapter has for 'to' but received "${to}"`);
  for (const [name, layer] of loraLayers(model, from)) {
    const source = layer.adapters.get(from)!;
    const copy = new LoraAdapter(layer.baseLayer, source.config, name, { frozen: true });
    noGrad(() => {
      for (const [mine, theirs] of pairs(copy, source)) mine.copy_(theirs);
    });
    layer.adapters.set(to, copy);
  }
  wholeTensors(model)?.copy(from, to);
}

function* pairs(a: LoraAdapter, b: LoraAdapter): Generator<[Tensor, Tensor]> {
  yield [a.lora_A.weight, b.lora_A.weight];
  yield [a.lora_B.weight, b.lora_B.weight];
  if (a.lora_magnitude_vector) yield [a.lora_magnitude_vector, b.lora_magnitude_vector!];
}

/** Takes an adapter off and frees it. */
export function removeAdapter(model: Module, adapter: string): void {
  expectAdapter(model, adapter);
  for (const [, layer] of loraLayers(model, adapter)) {
    layer.adapters.get(adapter)!.dispose();
    layer.adapters.delete(adapter);
  }
  wholeTensors(model)?.remove(adapter);
  model.replaceModules((_, module) => (module instanceof LoraLinear && module.adapters.size === 0 ? module.unwrap() : module));
}

/**
 * Puts the trained adapter into the model's own weights, each rounded once, and takes all adapters off: what is left
 * is a plain model.
 */
export function mergeAndUnload(model: Module): void {
  expectAdapter(model, DEFAULT_ADAPTER);
  for (const [, layer] of loraLayers(model)) if (!layer.merged) layer.fold();
  wholeTensors(model)?.settle(DEFAULT_ADAPTER);
  model.replaceModules((_, module) => (module instanceof LoraLinear ? module.unwrap() : module));
}

function expectAdapter(model: Module, adapter: string): void {
  if (hasAdapter(model, adapter)) return;
  const names = new Set(loraLayers(model, null).flatMap(([, layer]) => [...layer.adapters.keys()]));
  const has = names.size > 0 ? `one with ${[...names].map((name) => `"${name}"`).join(", ")}` : "one without";
  throw new TypeError(`Expected a model with the adapter "${adapter}" but received ${has}`);
}

function wholeTensors(model: Module, { make = false } = {}): WholeTensors | undefined {
  for (const module of model.modules()) if (module instanceof WholeTensors) return module;
  if (!make) return undefined;
  const made = new WholeTensors();
  model.setChild("wholeTensors", made); // as a child, what it keeps moves and is freed with the model
  return made;
}
