/**
 * `smaug merge`: a model with an adapter in its weights, as a complete folder. It is first written, and verified, in a
 * hidden folder inside `--out`; the files that it replaces are kept until it is in place.
 */
import { basename, resolve } from "node:path";
import { Command, Option } from "commander";
import { InputError } from "../../base/errors";
import { findConflict, type Input } from "../../base/files/outputFolder";
import { type CausalLM, loadAdapter, loadModel, saveModel } from "../../models";
import { readAdapterJson, resolveModel } from "../../models/modelSource";
import { loraLayers, mergeAndUnload, tensorsTrainedWhole } from "../../nn";
import { saveGgufTokenizer } from "../../text";
import type { DType } from "../../torch";
import { isRunEntry } from "../../train/output/entries";
import {
  adapterOption,
  addOverwriteOption,
  deviceOption,
  isOverwriting,
  modelOption,
  overwritingCommand,
  WEIGHT_DTYPES,
} from "../options";
import { print, printJson, tell } from "../output";
import { exitOnSignals } from "../run";
import { compareLogProbs, type MergeCheck, sampleSequences, tokenLogProbs } from "./check";
import { ModelOutput } from "./modelOutput";

interface MergeOptions {
  model: string;
  adapter?: string;
  out: string;
  verify?: boolean;
  dtype?: DType;
  device: string;
  json?: boolean;
}

interface MergeResult {
  out: string;
  dtype: DType;
  /** How many layers had factors. */
  layers: number;
  /** The weights that the adapter trained whole. */
  whole: string[];
  verify: MergeCheck | null;
}

const notes = `
The tokenizer and chat template in the adapter's folder take precedence over the model's and are written to --out.

Example:
  $ smaug merge --model models/base --adapter runs/dpop --out models/dpop --verify
`;

export function mergeCommand(): Command {
  const command = new Command("merge")
    .addOption(modelOption().makeOptionMandatory())
    .addOption(adapterOption("the adapter, as PEFT or smaug saved it"))
    .requiredOption("--out <folder>", "where the merged model goes: a new or empty folder")
    .option("--verify", "load what was written, and compare the log-probs of a few texts with those before")
    .addOption(
      new Option("--dtype <dtype>", "what the weights are written in; the model's own when left out").choices(WEIGHT_DTYPES),
    )
    .addOption(deviceOption("where it is computed"))
    .option("--json", "print one JSON object");
  return addOverwriteOption(command, "replace the model or adapter in --out; your own files in it stay")
    .addHelpText("after", notes)
    .action((options: MergeOptions, self: Command) => merge(options, self));
}

async function merge(options: MergeOptions, self: Command): Promise<void> {
  const { model, adapter, out } = options;
  expectOther(out, model, adapter);
  const unhandle = exitOnSignals();
  let output: ModelOutput | undefined;
  try {
    output = ModelOutput.claim(out, isOverwriting(self), overwritingCommand(self));
    await mergeInto(output, options);
  } finally {
    output?.release();
    unhandle();
  }
}

async function mergeInto(output: ModelOutput, options: MergeOptions): Promise<void> {
  const { model: source, adapter, out, device, json } = options;
  const { base, adapter: adapterFolder } = await resolveModel(source, { adapter });
  if (adapterFolder === undefined)
    throw new InputError(`Expected '--adapter', or an adapter's folder for '--model', but received only the model ${source}`);
  expectOther(out, base, adapterFolder);
  const warning = adapter && otherBase(readAdapterJson(adapterFolder)["base_model_name_or_path"], source);
  if (warning) tell(`warning: ${warning}`);

  const { scores, ...written } = await writeMerged(output.staging, { base, adapterFolder }, options);
  const check = scores && (await verified(output.staging, scores, device, written.dtype));
  const isKept = check?.ok === false && output.replaces;
  if (!isKept) output.publish();
  const result: MergeResult = { out, ...written, verify: check ?? null };
  if (json) printJson(result, 2);
  else print(describe(result));
  if (check && !check.ok)
    throw new Error(
      `Expected the merged model to answer as the model with its adapter does, to ${check.tolerance} nats a token, ` +
        `but received a difference of ${rounded(check.largest_token_delta)}; ${out} ${isKept ? "keeps what it held before" : "stays as it was written"}`,
    );
}

/** What the model with its adapter answers, to compare the merged model with. */
interface Scores {
  readonly sequences: number[][];
  readonly logProbs: Float64Array[];
  /** The dtype that both are computed in. */
  readonly computed: DType;
}

/** Merges the adapter into its model and writes that to a folder. */
async function writeMerged(
  folder: string,
  { base, adapterFolder }: { base: string; adapterFolder: string },
  { verify, dtype, device }: MergeOptions,
): Promise<Pick<MergeResult, "dtype" | "layers" | "whole"> & { scores: Scores | undefined }> {
  const model = await loadModel(base, { dtype: "auto", device });
  const own = model.dtype;
  const written = dtype ?? own;
  const computed = own === "float64" ? own : "float32";
  // Every weight is rounded once, to the dtype that is written; computing the check in float32 shows nothing but that.
  if (verify || written !== own) model.to({ dtype: computed });
  if (model.adapterFolder === undefined) await loadAdapter(model, adapterFolder); // otherwise loadModel has loaded it
  const layers = loraLayers(model).length;
  const whole = tensorsTrainedWhole(model).map(([name]) => name);
  const scores = verify ? await scoresOf(model, computed) : undefined;
  mergeAndUnload(model);
  await saveModel(model, folder, { dtype: written });
  await saveGgufTokenizer(model, folder);
  model.dispose();
  return { dtype: written, layers, whole, scores };
}

async function scoresOf(model: CausalLM, computed: DType): Promise<Scores> {
  const sequences = await sampleSequences(model);
  return { sequences, logProbs: tokenLogProbs(model, sequences), computed };
}

/** Loads what was written and compares it with the model and its adapter. */
async function verified(folder: string, scores: Scores, device: string, written: DType): Promise<MergeCheck> {
  const { sequences, logProbs, computed } = scores;
  const merged = await loadModel(folder, { dtype: computed, device });
  const check = compareLogProbs(logProbs, tokenLogProbs(merged, sequences), written);
  merged.dispose();
  return check;
}

function describe({ out, dtype, layers, whole, verify }: MergeResult): string {
  const others = whole.length > 0 ? ` and ${whole.length} weights trained whole` : "";
  const lines = [`${out}: ${layers} adapted layers${others} merged, written in ${dtype}`];
  if (verify)
    lines.push(
      `merged and unmerged log-probs of ${verify.sequences} texts, ${verify.tokens} tokens, differ by at most ` +
        `${rounded(verify.largest_sequence_delta)} nats a text, ${rounded(verify.largest_token_delta)} a token ` +
        `(allowed: ${verify.tolerance} a token in ${dtype})`,
    );
  return lines.join("\n");
}

function rounded(nats: number): string {
  return nats.toPrecision(2);
}

/** The merged model must not replace the files that it is made from. */
function expectOther(out: string, model: string, adapter: string | undefined): void {
  const inputs: Input[] = [
    ...(adapter === undefined ? [] : [{ path: adapter, option: "--adapter", owner: "adapter's" }]),
    { path: model, option: "--model", owner: "model's" },
  ];
  const conflict = findConflict(out, inputs, isRunEntry);
  if (!conflict) return;
  const { input, how, inside } = conflict;
  const expected = `Expected another folder for '--out' than for '${input.option}' but received '${out}'`;
  if (how === "same")
    throw new InputError(`${expected} for both${input.option === "--adapter" ? ", which holds an adapter" : ""}`);
  throw new InputError(
    how === "contains" ? `${expected} inside '${input.path}'` : `${expected}, where '${input.option}' reads ${inside}`,
  );
}

/** What is to be said when the adapter names another model as its base. Names count, not where the folders are. */
function otherBase(base: unknown, model: string): string | undefined {
  if (typeof base !== "string" || base === "") return undefined;
  const isCached = resolve(model).includes(`models--${base.replaceAll("/", "--")}`);
  const lastPart = (name: string) => basename(resolve(name.replace(/@.*$/, "")));
  if (isCached || lastPart(base) === lastPart(model)) return undefined;
  return `the adapter names ${base} as its base, not ${model}; if its shapes fit, it is merged all the same`;
}
