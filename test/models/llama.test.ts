import { describe, expect, test } from "vitest";
import { LlamaForCausalLM } from "../../src/models";
import { applyLora, lora } from "../../src/nn";
import { AdamW, clipGradNorm_ } from "../../src/optim";
import { arange, Generator, memory, ops, tensor, tidy, zeros } from "../../src/torch";
import { leakedBy } from "../parity/fixture";

const config = {
  vocab_size: 50,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  attention_bias: true,
  initializer_range: 0.05,
};
const tied = { ...config, tie_word_embeddings: true };
const seeded = (seed: number) => ({ generator: new Generator().manualSeed(seed) });
const ids = tensor(
  [
    [1, 5, 3, 49],
    [0, 2, 2, 7],
  ],
  { dtype: "int64" },
);

describe("initialisation", () => {
  test("weights are normal with initializer_range, biases zero, norms one", () => {
    for (const [name, parameter] of new LlamaForCausalLM(config, seeded(0)).namedParameters()) {
      const [std, mean] = tidy(() => [parameter.std(false).item(), parameter.mean().item()]);
      if (name.endsWith("bias")) expect([name, std, mean]).toEqual([name, 0, 0]);
      else if (name.includes("norm")) expect([name, std, mean]).toEqual([name, 0, 1]);
      else expect(std / 0.05, name).toBeCloseTo(1, 0.9);
    }
  });

  test("a seed gives the same weights", () => {
    const weights = (seed: number) =>
      Object.values(new LlamaForCausalLM(config, seeded(seed)).stateDict()).map((t) => t.toArray());
    expect(weights(3)).toEqual(weights(3));
    expect(weights(3)).not.toEqual(weights(4));
  });

  test("in bfloat16 it runs in bfloat16", () => {
    expect(new LlamaForCausalLM(config, { dtype: "bfloat16" }).forward(ids).dtype).toBe("bfloat16");
  });
});

test("forward is the head of hidden, and the head can run on chosen rows", () => {
  const model = new LlamaForCausalLM(tied, seeded(0));
  const hidden = model.hidden(ids);
  expect(hidden.shape).toEqual([2, 4, 32]);
  expect(model.forward(ids).shape).toEqual([2, 4, 50]);
  const row = model.head(hidden.index(1, 2));
  expect(ops.allclose(row, model.forward(ids).index(1, 2), 1e-5, 1e-6)).toBe(true);
});

test("positions count on from 0, and a shift of all of them changes nothing: they are relative", () => {
  const model = new LlamaForCausalLM(config, seeded(0));
  const at = (start: number) => model.forward(ids, { positions: arange(start, start + 4).unsqueeze(0) });
  expect(at(0).toArray()).toEqual(model.forward(ids).toArray());
  expect(ops.allclose(at(100), at(0), 1e-3, 1e-4)).toBe(true);
});

describe("tied weights", () => {
  const model = new LlamaForCausalLM(tied, seeded(0));
  const names = Object.keys(model.stateDict());

  test("there is no lm_head, and one that is given must be the embedding", () => {
    expect(names).not.toContain("lm_head.weight");
    const dict = model.stateDict();
    const embedding = dict["model.embed_tokens.weight"]!;
    const other = new LlamaForCausalLM(tied, seeded(1));
    expect(other.loadStateDict({ ...dict, "lm_head.weight": embedding })).toEqual({ missing: [], unexpected: [] });
    expect(other.forward(ids).toArray()).toEqual(model.forward(ids).toArray());
    expect(() => other.loadStateDict({ ...dict, "lm_head.weight": zeros([50, 32]) })).toThrow(
      "Expected 'lm_head.weight' to equal",
    );
  });

  test("untied weights of another file are named", () => {
    expect(() => new LlamaForCausalLM(config).loadStateDict(model.stateDict())).toThrow(
      "Expected a tensor for 'lm_head.weight' but received none",
    );
  });
});

test("training lowers the loss, leaves nothing behind, and everything is freed at the end", () => {
  const before = memory().tensors;
  const model = new LlamaForCausalLM(tied, seeded(0));
  const optimizer = new AdamW(model.parameters(), { lr: 1e-2 });
  const step = () =>
    tidy(() => {
      const logits = model.forward(ids).narrow(1, 0, 3);
      const loss = ops.crossEntropyLoss(logits.flatten(0, 1), ids.narrow(1, 1, 3).flatten());
      loss.backward();
      clipGradNorm_(model.parameters(), 1);
      optimizer.step();
      optimizer.zeroGrad();
      return loss.item();
    });
  const first = step();
  const losses: number[] = [];
  expect(leakedBy(() => losses.push(...Array.from({ length: 20 }, step)))).toBe(0);
  expect(losses.at(-1)).toBeLessThan(first / 4);
  model.dispose();
  optimizer.dispose();
  expect(memory().tensors).toBe(before);
});

test("adapters go on every projection, and PEFT's names come out", () => {
  const model = new LlamaForCausalLM(config, seeded(0));
  const adapted = applyLora(model, lora({ r: 2, targetModules: "all-linear" }));
  expect(adapted).toHaveLength(14);
  expect(adapted[0]).toBe("model.layers.0.self_attn.q_proj");
  expect(Object.keys(model.stateDict())).toContain("model.layers.1.mlp.down_proj.lora_A.weight");
});
