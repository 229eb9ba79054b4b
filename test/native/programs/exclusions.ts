/**
 * The operators that fuzzOperators.ts leaves out: `_stack` with all its overloads, `_log_softmax.out` alone, and
 * `onednn::qlinear_prepack` with its namespace where that is not `aten`. The first four groups end or hang PyTorch's own
 * Python with the same arguments (2.13): kernels that other operators call after checking, and calls of which nothing is
 * checked.
 */
const reasons: Record<string, string[]> = {
  "reads or writes outside its tensors when shapes, dtypes or the lengths of lists do not fit": [
    "_batch_norm_impl_index_backward",
    "_batch_norm_no_update",
    "_cdist_backward",
    "_cholesky_solve_helper",
    "_chunk_cat",
    "_convert_indices_from_coo_to_csr",
    "_convert_indices_from_csr_to_coo",
    "_ctc_loss_backward",
    "_cummax_helper",
    "_cummin_helper",
    "_dyn_quant_pack_4bit_weight",
    "_fft_c2c",
    "_fft_c2r",
    "_fft_r2c",
    "_foreach_addcdiv_",
    "_foreach_addcmul_",
    "_foreach_copy",
    "_foreach_lerp_",
    "_fused_sgd",
    "_fused_sgd_",
    "_linalg_eigh",
    "_log_softmax.out",
    "_logcumsumexp",
    "_native_batch_norm_legit",
    "_new_zeros_with_same_feature_meta",
    "_nnpack_spatial_convolution",
    "_pdist_backward",
    "_pdist_forward",
    "_remove_batch_dim",
    "_reshape_alias_copy",
    "_segment_reduce_backward",
    "_slow_conv2d_backward.grad_input",
    "_sobol_engine_initialize_state_",
    "_spdiags",
    "_stack",
    "_thnn_differentiable_gru_cell_backward",
    "_thnn_differentiable_lstm_cell_backward",
    "_upsample_bilinear2d_aa",
    "_weight_norm",
    "batch_norm_update_stats",
    "fractional_max_pool2d_backward.grad_input",
    "fractional_max_pool3d_backward.grad_input",
    "mkldnn_rnn_layer",
    "mkldnn_rnn_layer_backward",
    "native_batch_norm",
    "native_batch_norm_backward",
    "mkldnn::_reorder_convolution_transpose_weight",
    "mkldnn::_reorder_mkldnn_rnn_layer_weight",
    "onednn::qlinear_prepack",
    "quantized_lstm_cell",
    "reflection_pad1d_backward",
    "reflection_pad2d_backward",
    "replication_pad1d_backward",
    "replication_pad2d",
  ],
  "divides by a step that is zero as an integer": ["range"],
  "divides by a size of zero": [
    "mkldnn::_reorder_convolution_weight",
    "_dyn_quant_matmul_4bit",
    "_log_softmax_backward_data",
    "_transform_bias_rescale_qkv",
    "_weight_norm_interface",
    "_weight_norm_interface_backward",
    "batch_norm_backward",
  ],
  "does not end for some values": ["binomial", "choose_qparams_optimized"],
  "writes to stdout": ["_print"],
  "creates a file of the name it is given": ["from_file"],
};

/** By full name, with or without an overload. */
export const exclusions = new Set(
  Object.values(reasons)
    .flat()
    .map((name) => (name.includes("::") ? name : `aten::${name}`)),
);

/** Whether an operator, as `aten::add.Tensor`, is left out: by its overload, or with all its overloads. */
export function isExcluded(name: string): boolean {
  return exclusions.has(name) || exclusions.has(name.split(".")[0]!);
}
