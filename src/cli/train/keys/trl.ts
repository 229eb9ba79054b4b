/**
 * Keys of TRL and Hugging Face configurations that are not smaug settings (TRL 1.16, transformers 5.24, and some from
 * older versions).
 */

import { tryParseJson } from "../../../base/arguments";
import { isObject } from "../../../base/values";
import { each, isEmpty, leaveOut, moot, type Project, plain, type Rule, read, type Settings, write } from "./answer";

const oneProcess = leaveOut("one process trains on one device");
const wholeRows = leaveOut("use max_length, which limits prompt and answer together");
const ownTokenizer = leaveOut("the tokenizer is the one in the model's folder");
const quantised = leaveOut("quantised base models are not supported yet; use bf16: true");
const noSuch = leaveOut("");

/** The dtype in which TRL loads the model. */
const dtype: Rule = (value) => {
  if (value === "bfloat16") return read({ bf16: true }, "is read as bf16: true");
  if (value === "float32") return read({ bf16: false }, "is read as bf16: false");
  if (value === "auto") return moot("leaves it to bf16");
  return write({ bf16: true }, "only bfloat16, float32 and auto are supported");
};

/** Keyword arguments of `from_pretrained`, each answered like a key. */
const initKwargs: Rule = (given) => {
  const value = typeof given === "string" ? tryParseJson(given) : given;
  if (!isObject(value)) return leaveOut("set bf16 and model_revision instead");
  const foreign = Object.keys(value).filter((key) => !Object.hasOwn(loading, key) && !isEmpty(value[key]));
  if (foreign.length > 0) return leaveOut(`there is no equivalent of ${foreign.join(", ")}`);
  const answers = Object.entries(value).flatMap(([key, each]) =>
    isEmpty(each) || !loading[key] ? [] : [loading[key](each, {})],
  );
  const refused = answers.find(({ kind }) => kind === "leave out");
  if (refused) return refused;
  const settings = Object.assign({}, ...answers.map((answer) => ("settings" in answer ? answer.settings : {}))) as Settings;
  if (Object.keys(settings).length === 0) return moot("kernels are chosen automatically");
  return write(settings);
};

const loading: Readonly<Record<string, Rule>> = {
  ...each("use_kernels attn_implementation use_cache low_cpu_mem_usage trust_remote_code device_map", moot()),
  dtype,
  torch_dtype: dtype,
  revision: (value) => write({ model_revision: value }),
};

/** `datasets`: TRL's mixture; a mixture of one data set is `dataset_name`. */
const datasets: Rule = (value) => {
  const [first, ...more] = Array.isArray(value) ? (value as unknown[]) : [];
  const foreign = isObject(first)
    ? Object.keys(first).filter((key) => !["path", "name", "split", "columns"].includes(key) && !isEmpty(first[key]))
    : [];
  if (!isObject(first) || typeof first["path"] !== "string" || more.length > 0 || foreign.length > 0)
    return leaveOut(
      "only one data set is supported: name it in dataset_name, or put the files in one folder and name the folder",
    );
  const { path, name, split } = first;
  return write({
    dataset_name: path,
    ...(isEmpty(name) ? {} : { dataset_config: name }),
    ...(typeof split === "string" ? { dataset_train_split: split } : {}),
  });
};

/** The weight of the cross-entropy of the chosen answer, added to the loss. */
const rpo: Rule = (value, all) => {
  if (all["loss_type"] === undefined) return write({ loss_type: ["sigmoid", "sft"], loss_weights: [1, plain(value)] });
  return leaveOut(`add sft to loss_type, and ${String(value)} to loss_weights`);
};

/** Supported only at these values, which are their defaults. */
const off: Settings = {
  bnb_4bit_quant_type: "nf4",
  eval_delay: 0,
  label_smoothing_factor: 0,
  ref_model_mixup_alpha: 0.6,
  ref_model_sync_steps: 512,
};

export const trl: Project = {
  owner: "TRL's",
  isOff: (key, value) => isEmpty(value) || String(value) === String(off[key]),
  rules: {
    ...each(
      `attn_implementation auto_find_batch_size average_tokens_across_devices base_model_attribute_name dataloader_in_order
      dataloader_multiprocessing_context dataloader_num_workers dataloader_persistent_workers dataloader_pin_memory
      dataloader_prefetch_factor dataset_num_proc dataset_streaming ddp_backend ddp_broadcast_buffers ddp_bucket_cap_mb
      ddp_find_unused_parameters ddp_static_graph ddp_timeout debug disable_tqdm do_eval do_train eval_accumulation_steps
      eval_do_concat_batches eval_use_gather_object force_use_ref_model full_determinism activation_checkpointing_kwargs
      gradient_checkpointing_kwargs ignore_bias_buffers include_num_input_tokens_seen label_names label_pad_token_id length_column_name
      liger_kernel_config local_rank log_level log_level_replica log_on_each_node logging_nan_inf_filter lora_task_type pad_to_multiple_of
      pad_token padding_value precompute_ref_batch_size precompute_ref_log_probs prediction_loss_only project remove_unused_columns run_name
      save_on_each_node skip_memory_metrics tf32 torch_compile torch_compile_backend torch_compile_mode torch_empty_cache_steps
      trust_remote_code use_cache use_liger_kernel use_liger_loss use_logits_to_keep hub_always_push hub_model_id hub_private_repo
      hub_revision hub_strategy hub_token ref_model_mixup_alpha ref_model_sync_steps trackio_bucket_id trackio_space_id
      trackio_static_space_id bnb_4bit_quant_storage bnb_4bit_quant_type use_bnb_nested_quant`,
      moot(),
    ),
    ...each("group_by_length padding_free", moot("batches are packed, without padding")),
    ...each("logging_dir", moot("TensorBoard events go to output_dir/runs")),
    ...each("save_safetensors", moot("weights are always safetensors")),
    ...each(
      `accelerator_config activation_offloading batch_eval_metrics bf16_full_eval do_predict enable_jit_checkpoint eval_delay fp16_full_eval
      ignore_data_skip include_for_metrics neftune_noise_alpha optim_args optim_target_modules
      restore_callback_states_from_checkpoint save_only_model`,
      noSuch,
    ),
    ...each("sync_ref_model", leaveOut("the reference is fixed: the model at the start of the run")),
    ...each("lora_target_parameters", leaveOut("use lora_target_modules, which names layers")),
    ...each("deepspeed fsdp fsdp_config parallelism_config", oneProcess),
    ...each("max_prompt_length max_completion_length max_target_length", wholeRows),
    ...each("tokenizer_name tokenizer_name_or_path", ownTokenizer),
    ...each("load_in_4bit load_in_8bit", quantised),
    ...each("streaming", leaveOut("the data set is always read whole")),
    ...each("env", leaveOut("set environment variables in the shell")),
    ...each("generate_during_eval", leaveOut("see smaug generate")),
    ...each("label_smoothing_factor", leaveOut("use label_smoothing, which applies to preference losses")),
    ...each("model_adapter_name", leaveOut("use adapter_name_or_path")),
    ...each("ref_adapter_name", leaveOut("use ref_adapter_name_or_path")),
    ...each("push_to_hub", leaveOut("upload output_dir with the hub's own tools: hf upload <name> <output_dir>")),
    ...each("ref_model_init_kwargs", leaveOut("the reference is the model at the start of the run")),
    ...each("reference_free", leaveOut("set loss_type to a reference-free loss, such as simpo or orpo")),
    dtype,
    torch_dtype: dtype,
    model_init_kwargs: initKwargs,
    datasets,
    rpo_alpha: rpo,
    evaluation_strategy: (value) => write({ eval_strategy: value }, "renamed in transformers 4.46"),
    fp16: () => write({ bf16: true }, "float16 training is not supported; bfloat16 needs no loss scaling"),
    no_cuda: () => write({ device: "cpu" }),
    use_cpu: () => write({ device: "cpu" }),
  },
};

/** Trackers that `report_to` may name besides TensorBoard: transformers' `INTEGRATION_TO_CALLBACK` and its former names. */
const trackers = new Set([
  "azure_ml",
  "clearml",
  "codecarbon",
  "comet",
  "comet_ml",
  "dagshub",
  "dvclive",
  "flyte",
  "kubeflow",
  "mlflow",
  "neptune",
  "swanlab",
  "trackio",
  "wandb",
]);

export const isTracker = (name: unknown): boolean => typeof name === "string" && trackers.has(name);
