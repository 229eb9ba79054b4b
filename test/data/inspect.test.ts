import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { inspectRows, lengthHistogram, shareHistogram } from "../../src/data/inspect";
import { normalisedDistance } from "../../src/data/rows/editDistance";
import type { PreferenceRow } from "../../src/data/rows/preferenceRow";
import { addWarning, describeWarnings, mergeWarnings, rowWarnings } from "../../src/data/rows/screening";
import { summarise } from "../../src/data/tokenize/tokenizePairs";
import { loadTokenizer } from "../../src/text";
import { tinyFolder } from "../text/tiny";

let cache: string;
beforeAll(() => void vi.stubEnv("XDG_CACHE_HOME", (cache = mkdtempSync(join(tmpdir(), "smaug-cache-")))));
afterAll(() => rmSync(cache, { recursive: true }));

const rowsOf = (...parts: [string, string, string][]): PreferenceRow[] =>
  parts.map(([prompt, chosen, rejected], index) => ({ index, prompt, chosen, rejected }));

test.each([
  [[1, 2, 3], [1, 2, 3], 0],
  [[1, 2, 3, 4], [1, 9, 3, 4], 1 / 4],
  [[1, 2, 3], [2, 3], 1 / 3],
  [[1, 2], [3, 4, 5], 1],
  [[], [7], 1],
  [[], [], 0],
  [[150_000, 70_000], [70_000, 150_000], 1], // beyond one UTF-16 unit, and equal modulo nothing
  [[65_536, 5], [0, 5], 1 / 2],
])("%j and %j are %f apart", (a, b, expected) => {
  expect(normalisedDistance(a, b)).toBeCloseTo(expected, 12);
});

test("lengths are summarised, and counted in ranges of a width that reads well", () => {
  const values = Array.from({ length: 100 }, (_, i) => i + 1); // 1 … 100
  expect(summarise(values)).toEqual({ min: 1, mean: 50.5, median: 50, p95: 95, max: 100, total: 5050 });
  expect(lengthHistogram(values).map(({ from, to, count }) => [from, to, count])).toEqual([
    [0, 10, 9],
    ...Array.from({ length: 9 }, (_, i) => [10 * (i + 1), 10 * (i + 2), 10]),
    [100, 110, 1],
  ]);
  expect(lengthHistogram([7, 7])).toEqual([{ from: 7, to: 8, count: 2 }]);
  expect(lengthHistogram([])).toEqual([]);
  expect(summarise([])).toMatchObject({ min: 0, max: 0, mean: 0 });
  const shares = shareHistogram([0, 0.05, 0.5, 1]);
  expect(shares.map(({ count }) => count)).toEqual([2, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  expect(shares.at(-1)).toEqual({ from: 0.9, to: 1, count: 1 });
});

test("odd rows are counted by kind, with the first of them", () => {
  const rows = rowsOf(
    ["p", "a", "b"],
    ["p", "a", "b"], // the same again
    ["p", "b", "a"], // and the opposite
    ["", "a", "b"],
    ["q", " ", "b"],
    ["q", "ab", "abc"],
    ["r", "abc", "ab"],
    ["question", "question a", "b"],
  );
  const once = (index: number) => ({ count: 1, first: [index] });
  expect(rowWarnings(rows)).toEqual({
    duplicate: once(1),
    contradiction: once(2),
    emptyPrompt: once(3),
    blankAnswer: once(4),
    chosenBeginsRejected: once(5),
    rejectedBeginsChosen: once(6),
    promptRepeated: once(7),
  });
});

test("of many odd rows the first ten are named", () => {
  let odd = {};
  for (let i = 0; i < 12; i++) odd = addWarning(odd, "noEos", i);
  expect(odd).toEqual({ noEos: { count: 12, first: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] } });
  const nine = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const merged = mergeWarnings({ seam: { count: 9, first: nine } }, { seam: { count: 3, first: [20, 21, 22] } });
  expect(merged).toEqual({ seam: { count: 12, first: [...nine, 20] } });
  const [line, ...more] = describeWarnings(odd);
  expect(line).toMatch(/^12 rows \(0, 1, .*, 9, …\) have an answer without EOS/);
  expect(more).toEqual([]);
  const single = addWarning(addWarning(addWarning({}, "contradiction", 3), "noBos", 0), "seam", 2);
  expect(describeWarnings(single)).toEqual([
    "1 row (3) prefers what an earlier row rejects, and rejects what it prefers",
    "1 row (0) does not begin with BOS, which the tokenizer puts before texts: the chat template leaves it out",
    "1 row (2) has a prompt whose last tokens change with the answer; they count as the answer's",
  ]);
  expect(describeWarnings(addWarning(addWarning({}, "contradiction", 3), "contradiction", 5))).toEqual([
    "2 rows (3, 5) prefer what an earlier row rejects, and reject what it prefers",
  ]);
});

test("with a tokenizer: tokens, what is masked, and what was refused, cut or odd", async () => {
  const tokenizer = await loadTokenizer(tinyFolder());
  const rows = rowsOf(["a:", "hello", "é"], ["a:", "b", "b"], ["hel", "lo", "c"], ["a", "bcdefg", "b"]);
  const result = await inspectRows(rows, { tokenizer, maxLength: 6, truncationMode: "keep_start" });
  expect(result).toMatchObject({
    unit: "tokens",
    rows: 4,
    usable: 3,
    refused: [{ index: 1, reason: "the two answers are identical" }],
    cut: [{ index: 3, answer: "chosen", lostEos: true }],
    odd: { seam: { count: 1, first: [2] } },
    lengths: { chosen: { min: 2, max: 4, total: 8 }, prompt: { total: 8 }, rejected: { total: 7 } },
  });
  expect(result.samples[0]).toEqual({
    index: 0,
    chosen: { prompt: "<bos>a:", completion: ["hello", "<eos>"] },
    rejected: { prompt: "<bos>a:", completion: ["é", "<eos>"] }, // two tokens of one character
  });
  // "hello" against the two tokens of "é" and EOS: 2 of 3. Against "c": 1 of 2. "bcde", cut, against "b": 3 of 4.
  expect(result.editDistance!.mean).toBeCloseTo((2 / 3 + 1 / 2 + 3 / 4) / 3, 12);
});

test("without a tokenizer: words, of texts and of conversations", async () => {
  const says = (role: string, content: string) => [{ role, content }];
  const chat: PreferenceRow = {
    index: 0,
    prompt: says("user", "two words"),
    chosen: says("assistant", "one two  three\n"),
    rejected: says("assistant", "one"),
  };
  expect(await inspectRows([chat])).toMatchObject({
    unit: "words",
    lengths: { prompt: { total: 2 }, chosen: { total: 4 } },
    samples: [{ chosen: { prompt: "user: two words\n", completion: ["one", " two", "  three", "\n"] } }],
    odd: { rejectedBeginsChosen: { count: 1 } },
  });
  const { refused, usable } = await inspectRows(rowsOf(["a", "", "b"], ["a", "b", ""], ["a", "b", "b"]));
  expect(refused.map(({ reason }) => reason)).toEqual([
    "the chosen answer is empty",
    "the rejected answer is empty",
    "the two answers are identical",
  ]);
  expect(usable).toBe(0);
});
