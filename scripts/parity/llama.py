"""Fixtures of the Llama model: what transformers' LlamaForCausalLM answers for small configurations.

Run: python scripts/parity/llama.py (needs torch, transformers)
"""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from common import fill_with_waves, gradients, numbers, wave, write

BASE = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 11, "hidden_size": 8,
    "intermediate_size": 6, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": False,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip

# What each generation of transformers writes, and what each switch changes.
CONFIGS = {
    "plain": {**BASE, "rope_theta": 500.0, "rope_scaling": None, "torch_dtype": "float32"},
    "tied": {**BASE, "rope_parameters": {"rope_theta": 100.0, "rope_type": "default"}, "dtype": "float32",
             "tie_word_embeddings": True, "num_key_value_heads": 4},
    "biased": {**BASE, "rope_theta": 10000.0, "attention_bias": True, "mlp_bias": True, "head_dim": 6,
               "num_key_value_heads": 1, "pad_token_id": 0},
}  # fmt: skip

IDS = torch.tensor([[1, 5, 3, 0, 10, 7], [4, 4, 9, 2, 8, 6]])


def build(config, dtype=torch.float32, scale=0.5, attention="eager"):
    model = LlamaForCausalLM(LlamaConfig(**config, attn_implementation=attention)).to(dtype).eval()
    return fill_with_waves(model, scale)


def logits_and_gradients(config):
    """In float64, which both dtypes are compared with. Gradients of the mean cross-entropy of the next token."""
    model = build(config, torch.float64)
    logits = model(IDS).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), IDS[:, 1:].flatten())
    loss.backward()
    return {"logits": numbers(logits, 9), "loss": loss.item(), "grads": gradients(model, 9)}


def restarting():
    """A prompt of two and two answers of two in one row: positions restart, the second does not see the first."""
    positions = torch.tensor([[0, 1, 2, 3, 2, 3]])
    mask = torch.ones(6, 6, dtype=torch.bool).tril()
    mask[4:, 2:4] = False
    additive = torch.zeros(1, 1, 6, 6).masked_fill(~mask, torch.finfo(torch.float32).min)
    logits = build(CONFIGS["plain"])(IDS[:1], position_ids=positions, attention_mask=additive).logits
    return {"ids": IDS[:1].tolist(), "positions": positions.tolist(), "mask": mask.int().tolist(),
            "logits": numbers(logits)}  # fmt: skip


PROMPTS = [[1, 5, 3, 9], [7], [4, 10, 8, 6, 9, 3, 5], [9, 2]]
NEW_TOKENS = 12


def greedy(config, scale, eos):
    """Each prompt on its own, without padding. Refuses near-ties, which rounding could decide either way."""
    model = build({**config, "eos_token_id": eos}, scale=scale, attention="sdpa")
    answers = []
    for prompt in PROMPTS:
        result = model.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), do_sample=False,
            max_new_tokens=NEW_TOKENS, pad_token_id=0, output_logits=True, return_dict_in_generate=True,
        )  # fmt: skip
        for logits in result.logits:
            first, second = logits[0].topk(2).values.tolist()
            assert first - second > 1e-3, "near-tie: choose another scale"
        answers.append(result.sequences[0, len(prompt):].tolist())
    return {"config": {**config, "eos_token_id": eos}, "scale": scale, "prompts": PROMPTS, "maxNewTokens": NEW_TOKENS,
            "answers": answers}  # fmt: skip


def state_dict_shapes(name):
    """The names and shapes of the state dict, as transformers writes them to a file."""
    model = build(CONFIGS[name])
    tied = set(getattr(model, "_tied_weights_keys", None) or {}) if CONFIGS[name]["tie_word_embeddings"] else set()
    return {key: list(value.shape) for key, value in model.state_dict().items() if key not in tied}


write("llama", {
    "ids": IDS.tolist(),
    "configs": CONFIGS,
    "shapes": {name: state_dict_shapes(name) for name in CONFIGS},
    "runs": {name: logits_and_gradients(config) for name, config in CONFIGS.items()},
    "restarting": restarting(),
    "greedy": [greedy(CONFIGS["biased"], 0.6, eos) for eos in (None, 5, [2, 3])],
})  # fmt: skip
