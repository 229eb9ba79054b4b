/** Rows without a rejected answer, which only the loss sft trains on: reading, checking, tokenising and inspecting them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { InputError } from "../../src/base/errors";
import { inspectRows } from "../../src/data/inspect";
import { expectRows } from "../../src/data/rows/givenRows";
import { loadPreferences } from "../../src/data/rows/preferences";
import { rowWarnings } from "../../src/data/rows/screening";
import { tokenizePairs } from "../../src/data/tokenize/tokenizePairs";
import { loadTokenizer } from "../../src/text";
import { folderOf } from "../parity/fixture";
import { bos, eos, hello, tinyFolder } from "../text/tiny";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "smaug-answers-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const written = (rows: readonly object[]): string => writtenText(rows.map((row) => JSON.stringify(row)).join("\n"));
const writtenText = (content: string): string => {
  const file = join(folder, "rows.jsonl");
  writeFileSync(file, content);
  return file;
};

/** The rows of a file in which rejected answers are optional, and the notes about its columns. */
async function read(rows: readonly object[], more: object = {}) {
  const notes: string[] = [];
  const onNote = (line: string) => notes.push(line);
  const found = await loadPreferences(written(rows), { rejected: "optional", onNote, ...more });
  return { rows: found, notes };
}

const says = (role: string, content: string) => ({ role, content });
const [system, user, four] = [says("system", "Add."), says("user", "2 + 2?"), says("assistant", "4")];
const [again, five] = [says("user", "2 + 3?"), says("assistant", "5")];
const text = { prompt: "2 + 2 =", chosen: " 4" };
const chat = { prompt: [user], chosen: [four] };

describe("in a file", () => {
  test.each([
    ["texts", text, text],
    ["texts by TRL's names", { prompt: "2 + 2 =", completion: " 4" }, text],
    ["messages", chat, chat],
    ["messages by TRL's names", { prompt: [user], completion: [four] }, chat],
    ["a conversation", { messages: [user, four] }, chat],
    ["a conversation as the chosen answer", { chosen: [user, four] }, chat],
    ["a conversation beside its question as text", { prompt: "2 + 2?", messages: [user, four] }, chat],
    [
      "a conversation of several turns, whose last one is the answer",
      { messages: [system, user, four, again, five] },
      { prompt: [system, user, four, again], chosen: [five] },
    ],
    ["a rejected answer that is null", { ...text, rejected: null }, text],
  ])("%s", async (_, record, row) => {
    expect(await read([record])).toEqual({ rows: [{ index: 0, ...row }], notes: [] });
  });

  test("pairs are read as ever", async () => {
    const pairs = [{ ...text, rejected: " 5", messages: [] }];
    const required = await loadPreferences(written(pairs), { onNote: () => undefined });
    expect(await read(pairs)).toEqual({ rows: required, notes: ["not read: messages"] });
  });

  test("tools, and a column that is renamed, work as in pairs", async () => {
    const tools = [{ type: "function" }];
    expect((await read([{ messages: [user, four], tools }])).rows).toEqual([{ index: 0, ...chat, tools }]);
    const { rows, notes } = await read([{ q: "2 + 2 =", a: " 4", id: 7 }], { columnMapping: { q: "prompt", a: "chosen" } });
    expect([rows, notes]).toEqual([[{ index: 0, ...text }], ["not read: id"]]);
  });

  test("Parquet", async () => {
    const rows = await loadPreferences(folderOf("rows", "renamed.parquet"), {
      columnMapping: { question: "prompt", good: "chosen" },
      rejected: "optional",
      onNote: () => undefined,
    });
    expect(rows).toEqual([{ index: 0, prompt: "q", chosen: "c" }]);
  });

  test.each([
    [[text, { ...text, rejected: " 5" }], /Expected no 'rejected' in '.*', line 2, as in the rows before it/],
    [[{ ...text, rejected: " 5" }, text], /Expected 'rejected' in '.*', line 2, as in the rows before it/],
    [[{ completion: " 4" }], /Expected 'prompt' in '.*', line 1 but received only 'completion': a text alone does not tell/],
    [[{ question: "2 + 2 =", chosen: " 4" }], /'question' would not be read: name the prompt's column with column_mapping/],
    [[{ prompt: "2 + 2 =" }], /Expected a string or messages for 'chosen' in '.*', line 1 but received only 'prompt'/],
    [[{ messages: [{ from: "gpt", value: "4" }] }], /a message with a 'role' for 'messages\[0\]' in '.*', line 1/],
    [[chat, text], /Expected messages for 'chosen' in '.*', line 2, as in what precedes it/],
  ])("%j is refused", async (rows, message) => {
    await expect(read(rows)).rejects.toThrow(InputError);
    await expect(read(rows)).rejects.toThrow(message);
  });

  test.each([[text], [{ prompt: "2 + 2 =", completion: " 4" }], [{ messages: [user, four] }]])(
    "%j is refused where a rejected answer is required",
    async (row) => {
      await expect(loadPreferences(written([row]))).rejects.toThrow(/Expected a string or messages for '(chosen|rejected)'/);
    },
  );

  test("what a row looks like is shown without a rejected answer, unless the rows before it have one", async () => {
    const form = 'every row is an object such as {"prompt": "2 + 2 =", "completion": " 4"} or {"messages": [{"role": "user"';
    const optional = (text: string) => loadPreferences(writtenText(text), { rejected: "optional" });
    for (const text of ["{", "[]", "", '{"chosen": 4}', '{"prompt": 4, "chosen": " 4"}'])
      await expect(optional(text), text).rejects.toThrow(form);
    const pair = JSON.stringify({ ...chat, rejected: chat.chosen });
    const three = '{"prompt": "2 + 2 =", "chosen": " 4", "rejected": " 5"}';
    await expect(optional(`${pair}\n{"prompt": [], "chosen": [], "rejected": 5}`)).rejects.toThrow(three);
    expect(() => expectRows(["4"], "train", "optional")).toThrow(
      'Expected rows such as { prompt: "2 + 2 =", completion: " 4" } or { messages: […] } but received "4" for \'train[0]\'',
    );
    expect(() => expectRows(["4"], "train")).toThrow('Expected rows such as { prompt: "2 + 2 =", chosen: " 4", rejected: " 5" }');
  });

  test("the option has two values", async () => {
    await expect(loadPreferences(written([text]), { rejected: true as never })).rejects.toThrow(
      `Expected "required" or "optional" for 'rejected' but received true`,
    );
  });
});

describe("in tokens", () => {
  const tokenizer = loadTokenizer(tinyFolder());
  const options = { rejected: "optional", cacheDir: null } as const;

  test("there is no rejected answer either, whatever name the answer has, and boundaries are those of pairs", async () => {
    const forms = [
      { prompt: "a:", chosen: "hello" },
      { prompt: "a:", completion: "hello" },
    ];
    const { pairs } = await tokenizePairs(forms, await tokenizer, options);
    const chosen = { ids: Int32Array.of(bos, 97, 58, hello, eos), start: 3 };
    expect(pairs).toEqual([0, 1].map((index) => ({ index, chosen })));
  });

  test("a conversation is the prompt and its last message", async () => {
    const rows = [
      { messages: [user, four] },
      { prompt: [user], completion: [four] },
      { prompt: [user], chosen: [four] },
      { messages: [four, user] },
      { messages: [four] },
    ];
    const { pairs, refused } = await tokenizePairs(rows, await tokenizer, options);
    const loaded = await tokenizer;
    for (const { chosen } of pairs) expect(chosen).toEqual(pairs[0]!.chosen);
    const { ids, start } = pairs[0]!.chosen;
    expect([ids.subarray(0, start), ids.subarray(start)].map((part) => loaded.decode(part))).toEqual([
      "<bos>u:2 + 2?<eos>a:",
      "4<eos>",
    ]);
    expect(refused).toEqual([
      { index: 3, reason: "the conversation does not end with an assistant message" },
      { index: 4, reason: "the prompt is empty" },
    ]);
  });

  test("counts, cuts and refusals are those of the chosen answers", async () => {
    const rows = ["hello", "", "bcdefg"].map((chosen) => ({ prompt: "a:", chosen }));
    const limits = { maxLength: 6, truncationMode: "keep_start" } as const;
    const { statistics, refused, cut } = await tokenizePairs(rows, await tokenizer, { ...options, ...limits });
    expect(refused).toEqual([{ index: 1, reason: "the chosen answer is empty" }]);
    expect(cut).toEqual([{ index: 2, answer: "chosen", tokens: 10, lostEos: true }]);
    expect(statistics).toMatchObject({
      rows: 3,
      pairs: 2,
      chosen: { total: 2 + 3 },
      prompt: { total: 6 },
      rejected: { total: 0 },
    });
  });

  test("they are kept in the cache, apart from pairs", async () => {
    const cacheDir = join(folder, "cache");
    const rows = [{ prompt: "a:", chosen: "hello" }];
    const make = async (of: object[]) => tokenizePairs(of as typeof rows, await tokenizer, { rejected: "optional", cacheDir });
    const first = await make(rows);
    const second = await make(rows);
    expect([first.statistics.cached, second.statistics.cached]).toEqual([false, true]);
    expect(second.pairs).toEqual(first.pairs);
    expect("rejected" in second.pairs[0]!).toBe(false);
    expect((await make([{ ...rows[0]!, rejected: "b" }])).statistics.cached).toBe(false);
  });

  test.each([
    [[{ prompt: "a", chosen: "b" }], {}, "Expected a string for 'rows[0].rejected' but received nothing; only the loss sft can"],
    [[{ prompt: "a", chosen: "b", rejectd: "c" }], {}, "'rows[0].rejected' but received nothing; did you mean 'rejectd'?"],
    [
      [
        { prompt: "a", chosen: "b" },
        { prompt: "a", chosen: "b", rejected: "c" },
      ],
      options,
      "Expected no 'rejected' in 'rows[1]', as in the rows before it",
    ],
    [[{ prompt: "a" }], options, "Expected a string or a list of messages for 'rows[0].chosen' but received nothing"],
    [[{ messages: "a" }], options, `Expected a list of messages for 'rows[0].messages' but received "a"`],
    [[{ completion: "a" }], options, "Expected a string for 'rows[0].prompt' but received nothing"],
  ])("%j with %j", async (rows, given, message) => {
    await expect(tokenizePairs(rows as never, await tokenizer, given)).rejects.toThrow(message);
  });
});

test("rows without a rejected answer are inspected, with and without a tokenizer", async () => {
  vi.stubEnv("XDG_CACHE_HOME", folder);
  const rows = [0, 1].map((index) => ({ index, prompt: "a:", chosen: "hello b" }));
  expect(rowWarnings(rows)).toEqual({ duplicate: { count: 1, first: [1] } });
  const words = await inspectRows(rows);
  expect(words).toMatchObject({ usable: 2, lengths: { chosen: { total: 4 } }, samples: [{ chosen: { prompt: "a:" } }, {}] });
  const tokens = await inspectRows(rows, { tokenizer: await loadTokenizer(tinyFolder()) });
  expect(tokens.samples[0]).toEqual({ index: 0, chosen: { prompt: "<bos>a:", completion: ["hello", " ", "b", "<eos>"] } });
  for (const { editDistance, lengths } of [words, tokens])
    expect([editDistance, lengths.rejected]).toEqual([undefined, undefined]);
  vi.unstubAllEnvs();
});
