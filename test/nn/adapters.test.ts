import { describe, expect, test } from "vitest";
import {
  addAdapter,
  applyLora,
  copyAdapter,
  Embedding,
  hasAdapter,
  Linear,
  type LinearLayer,
  type LoraConfig,
  lora,
  loraLayers,
  Module,
  mergeAndUnload,
  RmsNorm,
  removeAdapter,
  tensorsTrainedWhole,
  withAdapter,
  withoutAdapters,
} from "../../src/nn";
import { manualSeed, noGrad, ops, type Tensor, tensor, tidy } from "../../src/torch";
import "../setup/leaks";

class Block extends Module {
  readonly norm = new RmsNorm(6);
  readonly qProj: LinearLayer = new Linear(6, 6);
  readonly oProj: LinearLayer = new Linear(6, 6);

  forward(x: Tensor): Tensor {
    return x.add(this.oProj.forward(this.qProj.forward(this.norm.forward(x))));
  }
}

class Model extends Module {
  readonly tiedWeights: Record<string, string>;
  readonly embedTokens = new Embedding(9, 6);
  readonly layers = [new Block(), new Block()];
  readonly lmHead: LinearLayer | null;

  constructor({ tied = false } = {}) {
    super();
    this.tiedWeights = tied ? { "lm_head.weight": "embed_tokens.weight" } : {};
    this.lmHead = tied ? null : new Linear(6, 9, { bias: false });
  }

  forward(ids: Tensor): Tensor {
    const x = this.layers.reduce((hidden, layer) => layer.forward(hidden), this.embedTokens.forward(ids));
    return this.lmHead ? this.lmHead.forward(x) : ops.linear(x, this.embedTokens.weight);
  }
}

manualSeed(0);
const ids = tensor([1, 5, 8, 0], { dtype: "int64" });
const run = (model: Model) => tidy(() => noGrad(() => [...(model.forward(ids).toArray() as Float32Array)]));
const names = (tensors: Iterable<[string, Tensor]>) => [...tensors].map(([name]) => name).sort();
const stateOf = (model: Model) =>
  Object.fromEntries(Object.entries(model.stateDict()).map(([name, each]) => [name, [...each.toArray()]]));
const trainable = (model: Model) => names([...model.namedParameters()].filter(([, each]) => each.requiresGrad));

/** Changes every value of an adapter, as training would. */
function change(model: Module, adapter = "default"): void {
  noGrad(() => {
    for (const [, { adapters }] of loraLayers(model, adapter)) {
      const { lora_A, lora_B } = adapters.get(adapter)!;
      for (const { weight } of [lora_A, lora_B]) weight.normal_(0, 0.3);
    }
    for (const [, whole] of tensorsTrainedWhole(model, adapter)) whole.add_(tidy(() => whole.mul(0.5).sin()));
  });
}

const everything: Partial<LoraConfig> = {
  r: 2,
  dropout: 0,
  targetModules: ["q_proj"],
  modulesToSave: ["embed_tokens", "lm_head"],
  bias: "all",
};

/** A model with its base's answers and an adapter that changed. */
function trained(options: Partial<LoraConfig> = everything) {
  const model = new Model();
  const base = run(model);
  applyLora(model, lora(options));
  change(model);
  return { model, base };
}

describe("weights trained whole", () => {
  test("a fresh adapter changes nothing, and trains what it names under the names of the model", () => {
    const model = new Model();
    const base = run(model);
    const state = Object.keys(model.stateDict());
    applyLora(model, lora(everything));
    expect(run(model)).toEqual(base);
    const factors = [0, 1].flatMap((i) => ["A", "B"].map((factor) => `layers.${i}.q_proj.lora_${factor}.weight`));
    const biases = [0, 1].flatMap((i) => ["o", "q"].map((layer) => `layers.${i}.${layer}_proj.bias`));
    const whole = [...biases, "embed_tokens.weight", "lm_head.weight"];
    expect(trainable(model)).toEqual([...factors, ...whole].sort());
    expect(names(tensorsTrainedWhole(model))).toEqual(whole.sort());
    expect(Object.keys(model.stateDict()).sort()).toEqual([...state, ...factors].sort());
  });

  test.each([
    { options: { bias: "lora_only" }, whole: ["layers.0.q_proj.bias", "layers.1.q_proj.bias"] },
    { options: { modulesToSave: ["norm"] }, whole: ["layers.0.norm.weight", "layers.1.norm.weight"] },
    { options: { modulesToSave: ["1.o_proj"] }, whole: ["layers.1.o_proj.bias", "layers.1.o_proj.weight"] },
    { options: {}, whole: [] },
  ] as const)("$options", ({ options, whole }) => {
    const model = new Model();
    applyLora(model, lora({ targetModules: ["q_proj"], ...options }));
    expect(names(tensorsTrainedWhole(model))).toEqual(whole);
  });

  test("a module trained whole gets no factors, nor do layers within it", () => {
    const adapted = (options: Partial<LoraConfig>) => applyLora(new Model(), lora({ targetModules: "all-linear", ...options }));
    expect(adapted({ modulesToSave: ["q_proj"] })).toEqual(["layers.0.o_proj", "layers.1.o_proj"]);
    expect(adapted({ modulesToSave: ["layers.0"] })).toEqual(["layers.1.q_proj", "layers.1.o_proj"]);
  });

  test("without adapters the base answers and its own weights stand in the model", () => {
    const { model, base } = trained();
    const before = stateOf(model);
    expect(run(model)).not.toEqual(base);
    withoutAdapters(model, () => {
      expect(run(model)).toEqual(base);
      expect(trainable(model).filter((name) => !name.includes("lora_"))).toEqual([]);
      expect(stateOf(model)["lm_head.weight"]).not.toEqual(before["lm_head.weight"]);
    });
    expect(stateOf(model)).toEqual(before);
  });

  test("a reference pass between forward and backward does not disturb the gradients", () => {
    const gradients = (between: (model: Model) => void) => {
      manualSeed(3);
      const { model } = trained();
      const loss = model.forward(ids).square().sum();
      between(model);
      loss.backward();
      return [...model.namedParameters()].map(([name, { grad }]) => [name, grad && [...grad.toArray()]]);
    };
    expect(gradients((model) => void withoutAdapters(model, () => run(model)))).toEqual(gradients(() => undefined));
  });

  test("embedding and head that are one weight are trained as one, or not at all", () => {
    const model = new Model({ tied: true });
    const base = run(model);
    const apply = (options: Partial<LoraConfig>) => applyLora(model, lora({ targetModules: ["q_proj"], ...options }));
    for (const modulesToSave of [["embed_tokens"], ["lm_head"]])
      expect(() => apply({ modulesToSave })).toThrow("Expected true for 'ensureWeightTying' but received false");
    expect(() => apply({ targetModules: ["q_proj", "lm_head"] })).toThrow("'lm_head' is the embedding");
    apply({ modulesToSave: ["lm_head"], ensureWeightTying: true });
    expect(names(tensorsTrainedWhole(model))).toEqual(["embed_tokens.weight"]);
    change(model);
    expect(run(model)).not.toEqual(base);
    expect(withoutAdapters(model, () => run(model))).toEqual(base);
  });

  test("what moves with the model moves as a whole", () => {
    const { model, base } = trained({ ...everything, bias: "none" });
    model.to({ device: "cpu" });
    expect(names(model.namedBuffers()).filter((name) => name.startsWith("whole_tensors"))).toHaveLength(2);
    expect(withoutAdapters(model, () => run(model))).toEqual(base);
  });
});

describe("which layers", () => {
  test.each([
    { options: { layersToTransform: [1] }, adapted: ["layers.1.q_proj"] },
    {
      options: { layersToTransform: [0, 1], layersPattern: ["layers"] },
      adapted: ["layers.0.q_proj", "layers.1.q_proj"],
    },
    { options: { layersToTransform: [0], layersPattern: ["blocks", "layers"] }, adapted: ["layers.0.q_proj"] },
    {
      // A whole name counts in any layer.
      options: { targetModules: ["q_proj", "model.layers.0.o_proj"], layersToTransform: [1] },
      adapted: ["layers.0.o_proj", "layers.1.q_proj"],
    },
    { options: { excludeModules: ["0.q_proj"] }, adapted: ["layers.1.q_proj"] },
    {
      options: { targetModules: "all-linear", excludeModules: ".*\\.q_proj" },
      adapted: ["layers.0.o_proj", "layers.1.o_proj"],
    },
    { options: { targetModules: ["lm_head"] }, adapted: ["lm_head"] },
  ])("$options: $adapted", ({ options, adapted }) => {
    // Where there is something before "layers", as in a real model.
    const nested = new (class extends Module {
      readonly model = new Model();
    })();
    expect(applyLora(nested, lora({ targetModules: ["q_proj"], ...options }))).toEqual(adapted.map((name) => `model.${name}`));
  });

  test("an embedding is no linear layer", () => {
    expect(() => applyLora(new Model(), lora({ targetModules: ["q_proj", "embed_tokens"] }))).toThrow(
      "'embed_tokens' is an embedding; 'modulesToSave' trains it whole",
    );
  });

  test("names that the model does not have are an error", () => {
    const config = lora({ targetModules: ["q_proj"], modulesToSave: ["wte", "lm_head"] });
    expect(() => applyLora(new Model(), config)).toThrow(
      `Expected names of modules for 'modulesToSave' but received ["wte"]; the model has`,
    );
  });
});

describe("a second, frozen adapter", () => {
  test("copied, it answers as the first did then; it is neither a parameter nor in the state dict", () => {
    const { model, base } = trained();
    const start = run(model);
    const state = Object.keys(model.stateDict());
    const parameters = names(model.namedParameters());
    copyAdapter(model, "default", "reference");
    expect([Object.keys(model.stateDict()), names(model.namedParameters())]).toEqual([state, parameters]);
    change(model);
    const now = run(model);
    expect(now).not.toEqual(start);
    expect(withAdapter(model, "reference", () => run(model))).toEqual(start);
    expect(withoutAdapters(model, () => run(model))).toEqual(base);
    expect(run(model)).toEqual(now);
  });

  test("it may sit on other layers", () => {
    const { model, base } = trained({ targetModules: ["q_proj"], dropout: 0 });
    const first = run(model);
    addAdapter(model, lora({ targetModules: ["o_proj"], modulesToSave: ["lm_head"], dropout: 0.5 }), "reference");
    expect(run(model)).toEqual(first);
    expect(withAdapter(model, "reference", () => run(model))).toEqual(base); // fresh
    change(model, "reference");
    const reference = withAdapter(model, "reference", () => run(model));
    expect(reference).not.toEqual(base);
    expect(withAdapter(model, "reference", () => run(model))).toEqual(reference); // no dropout
    expect(run(model)).toEqual(first);
    expect(trainable(model).every((name) => name.includes("q_proj.lora_"))).toBe(true);

    removeAdapter(model, "reference");
    expect(run(model)).toEqual(first);
    expect(loraLayers(model, null).map(([name]) => name)).toEqual(["layers.0.q_proj", "layers.1.q_proj"]);
  });

  test("adding one draws no random numbers", () => {
    const draw = (between: (model: Model) => void) => {
      manualSeed(1);
      const { model } = trained();
      between(model);
      return [...ops.rand([3]).toArray()];
    };
    expect(draw((model) => copyAdapter(model, "default", "reference"))).toEqual(draw(() => undefined));
  });

  test("passes nest, and end with what was before, also after an error", () => {
    const { model, base } = trained();
    copyAdapter(model, "default", "reference");
    const reference = run(model);
    change(model);
    const now = run(model);
    const nested = withAdapter(model, "reference", () => [withoutAdapters(model, () => run(model)), run(model)]);
    expect(nested).toEqual([base, reference]);
    const fail = () => {
      throw new Error("in between");
    };
    expect(() => withAdapter(model, "reference", fail)).toThrow("in between");
    expect(run(model)).toEqual(now);
  });

  test("what cannot be is an error", () => {
    const { model } = trained();
    expect(() => withAdapter(model, "reference", () => 0)).toThrow(
      `Expected a model with the adapter "reference" but received one with "default"`,
    );
    expect(() => copyAdapter(model, "default", "default")).toThrow(`for 'to' but received "default"`);
    copyAdapter(model, "default", "reference");
    expect(() => copyAdapter(model, "default", "reference")).toThrow(`for 'to' but received "reference"`);
    expect(() => addAdapter(model, lora(), "reference")).toThrow(`the model has adapters already`);
    expect(() => withAdapter(model, "reference", async () => 0)).toThrow("received one that returns a promise");
    expect(() => mergeAndUnload(new Model())).toThrow('the adapter "default" but received one without');
  });
});

test("removing the adapter leaves the base", () => {
  const { model, base } = trained();
  removeAdapter(model, "default");
  expect([run(model), hasAdapter(model), loraLayers(model, null)]).toEqual([base, false, []]);
});

test("mergeAndUnload leaves a plain model with the adapter's answers", () => {
  const { model } = trained();
  copyAdapter(model, "default", "reference");
  const adapted = run(model);
  const plain = new Model();
  mergeAndUnload(model);
  expect(Object.keys(model.stateDict())).toEqual(Object.keys(plain.stateDict()));
  expect(names(model.namedBuffers())).toEqual(names(plain.namedBuffers()));
  expect(Math.max(...run(model).map((value, i) => Math.abs(value - adapted[i]!)))).toBeLessThan(1e-5);
});

test.each<[string, (model: Model) => void]>([
  ["disposed of", () => undefined],
  ["after a reference pass", (model) => void withAdapter(model, "reference", () => run(model))],
  ["without the adapters", (model) => ["default", "reference"].forEach((name) => removeAdapter(model, name))],
  ["merged", (model) => mergeAndUnload(model)],
])("no tensor stays of a model with two adapters: %s", (_, act) => {
  expect(() => {
    const { model } = trained();
    copyAdapter(model, "default", "reference");
    act(model);
    model.dispose();
  }).toLeakNothing();
});
