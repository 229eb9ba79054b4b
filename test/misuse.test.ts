/** Errors for arguments that newcomers get wrong. TypeScript rejects most of them; JavaScript does not. */
import { describe, expect, test, vi } from "vitest";
import {
  AdamW,
  applyLora,
  clipGradNorm_,
  continueTexts,
  createLoss,
  dpop,
  evaluate,
  forwardBackward,
  type GivenRow,
  generate,
  generateStream,
  linearSchedule,
  loadPreferences,
  lora,
  microBatches,
  PreferenceTrainer,
  type PreferenceTrainerOptions,
  pack,
  saveModel,
  scorePreferences,
  sft,
  sigmoid,
  type Tokenizer,
  tokenizePairs,
  upload,
  weightedSum,
  wpo,
} from "../src";
import { tensor } from "../src/torch";
import { tinyModel, tinyPairs } from "./train/tiny";

const model = tinyModel();
const train = tinyPairs(4);
const rows: GivenRow[] = [{ prompt: "2 + 2 =", chosen: " 4", rejected: " 5" }];
const make = (changes: object) => () => new PreferenceTrainer({ model, train, ...changes } as PreferenceTrainerOptions);
const tokenizer = { encode: () => [3] } as unknown as Tokenizer;
/** Passes any value, as JavaScript can. */
const loosely = <T>(value: unknown) => value as T;

describe("a trainer is not created", () => {
  test.each<[string, object, string]>([
    ["with a misspelt option", { outputdir: "out" }, "but received 'outputdir'; did you mean 'outputDir'?"],
    ["with an option of the command line", { per_device_train_batch_size: 4 }, "did you mean 'perDeviceTrainBatchSize'?"],
    ["with a misspelt option that is no setting", { evalution: [] }, "did you mean 'evaluation'?"],
    [
      "with the path of rows",
      { train: "pairs.jsonl" },
      `Expected a list of rows for 'train' but received "pairs.jsonl"; load them with await loadPreferences("pairs.jsonl")`,
    ],
    ["with rows that were not awaited", { train: Promise.resolve([]) }, "for 'train' but received a Promise; await it"],
    ["with what tokenizePairs gives", { train: { pairs: train } }, "but received an object with pairs; pass its 'pairs'"],
    [
      "with a stream of rows",
      { evaluation: (async function* () {})() },
      "; collect its rows into a list, or use loadPreferences",
    ],
    ["without rows", { train: undefined }, "for 'train' but received nothing"],
    [
      "with a row without its answer",
      { train: [{ prompt: "a", choosen: "b", rejected: "c" }] },
      "Expected a string or a list of messages for 'train[0].chosen' but received nothing; did you mean 'choosen'?",
    ],
    [
      "with a prompt of another kind than its answers",
      { train: [{ prompt: "a", chosen: [{ role: "user", content: "b" }], rejected: [] }] },
      "Expected a list of messages for 'train[0].prompt', like 'chosen', but received \"a\"",
    ],
    [
      "with a message without a role",
      { train: [{ prompt: [{ content: "a" }], chosen: [], rejected: [] }] },
      "but received an object with content as its message 0, which has no 'role'",
    ],
    [
      "with the name that files have",
      { train: [{ ...rows[0], chat_template_kwargs: {} }] },
      "Expected the name 'chatTemplateKwargs' in 'train[0]'",
    ],
    [
      "with an index that is none",
      { train: [{ ...rows[0], index: -1 }] },
      "Expected an integer from 0 for 'train[0].index' but received -1",
    ],
    [
      "with the path of a model",
      { model: "models/x" },
      `for 'model' but received "models/x"; load it with await loadModel("models/x")`,
    ],
    [
      "with a model that was not awaited",
      { model: Promise.resolve() },
      "Expected a model for 'model' but received a Promise; await it",
    ],
    ["with the path of a tokenizer", { tokenizer: "models/x" }, `; load it with await loadTokenizer("models/x")`],
    ["with a loss's name", { loss: "dpop" }, `received "dpop"; create it with createLoss({ lossType: "dpop" })`],
    ["with a loss's configuration", { loss: { lossType: "dpop" } }, "; pass it to createLoss(…)"],
    ["with what makes a loss", { loss: dpop }, "received the function dpop, which creates one; call it: dpop(…)"],
    [
      "with an async loss",
      { loss: async () => tensor([1]) },
      "which is async; a training step cannot wait, so compute what the loss awaits beforehand",
    ],
    [
      "with a loss that gives a Promise",
      { loss: () => Promise.reject(new Error("late")) },
      "but received a Promise; a training step cannot wait",
    ],
    [
      "with a loss that is a mean",
      { loss: (p: { policyChosen: { mean(): unknown } }) => p.policyChosen.mean() },
      "from 'loss' but received a Tensor of shape []; do not reduce",
    ],
    ["with a loss that is a number", { loss: () => 0.69 }, "from 'loss' but received 0.69"],
    [
      "with a loss that nothing can be learnt from",
      { loss: () => tensor([1, 2]) },
      "Expected a loss that depends on 'policyChosen' or 'policyRejected'",
    ],
    [
      "with a metric that is a mean",
      { loss: Object.assign(sigmoid().bind(null), { metrics: () => ({ mine: tensor(1) }) }) },
      "from the metric 'mine' of 'loss' but received a Tensor of shape []",
    ],
    [
      "with a length that is none",
      { maxLength: "long" },
      `Expected an integer from 2, or null, for 'maxLength' but received "long"`,
    ],
    [
      "with a way to cut that is none",
      { truncationMode: "keep_middle" },
      `Expected "keep_start" or "keep_end" for 'truncationMode'`,
    ],
    ["with a setting out of its range", { learningRate: -1 }, "Expected a number from 0 for 'learningRate' but received -1"],
    [
      "with a metric that no evaluation has",
      { metricForBestModel: "eval_rewards/marginz" },
      "Expected a metric of evaluations for 'metric_for_best_model' but received 'eval_rewards/marginz'; did you mean 'rewards/margins'?",
    ],
    [
      "with a metric that another loss has",
      { loss: sigmoid(), metricForBestModel: "dpop/penalty_mean" },
      "but received 'dpop/penalty_mean'",
    ],
    [
      "with a checkpoint's number",
      { resumeFromCheckpoint: 4 },
      "Expected a checkpoint's folder, true or false for 'resumeFromCheckpoint'",
    ],
  ])("%s", (_, changes, message) => {
    expect(make(changes)).toThrow(message);
  });

  test("accepts every valid kind of option", () => {
    const loss = vi.fn(sigmoid({ beta: 0.1 }));
    for (const right of [
      {},
      { loss },
      { loss: createLoss({ lossType: ["sigmoid", "sft"] }) },
      { loss: wpo(sigmoid()) },
      { train: rows },
      { evaluation: [] },
      { metricForBestModel: "dpop/penalty_mean" },
      { metricForBestModel: "eval_runtime" },
    ])
      expect(make(right)).not.toThrow();
    expect(loss).toHaveBeenCalledTimes(1);
  });
});

/** Compiled, not run. */
test("TypeScript accepts rows without an index and rejects what is not rows, a loss, or token ids", () => {
  const calls = async () => {
    const inferred = [{ prompt: "2 + 2 =", chosen: " 4", rejected: " 5" }];
    const chats = [
      { prompt: [{ role: "user", content: "2 + 2?" }], chosen: [{ role: "assistant", content: "4" }], rejected: [] },
    ];
    new PreferenceTrainer({ model, train: inferred, evaluation: chats });
    new PreferenceTrainer({ model, train: await loadPreferences("pairs.jsonl") });
    await tokenizePairs(inferred, tokenizer);
    // @ts-expect-error: a path where rows belong
    new PreferenceTrainer({ model, train: "pairs.jsonl" });
    new PreferenceTrainer({ model, train: [{ prompt: "a", chosen: "b" }], loss: sft() });
    new PreferenceTrainer({ model, train: [{ prompt: "a", completion: "b" }], loss: sft() });
    // @ts-expect-error: a row without any answer
    new PreferenceTrainer({ model, train: [{ prompt: "a" }] });
    // @ts-expect-error: a loss's name
    new PreferenceTrainer({ model, train, loss: "dpop" });
    // @ts-expect-error: an async loss
    new PreferenceTrainer({ model, train, loss: async ({ policyChosen }) => policyChosen });
    // @ts-expect-error: what makes a loss
    new PreferenceTrainer({ model, train, loss: dpop });
    // @ts-expect-error: texts where token ids belong
    await generate(model, ["text"]);
    // @ts-expect-error: a misspelt option
    await generate(model, [[1]], { maxNewToken: 5 });
  };
  expect(calls).toBeTypeOf("function");
});

test("rows need no index: they are numbered by their place", () => {
  const given: GivenRow[] = [
    ...rows,
    { prompt: "a", chosen: "b", rejected: "c", index: 7 },
    { prompt: "a", chosen: "b", rejected: "" },
  ];
  const texts = { eosToken: "</s>", eosTokenId: 2, eosTokenIds: [2], path: "", chatTemplates: [], bosTokenId: undefined };
  const encode = (text: string) =>
    [...text.replace("</s>", "")].map((letter) => letter.charCodeAt(0)).concat(text.endsWith("</s>") ? 2 : []);
  return expect(
    tokenizePairs(given, { ...texts, encode } as unknown as Tokenizer, { cacheDir: null, workers: 0 }),
  ).resolves.toMatchObject({
    pairs: [{ index: 0 }, { index: 7 }],
    refused: [{ index: 2, reason: "the rejected answer is empty" }],
  });
});

describe("generate says what prompts are", () => {
  test.each<[string, unknown, string]>([
    [
      "texts",
      ["text"],
      "Expected token ids for 'prompts[0]' but received \"text\"; encode strings with [tokenizer.encode(text)]",
    ],
    ["one text", "text", "for 'prompts' but received \"text\"; encode strings"],
    [
      "the ids of one prompt",
      [1, 2],
      "Expected token ids for 'prompts[0]' but received 1; put the ids of a single prompt into a list: [ids]",
    ],
    [
      "a conversation",
      [{ role: "user", content: "a" }],
      "tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true, tokenize: true })",
    ],
    [
      "conversations",
      [[{ role: "user", content: "a" }]],
      "for 'prompts[0]' but received [an object with role, content]; encode conversations",
    ],
    ["nothing", undefined, "for 'prompts' but received nothing"],
  ])("%s", async (_, prompts, message) => {
    await expect(generate(model, loosely<number[][]>(prompts))).rejects.toThrow(message);
    expect(() => generateStream(model, loosely<number[][]>(prompts))).toThrow(message);
  });

  test("and takes the ids of a tokenised row", async () => {
    const ids = [train[0]!.chosen.ids.subarray(0, train[0]!.chosen.start)];
    const [answer] = await generate(model, loosely<number[][]>(ids), { maxNewTokens: 2, eosTokenId: [] });
    expect(answer!.tokens).toHaveLength(2);
  });
});

describe("other functions say it too", () => {
  test.each<[string, () => unknown, string]>([
    ["a model's path", () => generate(loosely("models/x"), [[1]]), 'await loadModel("models/x")'],
    ["a tokenizer's path", () => generate(model, [[1]], { tokenizer: loosely("models/x") }), 'await loadTokenizer("models/x")'],
    [
      "a misspelt option of generate",
      () => generate(model, [[1]], loosely({ max_new_tokens: 5 })),
      "did you mean 'maxNewTokens'?",
    ],
    [
      "rows in text to score",
      () => scorePreferences(model, loosely(rows)).next(),
      "make them with (await tokenizePairs(rows, tokenizer)).pairs",
    ],
    [
      "batches of no token",
      () => scorePreferences(model, train, { maxTokens: 0 }).next(),
      "Expected a positive integer for 'maxTokens' but received 0",
    ],
    ["a misspelt option of microBatches", () => microBatches(train, loosely({ maxToken: 5 })), "did you mean 'maxTokens'?"],
    ["a path to tokenise", () => tokenizePairs(loosely("pairs.jsonl"), tokenizer), 'await loadPreferences("pairs.jsonl")'],
    [
      "rows without a tokenizer",
      () => tokenizePairs(rows, loosely(undefined)),
      "Expected a tokenizer for 'tokenizer' but received nothing",
    ],
    [
      "a misspelt option of loadPreferences",
      () => loadPreferences("pairs.jsonl", loosely({ spilt: "train" })),
      "did you mean 'split'?",
    ],
    ["a misspelt option of a loss", () => dpop(loosely({ lamda: 50 })), "but received 'lamda'; did you mean 'lambda'?"],
    ["a number for options", () => dpop(loosely(0.3)), "Expected an object of options for 'dpop' but received 0.3"],
    [
      "losses by name",
      () => weightedSum(loosely(["sigmoid", "sft"])),
      `for 'losses[0]' but received "sigmoid"; create it with createLoss`,
    ],
    ["one loss for several", () => weightedSum(loosely(sigmoid())), "Expected a list of losses for 'losses'"],
    ["a name to weigh", () => wpo(loosely("sigmoid")), `for 'loss' but received "sigmoid"`],
    ["a misspelt option of lora", () => lora(loosely({ lora_r: 8, rank: 8 })), "Expected options of 'lora' (r, alpha,"],
    [
      "one name for a list of names",
      () => lora({ modulesToSave: loosely("lm_head") }),
      `Expected a list of names for 'modulesToSave' but received "lm_head"`,
    ],
    ["a text for true", () => lora({ useDora: loosely("no") }), `Expected true or false for 'useDora' but received "no"`],
    ["a text for a number", () => lora({ dropout: loosely("0.1") }), `for 'dropout' but received "0.1"`],
    [
      "part of a configuration",
      () => applyLora(tinyModel(), loosely({ r: 8 })),
      "pass it to lora(…), which checks it and fills in the rest",
    ],
    [
      "one task for several",
      () => evaluate(model, tokenizer, { tasks: loosely("gsm8k") }),
      `received "gsm8k"; put it in a list: ["gsm8k"]`,
    ],
    ["no tasks", () => evaluate(model, tokenizer, loosely({})), "Expected a list of tasks for 'tasks' but received nothing"],
    [
      "a share in words",
      () => evaluate(model, tokenizer, { tasks: ["gsm8k"], limit: loosely("0.1") }),
      `for 'limit' but received "0.1"`,
    ],
    [
      "one task to continue",
      () => continueTexts(model, tokenizer, { tasks: loosely("gsm8k") }),
      "Expected a list of tasks for 'tasks'",
    ],
    ["a misspelt option of saveModel", () => saveModel(model, "out", loosely({ dType: "float32" })), "did you mean 'dtype'?"],
    [
      "a misspelt option of a schedule",
      () => linearSchedule(loosely({ totalSteps: 9, warmup: 2 })),
      "did you mean 'warmupSteps'?",
    ],
    ["a text for a number of steps", () => linearSchedule({ totalSteps: loosely("9") }), `for 'totalSteps' but received "9"`],
    ["a model for its parameters", () => new AdamW(loosely(model)), "pass model.parameters()"],
    ["a text for a learning rate", () => new AdamW(model.parameters(), { lr: loosely("1") }), `for 'lr' but received "1"`],
    ["a model to clip", () => clipGradNorm_(loosely(model), 1), "pass model.parameters()"],
    ["rows in text to pack", () => pack(loosely(rows)), "Expected pairs in tokens for 'pairs'"],
    ["pairs to upload", () => upload(loosely(train)), "Expected a batch from microBatches or pack for 'packing'"],
    [
      "pairs to train on",
      () => forwardBackward(model, loosely(train), ({ policyChosen }) => policyChosen.sum()),
      "from upload, on its device, for 'batch'",
    ],
    ["a path to adapt", () => applyLora(loosely("models/x"), lora()), "Expected a model for 'model' but received \"models/x\""],
    ["no log-probs", () => dpop()(loosely(undefined)), "for the loss 'dpop' but received nothing"],
    [
      "a loss's name for its configuration",
      () => createLoss(loosely("dpop")),
      "Expected an object of options for 'createLoss' but received \"dpop\"",
    ],
    ["the name that files have", () => createLoss(loosely({ loss_type: "dpop" })), "did you mean 'lossType'?"],
    [
      "a number for the data",
      () => evaluate(model, tokenizer, { tasks: ["gsm8k"], data: loosely(5) }),
      "for 'data' but received 5",
    ],
    [
      "a cache's number",
      () => tokenizePairs(rows, tokenizer, { cacheDir: loosely(5) }),
      "Expected a folder, or null, for 'cacheDir' but received 5",
    ],
    [
      "no callback",
      () => scorePreferences(model, train, { onProgress: loosely(5) }).next(),
      "Expected a function for 'onProgress' but received 5",
    ],
    ["no folder", () => saveModel(model, loosely(undefined)), "Expected a folder for 'folder' but received nothing"],
    ["a model without its folder", () => saveModel(loosely("out"), "out"), "Expected a model for 'model' but received \"out\""],
  ])("%s", async (_, call, message) => {
    await expect((async () => call())()).rejects.toThrow(message);
  });
});
