import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { InputError } from "../../src/base/errors";
import { originsOf } from "../../src/base/files/inputFiles";
import { resolveConfig } from "../../src/cli/train/config";
import { expectSplits, holdOut, loadRows } from "../../src/cli/train/rows";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "smaug-rows-"))));
afterEach(() => {
  rmSync(folder, { recursive: true });
  vi.restoreAllMocks();
});

/** A file of `count` rows whose prompts are `name` with their number. */
function file(name: string, count: number, more: object = {}): string {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  const rows = Array.from({ length: count }, (_, i) =>
    JSON.stringify({ prompt: `${name} ${i}`, chosen: "a", rejected: "b", ...more }),
  );
  writeFileSync(join(folder, name), rows.join("\n"));
  return join(folder, name);
}

/** The prompts of a run's rows, and the notes about them. */
async function load(...args: string[]) {
  const told: string[] = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => (told.push(String(text).trimEnd()), true));
  const notes: string[] = [];
  const { config } = resolveConfig(["--model_name_or_path", "base", ...args]);
  const rows = await loadRows(config, notes);
  const prompts = (of: typeof rows.evaluation) => of?.map(({ prompt }) => prompt);
  return { train: prompts(rows.train), evaluation: prompts(rows.evaluation), notes, told, rows };
}

test("evaluation rows come from another file", async () => {
  const [train, held] = [file("train.jsonl", 3), file("held.jsonl", 1)];
  const loaded = await load("--dataset_name", train, "--eval_dataset_name", held, "--eval_strategy", "epoch");
  expect(loaded).toMatchObject({ train: [0, 1, 2].map((i) => `train.jsonl ${i}`), evaluation: ["held.jsonl 0"], notes: [] });
});

test("of another folder, the test split is used, or all rows if there is none", async () => {
  const train = file("pairs.jsonl", 1);
  file("both/train.jsonl", 1);
  file("both/test.jsonl", 1);
  file("one/train.jsonl", 1);
  const from = (name: string, ...more: string[]) =>
    load("--dataset_name", train, "--eval_dataset_name", join(folder, name), "--eval_strategy", "epoch", ...more);
  expect((await from("both")).evaluation).toEqual(["both/test.jsonl 0"]);
  expect((await from("both", "--dataset_test_split", "train")).evaluation).toEqual(["both/train.jsonl 0"]);
  expect((await from("one")).evaluation).toEqual(["one/train.jsonl 0"]);
  await expect(from("one", "--dataset_test_split", "validation")).rejects.toThrow("Expected the split 'validation'");
});

test("the test split is any that files' names tell, by number or by word", async () => {
  file("parts/train.jsonl", 1);
  file("parts/dev-00000-of-00001.jsonl", 1);
  file("parts/pairs-holdout.jsonl", 1);
  file("parts/pairs-extra.jsonl", 1);
  const on = (test: string, train: string) =>
    load(
      ...["--dataset_name", join(folder, "parts"), "--eval_strategy", "epoch"],
      ...["--dataset_train_split", train, "--dataset_test_split", test],
    );
  expect((await on("dev", "train")).evaluation).toEqual(["parts/dev-00000-of-00001.jsonl 0"]);
  expect(await on("holdout", "extra")).toMatchObject({
    train: ["parts/pairs-extra.jsonl 0"],
    evaluation: ["parts/pairs-holdout.jsonl 0"],
  });
  await expect(on("other", "train")).rejects.toThrow("Expected the split 'other' (dataset_test_split)");
});

test("no file is trained on and evaluated on, unless eval_dataset_name asks for it", async () => {
  file("mixed/train.jsonl", 1);
  const hard = file("mixed/hard.jsonl", 1);
  const single = file("test.jsonl", 1);
  for (const [source, split, both] of [
    [join(folder, "mixed"), "hard", hard], // its name tells no usual split, so it is of "train", too
    [single, "test", single],
  ] as const) {
    const args = ["--dataset_name", source, "--dataset_test_split", split, "--eval_strategy", "epoch"];
    const refusal = `Expected other files in the split '${split}' (dataset_test_split) than in 'train' (dataset_train_split) but '${both}' is in both;`;
    await expect(load(...args)).rejects.toThrow(refusal);
    await expect(expectSplits(resolveConfig(["--model_name_or_path", "base", ...args]).config)).rejects.toThrow(refusal);
    expect((await load(...args, "--eval_dataset_name", both)).evaluation).toHaveLength(1);
  }
});

test("evaluation data has a config of its own", async () => {
  const both = join(folder, "both");
  for (const name of ["en", "de"]) file(`both/${name}/train.jsonl`, 1);
  writeFileSync(
    join(both, "README.md"),
    "---\nconfigs:\n- {config_name: en, data_dir: en}\n- {config_name: de, data_dir: de}\n---\n",
  );
  const args = ["--dataset_name", both, "--dataset_config", "en", "--eval_dataset_name", both, "--eval_strategy", "epoch"];
  const loaded = await load(...args, "--eval_dataset_config", "de");
  expect(loaded).toMatchObject({ train: ["both/en/train.jsonl 0"], evaluation: ["both/de/train.jsonl 0"] });
  expect((await load(...args)).evaluation).toEqual(["both/en/train.jsonl 0"]); // the same source, so the same config
  const other = ["--dataset_name", file("other.jsonl", 1), "--eval_dataset_name", both, "--eval_strategy", "epoch"];
  await expect(load(...other)).rejects.toThrow("'eval_dataset_config') to name one of the configs");
});

test("a share or a number of the training rows is held out, the same for one seed", async () => {
  const data = file("pairs.jsonl", 10);
  const held = async (size: string, seed = "1") =>
    load("--dataset_name", data, "--test_split_size", size, "--seed", seed, "--eval_strategy", "epoch");
  const { train, evaluation, rows } = await held("0.25");
  expect([train!.length, evaluation!.length]).toEqual([7, 3]); // datasets rounds 2.5 up
  expect([...train!, ...evaluation!].sort()).toEqual(Array.from({ length: 10 }, (_, i) => `pairs.jsonl ${i}`));
  expect(train).toEqual([...train!].sort());
  expect([originsOf(rows.train), originsOf(rows.evaluation!)]).toEqual([[data], [data]]);
  expect((await held("3")).evaluation).toEqual(evaluation);
  expect((await held("3", "2")).evaluation).not.toEqual(evaluation);
});

test("without an evaluation the rows are still held out, and what is not read is noted", async () => {
  const [data, held] = [file("pairs.jsonl", 4), file("held.jsonl", 1)];
  const split = await load("--dataset_name", data, "--test_split_size", "1");
  expect([split.train!.length, split.evaluation]).toEqual([3, undefined]);
  expect(split.notes).toEqual([expect.stringContaining("test_split_size holds rows out of training")]);
  const other = await load("--dataset_name", data, "--eval_dataset_name", held);
  expect([other.evaluation, other.notes]).toEqual([undefined, ["eval_dataset_name is not read, since eval_strategy is no"]]);
});

test("for a file without a test split, the error says where evaluation rows can come from", async () => {
  const loading = load("--dataset_name", file("pairs.jsonl", 2), "--eval_strategy", "steps");
  await expect(loading).rejects.toThrow(InputError);
  await expect(loading).rejects.toThrow(
    /Expected the split 'test' \(dataset_test_split\) in '.*' to evaluate on but received 'train'; name another file with eval_dataset_name, hold rows out with test_split_size, or/,
  );
});

test("dataset_config also holds for evaluation rows of the same source", async () => {
  for (const config of ["a", "b"]) file(`${config}/train.jsonl`, 2);
  const configs = ["a", "b"].map((config) => `- config_name: ${config}\n  data_dir: ${config}\n`).join("");
  writeFileSync(join(folder, "README.md"), `---\nconfigs:\n${configs}---\n`);
  const { evaluation } = await load(
    "--dataset_name",
    folder,
    "--dataset_config",
    "b",
    "--eval_dataset_name",
    folder,
    "--eval_strategy",
    "steps",
  );
  expect(evaluation).toEqual(["b/train.jsonl 0", "b/train.jsonl 1"]);
});

test("some rows must be left to train on", () => {
  const rows = [0, 1].map((index) => ({ index, prompt: "a", chosen: "b", rejected: "c" }));
  expect(() => holdOut(rows, 2, 0)).toThrow(
    "Expected a 'test_split_size' that leaves rows to train on, but 2 holds out 2 of 2 rows",
  );
  expect(() => holdOut(rows, 0.9, 0)).toThrow("but 0.9 holds out 2 of 2 rows");
});

test("the columns of both sources are mapped, and what neither reads is noted once", async () => {
  const columns = { prompt: undefined, question: "q", score: 1 };
  const [data, held] = [file("pairs.jsonl", 1, columns), file("held.jsonl", 1, columns)];
  const { train, evaluation, told } = await load(
    "--dataset_name",
    data,
    "--eval_dataset_name",
    held,
    "--eval_strategy",
    "epoch",
    "--column_mapping",
    "question=prompt",
  );
  expect([train, evaluation, told]).toEqual([["q"], ["q"], ["not read: score"]]);
});

test("rows without a rejected answer are read where the loss needs none; else the message names the loss that does", async () => {
  const answers = file("answers.jsonl", 2, { rejected: undefined });
  const { config } = resolveConfig(["--model_name_or_path", "base", "--dataset_name", answers]);
  const { train } = await loadRows(config, [], "optional");
  expect(train[1]).toEqual({ index: 1, prompt: "answers.jsonl 1", chosen: "a" });
  await expect(loadRows(config, [])).rejects.toThrow(
    /'rejected' in '.*answers\.jsonl', line 1 but received only 'prompt', 'chosen'; .*; to train on chosen answers alone, set loss_type: sft$/,
  );
  const weighted = { ...config, lossType: ["sft"], useWeighting: true }; // WPO weights by both answers
  await expect(loadRows(weighted, [])).rejects.toThrow(
    "; to train on chosen answers alone, set loss_type: sft and use_weighting: false",
  );
  const misspelt = file("misspelt.jsonl", 1, { chosen: undefined, chosn: "a" });
  const other = resolveConfig(["--model_name_or_path", "base", "--dataset_name", misspelt]);
  await expect(loadRows(other.config, [])).rejects.toThrow(/such as \{"prompt": "2 \+ 2 =", "chosen": " 4", "rejected": " 5"\}$/);
});
