/** Real models against transformers on the same GGUF file (scripts/parity/real.py). */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { cacheFolder } from "../../src/base/package";
import { generateSync } from "../../src/generate";
import { type CausalLM, loadModel } from "../../src/models";
import { loadTokenizer, type Tokenizer } from "../../src/text";
import { noGrad, ops, type Tensor, tensor, tidy } from "../../src/torch";
import { fixture } from "../parity/fixture";
import { blocks, hard, lines } from "../parity/text/lines";

interface Evidence {
  prompts: number[][];
  greedy: number[][];
  texts: number[][];
  logProbs: number[];
  logits: { positions: number[]; columns: number[]; values: number[]; argmax: number[]; logsumexp: number[] };
  tokens: { hard: number[][]; blocks: string[] };
}

const minutes = 60_000;

const {
  block,
  lines: lineCount,
  newTokens,
  prompts,
  texts,
  ...models
} = fixture<{ block: number; lines: number; newTokens: number; prompts: string[]; texts: string[] } & Record<string, unknown>>(
  "real",
);

/** The tests of one model; without its weights, one that says so. */
export function compare(name: string): void {
  const file = join(cacheFolder(process.env), "weights", `${name}.gguf`);
  if (existsSync(file)) describe(name, () => compareWith(file, models[name] as Evidence));
  else {
    const missing = `NOT TESTED: the weights of ${name} are not there; fetch them with: npm run fetch:weights`;
    test(missing, () => {
      console.warn(missing); // passed tests are not named in the summary
      expect(models[name]).toBeDefined();
    });
  }
}

function compareWith(file: string, expected: Evidence): void {
  let model: CausalLM;
  let tokenizer: Tokenizer;

  beforeAll(async () => {
    model = await loadModel(file);
    tokenizer = await loadTokenizer(file);
  }, minutes);

  test("token ids on mixed text are the Python library's", () => {
    expect(hard.map((line) => tokenizer.encode(line))).toEqual(expected.tokens.hard);
    const ids = lines(lineCount).map((line) => tokenizer.encode(line));
    expect(blocks(ids, block)).toEqual(expected.tokens.blocks);
    expect(prompts.map((prompt) => tokenizer.encode(prompt))).toEqual(expected.prompts);
    expect(texts.map((text) => tokenizer.encode(text))).toEqual(expected.texts);
  });

  test("logits differ by at most 2e-4", () => {
    const { positions, columns, values, argmax, logsumexp } = expected.logits;
    tidy(() => {
      const logits = logitsOf(model, expected.texts[0]!); // [seq, vocab]
      const ids = (list: number[]) => tensor(list, { dtype: "int64" });
      const chosen = logits.indexSelect(0, ids(positions)).indexSelect(1, ids(columns));
      expect(distance(chosen, values)).toBeLessThanOrEqual(2e-4);
      expect(distance(logits.logsumexp([1]), logsumexp)).toBeLessThanOrEqual(2e-4);
      expect(Array.from(logits.argmax(-1).toArray(), Number)).toEqual(argmax);
    });
  });

  test("log-probs of texts differ by less than 1e-3 nats", () => {
    const sums = expected.texts.map((ids) => tidy(() => logProb(model, ids)));
    expect(Math.max(...sums.map((sum, i) => Math.abs(sum - expected.logProbs[i]!)))).toBeLessThan(1e-3);
  });

  test(
    `greedy answers of ${newTokens} tokens to ${prompts.length} prompts are identical`,
    () => {
      const answers = generateSync(model, expected.prompts, { maxNewTokens: newTokens, eosTokenId: [] });
      expect(answers.map(({ tokens }) => tokens)).toEqual(expected.greedy);
    },
    4 * minutes,
  );
}

/** `[seq, vocab]` */
function logitsOf(model: CausalLM, ids: readonly number[]): Tensor {
  return noGrad(() => model.forward(tensor([[...ids]], { dtype: "int64" })).squeeze(0));
}

/** The sum over all tokens but the first. */
function logProb(model: CausalLM, ids: readonly number[]): number {
  const logps = ops.logSoftmax(
    logitsOf(model, ids)
      .narrow(0, 0, ids.length - 1)
      .to("float64"),
    -1,
  );
  const next = tensor(ids.slice(1), { dtype: "int64" }).unsqueeze(1);
  return logps.gather(1, next).sum().item() as number;
}

/** The largest difference. */
function distance(actual: Tensor, expected: readonly number[]): number {
  return actual
    .to("float64")
    .flatten()
    .sub(tensor([...expected], { dtype: "float64" }))
    .abs()
    .max()
    .item() as number;
}
