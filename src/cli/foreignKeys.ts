/**
 * Keys of TRL's and Hugging Face's configurations that are not settings here (TRL 1.16, transformers 5.24, and some that
 * older ones had), so that their files run as they are: a key that could not matter is passed over with a note, one that
 * asks for what is not there is an error, with the way out where there is one.
 */

/** Say how their trainer works, not what it computes, or ask for what is done here anyway. */
const moot = new Set([
  "attn_implementation", "auto_find_batch_size", "average_tokens_across_devices", "base_model_attribute_name",
  "dataloader_in_order", "dataloader_multiprocessing_context", "dataloader_num_workers",
  "dataloader_persistent_workers", "dataloader_pin_memory", "dataloader_prefetch_factor", "dataset_num_proc",
  "dataset_streaming", "ddp_backend", "ddp_find_unused_parameters", "ddp_timeout", "disable_tqdm", "do_eval",
  "do_train", "eval_accumulation_steps", "eval_do_concat_batches", "eval_use_gather_object", "force_use_ref_model",
  "full_determinism", "gradient_checkpointing_kwargs", "group_by_length", "ignore_bias_buffers",
  "include_num_input_tokens_seen", "label_names", "label_pad_token_id", "length_column_name", "liger_kernel_config",
  "local_rank", "log_level", "log_level_replica", "log_on_each_node", "logging_dir", "logging_nan_inf_filter",
  "lora_task_type", "pad_to_multiple_of", "pad_token", "padding_free", "padding_value",
  "precompute_ref_batch_size", "precompute_ref_log_probs", "prediction_loss_only", "project",
  "remove_unused_columns", "run_name", "save_on_each_node", "save_safetensors", "skip_memory_metrics", "tf32",
  "torch_compile", "torch_compile_backend", "torch_compile_mode", "torch_empty_cache_steps", "trust_remote_code",
  "use_cache", "use_liger_kernel", "use_liger_loss", "use_logits_to_keep",
]);

/** What is done instead, of those above where that is not plain. */
const instead: Readonly<Record<string, string>> = {
  group_by_length: "batches are packed, without padding",
  logging_dir: "TensorBoard events go to output_dir/runs",
  save_safetensors: "weights are always safetensors",
};

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
  enable_jit_checkpoint: false,
  env: {},
  eval_delay: 0,
  evaluation_strategy: null,
  fp16: false,
  fp16_full_eval: false,
  fsdp: null,
  fsdp_config: null,
  generate_during_eval: false,
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
  max_completion_length: null,
  max_prompt_length: null,
  max_target_length: null,
  model_adapter_name: null,
  model_init_kwargs: null,
  neftune_noise_alpha: null,
  no_cuda: false,
  optim_args: null,
  optim_target_modules: null,
  parallelism_config: null,
  push_to_hub: false,
  ref_adapter_name: null,
  ref_model_init_kwargs: null,
  ref_model_mixup_alpha: 0.6,
  ref_model_sync_steps: 512,
  reference_free: false,
  restore_callback_states_from_checkpoint: false,
  router_aux_loss_coef: 0.001,
  rpo_alpha: null,
  save_only_model: false,
  sync_ref_model: false,
  tokenizer_name: null,
  tokenizer_name_or_path: null,
  trackio_bucket_id: null,
  trackio_space_id: null,
  trackio_static_space_id: null,
  use_bnb_nested_quant: false,
  use_cpu: false,
};

const ways: Readonly<Record<string, string>> = {
  deepspeed: "one process trains on one device",
  env: "set environment variables where the command is started",
  evaluation_strategy: "use eval_strategy",
  fp16: "use bf16 or float32",
  fsdp: "one process trains on one device",
  generate_during_eval: "see smaug generate",
  load_in_4bit: "quantised bases are not there yet; use bf16",
  load_in_8bit: "quantised bases are not there yet; use bf16",
  max_completion_length: "use max_length, for prompt and answer together",
  max_prompt_length: "use max_length, for prompt and answer together",
  max_target_length: "use max_length, for prompt and answer together",
  model_adapter_name: "use adapter_name_or_path",
  no_cuda: "set device: cpu",
  push_to_hub: "upload output_dir with the hub's own tools",
  ref_adapter_name: "use ref_adapter_name_or_path",
  reference_free: "use a loss without reference, such as simpo or orpo, as loss_type",
  rpo_alpha: "use loss_type: [sigmoid, sft] with loss_weights: [1, <rpo_alpha>]",
  tokenizer_name: "the tokenizer is the one in the model's folder",
  tokenizer_name_or_path: "the tokenizer is the one in the model's folder",
  use_cpu: "set device: cpu",
};

/** What a key that is no setting comes to: settings that say the same, or nothing, with a note; or an error. */
export type ForeignKey =
  | { readonly settings: Readonly<Record<string, unknown>>; readonly note?: string }
  | { readonly error: string };

/** What to make of a key that is no setting: undefined when nobody knows it. */
export function foreignKey(key: string, value: unknown): ForeignKey | undefined {
  if (key === "dtype" || key === "torch_dtype") return fromDType(value);
  if (moot.has(key)) return { settings: {}, note: instead[key] && `makes no difference here: ${instead[key]}` };
  if (!Object.hasOwn(unsupported, key)) return undefined;
  if (isOff(value, unsupported[key])) return { settings: {} };
  return { error: `it is TRL's and not supported${ways[key] ? `; ${ways[key]}` : ""}` };
}

/** Values of a command line are strings; an empty list, name or mapping switches off what is null by default. */
function isOff(value: unknown, off: unknown): boolean {
  const spelled = typeof value === "string" ? value : JSON.stringify(value);
  return ["null", "[]", "{}", "", String(off)].includes(spelled);
}

/** The dtype in which TRL loads the model. */
function fromDType(value: unknown): ForeignKey {
  switch (value) {
    case "bfloat16":
      return { settings: { bf16: true }, note: "is read as bf16: true" };
    case "float32":
      return { settings: { bf16: false }, note: "is read as bf16: false" };
    case null:
    case "null":
    case "auto":
      return { settings: {}, note: "leaves it to bf16" };
    default:
      return { error: "it is TRL's, and only bfloat16, float32 and auto have a meaning here; use bf16" };
  }
}

/** What Hugging Face's `report_to` may name beside TensorBoard. */
const trackers = new Set([
  "azure_ml", "clearml", "codecarbon", "comet", "comet_ml", "dagshub", "dvclive", "flyte", "mlflow", "neptune",
  "swanlab", "trackio", "wandb",
]);

export const isTracker = (name: unknown): boolean => typeof name === "string" && trackers.has(name);
