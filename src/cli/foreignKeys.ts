/**
 * Keys of TRL's and Hugging Face's configurations that are not settings here (TRL 1.13, transformers 5.18), so that their
 * files run as they are: a key that could not matter is passed over with a note, one that asks for what is not there is
 * an error.
 */

/** Say how their trainer works, not what it computes, or ask for what is done here anyway. */
const moot = new Set([
  "attn_implementation", "auto_find_batch_size", "average_tokens_across_devices", "dataloader_in_order",
  "dataloader_multiprocessing_context", "dataloader_num_workers", "dataloader_persistent_workers",
  "dataloader_pin_memory", "dataloader_prefetch_factor", "dataset_num_proc", "dataset_streaming", "ddp_backend",
  "ddp_find_unused_parameters", "ddp_timeout", "disable_tqdm", "do_eval", "do_train", "eval_accumulation_steps",
  "eval_do_concat_batches", "eval_use_gather_object", "full_determinism", "gradient_checkpointing_kwargs",
  "ignore_bias_buffers", "include_num_input_tokens_seen", "label_names", "length_column_name", "liger_kernel_config",
  "local_rank", "log_level", "log_level_replica", "log_on_each_node", "logging_nan_inf_filter", "lora_task_type",
  "pad_to_multiple_of", "pad_token", "padding_free", "precompute_ref_batch_size", "precompute_ref_log_probs",
  "prediction_loss_only", "project", "remove_unused_columns", "run_name", "save_on_each_node", "skip_memory_metrics",
  "tf32", "torch_compile", "torch_compile_backend", "torch_compile_mode", "torch_empty_cache_steps",
  "trust_remote_code", "use_cache", "use_liger_kernel",
]);

/** Not supported but at these values, which are their defaults. */
const unsupported: Readonly<Record<string, unknown>> = {
  accelerator_config: null,
  activation_offloading: false,
  batch_eval_metrics: false,
  bf16_full_eval: false,
  bnb_4bit_quant_storage: null,
  bnb_4bit_quant_type: "nf4",
  data_seed: null,
  dataloader_drop_last: false,
  dataset_config: null,
  ddp_broadcast_buffers: null,
  ddp_bucket_cap_mb: null,
  ddp_static_graph: null,
  debug: "",
  deepspeed: null,
  do_predict: false,
  dtype: "float32",
  enable_jit_checkpoint: false,
  eval_delay: 0,
  fp16: false,
  fp16_full_eval: false,
  fsdp: null,
  fsdp_config: null,
  hub_always_push: false,
  hub_model_id: null,
  hub_private_repo: null,
  hub_revision: null,
  hub_strategy: "every_save",
  hub_token: null,
  ignore_data_skip: false,
  include_for_metrics: [],
  label_smoothing_factor: 0.0,
  load_in_4bit: false,
  load_in_8bit: false,
  logging_strategy: "steps",
  lora_target_parameters: null,
  model_init_kwargs: null,
  neftune_noise_alpha: null,
  optim_args: null,
  optim_target_modules: null,
  parallelism_config: null,
  push_to_hub: false,
  ref_model_mixup_alpha: 0.6,
  ref_model_sync_steps: 512,
  restore_callback_states_from_checkpoint: false,
  router_aux_loss_coef: 0.001,
  save_only_model: false,
  sync_ref_model: false,
  trackio_bucket_id: null,
  trackio_space_id: null,
  trackio_static_space_id: null,
  use_bnb_nested_quant: false,
  use_cpu: false,
};

const ways: Readonly<Record<string, string>> = {
  deepspeed: "one process trains on one device",
  dtype: "set bf16",
  fp16: "use bf16 or float32",
  fsdp: "one process trains on one device",
  load_in_4bit: "quantised bases are not there yet; use bf16",
  load_in_8bit: "quantised bases are not there yet; use bf16",
  push_to_hub: "upload output_dir with the hub's own tools",
  use_cpu: "set device: cpu",
};

/** What to make of a key that is no setting: undefined when nobody knows it. */
export function foreignKey(key: string, value: unknown): { supported: boolean; way?: string } | undefined {
  if (moot.has(key)) return { supported: true };
  if (!Object.hasOwn(unsupported, key)) return undefined;
  const off = unsupported[key];
  const isOff = value === null || JSON.stringify(value) === JSON.stringify(off) || (Array.isArray(value) && value.length === 0);
  return { supported: isOff, way: ways[key] };
}
