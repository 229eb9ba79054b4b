"""What the parity fixtures share: inputs made by a formula, and JSON of rounded numbers.

Inputs are not drawn but computed, so that TypeScript makes the same ones (test/parity/fixture.ts) and a fixture
holds only what PyTorch answered.
"""

import json
import sys
from pathlib import Path

import numpy
import torch

FIXTURES = Path(__file__).resolve().parents[2] / "test" / "parity"


def wave(shape, scale=1.0, phase=0.0, dtype=torch.float32):
    """scale * sin(i + 0.3 i^2 + phase) over the flat index i: bounded, and without a visible pattern."""
    i = numpy.arange(int(numpy.prod(shape)), dtype=numpy.float64)
    return torch.from_numpy(scale * numpy.sin(i + 0.3 * i * i + phase)).reshape(shape).to(dtype)


def fill_with_waves(module, scale=0.5):
    """Gives every parameter a wave of its own, with the phase counted in the order of the sorted names.

    Norm weights (vectors named *norm*) become 1 + wave, so that they scale rather than erase.
    """
    with torch.no_grad():
        for phase, (name, parameter) in enumerate(sorted(module.named_parameters())):
            value = wave(parameter.shape, scale, phase, torch.float64)
            parameter.copy_(1 + value if "norm" in name else value)
    return module


def numbers(tensor, digits=7):
    """Flat list of the tensor's values, rounded to significant digits."""
    return [float(f"{value:.{digits}g}") for value in tensor.detach().double().flatten().tolist()]


def gradients(module, digits=7):
    """Gradient of every parameter that has one, by name."""
    return {name: numbers(p.grad, digits) for name, p in module.named_parameters() if p.grad is not None}


def write(name, fixture):
    """Writes test/parity/<name>.json: one line a case, so that a change reads well in a diff."""
    loaded = [sys.modules[name] for name in ("torch", "transformers", "peft", "trl") if name in sys.modules]
    versions = {package.__name__: package.__version__.split("+")[0] for package in loaded}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {"versions": versions, **fixture}.items()]
    path = FIXTURES / f"{name}.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{path.name}: {path.stat().st_size / 1024:.1f} kB")


def sort_targets(folder):
    """Sorts an adapter's target modules, a set in PEFT, so that regenerating a fixture does not change it."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    if isinstance(config["target_modules"], list):
        path.write_text(json.dumps({**config, "target_modules": sorted(config["target_modules"])}, indent=2))
