/** Parquet as Arrow writes it: the files of scripts/parity/data.py. */
import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { loadPreferences } from "../../src/data/rows/preferences";
import { folderOf } from "../parity/fixture";

const file = (name: string) => folderOf("data", `${name}.parquet`);

test.each(["none", "snappy", "gzip", "zstd", "brotli", "lz4"])("reads row groups packed with %s", async (codec) => {
  const expected = Array.from({ length: 7 }, (_, i) => {
    return { index: i, prompt: `${i} + 1 =`, chosen: ` ${i + 1}`, rejected: ` ${i + 2}` };
  });
  expect(await loadPreferences(file(`plain.${codec}`))).toEqual(expected);
});

test("keeps a byte order mark that begins a text", async () => {
  const bytes = await readFile(file("plain.none"));
  const at = bytes.indexOf("3 + 1 =");
  bytes.set(Buffer.from("\ufeff"), at);
  const folder = await mkdtemp(join(tmpdir(), "smaug-parquet-"));
  await writeFile(join(folder, "mark.parquet"), bytes);
  const rows = await loadPreferences(join(folder, "mark.parquet"));
  expect(rows.map(({ prompt }) => prompt)).toContain("\ufeff 1 =");
  await rm(folder, { recursive: true });
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
  ["other", /the column 'chosen', 'rejected' in '.*other\.parquet' but received only 'question', 'answer'/],
  ["numbers", /for 'chosen' in '.*numbers\.parquet', row 0 \(counted from 0\) but received 4/],
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

/** Bytes of a fixture with some of them replaced. */
async function damaged(name: string, changes: Readonly<Record<number, number>>): Promise<Buffer> {
  const bytes = await readFile(file(name));
  for (const [at, byte] of Object.entries(changes)) bytes[Number(at) < 0 ? bytes.length + Number(at) : Number(at)] = byte;
  return bytes;
}

async function outcome(bytes: Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "smaug-parquet-"));
  const path = join(folder, "damaged.parquet");
  await writeFile(path, bytes);
  try {
    await loadPreferences(path, { onNote: () => undefined });
    return "read";
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as Error).message;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a byte that is wrong, wherever it is, gives rows or an error that names the file, and leaves no rejection unhandled", async () => {
  const unheard: unknown[] = [];
  const listen = (reason: unknown) => void unheard.push(reason);
  process.on("unhandledRejection", listen);
  const counts = { read: 0, refused: 0 };
  for (const name of ["plain.snappy", "chat"]) {
    const { length } = await readFile(file(name));
    for (let at = 0; at < length; at += 17) {
      const message = await outcome(await damaged(name, { [at]: 0xff }));
      counts[message === "read" ? "read" : "refused"]++;
      if (message !== "read") expect(message).toContain("damaged.parquet'");
    }
  }
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", listen);
  expect(unheard).toEqual([]);
  expect(counts.read).toBeGreaterThan(10);
  expect(counts.refused).toBeGreaterThan(10);
});

test.each([
  [
    "a footer longer than the file",
    { "-8": 0xff, "-7": 0xff, "-6": 0xff, "-5": 0x7f },
    /metadata of 2147483647 bytes in a file of \d+/,
  ],
  ["another ending", { "-1": 0x32 }, /it does not end with 'PAR1'/],
])("%s", async (_, changes, message) => {
  expect(await outcome(await damaged("plain.none", changes))).toMatch(message);
});

test("a page expands to no more than its declared size, which is limited", async () => {
  const { limitedCompressors } = await import("../../src/data/reading/parquetReader");
  const { GZIP, BROTLI, SNAPPY } = await limitedCompressors();
  const zeros = Buffer.alloc(10_000_000);
  expect(() => GZIP!(gzipSync(zeros), 1000)).toThrow();
  expect(() => BROTLI!(brotliCompressSync(zeros), 1000)).toThrow();
  expect(() => SNAPPY!(new Uint8Array(10), 2 ** 31 - 1)).toThrow("a page of 2147483647 bytes, more than 268435456");
  expect(() => SNAPPY!(new Uint8Array(10), -1)).toThrow("a page of -1 bytes");
  expect(GZIP!(gzipSync("abc"), 3)).toEqual(Buffer.from("abc"));
});

test("the decoding thread gives the same rows and is reused, and a damaged file harms neither the process nor the next file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "smaug-parquet-"));
  const pipe = join(folder, "pipe.parquet");
  execFileSync("mkfifo", [pipe]);
  const root = join(__dirname, "../..");
  // A page of it makes the decoder loop; found by changing bytes at random.
  const looping = join(__dirname, "files/looping.parquet");
  const program = join(__dirname, "programs/parquetThread.cjs");
  const { stdout } = await promisify(execFile)("node", [
    program,
    root,
    folderOf("data"),
    looping,
    pipe,
    join(folder, "broken.parquet"),
  ]);
  expect(JSON.parse(stdout)).toEqual({
    rows: [7, 2, 7, 7],
    failures: [
      expect.stringMatching(/^InputError: Expected a Parquet file that can be read at '.*broken\.parquet', /),
      expect.stringMatching(/^InputError: Expected a data file at '.*pipe\.parquet', but it is a named pipe/),
      expect.stringMatching(/^InputError: .*'.*looping\.parquet', but it takes far longer than a file of its size should/),
    ],
    unheard: 0,
  });
  await rm(folder, { recursive: true });
});

test("what the decoder did not expect is called damage, without its own words", async () => {
  for (const [name, changes] of [
    ["plain.none", { 694: 22 }],
    ["plain.zstd", { 2041: 0, 2042: 0 }],
    ["plain.zstd", { 249: 84 }],
  ] as const)
    expect(await outcome(await damaged(name, changes))).toMatch(/can be read at '.*damaged\.parquet'.*, but: it is damaged$/);
});
