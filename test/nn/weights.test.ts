/**
 * The seam for weights in another form: one in eight bits runs through layers, adapters, the head, the memory plan and
 * saving. What it must give is what a dense layer with the same values gives.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  applyLora,
  copyAdapter,
  forwardBackward,
  type LoraConfig,
  lora,
  loraLayers,
  type Module,
  mergeAndUnload,
  pack,
  SafetensorsFile,
  saveModel,
  scorePairs,
  upload,
  withAdapter,
  withoutAdapters,
} from "../../src";
import { Linear } from "../../src/nn";
import { manualSeed, noGrad, ops, randn, type Tensor, tidy } from "../../src/torch";
import { planMemory } from "../../src/train/memory";
import "../setup/leaks";
import { tinyModel, tinyPairs } from "../train/tiny";
import { Int8Weight, quantise, roundAsQuantised } from "./int8Weight";

const list = (tensor: Tensor) => Array.from(tensor.toArray() as Float32Array);
const close = (values: readonly number[], digits = 5) => values.map((value) => expect.closeTo(value, digits) as number);

/** Two layers of the same values, in eight bits and dense. */
function layers(): { quantised: Linear; dense: Linear } {
  manualSeed(2);
  const dense = new Linear(6, 4);
  const quantised = new Linear(6, 4, { weight: new Int8Weight(dense.weight) });
  noGrad(() => quantised.bias!.copy_(dense.bias!));
  roundAsQuantised(dense);
  return { quantised, dense };
}

describe("a linear layer", () => {
  const { quantised, dense } = layers();

  test("has the output of its values, and their gradient in x and bias", () => {
    const x = randn([3, 6]);
    const [got, want] = [quantised, dense].map((layer) =>
      tidy(() => {
        const leaf = x.detach().requiresGrad_();
        const output = layer.forward(leaf);
        output.square().sum().backward();
        const values = [output, leaf.grad!, layer.bias!.grad!].map(list);
        layer.bias!.grad = null;
        return values;
      }),
    );
    want!.forEach((values, i) => expect(got![i]).toEqual(close(values)));
  });

  test("holds what it is stored in: buffers, under the weight's name", () => {
    const state = Object.entries(quantised.stateDict()).map(([name, { dtype, shape }]) => [name, dtype, shape]);
    expect(state).toEqual([
      ["bias", "float32", [4]],
      ["weight", "int8", [4, 6]],
      ["weight.scale", "float32", [4, 1]],
    ]);
    expect([...quantised.namedParameters()].map(([name]) => name)).toEqual(["bias"]);
    expect([quantised.matrix.bytes, dense.matrix.bytes]).toEqual([24 + 16, 96]);
  });

  test("is converted and filled by name", () => {
    const other = layers().quantised;
    noGrad(() => other.stateDict()["weight"]!.zero_());
    expect(list(other.matrix.dense())).toEqual(Array(24).fill(0));
    other.loadStateDict(quantised.stateDict());
    other.to({ dtype: "float64", device: "cpu" });
    expect(list(other.matrix.dense())).toEqual(list(quantised.matrix.dense()));
    expect([other.bias!.dtype, other.stateDict()["weight"]!.dtype]).toEqual(["float64", "int8"]);
  });

  test("has no dense weight to hand out, and says so", () => {
    expect(() => quantised.weight).toThrow(
      "Expected a dense weight in the layer but received an object of class Int8Weight; read 'matrix' instead",
    );
  });

  test("is freed with all its tensors", () => {
    expect(() => {
      const { quantised, dense } = layers();
      quantise(dense);
      quantised.dispose();
      dense.dispose();
    }).toLeakNothing();
  });
});

/** Two models of the same values, in eight bits and dense, with the same trained adapter. */
function adapted(options: Partial<LoraConfig>, names = /proj/) {
  const [quantised, dense] = [tinyModel(), tinyModel()];
  quantise(quantised, names);
  roundAsQuantised(dense, names);
  for (const model of [quantised, dense]) {
    manualSeed(5);
    applyLora(model, lora({ r: 2, dropout: 0, ...options }));
    change(model);
    model.eval();
  }
  return { quantised, dense };
}

function change(model: Module): void {
  manualSeed(6);
  for (const [, { adapter }] of loraLayers(model))
    noGrad(() => {
      adapter.lora_B.weight.normal_(0, 0.1);
      adapter.lora_magnitude_vector?.mul_(1.3);
    });
}

const batch = upload(pack(tinyPairs(4)));

/** The log-probs of a batch, and the gradients of what trains. */
function pass(model: ReturnType<typeof tinyModel>): { logProbs: number[]; gradients: [string, number[]][] } {
  const logProbs = tidy(() => {
    const { tokens } = forwardBackward(model, batch, ({ policyChosen, policyRejected }) =>
      policyChosen.sub(policyRejected).square().sum(),
    );
    return list(tokens.logProbs);
  });
  const gradients = [...model.namedParameters()].flatMap(([name, { grad }]): [string, number[]][] =>
    grad ? [[name, list(grad)]] : [],
  );
  model.zeroGrad();
  return { logProbs, gradients };
}

const scored = (model: ReturnType<typeof tinyModel>) => tidy(() => list(scorePairs(model, batch).logProbs));

function expectSame(got: ReturnType<typeof pass>, want: ReturnType<typeof pass>): void {
  expect(got.logProbs).toEqual(close(want.logProbs, 4));
  expect(got.gradients.map(([name]) => name)).toEqual(want.gradients.map(([name]) => name));
  want.gradients.forEach(([, values], i) => {
    const largest = Math.max(...values.map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    expect(got.gradients[i]![1].map((value) => value / largest)).toEqual(
      close(
        values.map((value) => value / largest),
        4,
      ),
    );
  });
}

describe.each([
  ["LoRA", { targetModules: "all-linear" }],
  ["DoRA", { targetModules: "all-linear", useDora: true }],
  ["LoRA beside a head trained whole", { targetModules: "all-linear", modulesToSave: ["lm_head"] }],
] as const)("%s over quantised layers", (_, options) => {
  test("has the log-probs and gradients that it has over dense ones", () => {
    const { quantised, dense } = adapted(options);
    const got = pass(quantised);
    expect(got.gradients.length).toBeGreaterThan(20);
    expectSame(got, pass(dense));
  });

  test("merges and comes back to the bit", () => {
    const { quantised, dense } = adapted(options);
    const before = scored(quantised);
    const each = (act: (layer: ReturnType<typeof loraLayers>[number][1]) => void) =>
      loraLayers(quantised).forEach(([, layer]) => act(layer));
    each((layer) => layer.merge());
    expect(Object.keys(quantised.stateDict()).some((name) => name.endsWith("q_proj.weight.scale"))).toBe(false);
    expect(scored(quantised)).toEqual(close(scored(dense), 3));
    each((layer) => layer.unmerge());
    expect(scored(quantised)).toEqual(before);
  });

  test("is folded into dense weights by mergeAndUnload", () => {
    const { quantised, dense } = adapted(options);
    mergeAndUnload(quantised);
    mergeAndUnload(dense);
    expect(Object.keys(quantised.stateDict())).toEqual(Object.keys(dense.stateDict()));
    expect(scored(quantised)).toEqual(close(scored(dense), 3));
  });
});

describe("the head", () => {
  test("is scored chunk by chunk through its weight, and pulls the gradient back through it", () => {
    const everything = /./;
    const { quantised, dense } = adapted({ targetModules: ["q_proj"] }, everything);
    expect(quantised.headWeight).toBeInstanceOf(Int8Weight);
    expectSame(pass(quantised), pass(dense));
  });

  test("in eight bits can be trained whole: a dense copy stands in for it", () => {
    const { quantised } = adapted({ targetModules: ["q_proj"], modulesToSave: ["lm_head"] }, /./);
    const base = withoutAdapters(quantised, () => scored(quantised));
    expect(pass(quantised).gradients.map(([name]) => name)).toContain("lm_head.weight");
    copyAdapter(quantised, "default", "reference");
    const reference = scored(quantised);
    noGrad(() => (quantised.lmHead as Linear).weight.mul_(2));
    expect(scored(quantised)).not.toEqual(reference);
    expect(withAdapter(quantised, "reference", () => scored(quantised))).toEqual(reference);
    expect(withoutAdapters(quantised, () => scored(quantised))).toEqual(base);
    expect(withoutAdapters(quantised, () => quantised.headWeight)).toBeInstanceOf(Int8Weight);
  });
});

test("no tensor stays of quantised models with adapters", () => {
  const options = { targetModules: "all-linear", modulesToSave: ["lm_head"] };
  expect(() => {
    const models = Array.from({ length: 4 }, () => adapted(options, /./));
    for (const [, layer] of loraLayers(models[0]!.quantised)) layer.merge();
    mergeAndUnload(models[1]!.quantised);
    withoutAdapters(models[2]!.quantised, () => scored(models[2]!.quantised));
    for (const { quantised, dense } of models) {
      quantised.dispose();
      dense.dispose();
    }
  }).toLeakNothing();
});

describe("memory", () => {
  const { quantised, dense } = adapted({ targetModules: ["q_proj"] });

  test("is what the weights are stored in", () => {
    const bytes = (model: typeof dense) =>
      [...model.linearLayers()].reduce((sum, [, layer]) => sum + (layer as Linear).matrix.bytes, 0);
    /*
     * By hand, hidden 32, intermediate 48, 4 query and 2 key heads of 8, vocabulary 48: a layer has 32·32 for q and o,
     * 16·32 for k and v, 48·32 for gate, up and down, 7680 in all, in rows 32 + 32 + 16 + 16 + 48 + 48 + 32 = 224.
     * The head has 48·32 = 1536. An adapter to q of rank 2 has 2·32 + 32·2 = 128.
     */
    expect(bytes(dense)).toBe(4 * (2 * 7680 + 1536 + 2 * 128));
    expect(bytes(quantised)).toBe(2 * (7680 + 4 * 224) + 4 * (1536 + 2 * 128));
  });

  test("is left for the largest dense copy that a product makes", () => {
    const open = { device: "cpu", longestPair: 10, maxTokens: null, checkpoint: null } as const;
    const free = 4e6;
    const scratch = 4 * 48 * 32;
    expect(planMemory(quantised, { ...open, free: free + scratch })).toMatchObject({
      maxTokens: planMemory(dense, { ...open, free }).maxTokens,
    });
    expect(planMemory(dense, { ...open, free }).maxTokens).toBeLessThan(1024);
  });
});

describe("saving", () => {
  const folder = mkdtempSync(join(tmpdir(), "smaug-weights-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("writes the tensors that a weight is stored in", async () => {
    const model = tinyModel();
    quantise(model, /q_proj/);
    await saveModel(model, folder);
    const { entries } = new SafetensorsFile(join(folder, "model.safetensors"));
    const name = "model.layers.1.self_attn.q_proj.weight";
    expect([entries.get(name)?.dtype, entries.get(`${name}.scale`)?.shape]).toEqual(["int8", [32, 1]]);
    expect(ops.equal(new SafetensorsFile(join(folder, "model.safetensors")).read(name), model.stateDict()[name]!)).toBe(true);
  });
});
