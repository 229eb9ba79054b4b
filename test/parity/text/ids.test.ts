/** Token ids and decoded texts against Python's `tokenizers`, on 12,000 lines and for the tokenizers people use. */
import { beforeAll, describe, expect, test } from "vitest";
import { loadTokenizer, type Tokenizer } from "../../../src/text";
import { tokenizerFolder } from "./fetch";
import { blocks, fixture, hard, idLists, lines } from "./lines";

interface Expected {
  encode: string[];
  encodePlain: string[];
  decode: string[];
  decodeSkipping: string[];
  decodeAny: string[];
  hard: number[][];
}

const expected = fixture<Record<string, Expected> & { lines: number; block: number }>("ids");
const text = lines(expected.lines);
const hashes = (values: unknown[]) => blocks(values, expected.block);
const minutes = 60_000;

describe.each(["llama2", "llama3", "qwen3", "gemma3"])("%s", (name) => {
  let tokenizer: Tokenizer;
  let ids: number[][];

  beforeAll(async () => {
    tokenizer = await loadTokenizer(tokenizerFolder(name));
    ids = text.map((line) => tokenizer.encode(line));
  }, 3 * minutes);

  test("gives Python's ids", () => {
    expect(hard.map((line) => tokenizer.encode(line))).toEqual(expected[name]!.hard);
    expect(hashes(ids)).toEqual(expected[name]!.encode);
  });

  test(
    "gives Python's ids without the tokens around a text",
    () => {
      const plain = text.map((line) => tokenizer.encode(line, { addSpecialTokens: false }));
      expect(hashes(plain)).toEqual(expected[name]!.encodePlain);
    },
    minutes,
  );

  test("gives Python's texts", () => {
    expect(hashes(ids.map((each) => tokenizer.decode(each)))).toEqual(expected[name]!.decode);
    const skipping = ids.map((each) => tokenizer.decode(each, { skipSpecialTokens: true }));
    expect(hashes(skipping)).toEqual(expected[name]!.decodeSkipping);
  });

  test("gives Python's texts for ids that cut characters", () => {
    const lists = idLists(2000, tokenizer.vocabSize);
    expect(hashes(lists.map((each) => tokenizer.decode(each)))).toEqual(expected[name]!.decodeAny);
  });
});
