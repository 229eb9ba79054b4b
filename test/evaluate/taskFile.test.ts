/** The values of a task file's keys for a row, and where its rows are. Expected values: lm-evaluation-harness 0.4.13. */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { type ChoiceTask, readTaskFile } from "../../src/evaluate";
import { prepare } from "../../src/evaluate/prepare";
import type { Row } from "../../src/evaluate/tasks/task";
import { temporaryFolders } from "../models/folders";
import { folderOf } from "../parity/fixture";

const folder = temporaryFolders();

const choice = {
  task: "mine",
  dataset_path: "rows",
  output_type: "multiple_choice",
  test_split: "test",
  doc_to_text: "{{q}}",
  doc_to_choice: ["a", "b"],
  doc_to_target: 0,
};
const answer = { ...choice, output_type: "generate_until", doc_to_choice: undefined, doc_to_target: "{{a}}" };

/** A task file with these keys (JSON is YAML), next to other files. */
function write(keys: object, files: Record<string, object | string> = {}): string {
  const root = folder();
  for (const [name, content] of Object.entries({ "mine.yaml": keys, ...files })) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return join(root, "mine.yaml");
}

const itemOf = async (keys: object, row: Row) => (await readTaskFile(write(keys))).item(row);

describe("choices are", () => {
  test.each([
    ["a column", { doc_to_choice: "c" }, { q: "?", c: ["x", "y"] }, ["x", "y"]],
    ["a list", { doc_to_choice: [1, "y"] }, { q: "?" }, ["1", "y"]],
    ["the values of an object", { doc_to_choice: { first: "x", second: "y" } }, { q: "?" }, ["x", "y"]],
    ["an expression", { doc_to_choice: "{{ [c, c ~ '\n'] }}" }, { q: "?", c: "it's" }, ["it's", "it's\n"]],
    ["a list that a template writes", { doc_to_choice: "['{{c}}', '''{{c}}\n''']" }, { q: "?", c: "x" }, ["x", "x\n"]],
    ["a tuple that a template writes", { doc_to_choice: "'{{c}}', 'y'" }, { q: "?", c: "x" }, ["x", "y"]],
    ["a list without a template", { doc_to_choice: "['x', 'y']" }, { q: "?" }, ["x", "y"]],
  ])("%s", async (_, keys, row, choices) => {
    expect(await itemOf({ ...choice, ...keys }, row)).toMatchObject({ choices });
  });
});

describe("the right choice is", () => {
  test.each([
    ["an index", { doc_to_target: 1 }, {}, 1],
    ["a column's index", { doc_to_target: "g" }, { g: 1 }, 1],
    ["a column's truth", { doc_to_target: "g" }, { g: true }, 1],
    ["a column's text", { doc_to_target: "g" }, { g: "b" }, 1],
    ["a column's text, also of a digit", { doc_to_target: "g", doc_to_choice: ["1", "0"] }, { g: "1" }, 0],
    ["a column's list", { doc_to_target: "g" }, { g: [0, 1] }, [0, 1]],
    ["a template's index", { doc_to_target: "{{ ['A', 'B'].index(g) }}" }, { g: "B" }, 1],
    ["a template's index, before a text of that digit", { doc_to_target: "{{g}}", doc_to_choice: ["1", "0"] }, { g: "1" }, 1],
    ["a template's text", { doc_to_target: "{{g}}" }, { g: "b" }, 1],
    ["a template's list", { doc_to_target: "{{ [g, 0] }}" }, { g: 1 }, [1, 0]],
  ])("%s", async (_, keys, row, gold) => {
    expect(await itemOf({ ...choice, ...keys }, { q: "?", ...row })).toMatchObject({ gold });
  });
});

test("texts and targets are columns, written as Python writes them, or templates", async () => {
  const keys = { ...answer, doc_to_text: "q", doc_to_target: "a" };
  expect(await itemOf(keys, { q: "1?", a: true })).toEqual({ text: "1?", target: "True" });
  expect(await itemOf(keys, { q: "{{x}}", a: "[1]" })).toEqual({ text: "{{x}}", target: "[1]" });
  expect(await itemOf({ ...answer, doc_to_target: "[{{a}}" }, { q: "?", a: 1 })).toEqual({ text: "?", target: "[1" });
});

describe("rows are refused", () => {
  test.each([
    [
      "whose text is the number of one of several",
      choice,
      { q: 1 },
      /Expected a text for 'doc_to_text' .* received "1", the index of one of several texts/,
    ],
    ["with several answers", { ...answer, doc_to_target: "a" }, { q: "?", a: ["x", "y"] }, /received the list \["x","y"\]/],
    ["with a list of answers", { ...answer, doc_to_target: "{{ [a] }}" }, { q: "?", a: "x" }, /Expected one text/],
    ["without choices", { ...choice, doc_to_choice: "c" }, { q: "?" }, /a list of at least two texts .* received "c"/],
    ["without a right choice", { ...choice, doc_to_target: "g" }, { q: "?", g: 2 }, /one of the 2 choices .* received 2/],
    ["with a wrong text", { ...choice, doc_to_target: "{{g}}" }, { q: "?", g: "01" }, /no choice is right/],
  ])("%s", async (_, keys, row, message) => {
    await expect(itemOf(keys, row)).rejects.toThrow(message);
  });
});

test("a description is a template over the question's row", async () => {
  const rows = [
    { q: "1?", s: "sums" },
    { q: "2?", s: "more" },
  ];
  const file = write({ ...choice, description: "About {{s}}.\n" }, { "rows/test.json": rows });
  const { questions } = await prepare(await readTaskFile(file), { seed: 1 });
  expect(questions.flatMap((each) => each.contexts())).toEqual(["About sums.\n1?", "About more.\n2?"]);
});

describe("include", () => {
  test("takes the keys of other files, own keys first, the later file's before the earlier one's", async () => {
    const keys = { include: ["base/first.yaml", "second.yaml"], task: "mine" };
    const file = write(keys, {
      "base/first.yaml": { include: "deep_yaml", task_alias: "first", description: "first" },
      "base/deep_yaml": { ...choice, task: "deep", description: "deep" },
      "second.yaml": { description: "second" },
    });
    expect(await readTaskFile(file)).toMatchObject({ name: "mine", alias: "first", description: "second" });
  });

  test.each([
    ["files that include each other", "a.yaml", { "a.yaml": { include: "mine.yaml" } }, /to include '.*mine.yaml' only once/],
    ["a file that is not there", "b.yaml", {}, /a task file at .*b.yaml but there is none/],
    ["what is no file", 3, {}, /Expected a file, or a list of files, for 'include' of '.*' but received 3/],
    ["unknown keys of other files", "a.yaml", { "a.yaml": { doc_to_txt: "a" } }, /in '.*a.yaml' but received 'doc_to_txt'/],
  ])("refuses %s", async (_, include, files, message) => {
    await expect(readTaskFile(write({ ...choice, include }, files))).rejects.toThrow(message);
  });
});

describe("data_files", () => {
  const rows = [{ q: "1?" }, { q: "2?" }];
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const withFiles = (data_files: unknown, keys: object = {}) => ({
    ...choice,
    dataset_path: "json",
    dataset_kwargs: { data_files },
    ...keys,
  });
  const textsOf = async (keys: object): Promise<string[]> => {
    const task = (await readTaskFile(write(keys))) as ChoiceTask;
    const { questions, source } = await prepare(task, { seed: 1 });
    expect(source).toBe(keys["dataset_path" as keyof object]);
    return questions.map(({ item }) => ("text" in item ? item.text : ""));
  };
  const put = (name: string, content: string): string => {
    writeFileSync(join(folder(), name), content);
    return name;
  };
  const root = folder();
  const at = (name: string, content: string): string => {
    writeFileSync(join(root, name), content);
    return join(root, name);
  };

  test("of one split are the rows of that split, in the order of the files", async () => {
    const [first, second] = [at("a.jsonl", lines), at("b.json", JSON.stringify([{ q: "3?" }]))];
    expect(await textsOf(withFiles({ test: [second, first], train: first }))).toEqual(["3?", "1?", "2?"]);
  });

  test("without a split are the split 'train'", async () => {
    const file = at("c.jsonl", lines);
    expect(await textsOf(withFiles(file, { test_split: "train" }))).toEqual(["1?", "2?"]);
    expect(await textsOf(withFiles([file, file], { test_split: "train" }))).toHaveLength(4);
    await expect(textsOf(withFiles(file))).rejects.toThrow(
      /the split 'test' in 'data_files' in .* but received train, the default for files without a split/,
    );
  });

  test("may be Parquet, and start at the working directory", async () => {
    const name = join(root, "mmlu.parquet");
    cpSync(folderOf("eval", "data", "mmlu", "all", "test-00000-of-00001.parquet"), name);
    const keys = { dataset_path: "parquet", doc_to_text: "{{question}}" };
    expect(await textsOf(withFiles({ test: relative(process.cwd(), name) }, keys))).not.toHaveLength(0);
  });

  test("are the source of examples too", async () => {
    const files = { train: at("d.jsonl", '{"q": "shot"}\n'), test: at("e.jsonl", lines) };
    const task = await readTaskFile(write(withFiles(files, { training_split: "train", num_fewshot: 1 })));
    const { questions } = await prepare(task, { seed: 1 });
    expect(questions[0]!.contexts()).toEqual(["shot a\n\n1?"]);
  });

  test("give way to another source", async () => {
    const task = await readTaskFile(write(withFiles({ test: at("f.jsonl", lines) })));
    const { questions } = await prepare(task, { seed: 1, source: at("g.jsonl", '{"q": "other"}\n') });
    expect(questions.map(({ row }) => row["q"])).toEqual(["other"]);
  });

  test.each([
    ["files that are not there", () => withFiles({ test: put("x.jsonl", lines) }), /a file at 'x.jsonl' .* working directory/],
    ["addresses", () => withFiles({ test: "hf://datasets/a/b.jsonl" }), /Expected a local path .* download it/],
    ["patterns", () => withFiles({ test: "*.jsonl" }), /received the pattern '\*.jsonl'; list the files/],
    ["what is no path", () => withFiles({ test: 3 }), /Expected a path for 'data_files' .* received 3/],
    ["no files", () => withFiles(undefined), /Expected 'data_files' in .* since 'dataset_path' is json/],
    ["files of another format", () => withFiles({ test: at("h.parquet", "") }), /files in the format of 'dataset_path', json,/],
    [
      "formats that are not read",
      () => withFiles("a.csv", { dataset_path: "csv" }),
      /json, parquet or a data set .* received 'csv'/,
    ],
    ["files of a data set", () => withFiles("a.jsonl", { dataset_path: "rows" }), /no 'data_files' .* with the data set 'rows'/],
    ["other settings", () => ({ ...choice, dataset_kwargs: { data_dir: "a" } }), /received 'data_dir'/],
  ])("refuses %s", async (_, keys, message) => {
    await expect(textsOf(keys())).rejects.toThrow(message);
  });

  test("of a task as a function have the requested split", async () => {
    const task = (await readTaskFile(write(withFiles({ test: at("i.jsonl", lines) })))) as ChoiceTask;
    await expect(prepare({ ...task, split: "dev" }, { seed: 1 })).rejects.toThrow(
      "Expected the split 'dev' in 'dataFiles' of mine but received 'test'",
    );
  });

  test("next to the task file are named with their path", async () => {
    const file = write(withFiles({ test: "rows.jsonl" }), { "rows.jsonl": lines });
    await expect(readTaskFile(file)).rejects.toThrow(
      /Expected a file at 'rows.jsonl' .* starts at the working directory: run the command there, or name '.*\/rows.jsonl'/,
    );
  });
});
