/** The rows of a run, in tokens and checked against the model. */
import { createHash } from "node:crypto";
import { InputError } from "../../base/errors";
import { originsOf } from "../../base/files/inputFiles";
import { lengthArguments, type TruncationMode } from "../../data/tokenize/lengths";
import { answersOf, areTokenized, type TokenizedPair } from "../../data/tokenize/tokenizedPair";
import { type TokenizedPairs, tokenizePairs } from "../../data/tokenize/tokenizePairs";
import type { CausalLM } from "../../models";
import { pack, packOptionsOf } from "../../preference";
import { loadTokenizer } from "../../text";
import type { TrainingArguments } from "../arguments";
import { rejectedRule } from "../lossCheck";
import { lossOf, type PreferenceTrainerOptions } from "../options";

/** The rows of a run in tokens. */
export interface RunRows {
  readonly train: readonly TokenizedPair[];
  /** Empty without an evaluation. */
  readonly evaluation: readonly TokenizedPair[];
  /** How rows of text were tokenised; undefined for rows that were given in tokens. */
  readonly tokenized: { readonly train?: TokenizedPairs; readonly evaluation?: TokenizedPairs };
  readonly limits: { readonly maxLength: number | undefined; readonly truncationMode: TruncationMode };
}

/** Checks that there are rows to evaluate on if and only if the settings ask for evaluations; unused rows are a warning. */
export function expectEvaluationRows(
  { evalStrategy, evalOnStart }: Pick<TrainingArguments, "evalStrategy" | "evalOnStart">,
  rows: PreferenceTrainerOptions["evaluation"],
  warn: (message: string) => void,
): void {
  if (rows) {
    if (evalStrategy === "no" && !evalOnStart)
      warn("the rows of 'evaluation' are not used, since eval_strategy is no; set it to steps or epoch");
    return;
  }
  if (evalStrategy !== "no")
    throw new InputError(`Expected rows for 'evaluation' with eval_strategy ${evalStrategy} but received none`);
  if (evalOnStart)
    throw new InputError(
      "Expected rows for 'evaluation' with eval_on_start but received none; set eval_strategy and name a split for evaluation",
    );
}

/**
 * Tokenises the rows where they are text.
 *
 * @throws InputError if there is no row to train on, or a row does not fit the model
 */
export async function prepareRows(options: PreferenceTrainerOptions): Promise<RunRows> {
  const { maxLength: length, truncationMode: mode } = lengthArguments;
  const { model, maxLength = length.fallback, truncationMode = mode.fallback, dataName } = options;
  const rejected = rejectedRule(lossOf(options));
  const limits = { maxLength: maxLength ?? undefined, truncationMode };
  const tokenized: { train?: TokenizedPairs; evaluation?: TokenizedPairs } = {};
  const inTokens = async (which: "train" | "evaluation", rows: PreferenceTrainerOptions["train"]) => {
    if (areTokenized(rows)) return rows;
    const tokenizer = options.tokenizer ?? (await loadTokenizer(folderOf(model), { adapter: model.adapterFolder }));
    const name = originsOf(rows)[0] ?? dataName ?? which;
    tokenized[which] = await tokenizePairs(rows, tokenizer, { ...limits, rejected, name });
    return tokenized[which].pairs;
  };
  const train = await inTokens("train", options.train);
  if (train.length === 0) throw new InputError("Expected at least one pair for 'train' but received none");
  const evaluation = options.evaluation ? await inTokens("evaluation", options.evaluation) : [];
  expectFitModel([...train, ...evaluation], model);
  return { train, evaluation, tokenized, limits };
}

function folderOf({ folder }: CausalLM): string {
  if (folder !== undefined) return folder;
  throw new TypeError("Expected a 'tokenizer' for rows in text, as the model was not loaded from a folder, but received none");
}

function expectFitModel(pairs: readonly TokenizedPair[], { config }: CausalLM): void {
  const { maxPositionEmbeddings: limit, vocabSize } = config;
  for (const pair of pairs)
    for (const { ids } of answersOf(pair)) {
      if (ids.length > limit)
        throw new InputError(
          `Expected at most ${limit} tokens, the model's positions, in row ${pair.index} but received ${ids.length}; set max_length`,
        );
      const wrong = ids.find((id) => id >= vocabSize);
      if (wrong !== undefined)
        throw new InputError(
          `Expected token ids below the model's ${vocabSize} in row ${pair.index} but received ${wrong}; is the tokenizer this model's?`,
        );
    }
}

/** Tokens of the longest pair as it is packed: no batch can be smaller. */
export function longestPair({ train, evaluation }: RunRows, model: CausalLM): number {
  const layout = packOptionsOf(model);
  return [...train, ...evaluation].reduce((most, pair) => Math.max(most, pack([pair], layout).ids.length), 0);
}

/** Tokens of the longest completion. */
export function longestCompletion(pairs: readonly TokenizedPair[]): number {
  return pairs.flatMap(answersOf).reduce((most, { ids, start }) => Math.max(most, ids.length - start), 0);
}

/** A hash of the rows in tokens, in their order. */
export function rowsDigest(pairs: readonly TokenizedPair[]): string {
  const hash = createHash("sha256");
  for (const pair of pairs)
    for (const { ids, start } of answersOf(pair)) hash.update(Uint32Array.of(ids.length, start)).update(ids);
  return hash.digest("hex");
}
