import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expectBothAnswers, type TokenizedAnswer } from "../../src/data/tokenize/tokenizedPair";
import { tokenizePairs } from "../../src/data/tokenize/tokenizePairs";
import { measureRuns } from "../../src/evaluate/diagnosis/measure";
import { baseOf, closeRuns, openRuns } from "../../src/evaluate/diagnosis/runs";
import { tokenTexts } from "../../src/evaluate/diagnosis/samples";
import { type CausalLM, loadModel, saveModel } from "../../src/models";
import { completionOf } from "../../src/preference/difference";
import { loadTokenizer } from "../../src/text";
import { memory, tensor, tidy } from "../../src/torch";
import { temporaryFolders } from "../models/folders";
import { fixture, folderOf } from "../parity/fixture";
import { settledTensors } from "../setup/garbage";

type Expected = Record<"chosen_token_logps" | "rejected_token_logps", number[]>;
const { rows, ...expected } = fixture<{
  rows: { plain: { prompt: string; chosen: string; rejected: string }[] };
  model: { plain: Expected[] };
  adapter: { plain: Expected[] };
}>("score");
const folder = temporaryFolders();
const model = folderOf("score", "model");
const adapter = folderOf("score", "adapter");

async function pairsOf() {
  const numbered = rows.plain.map((row, index) => ({ index, ...row }));
  return (await tokenizePairs(numbered, await loadTokenizer(model), { cacheDir: null })).pairs;
}

/** The last hidden states that predict an answer's tokens, summed, from a pass over this answer alone. */
function hiddenSum(reference: CausalLM, { ids, start }: TokenizedAnswer): number[] {
  return tidy(() => {
    const states = reference.hidden(tensor([[...ids].map(BigInt)])).toList() as number[][][];
    const predicting = states[0]!.slice(start - 1, -1);
    return predicting[0]!.map((_, i) => predicting.reduce((sum, row) => sum + row[i]!, 0));
  });
}
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

function expectNear(actual: ArrayLike<number>, wanted: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(wanted.length);
  const worst = Math.max(...wanted.map((value, i) => Math.abs(value - actual[i]!)));
  expect(worst).toBeLessThanOrEqual(tolerance);
}

describe("measureRuns", () => {
  test("scores the reference and an adapter of it as transformers does, in the order of the pairs", async () => {
    const pairs = await pairsOf();
    const reference = await loadModel(model);
    const runs = await openRuns(reference, [{ folder: adapter, name: "default" }]);
    const measured = await measureRuns(reference, runs, pairs, { maxTokens: 24 });
    const scores = { model: measured.reference, adapter: measured.runs[0]!.scores };
    for (const name of ["model", "adapter"] as const)
      expected[name].plain.forEach((wanted, i) => {
        expectNear(scores[name][i]!.chosen, wanted.chosen_token_logps, 2e-5);
        expectNear(scores[name][i]!.rejected, wanted.rejected_token_logps, 2e-5);
      });
    expect(measured.runs[0]!.name).toBe("default");
    reference.dispose();
  });

  test("has the CHES score of each pair under the reference", async () => {
    const pairs = await pairsOf();
    expectBothAnswers(pairs, "this test");
    const reference = await loadModel(model);
    const { ches } = await measureRuns(reference, [], pairs);
    pairs.forEach(({ chosen, rejected }, i) => {
      const [w, l] = [hiddenSum(reference, chosen), hiddenSum(reference, rejected)];
      const [m, n] = [completionOf(chosen).length, completionOf(rejected).length];
      expectNear([ches[i]!.plain], [dot(w, l) - dot(w, w)], 1e-2 + 1e-5 * dot(w, w));
      expectNear([ches[i]!.normalised], [dot(w, l) / (m * n) - dot(w, w) / m ** 2], 1e-4);
    });
    reference.dispose();
  });

  test("a run may be a model of its own, and all of them go when they are closed", async () => {
    const pairs = await pairsOf();
    const before = await settledTensors();
    const reference = await loadModel(model);
    const trained = join(folder(), "trained");
    await saveModel(reference, trained);
    const runs = await openRuns(reference, [{ folder: trained, name: "trained" }]);
    const measured = await measureRuns(reference, runs, pairs);
    measured.reference.forEach((answers, i) => expect(measured.runs[0]!.scores[i]).toEqual(answers));
    closeRuns(runs);
    reference.dispose();
    expect(memory().tensors).toBe(before);
  });
});

test("tokens' texts make up the answer, without text for the token that ends it", async () => {
  const tokenizer = await loadTokenizer(model);
  const row = { index: 0, prompt: "the sky is", chosen: " blue é 🙂", rejected: " grey" };
  const { pairs } = await tokenizePairs([row], tokenizer, { cacheDir: null });
  const texts = tokenTexts(pairs[0]!.chosen, tokenizer);
  expect(texts.join("")).toBe(row.chosen);
  expect(texts).toHaveLength(completionOf(pairs[0]!.chosen).length);
  expect(texts.at(-1)).toBe("");
});

describe("bad input", () => {
  /** An adapter with another line in its config. */
  function changed(change: Record<string, unknown>): string {
    const path = folder(adapter);
    const file = join(path, "adapter_config.json");
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...change }));
    return path;
  }

  test("the base is what all adapters name", () => {
    expect(baseOf([adapter, folder(adapter)])).toBe("score/model");
    expect(() => baseOf([adapter, changed({ base_model_name_or_path: "other" })])).toThrow(
      /was made from score\/model and '.*' from other; .*--model/,
    );
    expect(() => baseOf([changed({ base_model_name_or_path: null })])).toThrow(/name the reference with --model/);
    expect(() => baseOf([model])).toThrow(/name the reference with --model/);
    expect(() => baseOf([folder()])).toThrow(/adapter_config\.json or config\.json, but received neither/);
  });

  test("refuses an adapter and a model of another base", async () => {
    const reference = await loadModel(model);
    const adapted = changed({ r: 4 });
    await expect(openRuns(reference, [{ folder: adapted, name: "a" }])).rejects.toThrow(/does not fit the model/);
    const other = folderOf("models", "gemma2");
    await expect(openRuns(reference, [{ folder: other, name: "a" }])).rejects.toThrow(
      /Expected a model made from .* but its \w+ is \d+/,
    );
    reference.dispose();
  });
});
