/** The paper's recipes on the data sets' own formats, against the harness's prompts (scripts/parity/recipes.py). */
import { expect, test } from "vitest";
import { arc, hellaswag } from "../../src/data/recipes/choices";
import { metamath } from "../../src/data/recipes/metamath";
import { makePairs } from "../../src/data/recipes/pairs";
import { pairOf, type Recipe } from "../../src/data/recipes/recipe";
import { StatisticsCollector } from "../../src/data/recipes/statistics";
import { fixture, folderOf } from "./fixture";

interface Asked {
  /** With every choice of none, one or two of the other rows as examples. */
  prompts: string[];
  /** What the harness scores after the prompt. */
  answers: string[];
  gold: number;
}

const expected = fixture<Record<"arc" | "hellaswag" | "metamath", Asked[]>>("recipes");
const recipes: Record<string, Recipe> = { arc, hellaswag, metamath };

async function pairsOf(recipe: Recipe, source: string, seed: number, maxShots: number, split?: string) {
  const made = [];
  const statistics = new StatisticsCollector(seed, maxShots);
  for await (const parts of makePairs(recipe, source, { seed, maxShots, split }, statistics)) made.push(pairOf(parts));
  return { pairs: made, statistics: statistics.summary() };
}

const sources = [
  ["arc", "ai2_arc", "train"],
  ["arc", "ai2_arc/ARC-Challenge/train-00000-of-00001.parquet", undefined],
  ["arc", "arc_train.jsonl", undefined],
  ["hellaswag", "hellaswag", "train"],
  ["hellaswag", "hellaswag_train.jsonl", undefined],
  ["metamath", "MetaMathQA.json", undefined],
] as const;

test.each(sources)("%s from %s: every prompt is one of the harness's, and all of them appear", async (name, file, split) => {
  const rows = expected[name];
  const seen = rows.map(() => new Set<string>());
  for (let seed = 0; seed < 60; seed++) {
    const { pairs } = await pairsOf(recipes[name]!, folderOf("recipes", file), seed, 2, split);
    let at = 0;
    for (const [i, { prompts, answers, gold }] of rows.entries()) {
      const count = Math.max(1, answers.length - 1);
      const own = pairs.slice(at, (at += count));
      expect(own.map(({ chosen }) => chosen)).toEqual(new Array(count).fill(answers[gold]));
      if (answers.length > 1) expect(own.map(({ rejected }) => rejected)).toEqual(answers.filter((_, choice) => choice !== gold));
      const [prompt, ...others] = new Set(own.map((pair) => pair.prompt));
      expect(others).toEqual([]);
      expect(prompts).toContain(prompt);
      seen[i]!.add(prompt!);
    }
    expect(at).toBe(pairs.length);
  }
  // Each of five prompts misses 60 draws with at most (5/6)^60, 2 in 100,000.
  expect(seen.map((prompts) => prompts.size)).toEqual(rows.map(({ prompts }) => prompts.length));
});

test("a split without labels, and one without rows, make no pairs", async () => {
  await expect(pairsOf(hellaswag, folderOf("recipes", "hellaswag"), 0, 4, "test")).rejects.toThrow(
    /rows that make pairs in the split 'test' of '.*hellaswag', but none does:\n2 rows: no choice is the correct one \(rows 0, 1\)/,
  );
  await expect(pairsOf(arc, folderOf("recipes", "ai2_arc"), 0, 4, "validation")).rejects.toThrow(
    /at least one row in the split 'validation' of '.*ai2_arc' but received none; every row is as in allenai\/ai2_arc/,
  );
});

test("a file of another data set names the columns it has and those it should have", async () => {
  const other = folderOf("recipes", "ai2_arc/ARC-Easy/train-00000-of-00001.parquet");
  await expect(pairsOf(hellaswag, other, 0, 0)).rejects.toThrow(
    /the column 'activity_label', 'ctx_a', 'ctx_b', 'endings', 'label' in '.*' but received only 'id', 'question', 'choices', 'answerKey'/,
  );
  await expect(pairsOf(metamath, folderOf("recipes", "arc_train.jsonl"), 0, 0)).rejects.toThrow(
    /the column 'query', 'response' in '.*arc_train\.jsonl', line 1 but received only 'id', .*; every row is as in MetaMathQA/,
  );
});
