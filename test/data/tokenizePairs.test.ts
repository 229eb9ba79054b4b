import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import type { PreferenceRow } from "../../src/data/rows/preferenceRow";
import { describeTokenized, type TokenizeOptions, tokenizePairs, tokenizeRows } from "../../src/data/tokenize/tokenizePairs";
import { type ChatMessage, loadTokenizer, type Tokenizer } from "../../src/text";
import { bos, eos, hello, tinyFolder, tokenizerConfig, tokenizerJson } from "../text/tiny";

const tokenizer = await loadTokenizer(tinyFolder());
const noCache = { cacheDir: null };

type Part = string | ChatMessage[];
type Parts = readonly [prompt: Part, chosen: Part, rejected: Part];

const rowsOf = (...parts: Parts[]) =>
  parts.map(([prompt, chosen, rejected], index) => ({ index, prompt, chosen, rejected }) as PreferenceRow);

const tokenize = (rows: readonly PreferenceRow[], options: TokenizeOptions = {}, by: Tokenizer = tokenizer) =>
  tokenizeRows(rows, by, { ...noCache, ...options });

/** The reasons against rows, by index. */
const reasons = async (rows: readonly PreferenceRow[], options: TokenizeOptions = {}, by?: Tokenizer) =>
  Object.fromEntries((await tokenize(rows, options, by)).refused.map(({ index, reason }) => [index, reason]));

/** The tiny tokenizer with another chat template. */
const withTemplate = (template: string) =>
  loadTokenizer(tinyFolder({ "tokenizer_config.json": { ...tokenizerConfig, chat_template: template } }));

const says = (role: string, content: string): ChatMessage[] => [{ role, content }];
const ids = (...list: number[]) => Int32Array.from(list);
const [a, b, c, d, e, colon] = [97, 98, 99, 100, 101, 58]; // byte tokens

test("lays prompt and answer end to end, with BOS and EOS, and says where the answer begins", async () => {
  const { pairs, statistics, ...rest } = await tokenizePairs(rowsOf(["a:", "hello", "b<eos>"]), tokenizer, noCache);
  expect(pairs).toEqual([
    {
      index: 0,
      chosen: { ids: ids(bos, a, colon, hello, eos), start: 3 },
      rejected: { ids: ids(bos, a, colon, b, eos), start: 3 },
    },
  ]);
  expect(rest).toEqual({ refused: [], cut: [], warnings: {} });
  expect(statistics).toMatchObject({ rows: 1, pairs: 1, cached: false, prompt: { max: 3 }, chosen: { total: 2 } });
});

test("each answer takes over the tokens of the prompt that change with it", async () => {
  const { pairs, warnings } = await tokenize(rowsOf(["hel", "lo", "b"])); // "hel" is "he", "l"; "hello" one token
  expect(pairs[0]).toEqual({
    index: 0,
    chosen: { ids: ids(bos, hello, eos), start: 1 },
    rejected: { ids: ids(bos, 256, 108, b, eos), start: 3 },
  });
  expect(warnings).toEqual({ seam: { count: 1, first: [0] } });
});

test("conversations follow the template, with tools and its variables", async () => {
  const by = await withTemplate(
    "{{ bos_token }}{{ tools | length if tools else '' }}{{ extra }}" +
      "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}",
  );
  const [row] = rowsOf([says("user", "a"), says("assistant", "b"), says("assistant", "c")]);
  const given = { ...row!, tools: [{}], chatTemplateKwargs: { extra: "e" } } as PreferenceRow;
  const { pairs } = await tokenize([row!, { ...given, index: 1 }], {}, by);
  expect(pairs[0]!.chosen).toEqual({ ids: ids(bos, a, eos, b, eos), start: 3 });
  expect(pairs[1]!.chosen).toEqual({ ids: ids(bos, 49, e, a, eos, b, eos), start: 5 });
});

test("a prompt that ends with an assistant turn is reported", async () => {
  const prompt = [...says("user", "a"), ...says("assistant", "b")];
  const rows = rowsOf(
    [prompt, says("assistant", "c"), says("assistant", "d")],
    [says("user", "a"), says("assistant", "c"), says("assistant", "d")],
  );
  const tokenized = await tokenizePairs(rows, tokenizer, noCache);
  expect(tokenized.warnings).toEqual({ assistantLast: { count: 1, first: [0] } });
  expect(describeTokenized(tokenized, { maxLength: undefined, truncationMode: undefined })).toEqual([
    expect.stringContaining("has a prompt that ends with an assistant turn, so the answer starts another"),
  ]);
});

describe("a row that cannot be trained on is refused with its reason", () => {
  test("a template that rewrites the question when an answer is appended", async () => {
    const by = await withTemplate(readFileSync(join(__dirname, "../text/styles/mistralV03.jinja"), "utf8"));
    const question = says("user", "a");
    const rows = rowsOf(
      [question, says("assistant", "b"), says("assistant", "c")],
      [[...says("system", "d"), ...question], says("assistant", "b"), says("assistant", "c")],
    );
    const { pairs, refused } = await tokenize(rows, {}, by);
    expect(pairs.map(({ index }) => index)).toEqual([0]);
    expect(refused).toEqual([{ index: 1, reason: expect.stringContaining("and the rest would be trained on") }]);
  });

  test("texts", async () => {
    const rows = rowsOf(
      ["a", "", "b"],
      ["a", "b", "<eos>"],
      ["a", "b", "b"],
      ["a", "b", "b<eos>"],
      ["<bos>a", "b", "c"],
      ["a", "b", "c"],
    );
    expect(await reasons(rows)).toEqual({
      0: "the chosen answer is empty",
      1: "the rejected answer is empty",
      2: "the two answers are identical",
      3: "the two answers are identical",
      4: "begins with '<bos>' twice; the tokenizer adds it, so take it off the text",
    });
  });

  test("conversations", async () => {
    const [user, yes, no] = [says("user", "a"), says("assistant", "b"), says("assistant", "c")];
    const blank = says("assistant", "");
    const rows = rowsOf([user, [], no], [user, yes, blank], [[], yes, no], [user, yes, yes], [user, yes, no]);
    expect(await reasons(rows)).toEqual({
      0: "the chosen answer is empty",
      1: "the rejected answer is empty",
      2: "the prompt is empty",
      3: "the two answers are identical",
    });
  });

  test("a conversation that the template refuses, or writes with two BOS", async () => {
    const by = await withTemplate(
      "{{ bos_token }}{% for m in messages %}{% if m.role == 'x' %}{{ raise_exception('no x') }}{% endif %}" +
        "{{ m.content }}{% endfor %}",
    );
    const [yes, no] = [says("assistant", "b"), says("assistant", "c")];
    expect(await reasons(rowsOf([says("x", "a"), yes, no], [says("user", "<bos>a"), yes, no]), {}, by)).toEqual({
      0: expect.stringContaining("no x"),
      1: "begins with '<bos>' twice; take it off the messages or the template",
    });
  });

  test("a prompt of which no token stays before the answer", async () => {
    const json = { ...tokenizerJson, post_processor: null }; // adds no BOS
    const by = await loadTokenizer(tinyFolder({ "tokenizer.json": json }));
    const rows = rowsOf(["", "b", "c"], ["h", "ello", "c"], ["a", "b", "c"]);
    const reason = "no token of the prompt stays before the answer";
    expect(await reasons(rows, {}, by)).toEqual({ 0: reason, 1: reason });
  });

  test("an EOS that the tokenizer does not read as one token at the end", async () => {
    const single = [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "<pad>", type_id: 0 } }];
    const special_tokens = { "<pad>": { id: "<pad>", ids: [263], tokens: ["<pad>"] } };
    const json = { ...tokenizerJson, post_processor: { type: "TemplateProcessing", single, pair: [], special_tokens } };
    const by = await loadTokenizer(tinyFolder({ "tokenizer.json": json }));
    const reason = expect.stringMatching(/does not end with the token/);
    expect(await reasons(rowsOf(["a", "b", "c"]), {}, by)).toEqual({ 0: reason });
  });

  test("no row left is bad input that names the rows", async () => {
    const all = tokenizePairs(rowsOf(["a", "", "b"]), tokenizer, { ...noCache, name: "pairs.jsonl" });
    await expect(all).rejects.toThrow(InputError);
    await expect(all).rejects.toThrow(/'pairs\.jsonl', but 1 of 1 rows cannot[^]*row 0: the chosen answer is empty/);
  });
});

describe("the limit", () => {
  // With BOS: prompt of 3 tokens, chosen of 4 with EOS, rejected of 2 with EOS.
  const long = rowsOf(["ab", "cdea", "c"], ["a", "b", "c"]);

  test("without a truncation mode nothing is cut", async () => {
    const { pairs, refused, cut } = await tokenize(long, { maxLength: 7 });
    const reason = "prompt and answer have 8 tokens, more than 7";
    expect([pairs.length, refused, cut]).toEqual([1, [{ index: 0, reason }], []]);
    expect((await tokenize(long, { maxLength: 8 })).pairs).toHaveLength(2);
    expect((await tokenize(long, { maxLength: null })).pairs).toHaveLength(2);
  });

  test("keep_start cuts the answer's end, with its EOS, and says so", async () => {
    const limits = { maxLength: 6, truncationMode: "keep_start" } as const;
    const result = await tokenize(long, limits);
    expect(result.pairs[0]!.chosen).toEqual({ ids: ids(bos, a, b, c, d, e), start: 3 });
    expect(result.pairs[0]!.rejected).toEqual({ ids: ids(bos, a, b, c, eos), start: 3 });
    expect(result.cut).toEqual([{ index: 0, answer: "chosen", tokens: 8, lostEos: true }]);
    expect(describeTokenized(result, limits)).toEqual([
      "1 answer of 1 row is longer than 6 tokens with its prompt (up to 8) and was cut (keep_start); " +
        "1 without EOS since. Rows: 0",
    ]);
  });

  test("keep_end cuts the prompt's beginning, never the answer", async () => {
    const { pairs, cut } = await tokenize(long, { maxLength: 6, truncationMode: "keep_end" });
    expect(pairs[0]!.chosen).toEqual({ ids: ids(b, c, d, e, a, eos), start: 1 });
    expect(cut).toEqual([{ index: 0, answer: "chosen", tokens: 8, lostEos: false }]);
    const reason = "the answer has 5 tokens, and none of its prompt fits into 5";
    expect(await reasons(long, { maxLength: 5, truncationMode: "keep_end" })).toEqual({ 0: reason });
  });

  test("a prompt that fills it, and answers that differ only beyond it, are refused", async () => {
    const rows = rowsOf(["abc", "d", "e"], ["a", "bcd", "bce"], ["a", "b", "c"]);
    expect(await reasons(rows, { maxLength: 4, truncationMode: "keep_start" })).toEqual({
      0: "the prompt has 4 tokens, and no answer fits into 4",
      1: "the two answers are identical once cut to 4",
    });
    expect((await reasons(rows, { maxLength: 4 }))[0]).toBe("the prompt has 4 tokens, and no answer fits into 4");
  });
});

test("counts what is odd about BOS and EOS", async () => {
  const bare = "{% for m in messages %}{{ m.content }}{% endfor %}";
  const by = await loadTokenizer(tinyFolder({ "tokenizer_config.json": { ...tokenizerConfig, chat_template: bare } }));
  const chat = rowsOf([says("user", "a"), says("assistant", "b"), says("assistant", "c")]);
  const result = await tokenize(chat, {}, by);
  expect(result.warnings).toEqual({ noBos: { count: 1, first: [0] }, noEos: { count: 1, first: [0] } });
  expect(describeTokenized(result, {})[0]).toMatch(/^1 row \(0\) does not begin with BOS/);

  const { single, ...processor } = tokenizerJson.post_processor as { single: object[] };
  const named = ([id, number]: [string, number]) => [id, { id, ids: [number], tokens: [id] }];
  const special_tokens = Object.fromEntries(Object.entries({ "<bos>": bos, "<eos>": eos }).map(named));
  const ending = { ...processor, single: [...single, { SpecialToken: { id: "<eos>", type_id: 0 } }], special_tokens };
  const twice = await loadTokenizer(tinyFolder({ "tokenizer.json": { ...tokenizerJson, post_processor: ending } }));
  const plain = await tokenize(rowsOf(["a", "b", "c"]), {}, twice);
  expect(plain.warnings).toMatchObject({ twoEos: { count: 1, first: [0] } });
  expect(plain.pairs[0]!.chosen).toEqual({ ids: ids(bos, a, b, eos, eos), start: 2 });
});

test("needs an EOS for texts and a chat template for conversations", async () => {
  const { eos_token: _, chat_template: __, ...config } = tokenizerConfig;
  const bare = await loadTokenizer(tinyFolder({ "tokenizer_config.json": config }));
  await expect(tokenize(rowsOf(["a", "b", "c"]), {}, bare)).rejects.toThrow(/a tokenizer with 'eos_token'/);
  const chat = rowsOf([says("user", "a"), says("assistant", "b"), says("assistant", "c")]);
  await expect(tokenize(chat, {}, bare)).rejects.toThrow(/a chat template in '.*', since the rows are conversations/);
});

test.each(["{% for m in messages %}{% endfr %}", "{{ messages | foo }}"])(
  "a template that cannot be used is told once: %s",
  async (template) => {
    const by = await withTemplate(template);
    const rows = rowsOf([says("user", "a"), says("assistant", "b"), says("assistant", "c")]);
    await expect(tokenize(rows, {}, by)).rejects.toThrow(/^Expected a Jinja template \(.*\) but it /);
  },
);

test("refuses options that are none", async () => {
  const rows = rowsOf(["a", "b", "c"]);
  for (const [options, message] of [
    [{ maxLen: 4 }, /options of 'tokenizePairs' .* but received 'maxLen'/],
    [{ maxLength: 1 }, /an integer from 2, or null, for 'maxLength' but received 1/],
    [{ maxLength: 2.5 }, /'maxLength' but received 2\.5/],
    [{ truncationMode: "middle" }, /"keep_start" or "keep_end" for 'truncationMode' but received "middle"/],
    [{ workers: -1 }, /a number of threads for 'workers' but received -1/],
  ] as const)
    await expect(tokenizeRows(rows, tokenizer, options as TokenizeOptions)).rejects.toThrow(message);
});
