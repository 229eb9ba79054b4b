import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { InputError } from "../../src/base/errors";
import { matchesPattern } from "../../src/data/reading/dataCard";
import { findDataFiles, splitNames } from "../../src/data/reading/dataFiles";
import { loadPreferences } from "../../src/data/rows/preferences";
import { freshHub } from "../hub/fixtures";

const made: string[] = [];
afterEach(() => {
  made.splice(0).forEach((folder) => rmSync(folder, { recursive: true }));
  vi.unstubAllEnvs();
});

/** A folder with these files, each with its path as its only row, and a card. */
function dataSet(card: string, ...files: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "smaug-card-"));
  made.push(folder);
  writeFileSync(join(folder, "README.md"), `---\nlicense: mit\n${card}\n---\n# A data set\n`);
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), JSON.stringify({ prompt: file, chosen: "a", rejected: "b" }));
  }
  return folder;
}

async function found(folder: string, config?: string, split?: string): Promise<string[]> {
  return (await findDataFiles(folder, { config, split })).map(({ path }) => relative(folder, path));
}

const two = "configs:\n- config_name: en\n  data_files: en/*.jsonl\n- config_name: de\n  data_files: de/*.jsonl";

test("of several configs only the files of the chosen one are read", async () => {
  const folder = dataSet(two, "en/a.jsonl", "en/b.jsonl", "de/a.jsonl", "other.jsonl");
  expect(await found(folder, "de")).toEqual(["de/a.jsonl"]);
  const rows = await loadPreferences(folder, { datasetConfig: "en" });
  expect(rows.map(({ prompt }) => prompt)).toEqual(["en/a.jsonl", "en/b.jsonl"]);
});

test("with several configs and no choice, the error asks for one", async () => {
  const folder = dataSet(two, "en/a.jsonl", "de/a.jsonl");
  await expect(found(folder)).rejects.toThrow(InputError);
  await expect(found(folder)).rejects.toThrow(
    `Expected 'dataset_config' (for eval_dataset_name, 'eval_dataset_config') to name one of the configs that the card of '${folder}' declares ('en', 'de') but received none`,
  );
  await expect(found(folder, "fr")).rejects.toThrow("('en', 'de') but received 'fr'");
});

test.each([
  ["the only one", "configs:\n- config_name: en\n  data_files: en/*.jsonl", "en/a.jsonl"],
  ["the one called default", `${two.replace("de\n", "default\n")}`, "de/a.jsonl"],
  ["the one that the card makes the default", `${two}\n  default: true`, "de/a.jsonl"],
  [
    "the one that the card makes the default, not the one of that name",
    `${two.replace("en\n", "default\n")}\n  default: true`,
    "de/a.jsonl",
  ],
])("without a choice it is %s", async (_, card, file) => {
  expect(await found(dataSet(card, "en/a.jsonl", "de/a.jsonl"))).toEqual([file]);
});

test("a config names the files of each split, or the folder of its files", async () => {
  const card =
    "configs:\n- config_name: a\n  data_files:\n  - split: train_prefs\n    path: [x/*.jsonl, y.jsonl]\n  - split: test\n    path: z.jsonl\n" +
    "- config_name: b\n  data_dir: deep/b";
  const folder = dataSet(
    card,
    "x/1.jsonl",
    "y.jsonl",
    "z.jsonl",
    "deep/b/train.jsonl",
    "deep/b/test.jsonl",
    "deep/c/train.jsonl",
  );
  expect(await splitNames(folder, { config: "a" })).toEqual(["train_prefs", "test"]);
  expect(await found(folder, "a", "train_prefs")).toEqual(["x/1.jsonl", "y.jsonl"]);
  expect(await found(folder, "a", "test")).toEqual(["z.jsonl"]);
  expect(await found(folder, "b")).toEqual(["deep/b/train.jsonl"]);
  expect(await found(folder, "b", "test")).toEqual(["deep/b/test.jsonl"]);
});

test("a card without configs or without a header changes nothing", async () => {
  const folder = dataSet("tags: [a]", "train.jsonl");
  expect(await found(folder)).toEqual(["train.jsonl"]);
  expect(await found(folder, "default")).toEqual(["train.jsonl"]);
  writeFileSync(join(folder, "README.md"), "# Notes\nconfigs: none\n");
  expect(await found(folder)).toEqual(["train.jsonl"]);
  await expect(found(folder, "en")).rejects.toThrow(`a card that declares the config 'en' in '${folder}', but it declares none`);
  await expect(found(join(folder, "train.jsonl"), "en")).rejects.toThrow("is one file; leave dataset_config out");
});

test.each([
  ["configs: en", /a list for 'configs' in '.*README\.md' but received "en"/],
  ["configs:\n- name: en", /entries with a config_name for 'configs'/],
  [
    "configs:\n- config_name: en\n  data_files: {train: a.jsonl}",
    /data_files as a path, a list of paths, or a list of splits with paths/,
  ],
  ["configs:\n- config_name: en\n  data_files: [a: b", /YAML in '.*README\.md'/],
  ["configs:\n- config_name: en\n  data_files: nothing/*.jsonl", /data files \(.*\) in '.*' \(config 'en'\) but received/],
])("an unreadable card is an error: %j", async (card, message) => {
  await expect(found(dataSet(card, "a.jsonl"))).rejects.toThrow(message);
});

test("a data set on the hub asks for its config before its files are fetched", async () => {
  const commit = "0".repeat(40);
  const cache = mkdtempSync(join(tmpdir(), "smaug-hub-"));
  made.push(cache);
  const repo = join(cache, "datasets--owner--pairs");
  const snapshot = join(repo, "snapshots", commit);
  mkdirSync(join(snapshot, "de"), { recursive: true });
  mkdirSync(join(repo, "refs"));
  writeFileSync(join(repo, "refs/main"), commit);
  writeFileSync(join(snapshot, "README.md"), `---\n${two}\n---\n`);
  writeFileSync(join(snapshot, "de/a.jsonl"), "");
  vi.stubEnv("HF_HUB_CACHE", cache);
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  await expect(findDataFiles("owner/pairs", {})).rejects.toThrow("the card of 'owner/pairs' declares ('en', 'de')");
  const [file] = await findDataFiles("owner/pairs", { config: "de" });
  expect(file!.path).toBe(join(snapshot, "de/a.jsonl"));
});

test("of a data set on the hub only the files of its config are fetched", async () => {
  const { hub } = await freshHub();
  const row = '{"prompt": "a", "chosen": "b", "rejected": "c"}';
  const files = { "en/a.jsonl": row, "de/a.jsonl": row, "de/b.parquet": "not wanted", "other.json": row };
  hub.add("datasets/owner/pairs", { "README.md": `---\n${two}\n---\n`, ...files });
  await expect(loadPreferences("owner/pairs")).rejects.toThrow("the card of 'owner/pairs' declares ('en', 'de')");
  expect(await loadPreferences("owner/pairs", { datasetConfig: "de" })).toHaveLength(1);
  const [file] = await findDataFiles("owner/pairs", { config: "de" });
  const fetched = readdirSync(join(file!.path, "../.."), { recursive: true }).sort();
  expect(fetched).toEqual(["README.md", "de", "de/a.jsonl"]);
  hub.add("datasets/owner/plain", { "train.jsonl": row });
  expect(await loadPreferences("owner/plain")).toHaveLength(1);
  const byFolder = "---\nconfigs:\n- config_name: a\n  data_dir: a\n- config_name: b\n  data_dir: b\n---\n";
  hub.add("datasets/owner/folders", {
    "README.md": byFolder,
    "a/x.JSONL": row,
    "a/y.NDJson": row,
    "b/z.jsonl": row,
    "a/note.txt": "x",
  });
  expect(await loadPreferences("owner/folders", { datasetConfig: "a" })).toHaveLength(2);
});

describe("a pattern", () => {
  test.each([
    ["data/*.parquet", ["data/a.parquet"], ["data/b/a.parquet", "a.parquet", "data/a.parquets"]],
    ["data/**", ["data/a", "data/b/c"], ["a"]],
    ["**/train-*", ["train-1", "a/b/train-2"], ["a/b/test-2"]],
    ["./a?.[jx]son", ["ab.json", "ac.xson"], ["a.json", "ab.kson", "a/.json"]],
    ["{a,b}/[!c].jsonl", ["a/d.jsonl", "b/d.jsonl"], ["a/c.jsonl", "c/d.jsonl"]],
    ["a+(b).jsonl", ["a+(b).jsonl"], ["aab.jsonl"]],
  ])("%s", (pattern, yes, no) => {
    expect(yes.filter((path) => !matchesPattern(path, pattern))).toEqual([]);
    expect(no.filter((path) => matchesPattern(path, pattern))).toEqual([]);
  });
});
