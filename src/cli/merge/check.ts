/** Checks that a merged model answers like the model with its adapter, by the log-probs of a few texts. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CausalLM } from "../../models";
import { companionPlaces } from "../../models/companions";
import { loadTokenizer } from "../../text";
import { type DType, noGrad, ops, tensor, tidy } from "../../torch";

export interface MergeCheck {
  ok: boolean;
  sequences: number;
  tokens: number;
  /** In nats: of the sum over a sequence, and of one token. */
  largest_sequence_delta: number;
  largest_token_delta: number;
  /** What one token may differ by. */
  tolerance: number;
}

/**
 * Nats a token may differ by when the weights are written in a dtype, about four times what was seen on SmolLM2-135M
 * with every linear layer adapted and 192 tokens at random: 0.00005 in float32, 0.012 in float16, 0.11 in bfloat16.
 */
const tolerances: Partial<Record<DType, number>> = { float64: 1e-3, float32: 1e-3, float16: 0.05, bfloat16: 0.4 };

const texts = [
  "The library opens at nine. On Saturdays it closes early, and on Sundays it does not open at all.",
  "Question: A train leaves at 14:05 and arrives at 16:50. How long is the journey?\nAnswer: 2 hours 45 minutes.",
  "def mean(values):\n    return sum(values) / len(values)\n\nprint(mean([1, 2, 3, 4]))\n",
  "Die Katze schläft auf dem Sofa, während draußen der Regen gegen die Scheiben schlägt.",
  '{"name": "Ada", "born": 1815, "fields": ["mathematics", "computing"]}',
  "User: What is the capital of France?\nAssistant: The capital of France is Paris.",
];

/** Token ids of the texts above; where the model has no tokenizer, ids drawn evenly. */
export async function sampleSequences({ folder, adapterFolder, config }: CausalLM): Promise<number[][]> {
  if (folder !== undefined && existsSync(join(companionPlaces(folder, adapterFolder).tokenizer, "tokenizer.json"))) {
    const tokenizer = await loadTokenizer(folder, { adapter: adapterFolder });
    return texts.map((text) => tokenizer.encode(text)).filter((ids) => Math.max(...ids) < config.vocabSize);
  }
  // A multiplicative generator: the same ids for the same vocabulary, and no draw from libtorch's.
  let state = 1;
  const draw = () => (state = (state * 48271) % 2147483647) % config.vocabSize;
  return texts.map(() => Array.from({ length: 32 }, draw));
}

/** The log-prob of every token but the first, for each sequence. */
export function tokenLogProbs(model: CausalLM, sequences: readonly number[][]): Float64Array[] {
  return sequences.map((ids) =>
    tidy(() =>
      noGrad(() => {
        const row = tensor([ids], { dtype: "int64", device: model.device });
        const logits = model
          .forward(row)
          .squeeze(0)
          .narrow(0, 0, ids.length - 1); // [tokens - 1, vocab]
        const targets = row.squeeze(0).narrow(0, 1, ids.length - 1);
        const losses = ops.crossEntropyLoss(logits, targets, { reduction: "none" });
        return losses.neg().to({ dtype: "float64" }).toArray() as Float64Array;
      }),
    ),
  );
}

/** Compares two models' log-probs of the same sequences. A NaN difference fails. */
export function compareLogProbs(a: readonly Float64Array[], b: readonly Float64Array[], written: DType): MergeCheck {
  const deltas = a.map((values, i) => Array.from(values, (value, token) => value - b[i]![token]!));
  const largest = (values: readonly number[]) => Math.max(...values.map(Math.abs));
  const ofTokens = largest(deltas.map(largest));
  const tolerance = tolerances[written]!;
  return {
    ok: ofTokens <= tolerance,
    sequences: a.length,
    tokens: deltas.reduce((sum, each) => sum + each.length, 0),
    largest_sequence_delta: largest(deltas.map((each) => each.reduce((sum, delta) => sum + delta, 0))),
    largest_token_delta: ofTokens,
    tolerance,
  };
}
