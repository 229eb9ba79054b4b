import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type PlainRow, tokenizePairs } from "../../../src/data";
import { expectBothAnswers } from "../../../src/data/tokenize/tokenizedPair";
import { loadModel } from "../../../src/models";
import { ownDefaults } from "../../../src/paper/settings";
import { chanceOf, questionsOf, wayToAnswer } from "../../../src/paper/study/ownAnswers";
import { OwnModel } from "../../../src/paper/study/ownModel";
import { paperStudy, type Study } from "../../../src/paper/study/plan";
import { runStudy } from "../../../src/paper/study/run";
import { splitByDistance } from "../../../src/paper/study/subject";
import { scorePreferences } from "../../../src/preference";
import { completionOf } from "../../../src/preference/difference";
import { loadTokenizer } from "../../../src/text";
import { memory } from "../../../src/torch";
import { temporaryFolders } from "../../models/folders";
import { folderOf } from "../../parity/fixture";
import { settledTensors } from "../../setup/garbage";

const folder = temporaryFolders();
const name = folderOf("score", "model");
const study: Study = { ...paperStudy, corpora: ["low", "high"], grid: [] };
const settings = { ...ownDefaults, steps: 3, batchSize: 2, learningRate: 1e-2, heldOut: 2, rank: 2 };

const words = ["one", "two", "four", "five", "six", "nine", "ten", "sky"];
/** A prompt with two wrong choices, which are two rows. */
const rows = Array.from({ length: 40 }, (_, i): PlainRow => {
  const word = (at: number) => words[at % words.length]!;
  const n = Math.floor(i / 2);
  return {
    index: i,
    prompt: `what is ${n}`,
    chosen: ` ${word(n)} and ${word(n + 1)}`,
    rejected: i % 2 === 0 ? ` ${word(n)} and ${word(n + 2)}` : ` the answer is ${word(n + 3)} so`,
  };
});

async function subjectIn(path: string) {
  const [model, tokenizer] = [await loadModel(name), await loadTokenizer(name)];
  const { pairs } = await tokenizePairs(rows, tokenizer, { cacheDir: null });
  expectBothAnswers(pairs, "this test");
  const sources = splitByDistance([{ name: "rows.jsonl", digest: "1", rows: pairs }], ({ chosen, rejected }) => [
    completionOf(chosen),
    completionOf(rejected),
  ]);
  return {
    subject: await OwnModel.of({
      folder: path,
      name,
      model,
      tokenizer,
      sources,
      settings,
      device: "cpu",
      referenceCache: join(path, "cache"),
    }),
    sources,
  };
}

async function run(path: string) {
  const phases: string[] = [];
  const { subject, sources } = await subjectIn(path);
  using _ = subject;
  const startPhase = (label: string) => (phases.push(label), { update: () => {}, finish: () => {} });
  return { result: await runStudy({ preset: "paper", study, subject, seeds: [3], folder: path, startPhase }), phases, sources };
}

test("every method trains an adapter of its own from the model, measured on prompts that were held out", async () => {
  const path = join(folder(), "study");
  const before = await settledTensors();
  const { result, sources } = await run(path);
  expect(memory().tensors).toBe(before);
  expect(result.cells).toHaveLength(14);
  expect(result.references).toEqual([]);
  expect(result.subject.corpora.low!.accuracy).toMatch(/likelier than every rejected one/);
  for (const corpus of study.corpora) {
    const cells = result.cells.filter((cell) => cell.corpus === corpus);
    const start = cells[0]!;
    for (const { curve, measures, method } of cells.slice(1)) {
      expect(curve.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
      expect(curve[0]!.chosen).toBeCloseTo(start.measures.chosen_logp, 4);
      expect(measures.chosen_logp, method).not.toBeCloseTo(start.measures.chosen_logp, 3);
    }
    const dpo = cells.find(({ method }) => method === "dpo")!;
    expect(dpo.curve.at(-1)!.chosen).toBeCloseTo(dpo.measures.chosen_logp, 4);
  }
  expect(existsSync(join(path, "runs/seed-3_low_dpop_beta-0.3_lambda-50/adapter_model.safetensors"))).toBe(true);

  // The reference's mean is that of some of the rows, scored apart: two prompts of the source are held out.
  using model = await loadModel(name);
  const sums = new Map<string, number[]>();
  for await (const { index, chosenLogp } of scorePreferences(model, sources.low.rows)) {
    const { prompt } = rows[index]!;
    sums.set(prompt, [...(sums.get(prompt) ?? []), chosenLogp]);
  }
  const prompts = [...sums.keys()];
  const held = Math.min(settings.heldOut, Math.max(1, Math.floor(prompts.length / 10)));
  const means = subsets(prompts, held).map((some) => {
    const all = some.flatMap((prompt) => sums.get(prompt)!);
    return all.reduce((total, value) => total + value, 0) / all.length;
  });
  const { chosen_logp: measured } = result.cells.find((cell) => cell.corpus === "low")!.measures;
  expect(Math.min(...means.map((value) => Math.abs(value - measured)))).toBeLessThan(1e-4);
});

test("goes on cell by cell, and comes to the same numbers", async () => {
  const path = join(folder(), "study");
  const first = await run(path);
  expect(readdirSync(join(path, "cells"))).toHaveLength(14);
  const second = await run(path);
  expect(second.phases).toEqual([]);
  expect(second.result).toEqual(first.result);
  const other = await run(join(folder(), "other"));
  const numbers = ({ result }: typeof first) => result.cells.map((cell) => ({ ...cell, seconds: 0 }));
  expect(numbers(other)).toEqual(numbers(first));
});

test("answers are generated where every chosen one ends in a final answer, else chosen among the rows' answers", async () => {
  const tokenizer = await loadTokenizer(name);
  const questions = async (chosen: string, other: string) => {
    const made = [chosen, other].map((text, index) => ({ index, prompt: `what is ${index}`, chosen: text, rejected: " five" }));
    const { pairs } = await tokenizePairs(made, tokenizer, { cacheDir: null });
    expectBothAnswers(pairs, "this test");
    return questionsOf(pairs, ({ index }) => String(index), tokenizer);
  };
  expect(wayToAnswer(await questions(" one #### 1", " two The answer is: 2"))).toBe("generate");
  expect(wayToAnswer(await questions(" one #### 1", " two"))).toBe("choose");
});

function subsets<T>(list: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return list.flatMap((each, i) => subsets(list.slice(i + 1), size - 1).map((rest) => [each, ...rest]));
}

test("guessing among n rejected answers and the chosen one is right one time in n + 1", () => {
  const question = (rejected: number) => ({
    prompt: [1],
    chosen: "a",
    tokens: 1,
    pairs: Array.from({ length: rejected }, (_, at) => ({ at, chosen: "a", rejected: "b" })),
  });
  expect(chanceOf([question(1), question(3)])).toBe((1 / 2 + 1 / 4) / 2);
});
