/** Settings in addition to tokenizer.json that change ids, as transformers applies them (scripts/parity/tokenizer_settings.py). */
import { describe, expect, test } from "vitest";
import { loadTokenizer } from "../../../src/text";
import { folderOf } from "../../text/tiny";
import { fixture } from "../fixture";

interface Case {
  tokenizer: string;
  model_type: (string | null)[];
  config: Record<string, unknown>;
  /** transformers rebuilds this class, and its ids differ from tokenizer.json's even without a setting. */
  rebuilt: boolean;
  ids: number[][];
}
const { texts, tokenizers, cases } = fixture<{ texts: string[]; tokenizers: Record<string, object>; cases: Case[] }>(
  "text/settings",
);

const filesOf = ({ tokenizer, config }: Case) => ({ "tokenizer.json": tokenizers[tokenizer]!, "tokenizer_config.json": config });
const load = (each: Case, modelType: string | null) =>
  loadTokenizer(folderOf({ ...filesOf(each), ...(modelType === null ? {} : { "config.json": { model_type: modelType } }) }));

const nameOf = ({ tokenizer, config }: Case) => {
  const { bos_token: _, eos_token: __, unk_token: ___, ...rest } = config;
  return `${tokenizer} ${JSON.stringify(rest)}`;
};
const named = cases.map((each) => [nameOf(each), each] as const);

/** transformers ignores it, although the file asks for it. */
const isRefused = ({ tokenizer, config, model_type: [modelType] }: Case) =>
  String(config["tokenizer_class"]).startsWith("GPTNeoX") &&
  config["add_bos_token"] === true &&
  tokenizer === "plain" &&
  modelType === null;

describe("ids are those of transformers", () => {
  test.each(named.filter(([, each]) => !each.rebuilt && !isRefused(each)))("%s", async (_, each) => {
    for (const modelType of each.model_type) {
      const tokenizer = await load(each, modelType);
      expect(
        texts.map((text) => tokenizer.encode(text)),
        `model_type ${modelType}`,
      ).toEqual(each.ids);
    }
  });
});

test("a copy of the tokenizer in an adapter's folder gives the ids of its base", async () => {
  // The class follows from the base's model type: for these the file's own class, or none, would give other ids.
  const types = ["mistral", "mixtral", "phi3", "qwen2", "qwen3"];
  const isSet = ({ add_prefix_space: prefix, legacy }: Case["config"]) => prefix !== undefined || legacy !== undefined;
  const chosen = cases.filter((each) => !each.rebuilt && isSet(each.config));
  let count = 0;
  for (const each of chosen)
    for (const modelType of each.model_type.filter((type) => types.includes(type!))) {
      const base = folderOf({ "config.json": { model_type: modelType! } });
      const tokenizer = await loadTokenizer(base, { adapter: folderOf(filesOf(each)) });
      expect(
        texts.map((text) => tokenizer.encode(text)),
        `model_type ${modelType} ${nameOf(each)}`,
      ).toEqual(each.ids);
      count++;
    }
  expect(count).toBeGreaterThan(0);
});

describe("refused", () => {
  test.each(named.filter(([, each]) => isRefused(each)))("%s, which transformers ignores", async (_, each) => {
    await expect(load(each, null)).rejects.toThrow(
      /Expected no 'add_bos_token: true' in .*tokenizer_config\.json, since the post_processor of tokenizer\.json does not add "<s>"/,
    );
  });
});

test("what a tokenizer.json alone decides is not rebuilt from its class", async () => {
  const rebuilt = cases.find(({ rebuilt, config }) => rebuilt && config["tokenizer_class"] === "GPT2TokenizerFast")!;
  const plain = cases.find(
    ({ tokenizer, config }) => tokenizer === rebuilt.tokenizer && config["tokenizer_class"] === "PreTrainedTokenizerFast",
  )!;
  const tokenizer = await load({ ...rebuilt, config: { ...plain.config, tokenizer_class: "GPT2TokenizerFast" } }, null);
  expect(texts.map((text) => tokenizer.encode(text))).toEqual(plain.ids);
  expect(rebuilt.ids).not.toEqual(plain.ids);
});
