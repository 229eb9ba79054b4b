/** LLaMA-Factory's keys (0.9.5: `hparams/*.py`). Those that are Hugging Face's are in trl.ts. */
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

const owner = "LLaMA-Factory's";

/** DPO settings whose defaults differ in LLaMA-Factory. */
function stage(value: unknown, all: Settings): Answer {
  if (value !== "dpo") return leaveOut("smaug train optimises preferences, like stage: dpo; other stages are not supported");
  const settings = {
    ...(has(all, "pref_loss", "loss_type") || isAdded(all) ? {} : { loss_type: "sigmoid" }),
    ...(has(all, "pref_beta", "beta") ? {} : { beta: 0.1 }),
    ...(has(all, "cutoff_len", "max_length") ? {} : { max_length: 2048 }),
  };
  if (Object.keys(settings).length === 0) return leaveOut("smaug train always optimises preferences");
  return write(settings, byDefault(settings));
}

function byDefault(settings: Settings): string | undefined {
  const keys = Object.keys(settings);
  return keys.length === 0 ? undefined : defaultsOf("LLaMA-Factory", settings);
}

function finetuningType(value: unknown, all: Settings): Answer {
  if (value === "full") return write({ use_peft: false });
  if (value !== "lora") return leaveOut("use_peft: true trains a LoRA adapter, use_peft: false trains all weights");
  const rank = Number(all["lora_rank"] ?? all["lora_r"] ?? 8);
  const implied = {
    ...(has(all, "lora_rank", "lora_r") ? {} : { lora_r: rank }),
    ...(has(all, "lora_alpha") ? {} : { lora_alpha: 2 * rank }),
    ...(has(all, "lora_target", "lora_target_modules") ? {} : { lora_target_modules: "all-linear" }),
  };
  return write({ use_peft: true, ...implied }, byDefault(implied));
}

/** `pref_loss` with the losses that are added to it. */
function loss(value: unknown, all: Settings): Answer {
  if (value === "kto_pair") return leaveOut("kto_pair is not supported; smaug train --help lists every loss_type");
  const added = [["sft", all["pref_ftx"]] as const, ["bco_pair", all["pref_bco_weight"]] as const].filter(
    ([, weight]) => Number(weight ?? 0) > 0,
  );
  if (added.length === 0) return write({ loss_type: value });
  return write({
    loss_type: [value, ...added.map(([name]) => name)],
    loss_weights: [1, ...added.map(([, weight]) => plain(weight))],
  });
}

const isAdded = (all: Settings): boolean => Number(all["pref_ftx"] ?? 0) > 0 || Number(all["pref_bco_weight"] ?? 0) > 0;

/** The weight of a loss that is added to `pref_loss`, or to its default. */
function added(_: unknown, all: Settings): Answer {
  return has(all, "pref_loss") ? leaveOut("the advice on pref_loss covers it") : loss("sigmoid", all);
}

const has = (all: Settings, ...keys: string[]): boolean => keys.some((key) => all[key] !== undefined && all[key] !== null);

const dataset = (key: string) => (value: unknown) => {
  const names = String(value);
  if (names.includes(","))
    return leaveOut(`only one ${key} is supported: put the files of ${names} in one folder and name the folder`);
  return write(
    { [key]: `<the file of ${names}>` },
    "the file, folder or hub id that dataset_info.json gives for it; rename its columns with column_mapping, and write conversations as lists of messages with role and content",
  );
};

const layers = (value: unknown): unknown =>
  value === "all" ? "all-linear" : typeof value === "string" && value.includes(",") ? value.split(/\s*,\s*/) : value;

/** Values in 0.9.5 that ask for nothing, in addition to empty ones. */
const off: Settings = {
  kto_chosen_weight: 1,
  kto_rejected_weight: 1,
  enable_thinking: true,
  mix_strategy: "concat",
  pref_ftx: 0,
  pref_bco_weight: 0,
  dpo_label_smoothing: 0,
  loraplus_lr_embedding: 1e-6,
  val_size: 0,
  create_new_adapter: false,
};

export const llamaFactory: Project = {
  owner,
  isOff: (key, value) => isEmpty(value) || String(value) === String(off[key]),
  rules: {
    ...each(
      `overwrite_cache preprocessing_batch_size preprocessing_num_workers data_shared_file_system buffer_size media_dir eval_num_beams
      ignore_pad_token_for_loss eval_on_each_dataset compute_accuracy include_effective_tokens_per_second use_fast_tokenizer low_cpu_mem_usage
      flash_attn use_unsloth use_unsloth_gc enable_liger_kernel use_reentrant_gc offload_folder use_kv_cache use_v1_kernels infer_backend
      infer_dtype print_param_status device_map model_max_length block_diag_attn om_hub_token ms_hub_token       image_max_pixels image_min_pixels image_do_pan_and_scan crop_to_patches video_max_pixels video_min_pixels video_fps video_maxlen
      use_audio_in_video audio_sampling_rate freeze_vision_tower freeze_multi_modal_projector freeze_language_model
      vllm_maxlen vllm_gpu_util vllm_enforce_eager vllm_max_lora_rank vllm_config sglang_maxlen sglang_mem_fraction sglang_tp_size
      sglang_config sglang_lora_backend kt_weight_path kt_expert_checkpoint_path kt_use_lora_experts kt_lora_expert_num
      kt_lora_expert_intermediate_size export_dir export_size export_device export_quantization_bit export_quantization_dataset
      export_quantization_nsamples export_quantization_maxlen export_legacy_format export_hub_model_id do_sample temperature top_p top_k
      num_beams max_new_tokens repetition_penalty length_penalty skip_special_tokens kto_chosen_weight kto_rejected_weight ppo_buffer_size
      ppo_epochs ppo_score_norm ppo_target ppo_whiten_rewards reward_model reward_model_adapters reward_model_quantization_bit reward_model_type
      ref_model_quantization_bit galore_target galore_rank galore_update_interval galore_scale galore_proj_type galore_layerwise
      apollo_target apollo_rank apollo_update_interval apollo_scale apollo_proj apollo_proj_type apollo_scale_type apollo_layerwise
      apollo_scale_front badam_mode badam_start_block badam_switch_mode badam_switch_interval badam_update_ratio badam_mask_mode badam_verbose
      module_dropout oft_rank oft_block_size oft_target freeze_trainable_layers freeze_trainable_modules freeze_extra_modules pissa_iter
      pissa_convert asft_alpha eaft_alpha ray_num_workers ray_init_kwargs master_addr master_port profiler_output_dir profiler_wait_steps
      profiler_warmup_steps profiler_active_steps profiler_repeat profiler_record_shapes profiler_profile_memory profiler_with_stack
      profile_modules enable_torch_profiler fp8_backend fp8_enable_fsdp_float8_all_gather hyper_parallel_args quantization_method
      quantization_type double_quantization quantization_device_map task task_dir batch_size lang n_shot save_dir download_mode
      loraplus_lr_embedding mix_strategy interleave_probs upcast_layernorm upcast_lmhead_output`,
      moot(),
    ),
    ...each("packing neat_packing", moot("batches are packed, without padding")),
    ...each("cache_dir", moot("the environment variable HF_HOME sets where files from the hub are cached")),
    ...each("hf_hub_token", moot("the environment variable HF_TOKEN is read")),
    ...each("adapter_folder", leaveOut("adapter_name_or_path is a path")),
    ...each("plot_loss", moot("report.html draws every metric")),
    ...each("tokenized_path", moot("rows are tokenised on each run")),
    ...each(
      `use_swanlab swanlab_project swanlab_workspace swanlab_run_name swanlab_mode swanlab_api_key swanlab_logdir swanlab_lark_webhook_url
      swanlab_lark_secret`,
      moot(tracker),
    ),
    stage,
    finetuning_type: finetuningType,
    pref_loss: loss,
    pref_beta: renamed("beta"),
    pref_ftx: added,
    pref_bco_weight: added,
    dpo_label_smoothing: renamed("label_smoothing"),
    lora_rank: renamed("lora_r"),
    lora_target: (value) => write({ lora_target_modules: layers(value) }),
    additional_target: (value) => write({ lora_modules_to_save: layers(value) }),
    ref_model_adapters: renamed("ref_adapter_name_or_path"),
    ref_model: () =>
      leaveOut("the reference is the model at the start of the run; ref_adapter_name_or_path names a different adapter"),
    create_new_adapter: () =>
      leaveOut("merge the first adapter into the model (smaug merge), then train a new one on the result"),
    dataset: dataset("dataset_name"),
    eval_dataset: dataset("eval_dataset_name"),
    dataset_dir: () => leaveOut("dataset_name is a path"),
    cutoff_len: renamed("max_length"),
    val_size: (value) => write({ test_split_size: plain(value) }),
    max_samples: (value) => leaveOut(`all rows are used: put the first ${String(value)} in a separate file`),
    template: () => leaveOut(template),
    tool_format: () => leaveOut(template),
    default_system: () => leaveOut("put a system message into the rows"),
    enable_thinking: () => leaveOut("set it for each row in a chat_template_kwargs column"),
    preserve_thinking: () => leaveOut("set it for each row in a chat_template_kwargs column"),
    train_on_prompt: () => leaveOut("only answers are trained on"),
    mask_history: () => moot("only the last answer is trained on"),
    early_stopping_steps: renamed("early_stopping_patience"),
    disable_shuffling: () => write({ train_sampling_strategy: "sequential" }),
    disable_gradient_checkpointing: () => write({ gradient_checkpointing: false }),
    moe_aux_loss_coef: renamed("router_aux_loss_coef"),
    compute_dtype: () => leaveOut("set bf16: true or false"),
    pure_bf16: () => leaveOut("trained weights are float32; bf16: true keeps a frozen base in bfloat16"),
    quantization_bit: () => leaveOut("quantised base models are not supported yet; bf16: true keeps the base in bfloat16"),
    fp8: () => leaveOut("use bf16: true"),
    loraplus_lr_ratio: () => leaveOut("all trained weights share one learning rate"),
    pissa_init: () => leaveOut("adapters start at zero, as in LoRA"),
    use_galore: () => leaveOut("AdamW is the only optimizer"),
    use_apollo: () => leaveOut("AdamW is the only optimizer"),
    use_badam: () => leaveOut("AdamW is the only optimizer"),
    use_adam_mini: () => leaveOut("AdamW is the only optimizer"),
    use_muon: () => leaveOut("AdamW is the only optimizer"),
    ...each(
      `use_llama_pro use_mca use_hyper_parallel use_kt use_dft_loss use_asft_loss use_eaft_loss resize_vocab add_tokens add_special_tokens
      new_special_tokens_config init_special_tokens split_special_tokens rope_scaling shift_attn mixture_of_depths train_from_scratch`,
      leaveOut(""),
    ),
  },
};
