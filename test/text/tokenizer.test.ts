import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadTokenizer } from "../../src/text";
import { bos, eos, hello, pad, tinyFolder, tokenizerConfig, tokenizerJson } from "./tiny";

const tiny = (files: Record<string, unknown> = {}) => loadTokenizer(tinyFolder(files));

describe("encoding", () => {
  test("merges by rank within what the pattern leaves together", async () => {
    const { encode } = await bound();
    expect(encode("hello")).toEqual([bos, hello]);
    expect(encode("hell")).toEqual([bos, 258]);
    expect(encode("shell  hello")).toEqual([bos, 115, 258, 32, 32, hello]); // " hello" keeps one of two spaces
    expect(encode("   ")).toEqual([bos, 260, 32]);
  });

  test("adds BOS only when asked, and special tokens where they are written", async () => {
    const { encode } = await bound();
    expect(encode("hello", { addSpecialTokens: false })).toEqual([hello]);
    expect(encode("<bos>hello<eos>", { addSpecialTokens: false })).toEqual([bos, hello, eos]);
    expect(encode("<eos")).toEqual([bos, 60, 101, 111, 115]);
    expect(encode("")).toEqual([bos]);
  });

  test("takes half of a surrogate pair for U+FFFD", async () => {
    const { encode } = await bound();
    expect(encode("\ud83d!", { addSpecialTokens: false })).toEqual([0xef, 0xbf, 0xbd, 33]);
    expect(encode("😀", { addSpecialTokens: false })).toEqual([0xf0, 0x9f, 0x98, 0x80]);
  });

  test("refuses what is no text", async () => {
    const { encode } = await bound();
    expect(() => encode(null as unknown as string)).toThrow("Expected a string for 'text' but received null");
  });
});

describe("decoding", () => {
  test("gives the text back", async () => {
    const tokenizer = await tiny();
    const text = "hello  wörld\n\t👩‍👩‍👧 \ufeff";
    expect(tokenizer.decode(tokenizer.encode(text), { skipSpecialTokens: true })).toBe(text);
    expect(tokenizer.decode([bos, hello, eos])).toBe("<bos>hello<eos>");
    expect(tokenizer.decode([])).toBe("");
    expect(tokenizer.decode([bos], { skipSpecialTokens: true })).toBe("");
  });

  test("gives any text back, in ids of its vocabulary", async () => {
    const tokenizer = await tiny();
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const ids = tokenizer.encode(text, { addSpecialTokens: false });
        expect(tokenizer.decode(ids)).toBe(text);
        expect(ids.every((id) => id >= 0 && id < tokenizer.vocabSize)).toBe(true);
      }),
    );
  });

  test("shows cut characters as U+FFFD", async () => {
    const tokenizer = await tiny();
    expect(tokenizer.decode([0xf0, 0x9f, 0x98])).toBe("\ufffd");
    expect(tokenizer.decode([0x98, 0x80])).toBe("\ufffd\ufffd");
  });

  test("has no text for ids beyond the vocabulary, and refuses what is no id", async () => {
    const tokenizer = await tiny();
    expect(tokenizer.decode([hello, 5000])).toBe("hello");
    for (const id of [-1, 0.5, Number.NaN])
      expect(() => tokenizer.decode([id])).toThrow("Expected token ids from 0 on for 'ids' but received");
  });
});

describe("what the folder says", () => {
  test("gives the special tokens and the size", async () => {
    const tokenizer = await tiny();
    const { bosTokenId, eosTokenId, padTokenId, unkTokenId, vocabSize, eosTokenIds } = tokenizer;
    expect({ bosTokenId, eosTokenId, padTokenId, unkTokenId, vocabSize, eosTokenIds }).toEqual({
      bosTokenId: bos,
      eosTokenId: eos,
      padTokenId: pad,
      unkTokenId: undefined,
      vocabSize: 264,
      eosTokenIds: [eos],
    });
    expect(tokenizer.tokenToId("hello")).toBe(hello);
    expect(tokenizer.tokenToId("nothing")).toBeUndefined();
    expect(tokenizer.idToToken(32)).toBe("Ġ");
  });

  test("takes the ids that end a text from generation_config.json", async () => {
    expect((await tiny({ "generation_config.json": { eos_token_id: [eos, pad] } })).eosTokenIds).toEqual([eos, pad]);
    expect((await tiny({ "generation_config.json": { eos_token_id: pad } })).eosTokenIds).toEqual([pad]);
  });

  test("reads special_tokens_map.json of old folders, where it wins", async () => {
    const map = { "special_tokens_map.json": { eos_token: "<pad>" } };
    expect((await tiny(map)).eosTokenId).toBe(pad);
    const newer = { ...tokenizerConfig, added_tokens_decoder: { [bos]: { content: "<bos>", special: true } } };
    expect((await tiny({ ...map, "tokenizer_config.json": newer })).eosTokenId).toBe(eos);
  });

  test("adds tokens that only tokenizer_config.json names, with the next ids", async () => {
    const config = { ...tokenizerConfig, added_tokens_decoder: { 270: { content: "<call>" } }, pad_token: "[PAD]" };
    const tokenizer = await tiny({ "tokenizer_config.json": config });
    expect(tokenizer.encode("<call>[PAD]", { addSpecialTokens: false })).toEqual([270, 271]);
    expect(tokenizer.decode([270, 271], { skipSpecialTokens: true })).toBe("<call>");
    expect(tokenizer.vocabSize).toBe(272);
  });

  test("lets tokenizer_config.json say how an added token takes white space", async () => {
    expect((await tiny()).encode("<eos>  a")).toEqual([bos, eos, 32, 32, 97]);
    const added = { [eos]: { content: "<eos>", rstrip: true, normalized: false, special: true } };
    const config = { ...tokenizerConfig, added_tokens_decoder: added };
    expect((await tiny({ "tokenizer_config.json": config })).encode("<eos>  a")).toEqual([bos, eos, 97]);
  });

  test("runs post-processors in sequence, as Llama 3 has them", async () => {
    const processors = [{ type: "ByteLevel", trim_offsets: false }, tokenizerJson.post_processor];
    const json = { ...tokenizerJson, post_processor: { type: "Sequence", processors } };
    expect((await tiny({ "tokenizer.json": json })).encode("hello")).toEqual([bos, hello]);
    expect((await tiny({ "tokenizer.json": { ...json, post_processor: null } })).encode("hello")).toEqual([hello]);
  });

  test("does without any file but tokenizer.json", async () => {
    const tokenizer = await loadTokenizer(tinyFolder({ "tokenizer_config.json": {} }));
    expect(tokenizer.encode("hello")).toEqual([bos, hello]);
    expect(tokenizer.eosTokenId).toBeUndefined();
    expect(tokenizer.chatTemplates).toEqual([]);
  });
});

describe("chat templates of the folder", () => {
  const messages = [{ role: "user", content: "hello" }];

  test("renders tokenizer_config.json's, and tokenises without a second BOS", async () => {
    const tokenizer = await tiny();
    expect(tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true })).toBe("<bos>u:hello<eos>a:");
    const ids = tokenizer.applyChatTemplate(messages, { tokenize: true });
    expect(ids).toEqual([bos, 117, 58, hello, eos]);
  });

  test("prefers chat_template.jinja", async () => {
    const folder = tinyFolder({ "chat_template.jinja": "file" });
    expect((await loadTokenizer(folder)).applyChatTemplate(messages)).toBe("file");
    mkdirSync(join(folder, "additional_chat_templates"));
    writeFileSync(join(folder, "additional_chat_templates", "tool_use.jinja"), "{{ tools | length }} tools");
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.applyChatTemplate(messages)).toBe("file");
    expect(tokenizer.applyChatTemplate(messages, { tools: [{}, {}] })).toBe("2 tools");
  });

  test("chooses from a list by name, by tools, by default, or takes a template", async () => {
    const list = [
      { name: "default", template: "plain" },
      { name: "tool_use", template: "tools" },
    ];
    const tokenizer = await tiny({ "tokenizer_config.json": { ...tokenizerConfig, chat_template: list } });
    expect(tokenizer.chatTemplates).toEqual(["default", "tool_use"]);
    expect(tokenizer.applyChatTemplate(messages)).toBe("plain");
    expect(tokenizer.applyChatTemplate(messages, { tools: [] })).toBe("tools");
    expect(tokenizer.applyChatTemplate(messages, { chatTemplate: "tool_use" })).toBe("tools");
    expect(tokenizer.applyChatTemplate(messages, { chatTemplate: "{{ bos_token }}!" })).toBe("<bos>!");
  });

  test("lets variables of the caller win over special tokens", async () => {
    const options = { chatTemplate: "{{ bos_token }}{{ depth }}", chatTemplateKwargs: { bos_token: "B", depth: 3 } };
    expect((await tiny()).applyChatTemplate(messages, options)).toBe("B3");
  });

  test("says when there is none, or no message", async () => {
    const none = await loadTokenizer(tinyFolder({ "tokenizer_config.json": {} }));
    expect(() => none.applyChatTemplate(messages)).toThrow(
      "the tokenizer has none; add a chat_template.jinja to its folder, give one in 'chatTemplate'",
    );
    expect(() => none.applyChatTemplate([])).toThrow("Expected at least one message for 'messages'");
    const list = [{ name: "rag", template: "x" }];
    const named = await tiny({ "tokenizer_config.json": { chat_template: list } });
    expect(() => named.applyChatTemplate(messages)).toThrow("there are rag");
  });
});

async function bound() {
  const tokenizer = await tiny();
  return { encode: tokenizer.encode.bind(tokenizer) };
}
