"""Fixtures of the typed binding: printing, indexing, conversion between dtypes, random numbers (test/torch/*.test.ts).

Run: python scripts/parity/binding.py (needs torch)
"""

import torch
from torch._tensor_str import _tensor_str

from common import wave, write
from encoded import V, W, call, encode, ids, mask, tensor_of

nan, inf = float("nan"), float("inf")


def printed(spec):
    """What stands between `tensor(` and the first suffix; booleans in JavaScript's spelling."""
    body = _tensor_str(tensor_of(spec), len("tensor("))
    return {"tensor": spec, "text": body.replace(" True", " true").replace("False", "false").replace("[True", "[ true")}



def A(count, shape=None, dtype="float32"):
    return {"arange": count, "dtype": dtype, "shape": shape or [count]}


DISPLAY = {
    "four digits": V([0.12345, -1.5, 2]),
    "whole floats": V([1, -2, 30]),
    "a float scalar": V([3.14159], []),
    "a whole scalar": V([7], []),
    "an int scalar": ids([-5], []),
    "a small scalar": V([1e-5], []),
    "zeros": V([0, 0, 0]),
    "nothing finite": V([nan, 0, inf, -inf]),
    "nan among whole": V([1, nan, -inf]),
    "nan among fractions": V([1.5, nan, -inf, 10]),
    "negative zero": V([-0.0, 1]),
    "negative zero among fractions": V([-0.0, 0.5]),
    "rounds to zero": V([-0.00001, 0.001]),
    "ratio of 1000": V([0.5, 500]),
    "ratio above 1000": V([0.5, 501]),
    "scientific with zeros": V([0, -0.0, 1e-7, 1e7, nan, inf]),
    "whole and large": V([1, 2e8]),
    "whole up to 1e8": V([1e8, 1e6]),
    "tiny": V([1e-30, 2.5e-30]),
    "three digits of exponent": V([1e-200, 1e200], dtype="float64"),
    "ties go to even": V([0.03125, 0.09375, 0.15625, -0.03125]),
    "ties go to even in scientific": V([12344.5, 12345.5, 1e-3], dtype="float64"),
    "ints of several widths": ids([1, -100, 20]),
    "int64 beyond 2^53": ids([2**62 + 1, -1]),
    "uint8": V([0, 255], dtype="uint8"),
    "bool": mask([1, 0, 1]),
    "bool matrix": mask([1, 0, 0, 0], [2, 2]),
    "bfloat16": V([1.1, 2.3, -0.7], dtype="bfloat16"),
    "float16": V([65504, 0.1], dtype="float16"),
    "float8": V([0.3, 448], dtype="float8_e4m3fn"),
    "complex": V([1 + 2j, -0.5 - 3j], dtype="complex64"),
    "complex of many widths": V([complex(0, -0.0), 100 + 0.001j, complex(nan, 20)], dtype="complex128"),
    "complex that wraps": V([complex(i, -i / 7) for i in range(12)], dtype="complex64"),
    "empty": V([]),
    "empty with shape": V([], [2, 0, 3]),
    "a matrix": W(2, 3, grad=False),
    "three dimensions": A(8, [2, 2, 2]),
    "four dimensions": A(16, [2, 2, 2, 2], "int64"),
    "a long row wraps": A(40),
    "a long row of ints wraps": A(60, dtype="int64"),
    "a wrapping row inside a matrix": W(2, 25, grad=False),
    "rows with inf wrap by the finite width": V([1, inf] * 20),
    "1000 elements in full": A(1000, [20, 50], "int64"),
    "1001 elements summarised": A(1001),
    "a long matrix": A(4000, [40, 100], "int64"),
    "a narrow long matrix": W(400, 3, grad=False),
    "a summarised cube": W(20, 8, 9, scale=100, grad=False),
    "a summarised row that wraps": W(1001, scale=1e-9, dtype="float64", grad=False),
    "summarised by the edges' format": W(5000, grad=False),
    "summarised bool": A(1200, [2, 600], "bool"),
    "summarised bfloat16": W(2, 1000, dtype="bfloat16", grad=False),
    "summarised complex": A(1002, [501, 2], "complex64"),
}


# x[...] of a [2, 3, 4] tensor. Strings are slices and the ellipsis, lists and tensors advanced indices, True and False
# masks without dimensions.
T, F = True, False
MASK2 = mask([T, F, T, F, T, F], [2, 3])
GET = [
    [0], [-1], [1, -1, 2], ["1:"], [":", "::2"], [":", "-2:"], [":", ":", "1:100:2"], ["0:0"], ["5:"],
    [":-1", "1:2", "::3"], [None], [None, 0, None], [":", None, 1], ["..."], ["...", 1], [0, "..."], [0, "...", "1:3"],
    ["...", None], [None, "...", 0, None], [ids([1, 0, 1])], [[1, 0, 1]], [":", [2, 0]], ["...", [3, -1]],
    [[0, 1], [2, 0]], [[0, 1], ":", [3, 1]], [":", [0, 2], [1, 1]], [ids([0, 1, 1, 0], [2, 2])], [[[0, 1], [1, 0]], 1],
    [ids([0, 1], [2, 1]), [0, 2]], [0, [0, 2]], [[0, 1], 1], [[0, 1], "1:", 2], ["1:", None, [0, 2]],
    [None, [1], "::2"], [0, ":", [1, 2]], [mask([F, T])], [[T, F]], [":", mask([T, F, T])],
    [":", mask([T, F, T]), [1, 3]], ["...", mask([T, F, F, T])], [MASK2], [MASK2, 0], [MASK2, "1:3"], [MASK2, None],
    [MASK2, "...", [1, 2, 3]], [":", mask([T, F, T, F, F, T, T, F, T, F, F, T], [3, 4])], [T], [F], [T, 0], [0, T],
    [ids([1], [])], [ids([1], []), ":", [0, 1]], [ids([-2], []), [0, 2]], [mask([T], [])], [mask([F], [])],
    [ids([], [0])], [[]], [V([1, 0], dtype="int32")], [V([1, 0], dtype="uint8")], [[-1, -2], [-3, 2]],
]  # fmt: skip
OUT_OF_RANGE = [
    [2], [-3], [0, 3], [[0, 2]], [ids([-3])], ["0:1", ":", 4], [mask([T, T, T])], [0, 0, 0, 0], [[0, 1], [0, 1, 2]],
    [V([1.0])],
]  # fmt: skip
# index, value, accumulate, of a [2, 3] float tensor 0 … 5
PUT = [
    [[0], 9, F], [[0, 1], -1.5, F], [["...", "1:"], V([7, 8]), F], [[":"], V([7, 8, 9]), F],
    [[1], V([1, 2, 3], [1, 1, 3]), F], [[":", -1], V([5, 6], dtype="int64"), F],
    [[mask([T, F, T, F, T, F], [2, 3])], 0, F], [[mask([T, F, T, F, T, F], [2, 3])], V([7, 8, 9]), F],
    [[mask([F, T])], V([7, 8, 9]), F], [[":", mask([T, F, T])], 4, F], [[[0, 1], [2, 0]], V([7, 8]), F],
    [[[0, 0], [1, 1]], V([7, 8]), T], [[[1, 1]], V([1, 2, 3]), T], [[0], V([1, 2, 3]), T], [["::1", "::2"], 2, T],
    [[], 3, F], [[ids([1], []), ":2"], 5, F], [[T], 5, F], [[F], 5, F], [[None, 0], 6, F],
    [[[0]], V([1, 2, 3], [1, 1, 1, 3]), F], [[":", [0, 2]], V([7, 8], [2, 1]), F],
]  # fmt: skip


def python_index(encoded):
    def one(index):
        if isinstance(index, dict):
            return tensor_of(index)
        if index == "...":
            return ...
        if isinstance(index, str):
            return slice(*(int(part) if part else None for part in index.split(":")))
        return torch.tensor(index) if isinstance(index, list) and index and isinstance(index[0], list) else index

    return tuple(one(index) for index in encoded)


def spoken(encoded):
    shown = [f"{i['dtype']}{i['shape']}{i['values']}" if isinstance(i, dict) else i for i in encoded]
    return str(shown).replace("'", "").replace(" ", "")


def got(index):
    x = wave([2, 3, 4]).requires_grad_()
    result = x[python_index(index)]
    (result * wave(result.shape, phase=9)).sum().backward()
    shares = result.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    return {"index": index, "view": shares, "result": encode(result), "grad": encode(x.grad)["values"]}


def error_of(index):
    try:
        wave([2, 3, 4])[python_index(index)]
    except IndexError as error:
        return {"index": index, "error": str(error)}
    raise SystemExit(f"{index} is in range")


def put(index, value, adding):
    """x[index] = value, or += where no index repeats; repeated ones add up in index_put."""
    x = torch.arange(6.0).reshape(2, 3)
    where, what = python_index(index), tensor_of(value) if isinstance(value, dict) else value
    if adding and any(isinstance(one, list) for one in where):
        x = x.index_put(tuple(map(torch.tensor, where)), what, accumulate=True)
    else:
        x[where] = x[where] + what if adding else what
    return {"index": index, "value": value, "accumulate": adding, "result": encode(x)["values"]}


DTYPES = [
    "float64", "float32", "float16", "bfloat16", "float8_e5m2", "float8_e4m3fn", "int64", "int32", "int16", "int8",
    "uint8", "bool",
]  # fmt: skip
SAMPLE = [0.0, -0.0, 1.0, -1.5, 2.75, 100.0, 0.1, 3.0e-3, 1e-6, 17.3, 120.6]


def converted(dtype):
    """SAMPLE in the dtype, as numbers and as bits; negative numbers have no defined value in uint8."""
    sample = [value for value in SAMPLE if dtype != "uint8" or value >= 0]
    made = torch.tensor(sample, dtype=torch.float64).to(getattr(torch, dtype))
    bits = made.view({1: torch.uint8, 2: torch.uint16, 4: torch.int32, 8: torch.int64}[made.element_size()])
    return {
        "from": V(sample)["values"],
        "values": [str(value) for value in made.to(torch.float64).tolist()],
        "bits": [str(bit) for bit in bits.tolist()],
    }


def after_seed(seed, *calls):
    """Calls one after the other from a fresh seed: each starts where the last one left the stream."""
    torch.manual_seed(seed)
    return {"seed": str(seed), "calls": [call(op, *args, **options) for op, args, options in calls]}


X = W(2, 3, grad=False)
RANDOM = {
    "rand": [("rand", [[5]], {}), ("rand", [[2, 2]], {"dtype": "float64"})],
    "randn of few and of many": [("randn", [[5]], {}), ("randn", [[4, 5]], {}), ("randn", [[3]], {"dtype": "float64"})],
    "bfloat16": [("rand", [[4]], {"dtype": "bfloat16"}), ("randn", [[20]], {"dtype": "bfloat16"})],
    "randint": [("randint", [-5, 1000, [6]], {}), ("randint", [0, 2**40, [4]], {})],
    "randperm": [("randperm", [20], {})],
    "in place": [
        ("normal_", [V([0] * 4), 1, 2], {}), ("uniform_", [V([0] * 4), -1, 3], {}),
        ("random_", [ids([0] * 3), 100], {}), ("exponential_", [V([0] * 4), 2], {}),
        ("bernoulli_", [V([0] * 8), 0.3], {}), ("geometric_", [V([0] * 4), 0.2], {}), ("log_normal_", [V([0] * 3)], {}),
    ],
    "sampling": [
        ("multinomial", [V([1, 2, 3, 4]), 6, True], {}), ("multinomial", [V([1, 2, 3, 4]), 3], {}),
        ("bernoulli", [V([0.1, 0.5, 0.9, 1])], {}), ("poisson", [V([1, 10])], {}),
    ],
    "dropout": [
        ("dropout", [W(4, 5, grad=False), 0.5, True], {}), ("native_dropout", [X, 0.25, True], {}),
        ("alpha_dropout", [X, 0.5, True], {}),
    ],
    "like": [("rand_like", [X], {}), ("randn_like", [X], {}), ("randint_like", [X, 10], {})],
    "a long mixed stream": [
        ("randn", [[1]], {}), ("rand", [[3]], {}), ("randint", [0, 10, [3]], {}), ("randn", [[17]], {}),
        ("randperm", [5], {}), ("rand", [[1]], {}),
    ],
}  # fmt: skip

write("torch/display", {name: printed(spec) for name, spec in DISPLAY.items()})
write("torch/indexing", {
    **{f"x{spoken(index)}": got(index) for index in GET},
    **{f"x{spoken(index)} is an error": error_of(index) for index in OUT_OF_RANGE},
    **{f"x{spoken(index)} {'+' * add}= {spoken([value])}": put(index, value, add) for index, value, add in PUT},
})  # fmt: skip
write("torch/creation", {dtype: converted(dtype) for dtype in DTYPES})
write("torch/random", {
    **{name: after_seed(0, *calls) for name, calls in RANDOM.items()},
    "a negative seed": after_seed(-1, ("rand", [[3]], {})),
    "a seed beyond 2^53": after_seed(2**60 + 7, ("rand", [[3]], {})),
    "a seed beyond 2^63": after_seed(2**64 - 1, ("rand", [[3]], {})),
})  # fmt: skip
