import { beforeAll, describe, expect, test } from "vitest";
import { TextStream } from "../../src/generate/textStream";
import { loadTokenizer, type Tokenizer } from "../../src/text";
import { eos, tinyFolder, tokenizerJson } from "../text/tiny";

let tokenizer: Tokenizer;
beforeAll(async () => void (tokenizer = await loadTokenizer(tinyFolder())));

const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });

/** The pieces of a text that comes byte by byte (bytes have the tiny tokenizer's ids), the end's last. */
function pieces(bytes: Iterable<number>, stops: string[] = [], of = tokenizer): string[] {
  const stream = new TextStream(of, stops);
  const all: string[] = [];
  for (const byte of bytes) {
    all.push(stream.push(byte));
    if (stream.stopped) return all;
  }
  return [...all, stream.end()];
}

describe("characters", () => {
  test("come whole", () => {
    const [e1, e2] = Buffer.from("é");
    expect(pieces([104, e1!, e2!, 33])).toEqual(["h", "", "é", "!", ""]);
    expect(pieces(Buffer.from("😀."))).toEqual(["", "", "", "😀", ".", ""]);
  });

  test("that never become whole come in the end, as U+FFFD", () => {
    const [f0, f1] = Buffer.from("😀");
    expect(pieces([104, f0!, f1!])).toEqual(["h", "", "", "\ufffd"]);
  });

  test.each(["plain words", "naïve café", "日本語 한국어 ไทย", "👩‍👩‍👧‍👦 🇯🇵 e\u0301", "a\u0000b\ufeff\ufffd c"])(
    "joined they are the text: %j",
    (text) => {
      expect(pieces(Buffer.from(text)).join("")).toBe(text);
      expect(pieces(encode(text)).join("")).toBe(text);
    },
  );

  test("special tokens have no text, and the one after them keeps its space", async () => {
    expect(pieces([104, eos, eos, 105])).toEqual(["h", "", "", "i", ""]);
    const vocab = { "▁a": 0, "▁b": 1, "<eos>": 2 };
    const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always" };
    const spaced = await loadTokenizer(
      tinyFolder({
        "tokenizer.json": {
          ...tokenizerJson,
          added_tokens: [{ id: 2, content: "<eos>", special: true }],
          post_processor: null,
          pre_tokenizer: metaspace,
          decoder: metaspace,
          model: { type: "BPE", vocab, merges: [] },
        },
        "tokenizer_config.json": {},
      }),
    );
    expect(pieces([0, 1, 2, 1, 2, 2, 0], [], spaced).join("")).toBe("a b b a");
  });
});

describe("stop strings", () => {
  test("end the text where they begin, and their beginning does not come before", () => {
    expect(pieces(Buffer.from("one\n\nQ: two"), ["\nQ:"])).toEqual(["o", "n", "e", "", "\n", "", ""]);
    expect(pieces(Buffer.from("one\n\nQ: two"), ["\nQ:"]).join("")).toBe("one\n");
  });

  test("what began like one comes when it turns out to be none", () => {
    expect(pieces(Buffer.from("aab"), ["aac"])).toEqual(["", "", "aab", ""]);
    expect(pieces(Buffer.from("aaab"), ["aab"]).join("")).toBe("a");
    expect(pieces(Buffer.from("xy"), ["yz"])).toEqual(["x", "", "y"]);
  });

  test("the one that begins first counts, whatever their order, also within a token", () => {
    expect(pieces(encode("say hello"), ["o", "ll"]).join("")).toBe("say he");
    expect(pieces(encode("hello"), ["hello"])).toEqual([""]);
  });

  test("one in the rest at the end counts", () => {
    const stream = new TextStream(tokenizer, ["\ufffd"]);
    expect([stream.push(104), stream.push(0xf0), stream.end(), stream.stopped]).toEqual(["h", "", "", true]);
  });
});
