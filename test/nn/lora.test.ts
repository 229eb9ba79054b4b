import { describe, expect, test } from "vitest";
import { applyLora, Linear, type LinearLayer, LoraLinear, lora, loraLayers, Module, withoutAdapters } from "../../src/nn";
import { type DType, manualSeed, memory, noGrad, ops, randn, type Tensor, tidy } from "../../src/torch";

class Model extends Module {
  readonly qProj: LinearLayer;
  readonly oProj: LinearLayer;
  readonly lmHead: LinearLayer;

  constructor(dtype: DType = "float32") {
    super();
    this.qProj = new Linear(6, 4, { dtype });
    this.oProj = new Linear(4, 6, { dtype });
    this.lmHead = new Linear(6, 5, { dtype, bias: false });
  }

  forward(x: Tensor): Tensor {
    return this.lmHead.forward(this.oProj.forward(this.qProj.forward(x)));
  }
}

/** A model whose adapter does something. */
function trained(dtype?: DType): Model {
  const model = new Model(dtype);
  applyLora(model, lora({ r: 2, dropout: 0, targetModules: "all-linear" }));
  for (const [, layer] of loraLayers(model)) noGrad(() => layer.adapter.lora_B.weight.normal_(0, 0.1));
  return model;
}

manualSeed(0);
const x = randn([3, 6]);
const run = (model: Model) => tidy(() => noGrad(() => model.forward(x).toArray() as Float32Array));

describe("applyLora", () => {
  test("a fresh adapter changes nothing, trains only itself, and leaves the base its names", () => {
    const model = new Model();
    const base = run(model);
    const names = Object.keys(model.stateDict());
    expect(applyLora(model, lora({ targetModules: ["q_proj"] }))).toEqual(["q_proj"]);
    expect(run(model)).toEqual(base);
    expect(Object.keys(model.stateDict()).sort()).toEqual([...names, "q_proj.lora_A.weight", "q_proj.lora_B.weight"].sort());
    const trainable = [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad).map(([name]) => name);
    expect(trainable.sort()).toEqual(["q_proj.lora_A.weight", "q_proj.lora_B.weight"]);
  });

  test.each([
    { targetModules: ["q_proj", "v_proj"], adapted: ["q_proj"] },
    { targetModules: ["proj"], adapted: [] },
    { targetModules: "all-linear", adapted: ["q_proj", "o_proj"] },
    { targetModules: ".*_proj|lm_head", adapted: ["q_proj", "o_proj", "lm_head"] },
  ])("$targetModules names $adapted", ({ targetModules, adapted }) => {
    const apply = () => applyLora(new Model(), lora({ targetModules }));
    if (adapted.length > 0) expect(apply()).toEqual(adapted);
    else expect(apply).toThrow(`for 'targetModules' but received ["proj"]; the model has q_proj, o_proj, lm_head`);
  });

  test("ranks and alphas by pattern: whole parts of names from the end, the first that fits", () => {
    const model = new Model();
    const rankPattern = { proj: 1, "q_.*": 2, q_proj: 3 };
    applyLora(model, lora({ targetModules: "all-linear", rankPattern, alphaPattern: { "^o_proj": 5 } }));
    const settings = loraLayers(model).map(([name, layer]) => [name, layer.adapter.lora_A.outFeatures, layer.adapter.scaling]);
    expect(settings).toEqual([
      ["q_proj", 2, 32 / 2],
      ["o_proj", 16, 5 / 16],
    ]);
  });

  test("an adapter takes the mode of its layer", () => {
    const model = new Model().eval();
    applyLora(model, lora());
    expect([...model.modules()].some(({ training }) => training)).toBe(false);
  });

  test("refuses a model that has adapters", () => {
    expect(() => applyLora(trained(), lora())).toThrow("the model has adapters already (q_proj)");
  });

  test("nothing stays after dispose, merged or not", () => {
    const before = memory().tensors;
    tidy(() => {
      const model = trained();
      loraLayers(model)[0]![1].merge();
      model.dispose();
    });
    expect(memory().tensors).toBe(before);
  });
});

describe("forward", () => {
  test("dropout acts on the adapter's input, in training only", () => {
    const model = new Model();
    applyLora(model, lora({ dropout: 0.5, targetModules: ["q_proj"] }));
    const fresh = run(model);
    expect(run(model)).toEqual(fresh); // B is zero, and the base has no dropout
    noGrad(() => (model.qProj as LoraLinear).adapter.lora_B.weight.fill_(1));
    expect(run(model)).not.toEqual(run(model));
    model.eval();
    expect(run(model)).toEqual(run(model));
  });

  test("an adapter to a bfloat16 layer is float32, the output bfloat16", () => {
    const model = trained("bfloat16");
    const adapted = model.qProj as LoraLinear;
    const output = adapted.forward(x.to("bfloat16"));
    expect([adapted.adapter.lora_A.weight.dtype, adapted.adapter.lora_B.weight.dtype, output.dtype]).toEqual([
      "float32",
      "float32",
      "bfloat16",
    ]);
    output.sum().backward();
    expect(adapted.adapter.lora_A.weight.grad!.dtype).toBe("float32");
  });
});

describe("DoRA", () => {
  const dora = () => {
    const model = new Model();
    applyLora(model, lora({ r: 2, dropout: 0.5, targetModules: "all-linear", useDora: true }));
    return model;
  };
  const change = (model: Model) => {
    for (const [
      ,
      {
        adapter: { lora_B, lora_magnitude_vector },
      },
    ] of loraLayers(model))
      noGrad(() => [lora_B.weight.normal_(0, 0.1), lora_magnitude_vector!.mul_(1.3)]);
  };

  test("a fresh adapter changes nothing, not even with dropout, and trains the lengths too", () => {
    const model = dora();
    expect(run(model)).toEqual(withoutAdapters(model, () => run(model)));
    const { lora_magnitude_vector: lengths } = (model.qProj as LoraLinear).adapter;
    expect([lengths!.shape, lengths!.requiresGrad]).toEqual([[4], true]);
    expect(Object.keys(model.stateDict())).toContain("q_proj.lora_magnitude_vector");
  });

  test("every row of the merged weight has the learned length, and the output is the same", () => {
    const model = dora().eval();
    change(model);
    const adapted = run(model);
    const layer = model.qProj as LoraLinear;
    for (const [, each] of loraLayers(model)) each.merge();
    expect(Math.max(...run(model).map((value, i) => Math.abs(value - adapted[i]!)))).toBeLessThan(1e-5);
    const lengths = (layer.baseLayer as Linear).weight.square().sum(1).sqrt();
    expect(ops.allclose(lengths, layer.adapter.lora_magnitude_vector!)).toBe(true);
  });

  test("dropout leaves the mean of the output", () => {
    const model = dora();
    change(model);
    const layer = model.qProj as LoraLinear;
    const [row, rows] = [x.narrow(0, 0, 1), x.narrow(0, 0, 1).expand([40_000, 6])];
    const mean = tidy(() => layer.forward(rows).mean(0).toArray() as Float32Array);
    layer.eval();
    const expected = tidy(() => layer.forward(row).toArray() as Float32Array);
    expect(Math.max(...mean.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(0.03);
  });

  test("on a bfloat16 layer the lengths are float32, the output bfloat16", () => {
    const layer = new LoraLinear(new Linear(6, 4, { dtype: "bfloat16" }), lora({ useDora: true }));
    expect([layer.adapter.lora_magnitude_vector!.dtype, layer.forward(x.to("bfloat16")).dtype]).toEqual(["float32", "bfloat16"]);
  });
});

describe("merge", () => {
  test("gives the same output from the base alone, and unmerge the very weights", () => {
    const model = trained();
    const weights = [...model.namedParameters()].map(([, p]) => [...p.toArray()]);
    const adapted = run(model);
    for (const [, layer] of loraLayers(model)) layer.merge();
    expect(Math.max(...run(model).map((value, i) => Math.abs(value - adapted[i]!)))).toBeLessThan(1e-5);
    expect([...model.namedParameters()].map(([, p]) => [...p.toArray()])).not.toEqual(weights);
    for (const [, layer] of loraLayers(model)) layer.unmerge();
    expect([...model.namedParameters()].map(([, p]) => [...p.toArray()])).toEqual(weights);
    expect(run(model)).toEqual(adapted);
  });

  test("rounds once in bfloat16, and unmerge undoes even that", () => {
    const adapted = trained("bfloat16").qProj as LoraLinear;
    const { weight } = adapted.baseLayer as Linear;
    const before = weight.toBits();
    const exact = tidy(() =>
      weight.to("float32").add(adapted.adapter.lora_B.weight.matmul(adapted.adapter.lora_A.weight).mul(16)).to("bfloat16"),
    );
    adapted.merge();
    adapted.merge(); // a second time is no second addition
    expect(weight.toBits()).toEqual(exact.toBits());
    expect(weight.toBits()).not.toEqual(before);
    adapted.unmerge();
    expect(weight.toBits()).toEqual(before);
  });
});

describe("withoutAdapters", () => {
  test("runs the base, and puts the adapters back even after an error", () => {
    const model = trained();
    const plain = new Model();
    plain.loadStateDict(Object.fromEntries(Object.entries(model.stateDict()).filter(([name]) => !name.includes("lora_"))));
    const adapted = run(model);
    expect(withoutAdapters(model, () => run(model))).toEqual(run(plain));
    const fail = () => {
      throw new Error("in between");
    };
    expect(() => withoutAdapters(model, fail)).toThrow("in between");
    expect(run(model)).toEqual(adapted);
  });

  test("nested passes both run the base", () => {
    const model = trained();
    const base = withoutAdapters(model, () => run(model));
    const nested = withoutAdapters(model, () => [withoutAdapters(model, () => run(model)), run(model)]);
    expect(nested).toEqual([base, base]);
  });

  test("refuses merged adapters and asynchronous functions", () => {
    const model = trained();
    expect(() => withoutAdapters(model, async () => run(model))).toThrow("received one that returns a promise");
    (model.qProj as LoraLinear).merge();
    expect(() => withoutAdapters(model, () => run(model))).toThrow("the adapter of q_proj is merged into its weight");
  });
});

test.each([
  { options: { r: 0 }, message: "Expected a positive integer for 'r' but received 0" },
  { options: { r: 1.5 }, message: "Expected a positive integer for 'r' but received 1.5" },
  { options: { alpha: 1e308 }, message: "Expected at most 1e+30 for 'alpha' but received 1e+308" },
  { options: { alpha: NaN }, message: "Expected a number above 0 for 'alpha' but received NaN" },
  { options: { rankPattern: { up_proj: 0 } }, message: `integer for 'rankPattern["up_proj"]' but received 0` },
  { options: { alphaPattern: { up_proj: 0 } }, message: `number above 0 for 'alphaPattern["up_proj"]' but received 0` },
  { options: { targetModules: "(" }, message: "Expected a regular expression for 'targetModules' but received" },
  { options: { dropout: 1 }, message: "Expected a number from 0 to below 1 for 'dropout' but received 1" },
])("lora($options) is an error", ({ options, message }) => {
  expect(() => lora(options)).toThrow(message);
});

test("misspelt options are refused, and undefined ones take the default", () => {
  expect(() => lora({ rank: 4 } as object)).toThrow("'rank'");
  expect(lora({ dropout: undefined }).dropout).toBe(0.05);
});

test("withoutAdapters refuses an async function and leaves no unhandled rejection", () => {
  const model = new Linear(2, 2);
  expect(() => withoutAdapters(model, () => Promise.reject(new Error("late")))).toThrow(
    "synchronous function for 'withoutAdapters'",
  );
});
