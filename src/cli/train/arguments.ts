/**
 * The settings of `smaug train`: which model, which data, which adapter; those of the losses follow from their declarations,
 * those of training from its table. Names and defaults are TRL 1.16's, except the paper's loss with its β and λ. Loads no
 * libtorch: `--help` prints it.
 */

import {
  type ArgumentsOf,
  either,
  flag,
  number,
  optional,
  path,
  renaming,
  share,
  text,
  texts,
  withWayOut,
} from "../../base/arguments";
import { lengthArguments } from "../../data/tokenize/lengths";
import { loraArguments } from "../../nn/adapters/loraConfig";
import { lossArguments } from "../../preference/losses/configuration";
import { trainingArguments } from "../../train/arguments";
import { DATASET_CONFIG, device } from "../options";

export const runArguments = {
  modelNameOrPath: optional(
    path(
      "",
      "a folder, a .gguf file or a hub id; an adapter loads its base model with the adapter on it, like adapter_name_or_path",
    ),
  ),
  modelRevision: text("main", "branch, tag or commit of a model on the hub"),
  adapterNameOrPath: optional(
    path(
      "",
      "an adapter to continue training; the reference is then the base with this adapter, and the adapter's tokenizer is used",
    ),
  ),
  refAdapterNameOrPath: optional(path("", "an adapter to use as the reference instead of the initial model")),
  datasetName: optional(path("", "a JSONL, JSON or Parquet file, a folder of them, or a hub id")),
  datasetTrainSplit: text("train", "the split to train on"),
  datasetTestSplit: text("test", "the split to evaluate on"),
  datasetConfig: optional(text("", DATASET_CONFIG)),
  columnMapping: optional(
    renaming("renames columns, from the file's name to smaug's: {question: prompt}, or question=prompt,good=chosen"),
  ),
  evalDatasetName: optional(path("", "a separate source of rows to evaluate on, in any form dataset_name takes")),
  evalDatasetConfig: optional(text("", "which of the configs declared in the card of eval_dataset_name")),
  testSplitSize: optional(share("rows to hold out of the training split for evaluation: a share if below 1, otherwise a count")),
  ...lossArguments,
  ...lengthArguments,
  bf16: withWayOut(
    optional(flag(true, "keep the frozen base in bfloat16; default true on CUDA, and on a CPU that has bfloat16 instructions")),
    (value) => (value === "auto" || value === "full" ? "leave it out to let the device decide" : undefined),
  ),
  routerAuxLossCoef: optional(
    number(0, "weight of a mixture's auxiliary loss, which is not supported yet: 0 or null", { min: 0 }),
  ),
  device: optional(
    device("cpu, cuda, cuda:N or another accelerator; by default the accelerator if there is one, otherwise the CPU"),
  ),
  usePeft: flag(false, "train a LoRA adapter instead of all weights"),
  loraR: loraArguments.r,
  loraAlpha: loraArguments.alpha,
  loraDropout: { ...loraArguments.dropout, help: `${loraArguments.dropout.help}, unless disable_dropout is on` },
  loraTargetModules: optional(
    texts([], "layers by the last parts of their names, or all-linear; q_proj and v_proj when left out"),
  ),
  loraModulesToSave: optional(texts([], "modules to train in full")),
  ensureWeightTying: flag(false, "with lora_modules_to_save: keep a tied head tied to the embedding"),
  useRslora: flag(false, "scale by alpha / sqrt(r)"),
  useDora: flag(false, "adapt directions and magnitudes separately (DoRA)"),
  resumeFromCheckpoint: optional(
    either(flag(false, "true for the newest checkpoint, or a checkpoint's folder"), path("", ""), false),
  ),
  ...trainingArguments,
} as const;

export type RunConfig = ArgumentsOf<typeof runArguments>;
