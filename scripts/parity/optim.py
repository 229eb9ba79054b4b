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


def schedule(name, warmup, total, kwargs, base=0.5):
    """The learning rate of steps 0 .. total + 2."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    scheduler = get_scheduler(
        name, optimizer, num_warmup_steps=warmup, num_training_steps=total, scheduler_specific_kwargs=kwargs
    )
    rates = []
    for _ in range(total + 3):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return {"name": name, "kwargs": kwargs, "warmupSteps": warmup, "totalSteps": total, "baseLr": base, "rates": rates}


LENGTHS = [(0, 10), (3, 10), (12, 10), (1, 1)]
SCHEDULES = {
    "constant": [{}],
    "constant_with_warmup": [{}],
    "linear": [{}],
    "cosine": [{}, {"num_cycles": 1.25}],
    "cosine_with_restarts": [{}, {"num_cycles": 3}],
    "polynomial": [{}, {"lr_end": 0.05, "power": 2.5}],
    "inverse_sqrt": [{}, {"timescale": 7}],
    "cosine_with_min_lr": [{"min_lr": 0.1}, {"min_lr_rate": 0.3, "num_cycles": 0.75}],
    "cosine_warmup_with_min_lr": [{"min_lr": 0.1}, {"min_lr_rate": 0.3, "warmup_lr_rate": 0.2, "num_cycles": 1.5}],
    "warmup_stable_decay": [{"num_decay_steps": 0}],
}  # fmt: skip
STABLE = [
    {"num_decay_steps": 4},
    {"num_decay_steps": 6, "warmup_type": "cosine", "decay_type": "linear", "min_lr_ratio": 0.1},
    {"num_decay_steps": 5, "warmup_type": "1-sqrt", "decay_type": "1-sqrt", "min_lr_ratio": 0.2},
    {"num_decay_steps": 3, "num_stable_steps": 2, "decay_type": "cosine", "num_cycles": 1.5},
]  # fmt: skip

# Where transformers divides by 0: a polynomial in its last step after nothing but warm-up.
CASES = [
    (name, *length, kwargs) for name, variants in SCHEDULES.items() for kwargs in variants for length in LENGTHS
    if (name, length) != ("polynomial", (1, 1))
]  # fmt: skip

WARMED = [("warmup_stable_decay", 3, 10, kwargs) for kwargs in STABLE]

write("optim", {
    "adamwFloat32": adamw(torch.float32, 9),
    "adamwFloat64": adamw(torch.float64, 15),
    "clip": [clip(1.0), clip(100.0)],
    "schedules": [schedule(*case) for case in CASES + WARMED],
})  # fmt: skip
