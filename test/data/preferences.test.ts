import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/native/errors";
import { parsePreferences, readPreferences } from "../../src/data/preferences";

const good = `{"prompt": "2 + 2 =", "chosen": " 4", "rejected": " 5"}`;

test("reads rows, ignoring blank lines and other keys, and counts rows from 0", () => {
  const text = `${good}\r\n\n{"prompt": "a", "chosen": "b", "rejected": "c", "source": 7}\n`;
  expect(parsePreferences(text, "pairs.jsonl")).toEqual([
    { index: 0, prompt: "2 + 2 =", chosen: " 4", rejected: " 5" },
    { index: 1, prompt: "a", chosen: "b", rejected: "c" },
  ]);
});

describe("a fault names the file, the line, the key, what was found and what is expected", () => {
  test.each([
    ["", /at least one row in 'pairs\.jsonl' but found none/],
    ["\n \n", /at least one row/],
    [`${good}\n{"prompt": `, /JSON in 'pairs\.jsonl', line 2, but found \{"prompt": /],
    [`${good}\n\n[1, 2]`, /a JSON object in 'pairs\.jsonl', line 3, but found \[1, 2\]/],
    ["null", /a JSON object in 'pairs\.jsonl', line 1, but found null/],
    [`{"prompt": "a", "chosen": "b"}`, /for 'rejected' in 'pairs\.jsonl', line 1, but found only 'prompt', 'chosen'\./],
    [`{}`, /a string for 'prompt' in 'pairs\.jsonl', line 1, but found only an empty object/],
    [`{"prompt": "a", "chosen": 4, "rejected": "c"}`, /a string for 'chosen' in 'pairs\.jsonl', line 1, but found 4\b/],
    [`{"prompt": [{"role": "user"}], "chosen": "b", "rejected": "c"}`, /for 'prompt' .* found \[\{"role":"user"\}\]/],
    [`{"prompt": null, "chosen": "b", "rejected": "c"}`, /a string for 'prompt' .* but found null/],
  ])("%j", (text, message) => {
    const parse = () => parsePreferences(text, "pairs.jsonl");
    expect(parse).toThrow(InputError);
    expect(parse).toThrow(message);
    expect(parse).toThrow(/Every line is one JSON object such as/);
  });

  test("shortens a long line", () => {
    expect(() => parsePreferences("x".repeat(1000), "pairs.jsonl")).toThrow(/found x{60}…/);
  });
});

describe("files", () => {
  let folder: string;
  beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "smaug-"))));
  afterAll(() => rm(folder, { recursive: true }));

  test("a byte order mark is no part of the first line", async () => {
    const file = join(folder, "bom.jsonl");
    await writeFile(file, `\ufeff${good}\n`);
    expect(await readPreferences(file)).toHaveLength(1);
  });

  test("a file that is not there, a folder, and bytes that are no text", async () => {
    await expect(readPreferences(join(folder, "no.jsonl"))).rejects.toThrow(/no\.jsonl', but there is no such file/);
    await expect(readPreferences(folder)).rejects.toThrow(/but it is a folder/);
    const binary = join(folder, "binary.jsonl");
    await writeFile(binary, Buffer.from([0x7b, 0xff, 0xfe]));
    await expect(readPreferences(binary)).rejects.toThrow(/UTF-8 text in '.*binary\.jsonl'/);
    await expect(readPreferences(binary)).rejects.toThrow(InputError);
  });
});
