import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseJsonText } from "../../src/base/formats/pythonJson";
import type { ChatRow, PlainRow } from "../../src/data/rows/preferenceRow";
import { contentKey } from "../../src/data/tokenize/tokenCache";
import { type TokenizeOptions, tokenizeRows } from "../../src/data/tokenize/tokenizePairs";
import { loadTokenizer, type Tokenizer } from "../../src/text";
import { parseExact, rememberNumbers } from "../../src/text/exactNumbers";
import { writeGguf } from "../models/ggufFiles";
import { tinyFolder, tokenizerConfig, tokenizerJson } from "../text/tiny";

const rows: PlainRow[] = [
  { index: 0, prompt: "a:", chosen: "hello", rejected: "b" },
  { index: 1, prompt: "hel", chosen: "lo", rejected: "hello hello hello" },
  { index: 2, prompt: "a", chosen: "b", rejected: "b" },
];
const limits = { maxLength: 5, truncationMode: "keep_start" } as const;
const tokenizer = await loadTokenizer(tinyFolder());

let cacheDir: string;
beforeEach(() => void (cacheDir = mkdtempSync(join(tmpdir(), "smaug-tokens-"))));
afterEach(() => rmSync(cacheDir, { recursive: true }));

const tokenize = (options: TokenizeOptions = limits, of = rows, by: Tokenizer = tokenizer) =>
  tokenizeRows(of, by, { cacheDir, ...options });

/** What was made, without how it was made. */
function content({ statistics: _, ...rest }: Awaited<ReturnType<typeof tokenizeRows>>) {
  return rest;
}

test("the same rows, tokenizer and limits are read back whole", async () => {
  const first = await tokenize();
  expect(first.statistics).toMatchObject({ cached: false, rows: 3, pairs: 2 });
  expect([first.refused.length, first.cut.length, Object.keys(first.warnings)]).toEqual([1, 1, ["seam"]]);
  const second = await tokenize();
  expect(content(second)).toEqual(content(first));
  expect(second.statistics).toEqual({ ...first.statistics, cached: true, seconds: expect.any(Number) });
  expect(readdirSync(cacheDir)).toHaveLength(1); // and no temporary
});

test("anything that enters the ids makes other ones", async () => {
  const otherRows = rows.map((row) => (row.index === 1 ? { ...row, chosen: "lol" } : row));
  const config = { ...tokenizerConfig, chat_template: "other" };
  const others: [TokenizeOptions?, PlainRow[]?, Tokenizer?][] = [
    [],
    [{ ...limits, maxLength: 6 }],
    [{ maxLength: 5 }],
    [limits, otherRows],
    [limits, rows.slice(0, 2)],
    [limits, rows, await loadTokenizer(tinyFolder({ "tokenizer_config.json": config }))],
    [limits, rows, await loadTokenizer(tinyFolder({ "chat_template.jinja": "{{ strftime_now('%d') }}" }))],
    [limits, rows, await loadTokenizer(tinyFolder({ "config.json": { model_type: "qwen2" } }), { adapter: tinyFolder() })],
  ];
  for (const each of others) expect((await tokenize(...each)).statistics.cached).toBe(false);
  for (const each of others) expect((await tokenize(...each)).statistics.cached).toBe(true);
  // The same tokenizer in another folder is the same tokenizer.
  expect((await tokenize(limits, rows, await loadTokenizer(tinyFolder()))).statistics.cached).toBe(true);
});

test("two GGUF files in one folder are two tokenizers", async () => {
  const { vocab, merges } = tokenizerJson.model as { vocab: Record<string, number>; merges: string[] };
  const load = (name: string, tokens: string[]) =>
    loadTokenizer(
      writeGguf(join(cacheDir, name), {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.eos_token_id": tokens.indexOf("<eos>"),
      }),
    );
  const one = await load("one.gguf", [...Object.keys(vocab), "<eos>"]);
  const other = await load("other.gguf", ["<eos>", ...Object.keys(vocab)]);
  expect((await tokenize({}, rows, one)).statistics.cached).toBe(false);
  expect((await tokenize({}, rows, other)).statistics.cached).toBe(false);
  expect((await tokenize({}, rows, one)).statistics.cached).toBe(true);
});

test("a file that is cut, changed or another's is made anew", async () => {
  const first = await tokenize();
  const file = join(cacheDir, readdirSync(cacheDir)[0]!);
  const whole = readFileSync(file);
  const changed = Buffer.from(whole);
  changed[whole.length - 40]! ^= 1; // an id
  const other = Buffer.from(whole);
  other.write("smaugtoK");
  for (const bytes of [Buffer.alloc(0), whole.subarray(0, 30), whole.subarray(0, -1), changed, other]) {
    writeFileSync(file, bytes);
    const again = await tokenize();
    expect(again.statistics.cached).toBe(false);
    expect(content(again)).toEqual(content(first));
    expect(readFileSync(file)).toEqual(whole);
  }
});

test("another row's file under this name is not taken", async () => {
  await tokenize();
  const [mine] = readdirSync(cacheDir);
  const bytes = readFileSync(join(cacheDir, mine!));
  rmSync(join(cacheDir, mine!));
  await tokenize({ maxLength: 6 });
  const [theirs] = readdirSync(cacheDir);
  writeFileSync(join(cacheDir, theirs!), bytes);
  expect((await tokenize({ maxLength: 6 })).statistics.cached).toBe(false);
});

test("what nobody asked for in a month goes, what was asked for stays", async () => {
  await tokenize();
  await tokenize({ maxLength: 6 });
  const old = new Date(Date.now() - 31 * 24 * 3600 * 1000);
  for (const name of readdirSync(cacheDir)) utimesSync(join(cacheDir, name), old, old);
  await tokenize(); // read: its month begins again
  await tokenize({ maxLength: 7 }); // written: sweeps
  expect(readdirSync(cacheDir)).toHaveLength(2);
  expect((await tokenize()).statistics.cached).toBe(true);
});

test("a cache that cannot be written is no reason to fail", async () => {
  writeFileSync(join(cacheDir, "file"), "");
  const inFile = { ...limits, cacheDir: join(cacheDir, "file", "tokens") };
  expect((await tokenize(inFile)).pairs).toHaveLength(2);
});

test("a pipe or a folder in the place of the cached file is replaced or left, never waited for", async () => {
  const first = await tokenize();
  const file = join(cacheDir, readdirSync(cacheDir)[0]!);
  for (const put of [() => execFileSync("mkfifo", [file]), () => mkdirSync(file)]) {
    rmSync(file);
    put();
    const again = await tokenize();
    expect(again.statistics.cached).toBe(false);
    expect(content(again)).toEqual(content(first));
    rmSync(file, { recursive: true });
    await tokenize();
  }
});

test("rows that differ only in how a number is written, or in a NaN, are different rows", async () => {
  const keys = await Promise.all(
    ["20", "20.0", "null", "NaN", "0.0", "-0.0"].map((number) => {
      const text = `{"x": ${number}}`;
      const chatTemplateKwargs = parseJsonText(text) as ChatRow["chatTemplateKwargs"] & object;
      rememberNumbers(chatTemplateKwargs, parseExact(text, "a test"));
      const says = (content: string) => [{ role: "user", content }];
      const row = { index: 0, prompt: says("a"), chosen: says("b"), rejected: says("c"), chatTemplateKwargs };
      return contentKey([row], tokenizer, limits);
    }),
  );
  expect(new Set(keys).size).toBe(6);
});
