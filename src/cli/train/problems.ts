/**
 * Checks for settings that are valid on their own but conflict: everything known before the model and data are read.
 * `--print-config` and a run make the same checks.
 */

import { hasEntry } from "../../base/files/paths";
import { snakeCase } from "../../base/names";
import { conflict, missing, type Problem, unfit } from "../../base/problems";
import { isAdapter } from "../../models/modelSource";
import { lossConflicts } from "../../preference/losses/configuration";
import { scheduleProblems } from "../../train/schedule";
import { type RunConfig, runArguments } from "./arguments";
import { routerLossProblems } from "./routerLoss";
import { rowProblems } from "./rowKeys";

/** All problems of a configuration in which every value fits its own setting. */
export function runProblems(config: RunConfig): Problem[] {
  const { dpopTolerance, refAdapterNameOrPath, evalOnStart, evalStrategy } = config;
  const tolerance = dpopTolerance === "auto" ? null : dpopTolerance;
  const problems: Problem[] = [];
  for (const key of ["modelNameOrPath", "datasetName"] as const)
    if (config[key] === null) problems.push(missing(snakeCase(key), runArguments[key].help));
  problems.push(...lossConflicts({ ...config, dpopTolerance: tolerance }), ...scheduleProblems(config));
  if (refAdapterNameOrPath !== null && trainsAdapter(config) === false) problems.push(noAdapterToTrain());
  if (evalOnStart && evalStrategy === "no") {
    const problem = unfit("eval_on_start", "'eval_strategy' steps or epoch with it", "no");
    problems.push({ ...problem, keys: ["eval_on_start", "eval_strategy"] });
  }
  return [...problems, ...rowProblems(config), ...routerLossProblems(config)];
}

/** Whether the run trains an adapter; undefined if the model is on the hub, where it may itself be an adapter. */
function trainsAdapter({ usePeft, adapterNameOrPath, modelNameOrPath: model }: RunConfig): boolean | undefined {
  if (usePeft || adapterNameOrPath !== null) return true;
  if (model === null || !hasEntry(model)) return undefined;
  return isAdapter(model);
}

/** The problem with a reference adapter when all weights are trained. */
export const noAdapterToTrain = (): Problem =>
  conflict(
    ["ref_adapter_name_or_path", "use_peft", "adapter_name_or_path"],
    "Expected 'use_peft' or 'adapter_name_or_path' with 'ref_adapter_name_or_path': all weights would be trained, including the reference's",
  );

/** The given keys that only a fresh adapter reads. */
export function freshAdapterKeys(given: ReadonlySet<string>): string[] {
  const keys = [
    "lora_r",
    "lora_alpha",
    "lora_dropout",
    "lora_target_modules",
    "lora_modules_to_save",
    "ensure_weight_tying",
    "use_rslora",
    "use_dora",
  ];
  return keys.filter((key) => given.has(key));
}

/** Adapter settings that were given although no adapter is trained. */
export function unreadSettings(config: RunConfig, given: ReadonlySet<string>): string[] {
  return trainsAdapter(config) === true ? [] : freshAdapterKeys(given).map((key) => `${key} (without use_peft)`);
}
