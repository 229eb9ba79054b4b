/** `smaug score`: the log-probs of both answers of every row under a model, as one JSON line a pair. */
import { Command } from "commander";
import { integer, optional } from "../base/arguments";
import { InputError } from "../base/errors";
import { Progress } from "../base/terminal/progress";
import { loadPreferences } from "../data/rows/preferences";
import { describeRejectedRows, expectSomeKept, type RejectedRow } from "../data/rows/screening";
import { rowLength } from "../data/tokenize/lengths";
import { answersOf, type TokenizedPair } from "../data/tokenize/tokenizedPair";
import { tokenizeRows } from "../data/tokenize/tokenizePairs";
import { type CausalLM, loadModel } from "../models";
import { type LogProbs, type PairScore, scorePreferences } from "../preference";
import { loadTokenizer } from "../text";
import {
  adapterOption,
  columnMappingOption,
  datasetConfigOption,
  deviceOption,
  dtypeOption,
  type ModelFlags,
  modelOption,
  option,
  type RowFlags,
  rowOptions,
  splitOption,
} from "./options";
import { percent, print, printJson, tell, tellJson } from "./output";
import { expectWritable, modelInputs, writeLines } from "./outputFile";

interface Flags extends RowFlags, ModelFlags {
  data: string;
  out: string;
  perToken?: boolean;
  maxLength?: number;
  maxTokensPerBatch?: number;
  json?: boolean;
}

interface Summary {
  out: string;
  rows: number;
  scored: number;
  refused: number;
  refusals: readonly RejectedRow[];
  /** Means over the pairs, in nats. */
  chosen_logp: number;
  rejected_logp: number;
  /** Tokens of the completions, EOS included. */
  chosen_tokens: number;
  rejected_tokens: number;
  /** Share of pairs whose chosen answer is likelier than the rejected one. */
  accuracy: number;
  seconds: number;
  /** Tokens of both answers with their prompts, by the second. */
  tokens_per_second: number;
}

const notes = `
Every line has index (the row, counted from 0), chosen_logp and rejected_logp (sums over the answer's tokens, in nats),
chosen_tokens and rejected_tokens (including the token that ends the answer); with --per-token also chosen_token_logps and
rejected_token_logps. Lines are in the order of the rows.
Rows that cannot be scored have no line and are listed on standard error. That includes rows longer than the model's
max_position_embeddings, unless --max-length sets a different limit. Rows are never truncated.
With --out - the lines go to standard output and the summary to standard error.

Example:
  $ smaug score --model models/SmolLM2-135M-Instruct --adapter runs/dpop --data pairs.jsonl --out scores.jsonl
`;

export function scoreCommand(): Command {
  return new Command("score")
    .addOption(modelOption().makeOptionMandatory())
    .addOption(adapterOption())
    .requiredOption("--data <source>", "preference rows: a JSONL, JSON or Parquet file, a folder of them, or a hub id")
    .requiredOption("--out <file>", "where the lines go; - is standard output")
    .addOption(splitOption())
    .addOption(datasetConfigOption())
    .addOption(columnMappingOption())
    .option("--per-token", "also the log-prob of every token of the answers")
    .addOption(deviceOption())
    .addOption(dtypeOption())
    .addOption(option("--max-length <n>", optional(rowLength)))
    .addOption(
      option(
        "--max-tokens-per-batch <n>",
        optional(integer(0, "tokens run through the model at once, shared prompts counted once", { min: 1 })),
      ),
    )
    .option("--json", "print the summary as one JSON object")
    .addHelpText("after", notes)
    .action(score);
}

async function score(flags: Flags): Promise<void> {
  const { model: folder, adapter, data, out, device, dtype, json } = flags;
  expectWritable(out, [
    { path: data, option: "--data", kind: "data" },
    ...modelInputs(folder, "--model"),
    ...modelInputs(adapter, "--adapter"),
  ]);
  const rows = await loadPreferences(data, rowOptions(flags));
  const tokenizer = await loadTokenizer(folder, { adapter });
  const model = await loadModel(folder, { adapter, device, dtype });
  try {
    const tokenizing = new Progress("tokenizing", rows.length);
    const { pairs, refused } = await tokenizeRows(rows, tokenizer, {
      maxLength: flags.maxLength ?? model.config.maxPositionEmbeddings,
      name: data,
      onProgress: (done) => tokenizing.update(done),
    });
    expectSomeKept(pairs, refused, data, "scored");
    expectKnownIds(pairs, model, tokenizer.adapterPath ?? folder);
    if (refused.length > 0) tell(describeRejectedRows(refused, rows.length, "scored"));

    const totals = await writeScores(model, pairs, flags);
    const summary: Summary = {
      out,
      rows: rows.length,
      scored: pairs.length,
      refused: refused.length,
      refusals: refused,
      ...totals,
    };
    if (json) (out === "-" ? tellJson : printJson)(summary);
    else (out === "-" ? tell : print)(describe(summary));
  } finally {
    model.dispose();
  }
}

type Totals = Omit<Summary, "out" | "rows" | "scored" | "refused" | "refusals">;

/** Writes a line for each pair, as soon as it is there, to a file that appears when all of them are in it. */
async function writeScores(model: CausalLM, pairs: readonly TokenizedPair[], flags: Flags): Promise<Totals> {
  const { out, perToken = false, maxTokensPerBatch: maxTokens } = flags;
  const progress = new Progress("scoring", pairs.length);
  const sums = { chosenLogp: 0, rejectedLogp: 0, chosenTokens: 0, rejectedTokens: 0, right: 0 };
  const start = performance.now();
  const options = {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    onProgress: (done: number) => progress.update(done),
  };
  async function* lines(): AsyncGenerator<string> {
    for await (const pair of scorePreferences(model, pairs, options)) {
      sums.chosenLogp += pair.chosenLogp;
      sums.rejectedLogp += pair.rejectedLogp;
      sums.chosenTokens += pair.chosenTokenLogps.length;
      sums.rejectedTokens += pair.rejectedTokenLogps.length;
      sums.right += pair.chosenLogp > pair.rejectedLogp ? 1 : 0;
      yield JSON.stringify(toLine(pair, perToken));
    }
  }

  await writeLines(out, lines(), (line) => line);

  const seconds = (performance.now() - start) / 1000;
  const tokens = pairs.flatMap(answersOf).reduce((sum, { ids }) => sum + ids.length, 0);
  return {
    chosen_logp: sums.chosenLogp / pairs.length,
    rejected_logp: sums.rejectedLogp / pairs.length,
    chosen_tokens: sums.chosenTokens,
    rejected_tokens: sums.rejectedTokens,
    accuracy: sums.right / pairs.length,
    seconds: rounded(seconds, 3),
    tokens_per_second: rounded(tokens / seconds, 1),
  };
}

function toLine(pair: PairScore, perToken: boolean): object {
  const { index, chosenLogp, rejectedLogp, chosenTokenLogps, rejectedTokenLogps } = pair;
  return {
    index,
    chosen_logp: chosenLogp,
    rejected_logp: rejectedLogp,
    chosen_tokens: chosenTokenLogps.length,
    rejected_tokens: rejectedTokenLogps.length,
    ...(perToken ? { chosen_token_logps: shortest(chosenTokenLogps), rejected_token_logps: shortest(rejectedTokenLogps) } : {}),
  };
}

/** Nine digits tell any two float32 apart. */
function shortest(values: LogProbs): number[] {
  return Array.from(values, (value) => (values instanceof Float32Array ? Number(value.toPrecision(9)) : value));
}

function describe(summary: Summary): string {
  const { out, rows, scored, refused, seconds } = summary;
  const side = (logp: number, tokens: number) =>
    `mean log-prob ${logp.toFixed(4)}, ${(tokens / scored).toFixed(1)} tokens an answer`;
  return [
    `${scored} of ${rows} rows scored${refused > 0 ? `, ${refused} refused` : ""} in ${seconds.toFixed(1)} s ` +
      `(${Math.round(summary.tokens_per_second)} tokens/s)${out === "-" ? "" : `: ${out}`}`,
    `chosen    ${side(summary.chosen_logp, summary.chosen_tokens)}`,
    `rejected  ${side(summary.rejected_logp, summary.rejected_tokens)}`,
    `chosen likelier than rejected in ${percent(summary.accuracy)} of the pairs`,
  ].join("\n");
}

/** A tokenizer that knows more tokens than the model. */
function expectKnownIds(pairs: readonly TokenizedPair[], { config }: CausalLM, folder: string): void {
  for (const pair of pairs)
    for (const { ids } of answersOf(pair)) {
      const beyond = ids.find((id) => id >= config.vocabSize);
      if (beyond !== undefined)
        throw new InputError(
          `Expected token ids below the model's ${config.vocabSize} for row ${pair.index} but received ${beyond}; ` +
            `the tokenizer in '${folder}' is not this model's`,
        );
    }
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
