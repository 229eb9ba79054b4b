/** GGUF files that gguf-py wrote, its values and transformers' answers (scripts/parity/gguf_files.py). */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadModel, saveModel } from "../../src/models";
import { GgufFile } from "../../src/models/formats/gguf/file";
import { readGgufHeader } from "../../src/models/formats/gguf/header";
import { dispose, empty, memory, noGrad, tensor, tidy } from "../../src/torch";
import { temporaryFolders } from "../models/folders";
import { settledTensors } from "../setup/garbage";
import { expectClose, fixture, folderOf } from "./fixture";

const expected = fixture<{
  ids: number[][];
  types: Record<string, string>;
  models: Record<string, { logits: number[] }>;
}>("gguf");

const folder = temporaryFolders();

const nameOf = (name: string) => (name.endsWith("-sharded") ? `${name}-00001-of-00003.gguf` : `${name}.gguf`);

describe("types of tensors", () => {
  const file = new GgufFile(readGgufHeader(folderOf("gguf", "types.gguf")));

  test.each(Object.entries(expected.types))("%s has gguf-py's values, bit for bit", (name, values) => {
    tidy(() => {
      const target = empty(file.entries.get(name)!.shape, { dtype: "float32" });
      file.copyTo(name, target);
      const bytes = Buffer.from(values, "base64");
      expect(target.toArray()).toEqual(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4).slice());
    });
  });
});

describe.each(Object.entries(expected.models))("%s", (name, { logits }) => {
  const path = folderOf("gguf", nameOf(name));
  const answers = async (from: string) => {
    const model = await loadModel(from);
    return {
      model,
      logits: tidy(() => noGrad(() => model.forward(tensor(expected.ids, { dtype: "int64" })))),
    };
  };

  test("logits are transformers', and nothing stays", async () => {
    const before = await settledTensors();
    const { model, logits: actual } = await answers(path);
    tidy(() => expectClose(actual, logits, 5e-5, "logits"));
    actual.dispose();
    model.dispose();
    expect(memory().tensors).toBe(before);
  });

  test("saved as a folder, the model is the same", async () => {
    const { model, logits: actual } = await answers(path);
    const copy = join(folder(), name);
    await saveModel(model, copy);
    const again = await answers(copy);
    expect(again.logits.toArray()).toEqual(actual.toArray());
    dispose([actual, again.logits]);
    for (const each of [model, again.model]) each.dispose();
  });
});
