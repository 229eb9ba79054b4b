/**
 * The models that training runs left, opened next to the reference that they started from. A run is an adapter of the
 * reference, or a model of its own.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../../base/errors";
import type { PreferenceRow } from "../../data/rows/preferenceRow";
import { contentKey } from "../../data/tokenize/tokenCache";
import { type TokenizedPairs, type TokenizeOptions, tokenizeRows } from "../../data/tokenize/tokenizePairs";
import { type CausalLM, FolderError, type LoadOptions, loadAdapter, loadModel } from "../../models";
import { readAdapterJson, resolveModel } from "../../models/modelSource";
import { loadTokenizer, type Tokenizer } from "../../text";

/** What a run left: an adapter, which is now on the reference, or a model. */
export interface TrainedRun {
  readonly name: string;
  /** The reference itself where the run is an adapter of it. */
  readonly model: CausalLM;
  /** What the adapter is called on it. */
  readonly adapter: string | undefined;
}

/**
 * The model that all of these runs started from, by what their adapters say.
 *
 * @throws InputError when a run holds no adapter, its adapter names no model, or the runs name several
 */
export function baseOf(folders: readonly string[]): string {
  const bases = folders.map((folder) => {
    const base = isAdapterFolder(folder) ? readAdapterJson(folder)["base_model_name_or_path"] : undefined;
    if (typeof base === "string" && base !== "") return base;
    throw new InputError(`Expected the name of its base model in '${folder}' but received none; name the reference with --model`);
  });
  const different = bases.findIndex((base) => base !== bases[0]);
  if (different < 0) return bases[0]!;
  throw new InputError(
    `Expected runs of one base model but '${folders[0]}' was made from ${bases[0]} and '${folders[different]}' from ` +
      `${bases[different]}; report them apart, or name the reference with --model if the two are the same`,
  );
}

/** Whether a run's folder holds an adapter or a model. @throws InputError when it holds neither */
export function isAdapterFolder(folder: string): boolean {
  if (existsSync(join(folder, "adapter_config.json"))) return true;
  if (existsSync(join(folder, "config.json"))) return false;
  throw new InputError(
    `Expected a trained model in '${folder}', adapter_config.json or config.json, but received neither; ` +
      "the run has not saved one, or only in its checkpoints: name one of those",
  );
}

/**
 * Loads what the runs left. What is not the reference's adapter is the caller's to dispose of.
 *
 * @throws InputError when a run holds no model, or one that was made from another
 */
export async function openRuns(
  reference: CausalLM,
  runs: readonly { readonly folder: string; readonly name: string }[],
  options: Pick<LoadOptions, "device" | "dtype"> = {},
): Promise<TrainedRun[]> {
  const opened: TrainedRun[] = [];
  try {
    for (const { folder, name } of runs) {
      if (isAdapterFolder(folder)) {
        const adapter = `run-${opened.length}`;
        await loadAdapter(reference, folder, { name: adapter });
        opened.push({ name, model: reference, adapter });
      } else {
        const model = await loadModel(folder, options);
        opened.push({ name, model, adapter: undefined });
        expectSameShape(model, reference, folder);
      }
    }
  } catch (error) {
    closeRuns(opened);
    throw error;
  }
  return opened;
}

export function closeRuns(runs: readonly TrainedRun[]): void {
  for (const { model, adapter } of runs) if (adapter === undefined) model.dispose();
}

function expectSameShape(model: CausalLM, reference: CausalLM, folder: string): void {
  for (const key of ["vocabSize", "hiddenSize"] as const)
    if (model.config[key] !== reference.config[key])
      throw new FolderError(
        `Expected a model made from ${reference.folder} in ${folder} but its ${key} is ${model.config[key]}, ` +
          `not ${reference.config[key]}; name its own base with --model`,
      );
}

/**
 * Tokenises rows as the runs do. The tokenizer and template in a run's folder take precedence over the base model's.
 *
 * @throws InputError when two runs tokenise a row differently, so that their log-probs cannot be compared
 */
export async function tokenizeForRuns(
  base: string,
  runs: readonly { readonly folder: string; readonly name: string }[],
  rows: readonly PreferenceRow[],
  options: TokenizeOptions,
): Promise<{ tokenizer: Tokenizer; tokenized: TokenizedPairs }> {
  const { base: model } = await resolveModel(base, { files: "tokenizer" });
  const tokenizers = new Map<string, { name: string; tokenizer: Tokenizer }>(); // one for runs with equal files
  for (const { folder, name } of runs) {
    const tokenizer = await loadTokenizer(model, { adapter: folder });
    const key = await contentKey([], tokenizer, { maxLength: undefined, truncationMode: undefined });
    if (!tokenizers.has(key)) tokenizers.set(key, { name, tokenizer });
  }
  const [first, ...others] = [...tokenizers.values()];
  const tokenized = await tokenizeRows(rows, first!.tokenizer, options);
  for (const { name, tokenizer } of others) {
    const index = firstDifference(tokenized, await tokenizeRows(rows, tokenizer, options));
    if (index !== undefined)
      throw new InputError(
        `Expected runs that tokenise the rows in the same way but ${first!.name} and ${name} differ in row ${index}: their ` +
          "tokenizers or chat templates are not the same. Report them separately",
      );
  }
  return { tokenizer: first!.tokenizer, tokenized };
}

/** The first row whose tokens differ, if any. */
function firstDifference(a: TokenizedPairs, b: TokenizedPairs): number | undefined {
  const content = ({ pairs }: TokenizedPairs) => new Map(pairs.map((pair) => [pair.index, JSON.stringify(pair, plainArrays)]));
  const [left, right] = [content(a), content(b)];
  const indices = [...new Set([...left.keys(), ...right.keys()])].sort((x, y) => x - y);
  return indices.find((index) => left.get(index) !== right.get(index));
}

const plainArrays = (_: string, value: unknown): unknown => (ArrayBuffer.isView(value) ? Array.from(value as Int32Array) : value);
