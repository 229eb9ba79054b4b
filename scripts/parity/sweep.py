"""Fixture of the operators a trainer of language models uses: PyTorch's results and gradients (sweep.test.ts).

Run: python scripts/parity/sweep.py (needs torch)
"""

from common import write
from encoded import V, W, call, ids, mask

X, Y = W(2, 3), W(2, 3, phase=1)
POSITIVE = V([0.5, 1, 2, 0.25, 3, 1.5], [2, 3])
ROW = W(3, phase=2)
SQUARE = V([4, 1, 0.5, 1, 3, 0.25, 0.5, 0.25, 2], [3, 3])
BITS, OTHER_BITS = ids([1, 2, 12, 7]), ids([3, 6, 10, 5])
TARGETS = ids([2, 0, 1, -100])
QKV = [W(1, 4, 5, 8, phase=phase) for phase in range(3)]
FEWER_HEADS = [W(1, 2, 5, 8, phase=phase) for phase in (1, 2)]
BLOCKED = mask([1] * 10 + [1, 1, 1, 0, 0] * 3, [5, 5])
ADAMW = {
    "lr": 0.1, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.01, "eps": 1e-8, "amsgrad": False, "maximize": False,
}  # fmt: skip
SGD = {
    "weight_decay": 0, "momentum": 0.9, "lr": 0.1, "dampening": 0, "nesterov": True, "maximize": False,
    "is_first_step": False,
}  # fmt: skip

# The op, then what it is called with: a list of arguments, or a list and a dict of options.
CALLS = []


def add(*calls):
    CALLS.extend(calls)


UNARY = [
    "abs", "neg", "exp", "expm1", "sigmoid", "tanh", "sin", "cos", "tan", "relu", "relu6", "silu", "softplus",
    "log_sigmoid", "square", "sign", "floor", "ceil", "round", "trunc", "frac", "erf", "elu", "leaky_relu", "mish",
    "hardtanh", "hardswish", "isnan", "isfinite", "logical_not", "sinh", "atan", "asin", "positive", "t", "nonzero",
    "ravel",
]  # fmt: skip
for op in UNARY:
    add([op, [X]])
for op in ["log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal", "lgamma", "digamma"]:
    add([op, [{**POSITIVE, "grad": True}]])
for op in ["add", "sub", "mul", "div", "maximum", "minimum", "atan2", "logaddexp", "hypot", "copysign"]:
    add([op, [X, Y]], [op, [X, ROW]])
for op in ["eq", "ne", "lt", "le", "gt", "ge"]:
    add([op, [V([1, 2, 3]), V([2, 2, 2])]], [op, [V([1, 2, 3]), 2]])
for op in ["bitwise_and", "bitwise_or", "bitwise_xor", "remainder", "fmod", "floor_divide"]:
    add([op, [BITS, OTHER_BITS]])
for op in ["logical_and", "logical_or", "logical_xor"]:
    add([op, [mask([1, 1, 0, 0]), mask([1, 0, 1, 0])]])

add(
    # one tensor and numbers
    ["gelu", [X]], ["gelu", [X], {"approximate": "tanh"}], ["softplus", [X, 2, 0.5]], ["clamp", [X, -0.5, 0.5]],
    ["clamp", [X, None, 0.25]], ["clamp", [X], {"min": 0}], ["clamp_min", [X, 0.1]], ["pow", [X, 2]], ["pow", [X, 3]],
    ["pow", [2, X]], ["add", [X, Y], {"alpha": 2}], ["add", [X, 1]], ["rsub", [X, 1]], ["sub", [X, 0.5], {"alpha": 3}],
    ["div", [X, ROW], {"rounding_mode": "floor"}], ["div", [X, 3], {"rounding_mode": "trunc"}],
    ["round", [X], {"decimals": 1}], ["nan_to_num", [V([1, float("nan"), float("inf"), float("-inf")])]],
    ["lerp", [X, Y, 0.25]], ["addcmul", [X, Y, ROW], {"value": 0.5}], ["addcdiv", [X, Y, POSITIVE], {"value": 2}],
    ["xlogy", [X, POSITIVE]], ["where", [mask([1, 0, 1, 0, 1, 0], [2, 3]), X, Y]],
    ["where", [mask([1, 0, 1], [3]), X, 0.5]], ["threshold", [X, 0.1, 7]], ["fill", [X, 3]], ["glu", [W(2, 4), 1]],
    ["prelu", [X, V([0.25])]],
    # reductions
    ["sum", [X]], ["sum", [X, 1]], ["sum", [X, [0, 1]]], ["sum", [X, -1, True]], ["sum", [X], {"dtype": "float64"}],
    ["sum", [mask([1, 0, 1])]], ["mean", [X]], ["mean", [X, [0]]], ["mean", [X, 1, True]], ["prod", [X]],
    ["prod", [X, 1]], ["var", [X]], ["var", [X, False]], ["var", [X, [1]], {"correction": 0}], ["var", [X, [1]]],
    ["std", [X]], ["std", [X, [0], False]], ["var_mean", [X, [1]]], ["amax", [X, [1]]], ["amin", [X, [0], True]],
    ["max", [X]], ["max", [X, 1]], ["max", [X, Y]], ["min", [X, 0, True]], ["argmax", [X]], ["argmax", [X, 1]],
    ["argmin", [X, 0, True]], ["aminmax", [X], {"dim": 1}], ["logsumexp", [X, [1]]], ["logsumexp", [X, [0, 1], True]],
    ["norm", [X]], ["norm", [X, 1, [1]]], ["linalg_vector_norm", [X]], ["linalg_vector_norm", [X, 3, [1], True]],
    ["all", [mask([1, 1, 0, 1], [2, 2]), 1]], ["any", [mask([0, 0, 0, 1], [2, 2])]],
    ["count_nonzero", [ids([0, 1, 2, 0])]], ["cumsum", [X, 1]], ["cumprod", [X, 0]], ["logcumsumexp", [X, 1]],
    ["cummax", [X, 1]], ["median", [X, 1]], ["nansum", [V([1, float("nan"), 2])]], ["quantile", [W(5), 0.3]],
    ["bincount", [ids([1, 3, 1])]], ["histc", [W(9, grad=False), 4, -1, 1]], ["dist", [X, Y, 2]], ["trace", [W(3, 3)]],
    # order
    ["sort", [X, 1, True]], ["argsort", [X, 0]], ["topk", [W(2, 5), 3]], ["topk", [W(2, 5), 2, 0, False]],
    ["kthvalue", [W(5), 2]], ["searchsorted", [V([1, 3, 5]), V([0, 3, 6])], {"right": True}],
    ["bucketize", [V([0, 2, 9]), V([1, 3, 5])]], ["_unique2", [ids([3, 1, 3, 2]), True, True, True]], ["msort", [W(4)]],
    # products
    ["matmul", [W(2, 3), W(3, 4, phase=1)]], ["matmul", [W(2, 2, 3), W(3, phase=1)]],
    ["matmul", [W(2, 1, 2, 3), W(3, 3, 2, phase=1)]], ["mm", [W(2, 3), W(3, 2, phase=1)]],
    ["bmm", [W(2, 2, 3), W(2, 3, 2, phase=1)]], ["mv", [W(2, 3), W(3, phase=1)]], ["dot", [W(4), W(4, phase=1)]],
    ["outer", [W(2), W(3, phase=1)]], ["addmm", [W(2), W(3, 4), W(4, 2, phase=1)], {"beta": 0.5, "alpha": 2}],
    ["baddbmm", [W(2, 1, 2), W(2, 3, 2, phase=1), W(2, 2, 2, phase=2)]],
    ["einsum", ["bij,bkj->bik", [W(2, 2, 3), W(2, 4, 3, phase=1)]]], ["linear", [W(2, 3), W(4, 3, phase=1)]],
    ["linear", [W(2, 3), W(4, 3, phase=1), W(4, phase=2)]], ["tensordot", [W(2, 3), W(3, 2, phase=1), [1], [0]]],
    ["kron", [W(2), W(2, phase=1)]], ["linalg_inv", [{**SQUARE, "grad": True}]], ["linalg_cholesky", [SQUARE]],
    ["linalg_solve", [SQUARE, W(3, 2)]], ["linalg_det", [{**SQUARE, "grad": True}]],
    # shapes
    ["reshape", [X, [3, -1]]], ["view", [X, [6]]], ["view", [X, "int32"]], ["permute", [W(2, 3, 2), [2, 0, 1]]],
    ["transpose", [X, 0, 1]], ["squeeze", [W(1, 3, 1)]], ["squeeze", [W(1, 3, 1), 0]],
    ["squeeze", [W(1, 3, 1), [0, 2]]], ["unsqueeze", [X, -1]], ["expand", [W(3, 1), [2, 3, 2]]],
    ["repeat", [X, [2, 1, 2]]], ["repeat_interleave", [X, 2, 1]], ["repeat_interleave", [X, ids([1, 2]), 0]],
    ["flatten", [W(2, 2, 2), 1]], ["unflatten", [W(2, 6), 1, [2, 3]]], ["cat", [[X, Y]]], ["cat", [[X, Y], -1]],
    ["stack", [[X, Y], 1]], ["split", [W(5, 2), 2]], ["split", [W(5, 2), [1, 4]]], ["split_with_sizes", [W(5), [2, 3]]],
    ["chunk", [W(5, 2), 2]], ["tensor_split", [W(5), 3]], ["unbind", [X, 1]], ["narrow", [X, 1, 1, 2]],
    ["slice", [W(6), 0, 1, None, 2]], ["select", [X, 1, -1]], ["flip", [X, [0, 1]]], ["roll", [X, 1, 1]],
    ["roll", [X, [1, 2], [0, 1]]], ["tril", [W(3, 3)]], ["triu", [W(3, 3), 1]], ["diagonal", [W(3, 3), 1]],
    ["diag", [W(3)]], ["diag_embed", [W(2, 2)]], ["movedim", [W(2, 3, 2), 0, -1]],
    ["movedim", [W(2, 3, 2), [0, 1], [1, 2]]], ["tile", [X, [2]]], ["constant_pad_nd", [X, [1, 2], 0.5]],
    ["pad", [X, [1, 1, 0, 1], "constant", 2]], ["unfold", [W(5), 0, 3, 1]],
    ["meshgrid", [[W(2), W(3)]], {"indexing": "ij"}], ["broadcast_to", [W(3), [2, 3]]],
    ["broadcast_tensors", [[W(3), W(2, 1)]]], ["atleast_2d", [W(3)]], ["swapaxes", [X, 0, 1]], ["hstack", [[X, Y]]],
    ["vstack", [[X, Y]]], ["block_diag", [[W(1, 2), W(2, 1)]]], ["one_hot", [ids([2, 0]), 3]], ["tril_indices", [2, 3]],
    ["cartesian_prod", [[ids([1, 2]), ids([3, 4])]]], ["zeros_like", [X], {"dtype": "int64"}], ["full_like", [X, 2]],
    ["new_ones", [X, [2]]], ["arange", [2, 9, 3]], ["linspace", [0, 1, 5]], ["eye", [2]],
    # picking
    ["index_select", [X, 1, ids([2, 0, 2])]], ["gather", [X, 1, ids([0, 2, 1, 1], [2, 2])]],
    ["scatter", [X, 1, ids([0, 2], [2, 1]), W(2, 1, phase=3)]], ["scatter", [X, 1, ids([0, 2], [2, 1]), 5]],
    ["scatter_add", [X, 1, ids([0, 0, 1, 2], [2, 2]), W(2, 2, phase=3)]],
    ["scatter_reduce", [X, 1, ids([0, 0, 1, 2], [2, 2]), W(2, 2, phase=3), "amax"], {"include_self": False}],
    ["index_add", [X, 0, ids([1, 1]), Y], {"alpha": 2}], ["index_copy", [X, 0, ids([1, 0]), Y]],
    ["index_fill", [X, 1, ids([0]), 3]], ["index", [X, [None, ids([2, 0])]]],
    ["index", [X, [mask([1, 0, 1, 0, 1, 1], [2, 3])]]], ["index_put", [X, [ids([0, 0])], W(2, 3, phase=3), True]],
    ["masked_fill", [X, mask([1, 0, 1]), -1]], ["masked_select", [X, mask([1, 0, 1])]],
    ["masked_scatter", [X, mask([1, 0, 1]), W(4, phase=3)]], ["take", [X, ids([5, 0])]],
    ["take_along_dim", [X, ids([1, 0], [2, 1]), 1]],
    # layers and losses
    ["embedding", [W(5, 3), ids([4, 0, 4, 1], [2, 2])]], ["embedding", [W(5, 3), ids([4, 0, 4])], {"padding_idx": 4}],
    ["embedding_bag", [W(5, 3), ids([0, 1, 4, 2]), ids([0, 3]), False, 1]],
    ["layer_norm", [X, [3], ROW, W(3, phase=4), 1e-3]], ["rms_norm", [X, [3], ROW, 1e-3]], ["group_norm", [W(2, 4), 2]],
    ["batch_norm", [X, None, None, None, None, True, 0.1, 1e-5, False]], ["softmax", [X, -1]],
    ["softmax", [X, 0, "float64"]], ["log_softmax", [X, 1]], ["log_softmax", [X, 1], {"dtype": "float64"}],
    ["cross_entropy_loss", [W(4, 3), TARGETS]], ["cross_entropy_loss", [W(4, 3), TARGETS, V([1, 2, 3]), 2, -100, 0.1]],
    ["cross_entropy_loss", [W(2, 3), W(2, 3, phase=5, scale=0.3)]], ["nll_loss", [W(4, 3), TARGETS, None, 0]],
    ["nll_loss_nd", [W(4, 3), TARGETS], {"reduction": 2}], ["mse_loss", [X, Y]], ["mse_loss", [X, Y, 2]],
    ["l1_loss", [X, Y]], ["smooth_l1_loss", [X, Y], {"beta": 0.5}], ["huber_loss", [X, Y, 0]],
    ["binary_cross_entropy_with_logits", [X, V([1, 0, 1, 0, 1, 0], [2, 3])]],
    ["kl_div", [X, Y, 1], {"log_target": True}], ["soft_margin_loss", [X, V([1, -1, 1])]],
    ["scaled_dot_product_attention", QKV], ["scaled_dot_product_attention", QKV, {"is_causal": True}],
    ["scaled_dot_product_attention", [*QKV, W(5, 5, phase=3)], {"scale": 0.5}],
    ["scaled_dot_product_attention", [QKV[0], *FEWER_HEADS, BLOCKED], {"enable_gqa": True}],
    ["dropout", [X, 0.5, False]], ["conv1d", [W(1, 2, 5), W(3, 2, 2, phase=1), W(3, phase=2), 2, 1]],
    ["conv2d", [W(1, 2, 4, 4), W(2, 1, 3, 3, phase=1), None, 1, 1, 1, 2]], ["max_pool2d", [W(1, 4, 4), 2]],
    ["avg_pool2d", [W(1, 4, 4), [2, 2], [1, 2]]], ["adaptive_avg_pool1d", [W(1, 5), 2]],
    ["cosine_similarity", [X, Y, 1]], ["pairwise_distance", [X, Y]], ["cdist", [X, Y]], ["cumulative_trapezoid", [X]],
    ["diff", [X]],
    # dtypes
    ["_to_copy", [X], {"dtype": "bfloat16"}], ["to", [X, "float64"]], ["type_as", [X, V([1], dtype="float16")]],
    ["matmul", [W(2, 3, dtype="bfloat16"), W(3, 2, phase=1, dtype="bfloat16")]], ["add", [ids([1, 2]), V([0.5, 0.5])]],
    ["add", [mask([1, 0]), ids([1, 2])]], ["div", [ids([1, 2]), ids([2, 2])]], ["mul", [W(3, dtype="float16"), 3]],
    ["result_type", [ids([1]), W(1)]], ["softmax", [W(2, 3, dtype="bfloat16"), -1]],
    ["promote_types", ["int32", "float16"]], ["is_floating_point", [ids([1])]], ["equal", [X, X]], ["allclose", [X, Y]],
    # in place, and the fused ones
    ["add_", [V([1, 2, 3]), V([1, 1, 1])], {"alpha": 0.5}], ["mul_", [V([1, 2]), 3]], ["clamp_", [V([1, -2, 3]), 0, 2]],
    ["zero_", [V([1, 2])]], ["fill_", [V([1, 2]), 0.5]], ["copy_", [V([0, 0]), ids([3, 4])]],
    ["lerp_", [V([0, 4]), V([4, 0]), 0.25]], ["index_add_", [V([0, 0, 0]), 0, ids([1, 1]), V([1, 2])]],
    ["triu_", [V(range(9), [3, 3])]], ["masked_fill_", [V([1, 2]), mask([0, 1]), 9]],
    ["_foreach_add_", [[V([1, 2]), V([3])], [V([1, 1]), V([2])]], {"alpha": 2}],
    ["_foreach_mul_", [[V([1, 2]), V([3])], 0.5]], ["_foreach_add", [[X, Y], [1, 2.5]]], ["_foreach_norm", [[X, Y]]],
    ["_foreach_sqrt", [[POSITIVE]]], ["_foreach_lerp_", [[V([0, 4])], [V([4, 0])], 0.25]],
    ["_fused_adamw_", [[V([1, 2])], [V([0.5, -1])], [V([0, 0.5])], [V([0.25, 0])], [], [V([3])]], ADAMW],
    ["_fused_sgd_", [[V([1, 2])], [V([0.5, -1])], [V([0.1, 0.2])]], SGD],
)  # fmt: skip


def brief(value):
    """An argument in a test's name: tensors by their shape."""
    if isinstance(value, dict):
        shape = value.get("wave", value.get("shape"))
        return f"{value.get('dtype', '')}[{', '.join(map(str, shape))}]"
    if isinstance(value, list):
        return f"({', '.join(map(brief, value))})"
    return str(value)


fixture = {}
for op, args, *rest in CALLS:
    options = rest[0] if rest else {}
    name = f"{op}({', '.join([*map(brief, args), *(f'{key}={brief(value)}' for key, value in options.items())])})"
    if name in fixture:
        raise SystemExit(f"two calls are named {name}")
    fixture[name] = call(op, *args, **options)
write("torch/sweep", fixture)
