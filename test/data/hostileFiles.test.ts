/** Files that would hang or flood a reader: each is refused, by name, in little time and memory. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getHeapStatistics } from "node:v8";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { loadPreferences, streamPreferences } from "../../src/data/rows/preferences";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "smaug-hostile-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const row = `{"prompt":"2 + 2 =","chosen":" 4","rejected":" 5"}`;
const read = { index: 0, prompt: "2 + 2 =", chosen: " 4", rejected: " 5" };

async function failure(source: string): Promise<string> {
  const error = await loadPreferences(source).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  return (error as Error).message;
}

function written(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("a packed file that unpacks to far more", () => {
  // A gzip file may be several, one after the other: 80 MB of each of these.
  const repeated = (start: string, text: string) =>
    Buffer.concat([gzipSync(start), ...Array<Buffer>(80).fill(gzipSync(text.repeat(1_000_000 / text.length)))]);

  test.each([
    ["one line", "line.jsonl.gz", row + "\n", "a", /a line of at most 64 MiB in '.*', line 2 but received more/],
    [
      "blank lines",
      "blank.jsonl.gz",
      row + "\n",
      " ".repeat(999) + "\n",
      /blank lines of at most 64 MiB in '.*', line \d+ but received more/,
    ],
    [
      "one row of a list",
      "row.json.gz",
      `[${row}, {"prompt": "`,
      "a",
      /a row of at most 64 MiB in '.*', row 1 \(counted from 0\)/,
    ],
  ])("as %s", async (_, name, start, text, message) => {
    const path = written(name, repeated(start, text));
    const before = process.memoryUsage().rss;
    expect(await failure(path)).toMatch(message);
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 2 ** 20);
  });

  test("as a document that does not fit in memory once it is parsed", async () => {
    const packed = gzipSync("[],".repeat(1_000_000)); // 3 MB, 2 million brackets and commas
    const count = Math.ceil(getHeapStatistics().heap_size_limit / 2_000_000 / 64);
    const path = written(
      "lists.json.gz",
      Buffer.concat([gzipSync(`{"data":[`), ...Array<Buffer>(count).fill(packed), gzipSync("0]}")]),
    );
    expect(await failure(path)).toMatch(/JSON that fits in memory in '.*lists\.json\.gz', but it takes up to/);
  });

  test("is read row by row where rows are short", async () => {
    const path = written("rows.jsonl.gz", Buffer.concat(Array<Buffer>(100).fill(gzipSync(`${row}\n`.repeat(200)))));
    let count = 0;
    for await (const each of streamPreferences(path)) count += each.index === count ? 1 : 0;
    expect(count).toBe(20_000);
  });

  test("into more rows than fit in memory ends with an error, not with the process", () => {
    const long = JSON.stringify({ prompt: "p".repeat(5000), chosen: "c".repeat(5000), rejected: "r" });
    const path = written("many.jsonl.gz", Buffer.concat(Array<Buffer>(120).fill(gzipSync(`${long}\n`.repeat(100)))));
    const program =
      "require(process.argv[1]).loadPreferences(process.argv[2]).catch((error) => console.log(error.name, error.message))";
    const library = join(__dirname, "../../dist/data/rows/preferences.js");
    const said = execFileSync("node", ["--max-old-space-size=64", "-e", program, library, path], { encoding: "utf8" });
    expect(said).toMatch(/^InputError Expected rows that fit in memory in '.*many\.jsonl\.gz', but \d+ of them fill most of/);
  });

  test("and one that is cut off is refused", async () => {
    const whole = gzipSync(`${row}\n`.repeat(100));
    expect(await failure(written("cut.jsonl.gz", whole.subarray(0, whole.length - 20)))).toMatch(
      /cut\.jsonl\.gz', but unexpected end of file/,
    );
  });
});

describe("what is not a file", () => {
  const names = ["x.jsonl", "x.json", "x.jsonl.gz", "x.parquet"];

  test.each(names)("does not wait for a named pipe %s, nor for one in a folder", async (name) => {
    const inside = join(folder, `pipe-${name}`);
    mkdirSync(inside);
    execFileSync("mkfifo", [join(inside, name)]);
    expect(await failure(join(inside, name))).toBe(`Expected a data file at '${join(inside, name)}', but it is a named pipe`);
    expect(await failure(inside)).toContain(`'${join(inside, name)}', but it is a named pipe`);
  });

  test("devices and sockets", async () => {
    const zero = join(folder, "zero.jsonl");
    symlinkSync("/dev/zero", zero);
    expect(await failure(zero)).toContain(`'${zero}', but it is a device`);
    const socket = join(folder, "socket.jsonl");
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.on("listening", resolve));
    expect(await failure(socket)).toContain(`'${socket}', but it is a socket`);
    await new Promise((resolve) => server.close(resolve));
  });

  test("a folder with the name of a file has no data", async () => {
    const path = join(folder, "folder.jsonl");
    mkdirSync(path);
    expect(await failure(path)).toMatch(/Expected data files .* in '.*folder\.jsonl' but received no file/);
  });

  test("links that lead nowhere, to themselves, or to a folder around them", async () => {
    const inside = join(folder, "links");
    mkdirSync(inside);
    writeFileSync(join(inside, "train.jsonl"), row);
    const link = (target: string, name: string) => symlinkSync(target, join(inside, name));
    link("nowhere", "README.md"); // no data: nobody's concern
    expect(await loadPreferences(inside)).toEqual([read]);
    for (const [target, message] of [
      ["nowhere.jsonl", /there is no such file/],
      ["b.jsonl", /leads back to itself/],
    ] as const) {
      link(target, "b.jsonl");
      expect(await failure(inside)).toMatch(message);
      expect(await failure(inside)).toContain(join(inside, "b.jsonl"));
      rmSync(join(inside, "b.jsonl"));
    }
    link(".", "again");
    expect(await failure(inside)).toContain(`'${join(inside, "again")}', but it is a link to a folder that contains it`);
  });
});

describe("JSON", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);

  test.each([
    [
      "a row",
      "deep.jsonl",
      `${row}\n{"prompt":"a","chosen":[${deep}],"rejected":"b"}`,
      /500 levels .* in '.*deep\.jsonl', line 2/,
    ],
    ["an element", "deep-list.json", `[${row},{"prompt":${deep}}]`, /500 levels .* in '.*deep-list\.json', row 1/],
    ["a document", "deep.json", `{"data":${deep}}`, /500 levels .* in '.*deep\.json'/],
    ["a line of a .json file", "deep-lines.json", `${row}\n{"prompt":${deep}}`, /500 levels .* in '.*deep-lines\.json', line 2/],
    [
      "the text of tools",
      "tools.jsonl",
      JSON.stringify({
        prompt: [{ role: "user", content: "a" }],
        chosen: [{ role: "assistant", content: "b" }],
        rejected: [{ role: "assistant", content: "c" }],
        tools: `[{"a":${deep}}]`,
      }),
      /500 levels .* in the JSON of 'tools' in '.*tools\.jsonl', line 1/,
    ],
  ])("nested 100,000 deep in %s names the place", async (_, name, content, message) => {
    expect(await failure(written(name, content))).toMatch(message);
  });

  test("a long row that is not nested deeply is read", async () => {
    const prompt = '[{"'.repeat(2_000_000);
    const rows = await loadPreferences(written("long.jsonl", JSON.stringify({ prompt, chosen: "a", rejected: "b" })));
    expect(rows[0]!.prompt).toBe(prompt);
  });

  test.each([
    [
      "bytes that are not UTF-8",
      Buffer.from(`{"prompt":"\xff\xfe","chosen":"a","rejected":"b"}`, "latin1"),
      /Expected UTF-8 text in '.*', line 1/,
    ],
    ["UTF-16", Buffer.from(`\ufeff${row}`, "utf16le"), /Expected UTF-8 text in '.*', line 1/],
    ["a NUL byte", `{"prompt":"\0","chosen":"a","rejected":"b"}`, /Expected JSON in '.*', line 1/],
    ["lines that end with CR alone", `${row}\r${row}`, /Expected JSON in '.*', line 1/],
    ["terminal escapes", '\x1b]0;pwned\x07{"', /^[^\x1b\x07]*\\x1b\]0;pwned\\x07[^\x1b\x07]*$/],
    [
      "very many keys",
      JSON.stringify(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, 1]))),
      /'k19', and 4980 more/,
    ],
    ["a key with escapes", `{"\\u001b[2J":1}`, /received only '\\x1b\[2J'/],
  ])("%s", async (name, content, message) => {
    const found = await failure(written("faulty.jsonl", content));
    expect(found).toMatch(message);
    expect(found).toContain("faulty.jsonl'");
    expect(found.length).toBeLessThan(1000);
    void name;
  });

  test("a BOM, CRLF, blank lines, no newline at the end, __proto__ and a key that occurs twice are read", async () => {
    const text = `\ufeff${row}\r\n\r\n \n{"__proto__":{"prompt":"x"},"prompt":"p","prompt":"2 + 2 =","chosen":" 4","rejected":" 5"}`;
    expect(await loadPreferences(written("odd.jsonl", text))).toEqual([read, { ...read, index: 1 }]);
  });

  test.each([
    ["begins a line", "lines.jsonl", `${row}\n\ufeff${row}`, /Expected JSON in '.*lines\.jsonl', line 2 but received/],
    ["begins a row of a list", "list.json", `[${row},\ufeff${row}]`, /Expected JSON in '.*list\.json', row 1/],
    ["occurs twice at the start", "twice.jsonl", `\ufeff\ufeff${row}`, /Expected JSON in '.*twice\.jsonl', line 1/],
  ])("a BOM that %s is an error, as in Python", async (_, name, content, message) => {
    expect(await failure(written(name, content))).toMatch(message);
  });

  test("a BOM is skipped in a compressed file, and kept in a text", async () => {
    const content = `\ufeff${JSON.stringify({ prompt: "\ufeffp", chosen: "a", rejected: "b" })}`;
    expect((await loadPreferences(written("mark.jsonl.gz", gzipSync(content))))[0]!.prompt).toBe("\ufeffp");
    expect((await loadPreferences(written("mark.json", content)))[0]!.prompt).toBe("\ufeffp");
  });

  test("columns of different lengths, however many, are told apart", async () => {
    const columns = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`c${i}`, [1]]));
    const path = written("columns.json", JSON.stringify({ ...columns, chosen: ["a", "b"], rejected: ["c"] }));
    expect(await failure(path)).toMatch(/columns of one length in '.*columns\.json' but received 'c0' 1, /);
  });
});
