import { describe, expect, test } from "vitest";
import { loadTokenizer, tokenizeChatCompletion, tokenizeCompletion } from "../../src/text";
import { commonPrefixLength } from "../../src/text/completion";
import { bos, eos, hello, tinyFolder, tokenizerConfig } from "./tiny";

const tokenizer = await loadTokenizer(tinyFolder());

test("counts what two lists have in common", () => {
  expect(commonPrefixLength([1, 2, 3], [1, 2, 4])).toBe(2);
  expect(commonPrefixLength([1, 2], [1, 2, 3])).toBe(2);
  expect(commonPrefixLength([], [1])).toBe(0);
});

describe("a plain answer", () => {
  test("follows the prompt and ends with EOS", () => {
    expect(tokenizeCompletion(tokenizer, "a:", "hello")).toEqual({ prompt: [bos, 97, 58], completion: [hello, eos] });
  });

  test("gets no second EOS", () => {
    expect(tokenizeCompletion(tokenizer, "a:", "hello<eos>").completion).toEqual([hello, eos]);
    expect(tokenizeCompletion(tokenizer, "a:", "<eos>hello").completion).toEqual([eos, hello, eos]);
  });

  test("takes over the tokens at the seam that change with it", () => {
    // "hel" alone is "he", "l"; with "lo" it is one token.
    expect(tokenizeCompletion(tokenizer, "hel", "lo")).toEqual({ prompt: [bos], completion: [hello, eos] });
    // Two spaces are one token, unless a letter follows.
    expect(tokenizeCompletion(tokenizer, "a  ", "b")).toEqual({ prompt: [bos, 97], completion: [32, 32, 98, eos] });
  });

  test("may be empty but for EOS", () => {
    expect(tokenizeCompletion(tokenizer, "a", "")).toEqual({ prompt: [bos, 97], completion: [eos] });
  });

  test("needs a tokenizer that has an EOS", async () => {
    const { eos_token: _, ...config } = tokenizerConfig;
    const without = await loadTokenizer(tinyFolder({ "tokenizer_config.json": config }));
    expect(() => tokenizeCompletion(without, "a", "b")).toThrow("Expected a tokenizer with 'eos_token'");
  });
});

describe("an answer to a conversation", () => {
  const prompt = [{ role: "user", content: "hello" }];

  test("begins after the start of the assistant's turn", () => {
    const answer = [{ role: "assistant", content: "hello" }];
    expect(tokenizeChatCompletion(tokenizer, prompt, answer)).toEqual({
      prompt: [bos, 117, 58, hello, eos, 97, 58],
      completion: [hello, eos],
    });
  });

  test("takes over what the template writes differently once there is an answer", () => {
    const chatTemplate =
      "{% for m in messages %}{{ m.content }};{% endfor %}{% if add_generation_prompt %}a:{% endif %}";
    const answer = [{ role: "assistant", content: "b" }];
    expect(tokenizeChatCompletion(tokenizer, prompt, answer, { chatTemplate })).toEqual({
      prompt: [hello, 59],
      completion: [98, 59],
    });
  });
});
