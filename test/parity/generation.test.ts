/** Logits processors and `generate` against transformers' (scripts/parity/generation.py). */
import { beforeAll, describe, expect, test } from "vitest";
import { generateSync } from "../../src/generate";
import { type ProcessorSettings, processScores } from "../../src/generate/sampling";
import { type CausalLM, loadModel } from "../../src/models";
import { tensor, tidy } from "../../src/torch";
import { expectClose, fixture, folderOf, leakedBy, wave } from "./fixture";

/** Options under transformers' names. */
interface Options {
  repetition_penalty?: number;
  min_new_tokens?: number;
  temperature?: number;
  top_k?: number;
  top_p?: number;
  min_p?: number;
  eos_token_id?: number | number[];
}

const expected = fixture<{
  scores: { shape: number[]; scale: number };
  ids: number[][];
  eos: number[];
  processors: { options: Options; scores: (number | null)[] }[];
  prompts: number[][];
  maxNewTokens: number;
  answers: Record<string, { options: Options; answers: number[][] }[]>;
  firstToken: { prompt: number[]; temperature: number; probabilities: number[] };
}>("generation");

const settingsOf = (options: Options): ProcessorSettings => ({
  repetitionPenalty: options.repetition_penalty,
  temperature: options.temperature,
  topK: options.top_k,
  topP: options.top_p,
  minP: options.min_p,
});

test.each(expected.processors)("scores after $options", ({ options, scores }) => {
  const { shape, scale } = expected.scores;
  const leaked = leakedBy(() => {
    const ids = tensor(expected.ids, { dtype: "int64" });
    const eos = options.min_new_tokens ? tensor(expected.eos, { dtype: "int64" }) : undefined;
    const given = wave(shape, scale);
    const processed = processScores(given, ids, eos, settingsOf(options));
    const removed = scores.map((score) => score === null);
    expect(Array.from(processed.toArray() as Float32Array, (score) => score === -Infinity)).toEqual(removed);
    const finite = (value: number) => (value === -Infinity ? 0 : value);
    expectClose(
      processed.maskedFill(processed.isinf(), 0),
      scores.map((score) => finite(score ?? 0)),
      1e-6,
    );
    expect(given.toList()).toEqual(wave(shape, scale).toList()); // it is not written into
  });
  expect(leaked).toBe(0);
});

describe.each(Object.entries(expected.answers))("greedy answers of %s", (name, cases) => {
  let model: CausalLM;
  beforeAll(async () => void (model = await loadModel(folderOf("folders", name))));

  const answer = (prompts: number[][], options: Options) =>
    generateSync(model, prompts, {
      maxNewTokens: expected.maxNewTokens,
      repetitionPenalty: options.repetition_penalty,
      minNewTokens: options.min_new_tokens,
      eosTokenId: options.eos_token_id ?? [],
    }).map(({ tokens }) => tokens);

  test.each(cases)("$options, in a batch and each alone", ({ options, answers }) => {
    expect(answer(expected.prompts, options)).toEqual(answers);
    expect(expected.prompts.flatMap((prompt) => answer([prompt], options))).toEqual(answers);
  });
});

test("a first token is drawn with the probabilities that transformers gives it", async () => {
  const { prompt, temperature, probabilities } = expected.firstToken;
  const model = await loadModel(folderOf("folders", "single"));
  const draws = 8000;
  const rows = Array<number[]>(draws).fill(prompt);
  const counts = Array<number>(probabilities.length).fill(0);
  for (const { tokens } of tidy(() => generateSync(model, rows, { maxNewTokens: 1, temperature, seed: 1 })))
    counts[tokens[0]!]!++;
  model.dispose();
  // Pearson's chi-square over the tokens expected 5 times or more, the others as one.
  const cells = probabilities.map((p, token) => ({ mean: p * draws, count: counts[token]! }));
  const rare = cells.filter(({ mean }) => mean < 5);
  const sum = (key: "mean" | "count") => rare.reduce((total, cell) => total + cell[key], 0);
  const bins = [...cells.filter(({ mean }) => mean >= 5), { mean: sum("mean"), count: sum("count") }];
  const statistic = bins.reduce((total, { mean, count }) => total + (count - mean) ** 2 / mean, 0);
  const freedom = bins.length - 1;
  expect(freedom).toBeGreaterThan(5);
  expect(statistic).toBeLessThan(freedom + 3.1 * Math.sqrt(2 * freedom)); // about one wrong seed in 500
});
