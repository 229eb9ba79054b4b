"""Calls and tensors as JSON, read by test/torch/encoded.ts: what the fixtures of the binding are made of.

A tensor argument is `{"wave": shape, ...}` (common.wave), `{"arange": count, ...}` or `{"values": [...], ...}`, with
`shape`, `dtype` and, where a gradient is wanted, `grad`. A call is `{"op", "args", "options"}`, made with
`torch.ops.aten`, whose overload resolution is what the binding has to agree with.
"""

import math

import torch

from common import wave


def name_of(dtype):
    return str(dtype).removeprefix("torch.")


def number(value):
    """A number of JSON, or the name of what JSON cannot hold."""
    if isinstance(value, bool):
        return value
    if isinstance(value, complex):
        return [number(value.real), number(value.imag)]
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0):
        return str(value)
    return float(f"{value:.7g}")


def parsed(value):
    """The number that `number` wrote."""
    if isinstance(value, list):
        return complex(*map(float, value))
    if isinstance(value, str):
        return int(value) if value.lstrip("-").isdigit() else float(value)
    return value


def W(*shape, scale=1.0, phase=0.0, dtype=None, grad=True):
    """A wave that takes a gradient."""
    options = {"scale": (scale, 1.0), "phase": (phase, 0.0), "dtype": (dtype, None), "grad": (grad, False)}
    return {"wave": list(shape), **{key: value for key, (value, default) in options.items() if value != default}}


def V(values, shape=None, dtype="float32"):
    """Given values; whole numbers are written `V([1, 2], dtype="int64")`."""
    shape = [len(values)] if shape is None else list(shape)
    return {"values": [number(value) for value in values], "shape": shape, "dtype": dtype}


def ids(values, shape=None):
    return V(values, shape, "int64")


def mask(values, shape=None):
    return V([bool(value) for value in values], shape, "bool")


def tensor_of(spec):
    dtype = getattr(torch, spec.get("dtype", "float32"))
    if "wave" in spec:
        made = wave(spec["wave"], spec.get("scale", 1.0), spec.get("phase", 0.0), dtype)
    elif "arange" in spec:
        made = torch.arange(spec["arange"]).to(dtype)
    else:
        made = torch.tensor([parsed(value) for value in spec["values"]], dtype=dtype)
    return made.reshape(spec.get("shape", made.shape)).requires_grad_("grad" in spec)


def decode(value, tensors):
    """An argument as torch takes it; collects the tensors in the order of their appearance."""
    if isinstance(value, dict):
        tensors.append(tensor_of(value))
        return tensors[-1]
    if isinstance(value, list):
        return [decode(element, tensors) for element in value]
    if isinstance(value, str) and isinstance(getattr(torch, value, None), torch.dtype):
        return getattr(torch, value)
    return value


def encode(value):
    """A result: tensors with shape, dtype and values, lists and plain values as they are."""
    if isinstance(value, torch.Tensor):
        values = [number(element) for element in value.detach().flatten().tolist()]
        return {"shape": list(value.shape), "dtype": name_of(value.dtype), "values": values}
    if isinstance(value, (list, tuple)):
        return [encode(element) for element in value]
    if isinstance(value, torch.dtype):
        return name_of(value)
    return number(value) if isinstance(value, (int, float)) else value


def leaves(value):
    if isinstance(value, torch.Tensor):
        return [value]
    return [leaf for element in value for leaf in leaves(element)] if isinstance(value, (list, tuple)) else []


def invoke(op, args, options):
    if op in ("result_type", "promote_types"):  # torch.ops answers with a code
        return getattr(torch, op)(*args, **options)
    try:
        return getattr(torch.ops.aten, op)(*args, **options)
    except RuntimeError as error:
        if "failed to match any schema" not in str(error):
            raise
        return getattr(torch, op)(*args, **options)  # torch.ops takes no number for SymInt[1]


def call(op, *args, **options):
    """Makes the call and says what came of it; with gradients where arguments ask for them."""
    tensors = []
    decoded = decode(list(args), tensors)
    decoded_options = {key: decode(value, tensors) for key, value in options.items()}
    result = invoke(op, decoded, decoded_options)
    made = {"op": op, "args": list(args), **({"options": options} if options else {})}
    if op.endswith("_"):  # in place: what the tensors hold now
        return {**made, "after": encode(tensors)}
    made["result"] = encode(result)
    wanted = [tensor for tensor in tensors if tensor.requires_grad]
    outputs = [output for output in leaves(result) if output.requires_grad]
    if outputs and wanted:
        sum((output * wave(output.shape, phase=9, dtype=output.dtype)).sum() for output in outputs).backward()
        made["grads"] = [None if tensor.grad is None else encode(tensor.grad)["values"] for tensor in wanted]
    return made
