import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { InputError } from "../../src/base/errors";
import type { ColumnMapping } from "../../src/data/reading/columnMapping";
import { loadPreferences } from "../../src/data/rows/preferences";
import { folderOf } from "../parity/fixture";

let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "smaug-columns-"))));
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

/** The rows read from a file, and the notes about them. */
async function read(source: string, columnMapping?: ColumnMapping) {
  const notes: string[] = [];
  const rows = await loadPreferences(source, {
    ...(columnMapping ? { columnMapping } : {}),
    onNote: (line) => notes.push(line),
  });
  return { rows, notes };
}

async function readJson(records: readonly object[], columnMapping?: ColumnMapping) {
  const file = join(folder, "pairs.jsonl");
  await writeFile(file, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  return read(file, columnMapping);
}

const parquet = (name: string) => folderOf("rows", `${name}.parquet`);
const texts = { prompt: "q", chosen: "c", rejected: "d" };
const says = (role: string, content: string) => [{ role, content }];
const chat = { prompt: says("user", "q"), chosen: says("assistant", "c"), rejected: says("assistant", "d") };

describe("columns that are not read", () => {
  test("are named once, in order of appearance", async () => {
    const { rows, notes } = await readJson([
      { ...texts, score: 1 },
      { id: 7, ...texts, score: 2 },
    ]);
    expect(rows).toEqual([
      { index: 0, ...texts },
      { index: 1, ...texts },
    ]);
    expect(notes).toEqual(["not read: score, id"]);
  });

  test("of Parquet are named too", async () => {
    expect((await read(parquet("unread"))).notes).toEqual(["not read: id, score"]);
  });

  test("are not mentioned when there are none", async () => {
    expect((await readJson([texts])).notes).toEqual([]);
  });

  test("include tools and template variables if answers are plain text", async () => {
    const more = { tools: [{}], chat_template_kwargs: { a: "b" } };
    expect((await readJson([{ ...texts, ...more }])).notes).toEqual(["not read: tools, chat_template_kwargs"]);
    expect((await readJson([{ ...chat, ...more }])).notes).toEqual([]);
  });

  test("include a system column alongside messages, with a warning", async () => {
    const { notes } = await readJson([{ ...chat, system: "Be brief.", question: "q" }]);
    expect(notes).toEqual(["not read: system, question", expect.stringContaining("warning: the column 'system' is not read")]);
  });

  test("are printed to standard error by default, with escaped names", async () => {
    const file = join(folder, "unread.jsonl");
    await writeFile(file, JSON.stringify({ ...texts, "a\u001b[2J": 1 }));
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    await loadPreferences(file);
    expect(write.mock.calls).toEqual([["not read: a\\x1b[2J\n"]]);
  });
});

describe("answers in text without a prompt", () => {
  const { prompt: _, ...answers } = texts;

  test.each(["question", "instruction", "input", "query", "system", "Question"])(
    "alongside a column '%s' are an error",
    async (name) => {
      const reading = readJson([{ ...answers, [name]: "what?" }]);
      await expect(reading).rejects.toThrow(InputError);
      await expect(reading).rejects.toThrow(
        `Expected 'prompt' in '${join(folder, "pairs.jsonl")}', line 1 but received only 'chosen', 'rejected', '${name}'; ` +
          `'${name}' would not be read: name the prompt's column with column_mapping, such as {${name}: prompt}`,
      );
    },
  );

  test("with several such columns, the question is the one to map", async () => {
    await expect(read(parquet("question"))).rejects.toThrow(
      /'system', 'question' would not be read: name the prompt's column with column_mapping, such as \{question: prompt\}, join several into one prompt with smaug data pairs --prompt-template '\{system\}\\n\{question\}'/,
    );
    const { rows, notes } = await read(parquet("question"), { question: "prompt" });
    expect(rows).toEqual([{ index: 0, prompt: "q", chosen: "c", rejected: "d" }]);
    expect(notes).toEqual(["not read: system"]);
  });

  test("alongside a number of that name, or with a prompt, are read", async () => {
    expect((await readJson([{ ...answers, query: 3 }])).notes).toEqual(["not read: query"]);
    expect((await readJson([{ ...texts, system: "s" }])).notes).toEqual(["not read: system"]);
  });

  test("conversations alongside such a column are read", async () => {
    const { prompt: __, ...whole } = chat;
    const { rows, notes } = await readJson([{ ...whole, instruction: "x" }]);
    expect([rows.length, notes]).toEqual([1, ["not read: instruction"]]);
  });
});

describe("column_mapping", () => {
  const renamed = { question: "prompt", good: "chosen", bad: "rejected" };

  test("renames the file's columns, in JSON and Parquet", async () => {
    const row = { index: 0, ...texts };
    const json = await readJson([{ question: "q", good: "c", bad: "d", source: "x" }], renamed);
    expect(json).toEqual({ rows: [row], notes: ["not read: source"] });
    expect(await read(parquet("renamed"), renamed)).toEqual({ rows: [row], notes: ["not read: source"] });
  });

  test("may swap names", async () => {
    const { rows } = await readJson([texts], { chosen: "rejected", rejected: "chosen" });
    expect(rows).toEqual([{ index: 0, prompt: "q", chosen: "d", rejected: "c" }]);
  });

  test("is applied before columns are interpreted", async () => {
    const functions = [{ name: "f" }];
    const { rows } = await readJson([{ ...chat, functions }, chat], { functions: "tools" });
    expect(rows).toEqual([
      { index: 0, ...chat, tools: functions },
      { index: 1, ...chat },
    ]);
  });

  test.each<[string, ColumnMapping, RegExp]>([
    [
      "a column that is not there",
      { answer: "chosen" },
      /the column 'answer', which column_mapping renames, in '.*', line 1 but received only 'prompt', 'chosen', 'rejected'/,
    ],
    [
      "one that no row has",
      { functions: "tools" },
      /the column 'functions', which column_mapping renames, in '.*pairs\.jsonl' but received only/,
    ],
    [
      "a name that a column has",
      { extra: "prompt" },
      /no column 'prompt' in '.*', line 1, since column_mapping renames 'extra' to it, but received both/,
    ],
    [
      "two columns with one new name",
      { a: "prompt", b: "prompt" },
      /each new name once in column_mapping but received 'prompt' for 'a' and 'b'/,
    ],
    [
      "a new name that nothing reads",
      { question: "promt" },
      /one of prompt, chosen, .* as the new name of 'question' in column_mapping but received "promt"/,
    ],
    [
      "no mapping",
      "question=prompt" as unknown as ColumnMapping,
      /mapping from the file's column names to smaug's for 'column_mapping'.* but received "question=prompt"/,
    ],
  ])("%s is an error", async (name, mapping, message) => {
    const row = name === "a name that a column has" ? { ...texts, extra: "x" } : texts;
    const reading = readJson([row], mapping);
    await expect(reading).rejects.toThrow(InputError);
    await expect(reading).rejects.toThrow(message);
  });

  test("names missing columns of Parquet, too", async () => {
    await expect(read(parquet("unread"), { question: "prompt" })).rejects.toThrow(
      /the column 'question', which column_mapping renames,/,
    );
    await expect(read(parquet("renamed"), { good: "chosen" })).rejects.toThrow(
      /the column 'rejected' in '.*' but received only 'question', 'good', 'bad'/,
    );
  });
});

test("an answer that is null in Parquet is named as null", async () => {
  await expect(read(parquet("null"))).rejects.toThrow(
    /a string or messages for 'chosen' in '.*', row 1 \(counted from 0\) but received null/,
  );
});

test.each(["null", null])("tools that are %j are no tools", async (tools) => {
  expect((await readJson([{ ...chat, tools }])).rows).toEqual([{ index: 0, ...chat }]);
});

// TRL 1.16 passes what json.loads gives, and transformers 5.24 gives the template a list, also an empty one.
test.each([["[]"], [[]]])("an empty list of tools, %j, is given to the template", async (tools) => {
  expect((await readJson([{ ...chat, tools }])).rows).toEqual([{ index: 0, ...chat, tools: [] }]);
});
