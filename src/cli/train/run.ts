/** From a resolved configuration to a trainer: the model with its adapters, the rows, the loss. */

import { readArguments } from "../../base/arguments";
import { InputError, OptionError } from "../../base/errors";
import { snakeCase } from "../../base/names";
import { problemsError } from "../../base/problems";
import { type CausalLM, loadAdapter, loadModel, resolveModel } from "../../models";
import { lora, loraLayers } from "../../nn";
import { createChecked } from "../../preference/losses/configuration";
import { loadTokenizer } from "../../text";
import { defaultDevice, deviceProperties, hasDevice, manualSeed } from "../../torch";
import { PreferenceTrainer, type TrainingArguments, trainingArguments } from "../../train";
import { rejectedRule } from "../../train/lossCheck";
import type { RunOutput } from "../../train/output/ownership";
import { REFERENCE_ADAPTER } from "../../train/reference";
import { type RunConfig, runArguments } from "./arguments";
import { type ResolvedConfig, toSnakeCase } from "./config";
import { freshAdapterKeys, NO_ROUTER_LOSS, noAdapterToTrain, routerLossProblemsOf } from "./problems";
import { loadRows } from "./rows";

export interface TrainRun {
  readonly trainer: PreferenceTrainer;
  readonly model: CausalLM;
  readonly device: string;
  readonly notes: readonly string[];
}

/** What the model of a run is loaded with. */
interface ModelLoading {
  readonly revision: string | undefined;
  /** The folder of the adapter to continue; undefined for a fresh adapter, or none. */
  readonly adapter: string | undefined;
  /** Whether an adapter is trained; otherwise all weights are. */
  readonly trainsAdapter: boolean;
  readonly device: string;
  readonly dtype: "float32" | "bfloat16";
}

/** @param output the run's folder, when the caller has claimed it */
export async function createRun(resolved: ResolvedConfig, output?: RunOutput): Promise<TrainRun> {
  const { config } = resolved;
  const notes = [...resolved.notes];
  const loss = createChecked({ ...config, dpopTolerance: null }); // which is left to the trainer
  const source = await findModel(resolved, notes);
  const { train, evaluation } = await loadRows(config, notes, rejectedRule(loss));
  const model = await loadTrainedModel(config, source, notes);
  const settings = Object.fromEntries(Object.keys(trainingArguments).map((name) => [name, config[name as keyof typeof config]]));
  const trainer = new PreferenceTrainer(
    {
      ...(settings as TrainingArguments),
      model,
      train,
      evaluation,
      loss,
      tokenizer: await loadTokenizer(config.modelNameOrPath!, {
        revision: source.revision,
        adapter: config.adapterNameOrPath ?? undefined,
      }),
      maxLength: config.maxLength,
      truncationMode: config.truncationMode,
      resumeFromCheckpoint: config.resumeFromCheckpoint,
      config: toSnakeCase(config),
      configDefaults: toSnakeCase(readArguments(runArguments, {})),
      dataName: config.datasetName!,
    },
    output,
  );
  return { trainer, model, device: source.device, notes };
}

/** Finds the model and its adapter, and chooses the device and the dtype of the base. */
async function findModel({ config, given }: ResolvedConfig, notes: string[]): Promise<ModelLoading> {
  const revision = config.modelRevision === "main" ? undefined : config.modelRevision;
  // An adapter as the model means its base as the model, and the adapter as adapter_name_or_path.
  const { adapter } = await resolveModel(config.modelNameOrPath!, { revision, adapter: config.adapterNameOrPath ?? undefined });
  const trainsAdapter = config.usePeft || adapter !== undefined;
  if (config.refAdapterNameOrPath !== null && !trainsAdapter) throw problemsError([noAdapterToTrain()]);
  const unread = adapter === undefined ? [] : freshAdapterKeys(given);
  if (unread.length > 0)
    notes.push(`${unread.join(", ")}: not used, since the adapter in ${adapter} keeps its own configuration`);
  const device = config.device ?? defaultDevice();
  if (!hasDevice(device))
    throw new InputError(`Expected a device that is there for 'device' but received ${device}; smaug doctor shows which are`);
  const dtype = chooseDType(config, device, trainsAdapter, given, notes);
  return { revision, adapter, trainsAdapter, device, dtype };
}

async function loadTrainedModel(config: RunConfig, source: ModelLoading, notes: string[]): Promise<CausalLM> {
  const { revision, adapter, trainsAdapter, device, dtype } = source;
  manualSeed(config.seed); // a fresh adapter is drawn while the model loads
  const model = await loadModel(config.modelNameOrPath!, {
    device,
    dtype,
    revision,
    adapter: config.adapterNameOrPath ?? (adapter === undefined && config.usePeft ? newAdapter(config) : undefined),
  }).catch((error: unknown) => {
    throw error instanceof RangeError ? inputError(error) : error; // which layers there are is known only now
  });
  if (trainsAdapter && adapter === undefined) notes.push(...absentTargets(config, model));
  // Known earlier only for a local folder.
  const isMixture = "numLocalExperts" in model.config;
  const routerProblems = routerLossProblemsOf(config.routerAuxLossCoef, isMixture, config.modelNameOrPath!);
  if (routerProblems.length > 0) throw problemsError(routerProblems);
  if (isMixture && config.routerAuxLossCoef === null) notes.push(NO_ROUTER_LOSS);
  if (config.refAdapterNameOrPath !== null) await loadAdapter(model, config.refAdapterNameOrPath, { name: REFERENCE_ADAPTER });
  return model;
}

/** The keys of `lora` options that are not their names in snake case. */
const loraKeys: Readonly<Record<string, string>> = {
  targetModules: "lora_target_modules",
  modulesToSave: "lora_modules_to_save",
};

/** The error about an option of `lora`, in the spelling of the configuration. */
function inputError(error: RangeError): InputError {
  const isOption = error instanceof OptionError;
  const message = isOption ? error.spelled((option) => loraKeys[option] ?? snakeCase(option)) : error.message;
  return new InputError(message, { cause: error });
}

function newAdapter(config: RunConfig): ReturnType<typeof lora> {
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

/** Notes the targets that match no layer of this model. PEFT ignores them too, so that one list serves several architectures. */
function absentTargets({ loraTargetModules }: RunConfig, model: CausalLM): string[] {
  if (loraTargetModules === null || loraTargetModules.includes("all-linear")) return [];
  const names = loraLayers(model).map(([name]) => name);
  const absent = loraTargetModules.filter((target) => !names.some((name) => name === target || name.endsWith(`.${target}`)));
  return absent.length > 0
    ? [`lora_target_modules: no layer of the model is called ${absent.join(", ")}; the others are adapted`]
    : [];
}

/** The dtype of the base; weights that train are always float32. */
function chooseDType(
  { bf16 }: RunConfig,
  device: string,
  trainsAdapter: boolean,
  given: ReadonlySet<string>,
  notes: string[],
): "float32" | "bfloat16" {
  if (!trainsAdapter) {
    if (bf16) notes.push("bf16 is for a frozen base: all weights train, in float32");
    return "float32";
  }
  const { prefersHalf, halfPrecisions } = deviceProperties(device);
  if (!(bf16 ?? prefersHalf)) return "float32";
  if (halfPrecisions.includes("bfloat16")) return "bfloat16";
  if (given.has("bf16")) notes.push("bf16: this processor has no bfloat16 instructions, float32 is faster and used");
  return "float32";
}
