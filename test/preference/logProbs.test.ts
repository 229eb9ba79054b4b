import { describe, expect, test } from "vitest";
import { LlamaForCausalLM } from "../../src/models";
import { type Row, collate, completionLogProbs, sequenceLogProbs } from "../../src/preference";
import { manualSeed, memory, noGrad, tensor, tidy } from "../../src/torch";

manualSeed(0);
const config = {
  architectures: ["LlamaForCausalLM"],
  vocab_size: 11,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
};
const model = new LlamaForCausalLM(config, { dtype: "float64" });

const rows: Row[] = [
  { prompt: [1, 4, 2], completion: [7, 3] },
  { prompt: [5], completion: [9, 0, 10, 6] },
  { prompt: [2, 2, 2, 2], completion: [8] },
];

/** The definition: log-softmax of the logits at each position before a completion token, one unpadded row at a time. */
function byDefinition({ prompt, completion }: Row): number[] {
  return tidy(() => {
    const ids = tensor([[...prompt, ...completion]], { dtype: "int64" });
    const logProbs = noGrad(() => model.forward(ids).logSoftmax(-1));
    return completion.map((id, k) => logProbs.index(0, prompt.length + k - 1, id).item());
  });
}

describe("completionLogProbs", () => {
  test("is each completion token's log-prob, and 0 after a completion's end", () => {
    const batched = noGrad(() => completionLogProbs(model, collate(rows)).toList()) as number[][];
    rows.forEach((row, i) => {
      const expected = byDefinition(row);
      const padded = [...expected, ...Array<number>(4 - expected.length).fill(0)];
      padded.forEach((value, k) => expect(batched[i]![k]).toBeCloseTo(value, 12));
    });
  });

  test("does not depend on what else is in the batch", () => {
    const alone = noGrad(() => completionLogProbs(model, collate([rows[0]!])).toList()) as number[][];
    const together = noGrad(() => completionLogProbs(model, collate(rows)).toList()) as number[][];
    alone[0]!.forEach((value, k) => expect(together[0]![k]).toBeCloseTo(value, 12));
  });

  test("sums to the sequence's, whose gradient is that of the definition", () => {
    const weight = model.model.embedTokens.weight;
    const gradient = (compute: () => void): number[] => {
      weight.grad = null;
      compute();
      return [...weight.grad!.toArray()].map(Number);
    };
    const ours = gradient(() => tidy(() => sequenceLogProbs(model, collate(rows)).sum().backward()));
    const definition = gradient(() => {
      for (const { prompt, completion } of rows) {
        tidy(() => {
          const logProbs = model.forward(tensor([[...prompt, ...completion]], { dtype: "int64" })).logSoftmax(-1);
          completion.forEach((id, k) => logProbs.index(0, prompt.length + k - 1, id).backward(null, { retainGraph: true }));
        });
      }
    });
    model.zeroGrad();
    ours.forEach((value, i) => expect(value).toBeCloseTo(definition[i]!, 10));
  });

  test("sums in float32 for a bfloat16 model", () => {
    tidy(() => {
      const half = new LlamaForCausalLM(config, { dtype: "bfloat16" });
      expect(sequenceLogProbs(half, collate(rows)).dtype).toBe("float32");
      half.dispose();
    });
  });

  test("leaves nothing behind in a tidy", () => {
    const before = memory().tensors;
    tidy(() => void sequenceLogProbs(model, collate(rows)));
    expect(memory().tensors).toBe(before);
  });

  test("refuses a token id the model does not have, before the device would", () => {
    const batch = collate([{ prompt: [1], completion: [11] }]);
    expect(() => completionLogProbs(model, batch)).toThrow("Expected token ids below the model's 11 for 'batch' but received 11");
  });
});

describe("collate refuses", () => {
  test.each<[string, Row[], string]>([
    ["no rows", [], "at least one row"],
    ["an empty prompt", [{ prompt: [], completion: [1] }], "'prompt' of row 0"],
    ["an empty completion", [rows[0]!, { prompt: [1], completion: [] }], "'completion' of row 1"],
    ["a fraction", [{ prompt: [1], completion: [1.5] }], "in row 0 but received 1.5"],
    ["a negative id", [{ prompt: [-1], completion: [1] }], "in row 0 but received -1"],
  ])("%s", (_, given, message) => {
    expect(() => collate(given)).toThrow(message);
  });
});
