/**
 * What PEFT 0.21.2 with transformers 5 cannot do with adapters of a mixture. Router and experts are linear layers here
 * but plain tensors in transformers, where w1 and w3 of all experts form a single tensor, with twice the rank.
 */
import type { CausalLM } from "../../models";
import { loraLayers, tensorsTrainedWhole } from "../../nn";

const MIXTURE = /\.block_sparse_moe\.(?:gate|experts\.\d+\.(?<weight>w[123]))(?:$|\.)/;

/** Why PEFT would fail to load a model's adapter, or would compute something different with it. */
export function peftProblems(model: CausalLM): string[] {
  const adapted = loraLayers(model).flatMap(([name, { adapter }]) => {
    const match = MIXTURE.exec(name);
    return match ? [{ weight: match.groups!["weight"], adapter }] : [];
  });
  const problems: string[] = [];
  if (tensorsTrainedWhole(model).some(([name]) => MIXTURE.test(name)))
    problems.push("router or experts trained in full; to avoid this, leave them out of lora_modules_to_save");
  if (adapted.length === 0) return problems;
  const { config, dropout } = adapted[0]!.adapter;
  if (dropout > 0)
    problems.push(`dropout on router or experts (lora_dropout ${dropout}); to avoid this, set disable_dropout: true`);
  if (config.useDora) problems.push("DoRA on router or experts; to avoid this, set use_dora: false");
  const has = (weight: string) => adapted.some((each) => each.weight === weight);
  const isFused = has("w1") || has("w3");
  if (isFused && !(has("w1") && has("w2") && has("w3")))
    problems.push("w1 or w3 of experts adapted without the other two of w1, w2 and w3; to avoid this, name all three");
  if (isFused && config.useRslora)
    problems.push("use_rslora on w1 and w3 of experts, which PEFT scales by another √2; to avoid this, set use_rslora: false");
  return problems;
}
