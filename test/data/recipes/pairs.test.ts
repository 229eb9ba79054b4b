import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InputError } from "../../../src/base/errors";
import { arc, hellaswag } from "../../../src/data/recipes/choices";
import { columnPairs } from "../../../src/data/recipes/columns";
import { metamath } from "../../../src/data/recipes/metamath";
import { makePairs, type PairOptions } from "../../../src/data/recipes/pairs";
import { lineOf, pairOf, type Recipe } from "../../../src/data/recipes/recipe";
import { StatisticsCollector } from "../../../src/data/recipes/statistics";
import type { Tokenizer } from "../../../src/text";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "smaug-recipes-"))));
afterAll(() => rmSync(folder, { recursive: true }));

interface Options extends Partial<PairOptions> {
  tokenizer?: Tokenizer;
}

async function made(recipe: Recipe, rows: readonly unknown[], { tokenizer, ...options }: Options = {}) {
  const file = join(folder, `${recipe.name}.json`);
  writeFileSync(file, JSON.stringify(rows));
  const settings = { seed: 0, maxShots: 0, ...options };
  const statistics = new StatisticsCollector(settings.seed, settings.maxShots, tokenizer);
  const pairs = [];
  for await (const parts of makePairs(recipe, file, settings, statistics)) {
    const pair = pairOf(parts);
    expect(lineOf(parts)).toBe(JSON.stringify(pair));
    pairs.push(pair);
  }
  return { pairs, statistics: statistics.summary() };
}

const sum = (i: number) => ({
  type: "GSM_AnsAug",
  query: `What is ${i} + 10, doubled?`,
  original_question: `Add ${i} and 10.`,
  response: `${i} + 10 = ${i + 10}. Doubled it is 2 * ${i + 10} = ${2 * i + 20}.\n#### ${2 * i + 20}\nThe answer is: ${2 * i + 20}`,
});
const sums = Array.from({ length: 60 }, (_, i) => sum(i));

describe("metamath", () => {
  test("rejected is chosen with one result replaced, and the final answer as it was", async () => {
    const { pairs } = await made(metamath, sums);
    expect(pairs).toHaveLength(60);
    for (const [i, { prompt, chosen, rejected }] of pairs.entries()) {
      expect(prompt).toBe(`Question: ${sums[i]!.query}\nAnswer:`);
      expect(chosen).toBe(` ${sums[i]!.response}`);
      const [right, wrong] = [chosen, rejected].map((text) => text.split("####")) as [string[], string[]];
      expect(wrong[1]).toBe(right[1]);
      const differing = right[0]!.split(" ").filter((word, at) => word !== wrong[0]!.split(" ")[at]);
      expect(differing).toHaveLength(1);
      expect(differing[0]).toMatch(new RegExp(`^(${i + 10}|${2 * i + 20})\\.`));
    }
  });

  test("the rows that make no pair are counted, with the reason", async () => {
    const none = { ...sum(1), response: "It is nineteen. #### 19" };
    const open = { ...sum(2), response: "2 + 10 = 12" };
    const { pairs, statistics } = await made(metamath, [
      sum(0),
      none,
      open,
      { ...sum(3), response: " " },
      none,
      { ...sum(4), query: "" },
      { query: "3?", response: null },
    ]);
    expect(pairs).toHaveLength(1);
    expect(statistics).toMatchObject({ rows: 7, rows_used: 1, pairs: 1, unusable_rows: 6, unusable_share: 6 / 7 });
    expect(statistics.unusable).toEqual([
      { reason: "the response has no intermediate result ('= 12')", count: 2, rows: [1, 4] },
      { reason: "the response states no final answer ('####' or 'The answer is')", count: 1, rows: [2] },
      { reason: "the response is empty", count: 1, rows: [3] },
      { reason: "the query is empty", count: 1, rows: [5] },
      { reason: "there is no 'response'", count: 1, rows: [6] },
    ]);
  });

  test("rows of which none has an intermediate result are refused", async () => {
    const none = { query: "Is 7 prime?", response: "Yes. The answer is: yes" };
    await expect(made(metamath, [none, none])).rejects.toThrow(InputError);
    await expect(made(metamath, [none, none])).rejects.toThrow(
      /rows that make pairs in '.*metamath\.json', but none does:\n2 rows: the response has no intermediate result .*\nName another file or split; every row/,
    );
  });
});

describe("few-shot prompts", () => {
  test("follow from the seed, whatever number of rows is taken", async () => {
    const all = await made(metamath, sums, { maxShots: 4, seed: 5 });
    expect(await made(metamath, sums, { maxShots: 4, seed: 5 })).toEqual(all);
    const some = await made(metamath, sums, { maxShots: 4, seed: 5, limit: 7 });
    expect(some.pairs).toEqual(all.pairs.slice(0, 7));
    expect(some.statistics.rows).toBe(7);
    const other = await made(metamath, sums, { maxShots: 4, seed: 6 });
    expect(other.pairs.map(({ prompt }) => prompt)).not.toEqual(all.pairs.map(({ prompt }) => prompt));
    const without = await made(metamath, sums, { seed: 5 });
    expect(without.pairs.map(({ rejected }) => rejected)).toEqual(all.pairs.map(({ rejected }) => rejected));
  });

  test("show no row that asks the same as the row itself or another of them", async () => {
    const rows = [...sums.slice(0, 4), ...sums.slice(0, 4).map((row) => ({ ...row, query: `Again: ${row.query}` }))];
    for (let seed = 0; seed < 20; seed++)
      for (const { prompt } of (await made(metamath, rows, { maxShots: 4, seed })).pairs) {
        const asked = [...prompt.matchAll(/What is (\d+) \+ 10/g)].map((match) => match[1]);
        expect(new Set(asked).size).toBe(asked.length);
      }
  });

  test("are as many as there are when there are fewer", async () => {
    const { statistics } = await made(metamath, sums.slice(0, 1), { maxShots: 4 });
    expect(statistics.shots).toEqual([1, 0, 0, 0, 0]);
  });
});

const question = {
  id: "1",
  question: "Hot?",
  choices: { text: ["ice", "fire", "snow"], label: ["1", "2", "3"] },
  answerKey: "2",
};

describe("choices", () => {
  test("the correct one against each wrong one; none correct is counted", async () => {
    const { pairs, statistics } = await made(arc, [question, { ...question, answerKey: "B" }, { ...question, answerKey: "" }]);
    expect(pairs).toEqual([
      { prompt: "Question: Hot?\nAnswer:", chosen: " fire", rejected: " ice" },
      { prompt: "Question: Hot?\nAnswer:", chosen: " fire", rejected: " snow" },
    ]);
    expect(statistics.unusable).toEqual([{ reason: "no choice is the correct one", count: 2, rows: [1, 2] }]);
  });

  test("a wrong choice that is the correct one, or empty once it is cleaned, is left out and counted", async () => {
    const row = { activity_label: "A", ctx_a: "b.", ctx_b: "c", endings: ["d", " d", "[e]", "f"], label: 0 };
    const { pairs, statistics } = await made(hellaswag, [row]);
    expect(pairs).toEqual([{ prompt: "A: b. C", chosen: " d", rejected: " f" }]);
    expect(statistics.left_out_pairs).toEqual([
      { reason: "the wrong answer is the right one", count: 1, rows: [0] },
      { reason: "the wrong answer is empty", count: 1, rows: [0] },
    ]);
  });

  test("a value of another type names the row", async () => {
    await expect(made(arc, [question, { ...question, choices: "ice, fire" }])).rejects.toThrow(
      /an object for 'choices' but received "ice, fire", in '.*arc\.json', row 1 \(counted from 0\); every row is as in allenai/,
    );
    await expect(made(arc, [4])).rejects.toThrow(/a JSON object in '.*arc\.json', row 0 \(counted from 0\) but received 4/);
  });
});

describe("columns", () => {
  const rows = [
    { q: "2 + 2?", marks: { good: 4, bad: [5, 6] }, note: "x" },
    { q: "3 + 3?", marks: { good: 6, bad: [6] }, note: "y" },
    { q: "4 + 4?", marks: { good: 8, bad: [] }, note: "z" },
  ];

  test("templates take columns, and go into objects and lists", async () => {
    const recipe = columnPairs({ prompt: "{note}: {q}\nA:", chosen: " {marks.good}", rejected: " {marks.bad.0}" });
    const { pairs, statistics } = await made(recipe, rows);
    expect(pairs).toEqual([{ prompt: "x: 2 + 2?\nA:", chosen: " 4", rejected: " 5" }]);
    expect(statistics.unusable).toEqual([
      { reason: "the wrong answer is the right one", count: 1, rows: [1] },
      { reason: "'marks.bad.0' is no text", count: 1, rows: [2] },
    ]);
  });

  test("a column that is not there, and a template without one", async () => {
    const recipe = columnPairs({ prompt: "{q}", chosen: "{best}", rejected: "{worst}" });
    await expect(made(recipe, rows)).rejects.toThrow(/the column 'best', 'worst' in .* received only 'q', 'marks', 'note'/);
    expect(() => columnPairs({ prompt: "q", chosen: "{a}", rejected: "{b}" })).toThrow(
      /a column in braces, such as '\{question\}', for the template of 'prompt' but received 'q'/,
    );
  });
});

test("edit distances by token, character and word, with mean and quantiles", async () => {
  // Stands for a tokenizer: a token for each pair of characters.
  const tokenizer = {
    encode: (text: string) => (text.match(/..?/gs) ?? []).map((part) => part.codePointAt(0)! * 256 + (part.codePointAt(1) ?? 0)),
  };
  const rows = [
    { prompt: "p", chosen: "aabbccddee", rejected: "aabbccddef" },
    { prompt: "p", chosen: "aa bb", rejected: "cc dd" },
  ];
  const recipe = columnPairs({ prompt: "{prompt}", chosen: "{chosen}", rejected: "{rejected}" });
  const { statistics } = await made(recipe, rows, { tokenizer: tokenizer as unknown as Tokenizer });
  expect(statistics.low_edit_distance).toBe(0.1);
  expect(statistics.edit_distance).toEqual({
    token: { pairs: 2, mean: 0.6, min: 0.2, p10: 0.2, median: 0.2, p90: 1, max: 1, low: 0 },
    character: { pairs: 2, mean: 0.45, min: 0.1, p10: 0.1, median: 0.1, p90: 0.8, max: 0.8, low: 0.5 },
    word: { pairs: 2, mean: 1, min: 1, p10: 1, median: 1, p90: 1, max: 1, low: 0 },
  });
  expect((await made(recipe, rows)).statistics.edit_distance.token).toBeNull();
});
