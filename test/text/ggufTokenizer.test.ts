/**
 * Tokenizers from GGUF metadata. The vocabularies of real tokenizers, written as llama.cpp's converter writes them,
 * give the ids of the originals; SmolLM2's and Gemma 3's are in test/real.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadTokenizer, TokenizerError } from "../../src/text";
import { temporaryFolders } from "../models/folders";
import { writeGguf } from "../models/ggufFiles";
import { tokenizerFolder } from "../parity/text/fetch";
import { blocks, fixture, hard, lines } from "../parity/text/lines";
import { bos, eos, hello, tokenizerJson } from "./tiny";

const folder = temporaryFolders();
type Metadata = Parameters<typeof writeGguf>[1];

const write = (metadata: Metadata) => writeGguf(join(folder(), "model.gguf"), metadata);

const [normal, unknown, control, userDefined, byte] = [1, 2, 3, 4, 6];

interface Original {
  model: { vocab: Record<string, number>; merges: (string | [string, string])[] };
  added_tokens: { id: number; content: string; special: boolean }[];
}

/** The tokens by id, and what kind each is. */
function vocabulary({ model, added_tokens: added }: Original): { tokens: string[]; kinds: number[] } {
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(model.vocab)) tokens[id] = token;
  const kinds = tokens.map((token) => (/^<0x[0-9A-F]{2}>$/.test(token) ? byte : normal));
  for (const { id, content, special } of added) {
    tokens[id] = content;
    kinds[id] = content === "<unk>" ? unknown : special ? control : userDefined;
  }
  return { tokens, kinds };
}

const pairOf = (merge: string | [string, string]) => (typeof merge === "string" ? merge : merge.join(" "));

describe("the vocabulary of a real tokenizer", () => {
  type Expected = Record<string, { encode: string[]; hard: number[][] }> & { lines: number; block: number };
  const expected = fixture<Expected>("ids");
  const text = lines(expected.lines);

  const original = (name: string) => JSON.parse(readFileSync(join(tokenizerFolder(name), "tokenizer.json"), "utf8")) as Original;

  async function check(name: string, metadata: Metadata): Promise<void> {
    const tokenizer = await loadTokenizer(write({ "general.architecture": "llama", ...metadata }));
    expect(hard.map((line) => tokenizer.encode(line))).toEqual(expected[name]!.hard);
    expect(
      blocks(
        text.map((line) => tokenizer.encode(line)),
        expected.block,
      ),
    ).toEqual(expected[name]!.encode);
  }

  test.each([
    { name: "llama3", pre: "llama-bpe", bosId: 128000 },
    { name: "qwen3", pre: "qwen2", bosId: undefined },
  ])(
    "$name: byte-level, split as $pre",
    async ({ name, pre, bosId }) => {
      const json = original(name);
      const { tokens, kinds } = vocabulary(json);
      await check(name, {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": json.model.merges.map(pairOf),
        // The fixture's Llama 3 adds no BOS: its tokenizer.json leaves that to a post-processor that this one lacks.
        ...(bosId !== undefined && { "tokenizer.ggml.bos_token_id": bosId, "tokenizer.ggml.add_bos_token": false }),
      });
    },
    60_000,
  );

  test("llama2: SentencePiece, merges from scores", async () => {
    const json = original("llama2");
    const { tokens, kinds } = vocabulary(json);
    // A token is as good as its merges are early.
    const scores = tokens.map(() => -1e6);
    for (const [rank, merge] of json.model.merges.entries()) {
      const id = json.model.vocab[pairOf(merge).replace(" ", "")]!;
      scores[id] = Math.max(scores[id]!, -rank);
    }
    await check("llama2", {
      "tokenizer.ggml.model": "llama",
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.token_type": kinds,
      "tokenizer.ggml.scores": scores,
      "tokenizer.ggml.unknown_token_id": 0,
      "tokenizer.ggml.bos_token_id": 1,
      "tokenizer.ggml.eos_token_id": 2,
    });
  }, 60_000);
});

describe("a small one", () => {
  const { tokens, kinds } = vocabulary(tokenizerJson as unknown as Original);
  const metadata: Metadata = {
    "general.architecture": "llama",
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.token_type": kinds,
    "tokenizer.ggml.merges": (tokenizerJson as unknown as Original).model.merges.map(pairOf),
    "tokenizer.ggml.bos_token_id": bos,
    "tokenizer.ggml.eos_token_id": eos,
    "tokenizer.chat_template": "{{ bos_token }}{{ messages[0].content }}",
  };

  test("has its named tokens, its chat template and its ends of text", async () => {
    const tokenizer = await loadTokenizer(write({ ...metadata, "tokenizer.ggml.eot_token_id": 65 }));
    expect(tokenizer).toMatchObject({ bosTokenId: bos, eosTokenId: eos, eosTokenIds: [eos, 65] });
    expect(tokenizer.padTokenId).toBeUndefined();
    expect(tokenizer.applyChatTemplate([{ role: "user", content: "hello" }], { tokenize: true })).toEqual([bos, hello]);
    expect(tokenizer.decode([bos, hello], { skipSpecialTokens: true })).toBe("hello");
  });

  test.each([
    { given: {}, ids: [hello] },
    { given: { "tokenizer.ggml.add_bos_token": true }, ids: [bos, hello] },
    { given: { "tokenizer.ggml.add_bos_token": true, "tokenizer.ggml.add_eos_token": true }, ids: [bos, hello, eos] },
  ])("$given: $ids", async ({ given, ids }) => {
    expect((await loadTokenizer(write({ ...metadata, ...given } as Metadata))).encode("hello")).toEqual(ids);
  });

  test("a folder is asked for its GGUF file only when it has no tokenizer.json", async () => {
    const path = write(metadata);
    expect((await loadTokenizer(join(path, ".."))).encode("hello")).toEqual([hello]);
  });

  test.each([
    ["a pre-tokenizer that is not known", { "tokenizer.ggml.pre": "chatglm-bpe" }, "'tokenizer.ggml.pre'"],
    ["a model that is not read", { "tokenizer.ggml.model": "t5" }, `'tokenizer.ggml.model'`],
    ["a special id outside the vocabulary", { "tokenizer.ggml.bos_token_id": 9999 }, "'tokenizer.ggml.bos_token_id'"],
    ["tokens that are none", { "tokenizer.ggml.tokens": [1, 2] }, "strings for 'tokenizer.ggml.tokens'"],
  ] as [string, Metadata, string][])("%s is an error", async (_, change, message) => {
    const path = write({ ...metadata, ...change });
    const error = await loadTokenizer(path).catch((reason: unknown) => reason as Error);
    expect(error).toBeInstanceOf(TokenizerError);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).toContain(path);
  });

  test("so is a file without one", async () => {
    await expect(loadTokenizer(write({ "general.architecture": "llama" }))).rejects.toThrow("'tokenizer.ggml.tokens'");
  });
});
