/** Which settings a resumed run must share with the run it resumes, and warnings about the others. */
import { InputError } from "../../base/errors";
import type { TokenizedPair } from "../../data/tokenize/tokenizedPair";
import type { CausalLM } from "../../models";
import { loraLayers } from "../../nn";
import type { PreferenceLoss } from "../../preference";
import type { TrainingArguments } from "../arguments";
import type { OpenedCheckpoint } from "../checkpoint/restore";
import type { TrainerState } from "../checkpoint/state";
import { startFingerprint } from "../reference";
import { rowsDigest } from "./rows";

/** What must be the same whenever a run is resumed. */
export type RunIdentity = Pick<TrainerState, "start" | "fixed">;

/** The identity of a run, while its model is as it is at the start. */
export async function runIdentity(
  model: CausalLM,
  train: readonly TokenizedPair[],
  loss: PreferenceLoss,
  settings: TrainingArguments,
): Promise<RunIdentity> {
  return {
    start: await startFingerprint(model),
    fixed: {
      rows: rowsDigest(train),
      pairs_per_step: settings.perDeviceTrainBatchSize * settings.gradientAccumulationSteps,
      seed: settings.seed,
      train_sampling_strategy: settings.trainSamplingStrategy,
      // Left out at their defaults, as in checkpoints from before these settings existed.
      ...(settings.dataSeed === null ? {} : { data_seed: settings.dataSeed }),
      ...(settings.dataloaderDropLast ? { dataloader_drop_last: true } : {}),
      loss: loss.name || null,
      beta: loss.beta ?? null,
      ld_alpha: settings.ldAlpha,
      adapter: JSON.stringify(loraLayers(model)[0]?.[1].adapter.config ?? null),
    },
  };
}

/** @throws InputError if the checkpoint is of another run; names the first difference */
export function expectSameRun({ state: saved, folder }: OpenedCheckpoint, { start, fixed }: RunIdentity): void {
  if (saved.start !== start)
    throw new InputError(
      `Expected a checkpoint of this model in ${folder} but received one of another: the weights that the run began with ` +
        "differ. Give the model_name_or_path, adapter_name_or_path and seed of that run",
    );
  for (const name of new Set([...Object.keys(fixed), ...Object.keys(saved.fixed)])) {
    const [before, value] = [saved.fixed[name], fixed[name]];
    if (before === value) continue;
    const what = name === "rows" ? "the same rows" : before === undefined ? `no ${name}` : `${name} ${String(before)}`;
    throw new InputError(
      `Expected ${what} as in the run of ${folder} but received ${name === "rows" ? "others" : String(value ?? "none")}; ` +
        "a run resumes with its own settings; to change them, start a new run from its weights",
    );
  }
}

type Settings = Readonly<Record<string, unknown>>;

/**
 * What the user should know about the checkpoint, and about settings that are not what they were.
 *
 * @param defaults what settings are when they are left out; null for those that are not here
 */
export function resumeWarnings(
  { folder, state, isVerified }: OpenedCheckpoint,
  { maxSteps, config }: Pick<TrainerState, "maxSteps" | "config">,
  defaults: Settings,
): string[] {
  const warnings: string[] = [];
  if (!isVerified)
    warnings.push(`${folder} has no checksums, as an older version of smaug wrote it: its files were not checked for damage`);
  if (state.globalStep > maxSteps)
    warnings.push(`${folder} is of step ${state.globalStep}, and this run has only ${maxSteps} steps: nothing is left to train`);
  return [
    ...warnings,
    ...changedSettings(state.config, config, defaults).map((change) => `${change} in the run that is resumed`),
  ];
}

/** Settings that do not affect training, in both spellings. */
const IMMATERIAL = new Set([
  "output_dir",
  "outputDir",
  "overwrite_output_dir",
  "overwriteOutputDir",
  "resume_from_checkpoint",
  "reference_cache",
  "referenceCache",
]);

/** A setting that one side lacks, since its version of smaug did not know it, counts as its default. */
function changedSettings(before: Settings, now: Settings, defaults: Settings): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((name) => !IMMATERIAL.has(name));
  const shownIn = (config: Settings, name: string) =>
    JSON.stringify(config[name] === undefined ? (defaults[name] ?? null) : config[name]);
  return names.flatMap((name) => {
    const [was, is] = [shownIn(before, name), shownIn(now, name)];
    return was === is ? [] : [`${name} is ${is}, and was ${was}`];
  });
}
