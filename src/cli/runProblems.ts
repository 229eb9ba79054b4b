/**
 * What is wrong with settings that fit each for itself but not together: everything that is known before model and data
 * are read. `--print-config` and a run check the same.
 */
import { type Problem, conflict, missing, unfit } from "../base/problems";
import { lossProblems } from "../preference/losses/lossConfig";
import { snakeCase } from "../train/argument";
import { scheduleProblems } from "../train/schedulePlan";
import { rowProblems } from "./rowKeys";
import { routerLossProblems } from "./routerLoss";
import { runArguments } from "./runArguments";
import type { RunConfig } from "./trainConfig";

/** Settings of the loss that only some losses read. */
export const lossKeys = [
  "dpopLambda", "dpopPlacement", "labelSmoothing", "discopopTau", "fDivergenceType", "fAlphaDivergenceCoef", "simpoGamma",
  "cpoAlpha", "dpoShiftFactor", "slicLambda",
] as const;

/** The loss that a configuration asks for. What was not given is left to it: a value that it does not read would be an error. */
export function lossConfigOf(config: RunConfig, given: ReadonlySet<string>) {
  return {
    lossType: config.lossType,
    lossWeights: config.lossWeights ?? undefined,
    beta: config.beta,
    useWeighting: config.useWeighting,
    ...Object.fromEntries(lossKeys.filter((key) => given.has(snakeCase(key))).map((key) => [key, config[key] ?? undefined])),
  };
}

/** @param given the keys that were given, in snake case */
export function runProblems(config: RunConfig, given: ReadonlySet<string>): Problem[] {
  const { dpopTolerance, usePeft, adapterNameOrPath, refAdapterNameOrPath, evalOnStart, evalStrategy } = config;
  const tolerance = given.has("dpop_tolerance") && dpopTolerance !== "auto" ? { dpopTolerance } : {};
  const problems: Problem[] = [];
  for (const key of ["modelNameOrPath", "datasetName"] as const)
    if (config[key] === null) problems.push(missing(snakeCase(key), runArguments[key].help));
  problems.push(...lossProblems({ ...lossConfigOf(config, given), ...tolerance }), ...scheduleProblems(config));
  if (refAdapterNameOrPath !== null && adapterNameOrPath === null && !usePeft)
    problems.push(
      conflict(
        "ref_adapter_name_or_path",
        "Expected 'use_peft' or 'adapter_name_or_path' with 'ref_adapter_name_or_path': all weights would train, the reference's too",
      ),
    );
  if (evalOnStart && evalStrategy === "no") problems.push(unfit("eval_on_start", "'eval_strategy' steps or epoch with it", "no"));
  return [...problems, ...rowProblems(config), ...routerLossProblems(config)];
}

/** Settings of a fresh adapter that were given though there is none. */
export function unreadSettings({ usePeft, adapterNameOrPath }: RunConfig, given: ReadonlySet<string>): string[] {
  if (usePeft && adapterNameOrPath === null) return [];
  const why = adapterNameOrPath === null ? "without use_peft" : "the adapter of adapter_name_or_path has its own";
  const keys = ["lora_r", "lora_alpha", "lora_dropout", "lora_target_modules", "lora_modules_to_save", "use_rslora", "use_dora"];
  return keys.filter((key) => given.has(key)).map((key) => `${key} (${why})`);
}
