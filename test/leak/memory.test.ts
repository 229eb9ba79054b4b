/** What an operation leaves behind: handles and bytes, by `toLeakNothing`. */
import { describe, expect, test } from "vitest";
import { LlamaForCausalLM } from "../../src/models";
import {
  Attention,
  causalMask,
  Embedding,
  GatedMlp,
  KvCache,
  Linear,
  LoraLinear,
  lora,
  Module,
  maskedAttention,
  parameter,
  RmsNorm,
  RotaryEmbedding,
} from "../../src/nn";
import { AdamW, clipGradNorm_ } from "../../src/optim";
import { dpop, forwardBackward, pack, sigmoid, upload } from "../../src/preference";
import {
  arange,
  autograd,
  cat,
  dispose,
  fromTypedArray,
  Generator,
  keep,
  noGrad,
  ones,
  ops,
  randn,
  type Tensor,
  TensorScope,
  tensor,
  tidy,
  zeros,
} from "../../src/torch";
import { answerOf } from "../preference/padded";
import "../setup/leaks";

describe("the matcher", () => {
  test("finds a handle that stays", () => {
    const kept: Tensor[] = [];
    expect(() => kept.push(keep(ones([64])))).not.toLeakNothing();
    expect(() => expect(() => kept.push(keep(ones([64])))).toLeakNothing()).toThrow("it leaves 1 tensors and 256 bytes");
    dispose(kept);
  });

  test("finds bytes that only a growing graph holds", () => {
    const weight = keep(ones([], { requiresGrad: true }));
    let total = keep(weight.mul(1));
    const addTo = () => {
      const next = keep(total.add(randn([100]).mul(weight).sum()));
      total.dispose();
      total = next;
    };
    expect(addTo).not.toLeakNothing();
    dispose([weight, total]);
  });
});

describe("calls", () => {
  const a = ones([2, 3]);
  const leaf = ones([3], { requiresGrad: true });

  test.each<[string, () => unknown]>([
    ["an operator", () => a.add(1)],
    ["several returns", () => a.max(1)],
    ["an operator in place", () => a.clone().add_(1).mul_(2)],
    ["views", () => a.t().index(0, ":", null).expand([2, 2, 1])],
    ["indexing by tensors", () => a.clone().indexPut_([tensor([0], { dtype: "int64" })], 5)],
    ["reading", () => [a.toArray(), a.toList(), a.to("bfloat16").toArray(), a.sum().item(), String(a)]],
    ["creating", () => [tensor([1, 2]), fromTypedArray(new Float32Array(4)), arange(5), randn([2])]],
    [
      "a gradient",
      () => {
        leaf.mul(2).sum().backward();
        leaf.grad = null;
      },
    ],
    [
      "autograd.grad twice over",
      () => {
        const [first] = autograd.grad(leaf.pow(3).sum(), leaf, { createGraph: true });
        autograd.grad(first!.sum(), leaf);
      },
    ],
    [
      "a generator",
      () => {
        using generator = new Generator();
        randn([2], { generator });
        generator.getState();
      },
    ],
    ["a nested tidy", () => tidy(() => [tidy(() => a.add(1)), a])],
    [
      "a scope",
      () => {
        using scope = new TensorScope();
        scope.escape(a.add(1));
        scope.run(() => a.mul(2));
      },
    ],
  ])("%s", (_, fn) => void expect(fn).toLeakNothing());

  test.each<[string, () => unknown]>([
    ["shapes", () => a.mm(a)],
    ["an in-place operator", () => a.add_(ones([5]))],
    ["a list", () => cat([ones([2]), ones([3, 3])])],
    ["several returns", () => ops.linalgEigh(ones([2, 3]))],
    ["arguments", () => a.add(ones([3]), { alfa: 1 } as never)],
    [
      "an argument that throws when read",
      () =>
        a.add(a.add(1), {
          alpha: {
            real: 1,
            get imag(): number {
              throw new Error("mine");
            },
          },
        }),
    ],
    ["reading", () => zeros([3], { device: "meta" }).toArray()],
    [
      "memory",
      () =>
        ones([1])
          .expand([2 ** 40])
          .clone(),
    ],
    [
      "backward",
      () => {
        const y = leaf.exp();
        const loss = y.mul(y).sum();
        noGrad(() => y.add_(1));
        loss.backward();
      },
    ],
    [
      "tidy",
      () =>
        tidy(() => {
          ones([2]);
          throw new Error("mine");
        }),
    ],
    ["a promise", () => tidy(async () => ones([2]))],
  ])("that fail: %s", (_, fn) => {
    expect(fn).toThrow();
    expect(() => {
      try {
        fn();
      } catch {
        leaf.grad = null;
      }
    }).toLeakNothing();
  });
});

/** Makes a module, runs it forward and backward, and frees it. */
function lifeOf<M extends Module>(make: () => M, run: (module: M) => Tensor): () => void {
  return () => {
    const module = make();
    run(module).sum().backward();
    module.zeroGrad();
    module.dispose();
  };
}

const config = {
  vocab_size: 17,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 16,
};

const x = randn([2, 4, 8]);
const ids = tensor(
  [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
  ],
  { dtype: "int64" },
);
const rotary = new RotaryEmbedding(4);
const rotate = () => rotary.forward(arange(4).unsqueeze(0), "float32");

describe("modules", () => {
  class Mixed extends Module {
    readonly scale = parameter(ones([8]));
    readonly layers = [new Linear(8, 8), new Linear(8, 8, { bias: false })];
    forward(input: Tensor): Tensor {
      return this.layers.reduce((hidden, layer) => layer.forward(hidden), input.mul(this.scale));
    }
  }

  test.each<[string, () => void]>([
    [
      "Linear",
      lifeOf(
        () => new Linear(8, 3),
        (m) => m.forward(x),
      ),
    ],
    [
      "Embedding",
      lifeOf(
        () => new Embedding(17, 8, { paddingIdx: 0 }),
        (m) => m.forward(ids),
      ),
    ],
    [
      "RmsNorm",
      lifeOf(
        () => new RmsNorm(8),
        (m) => m.forward(x),
      ),
    ],
    [
      "GatedMlp",
      lifeOf(
        () => new GatedMlp(8, 12),
        (m) => m.forward(x),
      ),
    ],
    [
      "Attention",
      lifeOf(
        () => new Attention({ hiddenSize: 8, numHeads: 2 }),
        (m) => m.forward(x, { rotary: rotate() }),
      ),
    ],
    [
      "Attention with grouped heads, mask and dropout",
      lifeOf(
        () => new Attention({ hiddenSize: 8, numHeads: 2, numKeyValueHeads: 1, dropout: 0.5 }),
        (m) => m.forward(x, { rotary: rotate(), attend: maskedAttention(causalMask(4, 4)) }),
      ),
    ],
    [
      "LoraLinear",
      lifeOf(
        () => new LoraLinear(new Linear(8, 8), lora({ r: 2, dropout: 0.1 })),
        (m) => m.forward(x),
      ),
    ],
    [
      "LoraLinear, merged and back",
      lifeOf(
        () => new LoraLinear(new Linear(8, 8), lora({ r: 2 })),
        (m) => {
          m.merge();
          m.unmerge();
          return m.forward(x);
        },
      ),
    ],
    [
      "a module of modules",
      lifeOf(
        () => new Mixed(),
        (m) => m.forward(x),
      ),
    ],
    [
      "Llama",
      lifeOf(
        () => new LlamaForCausalLM(config),
        (m) => m.forward(ids),
      ),
    ],
    [
      "a module moved to another dtype",
      lifeOf(
        () => new Mixed().to({ dtype: "float64" }),
        (m) => m.forward(x.to("float64")),
      ),
    ],
    [
      "a state dict, out and in",
      lifeOf(
        () => new Mixed(),
        (m) => {
          m.loadStateDict(m.stateDict());
          return m.forward(x);
        },
      ),
    ],
  ])("%s", (_, life) => void expect(life).toLeakNothing());

  test("RotaryEmbedding", () => {
    expect(() => {
      const made = new RotaryEmbedding(4);
      made.forward(arange(4).unsqueeze(0), "float32");
      made.dispose();
    }).toLeakNothing();
  });

  test("a cache of keys and values", () => {
    const attention = new Attention({ hiddenSize: 8, numHeads: 2 });
    expect(() => {
      using kv = new KvCache();
      for (let i = 0; i < 3; i++) attention.forward(x, { rotary: rotate(), cache: { kv, layer: 0 } });
    }).toLeakNothing();
    attention.dispose();
  });
});

describe("losses", () => {
  const logProbs = () => {
    const [policyChosen, policyRejected] = [randn([3]).requiresGrad_(), randn([3]).requiresGrad_()];
    return { policyChosen, policyRejected, referenceChosen: randn([3]), referenceRejected: randn([3]) };
  };

  test.each([
    ["sigmoid", sigmoid()],
    ["dpop", dpop()],
    ["dpop inside", dpop({ placement: "inside" })],
    ["dpop outside", dpop({ placement: "outside", tolerance: 0.1 })],
  ])("%s", (_, loss) => void expect(() => loss(logProbs()).mean().backward()).toLeakNothing());

  test("log-probs of a batch", () => {
    const model = new LlamaForCausalLM(config);
    const pairs = [
      { index: 0, chosen: answerOf([1, 2], [3, 4, 5]), rejected: answerOf([1, 2], [3, 6]) },
      { index: 1, chosen: answerOf([6], [7]) },
    ];
    expect(() => {
      forwardBackward(model, upload(pack(pairs)), ({ policyChosen, policyRejected }) => policyChosen.sub(policyRejected).sum());
      model.zeroGrad();
    }).toLeakNothing();
    model.dispose();
  });
});

describe("a training step", () => {
  const model = new LlamaForCausalLM(config);
  const optimizer = new AdamW(model.parameters(), { lr: 1e-3 });

  test("with AdamW and clipping", () => {
    expect(() => {
      const loss = ops.crossEntropyLoss(model.forward(ids).flatten(0, 1), ids.flatten());
      loss.backward();
      clipGradNorm_(model.parameters(), 1);
      optimizer.step();
      optimizer.zeroGrad();
    }).toLeakNothing();
  });

  test("whose optimizer is saved and loaded", () => {
    expect(() => optimizer.loadStateDict(optimizer.stateDict())).toLeakNothing();
  });
});
