"""Fixtures of the layers: PyTorch's, transformers' (Llama) and PEFT's answers to the waves of common.py.

Run: python scripts/parity/nn.py (needs torch, transformers, peft)
"""

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import LlamaConfig
from transformers.models.llama import modeling_llama as llama

from common import fill_with_waves, gradients, numbers, wave, write


def backward(output):
    """Back-propagates from the sum of output * wave, a loss whose gradient differs at every element."""
    (output * wave(output.shape, phase=9, dtype=output.dtype)).sum().backward()


def forward_backward(module, x, *args, **kwargs):
    """Output, gradient towards x and towards every parameter."""
    x.requires_grad_(True)
    output = module(x, *args, **kwargs)
    output = output[0] if isinstance(output, tuple) else output
    backward(output)
    return {"output": numbers(output), "gradX": numbers(x.grad), "grads": gradients(module)}


def linear(bias):
    return forward_backward(fill_with_waves(nn.Linear(4, 5, bias=bias)), wave([2, 3, 4]))


def seeded_init():
    """The values a seed gives: the same generator, so the same bits."""
    torch.manual_seed(7)
    layer = nn.Linear(6, 4)
    table = nn.Embedding(5, 3)
    return {"linear": numbers(layer.weight, 9), "bias": numbers(layer.bias, 9), "embedding": numbers(table.weight, 9)}


def embedding(padding_idx):
    module = fill_with_waves(nn.Embedding(7, 4, padding_idx=padding_idx))
    output = module(torch.tensor([[1, 3, 3], [0, 6, 1]]))
    backward(output)
    return {"output": numbers(output), "grads": gradients(module)}


def rms_norm(dtype):
    module = fill_with_waves(llama.LlamaRMSNorm(8, eps=0.1)).to(dtype)
    return forward_backward(module, wave([2, 3, 8], scale=2.0).to(dtype))


CONFIG = LlamaConfig(
    hidden_size=16, intermediate_size=12, num_attention_heads=4, num_key_value_heads=2, head_dim=6,
    rope_parameters={"rope_type": "default", "rope_theta": 100.0}, mlp_bias=True, attn_implementation="eager",
)  # fmt: skip

# Two rows of six tokens. The second is a prompt of two, then two answers of two that both continue the prompt:
# positions restart at 2 and the second answer does not see the first.
POSITIONS = torch.tensor([[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 2, 3]])
CAUSAL = torch.ones(6, 6, dtype=torch.bool).tril()
RESTARTING = CAUSAL.clone()
RESTARTING[4:, 2:4] = False


def rotary():
    cos, sin = llama.LlamaRotaryEmbedding(CONFIG)(torch.zeros(()), POSITIONS)
    q = wave([2, 4, 6, 6])
    rotated, _ = llama.apply_rotary_pos_emb(q, q, cos, sin)
    return {"positions": POSITIONS.tolist(), "cos": numbers(cos), "sin": numbers(sin), "rotated": numbers(rotated)}


def attention(mask, positions=POSITIONS[:1].expand(2, -1)):
    """Eager attention (softmax written out), a second opinion on scaled_dot_product_attention."""
    module = fill_with_waves(llama.LlamaAttention(CONFIG, layer_idx=0))
    angles = llama.LlamaRotaryEmbedding(CONFIG)(torch.zeros(()), positions)
    additive = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    result = forward_backward(module, wave([2, 6, 16]), position_embeddings=angles, attention_mask=additive)
    return {"positions": positions.tolist(), "mask": mask.int().tolist(), **result}


def swiglu():
    return forward_backward(fill_with_waves(llama.LlamaMLP(CONFIG)), wave([2, 3, 16]))


class Projections(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj = nn.Linear(6, 4)
        self.o_proj = nn.Linear(4, 6, bias=False)

    def forward(self, x):
        return self.o_proj(self.q_proj(x))


def lora(use_rslora):
    """One adapted and one plain layer: output, gradients, the merged weight and PEFT's parameter names."""
    base = fill_with_waves(Projections())
    config = LoraConfig(r=3, lora_alpha=5, target_modules=["q_proj"], use_rslora=use_rslora)
    model = get_peft_model(base, config)
    with torch.no_grad():
        model.base_model.model.q_proj.lora_A["default"].weight.copy_(wave([3, 6], 0.5, 20))
        model.base_model.model.q_proj.lora_B["default"].weight.copy_(wave([4, 3], 0.5, 21))
    result = forward_backward(model, wave([2, 3, 6]))
    result["grads"] = {name.removeprefix("base_model.model.").replace(".default", ""): value
                       for name, value in result["grads"].items()}  # fmt: skip
    model.merge_adapter()
    return {**result, "merged": numbers(model.base_model.model.q_proj.base_layer.weight)}


def batch_of(*masks):
    return torch.stack(masks).unsqueeze(1)  # [batch, 1, queries, keys]


write("nn", {
    "linear": linear(bias=True),
    "linearWithoutBias": linear(bias=False),
    "seededInit": seeded_init(),
    "embedding": embedding(None),
    "embeddingWithPadding": embedding(3),
    "rmsNorm": rms_norm(torch.float32),
    "rmsNormBfloat16": rms_norm(torch.bfloat16),
    "rotary": rotary(),
    "attentionCausal": attention(batch_of(CAUSAL, CAUSAL)),
    "attentionRestarting": attention(batch_of(CAUSAL, RESTARTING), POSITIONS),
    "swiglu": swiglu(),
    "lora": lora(use_rslora=False),
    "rslora": lora(use_rslora=True),
})  # fmt: skip
