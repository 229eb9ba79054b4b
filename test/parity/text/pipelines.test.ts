/** Every step of tokenizer.json that is read, piece by piece against Python's `tokenizers`. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { describe, expect, test } from "vitest";
import { loadTokenizer } from "../../../src/text";
import { normalizer, preTokenizer, type Step } from "../../../src/text/pipeline";
import { digest, fixture, generator, hard, lines } from "./lines";

interface Case {
  pre_tokenizer?: Step;
  normalizer?: Step;
  digest: string;
  hard: string;
}

interface AddedTokens {
  json: object;
  words: string[];
  text: string;
  ids: string;
}

type Fixture = Record<string, Case> & { "added tokens": AddedTokens };

const { versions: _, "added tokens": added, ...cases } = fixture<Fixture>("pipelines");
const text = lines(1500, 3);

describe("gives Python's pieces", () => {
  test.each(Object.entries(cases))("%s", (_, expected) => {
    const library = new Library(
      {
        model: { type: "BPE", vocab: {}, merges: [] },
        added_tokens: [],
        normalizer: normalizer(expected.normalizer ?? null, "test"),
        pre_tokenizer: preTokenizer(expected.pre_tokenizer ?? null, "test"),
        post_processor: null,
        decoder: null,
      },
      {},
    );
    const run = (line: string): unknown =>
      expected.normalizer ? library.normalizer!.normalize(line) : library.pre_tokenizer!.pre_tokenize(line, { section_index: 0 });
    expect(digest(hard.filter(Boolean).map(run))).toBe(expected.hard);
    expect(digest(text.map(run))).toBe(expected.digest);
  });
});

test("gives Python's ids around added tokens that take white space or are matched in normalized text", async () => {
  const below = generator(4);
  const { words } = added;
  const pick = () => words[below(words.length)]!;
  const mixed = Array.from({ length: 400 }, () => Array.from({ length: 1 + below(8) }, pick).join(""));
  expect(digest(mixed), "the lines").toBe(added.text);
  const folder = mkdtempSync(join(tmpdir(), "smaug-text-"));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(added.json));
  const tokenizer = await loadTokenizer(folder);
  rmSync(folder, { recursive: true });
  expect(digest(mixed.map((line) => tokenizer.encode(line)))).toBe(added.ids);
});
