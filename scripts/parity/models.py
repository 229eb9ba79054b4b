"""Fixtures of all architectures: small random folders (test/parity/models/<name>/) as transformers saves them, and what
transformers answers for them. Each reaches past its sliding window and past the context it was "pretrained" on.

Run: python scripts/parity/models.py [name ...] (needs torch, transformers)
"""

import json
import shutil
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from common import FIXTURES, numbers, wave, write

FOLDERS = FIXTURES / "models"

SIZES = {
    "vocab_size": 40, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": None,
    "pad_token_id": 0, "tie_word_embeddings": False, "initializer_range": 0.02,
}  # fmt: skip


def rope_entries(rope_type, theta=100.0, **entries):
    return {"rope_type": rope_type, "rope_theta": theta, **entries}


def rope(rope_type, **entries):
    """As transformers 5 writes it."""
    return {"rope_parameters": rope_entries(rope_type, **entries)}


def old_rope(key, rope_type, **entries):
    """As transformers 4 wrote it: `type`, and later `rope_type`."""
    return {"rope_theta": 100.0, "rope_scaling": {key: rope_type, **entries}}


LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
SLIDING = {"use_sliding_window": True, "sliding_window": 8}
LONGROPE = {"short_factor": [1.0, 1.1], "long_factor": [1.5, 3.0]}
FULL, WINDOW = "full_attention", "sliding_attention"

# model_type, and the entries that make the variant
VARIANTS = {
    "llama": ("llama", rope("default")),
    "llama-biased": ("llama", {**rope("default"), "attention_bias": True, "mlp_bias": True, "hidden_act": "gelu"}),
    "llama-tied": ("llama", {**rope("default"), "tie_word_embeddings": True, "num_key_value_heads": 4}),
    "llama-linear": ("llama", old_rope("type", "linear", factor=4.0)),
    "llama-dynamic": ("llama", {**old_rope("type", "dynamic", factor=2.0), "max_position_embeddings": 16}),
    "llama-llama3": ("llama", {**old_rope("rope_type", "llama3", **LLAMA3), "head_dim": 8}),
    "llama-yarn": ("llama", {**rope("yarn", factor=4.0, original_max_position_embeddings=16), "head_dim": 16}),
    "llama-yarn-mscale": ("llama", {"head_dim": 16, **rope("yarn", factor=4.0, beta_fast=2.0, beta_slow=0.5, mscale=0.7,
        mscale_all_dim=0.4, truncate=False, original_max_position_embeddings=16)}),
    "mistral": ("mistral", {**rope("default"), "sliding_window": 8}),
    "mistral-full": ("mistral", {**rope("default"), "sliding_window": None, "head_dim": None}),
    "mixtral": ("mixtral", {**rope("default"), "num_local_experts": 4, "num_experts_per_tok": 2}),
    "mixtral-window": ("mixtral", {"rope_theta": 100.0, "num_local_experts": 3, "num_experts_per_tok": 1,
        "sliding_window": 8}),
    "qwen2": ("qwen2", {**rope("default"), "sliding_window": 8}),
    "qwen2-window": ("qwen2", {**rope("default"), **SLIDING, "max_window_layers": 1, "num_hidden_layers": 3}),
    "qwen2-yarn": ("qwen2", {**old_rope("type", "yarn", factor=4.0, original_max_position_embeddings=16),
        "tie_word_embeddings": True, "head_dim": 16}),
    "qwen3": ("qwen3", {**rope("default"), "head_dim": 8}),
    "qwen3-window": ("qwen3", {**rope("default"), **SLIDING, "attention_bias": True, "tie_word_embeddings": True,
        "layer_types": [WINDOW, FULL]}),
    "gemma2": ("gemma2", {**rope("default"), "sliding_window": 8, "query_pre_attn_scalar": 6, "head_dim": 8,
        "tie_word_embeddings": True, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 4.0}),
    "gemma2-uncapped": ("gemma2", {**rope("default"), "sliding_window": 8, "query_pre_attn_scalar": 6,
        "attention_bias": True, "attn_logit_softcapping": None, "final_logit_softcapping": None}),
    "gemma3": ("gemma3_text", {"sliding_window": 8, "query_pre_attn_scalar": 6, "num_hidden_layers": 3,
        "tie_word_embeddings": True, "sliding_window_pattern": 3, "rope_theta": 1000.0, "rope_local_base_freq": 50.0,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0}}),
    "gemma3-types": ("gemma3_text", {"sliding_window": 8, "query_pre_attn_scalar": 6, "tie_word_embeddings": True,
        "layer_types": [FULL, WINDOW], "final_logit_softcapping": 4.0,
        "rope_parameters": {FULL: rope_entries("default", 1000.0), WINDOW: rope_entries("default", 50.0)}}),
    "phi3": ("phi3", {"rope_theta": 100.0, "sliding_window": 8}),
    "phi3-partial": ("phi3", {**rope("default", partial_rotary_factor=0.5), "num_attention_heads": 2, "head_dim": 8}),
    "phi3-longrope": ("phi3", {"rope_theta": 100.0, "rope_scaling": {"type": "longrope", **LONGROPE},
        "original_max_position_embeddings": 16}),
    "phi3-short": ("phi3", {"rope_theta": 100.0, "rope_scaling": {"type": "longrope", **LONGROPE},
        "original_max_position_embeddings": 48}),
}  # fmt: skip

LENGTH, SHORT, NEW_TOKENS = 40, 11, 16
ROWS = [0, 7, 20, LENGTH - 1]
IDS = torch.tensor([[1 + (i * i + 3 * i) % 39 for i in range(LENGTH)]])
PROMPT = IDS[:, :20]


def save_random(name, seed):
    """A folder with weights large enough that what is wrong shows, and a copy of the config as it was asked for."""
    model_type, entries = VARIANTS[name]
    given = {**SIZES, **entries}
    torch.manual_seed(seed)
    config = AutoConfig.for_model(model_type, **json.loads(json.dumps(given)))
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            std = 0.3 if parameter.dim() > 1 else 0.2
            centre = 1.0 if "norm" in parameter_name else 0.0
            parameter.normal_(centre, std)
    folder = FOLDERS / name
    shutil.rmtree(folder, ignore_errors=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    class_name = type(model).__name__
    written = {"architectures": [class_name], "model_type": model_type, "dtype": "bfloat16", **given}
    (folder / "config.json").write_text(json.dumps(written, indent=1) + "\n")


def load(name, dtype=torch.float32):
    # Only "eager" applies Gemma 2's softcap. Each run has a model of its own: dynamic scaling remembers the last one.
    options = {"dtype": dtype, "attn_implementation": "eager"}
    if VARIANTS[name][0] == "mixtral":
        options["experts_implementation"] = "eager"  # the grouped one asks for larger matrices in 16 bits
    return AutoModelForCausalLM.from_pretrained(FOLDERS / name, **options).eval()


def padded(name):
    """The last tokens of two rows, the second left-padded."""
    ids = torch.cat([IDS, torch.cat([torch.zeros(1, LENGTH - SHORT, dtype=torch.long), IDS[:, :SHORT]], 1)])
    mask = torch.ones_like(ids)
    mask[1, : LENGTH - SHORT] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return load(name)(ids, attention_mask=mask, position_ids=positions).logits[:, -1]


def gradient_sums(name):
    """For the mean cross-entropy of the next token: the sum of gradient * wave, for every tensor of the file."""
    model = load(name)
    logits = model(IDS).logits
    torch.nn.functional.cross_entropy(logits[0, :-1], IDS[0, 1:]).backward()
    sums = {}
    for parameter_name, parameter in model.named_parameters():
        for key, gradient in as_in_the_file(parameter_name, parameter.grad):
            sums[key] = float(f"{(gradient * wave(gradient.shape)).sum().item():.6g}")
    return sums


def as_in_the_file(name, gradient):
    """transformers 5 holds Mixtral's experts in two tensors, the file holds each on its own."""
    name = name.replace(".mlp.gate.", ".block_sparse_moe.gate.")
    if ".mlp.experts." not in name:
        return [(name, gradient)]
    prefix, fused = name.replace(".mlp.", ".block_sparse_moe.").rsplit(".", 1)
    parts = []
    for expert, each in enumerate(gradient):
        named = zip(("w1", "w3"), each.chunk(2)) if fused == "gate_up_proj" else [("w2", each)]
        parts += [(f"{prefix}.{expert}.{key}.weight", value) for key, value in named]
    return parts


def greedy(name):
    """The continuation of the prompt; None where rounding could decide a near-tie either way."""
    result = load(name).generate(
        PROMPT, attention_mask=torch.ones_like(PROMPT), do_sample=False, max_new_tokens=NEW_TOKENS, pad_token_id=0,
        output_logits=True, return_dict_in_generate=True,
    )  # fmt: skip
    best = torch.stack(result.logits).topk(2).values
    gap = (best[..., 0] - best[..., 1]).min().item()
    return result.sequences[0, PROMPT.shape[1] :].tolist() if gap > 1e-3 else None


def variant(name):
    for seed in range(20):
        save_random(name, seed)
        continuation = greedy(name)
        if continuation and len(set(continuation)) > 4:
            break
    else:
        raise ValueError(f"{name}: no seed gives a clear and lively continuation")
    logits = load(name)(IDS).logits
    rounded = load(name, torch.bfloat16)(IDS).logits.float()
    print(f"{name}: seed {seed}, largest logit {logits.abs().max():.3g}, {continuation}")
    return {
        "logits": numbers(logits[0, ROWS], 8),
        "bfloat16": float(f"{(rounded - logits)[0, ROWS].abs().mean().item():.3g}"),
        "padded": numbers(padded(name), 8),
        "gradients": gradient_sums(name),
        "greedy": continuation,
    }


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(VARIANTS)
    path = FIXTURES / "models.json"
    before = json.loads(path.read_text()) if len(sys.argv) > 1 and path.exists() else {}
    made = {name: variant(name) for name in chosen}
    write("models", {"ids": IDS.tolist(), "rows": ROWS, "short": SHORT, "prompt": PROMPT.shape[1],
        **{name: made.get(name) or before[name] for name in VARIANTS if name in made or name in before}})  # fmt: skip
