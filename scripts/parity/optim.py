"""Fixtures of the optimizer: torch.optim.AdamW's path, clip_grad_norm_, and the schedules of transformers.

Run: python scripts/parity/optim.py (needs torch, transformers)
"""

import torch
from transformers import get_scheduler

from common import numbers, wave, write

SHAPES = [[3, 4], [4], [2, 2]]
STEPS = 20


def adamw(dtype, digits):
    """20 steps over two groups; the second parameter has no gradient on every third step."""
    parameters = [wave(shape, phase=i, dtype=dtype).requires_grad_() for i, shape in enumerate(SHAPES)]
    groups = [
        {"params": parameters[:2], "weight_decay": 0.1},
        {"params": parameters[2:], "weight_decay": 0.0, "lr": 3e-3, "betas": (0.8, 0.95), "eps": 1e-6},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.98), fused=True)
    path = []
    for step in range(STEPS):
        for i, parameter in enumerate(parameters):
            skipped = i == 1 and step % 3 == 2
            parameter.grad = None if skipped else wave(parameter.shape, phase=10 * step + i, dtype=dtype)
        optimizer.step()
        path.append([numbers(parameter, digits) for parameter in parameters])
    return path


def clip(max_norm):
    parameters = [torch.zeros(shape, requires_grad=True) for shape in SHAPES]
    for i, parameter in enumerate(parameters):
        parameter.grad = wave(parameter.shape, phase=i)
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    return {"maxNorm": max_norm, "norm": numbers(norm)[0], "grads": [numbers(p.grad) for p in parameters]}


def schedule(name, warmup, total):
    """The learning rate of steps 0 .. total + 2, for a base of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total)
    rates = []
    for _ in range(total + 3):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return {"name": name, "warmupSteps": warmup, "totalSteps": total, "rates": rates}


NAMES = ["constant", "constant_with_warmup", "linear", "cosine"]

write("optim", {
    "adamwFloat32": adamw(torch.float32, 9),
    "adamwFloat64": adamw(torch.float64, 15),
    "clip": [clip(1.0), clip(100.0)],
    "schedules": [schedule(name, *steps) for name in NAMES for steps in [(0, 10), (3, 10), (12, 10), (1, 1)]],
})  # fmt: skip
