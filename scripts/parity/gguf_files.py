"""Small GGUF files, and what gguf-py and transformers make of them: values of every type of tensor, and a model of
every architecture as llama.cpp's converter writes it (convert_hf_to_gguf.py: names, order of rows, norms plus one).

Run: python scripts/parity/gguf_files.py (needs torch, transformers, gguf)
"""

import base64
import math
import shutil

import numpy
import torch
from gguf import GGUFWriter, MODEL_ARCH, GGMLQuantizationType as Type, dequantize, get_tensor_name_map, quantize
from gguf.constants import GGML_QUANT_SIZES, MODEL_ARCH_NAMES
from transformers import (
    Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, Phi3Config,
    Phi3ForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM,
)  # fmt: skip

from common import FIXTURES, fill_with_waves, numbers, write

FOLDER = FIXTURES / "gguf"
IDS = torch.tensor([[1, 5, 33, 0, 10, 7], [14, 4, 9, 2, 38, 6]])
TOKENS = [f"t{i}" for i in range(40)]

# Where a block of each type has float16 numbers; all other bytes may be any.
HALVES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q4_K: [0, 2],
    Type.Q5_K: [0, 2], Type.Q6_K: [208],
}  # fmt: skip


def block_bytes(kind, rows, columns, random):
    """Random blocks; the scales are finite: ordinary, negative, zero and subnormal ones."""
    size, count = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (rows * columns // size, count), dtype=numpy.uint8)
    for at in HALVES[kind]:
        scales = random.normal(0, 0.1, len(blocks)).astype(numpy.float16)
        scales[:2] = [0, 3e-7]
        blocks[:, at : at + 2] = scales.view(numpy.uint8).reshape(-1, 2)
    return blocks.reshape(rows, -1)


def types():
    """One file with a tensor of every type, its values as float32, and a tensor of a type that is not read."""
    random = numpy.random.default_rng(1)
    writer = GGUFWriter(FOLDER / "types.gguf", "llama")
    values = {}
    for kind in HALVES:
        data = block_bytes(kind, 2, 512 if kind.name.endswith("K") else 96, random)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        values[kind.name] = dequantize(data, kind)
    for kind in (Type.F32, Type.F16, Type.BF16):
        data = quantize(random.normal(0, 1, (3, 5)).astype(numpy.float32), kind)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        values[kind.name] = dequantize(data, kind)
    save(writer)
    return {name: base64.b64encode(value.astype("<f4").tobytes()).decode() for name, value in values.items()}


def save(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


BASE = {
    "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "bos_token_id": 1,
    "eos_token_id": 2, "pad_token_id": 0, "initializer_range": 0.02,
}  # fmt: skip
ROPE = {"rope_type": "default", "rope_theta": 500.0}
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip
GEMMA = {"intermediate_size": 8, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 4}
GEMMA_ROPE = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
}

# llama.cpp's architecture, transformers' class, its config, the type of matrices, tensors in one shard.
MODELS = {
    "llama": (
        MODEL_ARCH.LLAMA, LlamaForCausalLM,
        LlamaConfig(
            **BASE | {"hidden_size": 32, "intermediate_size": 32}, rope_parameters=ROPE, tie_word_embeddings=True
        ),
        Type.Q8_0, 0,
    ),
    "llama3-sharded": (
        MODEL_ARCH.LLAMA, LlamaForCausalLM, LlamaConfig(**BASE, head_dim=16, rope_parameters=LLAMA3), Type.BF16, 8,
    ),
    "llama-biased": (
        MODEL_ARCH.LLAMA, LlamaForCausalLM,
        LlamaConfig(
            **BASE, rope_parameters=ROPE | {"rope_type": "linear", "factor": 2.0}, attention_bias=True, mlp_bias=True
        ),
        Type.F16, 0,
    ),
    "qwen2": (MODEL_ARCH.QWEN2, Qwen2ForCausalLM, Qwen2Config(**BASE, rope_parameters=ROPE), Type.F16, 0),
    "qwen3": (MODEL_ARCH.QWEN3, Qwen3ForCausalLM, Qwen3Config(**BASE, head_dim=8, rope_parameters=ROPE), Type.F16, 0),
    "gemma2": (MODEL_ARCH.GEMMA2, Gemma2ForCausalLM, Gemma2Config(**BASE | GEMMA, rope_parameters=ROPE), Type.F16, 0),
    "gemma3": (
        MODEL_ARCH.GEMMA3, Gemma3ForCausalLM,
        Gemma3TextConfig(**BASE | GEMMA | {"num_hidden_layers": 6}, rope_parameters=GEMMA_ROPE), Type.F16, 0,
    ),
    "phi3": (
        MODEL_ARCH.PHI3, Phi3ForCausalLM, Phi3Config(**BASE, rope_parameters=ROPE, sliding_window=4), Type.F16, 0,
    ),
}  # fmt: skip


def pairs(weight, heads):
    """The rows of queries and keys so that those rotated together are neighbours (LlamaModel.permute)."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def model(name):
    """Writes the file, and gives the answers of a model that has the values which the file then holds."""
    arch, cls, config, kind, per_shard = MODELS[name]
    model = fill_with_waves(cls._from_config(config, attn_implementation="eager"), 0.6).eval()
    prefix = MODEL_ARCH_NAMES[arch]
    writer = GGUFWriter(FOLDER / f"{name}.gguf", prefix, split_max_tensors=per_shard)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    describe(writer, arch, config, head_dim)
    names = get_tensor_name_map(arch, config.num_hidden_layers)
    if name == "llama3-sharded":
        turns = [8192 * config.rope_parameters["rope_theta"] ** (-i / 8) / (2 * math.pi) for i in range(8)]
        smooth = numpy.clip((numpy.array(turns) - 1) / 3, 0, 1)
        writer.add_tensor("rope_freqs.weight", (1 / ((1 - smooth) / 8 + smooth)).astype(numpy.float32))
    for key, value in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        own = kind if value.dim() == 2 else Type.F32
        data = value.float().numpy()
        if "norm" in key and prefix.startswith("gemma"):
            data = data + 1
        heads = config.num_attention_heads if "q_proj" in key else config.num_key_value_heads
        permuted = arch == MODEL_ARCH.LLAMA and ("q_proj" in key or "k_proj" in key)
        stored = quantize(pairs(data, heads) if permuted else data, own)
        writer.add_tensor(names.get_name(key, (".weight", ".bias")), stored, raw_dtype=own)
        back = dequantize(quantize(data, own), own)
        value.copy_(torch.from_numpy(back - 1 if "norm" in key and prefix.startswith("gemma") else back))
    save(writer)
    with torch.no_grad():
        return {"logits": numbers(model(IDS).logits)}


def describe(writer, arch, config, head_dim):
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    rope = config.rope_parameters
    rope = rope.get("full_attention", rope)
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        writer.add_string(f"{writer.arch}.rope.scaling.type", "linear")
        writer.add_rope_scaling_factor(rope["factor"])
    if arch in (MODEL_ARCH.LLAMA, MODEL_ARCH.PHI3):
        writer.add_rope_dimension_count(head_dim)
    if arch == MODEL_ARCH.LLAMA:
        writer.add_vocab_size(config.vocab_size)
    if arch in (MODEL_ARCH.QWEN3, MODEL_ARCH.GEMMA2, MODEL_ARCH.GEMMA3):
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    if arch in (MODEL_ARCH.GEMMA2, MODEL_ARCH.GEMMA3, MODEL_ARCH.PHI3):
        writer.add_sliding_window(config.sliding_window)
    if arch == MODEL_ARCH.GEMMA2:
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_bos_token_id(config.bos_token_id)
    writer.add_eos_token_id(config.eos_token_id)
    writer.add_pad_token_id(config.pad_token_id)


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    write("gguf", {"ids": IDS.tolist(), "types": types(), "models": {name: model(name) for name in MODELS}})
    print(sum(file.stat().st_size for file in FOLDER.iterdir()) / 1024, "kB of files")
