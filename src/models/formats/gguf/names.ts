/** From llama.cpp's names of tensors to Hugging Face's, and what its converter did to their values. */
import type { GgufArchitecture } from "./architectures";
import type { GgufChange } from "./file";

const outside: Readonly<Record<string, string>> = {
  token_embd: "model.embed_tokens",
  output_norm: "model.norm",
  output: "lm_head",
};

/** Within a layer. */
const inside: Readonly<Record<string, string>> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_qkv: "self_attn.qkv_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

/** Where an architecture differs: Gemma has norms on both sides of each block, Phi-3 gate and up in one. */
const gemma = {
  post_attention_norm: "post_attention_layernorm",
  ffn_norm: "pre_feedforward_layernorm",
  post_ffw_norm: "post_feedforward_layernorm",
};
const own: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  gemma2: gemma,
  gemma3_text: gemma,
  phi3: { ffn_up: "mlp.gate_up_proj" },
};

/** Tensors from which the config is made. */
export const configTensors: ReadonlySet<string> = new Set(["rope_freqs.weight"]);

/** Hugging Face's name, or undefined when the architecture has no such tensor. */
export function huggingFaceName(name: string, { modelType }: GgufArchitecture): string | undefined {
  const [, layer, part, kind] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(name) ?? [];
  if (part === undefined) return undefined;
  const names = layer === undefined ? outside : { ...inside, ...own[modelType] };
  const found = Object.hasOwn(names, part) ? names[part] : undefined;
  return found && `${layer === undefined ? "" : `model.layers.${layer}.`}${found}.${kind}`;
}

/** What has to be undone. `heads`: of queries, and of keys and values. */
export function changeOf(name: string, architecture: GgufArchitecture, heads: readonly [number, number]): GgufChange {
  if (architecture.normsPlusOne && name.endsWith("norm.weight")) return { plus: -1 };
  const part = architecture.pairs && /\.attn_([qk])\.(weight|bias)$/.exec(name)?.[1];
  return part ? { heads: heads[part === "q" ? 0 : 1] } : {};
}
