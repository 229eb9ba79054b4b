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
const { texts, tokenizers, cases } = fixture<{ texts: string[]; tokenizers: Record<string, object>; cases: Case[] }>("text/settings");

const load = ({ tokenizer, config }: Case, modelType: string | null) =>
  loadTokenizer(
    folderOf({
      "tokenizer.json": tokenizers[tokenizer]!,
      "tokenizer_config.json": config,
      ...(modelType === null ? {} : { "config.json": { model_type: modelType } }),
    }),
  );

const nameOf = ({ tokenizer, config }: Case) => {
  const { bos_token: _, eos_token: __, unk_token: ___, ...rest } = config;
  return `${tokenizer} ${JSON.stringify(rest)}`;
};
const named = cases.map((each) => [nameOf(each), each] as const);

/** transformers ignores it, although the file asks for it. */
const isRefused = ({ tokenizer, config, model_type: [modelType] }: Case) =>
  String(config["tokenizer_class"]).startsWith("GPTNeoX") &&
  config["add_bos_token"] === true && tokenizer === "plain" && modelType === null;

describe("ids are those of transformers", () => {
  test.each(named.filter(([, each]) => !each.rebuilt && !isRefused(each)))("%s", async (_, each) => {
    for (const modelType of each.model_type) {
      const tokenizer = await load(each, modelType);
      expect(texts.map((text) => tokenizer.encode(text)), `model_type ${modelType}`).toEqual(each.ids);
    }
  });
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
  const plain = cases.find(({ tokenizer, config }) => tokenizer === rebuilt.tokenizer && config["tokenizer_class"] === "PreTrainedTokenizerFast")!;
  const tokenizer = await load({ ...rebuilt, config: { ...plain.config, tokenizer_class: "GPT2TokenizerFast" } }, null);
  expect(texts.map((text) => tokenizer.encode(text))).toEqual(plain.ids);
  expect(rebuilt.ids).not.toEqual(plain.ids);
});
