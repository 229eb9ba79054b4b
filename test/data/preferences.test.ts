import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { expectPlainRows, loadPreferences } from "../../src/data/rows/preferences";

let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "smaug-data-"))));
afterAll(() => rm(folder, { recursive: true }));

/** Writes a file in the folder and reads it. */
async function load(content: string | Buffer, name = "pairs.jsonl") {
  const file = join(folder, name);
  await writeFile(file, content);
  return loadPreferences(file, { onNote: () => undefined });
}

const good = `{"prompt": "2 + 2 =", "chosen": " 4", "rejected": " 5"}`;
const [user, four, five] = [
  { role: "user", content: "2 + 2?" },
  { role: "assistant", content: "4" },
  { role: "assistant", content: "5" },
];
const chat = { prompt: [user], chosen: [four], rejected: [five] };

test("reads rows, ignoring blank lines and other keys, and counts rows from 0", async () => {
  const text = `${good}\r\n\n{"prompt": "a", "chosen": "b", "rejected": "c", "source": 7}`;
  expect(await load(text)).toEqual([
    { index: 0, prompt: "2 + 2 =", chosen: " 4", rejected: " 5" },
    { index: 1, prompt: "a", chosen: "b", rejected: "c" },
  ]);
});

test("reads files with upper-case extensions, compressed ones too", async () => {
  expect(await load(good, "PAIRS.JSONL")).toHaveLength(1);
  expect(await load(`[${good}]`, "pairs.Json")).toHaveLength(1);
  expect(await load(gzipSync(good), "pairs.JsonL.GZ")).toHaveLength(1);
});

test("accepts NaN and Infinity, as Python's json does", async () => {
  const [text, list] = [good.replace("}", ', "score": NaN}'), `[${good.replace("}", ', "score": -Infinity}')}]`];
  const row = { index: 0, prompt: "2 + 2 =", chosen: " 4", rejected: " 5" };
  expect(await load(text)).toEqual([row]);
  expect(await load(list, "list.json")).toEqual([row]);
  expect(await load(text, "one.json")).toEqual([row]);
  expect(await load(`${text}\n${text}`, "lines.json")).toEqual([row, { ...row, index: 1 }]);
  await expect(load(good.replace("}", ', "score": nan}'))).rejects.toThrow(/JSON in '.*pairs\.jsonl', line 1/);
});

test("reads lines longer than a piece of the file, and characters that the pieces cut", async () => {
  const long = "é👋".repeat(400_000); // 2.4 MB
  const rows = [good, JSON.stringify({ prompt: long, chosen: "b", rejected: "c" }), good];
  expect((await load(rows.join("\n"))).map(({ prompt }) => prompt)).toEqual(["2 + 2 =", long, "2 + 2 ="]);
});

test("a list that many pieces of the file hold, with rows and characters that the pieces cut", async () => {
  const rows = Array.from({ length: 60 }, (_, i) => ({ prompt: "é😀".repeat(2000 + i), chosen: `${i}`, rejected: "x" }));
  const text = JSON.stringify(rows, null, 1);
  for (const read of [await load(text, "pairs.json"), await load(gzipSync(text), "pairs.json.gz")])
    expect(read.map(({ prompt, chosen }) => [prompt, chosen])).toEqual(rows.map(({ prompt, chosen }) => [prompt, chosen]));
});

test("a byte order mark is no part of the first line, and .gz is unpacked", async () => {
  expect(await load(`\ufeff${good}\n`)).toHaveLength(1);
  expect(await load(gzipSync(`${good}\n${good}\n`), "pairs.jsonl.gz")).toHaveLength(2);
  await expect(load("no gzip", "broken.jsonl.gz")).rejects.toThrow(/data file at '.*broken\.jsonl\.gz', but incorrect/);
});

describe("a fault names the file, the line, the key, what was found and what is expected", () => {
  test.each([
    ["", /at least one row in '.*pairs\.jsonl' but received none/],
    ["\n \n", /at least one row/],
    [`${good}\n{"prompt": `, /JSON in '.*pairs\.jsonl', line 2 but received \{"prompt": /],
    [`${good}\n\n[1, 2]`, /a JSON object in '.*pairs\.jsonl', line 3 but received \[1,2\]/],
    ["null", /a JSON object in '.*pairs\.jsonl', line 1 but received null/],
    ["x".repeat(1000), /received x{60}…/],
    [`{"prompt": "a", "chosen": "b"}`, /for 'rejected' in '.*', line 1 but received only 'prompt', 'chosen';/],
    [`{}`, /'chosen' in '.*pairs\.jsonl', line 1 but received only an empty object/],
    [`{"prompt": "a", "chosen": 4, "rejected": "c"}`, /for 'chosen' in '.*pairs\.jsonl', line 1 but received 4\b/],
    [`{"prompt": [{"role": "user"}], "chosen": "b", "rejected": "c"}`, /for 'prompt' .* received \[\{"role":"user"\}\]/],
    [`{"prompt": null, "chosen": "b", "rejected": "c"}`, /a string for 'prompt' .* but received null/],
  ])("%j", async (text, message) => {
    await expect(load(text)).rejects.toThrow(InputError);
    await expect(load(text)).rejects.toThrow(message);
    await expect(load(text)).rejects.toThrow(/every row is an object with texts or lists of messages, such as/);
  });

  const lines = (...rows: object[]) => rows.map((row) => JSON.stringify(row)).join("\n");
  test.each([
    [lines(chat, JSON.parse(good)), /messages for 'chosen' in '.*', line 2, as in what precedes it, but received " 4"/],
    [lines({ ...chat, rejected: "5" }), /messages for 'rejected' in '.*', line 1, as in what precedes it/],
    [lines(JSON.parse(good), { chosen: "b", rejected: "c" }), /Expected 'prompt' in '.*', line 2, as in the rows/],
    [lines({ chosen: "b", rejected: "c" }, JSON.parse(good)), /Expected no 'prompt' in '.*', line 2/],
    [lines({ ...chat, chosen: ["4"] }), /a message for 'chosen\[0\]' in '.*', line 1 but received "4"/],
    [
      lines({ ...chat, chosen: [{ from: "gpt", value: "4" }] }),
      /a message with a 'role' for 'chosen\[0\]' .* ShareGPT's 'from' and 'value' are not read; write \[\{"role": "assistant", /,
    ],
    [
      lines({ ...chat, chosen: chat.chosen[0] }),
      /a string or messages for 'chosen' .* a conversation is a list, \[\{"role": "assistant", /,
    ],
    [
      lines({ ...chat, chosen: { from: "gpt", value: "4" } }),
      /a string or messages for 'chosen' .* a conversation is a list, \[\{"role": "assistant", /,
    ],
    [lines({ ...chat, chosen: [{ role: "assistant", content: 4 }] }), /a text as 'content' for 'chosen\[0\]'/],
    [lines({ ...chat, prompt: [{ role: "user", content: [{ type: "image" }] }] }), /text alone for 'prompt\[0\]'/],
    [lines({ ...chat, prompt: [] }), /a message for 'prompt' in '.*', line 1 but received none/],
    [lines({ ...chat, prompt: 4 }), /messages for 'prompt' in '.*', line 1 but received 4/],
    [lines({ ...chat, prompt: "Something else" }), /messages for 'prompt' .*or answers that both begin with it/],
    [lines({ ...chat, chosen: [user, four] }), /after 'prompt' for 'chosen' .* begin with the prompt again/],
    [lines({ ...chat, tools: "no JSON" }), /a list of tools, or its JSON, for 'tools' .* received "no JSON"/],
    [lines({ ...chat, tools: [4] }), /a list of tools/],
    [lines({ ...chat, chat_template_kwargs: [] }), /an object for 'chat_template_kwargs' in .* received \[\]/],
  ])("%s", async (text, message) => {
    await expect(load(text)).rejects.toThrow(InputError);
    await expect(load(text)).rejects.toThrow(message);
  });

  test("a file that is not there, one of an unknown kind, and bytes that are no text", async () => {
    await expect(loadPreferences(join(folder, "no.jsonl"))).rejects.toThrow(/no\.jsonl', but there is no such file/);
    const unknown = /a data file \(\.jsonl, .*\.parquet\) but received '.*\.csv'/;
    await expect(load("a,b", "pairs.csv")).rejects.toThrow(unknown);
    const latin = Buffer.concat([Buffer.from(`${good}\n{"prompt": "caf`), Buffer.from([0xe9, 0x22])]);
    await expect(load(latin)).rejects.toThrow(/UTF-8 text in '.*pairs\.jsonl', line 2 but received bytes/);
  });

  test("options that do not exist, and a split that one file cannot have", async () => {
    const file = join(folder, "pairs.jsonl");
    await writeFile(file, good);
    expect(await loadPreferences(file, { split: "train" })).toHaveLength(1);
    await expect(loadPreferences(file, { split: "test" })).rejects.toThrow(/the split 'test' but '.*' is a single file/);
    await expect(loadPreferences(file, { split: "test" })).rejects.toThrow("with the split 'train'; name another file");
    await expect(loadPreferences(file, { splits: "test" } as object)).rejects.toThrow(TypeError);
  });

  test.each([
    ["eval.jsonl", ["test", "eval", "train"], ["validation"]],
    ["pairs-holdout.jsonl", ["holdout", "train"], ["test", "hold"]],
    ["dev-00000-of-00001.jsonl", ["dev", "validation", "train"], ["test"]],
  ])("%s is read as the split that its name tells, or as train", async (name, readable, others) => {
    const file = join(folder, name);
    await writeFile(file, good);
    for (const split of readable) expect(await loadPreferences(file, { split })).toHaveLength(1);
    for (const split of others) await expect(loadPreferences(file, { split })).rejects.toThrow(`the split '${split}' but`);
  });
});

describe("conversations", () => {
  const read = (row: object) => load(JSON.stringify(row));

  test("keep their tools, as a list or its JSON, and the template's variables", async () => {
    const tools = [{ type: "function" }];
    const kwargs = { enable_thinking: false };
    const expected = { index: 0, ...chat, tools, chatTemplateKwargs: kwargs };
    expect(await read({ ...chat, tools, chat_template_kwargs: kwargs })).toEqual([expected]);
    expect(await read({ ...chat, tools: JSON.stringify(tools), chat_template_kwargs: kwargs })).toEqual([expected]);
    expect(await read({ ...chat, tools: null, chat_template_kwargs: null })).toEqual([{ index: 0, ...chat }]);
  });

  test("lose the empty keys that Arrow gives messages, but not an empty content", async () => {
    const [call] = [{ role: "assistant", content: null, tool_calls: [{}], name: null }];
    const [row] = await read({ ...chat, chosen: [call] });
    expect(row!.chosen).toEqual([{ role: "assistant", content: null, tool_calls: [{}] }]);
  });

  test("give the prompt that is in them, also where it stands beside them as text", async () => {
    const whole = { chosen: [user, four], rejected: [user, five] };
    expect(await read(whole)).toEqual([{ index: 0, ...chat }]);
    expect(await read({ ...whole, prompt: " 2 + 2? " })).toEqual([{ index: 0, ...chat }]);
  });

  test("are not texts", async () => {
    expect(expectPlainRows(await load(good), "pairs.jsonl")).toHaveLength(1);
    const rows = await read(chat);
    const message = /texts .* in 'pairs\.jsonl' but row 0 is a conversation/;
    expect(() => expectPlainRows(rows, "pairs.jsonl")).toThrow(message);
  });
});

describe("a .json file", () => {
  const row = JSON.parse(good) as object;
  const one = { index: 0, ...row };
  const two = [one, { index: 1, ...row }];

  test.each([
    ["a list of rows", JSON.stringify([row, row], null, 2), two],
    ["a list under 'data'", JSON.stringify({ version: 1, data: [row, row] }), two],
    ["columns", `{"prompt": ["2 + 2 =", "2 + 2 ="], "chosen": [" 4", " 4"], "rejected": [" 5", " 5"], "n": 2}`, two],
    ["columns of conversations", JSON.stringify({ chosen: [[user, four]], rejected: [[user, five]] }), [{ index: 0, ...chat }]],
    ["one row", JSON.stringify(row, null, 2), [one]],
    ["one conversation", JSON.stringify(chat), [{ index: 0, ...chat }]],
    ["JSON Lines under a wrong name", `${good}\n${good}\n`, two],
  ])("%s", async (_, text, expected) => {
    expect(await load(text, "pairs.json")).toEqual(expected);
  });

  test.each([
    ["[]", /at least one row/],
    [" ", /at least one row/],
    ["4", /rows in '.*pairs\.json' but received 4/],
    [`[${good}, {"prompt": "a", "chosen": "b"}]`, /for 'rejected' in '.*', row 1 \(counted from 0\) but received only/],
    [`[${good},`, /JSON in '.*pairs\.json' but received/],
    [`${good}\n{"prompt"`, /JSON in '.*pairs\.json', line 2 but received/],
    [
      `{"prompt": ["a"], "chosen": ["b", "c"], "rejected": ["d", "e"]}`,
      /columns of one length in '.*' but received 'prompt' 1, 'chosen' 2, 'rejected' 2/,
    ],
  ])("%s", async (text, message) => {
    await expect(load(text, "pairs.json")).rejects.toThrow(InputError);
    await expect(load(text, "pairs.json")).rejects.toThrow(message);
  });
});
