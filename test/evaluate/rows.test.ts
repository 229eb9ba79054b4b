import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readSplit } from "../../src/evaluate/rows";
import { RowTemplate } from "../../src/evaluate/tasks/template";
import { folderOf } from "../parity/fixture";

const folder = mkdtempSync(join(tmpdir(), "smaug-eval-rows-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function rendered(source: string, template: string): Promise<string> {
  const [first] = await readSplit(source, { split: "test", evaluated: true });
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
  const rows = await readSplit(source, { split: "constructor", evaluated: true });
  expect(rows.map(({ row }) => row)).toEqual([{ a: 1 }]);
});

test("so are those of Parquet", async () => {
  expect(await rendered(folderOf("rows", "unread.parquet"), "{{ id }} {{ score }}")).toBe("1 0.5");
  const call = "chosen[0].tool_calls[0].arguments";
  expect(await rendered(folderOf("rows", "numbers.parquet"), `{{ ${call}.x }} {{ ${call}.n }} {{ ${call}.small }}`)).toBe(
    "20.0 9007199254740993 20",
  );
});
