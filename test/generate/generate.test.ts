import { beforeAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { type GenerateOptions, generate, generateStream, generateSync } from "../../src/generate";
import { drawUniforms, sample } from "../../src/generate/sampling";
import { LlamaForCausalLM } from "../../src/models";
import { loadTokenizer, type Tokenizer } from "../../src/text";
import { Generator, manualSeed, memory, tensor, tidy, zeros } from "../../src/torch";
import "../setup/leaks";
import { settledTensors } from "../setup/garbage";
import { eos, tinyFolder } from "../text/tiny";

const config = {
  vocab_size: 270, // 6 more than the tiny tokenizer has
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  initializer_range: 0.3,
  max_position_embeddings: 200,
  eos_token_id: 2,
};
const seeded = (seed: number, changes: object = {}) =>
  new LlamaForCausalLM({ ...config, ...changes }, { generator: new Generator().manualSeed(seed) });
const model = seeded(0).eval();
const tokensOf = (prompts: number[][], options: GenerateOptions) =>
  generateSync(model, prompts, options).map(({ tokens }) => tokens);

let tokenizer: Tokenizer;
beforeAll(async () => void (tokenizer = await loadTokenizer(tinyFolder())));

describe("greedy", () => {
  test("gives as many tokens as asked when none ends the text, without dropout, and restores training", () => {
    const dropping = seeded(0, { attention_dropout: 0.5 });
    dropping.model.norm.eval();
    const options = { maxNewTokens: 5, eosTokenId: [] };
    const answers = generateSync(dropping, [[1, 2, 3], [4]], options);
    expect(answers).toEqual(generateSync(model, [[1, 2, 3], [4]], options));
    expect(answers.map(({ tokens, text, finishReason }) => [tokens.length, text, finishReason])).toEqual([
      [5, "", "length"],
      [5, "", "length"],
    ]);
    expect([...dropping.modules()].filter(({ training }) => !training)).toEqual([dropping.model.norm]);
  });

  test("stops at the end of text, which is the last token", () => {
    const [free] = tokensOf([[1]], { maxNewTokens: 8, eosTokenId: [] });
    const end = free![2]!;
    const tokens = free!.slice(0, free!.indexOf(end) + 1);
    expect(generateSync(model, [[1]], { maxNewTokens: 8, eosTokenId: end })).toEqual([{ tokens, text: "", finishReason: "eos" }]);
  });

  test("the end of text is the generation config's, else config.json's", async () => {
    const [free] = tokensOf([[1]], { maxNewTokens: 12, eosTokenId: [] });
    const [second, fourth] = [free![1]!, free![3]!];
    const ends = seeded(0, { eos_token_id: fourth });
    const generationConfig = { eos_token_id: [second, 100_000] };
    const withConfig = await loadTokenizer(tinyFolder({ "generation_config.json": generationConfig }));
    const count = (options: GenerateOptions) => generateSync(ends, [[1]], { maxNewTokens: 12, ...options })[0]!.tokens.length;
    expect(count({})).toBe(free!.indexOf(fourth) + 1);
    expect(count({ tokenizer })).toBe(free!.indexOf(fourth) + 1);
    expect(count({ tokenizer: withConfig })).toBe(free!.indexOf(second) + 1);
    expect(count({ tokenizer: withConfig, eosTokenId: [] })).toBe(12);
  });

  test("positions count from the start of each prompt, padding or not", () => {
    const counted = seeded(0);
    const positions: unknown[] = [];
    const { hidden } = counted;
    counted.hidden = (ids, options) => {
      positions.push(options!.positions!.toList());
      return hidden.call(counted, ids, options);
    };
    generateSync(counted, [[1, 2, 3], [4]], { maxNewTokens: 2, eosTokenId: [] });
    expect(positions).toEqual([
      [
        [0, 1, 2],
        [0, 0, 0],
      ],
      [[3], [1]],
    ]);
  });

  test("long answers in a batch are those each gets alone", () => {
    const prompts = [[1, 2, 3, 4, 5, 6, 7], [9], [30, 31]];
    const options = { maxNewTokens: 150, eosTokenId: [] };
    expect(tokensOf(prompts, options)).toEqual(prompts.flatMap((prompt) => tokensOf([prompt], options)));
  });

  test("an answer ends where the model's positions do", () => {
    const short = seeded(0, { max_position_embeddings: 8 });
    const lengths = (of: LlamaForCausalLM) =>
      generateSync(
        of,
        [
          [1, 2, 3],
          [4, 5, 6, 7, 8, 9, 10],
        ],
        { eosTokenId: [], maxNewTokens: 20 },
      ).map(({ tokens, finishReason }) => [tokens.length, finishReason]);
    expect(lengths(short)).toEqual([
      [5, "length"],
      [1, "length"],
    ]);
    expect(() => generateSync(short, [Array<number>(8).fill(1)])).toThrow(
      "Expected fewer than 8 tokens for 'prompts[0]' but received 8",
    );
    const yarn = { rope_type: "yarn", factor: 2, original_max_position_embeddings: 8 };
    expect(lengths(seeded(0, { max_position_embeddings: 8, rope_scaling: yarn }))).toEqual([
      [13, "length"],
      [9, "length"],
    ]);
  });

  test("no prompts, no answers", () => expect(generateSync(model, [], { maxNewTokens: 1 })).toEqual([]));
});

describe("sampling", () => {
  const options = { maxNewTokens: 12, temperature: 1.5, eosTokenId: [] };

  test("a seed gives the same again, another seed another answer", () => {
    const first = tokensOf([[1]], { ...options, seed: 7 });
    manualSeed(123);
    expect(tokensOf([[1]], { ...options, seed: 7 })).toEqual(first);
    expect(tokensOf([[1]], { ...options, seed: 8 })).not.toEqual(first);
  });

  test("without a seed the default generator's rules", () => {
    const draw = () => tokensOf([[1]], options);
    manualSeed(5);
    const [first, second] = [draw(), draw()];
    manualSeed(5);
    expect(draw()).toEqual(first);
    expect(second).not.toEqual(first);
  });

  test("a row does not depend on the others, nor its beginning on how long it may get", () => {
    const rows = [[1], [5, 6, 7], [1]];
    const all = tokensOf(rows, { ...options, seed: 3 });
    expect(all[0]).not.toEqual(all[2]); // the same prompt draws its own
    expect(tokensOf([[1], [8]], { ...options, seed: 3 })[0]).toEqual(all[0]);
    const longer = tokensOf(rows, { ...options, seed: 3, maxNewTokens: 20 });
    expect(longer.map((tokens) => tokens.slice(0, 12))).toEqual(all);
  });

  test("the most likely token alone is what greedy takes", () => {
    const greedy = tokensOf([[1], [5, 6]], { maxNewTokens: 12, eosTokenId: [] });
    for (const one of [{ topK: 1 }, { topP: 0 }, { minP: 1 }, { temperature: 1e-4 }])
      expect(tokensOf([[1], [5, 6]], { ...options, ...one, seed: 1 })).toEqual(greedy);
    for (const off of [{ temperature: 0 }, { doSample: false }])
      expect(tokensOf([[1], [5, 6]], { ...options, topK: 20, ...off })).toEqual(greedy);
  });

  test("a token falls where the number does, and one of probability 0 never comes", () => {
    tidy(() => {
      const scores = tensor([-Infinity, 0.1, 0.2, -Infinity, 0.7, -Infinity].map((p) => (p > 0 ? Math.log(p) : p)));
      const numbers = [0, 0.0999, 0.1001, 0.2999, 0.3001, 1 - 2 ** -52];
      const rows = scores.expand([numbers.length, 6]);
      const drawn = sample(rows, tensor(numbers, { dtype: "float64" }).unsqueeze(1));
      expect(drawn.flatten().toList()).toEqual([1, 1, 2, 2, 4, 4]);
    });
  });

  test("numbers are even, below 1, and another row's are others", () => {
    tidy(() => {
      const numbers = drawUniforms(2, 10_000, 1, "cpu");
      const [a, b] = numbers.toList() as [number[], number[]];
      const deciles = Array<number>(10).fill(0);
      for (const number of a) deciles[Math.floor(number * 10)]!++;
      const statistic = deciles.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
      expect(statistic).toBeLessThan(27.9); // 9 degrees of freedom, 0.1 %
      expect(Math.max(...a, ...b)).toBeLessThan(1);
      expect(a.filter((number) => b.includes(number))).toEqual([]);
    });
  });
});

describe("text", () => {
  const options = { maxNewTokens: 40, eosTokenId: [] };

  test("is that of the tokens without special ones, whole and in pieces", async () => {
    const prompts = [[1, 2], [40], [65, 66, 67]];
    const answers = await generate(model, prompts, { ...options, tokenizer });
    const streamed = prompts.map(() => ({ tokens: [] as number[], text: "" }));
    for await (const { row, token, text } of generateStream(model, prompts, { ...options, tokenizer })) {
      streamed[row]!.tokens.push(token);
      streamed[row]!.text += text;
    }
    for (const [row, { tokens, text, finishReason }] of answers.entries()) {
      expect(finishReason).toBe("length");
      expect(text).toBe(tokenizer.decode(tokens, { skipSpecialTokens: true }));
      expect(streamed[row]).toEqual({ tokens, text });
    }
    expect(generateSync(model, prompts, { ...options, tokenizer })).toEqual(answers);
  });

  test("a stop string ends it, and its tokens stay", () => {
    const [free] = generateSync(model, [[65, 66]], { ...options, tokenizer });
    const stop = free!.text.replaceAll("\ufffd", "").slice(3, 5); // two characters
    const at = free!.text.indexOf(stop);
    const [ended] = generateSync(model, [[65, 66]], { ...options, tokenizer, stopStrings: stop });
    expect(ended).toMatchObject({ text: free!.text.slice(0, at), finishReason: "stop" });
    expect(free!.tokens.slice(0, ended!.tokens.length)).toEqual(ended!.tokens);
    expect(tokenizer.decode(ended!.tokens, { skipSpecialTokens: true })).toContain(stop);
  });

  test("a special token that is a stop string ends it", () => {
    const ending = seeded(0);
    let step = 0;
    ending.head = ({ shape: [rows, seq] }) => {
      const logits = zeros([rows!, seq!, config.vocab_size]);
      logits.narrow(-1, ++step === 3 ? eos : 104, 1).fill_(1);
      return logits;
    };
    const options = { maxNewTokens: 9, tokenizer, stopStrings: ["<eos>", "never"] };
    expect(generateSync(ending, [[1]], options)).toEqual([{ tokens: [104, 104, eos], text: "hh", finishReason: "stop" }]);
  });
});

describe("a stream", () => {
  test("lets the event loop turn, and says why a row ended", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const reasons: unknown[] = [];
    for await (const { finishReason } of generateStream(model, [[1]], { maxNewTokens: 20, eosTokenId: [] }))
      reasons.push(finishReason);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
    expect(reasons).toEqual([...Array<undefined>(19).fill(undefined), "length"]);
  });

  test("ends with its signal's reason", async () => {
    const controller = new AbortController();
    let tokens = 0;
    const answer = (async () => {
      for await (const _ of generateStream(model, [[1]], { eosTokenId: [], signal: controller.signal }))
        if (++tokens === 3) controller.abort(new Error("enough"));
    })();
    await expect(answer).rejects.toThrow("enough");
    expect(tokens).toBe(3);
    await expect(generate(model, [[1]], { signal: AbortSignal.abort() })).rejects.toThrow("aborted");
  });

  test("checks its input at once", () => {
    expect(() => generateStream(model, [[]])).toThrow("Expected at least one token for 'prompts[0]'");
  });
});

describe("no tensor stays", () => {
  const settings = { temperature: 1, seed: 1, repetitionPenalty: 1.1, minNewTokens: 3 };
  const options = { maxNewTokens: 130, eosTokenId: [], ...settings };

  test("after a long answer", async () => {
    expect(() => generateSync(model, [[1, 2, 3], [4]], options)).toLeakNothing();
    const before = await settledTensors();
    await generate(model, [[1, 2, 3], [4]], { ...options, tokenizer });
    expect(memory().tensors).toBe(before);
  });

  test("after a stream that was left, returned, aborted, or never begun", async () => {
    const before = await settledTensors();
    for await (const _ of generateStream(model, [[1], [2, 3]], options)) break;
    const stream = generateStream(model, [[1], [2, 3]], options);
    await stream.next();
    expect(memory().tensors).toBeGreaterThan(before);
    await stream.return();
    generateStream(model, [[1]], options);
    const controller = new AbortController();
    const aborted = generateStream(model, [[1]], { ...options, signal: controller.signal });
    await aborted.next();
    controller.abort();
    await expect(aborted.next()).rejects.toThrow();
    expect(memory().tensors).toBe(before);
  });

  test("after a model that fails", () => {
    const failing = seeded(0);
    const { head } = failing;
    let calls = 0;
    failing.head = (hidden) => {
      if (++calls === 3) throw new Error("out of luck");
      return head.call(failing, hidden);
    };
    const before = memory().tensors;
    expect(() => generateSync(failing, [[1]], options)).toThrow("out of luck");
    expect(memory().tensors).toBe(before);
    expect(failing.training).toBe(true);
  });
});

describe("refuses", () => {
  test.each([
    { prompts: [[1], []], message: "Expected at least one token for 'prompts[1]' but received none" },
    { prompts: [[1, 270]], message: "Expected token ids from 0 to 269 for 'prompts[0]' but received 270" },
    { prompts: [[0.5]], message: "for 'prompts[0]' but received 0.5" },
  ])("$message", ({ prompts, message }) => {
    expect(() => generateSync(model, prompts)).toThrow(InputError);
    expect(() => generateSync(model, prompts)).toThrow(message);
  });

  test.each<[object, string]>([
    [{ maxNewTokens: 0 }, "Expected an integer from 1 for 'maxNewTokens' but received 0"],
    [{ maxNewTokens: 2.5 }, "for 'maxNewTokens' but received 2.5"],
    [{ maxNewTokens: 4, minNewTokens: 5 }, "Expected an integer from 0 to maxNewTokens (4) for 'minNewTokens'"],
    [{ temperature: -1 }, "Expected a number from 0 for 'temperature' but received -1"],
    [{ temperature: NaN }, "for 'temperature' but received NaN"],
    [{ temperature: "1" }, "for 'temperature' but received '1'"],
    [{ doSample: 1 }, "Expected true or false for 'doSample' but received 1"],
    [{ doSample: true, topK: -1 }, "Expected an integer from 0 for 'topK' but received -1"],
    [{ doSample: true, topP: 1.1 }, "Expected a number from 0 to 1 for 'topP' but received 1.1"],
    [{ doSample: true, minP: -0.1 }, "Expected a number from 0 to 1 for 'minP' but received -0.1"],
    [{ topK: 5 }, "Expected 'temperature' or 'doSample' with 'topK' but received neither"],
    [{ repetitionPenalty: 0 }, "Expected a number above 0 for 'repetitionPenalty' but received 0"],
    [{ seed: 0.5 }, "Expected an integer for 'seed' but received 0.5"],
    [{ eosTokenId: 270 }, "Expected token ids from 0 to 269 for 'eosTokenId' but received 270"],
    [{ stopStrings: "x" }, "Expected a 'tokenizer' with 'stopStrings' but received none"],
    [{ stopStrings: [""] }, "Expected strings that are not empty for 'stopStrings' but received ''"],
    [{ signal: {} }, "Expected an AbortSignal for 'signal'"],
    [{ max_new_tokens: 5 }, "but received 'max_new_tokens'"],
  ])("%j", (options, message) => {
    expect(() => generateSync(model, [[1]], options as GenerateOptions)).toThrow(message);
  });
});
