/** The Llama model against transformers' LlamaForCausalLM (scripts/parity/llama.py). */
import { describe, expect, test } from "vitest";
import { generateSync } from "../../src/generate";
import type { HuggingFaceConfig } from "../../src/models";
import { LlamaForCausalLM } from "../../src/models";
import { type DType, ops, tensor, tidy } from "../../src/torch";
import { expectClose, expectGradients, fillWithWaves, fixture, leakedBy } from "./fixture";

interface Run {
  logits: number[];
  loss: number;
  grads: Record<string, number[]>;
}

const expected = fixture<{
  ids: number[][];
  configs: Record<string, HuggingFaceConfig>;
  shapes: Record<string, Record<string, number[]>>;
  runs: Record<string, Run>;
  restarting: { ids: number[][]; positions: number[][]; mask: number[][]; logits: number[] };
  greedy: {
    config: HuggingFaceConfig;
    scale: number;
    prompts: number[][];
    maxNewTokens: number;
    answers: number[][];
  }[];
}>("llama");

const int64 = { dtype: "int64" } as const;

function build(config: HuggingFaceConfig, dtype: DType = "float32", scale?: number): LlamaForCausalLM {
  return fillWithWaves(new LlamaForCausalLM(config, { dtype, init: false }), scale).eval();
}

const runs = Object.entries(expected.runs).flatMap(([name, run]) =>
  (["float32", "float64"] as const).map((dtype) => ({ name, dtype, run })),
);

describe.each(runs)("$name in $dtype", ({ name, dtype, run }) => {
  test("logits, loss and every gradient are transformers'", () => {
    const model = build(expected.configs[name]!, dtype);
    const leaked = leakedBy(() => {
      const ids = tensor(expected.ids, int64);
      const logits = model.forward(ids);
      const next = ids.narrow(1, 1, 5).reshape([-1]);
      const loss = ops.crossEntropyLoss(logits.narrow(1, 0, 5).flatten(0, 1), next);
      loss.backward();
      expectClose(logits, run.logits, 1e-5, "logits");
      expect(loss.item()).toBeCloseTo(run.loss, 5);
      expectGradients(model, run.grads);
      model.zeroGrad();
    });
    expect(leaked).toBe(0);
  });
});

test.each(Object.keys(expected.shapes))("names and shapes of %s's weights are those of the file", (name) => {
  const model = build(expected.configs[name]!);
  const shapes = Object.fromEntries(Object.entries(model.stateDict()).map(([key, { shape }]) => [key, shape]));
  expect(shapes).toEqual(expected.shapes[name]);
});

test("a row with two answers to one prompt: restarting positions and a mask", () => {
  const { ids, positions, mask, logits } = expected.restarting;
  const model = build(expected.configs["plain"]!);
  const actual = tidy(() =>
    model.forward(tensor(ids, int64), { positions: tensor(positions, int64), mask: tensor(mask).to("bool") }),
  );
  expectClose(actual, logits);
});

describe.each(expected.greedy)(
  "greedy answers, end of text $config.eos_token_id",
  ({ config, scale, prompts, maxNewTokens, answers }) => {
    const model = build(config, "float32", scale);
    const answer = (some: number[][]) => generateSync(model, some, { maxNewTokens }).map(({ tokens }) => tokens);

    test("a batch of unequal prompts gets what transformers gives each alone", () => {
      expect(answer(prompts)).toEqual(answers);
    });

    test("so does each alone", () => {
      expect(prompts.flatMap((prompt) => answer([prompt]))).toEqual(answers);
    });

    test("and no tensor stays", () => {
      expect(leakedBy(() => void answer(prompts))).toBe(0);
    });
  },
);
