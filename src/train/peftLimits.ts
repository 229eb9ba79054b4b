/**
 * What PEFT 0.21.2 with transformers 5 makes of adapters on the experts of a mixture. Experts are linear layers here but
 * fused tensors there: w1 and w3 are one, with twice the rank, and neither dropout nor DoRA works on them.
 */
import type { CausalLM } from "../models";
import { loraLayers } from "../nn";

const EXPERT = /\.experts\.\d+\.(w[123])$/;

/** Why PEFT would not open the adapter that a model trains, or would compute something else with it. */
export function peftProblems(model: CausalLM): string[] {
  const experts = loraLayers(model).flatMap(([name, { adapter }]) => {
    const weight = EXPERT.exec(name)?.[1];
    return weight === undefined ? [] : [{ weight, adapter }];
  });
  if (experts.length === 0) return [];
  const has = (weight: string) => experts.some((each) => each.weight === weight);
  const { config, dropout } = experts[0]!.adapter;
  return [
    ...(dropout > 0 ? [`dropout on experts (lora_dropout ${dropout}); disable_dropout avoids it`] : []),
    ...(config.useDora ? ["DoRA on experts; use_dora: false avoids it"] : []),
    ...(has("w1") === has("w3") ? [] : ["an adapter on only one of w1 and w3; naming both avoids it"]),
    ...(config.useRslora && has("w1") ? ["use_rslora on w1 and w3, which it scales by √2 more; use_rslora: false avoids it"] : []),
  ];
}
