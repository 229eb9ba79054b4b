/** Tasks of one's own, and what bad data and bad tasks get. Expected texts are derived by hand. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { standardError } from "../../src/base/samples";
import {
  type AnswerTask,
  type ChoiceTask,
  evaluate,
  readTaskFile,
  regexFilter,
  resultsTable,
  taskNames,
} from "../../src/evaluate";
import { exactMatch, pooledSummary } from "../../src/evaluate/metrics";
import { Encoder } from "../../src/evaluate/requests";
import { sequenceBatches } from "../../src/evaluate/scoring";
import { type CausalLM, loadModel } from "../../src/models";
import { loadTokenizer, type Tokenizer } from "../../src/text";
import { memory } from "../../src/torch";
import { freshHub } from "../hub/fixtures";
import { temporaryFolders } from "../models/folders";
import { folderOf } from "../parity/fixture";
import { settledTensors } from "../setup/garbage";

const folder = temporaryFolders();
const data = folderOf("eval", "data");
let model: CausalLM;
let tokenizer: Tokenizer;
beforeAll(async () => {
  model = await loadModel(folderOf("eval", "model"), { dtype: "float32" });
  tokenizer = await loadTokenizer(folderOf("eval", "model"));
});
afterAll(() => model.dispose());

/** A folder with these files of rows. */
function dataOf(files: Record<string, readonly object[]>): string {
  const root = folder();
  for (const [name, rows] of Object.entries(files)) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  }
  return root;
}

const arcRow = (answerKey: string) => ({ question: "2?", choices: { text: ["a", "b"], label: ["A", "B"] }, answerKey });
const run = (task: string, source: string, options = {}) =>
  evaluate(model, tokenizer, { tasks: [task], data: { [task]: source }, numFewshot: 0, ...options });

describe("a task as a function", () => {
  const rows = [
    { a: 1, b: 2 },
    { a: 2, b: 2 },
    { a: 3, b: 1 },
  ];
  const sums: ChoiceTask = {
    kind: "choice",
    name: "sums",
    dataset: "",
    split: "test",
    shotSplit: "train",
    shots: 2,
    sampler: "first",
    description: "Add.\n",
    metrics: ["acc"],
    item: ({ a, b }) => ({ text: `${a}+${b}=`, choices: ["3", "4"], gold: Number(a) + Number(b) - 3 }),
  };

  test("has its examples before each question", async () => {
    const source = dataOf({ "train.jsonl": rows, "test.jsonl": rows });
    const found = await evaluate(model, tokenizer, {
      tasks: [{ ...sums, dataset: source }],
      logSamples: true,
      limit: 1,
    });
    expect(found.samples!["sums"]![0]!.arguments).toEqual([
      ["Add.\n1+2= 3\n\n2+2= 4\n\n1+2=", " 3"],
      ["Add.\n1+2= 3\n\n2+2= 4\n\n1+2=", " 4"],
    ]);
    expect(found["n-samples"]).toEqual({ sums: { original: 3, effective: 1 } });
    expect(found.results["sums"]!["acc_stderr,none"]).toBe("N/A");
  });

  test("leaves nothing behind, and the model as it was", async () => {
    const source = dataOf({ "train.jsonl": rows, "test.jsonl": rows });
    const live = await settledTensors();
    model.train();
    await evaluate(model, tokenizer, { tasks: [{ ...sums, dataset: source }], limit: 0.5 });
    expect(model.training).toBe(true);
    model.eval();
    expect(memory().tensors).toBe(live);
  });

  test("may take several choices for right", async () => {
    const source = dataOf({ "test.jsonl": rows });
    const task = { ...sums, dataset: source, shots: 0, item: () => ({ text: "x", choices: ["3", "4"], gold: [0, 1] }) };
    expect((await evaluate(model, tokenizer, { tasks: [task] })).results["sums"]!["acc,none"]).toBe(1);
  });

  test("an answer that never ends is bounded, and counted", async () => {
    const task: AnswerTask = {
      kind: "answer",
      name: "endless",
      dataset: dataOf({ "test.jsonl": rows }),
      split: "test",
      shots: 0,
      until: ["\u0001never"],
      maxTokens: 5,
      filters: [regexFilter("first", /\d/)],
      match: {},
      item: () => ({ text: "Question: Ann has 3 coins", target: "3" }),
    };
    const found = await evaluate(model, tokenizer, { tasks: [task], logSamples: true });
    expect(found.smaug.unfinished).toEqual({ endless: 3 });
    for (const { resps } of found.samples!["endless"]!) {
      const [[text]] = resps as [[string]];
      expect(tokenizer.encode(text, { addSpecialTokens: false }).length).toBeLessThanOrEqual(5);
    }
  });
});

describe("a task as a module", () => {
  const source = (fields: string) => `export default { kind: "choice", name: "sums", dataset: "rows.jsonl", split: "test",
    shots: 0, metrics: ["acc"], item: ({ a, b }) => ({ text: \`${"${a}"} + ${"${b}"} =\`, choices: ["3", "4"], gold: a + b - 3 }),
    ${fields} };`;
  const write = (text: string): string => {
    const root = dataOf({ "rows.jsonl": [{ a: 1, b: 2 }] });
    writeFileSync(join(root, "mine.mjs"), text);
    return join(root, "mine.mjs");
  };

  test("finds its data beside itself", async () => {
    const { samples } = await evaluate(model, tokenizer, { tasks: [write(source(""))], logSamples: true });
    expect(samples!["sums"]![0]).toMatchObject({
      target: 0,
      arguments: [
        ["1 + 2 =", " 3"],
        ["1 + 2 =", " 4"],
      ],
    });
  });

  test("that answers in the model's words", async () => {
    const file = write(
      source(
        'kind: "answer", until: ["."], maxTokens: 4, filters: [{ name: "none", apply: (text) => text.trim() }], ' +
          'match: {}, item: ({ a, b }) => ({ text: "x", target: String(a + b) }),',
      ),
    );
    const { results } = await evaluate(model, tokenizer, { tasks: [file] });
    expect(results["sums"]).toHaveProperty(["exact_match,none"]);
  });

  test.each([
    ["no task", "export default 3;", /an object with a function 'item', for the default export of '.*' but received 3/],
    ["nothing", "", /but received nothing/],
    ["another kind", source('kind: "text"'), /Expected 'choice' or 'answer' for 'kind' of the default .* received "text"/],
    ["no function", source("item: 3"), /Expected a function that makes a question of a row for 'item'/],
    ["no name", source("name: undefined"), /Expected a text for 'name' of .* but received nothing/],
    ["a metric that is not there", source('metrics: ["f1"]'), /Expected a list of acc, .* received \["f1"\]/],
    ["no filters", source('kind: "answer", until: [], filters: []'), /Expected a list of \{ name, apply/],
    ["what does not run", "export default (", /Expected a module with a task at '.*mine\.mjs' but: /],
  ])("refuses %s", async (_, text, message) => {
    const attempt = evaluate(model, tokenizer, { tasks: [write(text)] });
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toMatchObject({ name: "InputError" });
  });

  test("refuses a file that is not there, and an object that is no task", async () => {
    await expect(evaluate(model, tokenizer, { tasks: ["nowhere.mjs"] })).rejects.toThrow(/there is no such file/);
    await expect(evaluate(model, tokenizer, { tasks: [{ name: "a" } as never] })).rejects.toThrow(/for 'kind' of a task/);
  });
});

describe("bad input", () => {
  test.each([
    [
      "an unknown task",
      () => evaluate(model, tokenizer, { tasks: ["arc_chalenge"] }),
      /Expected a task but received 'arc_chalenge'; did you mean 'arc_challenge'\? Known tasks: /,
    ],
    [
      "an unknown task without a neighbour",
      () => evaluate(model, tokenizer, { tasks: ["poetry"] }),
      /received 'poetry'\. Known tasks: arc_challenge, /,
    ],
    [
      "data for what is no task",
      () => evaluate(model, tokenizer, { tasks: ["gsm8k"], data: { gsm8: "x" } }),
      /Expected the name of a task for each source but received 'gsm8'; did you mean 'gsm8k'/,
    ],
    ["no task", () => evaluate(model, tokenizer, { tasks: [] }), /Expected at least one task/],
    [
      "data of another schema",
      () => run("arc_challenge", dataOf({ "test.jsonl": [{ prompt: "a", chosen: "b" }] })),
      /for 'choices' but the row has only 'prompt', 'chosen'. In '.*test.jsonl', line 1, read for arc_challenge/,
    ],
    [
      "an empty split",
      () => run("arc_challenge", dataOf({ "test.jsonl": [], "train.jsonl": [arcRow("A")] })),
      /Expected rows in the split 'test' of '.*' but it is empty; name a source that has some/,
    ],
    [
      "no right choice",
      () => run("arc_challenge", dataOf({ "test.jsonl": [arcRow("A"), arcRow("E")] })),
      /Expected one of the 2 choices for 'answerKey' but received "E": no choice is right. In '.*', line 2/,
    ],
    [
      "no true choice of TruthfulQA",
      () =>
        run("truthfulqa_mc2", dataOf({ "validation.jsonl": [{ question: "?", mc2_targets: { choices: ["a"], labels: [0] } }] })),
      /no choice is right/,
    ],
    [
      "a label that is not there",
      () =>
        run(
          "hellaswag",
          dataOf({ "val.jsonl": [{ activity_label: "a", ctx_a: "b", ctx_b: "", endings: ["c", "d"], label: "" }] }),
        ),
      /for 'label' but received ""/,
    ],
    [
      "a sentence without a blank",
      () => run("winogrande", dataOf({ "dev.jsonl": [{ sentence: "a", option1: "b", option2: "c", answer: "1" }] })),
      /Expected a blank/,
    ],
    [
      "three choices for MMLU",
      () => run("mmlu_anatomy", dataOf({ "test.jsonl": [{ question: "?", choices: ["a", "b", "c"], answer: 1 }] })),
      /Expected four choices but received 3/,
    ],
    [
      "a subject that is not there",
      () =>
        run(
          "mmlu_anatomy",
          dataOf({ "test.jsonl": [{ question: "?", subject: "law", choices: ["a", "b", "c", "d"], answer: 1 }] }),
        ),
      /Expected rows of the subject 'anatomy'/,
    ],
    [
      "another split",
      () => run("gsm8k", dataOf({ "train.jsonl": [{ question: "?", answer: "1" }] })),
      /Expected files of the split 'test' in '.*' but received 'train.jsonl'/,
    ],
    [
      "too few examples",
      () => run("arc_challenge", dataOf({ "test.jsonl": [arcRow("A")], "train.jsonl": [arcRow("A")] }), { numFewshot: 2 }),
      /Expected at least 2 rows in the split 'train' of arc_challenge for 2 examples but received 1/,
    ],
    [
      "examples from one file",
      () => run("arc_challenge", join(dataOf({ "test.jsonl": [arcRow("A")] }), "test.jsonl"), { numFewshot: 1 }),
      /name a folder that has both splits/,
    ],
    [
      "a line that is not JSON",
      () => {
        const source = dataOf({ "test.jsonl": [arcRow("A")] });
        writeFileSync(join(source, "test.jsonl"), "{");
        return run("arc_challenge", source);
      },
      /Expected JSON in '.*', line 1/,
    ],
    [
      "an answer longer than the context",
      () => run("gsm8k", join(data, "gsm8k"), { maxLength: 256 }),
      /Expected fewer than \d+ tokens, the model's context, for 'max_gen_toks' of a task but received 256/,
    ],
    [
      "a folder without the task",
      () => evaluate(model, tokenizer, { tasks: ["mmlu_virology"], data: folder() }),
      /Expected a folder or file named 'mmlu' in '.*' but received nothing; to name it directly, .*: mmlu=/,
    ],
  ])("%s", async (_, attempt, message) => {
    await expect(attempt()).rejects.toThrow(message);
    await expect(attempt()).rejects.toMatchObject({ name: "InputError" });
  });

  test("wrong options", async () => {
    await expect(evaluate(model, tokenizer, { tasks: ["gsm8k"], limit: 0 })).rejects.toThrow(RangeError);
    await expect(evaluate(model, tokenizer, { tasks: ["gsm8k"], shots: 1 } as never)).rejects.toThrow(/received 'shots'/);
  });
});

describe("a YAML task", () => {
  const base = {
    task: "mine",
    dataset_path: "rows",
    output_type: "multiple_choice",
    test_split: "test",
    doc_to_text: "{{q}}?",
    doc_to_choice: "options",
    doc_to_target: "gold",
  };
  const write = (keys: object): string => {
    const root = dataOf({ "rows/test.jsonl": [{ q: "a", options: ["x", "y"], gold: "y" }] });
    writeFileSync(join(root, "mine.yaml"), JSON.stringify({ ...base, ...keys })); // JSON is YAML
    return join(root, "mine.yaml");
  };

  test("finds its data beside itself, and the right choice by its text", async () => {
    const found = await evaluate(model, tokenizer, { tasks: [write({})], logSamples: true });
    expect(found.samples!["mine"]![0]).toMatchObject({
      target: 1,
      arguments: [
        ["a?", " x"],
        ["a?", " y"],
      ],
    });
  });

  test("that is not there is refused", async () => {
    await expect(readTaskFile("nowhere.yaml")).rejects.toThrow(/a task file at nowhere.yaml but there is none/);
  });

  test.each([
    ["an unknown key", { doc_to_txt: "a" }, /received 'doc_to_txt'; did you mean 'doc_to_text'/],
    ["no split", { test_split: null }, /Expected 'test_split' or 'validation_split'/],
    ["another kind of output", { output_type: "loglikelihood" }, /Expected multiple_choice or generate_until/],
    ["a template that does not parse", { doc_to_text: "{{ q" }, /Expected a Jinja template for 'doc_to_text'/],
    ["a metric that is not there", { metric_list: [{ metric: "f1" }] }, /Expected acc or acc_norm or acc_bytes for 'metric'/],
    [
      "sampling",
      { output_type: "generate_until", doc_to_choice: undefined, generation_kwargs: { do_sample: true } },
      /Expected greedy generation/,
    ],
    [
      "examples of another kind",
      { fewshot_config: { samples: [] } },
      /Expected sampler in 'fewshot_config'.* but received 'samples'/,
    ],
    ["data that other settings choose", { dataset_kwargs: { data_dir: "x" } }, /received 'data_dir'/],
    ["filters of choices", { filter_list: [] }, /Expected no 'filter_list' of '.*' beside multiple_choice/],
    ["Python", { doc_to_text: "!function utils.text" }, /received !function, which runs Python/],
    [
      "a filter that is not there",
      {
        output_type: "generate_until",
        doc_to_choice: undefined,
        filter_list: [{ name: "a", filter: [{ function: "map" }] }],
      },
      /for 'function'/,
    ],
  ])("refuses %s", async (_, keys, message) => {
    await expect(readTaskFile(write(keys))).rejects.toThrow(message);
  });

  test.each([
    ["a column that is not there", { doc_to_text: "{{nonsense}}" }, /Expected the column 'nonsense'/],
    ["no right choice", { doc_to_target: "q" }, /no choice is right/],
    ["choices that are no list", { doc_to_choice: "q" }, /Expected a list of at least two texts/],
  ])("refuses rows with %s", async (_, keys, message) => {
    await expect(evaluate(model, tokenizer, { tasks: [write(keys)] })).rejects.toThrow(message);
  });
});

test("where the hub cannot be asked, what may be named instead is said", async () => {
  await freshHub();
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  await expect(evaluate(model, tokenizer, { tasks: ["gsm8k"] })).rejects.toThrow(
    /HF_HUB_OFFLINE is set; it is not in the cache .* either\n'openai\/gsm8k' was taken for a data set of the hub; a file or folder on this disk can be/,
  );
});

test("data sets of the hub are fetched as far as they are needed", async () => {
  const { hub } = await freshHub();
  const file = (path: string) => readFileSync(join(data, path));
  const mmlu = Object.fromEntries(
    ["dev", "test"].map((split) => `all/${split}-00000-of-00001.parquet`).map((path) => [path, file(`mmlu/${path}`)]),
  );
  const arc = Object.fromEntries(
    ["train", "test"]
      .map((split) => `ARC-Challenge/${split}-00000-of-00001.parquet`)
      .map((path) => [path, file(`arc_challenge/${path}`)]),
  );
  hub.add("datasets/cais/mmlu", { ...mmlu, "all/auxiliary_train-00000-of-00001.parquet": Buffer.from("big") });
  hub.add("datasets/allenai/ai2_arc", { ...arc, "ARC-Easy/test-00000-of-00001.parquet": Buffer.from("other") });
  const tasks = ["mmlu_virology", "mmlu_anatomy", "arc_challenge"];
  const found = await evaluate(model, tokenizer, { tasks, limit: 1 });
  const local = await evaluate(model, tokenizer, { tasks, limit: 1, data });
  expect(found.results).toEqual(local.results);
  const fetched = hub.log.map(({ path }) => path).filter((path) => path.includes("parquet"));
  expect(fetched.some((path) => /auxiliary|Easy/.test(path))).toBe(false);
});

describe("tokens", () => {
  test("spaces at a context's end belong to the continuation", () => {
    const encoder = new Encoder(tokenizer, 100);
    const [spaced, plain] = [encoder.scored("Answer: ", "5"), encoder.scored("Answer:", " 5")];
    expect([...spaced.ids]).toEqual([...plain.ids]);
    expect(spaced.start).toBe(plain.start);
    expect(tokenizer.decode(plain.ids.subarray(plain.start))).toBe(" 5");
  });

  test("BOS stands for an empty context, once", () => {
    const encoder = new Encoder(tokenizer, 100);
    const bos = tokenizer.bosTokenId!;
    for (const text of ["a", "<s>a"]) {
      const { ids, start } = encoder.scored("", text);
      expect([ids[0], start]).toEqual([bos, 1]);
      expect(ids[1]).not.toBe(bos);
    }
    expect(encoder.scored("<s>a", " b").ids.filter((id) => id === bos)).toHaveLength(1);
  });

  test("a continuation without tokens, or with too many, is refused", () => {
    expect(() => new Encoder(tokenizer, 100).scored("a", "")).toThrow(/adds none to its context/);
    expect(() => new Encoder(tokenizer, 2).scored("a", " b c d e f")).toThrow(/at most 2 tokens/);
  });
});

test("batches end where little is shared, and hold every sequence once", () => {
  const sequence = (...ids: number[]) => ({ ids: Int32Array.from(ids), start: 1, cut: 0 });
  const sequences = [
    sequence(1, 2, 3, 4),
    sequence(9, 9, 9, 9),
    sequence(1, 2, 3, 5),
    sequence(1, 2, 3, 6),
    sequence(8, 2, 3, 4),
  ];
  expect(sequenceBatches(sequences, 4)).toEqual([[0, 2, 3], [4], [1]]); // 4 + 1 + 1 tokens, within twice 4
  expect(sequenceBatches(sequences, 100)).toEqual([[0, 2, 3, 4, 1]]);
});

test("filters and matching", () => {
  const flexible = regexFilter("flexible", /(-?[$0-9.,]{2,})|(-?[0-9]+)/, -1);
  expect(["It is 5 or $1,200.", "no number", "7"].map((text) => flexible.apply(text))).toEqual(["$1,200.", "[invalid]", "7"]);
  expect(exactMatch("$1,200.", "So 1\n#### 1200", { regexesToIgnore: [/,/, /\$/, /.*#### /s, /\.$/] })).toBe(true);
  expect(exactMatch("Yes!", "yes", { ignoreCase: true, ignorePunctuation: true })).toBe(true);
  expect(exactMatch("Yes", "yes", {})).toBe(false);
});

test("standard errors", () => {
  expect(standardError([1, 0, 0, 1])).toBeCloseTo(Math.sqrt(1 / 3) / 2, 12);
  // sizes 2 and 3, errors 0.5 and 0.1: sqrt((1 * 0.25 * 2 + 2 * 0.01 * 3) / 3 / 5)
  const parts = [
    { value: 0.5, error: 0.5, size: 2 },
    { value: 1, error: 0.1, size: 3 },
  ];
  expect(pooledSummary(parts)).toEqual({ value: 0.8, error: Math.sqrt(0.56 / 3 / 5), size: 5 });
});

test("the table has groups with their members under them", async () => {
  const found = await evaluate(model, tokenizer, { tasks: ["mmlu_other"], data, numFewshot: 0 });
  const lines = resultsTable(found).split("\n");
  expect(lines[0]).toMatch(/^\|Tasks +\|Version\|Filter\|n-shot\|Metric\|/);
  expect(lines[2]).toMatch(/^\|other +\| +2\|none +\| +0\|acc +\|↑\|0\.\d{4}\|±\|0\.\d{4}\|$/);
  expect(lines[3]).toMatch(/^\| - business_ethics /);
  expect(lines).toHaveLength(3 + 13);
  expect(taskNames()).toHaveLength(5 + 5 + 57);
});
