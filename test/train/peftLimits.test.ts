/** Adapters of a mixture's experts that PEFT 0.21.2 cannot use (found with scripts/parity/trained_adapters.py). */
import { expect, test } from "vitest";
import { applyLora, type LoraConfig, lora, MixtralForCausalLM } from "../../src";
import { peftProblems } from "../../src/train/prepare/model";
import { tinyConfig } from "./tiny";

function problemsOf(options: Partial<LoraConfig>, { dropout = 0 } = {}): string[] {
  const config = { ...tinyConfig, architectures: ["MixtralForCausalLM"], model_type: "mixtral", num_local_experts: 2 };
  using model = new MixtralForCausalLM(config, { init: false });
  applyLora(model, lora({ dropout, ...options }));
  return peftProblems(model);
}

test.each([
  [{ targetModules: ["q_proj", "v_proj"], useDora: true, useRslora: true }, { dropout: 0.1 }],
  [{ targetModules: "all-linear" }, {}],
  [{ targetModules: ["gate"], useRslora: true }, {}],
  [{ targetModules: ["w2"], useRslora: true }, {}],
])("%j opens", (options, given) => {
  expect(problemsOf(options, given)).toEqual([]);
});

test.each([
  [{ targetModules: "all-linear" }, { dropout: 0.1 }, /^dropout on router or experts \(lora_dropout 0.1\)/],
  [{ targetModules: ["w2"], useDora: true }, {}, /^DoRA on router or experts/],
  [{ targetModules: ["gate"], useDora: true }, {}, /^DoRA on router or experts/],
  [{ targetModules: ["w1", "w2"] }, {}, /^w1 or w3 of experts adapted without the other two/],
  [{ targetModules: ["w1", "w3"] }, {}, /^w1 or w3 of experts adapted without the other two/],
  [{ targetModules: "all-linear", useRslora: true }, {}, /^use_rslora on w1 and w3 of experts, which PEFT scales by another √2/],
  [{ targetModules: ["q_proj"], modulesToSave: ["gate"] }, {}, /^router or experts trained in full/],
])("%j does not", (options, given, message) => {
  expect(problemsOf(options, given)).toEqual([expect.stringMatching(message)]);
});
