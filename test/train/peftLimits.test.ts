/** Adapters of a mixture's experts that PEFT 0.21.2 cannot use (as scripts/parity/trained_adapters.py found them). */
import { expect, test } from "vitest";
import { type LoraConfig, MixtralForCausalLM, applyLora, lora } from "../../src";
import { peftProblems } from "../../src/train/peftLimits";
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
  [{ targetModules: ["gate"], useDora: true }, { dropout: 0.1 }],
  [{ targetModules: ["w2"], useRslora: true }, {}],
])("%j opens", (options, given) => {
  expect(problemsOf(options, given)).toEqual([]);
});

test.each([
  [{ targetModules: "all-linear" }, { dropout: 0.1 }, /^dropout on experts \(lora_dropout 0.1\)/],
  [{ targetModules: ["w2"], useDora: true }, {}, /^DoRA on experts/],
  [{ targetModules: ["w1", "w2"] }, {}, /^an adapter on only one of w1 and w3/],
  [{ targetModules: ["w1", "w3"], useRslora: true }, {}, /^use_rslora on w1 and w3, which it scales by √2 more/],
])("%j does not", (options, given, message) => {
  expect(problemsOf(options, given)).toEqual([expect.stringMatching(message)]);
});
