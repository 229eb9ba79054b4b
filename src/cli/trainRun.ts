/** From a resolved configuration to a trainer: the model with its adapters, the rows, the loss. */
import { readFileSync } from "node:fs";
import { type PreferenceRow, loadPreferences } from "../data";
import { type CausalLM, loadAdapter, loadModel, resolveModel } from "../models";
import { InputError } from "../native/errors";
import { lora } from "../nn";
import { createLoss } from "../preference";
import { loadTokenizer } from "../text";
import { deviceCount, manualSeed } from "../torch";
import { PreferenceTrainer, type TrainingArguments, trainingArguments } from "../train";
import type { RunOutput } from "../train/ownership";
import { REFERENCE_ADAPTER } from "../train/reference";
import { type ResolvedConfig, toSnakeCase } from "./trainConfig";

export interface TrainRun {
  readonly trainer: PreferenceTrainer;
  readonly model: CausalLM;
  readonly device: string;
  readonly notes: readonly string[];
}

/** @param output the run's folder, when the caller has claimed it */
export async function createRun({ config, given, notes: noted }: ResolvedConfig, output?: RunOutput): Promise<TrainRun> {
  const notes = [...noted];
  const loss = createLoss({
    lossType: config.lossType,
    lossWeights: config.lossWeights ?? undefined,
    beta: config.beta,
    useWeighting: config.useWeighting,
    // What was not given is left to the loss: a value that it does not read would be an error.
    ...Object.fromEntries(lossKeys.filter((key) => given.has(toSnakeKey(key))).map((key) => [key, config[key] ?? undefined])),
  });
  const revision = config.modelRevision === "main" ? undefined : config.modelRevision;
  // An adapter as the model is the same as naming its base, and the adapter as adapter_name_or_path.
  const { adapter } = await resolveModel(config.modelNameOrPath!, { revision, adapter: config.adapterNameOrPath ?? undefined });
  const trainsAdapter = config.usePeft || adapter !== undefined;
  if (config.refAdapterNameOrPath !== null && !trainsAdapter)
    throw new InputError("Expected 'use_peft' or 'adapter_name_or_path' with 'ref_adapter_name_or_path': all weights would train, the reference's too");

  const unused = adapter === undefined ? [] : adapterKeys.filter((key) => given.has(toSnakeKey(key))).map(toSnakeKey);
  if (unused.length > 0) notes.push(`${unused.join(", ")}: not used, since the adapter in ${adapter} is trained on as it was configured`);

  const device = config.device ?? (deviceCount() > 0 ? "cuda" : "cpu");
  if (device !== "cpu" && deviceCount() === 0)
    throw new InputError(`Expected a device that is there for 'device' but received ${device}; smaug doctor shows which are`);
  const dtype = chooseDType(config, device, trainsAdapter, given, notes);
  const split = config.evalStrategy === "no" ? undefined : config.datasetTestSplit;
  const [train, evaluation] = await loadRows(config.datasetName!, config.datasetTrainSplit, split);

  manualSeed(config.seed); // a fresh adapter is drawn while the model loads
  const model = await loadModel(config.modelNameOrPath!, {
    device,
    dtype,
    revision,
    adapter: config.adapterNameOrPath ?? (adapter === undefined && config.usePeft ? newAdapter(config) : undefined),
  }).catch((error: unknown) => {
    // Which layers there are is known only now.
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(error.message.replace("'targetModules'", "'lora_target_modules'").replace("'modulesToSave'", "'lora_modules_to_save'").replace("'ensureWeightTying'", "'ensure_weight_tying'"));
  });
  if (config.refAdapterNameOrPath !== null) await loadAdapter(model, config.refAdapterNameOrPath, { name: REFERENCE_ADAPTER });

  const settings = Object.fromEntries(Object.keys(trainingArguments).map((name) => [name, config[name as keyof typeof config]]));
  const trainer = new PreferenceTrainer({
    ...(settings as TrainingArguments),
    model,
    train,
    evaluation,
    loss,
    tokenizer: await loadTokenizer(config.modelNameOrPath!, { revision, adapter: config.adapterNameOrPath ?? undefined }),
    maxLength: config.maxLength,
    truncationMode: config.truncationMode,
    resumeFromCheckpoint: config.resumeFromCheckpoint,
    config: toSnakeCase(config),
    dataName: config.datasetName!,
  }, output);
  return { trainer, model, device, notes };
}

const lossKeys = [
  "dpopLambda", "dpopPlacement", "labelSmoothing", "discopopTau", "fDivergenceType", "fAlphaDivergenceCoef", "simpoGamma",
  "cpoAlpha", "dpoShiftFactor", "slicLambda",
] as const;

/** What a new adapter is made of. */
const adapterKeys = [
  "loraR", "loraAlpha", "loraDropout", "loraTargetModules", "loraModulesToSave", "ensureWeightTying", "useRslora", "useDora",
] as const;

function toSnakeKey(key: string): string {
  return Object.keys(toSnakeCase({ [key]: 0 }))[0]!;
}

function newAdapter(config: ResolvedConfig["config"]): ReturnType<typeof lora> {
  const { loraR, loraAlpha, loraDropout, loraTargetModules, loraModulesToSave, ensureWeightTying, useRslora, useDora } = config;
  const targets = loraTargetModules?.length === 1 && loraTargetModules[0] === "all-linear" ? "all-linear" : loraTargetModules;
  return lora({
    r: loraR,
    alpha: loraAlpha,
    dropout: loraDropout,
    ...(targets === null ? {} : { targetModules: targets }),
    ...(loraModulesToSave === null ? {} : { modulesToSave: loraModulesToSave }),
    ensureWeightTying,
    useRslora,
    useDora,
  });
}

/** What the base is held in: what trains is in float32 whatever it is. */
function chooseDType(
  { bf16 }: ResolvedConfig["config"],
  device: string,
  trainsAdapter: boolean,
  given: ReadonlySet<string>,
  notes: string[],
): "float32" | "bfloat16" {
  if (!trainsAdapter) {
    if (bf16) notes.push("bf16 is for a frozen base: all weights train, in float32");
    return "float32";
  }
  if (device !== "cpu") return bf16 === false ? "float32" : "bfloat16";
  if (!bf16) return "float32";
  if (hasBfloat16()) return "bfloat16";
  if (given.has("bf16")) notes.push("bf16: this processor has no bfloat16 instructions, float32 is faster and used");
  return "float32";
}

function hasBfloat16(): boolean {
  try {
    return /\b(avx512_bf16|amx_bf16)\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return false;
  }
}

async function loadRows(source: string, train: string, test: string | undefined): Promise<[PreferenceRow[], PreferenceRow[] | undefined]> {
  const rows = await loadPreferences(source, { split: train });
  return [rows, test === undefined ? undefined : await loadPreferences(source, { split: test })];
}
