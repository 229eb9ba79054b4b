/** Folders that cannot be used: each fault names the file and the key, and says what would do. */
import { describe, expect, test } from "vitest";
import { FolderError } from "../../src/models/folder";
import { loadTokenizer, TokenizerError } from "../../src/text";
import { bos, eos, folderOf, tinyFolder, tokenizerConfig, tokenizerJson } from "./tiny";

async function fault(folder: string): Promise<string> {
  const error: unknown = await loadTokenizer(folder).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TokenizerError);
  return (error as Error).message;
}

describe("a missing tokenizer.json", () => {
  test("names the conversion where there is a SentencePiece model", async () => {
    const folder = folderOf({ "tokenizer.model": "\n\u000e", "config.json": {} });
    const message = await fault(folder);
    expect(message).toContain("received only tokenizer.model, which is not read; convert it once with\n  python -c");
    expect(message).toContain(`save_pretrained(sys.argv[1])' '${folder}'`);
  });

  test("is told from a folder without any tokenizer, and from no folder", async () => {
    expect(await fault(folderOf({ "config.json": {} }))).toContain("received none, nor any other tokenizer");
    await expect(loadTokenizer("/nowhere/at/all")).rejects.toThrow(
      new FolderError("Expected a model folder at /nowhere/at/all but there is none"),
    );
  });
});

test("a byte order mark is printed by a template, as in transformers, but not part of JSON", async () => {
  const folder = tinyFolder({
    "chat_template.jinja": "\ufeff{{ messages[0].content }}",
    "tokenizer_config.json": `\ufeff${JSON.stringify(tokenizerConfig)}`,
  });
  const tokenizer = await loadTokenizer(folder);
  expect(tokenizer.applyChatTemplate([{ role: "user", content: "hi" }])).toBe("\ufeffhi");
  expect(tokenizer.bosToken).toBe("<bos>");
});

describe("settings that change ids", () => {
  const withConfig = (changes: object) =>
    loadTokenizer(tinyFolder({ "tokenizer_config.json": { ...tokenizerConfig, ...changes } }));

  test("split_special_tokens makes special tokens in a text plain text, but not those that the tokenizer adds", async () => {
    const tokenizer = await withConfig({ split_special_tokens: true });
    const plain = Array.from("<eos>", (letter) => letter.charCodeAt(0));
    expect(tokenizer.encode("<eos>")).toEqual([bos, ...plain]);
    expect([tokenizer.eosTokenId, tokenizer.decode([eos]), tokenizer.vocabSize]).toEqual([eos, "<eos>", 264]);
  });

  test("must be true or false", async () => {
    await expect(withConfig({ split_special_tokens: "yes" })).rejects.toThrow(
      /Expected true or false for 'split_special_tokens' in .*tokenizer_config.json but received "yes"/,
    );
  });

  test("fix_mistral_regex is rejected if tokenizer.json has a different pattern", async () => {
    await expect(withConfig({ fix_mistral_regex: true })).rejects.toThrow(
      /Expected no 'fix_mistral_regex: true' in .*save_pretrained/s,
    );
    await withConfig({ fix_mistral_regex: false });
  });
});

describe("broken files", () => {
  test.each(["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json"])(
    "names %s when it does not parse or is no object",
    async (name) => {
      expect(await fault(tinyFolder({ [name]: '{"model": ' }))).toMatch(`${name} but it does not parse: `);
      expect(await fault(tinyFolder({ [name]: "[1]" }))).toMatch(`${name} but received [1]`);
    },
  );

  test.each([
    ["model", undefined, "Expected an object with a 'vocab' for 'model'"],
    ["model", { type: "BPE", vocab: {} }, "Expected a list for 'model.merges'"],
    ["model", { type: "WordPiece", vocab: {} }, "Expected a supported value for 'model.type'"],
    ["model", { type: "BPE", vocab: {}, merges: [], dropout: 0.1 }, "supported value for 'model.dropout'"],
    ["model", { type: "BPE", vocab: {}, merges: [["a"]] }, "Expected a pair of tokens for 'model.merges[0]'"],
    ["model", { type: "BPE", vocab: { a: 0 }, merges: ["a b"] }, "Expected a pair of tokens for 'model.merges[0]'"],
    ["model", { type: "BPE", vocab: { a: -1 }, merges: [] }, "Expected an id for 'model.vocab[\"a\"]'"],
    ["added_tokens", {}, "Expected a list for 'added_tokens'"],
    ["added_tokens", [{ content: "x" }], "for 'added_tokens[0]'"],
    ["added_tokens", [{ id: 0, content: "x", single_word: true }], "'added_tokens[0].single_word'"],
    ["normalizer", "NFC", "Expected an object with a 'type' for 'normalizer'"],
    ["normalizer", { type: "Precompiled" }, "supported value for 'normalizer.type'"],
    ["normalizer", { type: "Sequence", normalizers: [{ type: "Nmt" }] }, "'normalizer.normalizers[0].type'"],
    ["pre_tokenizer", { type: "UnicodeScripts" }, "supported value for 'pre_tokenizer.type'"],
    ["pre_tokenizer", { type: "Sequence" }, "Expected a list for 'pre_tokenizer.pretokenizers'"],
    ["pre_tokenizer", { type: "Split", behavior: "Isolated" }, "supported value for 'pre_tokenizer.pattern'"],
    ["pre_tokenizer", { type: "Split", pattern: { Regex: "(" }, behavior: "Isolated" }, "cannot be built: "],
    ["decoder", { type: "WordPiece" }, "supported value for 'decoder.type'"],
    ["post_processor", { type: "Strange" }, "cannot be built: "],
  ])("names what is wrong in '%s': %j", async (key, value, message) => {
    const text = await fault(tinyFolder({ "tokenizer.json": { ...tokenizerJson, [key]: value } }));
    expect(text).toContain(message);
    expect(text).toContain("tokenizer.json");
  });

  test.each([
    [{ eos_token: 3 }, "Expected a token's text for 'eos_token'"],
    [{ chat_template: 5 }, "Expected a template or a list of { name, template } for 'chat_template'"],
    [{ chat_template: [{ name: "x" }] }, "for 'chat_template'"],
    [{ added_tokens_decoder: { x: { content: "y" } } }, "for 'added_tokens_decoder.x'"],
  ])("names what is wrong in tokenizer_config.json: %j", async (change, message) => {
    const text = await fault(tinyFolder({ "tokenizer_config.json": { ...tokenizerConfig, ...change } }));
    expect(text).toContain(message);
    expect(text).toContain("tokenizer_config.json");
  });
});
