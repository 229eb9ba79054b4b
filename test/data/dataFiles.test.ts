import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { InputError } from "../../src/base/errors";
import { findDataFiles } from "../../src/data/reading/dataFiles";

const made: string[] = [];
afterEach(() => made.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));

/** A folder of empty files. */
function folderWith(...files: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "smaug-files-"));
  made.push(folder);
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), "");
  }
  return folder;
}

async function found(folder: string, split?: string): Promise<string[]> {
  return (await findDataFiles(folder, { split })).map(({ path }) => relative(folder, path));
}

test("a split's files in order, as the hub lays them", async () => {
  const folder = folderWith(
    "README.md",
    ".gitattributes",
    "dataset_infos.json",
    "data/train-00001-of-00002.parquet",
    "data/train-00000-of-00002.parquet",
    "data/test-00000-of-00001-a3f.parquet",
  );
  expect(await found(folder)).toEqual(["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]);
  expect(await found(folder, "test")).toEqual(["data/test-00000-of-00001-a3f.parquet"]);
});

test.each([
  [["train.jsonl", "test.jsonl"], "test", ["test.jsonl"]],
  [["pairs_train.jsonl.gz", "pairs-dev.jsonl.gz"], "validation", ["pairs-dev.jsonl.gz"]],
  [["train/a.json", "train/b.json", "eval/c.json"], "train", ["train/a.json", "train/b.json"]],
  [["default/train/0000.parquet", "default/test/0000.parquet"], "test", ["default/test/0000.parquet"]],
  [
    ["train_prefs-00000-of-00001.parquet", "test_prefs-00000-of-00001.parquet"],
    "train_prefs",
    ["train_prefs-00000-of-00001.parquet"],
  ],
  [["a.jsonl", "b.jsonl"], undefined, ["a.jsonl", "b.jsonl"]],
  [["TRAIN.JSONL", "Test.Parquet"], "train", ["TRAIN.JSONL"]],
  [["a.jsonl", "b.jsonl"], "train", ["a.jsonl", "b.jsonl"]],
  [["test.jsonl"], undefined, ["test.jsonl"]],
  [["test.jsonl", "constructor.jsonl"], "train", ["constructor.jsonl"]],
  [["contest.jsonl", "constrained.jsonl"], "train", ["constrained.jsonl", "contest.jsonl"]],
])("of %j the split %s is %j", async (files, split, expected) => {
  expect(await found(folderWith(...files), split)).toEqual(expected);
});

test.each([
  [["train.jsonl", "dev.jsonl"], "test", /the split 'test' in '.*' but received 'validation', 'train'/],
  [["a-00000-of-00001.parquet", "b-00000-of-00001.parquet"], undefined, /the split 'train' in '.*' but received 'a', 'b'/],
  [["test.jsonl"], "train", /the split 'train' in '.*' but received 'test'/],
  [["train.jsonl", "train.parquet"], "train", /files of one kind for the split 'train' .* but received jsonl and parquet/],
  [["README.md", "weights.bin"], undefined, /data files \(.*\) in '.*' but received 'README\.md', 'weights\.bin'$/],
  [[], undefined, /but received no file$/],
  [["dataset_info.json", "data-00000-of-00001.arrow"], undefined, /received Arrow files; write .*to_parquet/],
])("of %j the split %s cannot be had", async (files, split, message) => {
  const folder = folderWith(...files);
  await expect(found(folder, split)).rejects.toThrow(InputError);
  await expect(found(folder, split)).rejects.toThrow(message);
});

test("a data set of the hub is what its cache holds", async () => {
  const commit = "0".repeat(40);
  const [repo, snapshot] = ["datasets--owner--pairs", `datasets--owner--pairs/snapshots/${commit}`];
  const cache = folderWith(...["train", "test"].map((split) => `${snapshot}/data/${split}-00000-of-00001.parquet`));
  mkdirSync(join(cache, repo, "refs"));
  writeFileSync(join(cache, repo, "refs/main"), commit);
  vi.stubEnv("HF_HUB_CACHE", cache);
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  const files = await findDataFiles("owner/pairs", { split: "test" });
  expect(files.map(({ path }) => relative(cache, path))).toEqual([`${snapshot}/data/test-00000-of-00001.parquet`]);
  await expect(findDataFiles("owner/others", {})).rejects.toThrow(/owner\/others/);
  vi.unstubAllEnvs();
});
