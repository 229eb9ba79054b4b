import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadModel, saveAdapter, saveModel } from "../../src/models";
import { lora, loraLayers } from "../../src/nn";
import { loadTokenizer } from "../../src/text";
import { temporaryFolders } from "../models/folders";
import { folderOf } from "../parity/fixture";
import { hello, tokenizerJson } from "../text/tiny";
import { freshHub } from "./fixtures";
import type { Content } from "./server";

const folder = temporaryFolders();

const contents = (from: string): Record<string, Content> =>
  Object.fromEntries(readdirSync(from).map((name) => [name, readFileSync(join(from, name))]));

test("model, adapter and tokenizer load by their names on the hub", async () => {
  const { hub } = await freshHub();
  const model = { ...contents(folderOf("folders", "single")), "tokenizer.json": JSON.stringify(tokenizerJson) };
  hub.add("models/owner/tiny", model).refs["v1"] = hub.repos["models/owner/tiny"]!.refs["main"]!;
  hub.add("models/owner/tiny-lora", { ...contents(folderOf("adapters", "list")), "README.md": "" });

  const tokenizer = await loadTokenizer("owner/tiny", { revision: "v1" });
  expect(tokenizer.encode("hello", { addSpecialTokens: false })).toEqual([hello]);
  expect(hub.downloads().map(({ path }) => path.split("/").at(-1))).toEqual(["tokenizer.json"]);

  using loaded = await loadModel("owner/tiny@v1", { adapter: "owner/tiny-lora" });
  expect(loraLayers(loaded)).toHaveLength(4);
  expect(loaded.hub).toEqual({ id: "owner/tiny", revision: "v1" });
  expect(readdirSync(loaded.folder!).sort()).toEqual(Object.keys(model).sort());
});

test("what is saved names the model on the hub, and takes its tokenizer along", async () => {
  const { hub } = await freshHub();
  hub.add("models/owner/tiny", { ...contents(folderOf("folders", "single")), "tokenizer.json": "{}" });
  const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8")) as Record<string, unknown>;
  const revision = hub.repos["models/owner/tiny"]!.refs["main"]!;
  using pinned = await loadModel("owner/tiny", { revision, adapter: lora({ r: 2, targetModules: ["q_proj"] }) });
  const out = folder();
  await saveAdapter(pinned, out);
  expect(json(out, "adapter_config.json")).toMatchObject({ base_model_name_or_path: "owner/tiny", revision });
  await saveAdapter(pinned, out, { baseModel: "models/copy" });
  expect(json(out, "adapter_config.json")).toMatchObject({ base_model_name_or_path: "models/copy", revision: null });

  using whole = await loadModel("owner/tiny");
  const copy = folder();
  await saveModel(whole, copy);
  expect(readdirSync(copy).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
});
