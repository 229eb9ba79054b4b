import { describe, expect, test } from "vitest";
import { Bpe } from "../../src/text/bpe";

/** A model whose vocabulary are these tokens in order. */
function bpe(tokens: string[], merges: string[], options: object = {}): Bpe {
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  return new Bpe({ type: "BPE", vocab, merges, ...options }, "test");
}

describe("merging", () => {
  test("takes the pair of lowest rank first, whatever its place", () => {
    expect(bpe(["a", "b", "c", "ab", "bc"], ["b c", "a b"]).encode(["abc"])).toEqual(["a", "bc"]);
    expect(bpe(["a", "b", "c", "ab", "bc"], ["a b", "b c"]).encode(["abc"])).toEqual(["ab", "c"]);
  });

  test("goes from the left among equals, and on with what it made", () => {
    const { encode } = bound(bpe(["a", "aa", "aaaa"], ["a a", "aa aa"]));
    expect(encode("aaa")).toEqual(["aa", "a"]);
    expect(encode("aaaaaaa")).toEqual(["aaaa", "aa", "a"]);
  });

  test("goes by the pairs of the list, not by the tokens of the vocabulary", () => {
    expect(bpe(["a", "b", "c", "ab", "abc"], ["a b"]).encode(["abc"])).toEqual(["ab", "c"]);
  });

  test("finds words of any length whole", () => {
    const { encode } = bound(bpe(["a", "b", "ab"], ["a b"]));
    expect(encode("ab".repeat(5000))).toEqual(Array(5000).fill("ab"));
    expect(encode("ab".repeat(5000))).toHaveLength(5000);
  });

  test("takes a word that is a token as it is, when merges are to be ignored", () => {
    const tokens = ["a", "b", "c", "ab", "abc"];
    const model = bpe(tokens, ["a b"], { ignore_merges: true });
    expect(model.encode(["abc", "ab", "cab"])).toEqual(["abc", "ab", "c", "ab"]);
  });
});

describe("characters beyond the vocabulary", () => {
  const tokens = ["a", "?", "<0xC3>", "<0xA9>"];

  test("become one unknown token each, or one a run", () => {
    expect(bpe(tokens, [], { unk_token: "?" }).encode(["axxa"])).toEqual(["a", "?", "?", "a"]);
    const fusing = bpe(tokens, [], { unk_token: "?", fuse_unk: true });
    expect(fusing.encode(["axxa", "x", "x"])).toEqual(["a", "?", "a", "?", "?"]);
  });

  test("become their bytes where the vocabulary has all of them", () => {
    const options = { unk_token: "?", byte_fallback: true };
    expect(bpe(tokens, [], options).encode(["aéü"])).toEqual(["a", "<0xC3>", "<0xA9>", "?"]);
  });

  test("are left out where there is no unknown token", () => {
    expect(bpe(tokens, []).encode(["axa"])).toEqual(["a", "a"]);
  });
});

function bound(model: Bpe) {
  return { encode: (piece: string) => model.encode([piece]) };
}
