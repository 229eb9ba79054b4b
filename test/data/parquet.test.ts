/** Parquet as Arrow writes it: the files of scripts/parity/data.py. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { InputError } from "../../src/native/errors";
import { loadPreferences } from "../../src/data/preferences";
import { folderOf } from "../parity/fixture";

const file = (name: string) => folderOf("data", `${name}.parquet`);

test.each(["none", "snappy", "gzip", "zstd", "brotli", "lz4"])("reads row groups packed with %s", async (codec) => {
  const expected = Array.from({ length: 7 }, (_, i) => {
    return { index: i, prompt: `${i} + 1 =`, chosen: ` ${i + 1}`, rejected: ` ${i + 2}` };
  });
  expect(await loadPreferences(file(`plain.${codec}`))).toEqual(expected);
});

test("reads conversations without the fields that only other messages have", async () => {
  expect(await loadPreferences(file("chat"))).toEqual([
    {
      index: 0,
      prompt: [{ role: "user", content: "What is 2 + 2?" }],
      chosen: [{ role: "assistant", content: "4" }],
      rejected: [{ role: "assistant", content: "5" }],
    },
    {
      index: 1,
      prompt: [{ role: "user", content: "Weather in Zürich 👋🏽?" }],
      chosen: [
        { role: "assistant", content: null, tool_calls: [{ name: "weather", days: 3 }] },
        { role: "tool", content: "rain" },
      ],
      rejected: [{ role: "assistant", content: "No idea." }],
    },
  ]);
});

test.each([
  ["other", /the column 'chosen', 'rejected' in '.*other\.parquet', but found only 'question', 'answer'/],
  ["numbers", /for 'chosen' in '.*numbers\.parquet', row 0 \(counted from 0\), but found 4/],
  ["latin", /UTF-8 text in '.*latin\.parquet'/],
  ["none", /no such file/],
])("refuses %s.parquet", async (name, message) => {
  await expect(loadPreferences(file(name))).rejects.toThrow(InputError);
  await expect(loadPreferences(file(name))).rejects.toThrow(message);
});

test("refuses a file that is cut, and what is no Parquet", async () => {
  const folder = await mkdtemp(join(tmpdir(), "smaug-parquet-"));
  const broken = join(folder, "broken.parquet");
  for (const bytes of [(await readFile(file("plain.zstd"))).subarray(0, 400), Buffer.from("no parquet at all")]) {
    await writeFile(broken, bytes);
    await expect(loadPreferences(broken)).rejects.toThrow(InputError);
    const message = /a Parquet file that can be read at '.*broken\.parquet', but: /;
    await expect(loadPreferences(broken)).rejects.toThrow(message);
  }
  await rm(folder, { recursive: true });
});
