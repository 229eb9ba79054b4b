/** The contamination check, beside what its tool computes: scripts/parity/eval.py. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { contamination, continueTexts } from "../../src/evaluate";
import { meanLosses } from "../../src/evaluate/contamination";
import { type CausalLM, loadModel } from "../../src/models";
import { loadTokenizer, type Tokenizer } from "../../src/text";
import { memory } from "../../src/torch";
import { temporaryFolders } from "../models/folders";
import { fixture, folderOf } from "../parity/fixture";
import { settledTensors } from "../setup/garbage";

const { contamination: tool } = fixture<{
  contamination: { texts: string[]; others: string[]; own: number; losses: number[]; score: number };
}>("eval");
const data = { gsm8k: folderOf("eval", "data", "gsm8k"), arc_challenge: folderOf("eval", "data", "arc_challenge") };
const folder = temporaryFolders();
let model: CausalLM;
let tokenizer: Tokenizer;
beforeAll(async () => {
  model = await loadModel(folderOf("eval", "model"), { dtype: "float32" });
  tokenizer = await loadTokenizer(folderOf("eval", "model"));
});
afterAll(() => model.dispose());

test("losses and scores are the tool's", async () => {
  const losses = await meanLosses(model, tokenizer, tool.texts[0]!, tool.others);
  for (const [i, loss] of [tool.own, ...tool.losses].entries()) expect(losses[i]).toBeCloseTo(loss, 4);
  const { gsm8k } = await contamination(model, tokenizer, { gsm8k: [{ text: tool.texts[0]!, others: tool.others }] });
  expect(gsm8k).toEqual({ share: tool.score < 0.1 ? 1 : 0, items: 1, scores: [tool.score] });
});

test("items are the tool's, and their other ends as long as the ones they replace", async () => {
  const live = await settledTensors();
  const { gsm8k } = await continueTexts(model, tokenizer, { tasks: ["gsm8k"], data, items: 3, samples: 5 });
  expect(memory().tensors).toBe(live);
  expect(gsm8k!.map(({ text }) => text)).toEqual(tool.texts.slice(0, 3));
  for (const { text, others } of gsm8k!) {
    const words = text.split(/\s+/);
    const prefix = words.slice(0, Math.ceil(0.4 * words.length)).join(" ");
    expect(others).toHaveLength(5);
    expect(new Set(others).size).toBeGreaterThan(1);
    for (const other of others) {
      expect(other.startsWith(prefix)).toBe(true);
      const added = tokenizer.encode(other).length - tokenizer.encode(prefix).length;
      expect(added).toBeLessThanOrEqual(words.length - Math.ceil(0.4 * words.length));
    }
  }
});

test("the same seed gives the same texts", async () => {
  const texts = (seed: number) => continueTexts(model, tokenizer, { tasks: ["gsm8k"], data, items: 2, samples: 3, seed });
  const first = await texts(1);
  expect(await texts(1)).toEqual(first);
  expect(await texts(2)).not.toEqual(first);
});

test("the share counts items below a tenth", async () => {
  const likely = "Question: Ann has 3 coins and gets 2 more.";
  const others = Array.from({ length: 20 }, (_, i) => `zx${i} qq!! ~~ ${"^%$#@".repeat(3)}`);
  const { known } = await contamination(model, tokenizer, {
    known: [
      { text: likely, others },
      { text: others[0]!, others: others.map(() => likely) },
    ],
  });
  expect(known).toEqual({ share: 0.5, items: 2, scores: [0, 1] });
});

test("data are found in a folder with a folder or a file for each task", async () => {
  const options = { tasks: ["gsm8k"], items: 1, samples: 1 };
  const { gsm8k } = await continueTexts(model, tokenizer, { ...options, data: folderOf("eval", "data") });
  expect(gsm8k!.map(({ text }) => text)).toEqual(tool.texts.slice(0, 1));
  const source = folder();
  writeFileSync(join(source, "gsm8k.jsonl"), '{"question": "1 + 1?", "answer": "2"}\n');
  const own = await continueTexts(model, tokenizer, { ...options, data: source });
  expect(own["gsm8k"]!.map(({ text }) => text)).toEqual(["1 + 1? 2"]);
});

test("bad input", async () => {
  const attempt = (options: object) => continueTexts(model, tokenizer, { tasks: ["gsm8k"], data, ...options });
  await expect(attempt({ tasks: ["gsm8"] })).rejects.toThrow(/received 'gsm8'; did you mean 'gsm8k'/);
  await expect(attempt({ tasks: [] })).rejects.toThrow(/Expected one of .* but received none/);
  await expect(attempt({ data: { gsm8: "x" } })).rejects.toThrow(/each source but received 'gsm8'; did you mean 'gsm8k'/);
  await expect(attempt({ data: folder() })).rejects.toThrow(/a folder or file named 'gsm8k' in '.*' but received nothing/);
  await expect(attempt({ samples: 0 })).rejects.toThrow(RangeError);
  const source = folder();
  writeFileSync(join(source, "test.jsonl"), '{"question": "a", "answer": 3}\n');
  await expect(attempt({ data: { gsm8k: source } })).rejects.toThrow(
    /Expected a text for 'answer' but received 3. In '.*', line 1/,
  );
});
