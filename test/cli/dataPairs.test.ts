/** `smaug data metamath`, `arc`, `hellaswag` and `pairs`. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { dataCommand } from "../../src/cli/data/command";
import { loadPreferences } from "../../src/data";
import { folderOf } from "../parity/fixture";
import { runCommand } from "./command";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "smaug-pairs-"))));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void (process.exitCode = 0));

const source = (name: string) => folderOf("recipes", name);

const smaug = (...args: string[]) => runCommand(dataCommand(), ...args);

test("writes pairs that train can read, and says what they are like", async () => {
  const out = join(folder, "made", "arc.jsonl");
  const { status, stdout, stderr } = await smaug("arc", "--input", source("ai2_arc"), "--split", "train", "--out", out);
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  expect(stderr).toMatch(/^9 pairs from 3 of 3 rows of .*ai2_arc in .* s \(\d+ rows\/s\): .*arc\.jsonl\n/);
  expect(stderr).toMatch(/prompts by their number of examples: 0: \d, 1: \d, 2: \d, 3: 0, 4: 0\n/);
  expect(stderr).toMatch(
    / {2}token {6}not counted; name .* --model\n {2}character {2}mean .* %, median .*\n {2}word {7}mean 100\.0 %/,
  );
  const rows = await loadPreferences(out);
  expect(rows).toHaveLength(9);
  expect(rows[0]).toMatchObject({ chosen: " fire", rejected: " ice" });
  expect(readdirSync(join(folder, "made"))).toEqual(["arc.jsonl"]);
});

test("the same seed gives the same bytes, and --json the statistics", async () => {
  const [one, two, other] = ["one", "two", "other"].map((name) => join(folder, `${name}.jsonl`)) as [string, string, string];
  const input = ["--input", source("MetaMathQA.json")];
  const { stdout } = await smaug("metamath", ...input, "--seed", "7", "--out", one, "--json");
  await smaug("metamath", ...input, "--seed", "7", "--out", two);
  await smaug("metamath", ...input, "--seed", "8", "--out", other);
  expect(readFileSync(two)).toEqual(readFileSync(one));
  expect(readFileSync(other)).not.toEqual(readFileSync(one));
  expect(JSON.parse(stdout)).toMatchObject({
    recipe: "metamath",
    seed: 7,
    split: null,
    out: one,
    rows: 3,
    rows_used: 3,
    pairs: 3,
    unusable_rows: 0,
    unusable: [],
    edit_distance: { token: null, character: { pairs: 3 }, word: { pairs: 3 } },
  });
});

test("pairs go to standard output when no file is named", () => {
  const program = [
    "--require",
    "./test/setup/typescript.cjs",
    "src/cli/main.ts",
    "data",
    "arc",
    "--input",
    source("arc_train.jsonl"),
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...program, "--json", "--limit", "1"], { encoding: "utf8" });
  expect(status).toBe(0);
  const chosen = stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { chosen: string }).chosen);
  expect(chosen).toEqual([" fire", " fire", " fire"]);
  expect(JSON.parse(stderr)).toMatchObject({ recipe: "arc", out: "-", rows: 1, pairs: 3 });
});

test("pairs takes columns and templates", async () => {
  const input = join(folder, "rated.jsonl");
  writeFileSync(input, `${JSON.stringify({ q: "2 + 2?", best: "4", worst: "5", id: 1 })}\n`);
  const out = join(folder, "rated-pairs.jsonl");
  const columns = [
    "--prompt-template",
    "Question {id}: {q}\\nAnswer:",
    "--chosen-template",
    " {best}",
    "--rejected-column",
    "worst",
  ];
  expect((await smaug("pairs", "--input", input, "--out", out, ...columns)).status).toBe(0);
  expect(JSON.parse(readFileSync(out, "utf8"))).toEqual({ prompt: "Question 1: 2 + 2?\nAnswer:", chosen: " 4", rejected: "5" });
});

test.each([
  [
    ["metamath", "--input", "arc_train.jsonl"],
    /the column 'query', 'response' in .* received only 'id', 'question', 'choices', 'answerKey'/,
  ],
  [["arc", "--input", "MetaMathQA.json"], /the column 'question', 'choices', 'answerKey' in .* received only 'type', 'query'/],
  [["hellaswag", "--input", "hellaswag", "--split", "test"], /none does:\n2 rows: no choice is the correct one/],
  [["arc", "--input", "ai2_arc", "--split", "validation"], /at least one row in the split 'validation'/],
  [["arc", "--input", "ai2_arc", "--split", "dev"], /the split 'dev' in .* but received 'train', 'validation'/],
  [["pairs", "--input", "arc_train.jsonl"], /the column 'prompt', 'chosen', 'rejected' in .* received only 'id'/],
  [["metamath", "--input", "nowhere.json"], /nowhere\.json', but there is no such file/],
])("%j is refused and leaves no file", async (args, message) => {
  const [name, option, input, ...rest] = args as [string, string, string, ...string[]];
  const out = join(folder, "refused", "pairs.jsonl");
  const { status, stderr } = await smaug(name, option, source(input), ...rest, "--out", out);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
  expect(existsSync(join(folder, "refused"))).toBe(false);
});

test("an output that is the input, and numbers that are none, are bad usage", async () => {
  const input = join(folder, "input.jsonl");
  writeFileSync(input, readFileSync(source("arc_train.jsonl")));
  const same = await smaug("arc", "--input", input, "--out", input);
  expect(same).toMatchObject({ status: 2, stderr: expect.stringMatching(/another file for '--out' than for '--input'/) });
  process.exitCode = 0;
  const negative = await smaug("arc", "--input", input, "--max-shots", "-1", "--out", join(folder, "x.jsonl"));
  expect(negative).toMatchObject({ status: 2, stderr: expect.stringMatching(/Expected an integer from 0\./) });
  process.exitCode = 0;
  expect(await smaug("pairs")).toMatchObject({ status: 2, stderr: expect.stringMatching(/required option '--input/) });
});
