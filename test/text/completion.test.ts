import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commonPrefixLength } from "../../src/base/lists";
import { loadTokenizer, tokenizeChatCompletion, tokenizeCompletion } from "../../src/text";
import { bos, eos, hello, tinyFolder, tokenizerConfig, tokenizerJson } from "./tiny";

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

  test("takes over the tokens at the boundary that change with it", () => {
    // "hel" alone is "he", "l"; with "lo" it is one token.
    expect(tokenizeCompletion(tokenizer, "hel", "lo")).toEqual({ prompt: [bos], completion: [hello, eos] });
    // Two spaces are one token, unless a letter follows.
    expect(tokenizeCompletion(tokenizer, "a  ", "b")).toEqual({ prompt: [bos, 97], completion: [32, 32, 98, eos] });
  });

  test("changes at most the last two tokens of the prompt", async () => {
    const { model } = tokenizerJson as { model: { vocab: object; merges: string[] } };
    const merged = { cd: 264, bcd: 265, abcd: 266 }; // a "d" merges with all letters before it into one token
    const merges = [...model.merges, "c d", "b cd", "a bcd"];
    const json = { ...tokenizerJson, model: { ...model, vocab: { ...model.vocab, ...merged }, merges } };
    const merging = await loadTokenizer(tinyFolder({ "tokenizer.json": json }));
    expect(tokenizeCompletion(merging, "bc", "d")).toEqual({ prompt: [bos], completion: [265, eos] });
    expect(() => tokenizeCompletion(merging, "abc", "d")).toThrow(
      "only 1 of the prompt's 4 tokens stay the same when an answer is appended, and the rest would be trained on",
    );
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
    const chatTemplate = "{% for m in messages %}{{ m.content }};{% endfor %}{% if add_generation_prompt %}a:{% endif %}";
    const answer = [{ role: "assistant", content: "b" }];
    expect(tokenizeChatCompletion(tokenizer, prompt, answer, { chatTemplate })).toEqual({
      prompt: [hello, 59],
      completion: [98, 59],
    });
  });
});

describe("a template that starts the assistant's turn differently with an answer", () => {
  const style = (name: string) => readFileSync(join(__dirname, "styles", `${name}.jinja`), "utf8");
  const question = [{ role: "user", content: "why?" }];
  const answer = [{ role: "assistant", content: "hello" }];
  const parts = (name: string, prompt = question) => {
    const { prompt: before, completion } = tokenizeChatCompletion(tokenizer, prompt, answer, { chatTemplate: style(name) });
    return [tokenizer.decode(before), tokenizer.decode(completion)];
  };

  test("Gemma 4's empty thought is left out of the answer", () => {
    expect(parts("gemma4")).toEqual(["<bos><|turn>user\nwhy?<turn|>\n<|turn>model\n", "hello<turn|>\n"]);
  });

  test("DeepSeek-V3's thought is not opened before the answer", () => {
    expect(parts("deepseekV3")).toEqual(["<bos><|User|>why?<|Assistant|>", "hello<eos>"]);
  });

  test("Qwen 3.5's thought is closed before the answer", () => {
    expect(parts("qwen35")).toEqual([
      "<|im_start|>user\nwhy?<|im_end|>\n<|im_start|>assistant\n<think>\n",
      "\n</think>\n\nhello<|im_end|>\n",
    ]);
  });

  test("Mistral v0.3's system message, which moves, is an error", () => {
    expect(parts("mistralV03")).toEqual(["<bos>[INST] why?[/INST]", " hello<eos>"]);
    // "<bos>[INST] " are 8 tokens; the system message is gone, and the question in its place.
    expect(() => parts("mistralV03", [{ role: "system", content: "Be brief." }, ...question])).toThrow(
      "only 8 of the prompt's 30 tokens stay the same when an answer is appended, and the rest would be trained on; " +
        "the chat template renders the prompt differently when an answer follows; if it moves a system message",
    );
  });
});
