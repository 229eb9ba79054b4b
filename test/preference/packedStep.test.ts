import { describe, expect, test } from "vitest";
import type { AnswerPair, TokenizedPair } from "../../src/data/tokenize/tokenizedPair";
import { type CausalLM, Gemma2ForCausalLM, LlamaForCausalLM, MistralForCausalLM } from "../../src/models";
import { applyLora, Linear, LoraLinear, lora } from "../../src/nn";
import {
  answerLogProbs,
  dpop,
  forwardBackward,
  type LogProbs,
  type MicroBatchOptions,
  microBatches,
  type PolicyLogProbs,
  pack,
  packOptionsOf,
  type StepOptions,
  scorePairs,
  sft,
  upload,
} from "../../src/preference";
import { type DType, Generator, manualSeed, memory, noGrad, ops, type Tensor, tensor, tidy } from "../../src/torch";
import { answerOf, paddedLogProbs, paddedTokenLogProbs } from "./padded";
import "../setup/leaks";

const pair = (index: number, prompt: number[], chosen: number[], rejected: number[]): AnswerPair => ({
  index,
  chosen: answerOf(prompt, chosen),
  rejected: answerOf(prompt, rejected),
});
/** Two pairs of one prompt with the same chosen answer, answers that begin alike, one that is another's beginning. */
const pairs = [
  pair(0, [1, 5, 9, 3], [4, 5, 6, 2], [4, 7, 8, 9, 2]),
  pair(1, [1, 5, 9, 3], [4, 5, 6, 2], [9, 2]),
  pair(2, [1, 5], [10, 3, 2], [10, 3]),
  pair(3, [1, 7, 7, 2, 8, 6], [3, 2], [5, 5, 5, 5, 5, 2]),
];

const shape = {
  vocab_size: 11,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  initializer_range: 0.15,
};
const gemma = {
  ...shape,
  head_dim: 4,
  query_pre_attn_scalar: 4,
  sliding_window: 3,
  attn_logit_softcapping: 5,
  final_logit_softcapping: 3,
};
type Build = (dtype: DType) => CausalLM;
const models: Record<string, Build> = {
  "Llama, head of its own": (dtype) => new LlamaForCausalLM({ ...shape }, { dtype }),
  "Llama, tied head": (dtype) => new LlamaForCausalLM({ ...shape, tie_word_embeddings: true }, { dtype }),
  "Mistral, sliding window": (dtype) => new MistralForCausalLM({ ...shape, sliding_window: 3 }, { dtype }),
  "Gemma 2, window and soft-capping": (dtype) => new Gemma2ForCausalLM(gemma, { dtype }),
};
/** What trains. */
const trainings: Record<string, (model: CausalLM) => void> = {
  everything: () => {},
  "LoRA on all layers": (model) => adapt(model, "all-linear"),
  "LoRA on the last layer": (model) => adapt(model, "model\\.layers\\.2\\..*"),
  "all but the head": (model) => void (model.lmHead ?? model.model.embedTokens).requiresGrad_(false),
  "LoRA on the head": (model) => adapt(model, model.lmHead ? "lm_head" : "model\\.layers\\.0\\..*"),
};

/** With B away from zero, so that A has a gradient and the adapter changes something. */
function adapt(model: CausalLM, targetModules: string, dropout = 0): void {
  applyLora(model, lora({ r: 2, targetModules, dropout }));
  noGrad(() => {
    for (const module of model.modules()) if (module instanceof Linear && module.inFeatures === 2) module.weight.normal_(0, 0.2);
  });
}

const loss = dpop({ beta: 0.3, lambda: 5 });
const reference = (of: readonly TokenizedPair[]) => ({
  referenceChosen: tensor(
    of.map(({ index }) => -9 - index),
    { dtype: "float64" },
  ),
  referenceRejected: tensor(
    of.map(({ index }) => -8 + index),
    { dtype: "float64" },
  ),
});

interface Outcome {
  loss: number;
  gradients: Record<string, number[]>;
}

function outcome(model: CausalLM, run: () => number): Outcome {
  model.zeroGrad();
  const loss = run();
  const gradients = [...model.namedParameters()].filter(([, parameter]) => parameter.grad);
  const result = {
    loss,
    gradients: Object.fromEntries(gradients.map(([name, { grad }]) => [name, [...grad!.toArray()].map(Number)])),
  };
  model.zeroGrad();
  return result;
}

/** The plain way: padded rows, prompts twice, autograd through everything. */
const plain = (model: CausalLM): Outcome =>
  outcome(model, () =>
    tidy(() => {
      const sums = (side: "chosen" | "rejected") =>
        paddedLogProbs(
          model,
          pairs.map((each) => each[side]),
        ).to("float64");
      const [policyChosen, policyRejected] = [sums("chosen"), sums("rejected")];
      const value = loss({ policyChosen, policyRejected, ...reference(pairs) }).mean();
      value.backward();
      return value.item() as number;
    }),
  );

const packed = (model: CausalLM, step: StepOptions = {}, batching: MicroBatchOptions = {}, order = pairs): Outcome =>
  outcome(model, () =>
    tidy(() => {
      let total = 0;
      for (const packing of microBatches(order, batching))
        total += forwardBackward(
          model,
          upload(packing),
          (policy) =>
            loss({ ...policy, ...reference(packing.pairs) })
              .sum()
              .div(order.length),
          step,
        ).loss.item() as number;
      return total;
    }),
  );

function expectSame(ours: Outcome, theirs: Outcome, tolerance: number): void {
  expect(Math.abs(ours.loss - theirs.loss)).toBeLessThan(tolerance);
  expect(Object.keys(ours.gradients).sort()).toEqual(Object.keys(theirs.gradients).sort());
  const largest = (values: number[]) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scale = Math.max(1, ...Object.values(theirs.gradients).map(largest));
  for (const [name, gradient] of Object.entries(theirs.gradients))
    expect(largest(gradient.map((value, i) => value - ours.gradients[name]![i]!)), name).toBeLessThan(tolerance * scale);
}

const ways: [string, StepOptions, MicroBatchOptions, AnswerPair[]?][] = [
  ["all at once", {}, {}],
  ["in another order", {}, {}, [pairs[3]!, pairs[1]!, pairs[0]!, pairs[2]!]],
  ["one pair at a time", {}, { maxPairs: 1 }],
  ["by a token budget", {}, { maxTokens: 15 }],
  ["without sharing", {}, { sharePrefixes: false }],
  ["with checkpointing", { checkpoint: true }, {}],
  ["with checkpointing, in parts", { checkpoint: true }, { maxPairs: 2 }],
  ["in small chunks of the head", { chunkRows: 3 }, {}],
];

describe.each(Object.entries(models))("%s", (_, build) => {
  describe.each(Object.entries(trainings))("training %s", (_, train) => {
    test("has the loss and gradient of the plain way, however it is laid out", () => {
      for (const [dtype, tolerance, tried] of [
        ["float64", 1e-10, ways.slice(-3)],
        ["float32", 2e-5, ways],
      ] as const) {
        manualSeed(1);
        const model = build(dtype);
        train(model);
        const expected = plain(model);
        expect(Object.keys(expected.gradients).length).toBeGreaterThan(0);
        for (const [, step, batching, order] of tried) expectSame(packed(model, step, batching, order), expected, tolerance);
        model.dispose();
      }
    });
  });
});

const fresh = (dtype: DType = "float64") => {
  manualSeed(2);
  return models["Llama, tied head"]!(dtype);
};

test("a layer that is run again drops what it dropped", () => {
  const model = fresh();
  adapt(model, "all-linear", 0.5);
  const run = (checkpoint: boolean) => {
    manualSeed(5);
    const result = packed(model, { checkpoint }, { maxPairs: 2 });
    return { ...result, next: tidy(() => ops.rand([1]).item()) };
  };
  const [kept, again] = [run(false), run(true)];
  expectSame(again, kept, 1e-12);
  expect(again.next).toBe(kept.next); // and what is drawn afterwards is the same
  expect(Math.abs(packed(model).loss - kept.loss)).toBeGreaterThan(1e-6); // dropout is at work
  model.dispose();
});

test("LoRA leaves the base alone and needs no gradient below its first layer", () => {
  const model = fresh();
  adapt(model, "model\\.layers\\.2\\..*");
  for (const checkpoint of [false, true])
    expect(Object.keys(packed(model, { checkpoint }).gradients).every((name) => /layers\.2\..*lora_/.test(name))).toBe(true);
  expect([...model.modules()].filter((module) => module instanceof LoraLinear)).toHaveLength(7);
  model.dispose();
});

test("scores are the log-probs of each answer's tokens, and the statistics those of their distributions", () => {
  const model = fresh();
  tidy(() => {
    const batch = upload(pack(pairs));
    const statistics = ["entropy", "hits", "sumSquares", "meanLogits"] as const;
    const scores = scorePairs(model, batch, { statistics, chunkRows: 4 });
    const read = answerLogProbs(batch, scores.logProbs);
    pairs.forEach((each, i) => {
      for (const side of ["chosen", "rejected"] as const) {
        const { ids, start } = each[side];
        const expected = noGrad(() => paddedTokenLogProbs(model, [each[side]]).toArray()) as Float64Array;
        expect(read[i]![side]).toHaveLength(ids.length - start);
        read[i]![side].forEach((value, k) => expect(value).toBeCloseTo(expected[k]!, 5));

        const logits = noGrad(() => model.forward(tensor([[...ids]], { dtype: "int64" })).squeeze(0));
        batch.packing.completions[i]![side].forEach((at, k) => {
          const row = logits.select(0, start + k - 1);
          const p = row.softmax(0);
          const value = (name: (typeof statistics)[number]) => scores[name]!.index(at).item();
          expect(value("entropy")).toBeCloseTo(p.mul(p.log()).sum().neg().item() as number, 10);
          expect(value("sumSquares")).toBeCloseTo(p.square().sum().item() as number, 10);
          expect(value("meanLogits")).toBeCloseTo(row.mean().item() as number, 10);
          expect(value("hits")).toBe(Number(row.argmax().item()) === ids[start + k] ? 1 : 0);
        });
      }
    });
  });
  model.dispose();
});

test("a loss gets sums in float64, token counts, weighted and bare sums, and what WPO weighs by", () => {
  const model = fresh("float32");
  tidy(() => {
    const batch = upload(pack(pairs));
    const weights = batch.answerOf.remainder(2).mul(-0.5).add(1).to("float64"); // halves the rejected tokens
    const { policy, tokens } = forwardBackward(
      model,
      batch,
      ({ policyChosen, policyRejected, policyChosenPlain }) => policyChosen.add(policyRejected).sub(policyChosenPlain!).sum(),
      { weights, statistics: ["sumSquares"] },
    );
    const read = answerLogProbs(batch, tokens.logProbs);
    const list = (name: keyof PolicyLogProbs) => policy[name]!.toList() as number[];
    const sum = (values: LogProbs) => [...values].reduce((a, b) => a + b, 0);
    expect(policy.policyChosen.dtype).toBe("float64");
    read.forEach(({ chosen, rejected }, i) => {
      expect(list("policyChosen")[i]).toBeCloseTo(sum(chosen), 12);
      expect(list("policyChosenPlain")[i]).toBeCloseTo(sum(chosen), 12);
      expect(list("policyRejected")[i]).toBeCloseTo(sum(rejected) / 2, 12);
    });
    expect(list("chosenTokens")).toEqual([4, 4, 3, 2]);
    expect(list("rejectedTokens")).toEqual([5, 2, 2, 6]);
    const squares = tokens.sumSquares!.toArray() as Float32Array;
    batch.packing.completions.forEach(({ rejected }, i) => {
      const mean =
        [...rejected].reduce((total, at, k) => total + read[i]!.rejected[k]! - Math.log(squares[at]!), 0) / rejected.length;
      expect(list("wpoRejected")[i]).toBeCloseTo(mean, 5);
    });
  });
  model.zeroGrad();
  model.dispose();
});

test("rows without a rejected answer give the gradient of plain cross-entropy, and are scored like the others", () => {
  const rows: TokenizedPair[] = pairs.map((each, i) => (i === 1 ? each : { index: each.index, chosen: each.chosen }));
  const meanChosenTokens = 13 / 4;
  for (const weights of [undefined, 1]) {
    const model = fresh();
    const expected = outcome(model, () =>
      tidy(() => {
        const logits = rows.map(({ chosen: { ids } }) => model.forward(tensor([[...ids]], { dtype: "int64" })).squeeze(0));
        const losses = rows.map(({ chosen: { ids, start } }, i) => {
          const targets = tensor([...ids.subarray(start)], { dtype: "int64" });
          return ops.crossEntropyLoss(logits[i]!.narrow(0, start - 1, ids.length - start), targets, { reduction: "sum" });
        });
        const value = losses.reduce((a, b) => a.add(b)).div(13); // the mean over the step's chosen tokens
        value.backward();
        return value.item() as number;
      }),
    );
    for (const batching of [{}, { maxPairs: 1 }, { sharePrefixes: false }])
      expectSame(
        outcome(model, () =>
          tidy(() => {
            let total = 0;
            for (const packing of microBatches(rows, batching)) {
              const batch = upload(packing);
              const options = weights ? { weights: tensor(Array<number>(batch.answerOf.size(0)).fill(weights)) } : {};
              const lossOf = (policy: PolicyLogProbs) =>
                sft()({ ...policy, ...reference(packing.pairs), meanChosenTokens })
                  .sum()
                  .div(rows.length);
              const { loss, policy } = forwardBackward(model, batch, lossOf, options);
              total += loss.item() as number;
              packing.pairs.forEach(({ rejected }, i) => {
                expect(policy.rejectedTokens.index(i).item()).toBe(rejected ? 2 : 0);
                if (!rejected) expect(policy.policyRejected.index(i).item()).toBe(0);
              });
            }
            return total;
          }),
        ),
        expected,
        1e-10,
      );
    const batch = upload(pack(rows));
    const both = upload(pack(pairs));
    const [alone, together] = [batch, both].map((each) => answerLogProbs(each, scorePairs(model, each).logProbs));
    rows.forEach(({ rejected }, i) => {
      alone![i]!.chosen.forEach((value, k) => expect(value).toBeCloseTo(together![i]!.chosen[k]!, 12));
      expect(alone![i]!.rejected).toHaveLength(rejected ? 2 : 0);
    });
    model.dispose();
  }
});

test("a loss that does not depend on the model leaves no gradient", () => {
  const model = fresh();
  tidy(() => forwardBackward(model, upload(pack(pairs)), () => tensor(1)));
  expect([...model.parameters()].every(({ grad }) => grad === null)).toBe(true);
  model.dispose();
});

test("bfloat16 stays near float32", () => {
  const gradients = (["float32", "bfloat16"] as const).map((dtype) => {
    const model = fresh(dtype);
    adapt(model, "all-linear");
    noGrad(() => {
      manualSeed(4);
      for (const [name, parameter] of model.namedParameters()) if (name.includes("lora_")) parameter.normal_(0, 0.2);
    });
    const result = packed(model);
    model.dispose();
    return result;
  });
  const [full, half] = gradients as [Outcome, Outcome];
  expect(Math.abs(half.loss / full.loss - 1)).toBeLessThan(0.05);
  const flat = (outcome: Outcome) => Object.values(outcome.gradients).flat();
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const [a, b] = [flat(full), flat(half)];
  expect(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))).toBeGreaterThan(0.98);
});

test.each([false, true])("leaves nothing behind but gradients, checkpointing: %s", (checkpoint) => {
  const model = fresh();
  adapt(model, "all-linear");
  expect(() => {
    forwardBackward(model, upload(pack(pairs)), ({ policyChosen }) => policyChosen.sum(), { checkpoint });
    model.zeroGrad();
  }).toLeakNothing();
  model.dispose();
});

test("holds less with checkpointing", () => {
  const model = new LlamaForCausalLM({
    ...shape,
    num_hidden_layers: 12,
    hidden_size: 64,
    intermediate_size: 256,
    initializer_range: 0.02,
  });
  applyLora(model, lora({ r: 2, targetModules: "all-linear", dropout: 0 }));
  const long = [pair(0, Array<number>(200).fill(3), [1, 2], [4, 2])];
  /** Bytes alive when the loss is taken. */
  const held = (checkpoint: boolean): number =>
    tidy(() => {
      let bytes = 0;
      const before = memory().live;
      const lossOf = ({ policyChosen }: PolicyLogProbs): Tensor => {
        bytes = memory().live - before;
        return policyChosen.sum();
      };
      forwardBackward(model, upload(pack(long)), lossOf, { checkpoint });
      model.zeroGrad();
      return bytes;
    });
  expect(held(true)).toBeLessThan(held(false) / 5);
  model.dispose();
});

describe("refuses", () => {
  const model = fresh();
  test("a token id the model does not have, before the device would", () => {
    const batch = upload(pack([pair(0, [1], [11], [2])]));
    expect(() => scorePairs(model, batch)).toThrow("Expected token ids below the model's 11 for 'batch' but received 11");
    expect(() => forwardBackward(model, batch, ({ policyChosen }) => policyChosen.sum())).toThrow("below the model's 11");
  });
  test("a loss per pair where one number is needed", () => {
    const lossOf = ({ policyChosen }: PolicyLogProbs) => policyChosen;
    expect(() => tidy(() => forwardBackward(model, upload(pack(pairs)), lossOf))).toThrow(
      "a scalar from 'lossOf' but received shape [4]",
    );
  });
});

describe("a model whose angles depend on the text's length", () => {
  const dynamic = (): CausalLM =>
    new LlamaForCausalLM(
      {
        architectures: ["LlamaForCausalLM"],
        model_type: "llama",
        vocab_size: 24,
        hidden_size: 16,
        intermediate_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        initializer_range: 0.5,
        max_position_embeddings: 6,
        rope_parameters: { rope_type: "dynamic", rope_theta: 100, factor: 2 },
      },
      { dtype: "float64", generator: new Generator().manualSeed(3) },
    ).eval();
  const pairs = [11, 8].map((length, index) => {
    const ids = (from: number) => Int32Array.from({ length }, (_, i) => (i < 4 ? i + 1 : (from * (i + 3)) % 24));
    return { index, chosen: { ids: ids(5), start: 4 }, rejected: { ids: ids(7), start: 4 } };
  });

  test("scores each answer as it does alone, when beginnings are not shared", () => {
    const model = dynamic();
    const scored = (of: typeof pairs) =>
      microBatches(of, packOptionsOf(model)).flatMap((packing) => {
        const batch = upload(packing);
        return tidy(() => answerLogProbs(batch, scorePairs(model, batch).logProbs)).map(({ chosen, rejected }, i) => ({
          index: packing.pairs[i]!.index,
          logProbs: [...chosen, ...rejected],
        }));
      });
    const together = scored(pairs);
    for (const { index, logProbs } of together) {
      const { ids, start } = pairs[index]!.chosen;
      const alone = tidy(
        () =>
          model
            .forward(tensor([[...ids]], { dtype: "int64" }))
            .logSoftmax(-1)
            .squeeze(0)
            .toList() as number[][],
      );
      for (let at = start; at < ids.length; at++) expect(logProbs[at - start]).toBeCloseTo(alone[at - 1]![ids[at]!]!, 10);
    }
  });

  test("refuses shared beginnings, which have no one angle", () => {
    expect(() => scorePairs(dynamic(), upload(pack(pairs)))).toThrow("Expected a packing without shared prefixes");
  });
});
