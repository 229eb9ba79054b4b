/** axolotl's keys (0.19.0: its schemas, and the arguments of its integrations). Those that are Hugging Face's are in trl.ts. */
import { isObject } from "../../../base/values";
import {
  type Answer,
  defaultsOf,
  each,
  isEmpty,
  leaveOut,
  moot,
  type Project,
  plain,
  renamed,
  type Settings,
  template,
  tracker,
  write,
} from "./answer";

const kernels = "kernels and memory use are chosen automatically";
const oneRate = "all trained weights share one learning rate";

const has = (all: Settings, key: string): boolean => all[key] !== undefined && all[key] !== null;

/** Settings whose defaults differ in axolotl, with the keys that set them. */
const defaults: readonly { readonly keys: readonly string[]; readonly settings: Settings }[] = [
  { keys: ["rl_beta", "dpo_beta", "orpo_alpha", "beta"], settings: { beta: 0.1 } },
  { keys: ["sequence_len", "max_length"], settings: { max_length: 512 } },
  { keys: ["micro_batch_size", "per_device_train_batch_size"], settings: { per_device_train_batch_size: 1 } },
  { keys: ["num_epochs", "num_train_epochs", "max_steps"], settings: { num_train_epochs: 1 } },
  { keys: ["lr_scheduler", "cosine_min_lr_ratio", "lr_scheduler_type"], settings: { lr_scheduler_type: "cosine" } },
];

function method(value: unknown, all: Settings): Answer {
  const losses: Readonly<Record<string, unknown>> = { dpo: "sigmoid", ipo: "ipo", orpo: "orpo", simpo: "simpo" };
  const loss = Object.hasOwn(losses, String(value)) ? losses[String(value)] : undefined;
  if (loss === undefined)
    return leaveOut(`${String(value)} is not supported: smaug train optimises preferences between pairs of answers`);
  const nested = isObject(all["trl"]) && has(all["trl"], "beta") ? ["beta"] : [];
  const open = defaults.filter(
    ({ keys, settings }) => !keys.some((key) => has(all, key)) && !nested.some((key) => Object.hasOwn(settings, key)),
  );
  const implied = Object.assign({}, ...open.map(({ settings }) => settings)) as Settings;
  const because = open.length === 0 ? undefined : defaultsOf("axolotl", implied);
  return write({ ...(has(all, "dpo_loss_type") ? {} : { loss_type: loss }), ...implied }, because);
}

/** In axolotl `eval_steps` alone turns on evaluation. */
function evaluationRows(value: unknown, all: Settings): Answer {
  const bySteps = has(all, "eval_steps") && !has(all, "eval_strategy");
  return write({ test_split_size: plain(value), ...(bySteps ? { eval_strategy: "steps" } : {}) });
}

/** The columns that axolotl's prompt strategies read (0.19.0, `prompt_strategies/dpo`), where they are not ours. */
const formats: Readonly<Record<string, Settings>> = {
  "chat_template.default": { field_messages: "messages" },
  "chatml.icr": { field_prompt: "input" },
  "chatml.intel": { field_prompt: "question" },
  "llama3.icr": { field_prompt: "input" },
  "llama3.intel": { field_prompt: "question" },
};

/** `datasets`: a list of one entry; its path, split and columns have equivalents. */
function datasets(keys: { name: string; config: string; split: string }): (value: unknown) => Answer {
  return (value) => {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    const [first] = list;
    const source = isObject(first) ? sourceOf(first) : undefined;
    if (list.length !== 1 || !isObject(first) || typeof source !== "string")
      return leaveOut("only one data set is supported: put the files in one folder and set dataset_name to it");
    const { split, name, type } = first;
    const fields = isObject(type) ? type : { ...formats[String(type)], ...first };
    const { field_messages: prompt, field_prompt: field = prompt, field_chosen: chosen, field_rejected: rejected } = fields;
    const columns = Object.entries({ prompt: field, chosen, rejected }).filter(
      ([ours, theirs]) => typeof theirs === "string" && theirs !== ours,
    );
    return write(
      {
        [keys.name]: source,
        ...(typeof split === "string" ? { [keys.split]: split } : {}),
        ...(typeof name === "string" ? { [keys.config]: name } : {}),
        ...(columns.length > 0 ? { column_mapping: Object.fromEntries(columns.map(([ours, theirs]) => [theirs, ours])) } : {}),
      },
      "rows are read as prompt, chosen and rejected: texts, taken as they are, or lists of messages with role and content",
    );
  };
}

/** Where a data set is: its only file, or its path. */
function sourceOf({ data_files: files, path }: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(files) && files.length === 1) return files[0] as unknown;
  return typeof files === "string" ? files : path;
}

function perEpoch(strategy: string, every: string): (value: unknown, all: Settings) => Answer {
  return (value, all) => {
    const epochs = Number(all["num_epochs"] ?? all["num_train_epochs"] ?? 1);
    const share = 1 / (Number(value) * epochs);
    if (!(share > 0 && share < 1)) return write({ [strategy]: "epoch" });
    return write({ [strategy]: "steps", [every]: Number(share.toPrecision(6)) }, "a share of all steps");
  };
}

function adapter(value: unknown): Answer {
  if (value === "qlora")
    return write({ use_peft: true }, "quantised base models are not supported yet; bf16: true keeps the base in bfloat16");
  return value === "lora"
    ? write({ use_peft: true })
    : leaveOut("use_peft: true trains a LoRA adapter, use_peft: false trains all weights");
}

function grpo(value: unknown): Answer {
  const { beta, ...others } = isObject(value) ? value : {};
  if (beta !== undefined && Object.values(others).every(isEmpty)) return write({ beta });
  return leaveOut("set its beta as beta; the rest is for GRPO, which is not supported");
}

/** Values in 0.19.0 that ask for nothing, in addition to empty ones. */
const off: Settings = {
  chat_template: "tokenizer_default",
  excess_length_strategy: "truncate",
};

export const axolotl: Project = {
  owner: "axolotl's",
  isOff: (key, value) => isEmpty(value) || (Array.isArray(value) && value.every(isEmpty)) || String(value) === String(off[key]),
  rules: {
    ...each(
      `strict base_model_config model_type type_of_model tokenizer_type tokenizer_use_fast tokenizer_legacy tokenizer_use_mistral_common
      processor_type processor_kwargs tokenizer_save_jinja_files cls_model_config experimental_skip_move_to_device dataset_prepared_path
      dataset_processes dataset_keep_in_memory skip_prepare_dataset num_dataset_shards_to_save
      shuffle_merged_datasets shuffle_before_merging_datasets push_dataset_to_hub hf_use_auth_token is_preprocess preprocess_iterable
      total_num_tokens total_supervised_tokens sample_packing_eff_est axolotl_config_path is_falcon_derived_model is_llama_derived_model
      is_mistral_derived_model is_qwen_derived_model capabilities env_capabilities device_map world_size ddp max_memory gpu_memory_limit
      low_cpu_mem_usage gc_steps gc_collect_steps embeddings_skip_upcast mean_resizing_embeddings dpo_use_logits_to_keep dpo_use_liger_kernel
      include_tokens_per_second include_tkps profiler_steps profiler_steps_start loss_watchdog_threshold loss_watchdog_patience
      do_causal_lm_eval eval_causal_lm_metrics bench_dataset bench_split eval_table_size eval_max_new_tokens eval_sequence_len
      num_generation_samples generation_max_new_tokens generation_temperature generation_top_p generation_top_k generation_prompt_ratio
      generation_do_sample gradio_title gradio_share gradio_server_name gradio_server_port gradio_max_new_tokens gradio_temperature
      otel_metrics_host otel_metrics_port use_otel_metrics ray_run_name ray_num_workers resources_per_worker lm_eval_tasks lm_eval_batch_size
      lm_eval_model spectrum_model_name qlora_sharded_model_loading lora_on_cpu lora_fan_in_fan_out merge_method save_first_step
      eval_sample_packing sample_packing_group_size sample_packing_bin_size sample_packing_sequentially
      sample_packing_mp_start_method multipack_real_batches pretrain_multipack_buffer_size pretrain_multipack_attn
      pretraining_sample_concatenation streaming_multipack_buffer_size relora_prune_ratio relora_prune_method
      relora_cpu_offload lisa_step_interval lisa_layers_attribute pose_split_on_token_ids pose_max_context_len pose_num_chunks eaft_alpha
      eaft_k kto_desirable_weight kto_undesirable_weight jagged_restart_warmup_steps jagged_restart_anneal_steps peft_autocast_adapter_dtype
      center_rewards_coefficient num_labels vllm ebft image_size image_resize_algorithm role_boundaries
      fsdp_version fsdp_final_state_dict_type deepcompile heads_k_stride ring_attn_func dp_replicate_size freeze_mm_modules
      ple_cpu_offload experts_implementation dynamic_checkpoint
      dion_lr dion_momentum dion_rank_fraction dion_rank_multiple_of qgalore_rank qgalore_update_proj_gap qgalore_scale qgalore_proj_type
      qgalore_proj_quant qgalore_proj_bits qgalore_proj_group_size qgalore_cos_threshold qgalore_gamma_proj qgalore_queue_size
      adam_epsilon2 adam_beta3 torchdistx_path merge_lora lm_eval_post_train do_bench_eval generate_samples use_ray
      grokfast_lamb kd_ce_alpha kd_temperature kd_beta kd_normalize_topk kd_online_server_base_url kd_online_topk kd_online_server
      kd_online_timeout kd_temperature_min kd_alpha `,
      moot(),
    ),
    ...each(
      `flash_attention sdp_attention xformers_attention flex_attention flex_attn_compile_kwargs sage_attention eager_attention
      gemma4_hybrid_attn_impl large_head_attention flash_attn_d512 sdpa_varlen fused_attn_kernel flash_attn_cross_entropy flash_attn_fuse_mlp
      flash_attn_rms_norm flash_optimum lora_mlp_kernel lora_qkv_kernel lora_o_kernel lora_embedding_kernel chunked_cross_entropy
      chunked_cross_entropy_num_chunks tiled_mlp tiled_mlp_num_shards tiled_mlp_use_original_mlp cut_cross_entropy liger_rope liger_rms_norm
      liger_rms_norm_gated liger_layer_norm liger_swiglu liger_glu_activation liger_cross_entropy liger_fused_linear_cross_entropy
      liger_use_token_scaling liger_kernel_impl layer_offloading selective_checkpointing torch_compile_options use_kernels use_scattermoe
      use_sonicmoe use_dsv4_kernels use_glm_dsa_kernels expert_backend moe_grouped_backend moe_dequant_chunk_size moe_bnb_fast
      dsv4_fp8_nonexpert_mode dsv4_fp8_lora_kernel dsv4_shared_mlp_lora_kernel dsv4_bf16_all dsv4_fp4_grouped_mode
      expert_parallel_size expert_parallel_backend expert_parallel_num_nvl_bytes expert_parallel_num_rdma_bytes
      expert_parallel_token_capacity expert_parallel_fallback_on_unsupported`,
      moot(),
    ),
    ...each("sample_packing batch_flattening pad_to_sequence_len dpo_padding_free", moot("batches are packed, without padding")),
    ...each(
      `use_wandb wandb_name wandb_run_id wandb_mode wandb_project wandb_entity wandb_watch wandb_log_model use_mlflow mlflow_tracking_uri
      mlflow_experiment_name mlflow_run_name hf_mlflow_log_artifacts use_comet comet_api_key comet_workspace comet_project_name
      comet_experiment_key comet_mode comet_online comet_experiment_config use_trackio trackio_project_name trackio_run_name use_swanlab
      swanlab_project swanlab_experiment_name swanlab_description swanlab_mode swanlab_workspace swanlab_api_key swanlab_log_model
      swanlab_web_host swanlab_api_host swanlab_lark_webhook_url swanlab_lark_secret swanlab_log_completions
      swanlab_completion_log_interval swanlab_completion_max_buffer use_tensorboard`,
      moot(tracker),
    ),
    ...each(
      "excess_length_strategy",
      leaveOut("rows longer than max_length are truncated (truncation_mode says at which end), counted and listed"),
    ),
    ...each("dataset_exact_deduplication min_sample_len", leaveOut("all rows are used: remove unwanted rows from the file")),
    ...each("curriculum_sampling", leaveOut("train_sampling_strategy: sequential keeps the order of the file")),
    ...each("auto_resume_from_checkpoints", leaveOut("resume_from_checkpoint: true resumes from the newest checkpoint")),
    ...each("chat_template_kwargs", leaveOut("set it for each row in a chat_template_kwargs column")),
    ...each("reward_model process_reward_model", leaveOut("smaug train optimises preferences")),
    ...each("train_on_inputs", leaveOut("only answers are trained on")),
    ...each("max_prompt_len", leaveOut("max_length limits prompt and answer together")),
    ...each("chat_template chat_template_jinja default_system_message", leaveOut(template)),
    ...each(
      "special_tokens tokens added_tokens_overrides eot_tokens",
      leaveOut("special tokens are those of the tokenizer's own files"),
    ),
    ...each("tokenizer_config", leaveOut("the tokenizer is the one in the model's folder")),
    ...each("plugins", leaveOut(kernels)),
    ...each("embedding_lr embedding_lr_scale lr_groups loraplus_lr_ratio loraplus_lr_embedding", leaveOut(oneRate)),
    ...each("pretraining_dataset", leaveOut("")),
    ...each("fp8 fp8_config fp8_enable_fsdp_float8_all_gather", leaveOut("use bf16: true")),
    ...each(
      "gptq bnb_config_kwargs loftq_config model_quantization_config model_quantization_config_kwargs use_onebitllms quantize_moe_experts",
      leaveOut("quantised base models are not supported yet; bf16: true keeps the base in bfloat16"),
    ),
    ...each(
      "dp_shard_size sequence_parallel_degree context_parallel_size tensor_parallel_size",
      leaveOut("one process trains on one device"),
    ),
    ...each(
      `overrides_of_model_config overrides_of_model_kwargs model_config model_kwargs resize_token_embeddings_to_32x shrink_embeddings
      reinit_weights fix_untrained_tokens rope_scaling noisy_embedding_alpha s2_attention dpo_norm_loss dpo_generate_during_eval
      trainer_cls qat quantization dataset_shard_num dataset_shard_idx use_pose scaling_softmax scaling_softmax_factor
      scaling_softmax_bias use_eaft llama4_linearized_experts fp32_norms fp32_norm_classes unfrozen_parameters lora_rank_pattern
      lora_alpha_pattern peft_layers_to_transform peft_layers_pattern peft peft_layer_replication peft_init_lora_weights
      peft_trainable_token_indices relora lisa_n_layers lr_quadratic_warmup cosine_constant_lr_ratio lr_div_factor jagged_restart_steps
      max_packed_sequence_len nonexpert_quantization gemma4_fp8_nonexpert gemma4_nf4_nonexpert nvfp4_merge_aware
      nvfp4_merge_aware_start_step dense_mixer diffusion grokfast_alpha hatchery kd_trainer llmcompressor mora spectrum_top_fraction recipe save_compressed nemo_gym_enabled
      nemo_gym_dir nemo_gym_auto_clone nemo_gym_config_paths nemo_gym_head_port nemo_gym_server_timeout nemo_gym_verify_timeout
      nemo_gym_run_timeout nemo_gym_datasets nemo_gym_auto_start nemo_gym_model_name nemo_gym_multi_turn nemo_gym_max_turns`,
      leaveOut(""),
    ),
    base_model: renamed("model_name_or_path"),
    revision_of_model: renamed("model_revision"),
    rl: method,
    trl: grpo,
    rl_beta: renamed("beta"),
    dpo_beta: renamed("beta"),
    orpo_alpha: renamed("beta"),
    dpo_label_smoothing: renamed("label_smoothing"),
    dpo_use_weighting: renamed("use_weighting"),
    dpo_loss_type: renamed("loss_type"),
    dpo_loss_weights: renamed("loss_weights"),
    datasets: datasets({ name: "dataset_name", config: "dataset_config", split: "dataset_train_split" }),
    test_datasets: datasets({ name: "eval_dataset_name", config: "eval_dataset_config", split: "dataset_test_split" }),
    val_set_size: evaluationRows,
    sequence_len: renamed("max_length"),
    micro_batch_size: renamed("per_device_train_batch_size"),
    batch_size: () => leaveOut("the batch size is per_device_train_batch_size times gradient_accumulation_steps"),
    eval_batch_size: renamed("per_device_eval_batch_size"),
    num_epochs: renamed("num_train_epochs"),
    optimizer: renamed("optim"),
    lr_scheduler: (value, all) =>
      value === "cosine" && has(all, "cosine_min_lr_ratio")
        ? leaveOut("the advice on cosine_min_lr_ratio covers it")
        : write({ lr_scheduler_type: value }),
    cosine_min_lr_ratio: (value) =>
      write({ lr_scheduler_type: "cosine_with_min_lr", lr_scheduler_kwargs: { min_lr_rate: plain(value) } }),
    evals_per_epoch: perEpoch("eval_strategy", "eval_steps"),
    saves_per_epoch: perEpoch("save_strategy", "save_steps"),
    adapter,
    lora_model_dir: renamed("adapter_name_or_path"),
    lora_target_linear: () => write({ lora_target_modules: "all-linear" }),
    peft_use_dora: renamed("use_dora"),
    peft_use_rslora: renamed("use_rslora"),
    peft_ensure_weight_tying: renamed("ensure_weight_tying"),
    bfloat16: renamed("bf16"),
    float16: () => write({ bf16: true }),
    float32: () => write({ bf16: false }),
  },
};
