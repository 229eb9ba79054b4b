/** Model folders that transformers saved, and its answers with them (scripts/parity/weights.py). */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { generateSync } from "../../src/generate";
import { type CausalLM, loadModel, saveModel } from "../../src/models";
import { memory, noGrad, type Tensor, tensor, tidy } from "../../src/torch";
import { settledTensors } from "../setup/garbage";
import { expectClose, fixture, folderOf } from "./fixture";

const expected = fixture<{
  ids: number[][];
  prompts: number[][];
  maxNewTokens: number;
  folders: Record<string, { logits: number[]; greedy: number[][] }>;
}>("weights");

const savedIn: Record<string, string> = {
  single: "float32",
  sharded: "float32",
  tied: "bfloat16",
  "tied-sharded-old": "float16",
};
const out = mkdtempSync(join(tmpdir(), "smaug-weights-"));
afterAll(() => rmSync(out, { recursive: true }));

const logits = (model: CausalLM): Tensor => tidy(() => noGrad(() => model.forward(tensor(expected.ids, { dtype: "int64" }))));

describe.each(Object.entries(expected.folders))("%s", (name, answers) => {
  const folder = folderOf("folders", name);

  test("logits are transformers', greedy answers its tokens, and nothing stays", async () => {
    const before = await settledTensors();
    const model = await loadModel(folder);
    expect(model.parameters().next().value!.dtype).toBe("float32");
    tidy(() => expectClose(logits(model), answers.logits, 1e-5, "logits"));
    const greedy = generateSync(model, expected.prompts, { maxNewTokens: expected.maxNewTokens });
    expect(greedy.map(({ tokens }) => tokens)).toEqual(answers.greedy);
    model.dispose();
    expect(memory().tensors).toBe(before);
  });

  test("saved as it was loaded, the same bytes come out", async () => {
    const model = await loadModel(folder, { dtype: "auto" });
    expect(model.parameters().next().value!.dtype).toBe(savedIn[name]);
    const copy = join(out, name);
    await saveModel(model, copy);
    model.dispose();
    const config = (path: string) => JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as unknown;
    expect(config(copy)).toEqual(config(folder));
    const again = await loadModel(copy);
    expectClose(logits(again), answers.logits, 1e-5, "logits");
    if (!readdirSync(folder).includes("model.safetensors")) return;
    expect(data(join(copy, "model.safetensors"))).toEqual(data(join(folder, "model.safetensors")));
  });
});

/** A safetensors file without its header. */
function data(path: string): Buffer {
  const bytes = readFileSync(path);
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)));
}
