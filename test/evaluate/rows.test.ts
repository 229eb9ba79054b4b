import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { findDataFiles } from "../../src/data/reading/dataFiles";
import { TaskRows } from "../../src/evaluate/rows";
import { RowTemplate } from "../../src/evaluate/tasks/template";
import { folderOf } from "../parity/fixture";

const folder = mkdtempSync(join(tmpdir(), "smaug-eval-rows-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function rendered(source: string, template: string): Promise<string> {
  const [first] = await new TaskRows().split(source, { split: "test", evaluated: true });
  return (await RowTemplate.parse(template, "'doc_to_text'")).render(first!.row);
}

// Python's str() of what Python's json reads, from CPython 3.11.
const text = '{"x": 20.0, "n": 12345678901234567890, "list": [1e3, 7], "nan": NaN}';

test.each([
  ["rows.jsonl", `${text}\n`],
  ["rows.json", `[${text}]`],
  ["data.json", `{"data": [${text}]}`],
])("numbers of %s are Python's in a task's template", async (name, content) => {
  writeFileSync(join(folder, name), content);
  expect(await rendered(join(folder, name), "{{ x }} {{ n }} {{ list }} {{ nan }}")).toBe(
    "20.0 12345678901234567890 [1000.0, 7] nan",
  );
});

test("a split may be called as anything that JavaScript's objects have", async () => {
  const source = join(folder, "splits");
  mkdirSync(source);
  writeFileSync(join(source, "constructor.jsonl"), '{"a": 1}');
  const rows = await new TaskRows().split(source, { split: "constructor", evaluated: true });
  expect(rows.map(({ row }) => row)).toEqual([{ a: 1 }]);
});

test("so are those of Parquet", async () => {
  expect(await rendered(folderOf("rows", "unread.parquet"), "{{ id }} {{ score }}")).toBe("1 0.5");
  const call = "chosen[0].tool_calls[0].arguments";
  expect(await rendered(folderOf("rows", "numbers.parquet"), `{{ ${call}.x }} {{ ${call}.n }} {{ ${call}.small }}`)).toBe(
    "20.0 9007199254740993 20",
  );
});

describe("splits are those of training data", () => {
  /** A folder of files with one row each, `{ "from": its path }`. */
  function sourceOf(name: string, ...files: string[]): string {
    for (const file of files) {
      mkdirSync(dirname(join(folder, name, file)), { recursive: true });
      writeFileSync(join(folder, name, file), `${JSON.stringify({ from: file })}\n`);
    }
    return join(folder, name);
  }
  const filesOf = async (source: string, split: string, subset?: string) =>
    (await new TaskRows().split(source, { split, subset, evaluated: true })).map(({ row }) => row["from"]);

  test.each([
    [["eval.jsonl", "train.jsonl"], "test", ["eval.jsonl"]],
    [["rows.jsonl", "heldout_rows.jsonl"], "heldout", ["heldout_rows.jsonl"]],
    [["a/heldout/rows.jsonl", "rows.jsonl"], "heldout", ["a/heldout/rows.jsonl"]],
    [["dev-00000-of-00001.jsonl", "validation-00000-of-00001.jsonl"], "validation", ["validation-00000-of-00001.jsonl"]],
    [["dev-00000-of-00001.jsonl", "validation-00000-of-00001.jsonl"], "dev", ["dev-00000-of-00001.jsonl"]],
    [["dev-00000-of-00001.jsonl", "test-00000-of-00001.jsonl"], "validation", ["dev-00000-of-00001.jsonl"]],
    [["dev.jsonl", "test.jsonl"], "dev", ["dev.jsonl"]],
  ])("of %j the split %s is %j", async (files, split, expected) => {
    const source = sourceOf(`splits-${files.join("-").replaceAll("/", "_")}`, ...files);
    expect(await filesOf(source, split)).toEqual(expected);
    expect((await findDataFiles(source, { split })).map(({ path }) => relative(source, path))).toEqual(expected);
  });

  test("a part is a folder, a configuration of the card, or else the folder 'all'", async () => {
    const source = sourceOf("parts", "law/test.jsonl", "all/test.jsonl", "files/x.jsonl");
    writeFileSync(
      join(source, "README.md"),
      "---\nconfigs:\n- config_name: art\n  data_files:\n  - split: test\n    path: files/x.jsonl\n---\n",
    );
    expect(await filesOf(source, "test", "law")).toEqual(["law/test.jsonl"]);
    expect(await filesOf(source, "test", "art")).toEqual(["files/x.jsonl"]);
    expect(await filesOf(source, "test", "other")).toEqual(["all/test.jsonl"]);
  });

  test("a configuration of the card whose files are not there is no part", async () => {
    const source = sourceOf("absent", "all/test.jsonl");
    writeFileSync(
      join(source, "README.md"),
      "---\nconfigs:\n- config_name: law\n  data_files: law/test*\n- config_name: all\n  data_files: all/test*\n---\n",
    );
    await expect(filesOf(source, "test", "law")).rejects.toThrow(
      /Expected files of the split 'test' in '.*' but received 'all\/test\.jsonl'/,
    );
    expect(await filesOf(source, "train", "law")).toEqual(["all/test.jsonl"]);
  });
});

test("a file is read once for all tasks of a command, and anew for the next", async () => {
  const source = join(folder, "once");
  mkdirSync(source);
  writeFileSync(join(source, "test.jsonl"), '{"a": 1}');
  const rows = new TaskRows();
  const [first] = await rows.split(source, { split: "test", evaluated: true });
  writeFileSync(join(source, "test.jsonl"), '{"a": 2}');
  const [again] = await rows.split(source, { split: "test", subset: "x", evaluated: true });
  expect(again).toBe(first);
  expect((await new TaskRows().split(source, { split: "test", evaluated: true }))[0]!.row).toEqual({ a: 2 });
});
