/**
 * The architectures of llama.cpp that are read, and what each is in transformers: its class, the entries of its
 * `config.json`, the names of its tensors, and what llama.cpp's converter (convert_hf_to_gguf.py) did to its weights.
 */
import { FolderError } from "../../folder";
import type { GgufChange } from "./file";
import type { GgufMetadata } from "./header";

/** What an architecture of llama.cpp is in transformers. */
export interface GgufArchitecture {
  readonly modelType: string;
  readonly className: string;
  /** Whether llama.cpp rotates neighbours, so that the rows of queries and keys are in another order. */
  readonly pairs?: true;
  /** Whether transformers multiplies by 1 + weight in a norm, where llama.cpp has that sum stored. */
  readonly normsPlusOne?: true;
  /** Entries that the architecture has besides those of all. */
  readonly entries: (metadata: GgufMetadata, has: (tensor: string) => boolean) => Record<string, unknown>;
}

const SILU = { hidden_act: "silu" };

/** By `general.architecture`. */
const architectures: Readonly<Record<string, GgufArchitecture>> = {
  llama: {
    modelType: "llama",
    className: "LlamaForCausalLM",
    pairs: true,
    entries: (_, has) => ({
      ...SILU,
      attention_bias: has("blk.0.attn_q.bias"),
      mlp_bias: has("blk.0.ffn_down.bias"),
    }),
  },
  qwen2: { modelType: "qwen2", className: "Qwen2ForCausalLM", entries: () => SILU },
  qwen3: { modelType: "qwen3", className: "Qwen3ForCausalLM", entries: () => SILU },
  phi3: {
    modelType: "phi3",
    className: "Phi3ForCausalLM",
    entries: (metadata) => ({
      ...SILU,
      sliding_window: metadata.has("phi3.attention.sliding_window") ? metadata.size("phi3.attention.sliding_window") : null,
      original_max_position_embeddings: metadata.size(
        "phi3.rope.scaling.original_context_length",
        metadata.size("phi3.context_length"),
      ),
    }),
  },
  gemma2: {
    modelType: "gemma2",
    className: "Gemma2ForCausalLM",
    normsPlusOne: true,
    entries: (metadata) => ({
      hidden_activation: "gelu_pytorch_tanh",
      query_pre_attn_scalar: queryScalar(metadata, "gemma2", 46),
      sliding_window: metadata.size("gemma2.attention.sliding_window"),
      attn_logit_softcapping: metadata.number("gemma2.attn_logit_softcapping"),
      final_logit_softcapping: metadata.number("gemma2.final_logit_softcapping"),
    }),
  },
  gemma3: {
    modelType: "gemma3_text",
    className: "Gemma3ForCausalLM",
    normsPlusOne: true,
    entries: (metadata) => {
      const pattern = metadata.size("gemma3.attention.sliding_window_pattern", 6);
      metadata.get("gemma3.mm.tokens_per_image"); // of the vision part, which is another file
      return {
        hidden_activation: "gelu_pytorch_tanh",
        query_pre_attn_scalar: queryScalar(metadata, "gemma3", 62),
        sliding_window: metadata.size("gemma3.attention.sliding_window"),
        sliding_window_pattern: pattern,
        layer_types: Array.from({ length: metadata.size("gemma3.block_count") }, (_, layer) =>
          (layer + 1) % pattern === 0 ? "full_attention" : "sliding_attention",
        ),
        rope_local_base_freq: metadata.number("gemma3.rope.freq_base_swa", 10_000),
        attn_logit_softcapping: null,
        final_logit_softcapping: metadata.has("gemma3.final_logit_softcapping")
          ? metadata.number("gemma3.final_logit_softcapping")
          : null,
      };
    },
  },
};

/** llama.cpp's name of an architecture that is read, with what it is in transformers. */
export function architectureNamed(name: string, file: string): GgufArchitecture {
  if (Object.hasOwn(architectures, name)) return architectures[name]!;
  throw new FolderError(
    `Expected ${Object.keys(architectures).join(", ")} for 'general.architecture' in ${file} but received ` +
      `${JSON.stringify(name)}; it is not supported`,
  );
}

/** Gemma's largest model (by its number of layers) divides by the width of a query head, not by its size. */
function queryScalar(metadata: GgufMetadata, name: string, layersOfLargest: number): number {
  if (metadata.size(`${name}.block_count`) !== layersOfLargest) return metadata.size(`${name}.attention.key_length`);
  return metadata.size(`${name}.embedding_length`) / metadata.size(`${name}.attention.head_count`);
}

/** Hugging Face's names of the tensors outside layers, by llama.cpp's. */
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
const ownNames: Readonly<Record<string, Readonly<Record<string, string>>>> = {
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
  const names = layer === undefined ? outside : { ...inside, ...ownNames[modelType] };
  const found = Object.hasOwn(names, part) ? names[part] : undefined;
  return found && `${layer === undefined ? "" : `model.layers.${layer}.`}${found}.${kind}`;
}

/** What has to be undone. `heads`: of queries, and of keys and values. */
export function changeOf(name: string, architecture: GgufArchitecture, heads: readonly [number, number]): GgufChange {
  if (architecture.normsPlusOne && name.endsWith("norm.weight")) return { plus: -1 };
  const part = architecture.pairs && /\.attn_([qk])\.(weight|bias)$/.exec(name)?.[1];
  return part ? { heads: heads[part === "q" ? 0 : 1] } : {};
}
