/** Layers against PyTorch's, transformers' Llama and PEFT (scripts/parity/nn.py). */
import { describe, expect, test } from "vitest";
import {
  Attention,
  applyLora,
  applyRotary,
  Embedding,
  GatedMlp,
  Linear,
  type LinearLayer,
  type LoraLinear,
  lora,
  Module,
  maskedAttention,
  RmsNorm,
  RotaryEmbedding,
} from "../../src/nn";
import { manualSeed, type Tensor, tensor, tidy } from "../../src/torch";
import { backward, expectClose, expectGradients, fillWithWaves, fixture, leakedBy, wave } from "./fixture";

interface Case {
  output: number[];
  gradX: number[];
  grads: Record<string, number[]>;
}

interface AttentionCase extends Case {
  positions: number[][];
  mask: number[][][][];
}

const expected = fixture<{
  linear: Case;
  linearWithoutBias: Case;
  seededInit: { linear: number[]; bias: number[]; embedding: number[] };
  embedding: Omit<Case, "gradX">;
  embeddingWithPadding: Omit<Case, "gradX">;
  rmsNorm: Case;
  rmsNormBfloat16: Case;
  rotary: { positions: number[][]; cos: number[]; sin: number[]; rotated: number[] };
  attentionCausal: AttentionCase;
  attentionRestarting: AttentionCase;
  swiglu: Case;
  lora: Case & { merged: number[] };
  rslora: Case & { merged: number[] };
}>("nn");

/** Runs a layer forward and backward, compares output and all gradients, and leaves nothing behind. */
function compare<M extends Module>(
  module: M,
  forward: (x: Tensor) => Tensor,
  x: () => Tensor,
  { output, gradX, grads }: Case,
  tolerance?: number,
): void {
  const leaked = leakedBy(() => {
    const input = x().requiresGrad_();
    const result = forward(input);
    backward(result);
    expectClose(result, output, tolerance, "output");
    expectClose(input.grad!, gradX, tolerance, "grad of x");
    expectGradients(module, grads, tolerance);
    module.zeroGrad();
  });
  expect(leaked).toBe(0);
}

describe("linear", () => {
  test.each([
    { bias: true, want: expected.linear },
    { bias: false, want: expected.linearWithoutBias },
  ])("matches nn.Linear, bias $bias", ({ bias, want }) => {
    const layer = fillWithWaves(new Linear(4, 5, { bias }));
    compare(
      layer,
      (x) => layer.forward(x),
      () => wave([2, 3, 4]),
      want,
    );
  });

  test("a seed gives PyTorch's weights, bit for bit", () => {
    manualSeed(7);
    const linear = new Linear(6, 4);
    const embedding = new Embedding(5, 3);
    const { linear: weight, bias, embedding: table } = expected.seededInit;
    expect([...linear.weight.toArray()]).toEqual([...new Float32Array(weight)]);
    expect([...linear.bias!.toArray()]).toEqual([...new Float32Array(bias)]);
    expect([...embedding.weight.toArray()]).toEqual([...new Float32Array(table)]);
  });
});

test.each([
  { paddingIdx: undefined, want: expected.embedding },
  { paddingIdx: 3, want: expected.embeddingWithPadding },
  { paddingIdx: -4, want: expected.embeddingWithPadding },
])("embedding matches nn.Embedding, paddingIdx $paddingIdx", ({ paddingIdx, want }) => {
  const layer = fillWithWaves(new Embedding(7, 4, { paddingIdx }));
  const leaked = leakedBy(() => {
    const output = layer.forward(
      tensor(
        [
          [1, 3, 3],
          [0, 6, 1],
        ],
        { dtype: "int64" },
      ),
    );
    backward(output);
    expectClose(output, want.output);
    expectGradients(layer, want.grads);
    layer.zeroGrad();
  });
  expect(leaked).toBe(0);
});

describe("rmsNorm", () => {
  test("matches LlamaRMSNorm", () => {
    const layer = fillWithWaves(new RmsNorm(8, { eps: 0.1 }));
    compare(
      layer,
      (x) => layer.forward(x),
      () => wave([2, 3, 8], 2),
      expected.rmsNorm,
    );
  });

  test("matches LlamaRMSNorm in bfloat16 to its last bit or two", () => {
    const layer = fillWithWaves(new RmsNorm(8, { eps: 0.1 })).to({ dtype: "bfloat16" });
    compare(
      layer,
      (x) => layer.forward(x),
      () => wave([2, 3, 8], 2, 0, "bfloat16"),
      expected.rmsNormBfloat16,
      2 ** -6,
    );
  });
});

test("rotary matches LlamaRotaryEmbedding, also where positions restart", () => {
  const { positions, cos, sin, rotated } = expected.rotary;
  const rotary = new RotaryEmbedding(6, { theta: 100 });
  const leaked = leakedBy(() => {
    const angles = rotary.forward(tensor(positions, { dtype: "int64" }), "float32");
    const sign = tensor([-1, -1, -1, 1, 1, 1]);
    expectClose(angles.cos, cos);
    expectClose(angles.signedSin.mul(sign), sin);
    expectClose(applyRotary(wave([2, 4, 6, 6]), angles), rotated);
  });
  expect(leaked).toBe(0);
});

describe("attention", () => {
  const layer = fillWithWaves(new Attention({ hiddenSize: 16, numHeads: 4, numKeyValueHeads: 2, headDim: 6 }));
  const rotary = new RotaryEmbedding(6, { theta: 100 });

  function attend(x: Tensor, want: AttentionCase, mask?: Tensor): Tensor {
    const angles = rotary.forward(tensor(want.positions, { dtype: "int64" }), x.dtype);
    return layer.forward(x, { rotary: angles, attend: maskedAttention(mask) });
  }

  test("matches eager LlamaAttention with grouped heads, causal", () => {
    const want = expected.attentionCausal;
    compare(
      layer,
      (x) => attend(x, want),
      () => wave([2, 6, 16]),
      want,
    );
  });

  test("a mask with the causal rule gives what no mask gives", () => {
    const want = expected.attentionCausal;
    compare(
      layer,
      (x) => attend(x, want, tensor(want.mask).to("bool")),
      () => wave([2, 6, 16]),
      want,
    );
  });

  test("matches where a row holds two answers: restarting positions, and a mask between them", () => {
    const want = expected.attentionRestarting;
    compare(
      layer,
      (x) => attend(x, want, tensor(want.mask).to("bool")),
      () => wave([2, 6, 16]),
      want,
    );
  });

  test("an additive mask is as good as a boolean one", () => {
    const want = expected.attentionRestarting;
    const additive = () => tensor(want.mask).sub(1).mul(1e9);
    compare(
      layer,
      (x) => attend(x, want, additive()),
      () => wave([2, 6, 16]),
      want,
    );
  });
});

test("swiglu matches LlamaMLP with bias", () => {
  const layer = fillWithWaves(new GatedMlp(16, 12, { bias: true }));
  compare(
    layer,
    (x) => layer.forward(x),
    () => wave([2, 3, 16]),
    expected.swiglu,
  );
});

describe("lora", () => {
  class Projections extends Module {
    readonly qProj: LinearLayer = new Linear(6, 4);
    readonly oProj: LinearLayer = new Linear(4, 6, { bias: false });

    forward(x: Tensor): Tensor {
      return this.oProj.forward(this.qProj.forward(x));
    }
  }

  test.each([
    { useRslora: false, want: expected.lora },
    { useRslora: true, want: expected.rslora },
  ])("matches PEFT, rank-stabilised $useRslora", ({ useRslora, want }) => {
    const model = fillWithWaves(new Projections());
    applyLora(model, lora({ r: 3, alpha: 5, dropout: 0, targetModules: ["q_proj"], useRslora }));
    const adapted = model.qProj as LoraLinear;
    tidy(() => {
      adapted.loadStateDict(
        { "lora_A.weight": wave([3, 6], 0.5, 20), "lora_B.weight": wave([4, 3], 0.5, 21) },
        { strict: false },
      );
    });
    compare(
      model,
      (x) => model.forward(x),
      () => wave([2, 3, 6]),
      want,
    );
    adapted.merge();
    expectClose((adapted.baseLayer as Linear).weight, want.merged);
  });
});
