/**
 * Checks for settings that are valid on their own but conflict: everything known before the model and data are read.
 * `--print-config` and a run make the same checks.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../../base/errors";
import { readInputJson } from "../../base/files/inputFiles";
import { hasEntry } from "../../base/files/paths";
import { snakeCase } from "../../base/names";
import { conflict, missing, type Problem, unfit } from "../../base/problems";
import { isObject, shown } from "../../base/values";
import { expectColumnMapping } from "../../data/reading/columnMapping";
import { isAdapter } from "../../models/modelSource";
import { ldAlphaProblems } from "../../preference/losses/combinations";
import { lossConflicts, namedLosses } from "../../preference/losses/configuration";
import { lossNeeds } from "../../preference/losses/loss";
import { scheduleProblems } from "../../train/schedule";
import { type RunConfig, runArguments } from "./arguments";

/** All problems of a configuration in which every value fits its own setting. */
export function runProblems(config: RunConfig): Problem[] {
  const { dpopTolerance, refAdapterNameOrPath, evalOnStart, evalStrategy } = config;
  const tolerance = dpopTolerance === "auto" ? null : dpopTolerance;
  const problems: Problem[] = [];
  for (const key of ["modelNameOrPath", "datasetName"] as const)
    if (config[key] === null) problems.push(missing(snakeCase(key), runArguments[key].help));
  problems.push(
    ...lossConflicts({ ...config, dpopTolerance: tolerance }),
    ...unreadByLosses(config),
    ...scheduleProblems(config),
  );
  if (refAdapterNameOrPath !== null && trainsAdapter(config) === false) problems.push(noAdapterToTrain());
  if (evalOnStart && evalStrategy === "no")
    problems.push(unfit(["eval_on_start", "eval_strategy"], "'eval_strategy' steps or epoch with it", "no"));
  return [...problems, ...rowProblems(config), ...routerLossProblems(config)];
}

/** Settings of the run that none of its losses reads. */
function unreadByLosses(config: RunConfig): Problem[] {
  const losses = namedLosses({ lossType: config.lossType });
  if (losses === undefined) return [];
  const { ldAlpha, refAdapterNameOrPath: adapter } = config;
  const problems = ldAlphaProblems(ldAlpha, losses);
  if (adapter !== null && !losses.some((loss) => lossNeeds(loss, "reference")))
    problems.push(
      conflict(
        ["ref_adapter_name_or_path", "loss_type"],
        "'ref_adapter_name_or_path' only with a loss that reads the reference",
        `${shown(adapter)} with ${config.lossType.join(", ")}; leave it out`,
      ),
    );
  return problems;
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

/** An invalid column mapping, conflicting keys for evaluation rows, and a config of data that is not named. */
function rowProblems({ columnMapping, evalDatasetName, evalDatasetConfig, testSplitSize }: RunConfig): Problem[] {
  const problems = columnMapping === null ? [] : mappingProblems(columnMapping);
  if (evalDatasetName !== null && testSplitSize !== null)
    problems.push(
      conflict(
        ["test_split_size", "eval_dataset_name"],
        "one of 'eval_dataset_name' and 'test_split_size'",
        `${evalDatasetName} and ${testSplitSize}: each says what to evaluate on. Leave one out.`,
      ),
    );
  if (evalDatasetConfig !== null && evalDatasetName === null)
    problems.push(
      conflict(
        ["eval_dataset_config", "eval_dataset_name"],
        "'eval_dataset_name' with 'eval_dataset_config'",
        `only ${evalDatasetConfig}: dataset_config is that of dataset_name`,
      ),
    );
  return problems;
}

function mappingProblems(mapping: Readonly<Record<string, string>>): Problem[] {
  try {
    expectColumnMapping(mapping);
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return [conflict("column_mapping", error.message)];
  }
}

/**
 * The weight of the loss that balances tokens across a mixture's experts. That loss is not implemented, so the value must be
 * 0 or null for a mixture. As in TRL 1.16, it must be null for a dense model.
 */
const ROUTER_KEY = "router_aux_loss_coef";

/** Problems with the value, as far as the model's local folder shows whether it is a mixture. */
function routerLossProblems({ modelNameOrPath: folder, routerAuxLossCoef: coef }: RunConfig): Problem[] {
  if (coef === null || folder === null) return [];
  return routerLossProblemsOf(coef, isMixtureFolder(folder), folder);
}

/** @param isMixture undefined if unknown */
export function routerLossProblemsOf(coef: number | null, isMixture: boolean | undefined, model: string): Problem[] {
  if (coef === null) return [];
  if (isMixture === false)
    return [
      conflict(ROUTER_KEY, `null for '${ROUTER_KEY}' with ${model}, which is not a mixture of experts,`, `${coef}; leave it out`),
    ];
  if (coef === 0) return [];
  return [
    conflict(
      ROUTER_KEY,
      `0 for '${ROUTER_KEY}'`,
      `${coef}: the auxiliary loss of mixtures is not supported yet; write ${ROUTER_KEY}: 0`,
    ),
  ];
}

/** The note for a mixture when no coefficient is given. */
export const NO_ROUTER_LOSS = `no auxiliary loss is added for the mixture's router, unlike in TRL; set ${ROUTER_KEY}: 0 to silence this note`;

function isMixtureFolder(folder: string): boolean | undefined {
  const file = join(folder, "config.json");
  if (!existsSync(file)) return undefined;
  try {
    const config = readInputJson(file, "a model's configuration");
    return isObject(config) ? Object.keys(config).some((key) => /^(num_(local_)?|n_routed_)experts$/.test(key)) : undefined;
  } catch {
    return undefined; // loading the model reports what is wrong
  }
}
