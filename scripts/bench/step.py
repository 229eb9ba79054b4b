"""The small model's training step in PyTorch, eager: the other side of the `step` benchmark.

The shape and the step are the quickstart's (vocabulary 58, d 64, 3 layers, 4 heads, MLP 192, tied embeddings; 32 rows
of 55 tokens; forward, cross-entropy, backward, clip 1.0, fused AdamW), in the same ops as src/models/decoder.ts.

Run: python scripts/bench/step.py [steps]; prints one JSON line with the median milliseconds per step on one thread.
"""

import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

VOCAB, HIDDEN, LAYERS, HEADS, MLP, THETA = 58, 64, 3, 4, 192, 100.0
BATCH, TOKENS = 32, 55
HEAD_DIM = HIDDEN // HEADS


class RMSNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(HIDDEN))

    def forward(self, x):
        return torch.rms_norm(x, (HIDDEN,), self.weight, 1e-6)


def rotate(x, cos, signed_sin):
    return (x * cos).addcmul(x.roll(HEAD_DIM // 2, -1), signed_sin)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(), RMSNorm()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(HIDDEN, HIDDEN, bias=False) for _ in range(4))
        self.gate_proj, self.up_proj = (nn.Linear(HIDDEN, MLP, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(MLP, HIDDEN, bias=False)

    def heads(self, x):
        return x.view(BATCH, TOKENS, HEADS, HEAD_DIM).transpose(1, 2)

    def forward(self, x, cos, signed_sin):
        h = self.input_layernorm(x)
        q = rotate(self.heads(self.q_proj(h)), cos, signed_sin)
        k = rotate(self.heads(self.k_proj(h)), cos, signed_sin)
        v = self.heads(self.v_proj(h))
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o_proj(attended.transpose(1, 2).reshape(BATCH, TOKENS, HIDDEN))
        h = self.post_attention_layernorm(x)
        return x + self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(VOCAB, HIDDEN)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = RMSNorm()
        self.register_buffer("inv_freq", 1 / THETA ** (torch.arange(0, HEAD_DIM, 2) / HEAD_DIM))
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.05)

    def forward(self, ids):
        with torch.no_grad():
            positions = torch.arange(ids.shape[1]).unsqueeze(0)
            angles = (positions.float().unsqueeze(-1) * self.inv_freq).unsqueeze(1)  # [1, 1, seq, head_dim / 2]
            cos, sin = angles.cos(), angles.sin()
            cos, signed_sin = torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, signed_sin)
        return F.linear(self.norm(x), self.embed_tokens.weight)


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), fused=True)
    ids = torch.randint(0, VOCAB, (BATCH, TOKENS))

    def step():
        logits = model(ids)
        loss = F.cross_entropy(logits[:, :-1].reshape(-1, VOCAB), ids[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    times = []
    for k in range(steps + 20):
        start = time.perf_counter()
        step()
        if k >= 20:
            times.append(time.perf_counter() - start)
    milliseconds = round(statistics.median(times) * 1e3, 3)
    print(json.dumps({"bench": "step", "torch": torch.__version__, "steps": steps, "ms": milliseconds}))


if __name__ == "__main__":
    main()
