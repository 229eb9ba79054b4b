/**
 * What PEFT 0.21.2 with transformers 5 cannot do with adapters of a mixture. Router and experts are linear layers here
 * but plain tensors there, w1 and w3 of all experts one of them, with twice the rank.
 */
import type { CausalLM } from "../models";
import { loraLayers, tensorsTrainedWhole } from "../nn";

const MIXTURE = /\.block_sparse_moe\.(?:gate|experts\.\d+\.(?<weight>w[123]))(?:$|\.)/;

/** Why PEFT would not open the adapter that a model trains, or would compute something else with it. */
export function peftProblems(model: CausalLM): string[] {
  const adapted = loraLayers(model).flatMap(([name, { adapter }]) => {
    const match = MIXTURE.exec(name);
    return match ? [{ weight: match.groups!["weight"], adapter }] : [];
  });
  const problems: string[] = [];
  if (tensorsTrainedWhole(model).some(([name]) => MIXTURE.test(name)))
    problems.push("router or experts trained whole; leaving them out of lora_modules_to_save avoids it");
  if (adapted.length === 0) return problems;
  const { config, dropout } = adapted[0]!.adapter;
  if (dropout > 0) problems.push(`dropout on router or experts (lora_dropout ${dropout}); disable_dropout avoids it`);
  if (config.useDora) problems.push("DoRA on router or experts; use_dora: false avoids it");
  const has = (weight: string) => adapted.some((each) => each.weight === weight);
  const isFused = has("w1") || has("w3");
  if (isFused && !(has("w1") && has("w2") && has("w3")))
    problems.push("w1 or w3 of experts adapted without the other two of w1, w2 and w3; naming all three avoids it");
  if (isFused && config.useRslora)
    problems.push("use_rslora on w1 and w3 of experts, which it scales by √2 more; use_rslora: false avoids it");
  return problems;
}
