import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { allowance } from "../../src/base/timeLimit";
import { tokenizeRows } from "../../src/data/tokenize/tokenizePairs";
import { loadTokenizer } from "../../src/text";
import { byteLevelPipelines } from "../../src/text/gguf/pipelines";
import { areKnown } from "../../src/text/limits";
import { preTokenizer, type Step } from "../../src/text/pipeline";
import { tinyFolder, tokenizerConfig, tokenizerJson } from "./tiny";

const { seconds } = allowance;
afterEach(() => {
  allowance.seconds = seconds;
});

const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
const split = (Regex: string, behavior = "Isolated") => ({ type: "Split", pattern: { Regex }, behavior, invert: false });
const sequence = (...pretokenizers: object[]) => ({ pre_tokenizer: { type: "Sequence", pretokenizers } });
const tiny = (changes: object, config: object = {}) =>
  loadTokenizer(
    tinyFolder({
      "tokenizer.json": { ...tokenizerJson, ...changes },
      "tokenizer_config.json": { ...tokenizerConfig, ...config },
    }),
  );
const fault = (changes: object, config: object = {}) =>
  tiny(changes, config).then(
    () => "no error",
    (error: unknown) => (error instanceof InputError ? error.message : `not an InputError: ${String(error)}`),
  );

describe("a pattern that does not end", () => {
  test.each(["(a+)+$", "(?=(a+)+$)b", "^(a+)\\1*(a|\\1)*(a|\\1)*(a|\\1)*(a|\\1)*(a|\\1)*(a|\\1)*b"])(
    "%s is stopped, and named with its file and key",
    async (source) => {
      const tokenizer = await tiny(sequence(split(source), bytes));
      expect(tokenizer.encode("hello").slice(1)).toEqual([259]);
      allowance.seconds = 0.1;
      const text = `${"a".repeat(200)}!`;
      expect(() => tokenizer.encode(text)).toThrow(`for 'pre_tokenizer.pretokenizers[0].pattern' in ${tokenizer.path}`);
      expect(() => tokenizer.encode(text)).toThrow("a text of 201 characters within");
      expect(tokenizer.encode("hello").slice(1)).toEqual([259]); // it can be used afterwards
    },
  );

  test("is named with the row that takes too long", async () => {
    const tokenizer = await tiny(sequence(split("(a+)+$"), bytes));
    allowance.seconds = 0.1;
    const rows = ["hello", `${"a".repeat(40)}!`, "hell"].map((prompt, i) => ({ index: i, prompt, chosen: "b", rejected: "c" }));
    await expect(tokenizeRows(rows, tokenizer, { cacheDir: null })).rejects.toThrow(
      "Row 1: Expected the regular expression /(a+)+$/ for 'pre_tokenizer.pretokenizers[0].pattern'",
    );
    await expect(tokenizeRows(rows, tokenizer, { cacheDir: null })).rejects.toBeInstanceOf(InputError);
  });

  test("in a normalizer is named too", async () => {
    const normalizer = { type: "Replace", pattern: { Regex: "(a+)+$" }, content: "" };
    const tokenizer = await tiny({ normalizer });
    allowance.seconds = 0.1;
    expect(() => tokenizer.encode(`${"a".repeat(40)}!`)).toThrow("for 'normalizer.pattern' in");
  });
});

describe("patterns that are trusted on short texts", () => {
  const runs = ["a", "A", " ", "7", "\n", "\r\n", "!", "'s", "漢", "a\u0301", "\t ", "aA", " a", "a ", "7a", " \n", "!\n", "ǅ"];

  test.each<[string, Step | null]>([
    ...["gpt-2", "llama3", "qwen2"].map((name): [string, Step | null] => [name, byteLevelPipelines[name]!.preTokenizer]),
    ["gemma3", { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false }],
    ["metaspace", { type: "Metaspace" }],
  ])("%s takes time proportional to the text", (_, step) => {
    const cut = preTokenizer(step, "test")!;
    expect(areKnown(cut)).toBe(true);
    const sources = ((cut.pretokenizers ?? [cut]) as { pattern?: { Regex: string } }[]).flatMap(
      ({ pattern }) => pattern?.Regex ?? [],
    );
    expect(sources.length).toBeGreaterThan(0);
    for (const source of sources) {
      const pattern = new RegExp(source.replaceAll("(?i:", "(?:"), "gu");
      for (const run of runs)
        for (const end of ["", "x", "!"]) {
          const text = run.repeat(30_000) + end;
          const start = process.cpuUsage();
          text.match(pattern);
          const { user } = process.cpuUsage(start);
          expect(user / 1e6, `${JSON.stringify(run)} ${source}`).toBeLessThan(0.4); // quadratic: seconds
        }
    }
  });

  test("do not include a pattern that differs by one character", () => {
    expect(areKnown(preTokenizer(split("\\p{N}{1,3}+"), "test"))).toBe(false);
    expect(areKnown(preTokenizer({ type: "Sequence", pretokenizers: [bytes, split("(a+)+$")] }, "test"))).toBe(false);
  });
});

describe("long rows", () => {
  test.each([
    ["one word", "a".repeat(2 ** 20)],
    ["many words", "hello ".repeat(2 ** 17)],
  ])("of %s are encoded", async (_, text) => {
    const tokenizer = await tiny({});
    expect(tokenizer.decode(tokenizer.encode(text).slice(1))).toBe(text);
  });

  test("of one word are cut at their marks in a Metaspace tokenizer", async () => {
    const vocab = { "▁": 0, a: 1, "▁a": 2 };
    const tokenizer = await tiny(
      {
        pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
        post_processor: null,
        added_tokens: [],
        model: { type: "BPE", vocab, merges: ["▁ a"] },
      },
      { bos_token: null, eos_token: null, pad_token: null },
    );
    const ids = tokenizer.encode(`${"a".repeat(400_000)} a`);
    expect([ids.length, ids[0], ids[1], ids.at(-1)]).toEqual([400_001, 2, 1, 2]);
  });

  test("are encoded by a Unigram model, of more tokens than a call has arguments", async () => {
    const model = {
      type: "Unigram",
      unk_id: 0,
      vocab: [
        ["?", -5],
        ["a", -1],
      ],
    };
    const tokenizer = await tiny(
      { model, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] },
      { bos_token: null, eos_token: null, pad_token: null },
    );
    expect(tokenizer.encode("a".repeat(130_000))).toHaveLength(130_000);
  });
});

describe("a tokenizer that makes a text longer and longer", () => {
  const double = { type: "Replace", pattern: { String: "a" }, content: "aa" };

  test("is stopped when it encodes", async () => {
    const tokenizer = await tiny({ normalizer: { type: "Sequence", normalizers: Array(40).fill(double) } });
    expect(() => tokenizer.encode("a")).toThrow(/Expected 'normalizer\.normalizers\[\d+\]' in .* to make a text of at most/);
  });

  test("is stopped when its added tokens are read", async () => {
    const added = [...tokenizerJson.added_tokens, { id: 264, content: "<a>", normalized: true }];
    const normalizer = { type: "Sequence", normalizers: Array(40).fill(double) };
    expect(await fault({ normalizer, added_tokens: added })).toMatch(/Expected 'normalizer\.normalizers\[\d+\]' in/);
  });

  test("is stopped when it decodes", async () => {
    const tokenizer = await tiny({ decoder: { type: "Sequence", decoders: Array(40).fill(double) } });
    expect(() => tokenizer.decode([97])).toThrow(/Expected 'decoder\.decoders\[\d+\]' in .* to make a text of at most/);
  });

  test("may double it a few times", async () => {
    const tokenizer = await tiny({ normalizer: { type: "Sequence", normalizers: [double, double] } });
    expect(tokenizer.encode("a")).toEqual([261, 97, 97, 97, 97]);
  });
});

describe("what is wrong in tokenizer.json is named", () => {
  const piece = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const text = { Sequence: { id: "A", type_id: 0 } };
  const template = (single: unknown) => ({
    post_processor: { type: "TemplateProcessing", single, pair: [], special_tokens: {} },
  });

  test.each<[object, string]>([
    [sequence(split("(?P<a>b)(?P<a>c)"), bytes), "for 'pre_tokenizer.pretokenizers[0].pattern' in"],
    [sequence(bytes, split("a)|(b")), "for 'pre_tokenizer.pretokenizers[1].pattern' in"],
    [
      sequence(split("a{1,1000000000}"), bytes),
      "repetitions in the regular expression for 'pre_tokenizer.pretokenizers[0].pattern'",
    ],
    [sequence(split("a".repeat(40_000)), bytes), "at most 32768 characters for 'pre_tokenizer.pretokenizers[0].pattern'"],
    [{ normalizer: { type: "Sequence", normalizers: [null] } }, "'normalizer.normalizers[0]' in"],
    [{ normalizer: { type: "Replace", pattern: { Regex: "[" }, content: "" } }, "for 'normalizer.pattern' in"],
    [{ normalizer: { type: "Replace", pattern: { String: "a" } } }, "'normalizer.content' in"],
    [{ normalizer: { type: "Prepend" } }, "'normalizer.prepend' in"],
    [{ pre_tokenizer: { type: "Metaspace", replacement: "" } }, "'pre_tokenizer.replacement' in"],
    [{ decoder: { type: "Strip", content: "", start: 1e9, stop: 0 } }, "'decoder.content' in"],
    [{ decoder: { type: "Strip", content: "a", start: -1, stop: 0 } }, "'decoder.start' in"],
    [{ decoder: { type: "Sequence", decoders: [3] } }, "'decoder.decoders[0]' in"],
    [template([text, text]), "once in 'post_processor.single'"],
    [template("A"), "'post_processor.single' in"],
    [template([piece("<nope>"), text]), "'post_processor.single[0].SpecialToken.id' in"],
    [template([null, text]), "'post_processor.single[0]' in"],
    [{ post_processor: { type: "RobertaProcessing" } }, "'post_processor.cls[0]' in"],
    [{ model: { type: "BPE", vocab: { a: 2 ** 53 }, merges: [] } }, `'model.vocab["a"]' in`],
    [{ model: { type: "BPE", vocab: { a: 0.5 }, merges: [] } }, `'model.vocab["a"]' in`],
    [{ model: { type: "BPE", vocab: { a: 0 }, merges: ["a b"] } }, "'model.merges[0]' in"],
    [{ model: { type: "Unigram", vocab: { a: 0 } } }, "'model.vocab' in"],
    [{ model: { type: "Unigram", vocab: [["a", -1], null] } }, "'model.vocab[1]' in"],
    [{ model: { type: "Unigram", vocab: [] } }, "'model.vocab' in"],
    [{ model: { type: "Unigram", vocab: [["a", -1]], unk_id: 7 } }, "'model.unk_id' in"],
    [{ added_tokens: [{ id: -1, content: "x" }] }, "'added_tokens[0]' in"],
    [{ added_tokens: [{ id: 4e9, content: "x" }] }, "'added_tokens[0]' in"],
    [{ added_tokens: [{ id: 0, content: "" }] }, "'added_tokens[0]' in"],
  ])("%.80j", async (changes, message) => {
    const found = await fault(changes);
    expect(found).toContain(message);
    expect(found).toContain("tokenizer.json");
  });

  test("with JSON nested 100,000 deep", async () => {
    const folder = tinyFolder({ "tokenizer.json": `{"model":${"[".repeat(100_000)}${"]".repeat(100_000)}}` });
    await expect(loadTokenizer(folder)).rejects.toThrow(`levels of lists and objects in ${join(folder, "tokenizer.json")}`);
  });

  test.each(["tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"])(
    "when %s is a named pipe or a device",
    async (name) => {
      const folder = tinyFolder();
      const inner = join(folder, "inner");
      mkdirSync(inner);
      for (const file of ["tokenizer.json", "tokenizer_config.json"])
        if (file !== name) symlinkSync(join(folder, file), join(inner, file));
      symlinkSync("/dev/zero", join(inner, name));
      await expect(loadTokenizer(inner)).rejects.toThrow(`at ${join(inner, name)} but received a device`);
      const pipe = join(tinyFolder(), name);
      execFileSync("rm", ["-f", pipe]);
      execFileSync("mkfifo", [pipe]);
      await expect(loadTokenizer(join(pipe, ".."))).rejects.toThrow("but received a named pipe");
    },
  );

  test("with invalid ids in its companions", async () => {
    const folder = tinyFolder({ "added_tokens.json": { "<x>": -3 } });
    await expect(loadTokenizer(folder)).rejects.toThrow("added_tokens.json but received -3");
    writeFileSync(join(folder, "added_tokens.json"), "{}");
    writeFileSync(join(folder, "generation_config.json"), '{"eos_token_id": ["a"]}');
    await expect(loadTokenizer(folder)).rejects.toThrow("generation_config.json but received");
  });
});
